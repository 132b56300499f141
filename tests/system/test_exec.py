# SPDX-License-Identifier: BSD-3-Clause
"""Programs of the host as machines: `vmlan exec`.

        program, program        each in a namespace that vmlan exec makes
        |  |
      [network] -- host -- inet (the world of world.py)
        |
        a                       a machine as of test_modes.py

Each test runs as the root of the world and as an ordinary user of it: one who
has no other right than to make a user namespace.
"""
import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

import world
from reach import ASK, PYTHON, Server
from world import HOST_IP, INET_IP, VMLAN, popen, sh, stop, wait_for

RUNDIR = pathlib.Path("/run/xdg-exec")
# The same user in all commands of a test: one namespace, by a process in it.
ORDINARY = ("unshare", "--user", "--map-user=1000", "--map-group=1000")


class User:
    """Whoever types the commands."""

    def __init__(self, is_root):
        self.is_root = is_root
        self.uid = "0" if is_root else "1000"
        self.prefix = ()
        self.holder = None
        if not is_root:
            self.holder = popen(*ORDINARY, "sh", "-c", "echo; exec sleep 1000",
                                stdout=subprocess.PIPE, text=True)
            assert self.holder.stdout.readline() == "\n"
            self.prefix = ("nsenter", "--user", "-t", str(self.holder.pid),
                           "--preserve-credentials")

    def args(self, *args):
        return (*self.prefix, *args)

    def popen(self, *args, **kw):
        return popen(*self.args(VMLAN, *args), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                     text=True, **kw)

    def vmlan(self, *args, code=0, **kw):
        r = sh(*self.args(VMLAN, *args), check=False, timeout=60, **kw)
        assert r.returncode == code, (args, r.returncode, r.stdout, r.stderr)
        for word in ("ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer"):
            assert word not in r.stderr, r.stderr
        return r

    def exec(self, *args, code=0, **kw):
        return self.vmlan("exec", *args, code=code, **kw)

    def one_line(self, code, *args):
        r = self.exec(*args, code=code)
        lines = r.stderr.splitlines()
        assert len(lines) == 1 and lines[0].startswith("vmlan: error: exec: "), r.stderr
        assert r.stdout == ""
        return lines[0]

    def machines(self, name):
        return json.loads(self.vmlan("show", "--json", name).stdout)["machines"]

    def close(self):
        if self.holder:
            end(self.holder)


def end(proc):
    proc.kill()
    proc.wait()
    proc.stdout.close()
    if proc.stderr:
        proc.stderr.close()


@pytest.fixture(params=["root", "ordinary"])
def user(request, monkeypatch):
    RUNDIR.mkdir(exist_ok=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(RUNDIR))
    u = User(request.param == "root")
    yield u
    d = RUNDIR / "vmlan"
    left = sorted(n.name for n in d.iterdir()) if d.exists() else []
    for name in left:
        u.vmlan("down", "-q", name)
    wait_for("all networks to end", lambda: not d.exists() or not list(d.iterdir()))
    u.close()
    assert set(left) <= {"lab", "in"}


@pytest.fixture
def lab(user):
    user.vmlan("up", "-q", "lab", "natnet")
    return user


def said(r):
    return r.stdout.strip()


def test_traffic(w, lab):
    """To the internet, the host and a machine, by ping, TCP and UDP; by name."""
    with Server("inet"), Server(None, "127.0.0.1"):
        for ip in (INET_IP, "10.0.2.2"):
            for p in ("tcp", "udp"):
                assert said(lab.exec("lab", "--", PYTHON, "-c", ASK, ip, p, "30")) == f"{p} hello"
            lab.exec("lab", "--", "ping", "-c", "1", "-W", "20", ip)


def test_a_machine(w, user):
    """A VM's namespace and a program see each other."""
    user.vmlan("up", "-q", "lab", "natnet")
    # the machine is plugged in by the network's owner, its namespace is root's
    a = w.guest("a")
    sock = RUNDIR / "a.sock"
    vmm = user.popen("run", "-q", "--name", "a", "--net", "natnet:lab", "--", "sh", "-c",
                     f"ln -s {{socket}} {sock}; echo up; exec sleep 1000")
    assert vmm.stdout.readline() == "up\n"
    cable = popen(VMLAN, "join", "-q", a.netdev(),
                  f"stream,addr.type=unix,addr.path={sock},reconnect-ms=50")
    try:
        wait_for("eth0", lambda: a.sh("ip", "link", "show", "eth0", check=False).returncode == 0)
        a.dhcp()
        with Server("a"):
            for p in ("tcp", "udp"):
                assert said(user.exec("lab", "--", PYTHON, "-c", ASK, a.ip, p, "30")) == f"{p} hello"
            user.exec("lab", "--", "ping", "-c", "1", "-W", "20", a.ip)
        # and the other way, to a program that serves
        server = user.popen("exec", "--name", "web", "lab", "--", PYTHON, "-c",
                            "import socket\ns = socket.create_server(('', 7000))\n"
                            "print('up', flush=True)\nc = s.accept()[0]\n"
                            "c.sendall(b'tcp ' + c.recv(9))")
        assert server.stdout.readline() == "up\n"
        m = {m["name"]: m for m in user.machines("lab")}
        assert sorted(m) == ["a", "web"] and m["web"]["link"] == "netns" and m["web"]["connected"]
        assert said(sh(PYTHON, "-c", ASK, m["web"]["address"], "tcp", "5", ns="a")) == "tcp hello"
        assert server.wait(20) == 0
        end(server)
        assert [m["name"] for m in user.machines("lab")] == ["a"]
    finally:
        stop(cable)
        stop(vmm)
        end(vmm)
        sock.unlink()


def test_two_are_two_machines(w, lab):
    """Two at once, of one name, have addresses of their own and see each
    other; the host's own interfaces and loopback are out of sight."""
    first = lab.popen("exec", "lab", "sh", "-c", "ip -4 -br addr show eth0; exec sleep 1000")
    ip = first.stdout.readline().split()[2].split("/")[0]
    names = [m["name"] for m in lab.machines("lab")]
    assert names == ["sh"]
    r = lab.exec("lab", "sh", "-c", f"ping -c 1 -W 3 {ip} >&2 && {VMLAN} show --json lab; "
                 "ls /proc/self/ns/net >&2; ip -br link")
    o, _ = json.JSONDecoder().raw_decode(r.stdout)
    both = {m["name"]: m for m in o["machines"]}
    assert sorted(both) == ["sh", "sh-2"]
    assert both["sh"]["address"] == ip != both["sh-2"]["address"]
    assert both["sh"]["mac"] != both["sh-2"]["mac"]
    links = [l.split()[0] for l in r.stdout.splitlines()[-2:]]
    assert links == ["lo", "eth0"]
    with Server(None, "127.0.0.1"):
        assert said(lab.exec("lab", PYTHON, "-c", ASK, "127.0.0.1", "tcp", "2")) == "no"
    first.send_signal(signal.SIGTERM)
    assert first.wait(20) == 128 + signal.SIGTERM
    end(first)
    assert lab.machines("lab") == []


def test_who_it_is(w, lab):
    """The same user, with no right that he had not before; the network's name
    server and all other files of the host."""
    host = pathlib.Path("/etc/resolv.conf").read_text()
    r = lab.exec("lab", "sh", "-c", "id -u; grep CapEff /proc/self/status; cat /etc/resolv.conf; "
                 "cmp /etc/hosts /proc/1/root/etc/hosts; ip route show default")
    lines = r.stdout.splitlines()
    assert lines[0] == lab.uid
    if not lab.is_root:
        assert int(lines[1].split()[1], 16) == 0
    assert lines[2:] == ["# vmlan: network lab", "search vm.lan", "nameserver 10.0.2.3",
                         "default via 10.0.2.2 dev eth0 "]
    assert pathlib.Path("/etc/resolv.conf").read_text() == host
    assert not (RUNDIR / "vmlan" / "lab" / "text").exists()


def test_names_and_mtu(w, user):
    """What the network's options say reaches the program."""
    user.vmlan("up", "-q", "lab", "natnet", "mtu=1300", "dnssearch=lab.example",
               "dnssearch=example.org", "net=10.77.0.0/16")
    r = user.exec("lab", "sh", "-c", "ip link show eth0; ip -4 -br addr show eth0; cat /etc/resolv.conf")
    assert " mtu 1300 " in r.stdout and "/16" in r.stdout
    assert "search lab.example example.org\n" in r.stdout
    assert "nameserver 10.77.2.3\n" in r.stdout


def test_status(w, lab):
    assert lab.exec("lab", "--", "sh", "-c", "exit 42", code=42).stderr == ""
    assert lab.exec("lab", "--", "sh", "-c", "kill -KILL $$", code=137).stderr == ""
    assert "not found" in lab.one_line(127, "lab", "--", "/no-such-program")
    assert "cannot be executed" in lab.one_line(126, "lab", "--", "/etc/passwd")
    assert "vmlan up nowhere" in lab.one_line(125, "nowhere", "--", "true")
    assert lab.machines("lab") == []


WAIT = """
import signal, sys
s = {int(sys.argv[1])}
signal.pthread_sigmask(signal.SIG_BLOCK, s)
print("up", flush=True)
print("got", int(signal.sigwait(s)))
sys.exit(3)
"""


def test_terminal_and_signals(w, lab):
    """What is typed is the program's; each signal comes to it once."""
    assert lab.exec("lab", "cat", input="typed\n").stdout == "typed\n"
    for sig in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT):
        p = lab.popen("exec", "lab", PYTHON, "-c", WAIT, str(int(sig)))
        assert p.stdout.readline() == "up\n"
        p.send_signal(sig)
        assert p.stdout.read() == f"got {int(sig)}\n"
        assert p.wait(20) == 3
        end(p)


def test_killed(w, lab):
    """kill -9 of exec: the machine leaves; what ran has no network."""
    p = lab.popen("exec", "lab", "sh", "-c", "echo $$; exec sleep 1000")
    child = int(p.stdout.readline())
    p.kill()
    p.wait()
    wait_for("the machine to leave", lambda: lab.machines("lab") == [])
    links = sh("nsenter", "-t", str(child), *(() if lab.is_root else ("--user", "--preserve-credentials")),
               "--net", "ip", "-br", "link").stdout
    assert [l.split()[0] for l in links.splitlines()] == ["lo"]
    os.kill(child, signal.SIGKILL)
    end(p)
    # the address is free again
    assert "10.0.2.15/24" in lab.exec("lab", "ip", "-4", "-br", "addr").stdout


def test_engine_killed(w, lab):
    """A new engine serves the program that is there."""
    p = lab.popen("exec", "lab", "sh", "-c",
                  f"echo up; read go; until ping -c 1 -W 1 {INET_IP} >/dev/null; do :; done; echo yes",
                  stdin=subprocess.PIPE)
    assert p.stdout.readline() == "up\n"
    o = json.loads(lab.vmlan("show", "--json", "lab").stdout)
    os.kill(o["engine"], signal.SIGKILL)
    wait_for("another engine", lambda: (n := json.loads(
        lab.vmlan("show", "--json", "lab").stdout))["serving"] and n["engine"] != o["engine"])
    assert p.communicate("\n", timeout=60)[0] == "yes\n"
    assert p.returncode == 0


def test_keeper_killed(w, lab):
    """Its card goes with the keeper. A later program of its name is not
    unplugged when it ends."""
    p = lab.popen("exec", "lab", "sh", "-c", "echo up; read go; ip -br link; exit 5",
                  stdin=subprocess.PIPE)
    assert p.stdout.readline() == "up\n"
    o = json.loads(lab.vmlan("show", "--json", "lab").stdout)
    os.kill(o["keeper"], signal.SIGKILL)

    def has_another():
        # While the killed one ends, its lock is held and nobody answers.
        try:
            return json.loads(lab.vmlan("show", "--json", "lab").stdout)["keeper"] != o["keeper"]
        except AssertionError:
            return False

    wait_for("another keeper", has_another)
    assert lab.machines("lab") == []
    q = lab.popen("exec", "lab", "sh", "-c", f"echo up; read go; exec ping -c 1 -W 3 {INET_IP}",
                  stdin=subprocess.PIPE)
    assert q.stdout.readline() == "up\n"
    assert [l.split()[0] for l in p.communicate("\n", timeout=60)[0].splitlines()] == ["lo"]
    assert p.returncode == 5
    assert [m["name"] for m in lab.machines("lab")] == ["sh"]
    q.communicate("\n", timeout=60)
    assert q.returncode == 0


def test_internal(w, user):
    """Nobody gets in, unless the network was started so."""
    user.vmlan("up", "-q", "in", "internal", "dhcp=on")
    assert "exec=on" in user.one_line(125, "in", "--", "true")
    assert user.machines("in") == []
    user.vmlan("down", "in")
    user.vmlan("up", "-q", "in", "internal", "dhcp=on", "exec=on")
    r = user.exec("in", "sh", "-c", "ip -4 -br addr show eth0; ip route show default")
    assert r.stdout.splitlines()[0].split()[2].startswith("10.0.2.") and r.stderr == ""
    with Server("inet"):
        assert said(user.exec("in", PYTHON, "-c", ASK, INET_IP, "tcp", "2")) == "no"
        assert said(user.exec("in", PYTHON, "-c", ASK, HOST_IP, "tcp", "2")) == "no"


def test_without_dhcp(w, user):
    """A network of machines only: an address by ip=, or the kernel's own."""
    user.vmlan("up", "-q", "in", "internal", "exec=on")
    r = user.exec("in", "ip", "-4", "-br", "addr", "show", "eth0")
    assert r.stdout.split()[2:] == [] and "no DHCP" in r.stderr and "ip=ADDRESS" in r.stderr
    # the kernel's own is of use from the first moment on
    r = user.exec("in", "ip=none", "ip", "-6", "-o", "addr", "show", "eth0")
    assert "fe80::" in r.stdout and "tentative" not in r.stdout
    p = user.popen("exec", "--name", "one", "in", "ip=10.1.2.3/24", "--", "sh", "-c",
                   "echo up; exec sleep 1000")
    assert p.stdout.readline() == "up\n"
    r = user.exec("in", "ip=10.1.2.4/24", "ping", "-c", "1", "-W", "20", "10.1.2.3")
    assert r.stderr == ""
    end(p)
    wait_for("the machine to leave", lambda: user.machines("in") == [])
    assert "nobody leases" in user.one_line(125, "in", "ip=dhcp", "--", "true")
    assert user.exec("in", "ip=none", "--", "cat", "/etc/resolv.conf").stdout == \
        "# vmlan: network in\n"


def test_a_network_of_ipv6_alone(w, user):
    """An address of the prefix that is advertised, and the way to IPv4."""
    user.vmlan("up", "-q", "lab", "natnet", "ipv4=off", "nat64=on", "ipv6-net=fd06::/64")
    r = user.exec("lab", "sh", "-c", "cat /etc/resolv.conf; ip -o addr show eth0; ip -6 route")
    assert r.stderr == "" and r.stdout.startswith("# vmlan: network lab\nnameserver fd06::3\n")
    assert re.search(r"inet6 fd06::.* scope global (?!.*tentative)", r.stdout)
    assert "default via fe80::2" in r.stdout and "inet " not in r.stdout
    with Server("inet"):
        assert said(user.exec("lab", PYTHON, "-c", ASK, f"64:ff9b::{INET_IP}", "tcp", "30")) == \
            "tcp hello"
    user.vmlan("down", "lab")
    user.vmlan("up", "-q", "lab", "natnet", "ipv4=off", "ipv6-net=fd06::/96")
    assert "advertises" in user.one_line(125, "lab", "--", "true")


def test_a_network_of_one_machine(w, user):
    """The LAN of a `run` with its own NAT can be joined too."""
    vmm = user.popen("run", "-q", "--name", "a", "--", "sh", "-c", ": {socket}; echo up; exec sleep 1000")
    assert vmm.stdout.readline() == "up\n"
    user.exec("nat-a", "--", "ping", "-c", "1", "-W", "20", INET_IP)
    assert [m["name"] for m in user.machines("nat-a")] == ["a"]
    stop(vmm)
    end(vmm)


def test_killed_any_time(w, lab):
    """Killed while it comes up: no machine stays, nor a process that waits."""
    for i in range(20):
        p = lab.popen("exec", "--name", "k", "lab", "--", "sh", "-c", "exit 9")
        try:
            p.wait(i * 0.01)
        except subprocess.TimeoutExpired:
            p.kill()
        assert p.wait() in (9, -9)
        end(p)
    wait_for("the machines to leave", lambda: lab.machines("lab") == [])
    lab.exec("lab", "true")


def test_bad_words(w, lab):
    """One line, the code of usage, nothing plugged in."""
    bad = [
        ("exec",), ("exec", "lab"), ("exec", "lab", "--"), ("exec", "--", "true"),
        ("exec", "--fast", "lab", "true"), ("exec", "--name"),
        ("exec", "--name", "../x", "lab", "true"), ("exec", "natnet", "true"),
        ("exec", "../lab", "true"), ("exec", "lab", "ip=", "true"),
        ("exec", "lab", "ip=10.0.2.5", "true"), ("exec", "lab", "ip=10.0.2.5/33", "true"),
        ("exec", "lab", "ip=10.0.2.5/0", "true"), ("exec", "lab", "ip=10.0.2.5/+8", "true"),
        ("exec", "lab", "ip=224.0.0.5/24", "true"), ("exec", "lab", "ip=0.0.0.0/24", "true"),
        ("exec", "lab", "ip=127.0.0.1/8", "true"), ("exec", "lab", "ip=fe80::1/129", "true"),
        ("exec", "lab", "ip=none", "ip=dhcp", "true"),
    ]
    for args in bad:
        r = lab.vmlan(*args, code=2)
        assert len(r.stderr.splitlines()) == 1 and r.stderr.startswith("vmlan: error: "), r.stderr
        assert r.stdout == ""
    assert lab.machines("lab") == []
    assert lab.exec("--help").stdout.startswith("usage: vmlan exec")
