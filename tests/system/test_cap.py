# SPDX-License-Identifier: BSD-3-Clause
"""`vmlan cap`: every frame that a network counts is in the file, or said to be
lost; why a frame was lost stands at it; captures come and go under traffic.

      web, client: programs (vmlan exec) -- [lab: natnet] -- host -- inet
"""
import collections
import contextlib
import fcntl
import functools
import json
import os
import pathlib
import pty
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time

import pytest

import world
from test_modes import one_line, rundir, show, vmlan  # noqa: F401
from world import INET_IP, VMLAN, popen, sh, stop, wait_for

PYTHON = "/usr/bin/python3"
SERVER = """
import socket, sys
u = socket.socket(type=socket.SOCK_DGRAM)
u.connect(("10.0.2.2", 9))
s = socket.create_server(("", 7654))
print(u.getsockname()[0], flush=True)
while True:
    c, _ = s.accept()
    n = 0
    while True:
        b = c.recv(1 << 20)
        if not b:
            break
        n += len(b)
    c.sendall(b"%d" % n)
    c.close()
"""
CLIENT = """
import socket, sys
s = socket.create_connection((sys.argv[1], 7654))
left = int(sys.argv[2])
while left:
    left -= s.send(bytes(min(left, 1 << 18)))
s.shutdown(socket.SHUT_WR)
print(s.recv(100).decode())
"""
FLOW = """
import select, socket, sys
s = socket.create_connection((sys.argv[1], 7654))
n = 0
while not select.select([sys.stdin], [], [], 0)[0]:
    n += s.send(bytes(1 << 18))
s.shutdown(socket.SHUT_WR)
assert int(s.recv(100)) == n
print("whole", n)
"""
SHB, IDB, ISB, EPB = 0x0A0D0D0A, 1, 5, 6
RECEIVED, ACCEPTED, LOST = 4, 6, 7


def options(data):
    found, at = {}, 0
    while at + 4 <= len(data):
        code, n = struct.unpack_from("<HH", data, at)
        if not code:
            break
        found[code] = data[at + 4:at + 4 + n]
        at += 4 + (n + 3 & ~3)
    return found


class File:
    """What a capture wrote: frames as (port, direction, comment, length)."""

    def __init__(self, path):
        self.ports, self.frames, self.times, self.stats = [], [], [], {}
        data = pathlib.Path(path).read_bytes()
        at = 0
        while at < len(data):
            kind, n = struct.unpack_from("<II", data, at)
            self.block(kind, data[at + 8:at + n - 4])
            at += n
        assert at == len(data)

    def block(self, kind, body):
        if kind == IDB:
            self.ports.append(options(body[8:])[2].decode())
        elif kind == EPB:
            port, high, low, n, length = struct.unpack_from("<5I", body)
            self.times.append(high << 32 | low)
            o = options(body[20 + (n + 3 & ~3):])
            self.frames.append((self.ports[port], o[2][0], o.get(1, b"").decode(), length))
        elif kind == ISB:
            o = options(body[12:])
            port = self.ports[struct.unpack_from("<I", body)[0]]
            self.stats[port] = {k: int.from_bytes(v, "little") for k, v in o.items() if k != 1}
            self.stats[port][1] = o.get(1, b"").decode()

    def check_counts(self):
        """Each frame that a port counted is here, or is counted as lost. One that
        was lost on its way out is here, and is not counted."""
        every = collections.Counter(f[0] for f in self.frames)
        here = every - collections.Counter(p for p, d, why, _ in self.frames if d == 2 and why)
        for port, s in self.stats.items():
            assert s[RECEIVED] == here[port] + s[LOST], (port, s, here)
            assert s[ACCEPTED] == every[port]
        return sum(s[LOST] for s in self.stats.values())


# what a network itself says; all else is what its machines tell each other, and
# no business of tshark's, who takes random bytes for a protocol that is broken
OURS = {"arp", "data", "dhcp", "dhcpv6", "dns", "eth", "ethertype", "frame", "icmp",
        "icmpv6", "igmp", "ip", "ipv6", "mdns", "tcp", "tftp", "udp"}


@functools.cache
def tshark_settings():
    """A folder of tshark's own files by which it knows no protocol but OURS."""
    folder = tempfile.TemporaryDirectory(prefix="vmlan.tshark.")
    known = {line.split("\t")[2] for line in sh("tshark", "-G", "protocols").stdout.splitlines()}
    assert known >= OURS
    others = sorted(p for p in known - OURS if not p.startswith("_ws."))
    (pathlib.Path(folder.name) / "disabled_protos").write_text("\n".join(others) + "\n")
    return folder


def tshark(path, *args):
    env = {**os.environ, "WIRESHARK_CONFIG_DIR": tshark_settings().name}
    checks = [w for p in ("ip", "tcp", "udp") for w in ("-o", f"{p}.check_checksum:TRUE")]
    checks += ["-o", "tcp.desegment_tcp_streams:FALSE"]  # which takes long
    r = sh("tshark", "-r", path, *checks, *args, check=False, timeout=120, env=env)
    assert r.returncode == 0, r.stderr
    complaints = [line for line in r.stderr.splitlines() if "dangerous" not in line]
    assert not complaints, complaints
    return r.stdout


def is_sound(path):
    """Nothing in it is malformed or has a wrong checksum."""
    faults = "_ws.malformed || ip.checksum.status == 0 || tcp.checksum.status == 0 || " \
             "udp.checksum.status == 0 || _ws.expert.severity == error"
    assert tshark(path, "-Y", faults) == ""
    return True


@contextlib.contextmanager
def capture(*args, code=0):
    """Runs meanwhile; what it said at the end is in .said."""
    before = len(captures())
    p = popen(VMLAN, "cap", *map(str, args), stderr=subprocess.PIPE, text=True)
    try:
        wait_for("the capture", lambda: len(captures()) > before or p.poll() is not None)
        yield p
        if p.poll() is None:
            p.send_signal(signal.SIGINT)
        p.said = p.communicate(timeout=30)[1]
        assert p.returncode == code, (p.returncode, p.said)
        assert "Sanitizer" not in p.said and "runtime error" not in p.said
    finally:
        p.kill()
        p.wait()


def control(method, path, body=""):
    r = sh("curl", "-s", "-X", method, "-d", body, "--unix-socket",
           str(pathlib.Path(os.environ["XDG_RUNTIME_DIR"]) / "vmlan/lab/control"),
           f"http://x{path}")
    return json.loads(r.stdout)


def waiting_bytes(fd):
    """That wait in a pipe."""
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)


def captures():
    return control("GET", "/v1/captures")["captures"]


@pytest.fixture
def lab(w):
    def start(*options):
        vmlan("up", "-q", "lab", "natnet", *options)

    yield start
    vmlan("down", "-q", "lab")


@pytest.fixture
def web(lab):
    lab()
    p = popen(VMLAN, "exec", "--name", "web", "lab", "--", PYTHON, "-c", SERVER,
              stdout=subprocess.PIPE, text=True)
    p.ip = p.stdout.readline().strip()
    assert p.ip.startswith("10.0.2."), p.ip
    yield p
    stop(p)


def send(web, n):
    r = vmlan("exec", "--name", "client", "lab", "--", PYTHON, "-c", CLIENT, web.ip, str(n))
    assert r.stdout.strip() == str(n)


def ping(ip, n=1, code=0):
    vmlan("exec", "--name", "pinger", "lab", "--", "ping", "-c", str(n), "-i", "0.1",
          "-W", "1" if code else "20", ip, code=code)


def test_network(web, tmp_path):
    """Each frame once, where it comes in; trains of segments whole, with the
    checksums that no card has to fill in."""
    f = tmp_path / "f.pcapng"
    with capture("lab", "-w", f) as p:
        ping(INET_IP, 3)
        send(web, 4 << 20)
    got = File(f)
    assert {"user0", "web", "client", "pinger"} == set(got.ports)
    assert {d for _, d, _, _ in got.frames} == {1}
    assert got.check_counts() == 0 or "lost" in p.said
    assert max(n for _, _, _, n in got.frames) > 10000
    assert sum(n for port, _, _, n in got.frames if port == "client") > 4 << 20
    assert is_sound(f)
    assert len(tshark(f, "-Y", "icmp").splitlines()) == 6
    assert any(t % 1000 for t in got.times)
    assert f.stat().st_mode & 0o077 == 0


def test_machine(web, tmp_path):
    """Both ways of one port, and nothing else; cut; as far as is asked."""
    f = tmp_path / "f.pcapng"
    with capture("lab/web", "-w", f, "-s", "128"):
        ping(INET_IP)
        send(web, 1 << 20)
    got = File(f)
    assert got.ports == ["web"]
    assert {d for _, d, _, _ in got.frames} == {1, 2}
    assert got.check_counts() == 0
    assert not tshark(f, "-Y", "icmp && ip.dst == " + INET_IP)
    assert max(map(int, tshark(f, "-T", "fields", "-e", "frame.cap_len").split())) == 128
    with capture("web", "-w", f, "-c", "5", "tcp", "port", "7654") as p:
        send(web, 1 << 20)
        p.wait(20)
    got = File(f)
    assert len(got.frames) == 5 and got.stats["web"][ACCEPTED] == 5
    assert got.stats["web"][RECEIVED] > 5


def test_why_lost(lab, tmp_path):
    """That is said at the frame."""
    f = tmp_path / "f.pcapng"
    lab()
    with capture("lab", "-w", f):
        vmlan("exec", "--name", "liar", "lab", "--", "sh", "-c",
              "ip addr add 9.9.9.9/32 dev eth0 && ping -I 9.9.9.9 -c 1 -W 1 " + INET_IP, code=1)
    got = File(f)
    assert got.check_counts() == 0
    comments = tshark(f, "-Y", "icmp && ip.src == 9.9.9.9", "-T", "fields", "-e", "frame.comment")
    assert comments == "lost at user0: source address not valid on this lan (IP_SOURCE)\n"
    assert is_sound(f)


def test_pipe(lab):
    """Into a program, which may go when it has enough; no terminal."""
    lab()
    cap = popen(VMLAN, "cap", "lab", "icmp", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    shark = popen("tshark", "-l", "-i", "-", "-c", "2", stdin=cap.stdout,
                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    cap.stdout.close()
    wait_for("the capture", captures)
    ping(INET_IP)
    out = shark.communicate(timeout=30)[0]
    assert "Echo (ping) request" in out and "Echo (ping) reply" in out
    assert cap.wait(20) == 0
    wait_for("its end", lambda: not captures())
    main, side = pty.openpty()
    r = subprocess.run([VMLAN, "cap", "lab"], check=False, stdout=side, timeout=60,
                       stderr=subprocess.PIPE, text=True)
    os.close(main)
    os.close(side)
    assert r.returncode == 2 and "wireshark -k -i -" in r.stderr


def drops():
    return {d["name"]: d["count"] for d in
            json.loads(vmlan("stats", "--json", "lab").stdout)["drops"]}


def test_come_and_go(web):
    """Twenty captures, one after the other, under a flow that loses nothing;
    several at once; and one that nobody reads."""
    before = drops()
    flow = popen(VMLAN, "exec", "--name", "flow", "lab", "--", PYTHON, "-c", FLOW, web.ip,
                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    stuck = popen(VMLAN, "cap", "lab", stdout=subprocess.PIPE)  # which is never read
    try:
        for i in range(20):
            with capture("lab" if i % 2 else "web", "-w", "/dev/null", "-c", "50") as p:
                p.wait(30)
        assert flow.communicate("", timeout=60)[0].startswith("whole ")
    finally:
        flow.kill()
        stuck.kill()
        stuck.wait()
    wait_for("the end of all", lambda: not captures())
    lost = {k: n - before.get(k, 0) for k, n in drops().items() if n > before.get(k, 0)}
    assert not set(lost) & {"PORT_FULL", "PORT_STALLED", "MAIL_FULL", "PORT_FAULT"}, lost
    running = []
    for _ in range(8):
        running.append(popen(VMLAN, "cap", "lab", "-w", "/dev/null", stderr=subprocess.DEVNULL))
    wait_for("eight", lambda: len(captures()) == 8)
    assert "8 captures already" in one_line(5, "cap", "lab", "-w", "/dev/null")
    for p in running:
        stop(p, signal.SIGKILL)
    wait_for("none", lambda: not captures())
    send(web, 1 << 20)


def test_says_how_many_it_lost(web, tmp_path):
    f = tmp_path / "f.pcapng"
    with capture("lab", "--memory", "1mb", "-w", f) as p:
        p.send_signal(signal.SIGSTOP)
        send(web, 8 << 20)
        p.send_signal(signal.SIGCONT)
    lost = File(f).check_counts()
    assert lost > 0 and f"; {lost} more are lost" in p.said, (lost, p.said)


def test_large(web, tmp_path):
    """Of its memory there is as much as is used."""
    f = tmp_path / "f.pcapng"
    with capture("lab", "--memory", "256mb", "-w", f):
        send(web, 1 << 20)
    assert File(f).check_counts() == 0
    assert sum(n for port, _, _, n in File(f).frames if port == "client") > 1 << 20
    vmlan("cap", "lab", "--keep", "1gb")
    ping(INET_IP)
    keeper = pathlib.Path(f"/proc/{show('lab')['keeper']}/fd")

    def bytes_there():
        found = []
        for x in keeper.iterdir():
            with contextlib.suppress(FileNotFoundError):  # it is closed meanwhile
                if "vmlan-capture" in os.readlink(x) and x.stat().st_size > 1 << 30:
                    found.append(x.stat().st_blocks * 512)
        return found
    assert len(bytes_there()) == 1
    vmlan("cap", "lab", "--last", "1h", "-w", f, "icmp")
    assert File(f).frames
    assert 0 < bytes_there()[0] < 16 << 20  # nor by who reads it


def test_kept_is_refused(lab):
    """What the engine has no room for is not listed as kept."""
    lab()
    engine = show("lab")["engine"]
    before = resource.prlimit(engine, resource.RLIMIT_AS)
    resource.prlimit(engine, resource.RLIMIT_AS, (1 << 20, before[1]))
    try:
        vmlan("cap", "lab", "--keep", "64mb")
        wait_for("its end", lambda: not captures())
    finally:
        resource.prlimit(engine, resource.RLIMIT_AS, before)
    assert show("lab")["engine"] == engine
    assert "kept" in one_line(4, "cap", "lab", "--last", "30s", "-w", "/dev/null")
    vmlan("cap", "lab", "--keep", "1mb")
    assert [c["kept"] for c in captures()] == [True]


def test_last(web, tmp_path):
    """What was before anybody asked."""
    f = tmp_path / "f.pcapng"
    assert "--keep" in one_line(4, "cap", "lab", "--last", "30s", "-w", f)
    assert not f.exists()
    vmlan("cap", "lab", "--keep", "2mb")
    vmlan("cap", "web", "--keep", "1mb", "-s", "64")
    assert [row.split()[-1] for row in vmlan("cap", "lab", "ls").stdout.splitlines()] == \
        ["FRAMES", "whole", "bytes"]
    assert [c["kept"] for c in captures()] == [True, True]
    send(web, 6 << 20)
    ping(INET_IP)
    vmlan("cap", "lab", "--last", "30s", "-w", f)
    got = File(f)
    total = sum(n for _, _, _, n in got.frames)
    assert 1 << 20 < total < 2 << 20  # the last of all that there was
    assert is_sound(f)
    assert len(tshark(f, "-Y", "icmp").splitlines()) == 2
    vmlan("cap", "lab", "--last", "30s", "-w", f, "icmp")
    assert len(File(f).frames) == 2
    stop(web)
    wait_for("its end", lambda: not any(m["name"] == "web" for m in show("lab")["machines"]))
    f.chmod(0o644)  # whose mode somebody chose
    o = control("PUT", "/v1/captures/kept", '{"memory": 1048576, "machine": "web"}')
    assert o["code"] == 4
    vmlan("cap", "lab/web", "--last", "999999h", "-w", f)  # it is for faults
    assert {p for p, _, _, _ in File(f).frames} == {"web"}
    assert f.stat().st_mode & 0o777 == 0o644
    vmlan("cap", "lab", "--keep", "off")
    assert [c.get("machine") for c in captures()] == ["web"]
    assert "kept" in vmlan("cap", "lab/web", "ls").stdout
    vmlan("cap", "lab/web", "--keep", "off")
    assert not captures()


def test_reader_stands_still(web):
    """One word to end is enough, of whoever gives it."""
    reader, pipe = os.pipe()
    p = popen(VMLAN, "cap", "lab", stdout=pipe, stderr=subprocess.PIPE, text=True)
    os.close(pipe)
    try:
        wait_for("the capture", captures)
        send(web, 8 << 20)  # more than pipe and buffers hold
        wait_for("a pipe that is full", lambda: waiting_bytes(reader) >= 60000)
        p.send_signal(signal.SIGTERM)
        said = p.communicate(timeout=60)[1]
        assert p.returncode == 0 and "nobody reads" in said, said
        wait_for("its end", lambda: not captures())
    finally:
        os.close(reader)
        stop(p)


def test_nowhere_to_say_it(lab):
    """What cannot be written is no success."""
    lab()
    for words in (["show", "--svg", "lab"], ["leases", "--json", "lab"], ["events", "lab"],
                  ["help"], ["cap", "lab", "-c", "1", "-w", "/dev/full"]):
        with open("/dev/full", "w") as full, contextlib.ExitStack() as meanwhile:
            if words[0] == "cap":
                p = popen(VMLAN, "exec", "--name", "pinger", "lab", "--", "ping", "-q",
                          "-i", "0.1", "10.0.2.2", stdout=subprocess.DEVNULL)
                meanwhile.callback(stop, p)
            r = subprocess.run([VMLAN, *words], stdout=full, stderr=subprocess.PIPE, text=True,
                               timeout=60)
            assert r.returncode == 1, words
            assert r.stderr.count("\n") == 1, (words, r.stderr)
            assert "No space left" in r.stderr or "standard output" in r.stderr


def test_engine_killed(lab, tmp_path):
    """The capture goes on, and says that it does not know all."""
    f = tmp_path / "f.pcapng"
    lab()
    with capture("lab", "-w", f) as p:
        ping(INET_IP)
        engine = show("lab")["engine"]
        os.kill(engine, signal.SIGKILL)
        wait_for("another one", lambda: show("lab")["engine"] != engine and show("lab")["serving"])
        ping(INET_IP)
    got = File(f)
    assert all(RECEIVED not in s and "not known" in s[1] for s in got.stats.values()), got.stats
    assert len(tshark(f, "-Y", "icmp.type == 0").splitlines()) == 2
    assert is_sound(f)


def test_network_ends(w, tmp_path):
    """So does its capture, with all that was counted."""
    f = tmp_path / "f.pcapng"
    vmlan("up", "-q", "lab", "natnet")
    with capture("lab", "-w", f) as p:
        ping(INET_IP)
        vmlan("down", "-q", "lab")
        p.wait(20)
    got = File(f)
    assert got.check_counts() == 0
    assert "without a word" not in p.said


def test_bad_words(lab):
    lab()
    assert one_line(4, "cap", "nobody", "-w", "/dev/null")
    assert one_line(3, "cap", "nosuch/x", "-w", "/dev/null")
    assert "no network nosuch" in one_line(3, "cap", "nosuch/x", "--last", "1s", "-w", "/dev/null")
    assert "no filter" in one_line(2, "cap", "lab", "-w", "/dev/null", "tcp", "prot", "5")
    assert one_line(1, "cap", "lab", "-w", "/nowhere/f")
    assert "Upgrade" in control("POST", "/v1/captures", "{}")["error"]
    assert control("PUT", "/v1/captures/kept", '{"memory": 5}')["code"] == 2
    assert control("PUT", "/v1/captures/kept", '{"memory": 1048576, "machine": "x"}')["code"] == 4


@pytest.mark.parametrize("workers", [2])
def test_workers(monkeypatch, tmp_path, w, workers):
    """Each looks at what it carries by itself."""
    monkeypatch.setenv("VMLAN_WORKERS", str(workers))
    vmlan("up", "-q", "lab", "natnet")
    p = popen(VMLAN, "exec", "--name", "web", "lab", "--", PYTHON, "-c", SERVER,
              stdout=subprocess.PIPE, text=True)
    p.ip = p.stdout.readline().strip()
    f = tmp_path / "f.pcapng"
    send(p, 1 << 20)
    with capture("lab", "-w", f):
        send(p, 4 << 20)
        ping(INET_IP)
    send(p, 1 << 20)
    got = File(f)
    assert got.check_counts() == 0  # less came than it has room for
    assert sum(n for port, _, _, n in got.frames if port == "client") > 2 << 20
    assert is_sound(f)
    stop(p)
    vmlan("down", "-q", "lab")


FLOOD = """
import socket
s = socket.socket(type=socket.SOCK_DGRAM)
s.connect(("10.0.2.2", 9))
while True:
    try:
        s.send(bytes(1400))
    except OSError:
        pass
"""


def test_it_ends_while_more_comes_than_is_read(rundir):  # noqa: F811
    """A signal is heard by who is never done writing."""
    vmlan("up", "lab", "natnet")
    flood = popen(VMLAN, "exec", "--name", "web", "lab", "--", PYTHON, "-c", FLOOD)
    cap = popen(VMLAN, "cap", "lab", "--memory", "1mb", stdout=subprocess.PIPE,
                stderr=subprocess.PIPE)
    try:
        n = 0
        while n < 2 << 20:  # that it is behind: the ring has been full
            more = os.read(cap.stdout.fileno(), 4096)
            assert more
            n += len(more)
            time.sleep(0.002)
        cap.send_signal(signal.SIGINT)
        after = 0
        while more := os.read(cap.stdout.fileno(), 4096):
            after += len(more)
            assert after < 16 << 20, "it goes on"
            time.sleep(0.002)
        assert cap.wait(20) == 0 and b"frames of lab" in cap.stderr.read()
    finally:
        stop(flood)
        stop(cap)
        cap.stdout.close()
        cap.stderr.close()
        vmlan("down", "lab")


def test_a_file_stays_where_nothing_is_written(rundir, tmp_path):  # noqa: F811
    """What cannot begin takes nothing from the file of before."""
    old = tmp_path / "old.pcapng"
    old.write_text("precious")
    vmlan("up", "lab", "natnet")
    one_line(4, "cap", "lab", "--last", "30s", "-w", str(old))
    assert old.read_text() == "precious"
    vmlan("cap", "lab", "--keep", "1mb")
    vmlan("cap", "lab", "--last", "30s", "-w", str(old))
    assert old.read_bytes()[:4] == SHB.to_bytes(4, "little")
    vmlan("down", "lab")
