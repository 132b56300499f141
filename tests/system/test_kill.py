# SPDX-License-Identifier: BSD-3-Clause
"""kill -9 of keeper, engine and VMM at random moments: the next start works,
nothing stays on the host."""
import contextlib
import ctypes
import json
import os
import pathlib
import random
import select
import signal
import socket
import subprocess
import time

import pytest

import world
from world import FULL, VMLAN, Vmlan, is_dead, popen, sh, wait_for

TIMES = 50 if FULL else 10
DIR = pathlib.Path("/run/kill")
RUNDIR = pathlib.Path("/run/xdg")


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    DIR.mkdir(exist_ok=True)
    RUNDIR.mkdir(exist_ok=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(RUNDIR))
    yield
    assert leftovers() == []


def vmlan_processes():
    """Processes of ours, zombies not counted."""
    found = []
    for p in pathlib.Path("/proc").iterdir():
        try:
            if p.name.isdigit() and os.readlink(p / "exe") == VMLAN:
                found.append(int(p.name))
        except OSError:
            pass
    return found


def leftovers():
    d = RUNDIR / "vmlan"
    return [str(p) for p in d.iterdir()] if d.exists() else []


def links():
    return sorted(l.split(":")[1].strip() for l in sh("ip", "-o", "link").stdout.splitlines())


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


@pytest.mark.long
def test_join_keeper_killed(w):
    rnd = random.Random(1)
    sock = DIR / "vm.sock"
    before = links()
    args = [VMLAN, "join", "-q", "user,hostfwd=tcp:127.0.0.1:2299-:22",
            f"stream,server=on,addr.type=unix,addr.path={sock}",
            "tap,ifname=ktap0,script=no,downscript=no"]
    for i in range(TIMES):
        p = popen(*args)
        time.sleep(rnd.uniform(0, 0.15))
        p.kill()
        p.wait()
        wait_for("the engine to follow its keeper", lambda: not vmlan_processes())
        wait_for("the tap to go", lambda: links() == before)
    # nothing blocks the next start
    with Vmlan(args[3:]):
        pass
    assert not sock.exists() and links() == before


def test_engine_killed_and_started_again(w):
    g = w.guest()
    rnd = random.Random(2)
    with Vmlan(["user", g.netdev()]) as v:
        g.dhcp()
        for i in range(3):  # 5 in 10 s are taken for a fault that stays
            pid = wait_for("an engine", v.engine)
            kill(pid)
            wait_for("another engine", lambda: v.engine() not in (None, pid))
            wait_for("traffic again", lambda: g.sh(
                "ping", "-c", "1", "-W", "1", "10.0.2.2", check=False).returncode == 0)
            time.sleep(rnd.uniform(0, 0.1))
        assert "killed by signal 9" in v.log()


def test_an_engine_that_always_dies_is_given_up(w):
    v = Vmlan(["user"])
    try:
        deadline = time.monotonic() + 20
        while v.proc.poll() is None and time.monotonic() < deadline:
            pid = v.engine()
            if pid:
                kill(pid)
            time.sleep(0.02)
        assert v.proc.wait(5) == 1
        assert "giving up" in v.log()
    finally:
        v.proc.kill()
        v.proc.wait()


# More orders than the channel holds: the keeper waits for the engine.
BIG = "user," + ",".join(f"hostfwd=tcp:127.0.0.1:{p}-:22" for p in range(20000, 20400))


@pytest.mark.parametrize("sig", [signal.SIGKILL, signal.SIGSTOP])
def test_engine_lost_while_it_gets_its_orders(sig):
    r, w = os.pipe()
    p = popen(VMLAN, "join", "-q", BIG, "--ready-fd", str(w), pass_fds=(w,))
    os.close(w)
    try:
        os.kill(wait_for("an engine", lambda: world.engine_of(p.pid)), sig)
        # One stopped after the last order holds up only itself.
        if sig == signal.SIGKILL:
            assert os.read(r, 10) == b"ready\n"
    finally:
        os.close(r)
        assert world.stop(p, timeout=20) == 0


def test_connection_that_finds_no_room():
    """Out of descriptors the engine asks again; nobody else notices."""
    far, near = DIR / "far.sock", DIR / "near.sock"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(far))
        s.listen()
        with Vmlan([f"stream,addr.type=unix,addr.path={far},reconnect-ms=700",
                    f"stream,server=on,addr.type=unix,addr.path={near}"],
                   wrap=("prlimit", "--nofile=40:40")) as v:
            s.settimeout(20)
            conn = s.accept()[0]
            engine = v.engine()
            crowd = []
            for i in range(60):
                crowd.append(socket.socket(socket.AF_UNIX))
                crowd[-1].connect(str(near))
            wait_for("no more room", lambda: "cannot take another" in v.log())
            conn.close()  # one of the crowd takes its place
            for i in range(2):
                conn = s.accept()[0]
                assert conn.recv(1) == b""
                conn.close()
            for c in crowd:
                c.close()
            conn = s.accept()[0]
            conn.settimeout(2)
            with pytest.raises(TimeoutError):
                conn.recv(1)
            assert v.engine() == engine
            conn.close()
    os.unlink(far)


FAKE_VMM = (
    "import socket,sys,time\n"
    "s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
    "print('up', flush=True); s.recv(1)\n")


def run_args(*more):
    return (VMLAN, "run", "-q", "-p", "2298:22", "--name", "victim", *more, "--",
            "/usr/bin/python3", "-c", FAKE_VMM, "{socket}")


def children(pid):
    try:
        return [int(c) for c in
                pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def comm(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def parts(run):
    """keeper, engine and VMM of a running `vmlan run`."""
    kids = {comm(c): c for c in children(run.pid)}
    keeper = kids.get("vmlan-keeper")
    engine = world.engine_of(keeper) if keeper else None
    return {"keeper": keeper, "engine": engine, "vmm": kids.get("python3"), "run": run.pid}


@pytest.mark.long
@pytest.mark.parametrize("victim", ["keeper", "engine", "vmm", "run"])
def test_run_killed_at_random(w, victim):
    rnd = random.Random(victim)
    for i in range(TIMES if FULL else 5):
        p = popen(*run_args(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if rnd.random() < 0.7:
            p.stdout.readline()
        else:
            time.sleep(rnd.uniform(0, 0.2))
        time.sleep(rnd.uniform(0, 0.05))
        all_parts = parts(p)
        if all_parts[victim]:
            kill(all_parts[victim])
        time.sleep(rnd.uniform(0, 0.05))

        def is_over():
            # Whatever is left of it ends with its VMM, which may be a
            # moment from being started.
            for pid in pids_of_vmm():
                kill(pid)
            return p.poll() is not None and not vmlan_processes()

        wait_for("all of it to end", is_over, 20)
        p.communicate(timeout=20)
        # the next command finds its port and its name free, and cleans up
        q = sh(VMLAN, "run", "-p", "2298:22", "--name", "victim", "--", "sh", "-c",
               "echo {socket}; exit 7", check=False, timeout=20)
        assert q.returncode == 7 and "nat-victim/vm.sock" in q.stdout, q.stderr
        assert leftovers() == []


def pids_of_vmm():
    found = []
    for p in pathlib.Path("/proc").iterdir():
        try:
            if p.name.isdigit() and FAKE_VMM.encode() in (p / "cmdline").read_bytes() \
                    and os.readlink(p / "exe") != VMLAN:
                found.append(int(p.name))
        except OSError:
            pass
    return found


def test_keeper_killed_engine_serves_on(w):
    """The machine keeps its network when only the keeper is gone."""
    g = w.guest()
    patch = (VMLAN, "join", "-q", g.netdev(), "stream,addr.type=unix,addr.path={socket}")
    p = popen(VMLAN, "run", "-q", "--name", "orphan", "--", *patch)
    try:
        wait_for("the guest's interface", lambda: g.sh(
            "ip", "link", "show", "eth0", check=False).returncode == 0)
        g.dhcp()
        keeper = parts(p)["keeper"]
        kill(keeper)
        wait_for("the keeper's end", lambda: not pathlib.Path(f"/proc/{keeper}").exists()
                 or comm(keeper) == "" or "Z" in pathlib.Path(
                     f"/proc/{keeper}/stat").read_text().split(")")[1][:3])
        assert g.sh("ping", "-c", "2", "-i", "0.2", "-W", "20", "10.0.2.2").returncode == 0
    finally:
        p.terminate()
        p.wait(20)
    wait_for("all of it to end", lambda: not vmlan_processes())
    sh(VMLAN, "run", "--net", "none", "--", "true")


# A VMM of many machines, each of which is there when its question (who has
# 10.0.2.2?) is answered; they come and go as it is told.
CROWD = r"""
import socket, sys

def answer(s):
    s.settimeout(30)
    with s.makefile('rb') as f:  # several frames may come at once
        while True:
            frame = f.read(int.from_bytes(f.read(4), 'big'))
            if frame[12:22] == bytes.fromhex('08060001080006040002'):
                return
            assert frame, 'the network is gone'

crowd = []
for line in sys.stdin:
    n = int(line)
    while len(crowd) > n:
        crowd.pop().close()
    while len(crowd) < n:
        mac = b'RT' + len(crowd).to_bytes(4, 'big')
        s = socket.socket(socket.AF_UNIX)
        s.connect(sys.argv[1])
        s.sendall(bytes.fromhex('0000002a' + 'ff' * 6) + mac +
                  bytes.fromhex('08060001080006040001') + mac +
                  bytes.fromhex('0a00020f0000000000000a000202'))
        answer(s)
        crowd.append(s)
    print(n, flush=True)
"""


def test_keeper_that_does_not_listen_for_a_while():
    """More machines come and go than the channel has room to tell of: the
    keeper ends with the last of them all the same, and not before."""
    p = popen(VMLAN, "run", "-q", "--name", "crowd", "--", "/usr/bin/python3", "-c", CROWD,
              "{socket}", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def be(n):
        p.stdin.write(f"{n}\n")
        p.stdin.flush()
        assert select.select([p.stdout], (), (), 60)[0]
        assert p.stdout.readline() == f"{n}\n"

    try:
        be(1)
        keeper = parts(p)["keeper"]
        os.kill(keeper, signal.SIGSTOP)
        be(350)
        be(1)
        be(2)  # those before it have gone
        os.kill(keeper, signal.SIGCONT)
        be(3)
        assert parts(p)["keeper"] == keeper
        p.stdin.close()
        assert p.wait(20) == 0
        wait_for("all of it to end", lambda: not vmlan_processes())
    finally:
        p.stdout.close()
        p.kill()
        p.wait()


# ---- a command in the instant of the kill ----


@contextlib.contextmanager
def lab():
    """A network that is kept; gives who asks for its keeper."""
    sh(VMLAN, "up", "-q", "lab", "internal")
    try:
        yield lambda: json.loads(sh(VMLAN, "show", "--json", "lab").stdout)["keeper"]
    finally:
        sh(VMLAN, "down", "-q", "lab", check=False)
        wait_for("its end", lambda: not vmlan_processes())


def asks(*words):
    return popen(VMLAN, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def answers(p):
    out, err = p.communicate(timeout=60)
    return p.returncode, out, err


@contextlib.contextmanager
def lasting_lock(pid):
    """What a process holds by its folder's lock stays held beyond its end."""
    name = str(RUNDIR / "vmlan/lab/lock")
    theirs, = (int(p.name) for p in pathlib.Path(f"/proc/{pid}/fd").iterdir()
               if os.readlink(p) == name)
    of = os.pidfd_open(pid)
    fd = ctypes.CDLL(None, use_errno=True).syscall(438, of, theirs, 0)  # pidfd_getfd
    os.close(of)
    assert fd >= 0, os.strerror(ctypes.get_errno())
    with open(fd) as f:
        yield f.close


SHOW, LS = ("show", "lab"), ("ls",)


@pytest.mark.parametrize("commands", [
    [SHOW], [LS], [SHOW, LS, ("up", "-q", "lab"), SHOW]], ids=("show", "ls", "several"))
def test_keeper_killed_that_holds_its_lock_still(commands):
    """Who comes then waits for it; one gives the network another keeper."""
    with lab() as keeper:
        old = keeper()
        with lasting_lock(old) as let_go:
            os.kill(old, signal.SIGKILL)
            wait_for("its end", lambda: is_dead(old))
            running = [asks(*c) for c in commands]
            wait_for("one who waits", lambda: any(children(p.pid) for p in running))
            let_go()
        said = [answers(p) for p in running]
        assert {s[0] for s in said} == {0}, said
        assert all("lab" in s[1] for s, c in zip(said, commands) if c[0] != "up"), said
        assert "".join(s[2] for s in said).count("it has another one now") == 1, said
        assert keeper() not in (old, 0)


def test_keeper_that_ends_in_order_and_holds_its_lock_still():
    with lab() as keeper:
        old = keeper()
        with lasting_lock(old):
            os.kill(old, signal.SIGTERM)
            wait_for("its end", lambda: is_dead(old))
            code, _, err = answers(asks(*SHOW))
            assert code == 3 and err.splitlines() == \
                ["vmlan: error: show: no network lab is running"], err
            assert answers(asks(*LS)) == (0, "", "")


@pytest.mark.parametrize("command", [SHOW, LS], ids=("show", "ls"))
def test_the_new_keeper_is_killed_before_it_serves(command):
    """Whoever asks then gives the network a third one, and says what was."""
    with lab() as keeper:
        old = keeper()
        with lasting_lock(old) as let_go:
            os.kill(old, signal.SIGKILL)
            wait_for("its end", lambda: is_dead(old))
            p = asks(*command)
            wait_for("who waits", lambda: children(p.pid))
            let_go()
            # its child is the keeper as soon as that has its name; it may serve already
            wait_for("its keeper", lambda: p.poll() is not None or any(
                comm(c) == "vmlan-keeper" and not kill(c) for c in children(p.pid)))
            code, out, err = answers(p)
        assert code == 0 and "lab" in out, (code, out, err)
        assert keeper() not in (old, 0)


@pytest.mark.long
def test_asked_at_the_moment_of_the_kill():
    """Before it, after it and just then, several at once."""
    rnd = random.Random(1)
    with lab() as keeper:
        for _ in range(TIMES):
            old = keeper()
            running = [asks(*SHOW) for _ in range(rnd.randrange(4))]
            time.sleep(rnd.choice([0, rnd.uniform(0, 0.1)]))
            os.kill(old, signal.SIGKILL)
            running += [asks(*SHOW), asks(*LS)]
            said = [answers(p) for p in running]
            assert {s[0] for s in said} == {0}, said
            assert "lab " in said[-1][1], said
