# SPDX-License-Identifier: BSD-3-Clause
"""A network as a service: in the foreground, told about by sd_notify(3), started
by whoever connects to its control socket, which the manager listens at; and the
units.  The manager is this test, or systemd-socket-activate.
"""
import contextlib
import json
import os
import pathlib
import select
import signal
import socket
import subprocess

import pytest

import world
from test_edges import Agent
from test_modes import Machine, RUNDIR, kill_keeper, lan, rundir, show, vmlan  # noqa: F401
from world import VMLAN, is_dead, popen, process, sh, stop, wait_for

UNITS = pathlib.Path(VMLAN).parents[1] / "systemd"
LAB = RUNDIR / "vmlan" / "lab"
PATH = LAB / "control"


class Manager:
    """Listens for a network, and starts it."""

    def __init__(self, name="control"):
        LAB.mkdir(parents=True, exist_ok=True, mode=0o700)
        for d in (LAB, LAB.parent):
            d.chmod(0o700)
        self.name = name
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(str(PATH))
        self.sock.listen(64)
        self.ino = PATH.stat().st_ino
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.told.bind("\0vmlan-notify-%d" % os.getpid())
        self.told.settimeout(30)
        self.proc = None

    def is_called(self):
        return bool(select.select([self.sock], [], [], 0)[0])

    def start(self, *words, fd=None, env=(), ready=True):
        """As systemd does: the descriptor is number 3, and the pid is told."""
        self.proc = popen(
            "bash", "-c", f'exec 3<&{fd or self.sock.fileno()}; LISTEN_PID=$$ exec "$@"', "bash",
            VMLAN, "up", "--foreground", "lab", *words,
            pass_fds=(fd or self.sock.fileno(),), stderr=subprocess.PIPE, text=True,
            env=dict(os.environ, LISTEN_FDS="1", LISTEN_FDNAMES=self.name,
                     NOTIFY_SOCKET="@vmlan-notify-%d" % os.getpid(), **dict(env)))
        if ready:
            assert self.told.recv(100) == b"READY=1"
        return self.proc

    def is_there(self):
        """Its socket, with nobody who lives in the folder."""
        return [p.name for p in LAB.iterdir()] == ["control"] and PATH.stat().st_ino == self.ino

    def close(self):
        if self.proc and self.proc.poll() is None:
            stop(self.proc)
        if self.proc:
            self.proc.stderr.close()
        self.sock.close()
        self.told.close()
        with contextlib.suppress(FileNotFoundError):
            PATH.unlink()


@pytest.fixture
def manager(rundir):  # noqa: F811
    m = Manager()
    yield m
    m.close()
    vmlan("ls")
    assert not LAB.exists()


def names():
    return [o["name"] for o in json.loads(vmlan("ls", "--json").stdout)]


def test_in_the_foreground(rundir, tmp_path):  # noqa: F811
    """It is the network; SIGTERM and `down` end it, and all of it."""
    for end in ("signal", "down"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
            told.bind(str(tmp_path / end))
            told.settimeout(30)
            with process(VMLAN, "up", "--foreground", "lab", "internal", "dhcp=on",
                         stderr=subprocess.PIPE, text=True,
                         env=dict(os.environ, NOTIFY_SOCKET=str(tmp_path / end))) as p:
                assert told.recv(100) == b"READY=1"
                o = show("lab")
                assert (o["keeper"], o["mode"], o["kept"]) == (p.pid, "internal", True)
                # it is taken
                r = sh(VMLAN, "up", "--foreground", "lab", check=False)
                assert r.returncode == 5 and "runs already" in r.stderr
                assert r.stderr.count("\n") == 1
                if end == "signal":
                    p.send_signal(signal.SIGTERM)
                else:
                    vmlan("down", "lab")
                assert p.wait(20) == 0
                assert is_dead(o["engine"]) and not LAB.exists()
                p.stderr.close()


def test_as_its_file_says(rundir, tmp_path):  # noqa: F811
    """Mode, options, and what is asked of it once it is ready; a restart by `apply`
    is its manager's to do."""
    folder = tmp_path / "vmlan"
    folder.mkdir()
    conf = folder / "lab.conf"
    conf.write_text("[network]\nmode=natnet\nnet=10.78.0.0/24\n[forward]\nport = 0:22\n")
    env = dict(os.environ, XDG_CONFIG_HOME=str(tmp_path), NOTIFY_SOCKET=str(tmp_path / "told"))
    with contextlib.ExitStack() as stack:
        told = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        told.bind(env["NOTIFY_SOCKET"])
        told.settimeout(30)
        p = stack.enter_context(process(VMLAN, "up", "--foreground", "lab",
                                        stderr=subprocess.DEVNULL, env=env))
        assert told.recv(100) == b"READY=1"  # with all that the file says
        o = show("lab")
        assert o["forwards"]
        assert (o["keeper"], o["options"], o["file"]) == (p.pid, ["net=10.78.0.0/24"], str(conf))
        conf.write_text(conf.read_text().replace("10.78", "10.79"))
        r = sh(VMLAN, "apply", "--restart", "lab", check=False, env=env)
        assert r.returncode == 5 and "is a service" in r.stderr, r.stderr
        assert show("lab")["keeper"] == p.pid
        assert stop(p) == 0


def test_who_asks_for_the_rest_holds_nothing(manager):
    """The next one takes the place of a killed keeper, whose child asks still."""
    conf = LAB.parent.parent / "config" / "vmlan" / "lab.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text("[network]\nmode=natnet\n[forward]\nport = 0:22\n")
    env = {"XDG_CONFIG_HOME": str(conf.parents[1])}
    try:
        for _ in range(3):
            p = manager.start(env=env, ready=False)
            assert show("lab")["keeper"] == p.pid
            p.kill()
            p.wait()
        assert manager.start(env=env).pid == show("lab")["keeper"]
    finally:
        conf.unlink()
        conf.parent.rmdir()
        conf.parents[1].rmdir()
    vmlan("down", "lab")


def test_what_cannot_be_is_said(rundir):  # noqa: F811
    for words, code, text in ((("lab", "bridged", "bridge=nosuch0"), None, "nosuch0"),
                              (("lab", "nat"), 2, "nat"), (("../x",), 2, "x"), ((), 2, "name")):
        r = sh(VMLAN, "up", "--foreground", *words, check=False, timeout=30)
        assert r.returncode == (code or r.returncode) != 0
        assert text in r.stderr and "Sanitizer" not in r.stderr


def test_who_connects_starts_it(manager, tmp_path):
    """And who only looks around does not."""
    assert names() == [] and vmlan("ls").stdout == ""
    (tmp_path / "vmlan").mkdir()
    conf = tmp_path / "vmlan" / "lab.conf"
    conf.write_text("[network]\nmode = internal\n")
    env = dict(os.environ, XDG_CONFIG_HOME=str(tmp_path))
    assert sh(VMLAN, "apply", "--dry-run", "lab", timeout=60, env=env).stdout == \
        "+ network lab: internal\n"
    conf.unlink()
    assert sh(VMLAN, "apply", "--down", "lab", check=False, timeout=60, env=env).returncode == 4
    vmlan("leases")
    r = sh(VMLAN, "down", "lab", check=False)
    assert r.returncode == 3
    assert sh(VMLAN, "show", "other", check=False).returncode == 3
    assert sh(VMLAN, "exec", "nosuch/vm", "true", check=False).returncode != 0
    assert sh(VMLAN, "complete", "show", "").stdout == ""
    assert manager.is_there() and not manager.is_called()
    with process(VMLAN, "show", "--json", "lab", stdout=subprocess.PIPE, text=True) as asking:
        wait_for("a call", manager.is_called)
        p = manager.start("internal")
        o = json.loads(asking.communicate(timeout=30)[0])
        assert asking.returncode == 0
    assert (o["name"], o["mode"], o["keeper"]) == ("lab", "internal", p.pid)
    assert names() == ["lab"]
    assert PATH.stat().st_ino == manager.ino
    vmlan("down", "lab")
    assert p.wait(20) == 0
    assert manager.is_there() and not manager.is_called()
    # once more
    p = manager.start("internal")
    assert show("lab")["keeper"] == p.pid
    assert stop(p) == 0 and manager.is_there()


def test_a_machine_starts_it(manager):
    """`run` finds a network whose socket waits, and makes none of its own."""
    with process(VMLAN, "run", "-q", "--name", "m", "--net", "natnet:lab", "--", "sh",
                 "-c", "exec sleep 1000", "{socket}", stderr=subprocess.PIPE, text=True) as r:
        wait_for("a call", manager.is_called)
        p = manager.start()
        wait_for("the machine", lambda: [m["name"] for m in show("lab")["machines"]] == ["m"])
        assert show("lab")["keeper"] == p.pid and PATH.stat().st_ino == manager.ino
        # another mode is none of it
        r2 = sh(VMLAN, "up", "lab", "internal", check=False)
        assert r2.returncode == 5 and "natnet" in r2.stderr
        stop(r)
        r.stderr.close()


def test_killed_it_is_the_managers(manager):
    """Commands leave it to the manager, who has heard; what the killed one had is
    there again."""
    p = manager.start("natnet", "net=10.77.0.0/24")
    vmlan("fwd", "lab", "add", "127.0.0.1:0:22")
    engine = show("lab")["engine"]
    number = json.loads(vmlan("fwd", "--json", "lab", "ls").stdout)[0]["id"]
    p.kill()
    p.wait()
    with process(VMLAN, "ls", "--json", stdout=subprocess.PIPE, text=True) as asking:
        wait_for("a call", manager.is_called)
        assert PATH.stat().st_ino == manager.ino
        again = manager.start("natnet", "net=10.77.0.0/24")
        listed = json.loads(asking.communicate(timeout=30)[0])
    assert [(o["name"], o["keeper"]) for o in listed] == [("lab", again.pid)]
    assert json.loads(vmlan("fwd", "--json", "lab", "ls").stdout)[0]["id"] == number
    assert is_dead(engine)
    # another network is not made of it
    again.kill()
    again.wait()
    other = manager.start("internal", ready=False)
    assert other.wait(30) == 5 and "natnet" in other.stderr.read()
    # and where the manager has gone, too, a command gives it a keeper
    manager.sock.close()
    assert show("lab")["keeper"] not in (p.pid, again.pid, other.pid)
    vmlan("down", "lab")
    manager.proc = None


@pytest.fixture
def pair(lan):  # noqa: F811
    """make() plugs two machines into `lab` and gives an agent in each, connected
    by TCP; all of it goes when the stack is closed."""
    with contextlib.ExitStack() as stack:
        def make():
            a, b = (stack.enter_context(Machine(lan, n, "--net", "natnet:lab")) for n in "ab")
            agents = []
            for m in (a, b):
                m.guest.dhcp()
                agents.append(Agent(m.guest.ns))
                stack.callback(agents[-1].close)
            agents[0].do("l = create_server(('', 7000)); l.settimeout(60)")
            agents[1].do(f"c = create_connection(({a.guest.ip!r}, 7000), timeout=60)")
            agents[0].do("c = l.accept()[0]; c.settimeout(60)")
            return agents
        yield stack, make


def says(frm, to, word):
    frm.do(f"c.sendall({word!r})")
    assert to.do(f"c.recv({len(word)}, MSG_WAITALL)") == word


def test_killed_after_its_file_was_edited(pair, manager, tmp_path):
    """What machines are on stays as it was, and that is said; their connections go
    on with nobody who keeps it, and with the next who does."""
    conf = tmp_path / "vmlan" / "lab.conf"
    conf.parent.mkdir()
    conf.write_text("[network]\nmode=natnet\nnet=10.78.0.0/24\n")
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    p = manager.start(env=env)
    vmlan("fwd", "lab", "add", "127.0.0.1:0:22")
    stack, make = pair
    a, b = make()
    says(a, b, b"before")
    conf.write_text("[network]\nmode=internal\n")
    before = kill_keeper("lab")
    p.wait()
    says(a, b, b"with nobody")
    says(b, a, b"either way")
    again = manager.start(env=env)
    wait_for("both on it", lambda: [m["connected"] for m in show("lab")["machines"]]
             == [True, True])
    after = show("lab")
    assert after["keeper"] == again.pid != before["keeper"]
    assert [after[k] for k in ("mode", "options", "forwards")] == \
        [before[k] for k in ("mode", "options", "forwards")]
    says(a, b, b"with the next")
    says(b, a, b"either way")
    stack.close()
    vmlan("down", "lab")
    assert again.wait(30) == 0
    said, = [l for l in again.stderr if "listening on" not in l]
    assert str(conf) in said and "vmlan apply" in said


@pytest.mark.parametrize("what", ["name", "elsewhere", "inet", "number"])
def test_wrong_descriptors(manager, what, tmp_path):
    with contextlib.ExitStack() as stack:
        s, env, text = manager.sock, {}, "FileDescriptorName=control"
        if what == "name":
            manager.name = "web"
        elif what == "elsewhere":
            s = stack.enter_context(socket.socket(socket.AF_UNIX))
            s.bind(str(tmp_path / "x"))
            s.listen()
            text = "ListenStream="
        elif what == "inet":
            s = stack.enter_context(socket.socket())
            s.bind(("127.0.0.1", 0))
            s.listen()
            text = "no listening unix socket"
        else:
            env, text = {"LISTEN_FDS": "7"}, "7 descriptors"
        p = popen("bash", "-c", f'exec 3<&{s.fileno()}; LISTEN_PID=$$ exec "$@"', "bash", VMLAN, "up",
                  "--foreground", "lab", pass_fds=(s.fileno(),), stderr=subprocess.PIPE, text=True,
                  env=dict(os.environ, **{"LISTEN_FDS": "1", "LISTEN_FDNAMES": manager.name,
                                          **env}))
        err = p.communicate(timeout=30)[1]
        assert p.returncode == 2 and text in err and err.count("\n") == 1, err
    assert manager.is_there()


def test_by_systemds_own_hand(rundir):  # noqa: F811
    LAB.mkdir(parents=True, mode=0o700)
    with process("systemd-socket-activate", "-l", str(PATH), "--fdname=control", "-E",
                 "XDG_RUNTIME_DIR", VMLAN, "up", "--foreground", "lab", "internal",
                 stderr=subprocess.DEVNULL) as p:
        wait_for("its socket", PATH.exists)
        wait_for("it listens", lambda: str(PATH) in pathlib.Path("/proc/net/unix").read_text())
        assert names() == []
        assert show("lab")["keeper"] == p.pid
        assert stop(p) == 0
    # nobody listens there any more: whoever comes next takes the place
    assert [f.name for f in LAB.iterdir()] == ["control"]
    vmlan("up", "lab", "internal")
    vmlan("down", "lab")
    assert not LAB.exists()


def test_a_stream_socket_of_a_machine(tmp_path):
    """The cable itself: `join` takes a listening socket by its number, and what
    is sent there comes out at another of its cables, and back."""
    path, other = tmp_path / "vm", tmp_path / "other"
    with process("systemd-socket-activate", "-l", str(path), VMLAN, "join", "-q",
                 "stream,server=on,addr.type=fd,addr.str=3",
                 f"stream,server=on,addr.type=unix,addr.path={other}",
                 stderr=subprocess.DEVNULL) as p:
        with socket.socket(socket.AF_UNIX) as s, socket.socket(socket.AF_UNIX) as t:
            wait_for("it listens", lambda: s.connect_ex(str(path)) == 0)
            wait_for("vmlan", lambda: t.connect_ex(str(other)) == 0, 30)

            def comes(frm, to, frame):
                """Sent again, as a cable loses what it gets before it is plugged in."""
                frm.sendall(frame)
                return select.select([to], [], [], 0.2)[0] and to.recv(len(frame)) == frame
            for n, (frm, to) in enumerate(((s, t), (t, s))):
                frame = b"\xff" * 6 + bytes((0x52, 0x54, 0, 0, 0, n)) + b"\x88\xb5" + bytes(50)
                frame = len(frame).to_bytes(4, "big") + frame
                wait_for("a frame", lambda: comes(frm, to, frame))
        assert stop(p) == 0


@pytest.mark.parametrize("whose", ["system", "user"])
def test_units_are_sound(whose, tmp_path):
    """systemd reads them without a word, and they say what the program takes."""
    service = (UNITS / f"vmlan-{whose}.service").read_text()
    line = next(l for l in service.splitlines() if l.startswith("ExecStart="))
    assert line.endswith("/bin/vmlan up --foreground %i") and line.startswith("ExecStart=/")
    service = service.replace(line, f"ExecStart={VMLAN} up --foreground %i")
    sock = (UNITS / f"vmlan-{whose}.socket").read_text()
    assert "ListenStream=%t/vmlan/%i/control\n" in sock and "FileDescriptorName=control\n" in sock
    (tmp_path / "vmlan@.service").write_text(service)
    (tmp_path / "vmlan@.socket").write_text(sock)
    env = dict(os.environ, SYSTEMD_LOG_LEVEL="warning", XDG_RUNTIME_DIR=str(tmp_path),
               SYSTEMD_UNIT_PATH=f"{tmp_path}:")
    words = ("--user",) if whose == "user" else ()
    for unit in ("vmlan@lab.service", "vmlan@lab.socket"):
        r = sh("systemd-analyze", *words, "--man=no", "verify", str(tmp_path / unit), check=False,
               env=env)
        told = [l for l in r.stderr.splitlines() if "vmlan@" in l]  # not of the host's own
        assert r.returncode == 0 and not told, r.stderr
    # a line that is none is found by it
    (tmp_path / "vmlan@.service").write_text(service.replace("[Service]", "[Service]\nNoSuch=1"))
    r = sh("systemd-analyze", *words, "--man=no", "verify", str(tmp_path / "vmlan@lab.service"),
           check=False, env=env)
    assert "NoSuch" in r.stderr


def test_units_are_installed(tmp_path):
    r = sh("meson", "introspect", "--installed", str(UNITS.parent))
    to = list(json.loads(r.stdout).values())
    for whose in ("system", "user"):
        for unit in ("vmlan@.service", "vmlan@.socket"):
            assert any(d.endswith(f"systemd/{whose}/{unit}") for d in to), (whose, unit)
    assert any(d.endswith("bash-completion/completions/vmlan") for d in to)
