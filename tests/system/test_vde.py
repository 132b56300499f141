# SPDX-License-Identifier: BSD-3-Clause
"""VDE, both ways, against the real ones: QEMU, vde_switch, vde_plug and what
else plugs into a switch or types at its console.

        a   vmlan (the switch)  <- plug - QEMU's hub - vmlan   b
        a   vmlan - plug ->  vde_switch  <- plug - QEMU's hub - vmlan   b
        a   vmlan (a switch) <- vde_plug = vde_plug -> (a switch) vmlan   b
"""
import contextlib
import itertools
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import tempfile

import proof
import pytest
import world
from world import VMLAN, Vmlan, is_dead, js, popen, process, sh, stop, wait_for

WINDOW = 8  # unread frames, where the socket of a plug holds ten
# vde_plug reads 9234 bytes of its pipe at a time and loses a frame whose two
# bytes of length are cut there, as those of the eighth of 1317 bytes are.
CABLE_WINDOW = 4
ABOUT = b"a test user=me"


@pytest.fixture
def folder():
    d = pathlib.Path(tempfile.mkdtemp(prefix="vde", dir="/run"))
    yield d
    shutil.rmtree(d)


def request(path, port=0, kind=0, magic=0xfeedface, version=3, about=ABOUT):
    return (struct.pack("=IIIH", magic, version, kind | port << 8, socket.AF_UNIX) +
            str(path).encode().ljust(108, b"\0") + about)


class Plug:
    """A program that plugs into a switch as libvdeplug does; its answer is
    None if the switch would not have it."""

    def __init__(self, switch, own, **asked):
        self.own = pathlib.Path(own)
        self.data = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.data.bind(str(own))
        self.ctl = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.ctl.settimeout(20)
        self.ctl.connect(f"{switch}/ctl")
        self.ctl.sendall(request(own, **asked))
        try:
            answer = self.ctl.recv(110)
        except ConnectionResetError:
            answer = b""
        self.answer = answer[2:].rstrip(b"\0").decode() if answer else None
        if self.answer:
            self.data.settimeout(20)
            self.data.connect(self.answer)
        self.own.unlink()

    def close(self):
        self.ctl.close()
        self.data.close()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()


def frame(to, sender, text):
    return to + sender + b"\x88\xb5" + text.ljust(46, b".")


class Console:
    """One terminal of a switch's console."""

    PROMPT = b"\nvde$ "

    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.s.settimeout(20)
        self.s.connect(str(path))
        self.greeting = self.read()

    def read(self, end=PROMPT):
        got = b""
        while not got.endswith(end):
            piece = self.s.recv(65536)
            assert piece, got
            got += piece
        return got[:-len(end)].decode()

    def __call__(self, line):
        self.s.sendall(line.encode() + b"\n")
        return self.read()

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.s.close()


@contextlib.contextmanager
def vde_switch(d, *more):
    p = popen("vde_switch", "-s", str(d), *more, stdin=subprocess.PIPE,  # it ends with that
              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("vde_switch", lambda: accepts(f"{d}/ctl"))
        yield p
    finally:
        if p.poll() is None:
            p.kill()
        p.wait()
        p.stdin.close()


def answer(out, end="1000 Success\n"):
    """The lines of a pipe down to that one."""
    got = b""
    while not got.endswith(end.encode()):
        assert select.select([out], [], [], 30)[0], got
        byte = os.read(out.fileno(), 1)
        assert byte, got
        got += byte
    return got.decode().splitlines(keepends=True)


def accepts(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        return s.connect_ex(str(path)) == 0


def is_plugged(d, n=1):
    return len([p for p in pathlib.Path(d).iterdir() if re.match(r"\d+\.\d+$", p.name)]) == n


def refused(*netdevs, **kw):
    r = sh(VMLAN, "join", *map(str, netdevs), check=False, timeout=60, **kw)
    assert r.stderr.count("\n") == 1 and r.stdout == "", r
    return r.returncode, r.stderr


# ---- the switch is ours ----


@pytest.mark.release
def test_qemu_plugs_in(w, folder):
    a, b = w.guest(), w.guest()
    d = folder / "sw"
    with Vmlan([a.netdev(), f"vde,server=on,sock={d}"]) as v, \
            proof.QemuHub(b, f"vde,sock={d}") as hub:
        assert stat.S_IMODE(d.stat().st_mode) == 0o2700
        assert stat.S_IMODE((d / "ctl").stat().st_mode) == 0o600
        wait_for("a plug", lambda: is_plugged(d))
        proof.both_ways(a, b, window=WINDOW)
        hub.stop()
        wait_for("its end", lambda: is_plugged(d, 0))
        hub.start()
        proof.frames_both_ways(a, b, window=WINDOW)
        # and an engine that dies costs no plug
        old = v.engine()
        os.kill(old, signal.SIGKILL)
        wait_for("another engine", lambda: v.engine() not in (None, old))
        proof.frames_both_ways(a, b, window=WINDOW)
    assert not d.exists()


@pytest.mark.release
def test_cable(w, folder):
    """vde_plug to vde_plug: the cable between two switches, both of ours."""
    a, b = w.guest(), w.guest()
    one, two = folder / "one", folder / "two"
    cable = ("dpipe", "vde_plug", f"vde://{one}", "=", "vde_plug", f"vde://{two}")
    with Vmlan([a.netdev(), f"vde,server=on,sock={one}"]), \
            Vmlan([b.netdev(), f"vde,server=on,sock={two}"]):
        for way in (proof.both_ways, proof.frames_both_ways):
            with popen(*cable) as p:  # it makes a group of its own
                try:
                    wait_for("two plugs", lambda: is_plugged(one) and is_plugged(two))
                    way(a, b, window=CABLE_WINDOW)
                finally:
                    os.killpg(p.pid, signal.SIGKILL)
            wait_for("their end", lambda: is_plugged(one, 0) and is_plugged(two, 0))


def test_vdens(folder):
    """A namespace by vdens, with a gateway behind the switch."""
    d = folder / "sw"
    with Vmlan(["user", f"vde,server=on,sock={d}"]):
        # its own end is vdens's affair: now and then it outlives the program
        with process("vdens", f"vde://{d}", "sh", "-c",
                     "ip link set vde0 up && ip addr add 10.0.2.77/24 dev vde0 && "
                     "ping -c 1 -w 10 10.0.2.2 2>&1; echo it says $?",
                     stdout=subprocess.PIPE, text=True) as p:
            said = []
            while not said or not said[-1].startswith("it says"):
                said.append(p.stdout.readline())
                assert said[-1], said
        assert said[-1] == "it says 0\n", said


def test_short_of_descriptors(folder):
    """Who comes when there are no more waits, and is served when there are."""
    d = folder / "sw"
    with Vmlan([f"vde,server=on,sock={d}"], wrap=("prlimit", "--nofile=40:40")), \
            contextlib.ExitStack() as stack:
        waiting = []
        for i in range(40):
            data = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            data.bind(f"{folder}/w{i}")
            ctl = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            ctl.settimeout(20)
            ctl.connect(f"{d}/ctl")
            ctl.sendall(request(f"{folder}/w{i}"))
            waiting.append(ctl)
        served = 0
        while waiting:  # each that leaves makes room for another
            ctl = waiting.pop(0)
            served += len(ctl.recv(110)) == 110
            ctl.close()
        assert served >= 10, served


def mac_of(guest):
    return guest.sh("cat", f"/sys/class/net/{guest.ifname}/address").stdout.strip()


def test_pcapplug(w, folder):
    """An interface of the host's, by vde_pcapplug."""
    a, d = w.guest(), folder / "sw"
    sh("ip", "link", "add", "cap0", "type", "veth", "peer", "name", "cap1")
    try:
        for dev in ("cap0", "cap1"):
            sh("ethtool", "-K", dev, "tx", "off", "tso", "off", "gso", "off", "gro", "off")
        sh("ip", "link", "set", "cap0", "up")
        b = proof.Place(None, "cap1")
        with Vmlan([a.netdev(), f"vde,server=on,sock={d}"]), \
                process("vde_pcapplug", "-s", str(d), "cap0"):
            wait_for("a plug", lambda: is_plugged(d))
            proof.plug(a, b)
            sh("ip", "neigh", "replace", a.ip, "lladdr", mac_of(a), "dev", "cap1")
            a.sh("ip", "neigh", "replace", b.ip, "dev", a.ifname, "lladdr",
                 js("link", "show", "cap1")[0]["address"])
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.bind((b.ip, 0))
                s.settimeout(0.5)

                def hears_all():  # what comes before all is up is lost
                    a.sh("sh", "-c", f"echo one frame | socat - UDP:{b.ip}:{s.getsockname()[1]}")
                    with contextlib.suppress(TimeoutError):
                        return s.recv(100)
                assert wait_for("a frame", hears_all) == b"one frame\n"
            # It gives libpcap no timeout, so that what it hears comes by the
            # block: no single frame can be waited for.
            before = a.received()

            def hears():
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                    for _ in range(200):
                        s.sendto(bytes(1400), (a.ip, 9))
                return a.received() > before + 1000
            wait_for("a thousand frames", hears, 20)
    finally:
        sh("ip", "link", "del", "cap0")


def test_many_plugs(folder):
    """Hundreds, each with a name, a port and its frames; all stay when an
    engine dies."""
    d, n = folder / "sw", 300
    with Vmlan([f"vde,server=on,sock={d},mgmt={folder}/mgmt,id=sw"]) as v, \
            Console(folder / "mgmt") as console, contextlib.ExitStack() as stack:
        plugs = [stack.enter_context(Plug(d, folder / f"p{i}")) for i in range(n)]
        assert [p.answer for p in plugs] == [f"{d}/{i + 1:03}.{i + 1}" for i in range(n)]
        first, last = plugs[0], plugs[-1]
        for times in range(2):
            mac = [bytes([2, 0, 0, 0, times, i]) for i in range(2)]

            def reaches(sender, receiver, text):
                """Sent until it comes, for an engine may just be starting."""
                receiver.data.settimeout(0.2)

                def goes():
                    with contextlib.suppress(OSError):
                        sender.data.send(text)
                    with contextlib.suppress(TimeoutError):
                        return receiver.data.recv(2000) == text
                return wait_for("a frame", goes, 30)

            everybody = frame(b"\xff" * 6, mac[0], b"to all")
            reaches(first, last, everybody)
            reaches(first, plugs[n // 2], everybody)
            reaches(last, first, frame(mac[0], mac[1], b"to one"))
            if times == 0:
                old = v.engine()
                os.kill(old, signal.SIGKILL)
                wait_for("another engine", lambda: v.engine() not in (None, old))
        out = console("port/print")
        assert out.count("endpoint ID") == n and out.endswith("1000 Success\n")
        # the lowest free one is given again
        plugs[6].close()
        wait_for("its end", lambda: is_plugged(d, n - 1))
        with Plug(d, folder / "again") as again:
            assert again.answer == f"{d}/007.{n + 1}"


def test_hostile_plugs(folder):
    """What is no request, or one for what is not the client's, is refused; all
    others are served meanwhile."""
    d = folder / "sw"
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(f"{folder}/stream")
    (folder / "file").write_text("")
    (folder / "link").symlink_to(folder / "own")
    with Vmlan([f"vde,server=on,sock={d},max=3"]) as v, listener, \
            contextlib.ExitStack() as stack:

        def ask(text):
            s = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            s.settimeout(20)
            s.connect(f"{d}/ctl")
            s.sendall(text)
            return s

        silent = [ask(b"\xce") for _ in range(70)]
        assert silent[0].recv(1) == b""  # the oldest went for the others
        own = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        own.bind(f"{folder}/own")
        for bad in (b"GET / HTTP/1.0\r\n\r\n", request("/x", magic=0xfeedfacf),
                    request("/x", version=2), request("/x", kind=2),
                    request("/x", port=65536), request("x"), request("/" + "x" * 107),
                    request(folder / "none"), request(folder / "file"),
                    request(folder / "stream"), request(folder / "link"),
                    request(f"{d}/ctl")):
            s = ask(bad)
            with contextlib.suppress(ConnectionResetError):
                assert s.recv(110) == b"", bad
        # an abstract name is as long as can be: User-mode Linux has such ones
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as uml:
            name = b"\0" + os.urandom(8).ljust(107, b"\0")
            uml.bind(name)
            s = ask(request("", port=8)[:14] + name)
            assert s.recv(110)[2:].rstrip(b"\0").decode().startswith(f"{d}/008.")
            s.close()
        wait_for("its end", lambda: is_plugged(d, 0))
        # a byte at a time is one, too
        slow = ask(b"")
        for byte in request(folder / "own", port=9):
            slow.sendall(bytes([byte]))
        assert slow.recv(110)[2:].rstrip(b"\0").decode().startswith(f"{d}/009.")
        slow.sendall(b"more that means nothing" * 1000)
        with Plug(d, folder / "p1", port=9) as busy:
            assert busy.answer is None
        with Plug(d, folder / "p1") as one, Plug(d, folder / "p2", kind=1) as zero:
            assert pathlib.Path(one.answer).name.startswith("001.")
            assert pathlib.Path(zero.answer).name.startswith("000.")
            with Plug(d, folder / "p3") as too_many:
                assert too_many.answer is None
        slow.close()
        wait_for("its end", lambda: is_plugged(d, 0))
        for why in ("does not speak", "another version", "something unknown", "above 65535",
                    "not absolute", "does not end", "No such file", "not a socket of its own",
                    "port 9 is taken", "3 plugs already"):
            assert why in v.log(), v.log()


@pytest.mark.root
def test_other_users(folder):
    """A socket of somebody else's is not connected to for a client; who may
    not come near the folder does not; ports may be somebody's."""
    d = folder / "sw"
    folder.chmod(0o755)
    script = ("import os,sys; sys.path.insert(0, %r); os.setgroups([]); os.setgid(65534); "
              "os.setuid(65534)\nimport test_vde\n"
              "with test_vde.Plug(*sys.argv[1:3], **eval(sys.argv[3])) as p: print(p.answer)"
              % str(world.HERE))

    def as_nobody(asked="{}"):
        own = theirs / f"s{next(numbers)}"
        return sh("/usr/bin/python3", "-c", script, str(d), str(own), asked, check=False)

    numbers = itertools.count()
    theirs = folder / "theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    with Vmlan([f"vde,server=on,sock={d}"]):
        assert "PermissionError" in as_nobody().stderr
    with Vmlan([f"vde,server=on,sock={d},mode=0666,mgmt={folder}/mgmt"]) as v, \
            Console(folder / "mgmt") as console:
        assert as_nobody().stdout.startswith(f"{d}/001.")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ours:
            ours.bind(f"{folder}/ours")
            (folder / "ours").chmod(0o666)
            ask = ("import os,sys,socket; os.setgid(65534); os.setuid(65534); "
                   "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
                   "s.sendall(bytes.fromhex(sys.argv[2])); print(s.recv(110))")
            r = sh("/usr/bin/python3", "-c", ask, f"{d}/ctl",
                   request(folder / "ours").hex())
            assert r.stdout == "b''\n"
            r = sh("/usr/bin/python3", "-c", ask, f"{d}/ctl",
                   request("\0" + "x" * 100).hex())
            assert r.stdout == "b''\n"
        assert "ours is not a socket of its own" in v.log()
        assert "abstract name" in v.log()
        assert console("port/create 5").endswith("1000 Success\n")
        assert console("port/setuser 5 root").endswith("1000 Success\n")
        assert as_nobody("dict(port=5)").stdout == "None\n"
        assert "port 5 is not for user 65534" in v.log()
        assert console("port/setgroup 5 65534").endswith("1000 Success\n")
        assert as_nobody("dict(port=5)").stdout.startswith(f"{d}/005.")
        # a root's console is root's
        r = sh("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "socat", "-u",
               f"UNIX-CONNECT:{folder}/mgmt", "-", check=False)
        assert r.returncode and "Permission denied" in r.stderr


def test_killed_and_started_again(folder):
    """What a killed one left is taken over, what lives is not, and what else is
    there stays."""
    d, mgmt = folder / "sw", folder / "mgmt"
    netdev = f"vde,server=on,sock={d},mgmt={mgmt}"
    v = Vmlan([netdev])
    with Plug(d, folder / "p1"):
        code, text = refused(netdev)
        assert code == 5 and f"{d}/ctl: somebody listens there already" in text
        v.proc.kill()
        v.proc.wait()
    assert {p.name for p in d.iterdir()} == {"ctl", "001.1"} and mgmt.exists()
    # as a client whose switch never answered leaves it, and one that lives
    for name, lives in ((".00001-00000", False), (".00002-00000", True)):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(f"{d}/{name}")
        if not lives:
            s.close()
    with Vmlan([netdev]):
        assert "001.1" not in {p.name for p in d.iterdir()}
        with Vmlan([f"vde,sock={d}"]):
            assert {p.name for p in d.iterdir()} == {"ctl", "001.1", ".00002-00000"}
    assert {p.name for p in d.iterdir()} == {".00002-00000"} and not mgmt.exists()
    s.close()
    (d / ".00002-00000").unlink()
    # a folder that somebody prepared stays, with its permissions
    d.chmod(0o750)
    with Vmlan([f"vde,server=on,sock={d}"]):
        assert stat.S_IMODE(d.stat().st_mode) == 0o750
    assert list(d.iterdir()) == []
    d.rmdir()
    d.write_text("")
    code, text = refused(netdev)
    assert code == 5 and "exists and is not a folder" in text
    code, text = refused(f"vde,server=on,sock={folder}/none/sw")
    assert code == 1 and "cannot make the folder" in text
    code, text = refused(f"vde,server=on,sock={folder}/g,group=no-such-group")
    assert code == 4 and "there is no group 'no-such-group'" in text
    code, text = refused(f"vde,server=on,sock={folder}/{'x' * 90}")
    assert code == 2 and "too long" in text
    assert not (folder / "g").exists()


# ---- we are the client ----


@pytest.mark.release
def test_vde_switch(w, folder):
    """Our plug in a vde_switch, which dies and comes back."""
    a, b = w.guest(), w.guest()
    d = folder / "sw"
    with vde_switch(d) as switch, Vmlan([a.netdev(), f"vde,sock={d}"]) as v, \
            proof.QemuHub(b, f"vde,sock={d}") as hub:
        assert not list(d.glob(".*"))  # our socket's name went at once
        proof.both_ways(a, b, window=WINDOW)
        switch.kill()
        switch.wait()
        wait_for("a word of it", lambda: "has gone; we plug in again" in v.log())
        hub.stop()
        with vde_switch(d):
            wait_for("a plug", lambda: "plugged into the VDE switch at "
                     f"{d} again" in v.log(), 30)
            hub.start()
            proof.frames_both_ways(a, b, window=WINDOW)
            assert not list(d.glob(".*"))


@pytest.mark.release
def test_switch_of_ours(w, folder):
    """vmlan in vmlan: ports by number, a server that is killed and comes back,
    a client's engine that dies."""
    a, b = w.guest(), w.guest()
    d = folder / "sw"
    server = [f"vde,server=on,sock={d},mgmt={folder}/mgmt", b.netdev()]
    s = Vmlan(server)
    with Vmlan([a.netdev(), f"vde,sock=vde://{d}[7]"]) as v:
        with Console(folder / "mgmt") as c:
            assert "endpoint" in c("port/print 7")
        code, text = refused(f"vde,sock={d},port=7")
        assert code == 5 and "refuses port 7" in text
        proof.both_ways(a, b, window=WINDOW)
        old = v.engine()
        os.kill(old, signal.SIGKILL)
        wait_for("another engine", lambda: v.engine() not in (None, old))
        proof.frames_both_ways(a, b, window=WINDOW)
        old = s.engine()
        s.proc.kill()
        s.proc.wait()
        wait_for("its engine's end", lambda: is_dead(old))
        with Vmlan(server):
            wait_for("a plug", lambda: f"plugged into the VDE switch at {d} again" in v.log(), 30)
            proof.frames_both_ways(a, b, window=WINDOW)
            with Console(folder / "mgmt") as c:
                assert "endpoint" in c("port/print 7")


def test_default_switch(folder):
    """Without sock= it is the user's standard switch."""
    d = folder / ".vde2"
    d.mkdir()
    (d / "default.switch").symlink_to(folder / "sw")
    with Vmlan([f"vde,server=on,sock={folder}/sw"]), \
            Vmlan(["vde"], env={"HOME": str(folder)}) as v:
        assert f"plugged into the VDE switch at {folder}/sw" in v.log()
        assert is_plugged(folder / "sw")


def test_switch_that_closes(folder):
    """One that takes a plug and ends it at once is asked more and more seldom."""
    d = folder / "sw"
    d.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as switch, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as data:
        data.bind(f"{d}/001.1")
        switch.bind(f"{d}/ctl")
        switch.listen()
        switch.settimeout(30)

        def take():
            plug, _ = switch.accept()
            with plug:
                plug.settimeout(30)
                plug.recv(1000)
                plug.sendall(struct.pack("=H", socket.AF_UNIX) +
                             f"{d}/001.1".encode().ljust(108, b"\0"))

        with process(VMLAN, "join", "-v", f"vde,sock={d}", stderr=subprocess.PIPE, text=True) as p:
            for ms in (100, 200, 400, 800):
                take()
                said = answer(p.stderr, f"vmlan: vde0: asks again in {ms} ms\n")
                assert len([l for l in said if "asks again" in l]) == 1, said
            assert stop(p) == 0
            p.stderr.close()


def test_no_switch(folder):
    d = folder / "sw"
    code, text = refused(f"vde,sock={d}")
    assert code == 4 and f"there is no VDE switch at {d}" in text
    d.mkdir()
    code, text = refused(f"vde,sock={d}")
    assert code == 4 and "No such file" in text
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as mute:
        mute.bind(f"{d}/ctl")
        code, text = refused(f"vde,sock={d}")
        assert code == 4 and "refused" in text
        mute.listen()
        # one that never answers ends the attempt, not us
        code, text = refused(f"vde,sock={d}")
        assert code == 1 and "does not answer" in text
        p = popen(VMLAN, "join", f"vde,sock={d}", stderr=subprocess.PIPE)
        wait_for("our socket", lambda: list(d.glob(".*")))
        assert stop(p) == 0
        p.stderr.close()
        # one that answers nonsense
        with process(VMLAN, "join", f"vde,sock={d}", stderr=subprocess.PIPE, text=True) as p:
            mute.settimeout(0.1)
            while p.poll() is None:
                with contextlib.suppress(OSError):  # of one that was there before
                    conn, _ = mute.accept()
                    with conn:
                        conn.recv(4)
                        conn.sendall(b"x" * 110)
                        conn.recv(1000)
            assert "does not answer as a VDE switch" in p.stderr.read()
            p.stderr.close()
    assert [x.name for x in d.iterdir()] == ["ctl"]
    code, text = refused(f"vde,sock={d},group=no-such-group")
    assert code == 4


def as_nobody(code, *args, **kw):
    return popen("/usr/bin/python3", "-c",
                 "import os, socket, struct, sys\n"
                 "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n" + code,
                 *map(str, args), stdin=subprocess.PIPE, stdout=subprocess.PIPE, **kw)


SWITCH = """
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1] + "/ctl")
s.listen()
print(flush=True)
c, _ = s.accept()
c.recv(1000)
c.sendall(struct.pack("=H", 1) + sys.argv[2].encode().ljust(108, b"\\0"))
c.recv(1)
"""


@pytest.mark.root
def test_switch_of_somebody(folder):
    """A switch of another user's may not have us send to a socket that is not
    his."""
    folder.chmod(0o755)
    d = folder / "sw"
    for ours in (True, False):
        d.mkdir()
        os.chown(d, 65534, 65534)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as data, \
                as_nobody(SWITCH, d, folder / "data") as p:
            data.bind(f"{folder}/data")
            if not ours:
                os.chown(folder / "data", 65534, 65534)
            assert p.stdout.readline() == b"\n"
            if ours:
                code, text = refused(f"vde,sock={d}")
                assert code == 6 and "data is not a socket of its own" in text
            else:
                with Vmlan([f"vde,sock={d}"]) as v:
                    assert f"plugged into the VDE switch at {d}" in v.log()
        assert p.returncode == 0
        shutil.rmtree(d)
        (folder / "data").unlink()


@pytest.mark.root
def test_folder_of_somebody(folder):
    """Whose folder it is could put anything in it: its permissions are his, and
    nobody's standard switch is there."""
    folder.chmod(0o755)
    d = folder / "sw"
    with Vmlan([f"vde,server=on,sock={d},mode=0660,group=65534"]):
        # who may plug in may not take another's socket away, nor the switch's
        assert stat.S_IMODE(d.stat().st_mode) == 0o3770 and d.stat().st_gid == 65534
        with as_nobody("os.rename(*sys.argv[1:])", d / "ctl", d / "mine",
                       stderr=subprocess.PIPE) as p:
            assert b"Operation not permitted" in p.stderr.read()
    d.mkdir(0o755)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.bind(f"{d}/ctl")
    os.chown(d / "ctl", 65534, 65534)
    os.chown(d, 65534, 65534)
    with Vmlan([f"vde,server=on,sock={d},mode=0660,group=0"]):
        st = d.stat()
        assert (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == (65534, 65534, 0o755)
    assert list(d.iterdir()) == []
    r = sh("unshare", "--mount", "sh", "-c",
           # the program may be below /tmp
           'mount -t tmpfs none /mnt && touch /mnt/vmlan && mount --bind "$0" /mnt/vmlan && '
           'mount -t tmpfs none /tmp && mkdir /tmp/vde.ctl && chown 12345 /tmp/vde.ctl && '
           'chmod 777 /tmp/vde.ctl && exec setpriv --reuid=65534 --regid=65534 --clear-groups '
           '/mnt/vmlan join vde,server=on', VMLAN, check=False, timeout=60)
    assert r.returncode == 6 and "standard folder /tmp/vde.ctl is user 12345's" in r.stderr, r


@pytest.mark.root
def test_switch_not_for_us(folder):
    folder.chmod(0o755)
    with Vmlan([f"vde,server=on,sock={folder}/sw"]):
        code, text = refused(f"vde,sock={folder}/sw", preexec_fn=lambda: os.setuid(65534))
        assert code == 6 and "Permission denied" in text


# ---- a network ----


def test_show(folder):
    """vmlan up generic with a switch of its own: what show says of its
    plugs."""
    env = dict(os.environ, XDG_RUNTIME_DIR=str(folder), HOME=str(folder))
    d = folder / "sw"

    def vmlan(*args, **kw):
        return sh(VMLAN, *args, env=env, **kw)

    vmlan("up", "plugs", "generic", f"netdev=vde,server=on,sock={d}")
    try:
        with Plug(d, folder / "p1", port=4), Plug(d, folder / "p2"):
            shown = vmlan("show", "plugs").stdout
            uid = os.geteuid()
            assert re.search(rf"^plug +vde\d: port 4, user {uid}, {ABOUT.decode()}$", shown, re.M)
            assert re.search(rf"^plug +vde\d\.1: port 1, user {uid}, ", shown, re.M)
            assert shown.count("\nnetdev") == 1
        # the keeper is killed: the next command gives it another, and the
        # folder is taken over
        o = json.loads(vmlan("show", "--json", "plugs").stdout)
        os.kill(o["keeper"], signal.SIGKILL)
        wait_for("its end", lambda: is_dead(o["keeper"]))
        assert vmlan("show", "plugs").stdout.count("\nnetdev") == 1
        with Plug(d, folder / "p3") as p:
            assert p.answer == f"{d}/001.1"
    finally:
        vmlan("down", "plugs")
    assert not d.exists()


def test_revived_without_switch(folder):
    """The keeper of a network with a plug is killed, and its switch is away
    when the next command gives it another: the network goes on, and the plug
    is there when the switch is back."""
    env = dict(os.environ, XDG_RUNTIME_DIR=str(folder), HOME=str(folder))
    d = folder / "sw"

    def vmlan(*args, **kw):
        return sh(VMLAN, *args, env=env, **kw)

    def plugs():
        return log.read_text().count(f"plugged into the VDE switch at {d} again")

    def show():
        return json.loads(vmlan("show", "--json", "plugs").stdout)

    with vde_switch(d):
        vmlan("up", "plugs", "generic", f"netdev=vde,sock={d}")
        o = show()
    try:
        os.kill(o["keeper"], signal.SIGKILL)
        wait_for("its end", lambda: is_dead(o["keeper"]))
        # as if it had been killed while it asked
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            d.mkdir(exist_ok=True)
            s.bind(f"{d}/.00001-00000")
        again = show()
        assert again["keeper"] != o["keeper"] and again["netdevs"] == o["netdevs"]
        log, = folder.glob("vmlan/plugs/log")
        wait_for("a word of it", lambda: f"there is no VDE switch at {d}" in log.read_text())
        with vde_switch(d):
            wait_for("a plug", lambda: plugs() == 1, 30)
            assert is_plugged(d) and not list(d.glob(".*"))
            assert show()["keeper"] == again["keeper"]
        # and one that is there when a keeper is killed
        with vde_switch(d):
            wait_for("a plug", lambda: plugs() == 2, 30)
            os.kill(again["keeper"], signal.SIGKILL)
            wait_for("its end", lambda: is_dead(again["keeper"]))
            show()
            wait_for("a plug", lambda: plugs() == 3, 30)
    finally:
        vmlan("down", "plugs")
