# SPDX-License-Identifier: BSD-3-Clause
"""vmlan fwd: forwards that come and go while a network runs, by real traffic.

        clients: the host, and inet  :  localhost, HOST_IP  :  guest a, which echoes
"""
import contextlib
import json
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import threading

import pytest

import world
from reach import PYTHON
from test_exec import RUNDIR as USER_RUNDIR, user  # noqa: F401
from test_modes import RUNDIR, Machine, lan, one_line, rundir, show, vmlan  # noqa: F401
from world import HOST_IP, INET_IP, XFER, engine_of, popen, sh, wait_for

MAC = "52:54:00:00:00:0a"
V2 = b"\r\n\r\n\0\r\nQUIT\n"

# TCP at 7000 .. 7003 and UDP at 7000: what comes goes back.
ECHO = """
import socket, sys, threading
def one(c):
    with c:
        while d := c.recv(65536):
            c.sendall(d)
def tcp(s):
    while True:
        threading.Thread(target=one, args=(s.accept()[0],), daemon=True).start()
for port in range(7000, 7004):
    s = socket.create_server(("", port), backlog=300)
    threading.Thread(target=tcp, args=(s,), daemon=True).start()
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("", 7000))
print("up", flush=True)
while True:
    d, a = u.recvfrom(65536)
    u.sendto(d, a)
"""


@contextlib.contextmanager
def echoing(name):
    with world.process(PYTHON, "-c", ECHO, ns=name, stdout=subprocess.PIPE, text=True) as p:
        assert p.stdout.readline() == "up\n"
        yield
        p.stdout.close()


@pytest.fixture
def a(lan):
    """A machine that echoes, on the network lab."""
    with Machine(lan, "a", "--net", "natnet:lab", mac=MAC) as m:
        m.guest.dhcp()
        with echoing("a"):
            yield m


def fwd(*args, code=0):
    return vmlan("fwd", *args, code=code).stdout


def ls(who="lab"):
    return json.loads(fwd("--json", who, "ls"))


def add(*args, who="lab"):
    return json.loads(fwd("--json", who, "add", *args))


def hosts(f):
    return [b["host"] for b in f["bound"]]


def port_of(f):
    return int(hosts(f)[0].rpartition(":")[2])


def dial(port, ip="127.0.0.1"):
    s = socket.create_connection((ip, port), timeout=10)
    s.settimeout(10)
    return s


def recv(s, n):
    got = b""
    while len(got) < n:
        more = s.recv(n - len(got))
        if not more:
            break
        got += more
    return got


def echoes(port, ip="127.0.0.1", text=b"hello"):
    """Whether the guest answers there."""
    try:
        with dial(port, ip) as s:
            s.sendall(text)
            return recv(s, len(text)) == text
    except ConnectionError:
        return False


def udp_echoes(port, ip="127.0.0.1", wait=10):
    with socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(wait)
        s.connect((ip, port))
        try:
            s.send(b"hello")
            return s.recv(100) == b"hello"
        except (TimeoutError, ConnectionError):
            return False


def is_bound(port):
    return f":{port} " in sh("ss", "-Hltun").stdout


def test_add_ls_rm(a):
    """To a machine and to the network, both protocols and families, a port that is drawn; a
    second one is no matter to the first, nor the end of one to its connections."""
    out = fwd("lab", "add", "2222:7000")
    assert out == "forward 1: tcp 127.0.0.1:2222 and [::1]:2222 -> 10.0.2.15:7000\n"
    first = dial(2222)
    first.sendall(b"1")
    assert recv(first, 1) == b"1"
    out = fwd("a", "add", "2222:7000/udp", "0:7001", f"{HOST_IP}:2223:7002")
    lines = out.splitlines()
    assert lines[0] == "forward 2: udp 127.0.0.1:2222 and [::1]:2222 -> 10.0.2.15:7000"
    drawn = int(re.fullmatch(r"forward 3: tcp 127.0.0.1:(\d+) and \[::1\]:\1 -> 10.0.2.15:7001",
                             lines[1]).group(1))
    assert lines[2] == f"forward 4: tcp {HOST_IP}:2223 -> 10.0.2.15:7002"
    for port, ip in ((2222, "127.0.0.1"), (2222, "::1"), (drawn, "::1"), (2223, HOST_IP)):
        assert echoes(port, ip), (port, ip)
    for ip in ("127.0.0.1", "::1"):
        assert udp_echoes(2222, ip)
    # as it is listed, and shown
    assert [(f["id"], f["proto"], f.get("machine")) for f in ls()] == \
        [(1, "tcp", None), (2, "udp", "a"), (3, "tcp", "a"), (4, "tcp", "a")]
    assert [f["id"] for f in ls("a")] == [f["id"] for f in ls("lab/a")] == [2, 3, 4]
    assert list(ls()[1]) == ["id", "spec", "proto", "guest", "machine", "added", "bound"]
    assert ls()[1] == {
        "id": 2, "spec": "udp:localhost:2222-:7000", "proto": "udp", "guest": "10.0.2.15",
        "machine": "a", "added": True,
        "bound": [{"host": "127.0.0.1:2222", "family": "ipv4", "guest": "10.0.2.15:7000"},
                  {"host": "[::1]:2222", "family": "ipv6", "guest": "10.0.2.15:7000"}]}
    assert [(f["id"], f["host"]) for f in show("lab")["forwards"]] == \
        [(f["id"], h) for f in ls() for h in hosts(f)]
    rows = fwd("lab", "ls").splitlines()
    assert rows[0].split() == ["ID", "PROTO", "HOST", "GUEST", "MACHINE"]
    assert rows[2].split() == ["2", "udp", "127.0.0.1:2222,", "[::1]:2222", "10.0.2.15:7000", "a"]
    # less, by number and by words; what is connected goes on
    assert fwd("lab", "rm", "1") == \
        "removed 1: tcp 127.0.0.1:2222 and [::1]:2222 -> 10.0.2.15:7000\n"
    assert not echoes(2222) and not echoes(2222, "::1") and udp_echoes(2222)
    first.sendall(b"2" * 100000)
    assert recv(first, 100000) == b"2" * 100000
    fwd("a", "rm", "2222:7000/udp", f"{HOST_IP}:2223:7002")
    assert [f["id"] for f in ls()] == [3] and not is_bound(2222) and not is_bound(2223)
    assert add("2222:7000")[0]["id"] == 5 and echoes(2222)  # a number is given once
    first.close()
    for word in ("1", "77", "2224:7000", "2222:7000/udp"):
        assert word in one_line(4, "fwd", "lab", "rm", word)
    assert fwd("lab", "ls").count("\n") == 3


def test_all_or_nothing(a):
    """One port of a range that somebody has: who that is, and no other port is bound."""
    with socket.create_server(("::1", 8003), family=socket.AF_INET6) as held, \
            socket.create_server(("127.0.0.1", 9999)):
        line = one_line(5, "fwd", "lab", "add", "8000-8010:7000-7010")
        assert "tcp [::1]:8003" in line and f"(pid {os.getpid()})" in line
        assert not any(is_bound(p) for p in range(8000, 8011) if p != 8003) and ls() == []
        line = one_line(5, "fwd", "lab", "add", "8000-8002:7000-7002,9999:7000")
        assert "127.0.0.1:9999" in line and ls() == [] and not is_bound(8000)
        held.close()
    assert fwd("lab", "add", "8000-8003:7000-7003") == \
        "forward 1: tcp 127.0.0.1:8000-8003 and [::1]:8000-8003 -> 10.0.2.15:7000-7003\n"
    assert all(echoes(p, ip) for p in range(8000, 8004) for ip in ("127.0.0.1", "::1"))
    # who holds it is a forward, of this network or another
    line = one_line(5, "fwd", "a", "add", "7999-8001:7000-7002")
    assert "tcp 127.0.0.1:8000: forward 1 of this network has it, to 10.0.2.15:7000" in line
    assert "rm 1" in line and not is_bound(7999)
    vmlan("up", "-q", "other", "natnet")
    try:
        for spec, guest in (("8001:22", "7001"), ("0.0.0.0:8002:22", "7002")):
            line = one_line(5, "fwd", "other", "add", spec)
            assert f"is held by forward 1 of network lab (to 10.0.2.15:{guest}), vmlan-" in line
    finally:
        vmlan("down", "-q", "other")
    fwd("lab", "rm", "8000-8003:7000-7003")
    assert not is_bound(8000) and not is_bound(8003)


def test_a_port_of_before_is_anothers_now(a):
    """Who shares it with others does not share it with us."""
    fwd("lab", "rm", str(add("2300:7000/udp")[0]["id"]))
    wait_for("its end", lambda: not is_bound(2300))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as c:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("127.0.0.1", 2300))
        s.settimeout(10)
        line = one_line(5, "fwd", "lab", "add", "2300:7000/udp")
        assert f"(pid {os.getpid()})" in line and ls() == []
        c.sendto(b"mine", ("127.0.0.1", 2300))
        assert s.recv(10) == b"mine"


def test_unix(a):
    path = RUNDIR / "my-web.sock"
    assert fwd("a", "add", f"unix:{path}:7000") == \
        f"forward 1: tcp unix:{path} -> 10.0.2.15:7000\n"
    assert stat.S_ISSOCK(path.stat().st_mode)
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(path))
        s.sendall(b"hello")
        assert recv(s, 5) == b"hello"
    line = one_line(5, "fwd", "lab", "add", f"unix:{path}:7001")
    assert str(path) in line and "forward 1" in line
    assert "no address" in one_line(2, "fwd", "lab", "add", f"unix:{path}-:7001", "from=::1")
    fwd("a", "rm", f"unix:{path}-:7000")
    assert not path.exists() and ls() == []


def head1(s, peer, own):
    f = "TCP6" if ":" in peer[0] else "TCP4"
    text = f"PROXY {f} {peer[0]} {own[0]} {peer[1]} {own[1]}\r\n".encode()
    return recv(s, len(text)) == text


def head2(s, peer, own):
    six = ":" in peer[0]
    n = lambda ip: socket.inet_pton(socket.AF_INET6 if six else socket.AF_INET, ip)
    want = V2 + bytes((0x21, 0x21 if six else 0x11)) + struct.pack("!H", 36 if six else 12) + \
        n(peer[0]) + n(own[0]) + struct.pack("!HH", peer[1], own[1])
    return recv(s, len(want)) == want


@pytest.mark.parametrize("version, head, unknown", [
    ("v1", head1, b"PROXY UNKNOWN\r\n"), ("v2", head2, V2 + b"\x20\0\0\0")])
def test_proxy(a, version, head, unknown):
    """The guest hears who calls before he has said anything; then all that he says."""
    path = RUNDIR / "proxy.sock"
    out = fwd("a", "add", "2222:7000", f"unix:{path}:7000", f"proxy={version}")
    assert out.splitlines()[0].endswith(f"-> 10.0.2.15:7000 proxy={version}")
    assert [f["proxy"] for f in ls()] == [version] * 2
    for ip in ("127.0.0.1", "::1"):
        with dial(2222, ip) as s:
            assert head(s, s.getsockname(), s.getpeername())
            text = os.urandom(3000000)
            t = threading.Thread(target=lambda: (s.sendall(text), s.shutdown(socket.SHUT_WR)))
            t.start()
            assert recv(s, len(text) + 1) == text
            t.join()
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(str(path))
        s.sendall(b"x")
        assert recv(s, len(unknown) + 1) == unknown + b"x"
    assert "udp" in one_line(2, "fwd", "a", "add", "2223:7000/udp", f"proxy={version}")
    assert not is_bound(2223)


FROM_INET = """
import socket, sys
for kind, port in ((socket.SOCK_STREAM, 2222), (socket.SOCK_DGRAM, 2222)):
    with socket.socket(socket.AF_INET, kind) as s:
        # tcp is answered in any case
        s.settimeout(10 if kind == socket.SOCK_STREAM else float(sys.argv[2]))
        try:
            s.connect((sys.argv[1], port))
            s.send(b"hello")
            print(s.recv(100).decode() or "end")
        except ConnectionResetError:
            print("reset")
        except TimeoutError:
            print("silence")
"""


def test_from(a):
    """Only those that are named come through; the others are refused, counted and told of."""
    def from_inet(wait):
        return sh(PYTHON, "-c", FROM_INET, HOST_IP, str(wait), ns="inet").stdout.split()

    def refused():
        drops = json.loads(vmlan("stats", "--json", "lab").stdout)["drops"]
        return next((d for d in drops if d["name"] == "FORWARD_SOURCE"), {"count": 0})

    n = 0
    spec = "0.0.0.0:2222:7000"
    for sources, inside in (("10.9.0.0/16,::1", False), (f"10.9.0.0/16,{INET_IP}", True)):
        out = fwd("a", "add", spec, spec + "/udp", f"from={sources}")
        assert "from=10.9.0.0/16," in out
        assert from_inet(10 if inside else 1) == \
            (["hello", "hello"] if inside else ["reset", "silence"])
        assert not echoes(2222)
        assert not udp_echoes(2222, wait=0.5)
        n += 2 if inside else 4
        wait_for("all refused", lambda: refused()["count"] >= n)
        fwd("a", "rm", spec, spec + "/udp")
    assert refused()["count"] == n and "from=" in refused()["text"]


def shown_of(name):
    o = show(name)
    return o["keeper"], o["engine"]


def test_who_is_killed_has_them_again(a):
    """Another engine serves them; another keeper has the same, by their numbers, and not those
    that were removed."""
    path = RUNDIR / "k.sock"
    fwd("lab", "add", "2222:7000", "2223:7000/udp")
    add("0:7001", "0.0.0.0:2224:7001", f"unix:{path}:7000", who="a")
    add("8000-8002:7000-7002", "proxy=v1", "from=127.0.0.0/8,::1", who="a")
    fwd("lab", "rm", "2")
    had = ls()
    drawn = port_of(had[1])
    for victim in (1, 0):
        pids = shown_of("lab")
        os.kill(pids[victim], signal.SIGKILL)
        wait_for("its end", lambda: world.is_dead(pids[victim]))
        wait_for("another", lambda: vmlan("ls") and shown_of("lab")[victim] not in (0, pids[victim]))
        wait_for("all on it", lambda: show("lab")["serving"] and all(
            m["connected"] for m in show("lab")["machines"]))
        assert ls() == had
        wait_for("traffic", lambda: echoes(2222))
        assert echoes(drawn, "::1") and echoes(2224, HOST_IP) and not is_bound(2223)
        with dial(8002) as s:
            assert head1(s, s.getsockname(), s.getpeername())
    assert add("2223:7000")[0]["id"] == 7
    assert fwd("a", "ls").count("\n") == 5


@pytest.mark.parametrize("net, options", [("nat-a", ()), ("lab", ("--net", "natnet:lab"))])
def test_forwards_of_the_start(lan, net, options):
    """What -p and hostfwd= made is listed and can be removed, for good; another is added on the
    machine's private network."""
    with Machine(lan, "a", *options, "-p", "2222:7000,127.0.0.1::7001,2223:7002", mac=MAC) as m:
        m.guest.dhcp()
        with echoing("a"):
            had = ls(net)
            assert [(f["id"], f["added"]) for f in had] == [(1, False), (2, False), (3, False)]
            assert all(echoes(port_of(f)) for f in had)
            fwd("a", "add", "2224:7003") if net == "nat-a" else fwd("lab", "add", "2224:7003")
            fwd(net, "rm", "2222:7000")
            left = [f for f in ls(net) if f["id"] != 1]
            assert left[:2] == had[1:] and left[2]["id"] == 4 and len(left) == 3
            assert ls(net) == left and not echoes(2222)
            pids = shown_of(net)
            os.kill(pids[0], signal.SIGKILL)
            wait_for("its end", lambda: world.is_dead(pids[0]))
            vmlan("ls")
            wait_for("it is on it", lambda: show(net)["machines"][0]["connected"])
            assert ls(net) == left and not is_bound(2222)
            wait_for("traffic", lambda: echoes(2223))
            assert all(echoes(port_of(f)) for f in left)


def test_many_beside_a_flow(a):
    """200 come and go beside connections that send all the time; none of those hears of it."""
    flows = []
    with world.process(XFER, "serve", "22", ns="a"):
        wait_for("it serves", lambda: ":22 " in sh("ss", "-Hltn", ns="a").stdout)
        fwd("lab", "add", "2222:22")
        for how in ("send", "recv"):
            flows.append(popen(XFER, how, "127.0.0.1", "2222", "40000000",
                               stdout=subprocess.PIPE, text=True))
        path = str(RUNDIR / "vmlan" / "lab" / "control")
        for i in range(200):
            o = call(path, "POST", "/v1/forwards", {"spec": f"0:7000{'/udp' * (i % 2)}"})[1]
            (f,) = json.loads(o)["forwards"]
            if i % 20 == 0:
                assert udp_echoes(port_of(f)) if i % 2 else echoes(port_of(f))
            assert call(path, "DELETE", f"/v1/forwards/{f['id']}")[0] == 200
        for proto in ("", "/udp"):  # of one port, as fast as it can be
            for i in range(50):
                code, o = call(path, "POST", "/v1/forwards", {"spec": f"2300:7000{proto}"})
                assert code == 201, o
                (f,) = json.loads(o)["forwards"]
                assert call(path, "DELETE", f"/v1/forwards/{f['id']}")[0] == 200
            f = add(f"2300:7000{proto}")[0]
            assert udp_echoes(2300) if proto else echoes(2300)
            fwd("lab", "rm", str(f["id"]))
        for p in flows:
            assert p.communicate(timeout=100)[0].startswith("equal")
        assert [f["id"] for f in ls()] == [1]


def call(path, method, url, body=None):
    """A request by a connection of its own: status and body."""
    text = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(path)
        s.sendall(f"{method} {url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                  f"Content-Length: {len(text)}\r\n\r\n".encode() + text)
        got = b""
        while more := s.recv(65536):
            got += more
    head, _, rest = got.partition(b"\r\n\r\n")
    return int(head.split()[1]), rest.decode()


def test_gvproxy(a):
    """curl as it is written for gvproxy."""
    path = str(RUNDIR / "vmlan" / "lab" / "control")
    sock = str(RUNDIR / "gv,1.sock")

    def curl(what, *args):
        r = sh("curl", "-sS", "--unix-socket", path, "-w", "\n%{http_code}", *args,
               f"http:/unix/services/forwarder/{what}")
        body, _, code = r.stdout.rpartition("\n")
        return int(code), body

    def post(what, **keys):
        return curl(what, "-X", "POST", "-d", json.dumps(keys))

    assert curl("all") == (200, "[]\n")
    assert post("expose", local=":8080", remote="10.0.2.15:7000") == (200, "")
    assert post("expose", local="127.0.0.1:8081", remote="10.0.2.15:7000", protocol="udp") == (200, "")
    assert post("expose", local=sock, remote="tcp://10.0.2.15:7001", protocol="unix") == (200, "")
    assert echoes(8080) and echoes(8080, "::1") and echoes(8080, HOST_IP) and udp_echoes(8081)
    want = [{"local": sock, "remote": "tcp://10.0.2.15:7001", "protocol": "unix"},
            {"local": "127.0.0.1:8081", "remote": "10.0.2.15:7000", "protocol": "udp"},
            {"local": ":8080", "remote": "10.0.2.15:7000", "protocol": "tcp"}]
    code, body = curl("all")
    assert code == 200 and json.loads(body) == sorted(want, key=lambda o: o["local"])
    # the same as ours
    assert [hosts(f) for f in ls()] == [["0.0.0.0:8080", "[::]:8080"], ["127.0.0.1:8081"], [sock]]
    fwd("lab", "add", "2222:7000")
    assert {"local": "127.0.0.1:2222", "remote": "10.0.2.15:7000", "protocol": "tcp"} in \
        json.loads(curl("all")[1])
    # what is refused, as there
    code, body = post("expose", local=":8080", remote="10.0.2.15:7001")
    assert code == 500 and body == "proxy already running for tcp on :8080\n"
    assert post("expose", local="127.0.0.1:8080", remote="10.0.2.15:7001")[0] == 500
    assert post("expose", local=":8082", remote="10.0.2.15")[0] == 400
    assert post("expose", local=":8082", remote="10.9.9.9:80")[0] == 500
    assert post("expose", local=":8082", remote="10.0.2.15:80", protocol="sctp") == \
        (500, "unknown protocol sctp\n")
    assert curl("expose", "-X", "POST", "-d", "{")[0] == 400
    assert curl("expose")[0] == 405 == curl("unexpose")[0]
    assert post("unexpose", local=":8082") == (500, "proxy not found\n")
    assert curl("nothing")[0] == 404
    # another keeper still knows them by their words
    pid = shown_of("lab")[0]
    os.kill(pid, signal.SIGKILL)
    wait_for("its end", lambda: world.is_dead(pid))
    vmlan("ls")
    for o in want:
        assert post("unexpose", **{k: o[k] for k in ("local", "protocol")}) == (200, "")
    assert post("unexpose", Local="127.0.0.1:2222") == (200, "")
    assert ls() == [] and not os.path.exists(sock) and not is_bound(8080)


def test_what_makes_no_sense(user):
    """Each is one line, with the status that says what kind it is; nothing is bound."""
    def line(code, *args):
        r = user.vmlan("fwd", *args, code=code)
        assert r.stdout == "" and r.stderr.count("\n") == 1, r.stderr
        assert r.stderr.startswith("vmlan: error: ")
        return r.stderr

    line(3, "nosuch/vm", "ls")
    line(4, "nosuch", "ls")
    user.vmlan("up", "-q", "in", "internal")
    assert "no gateway" in line(2, "in", "add", "2222:22")
    user.vmlan("up", "-q", "lab", "natnet")
    line(4, "lab/nosuch", "add", "2222:22")
    for words in ((), ("lab",), ("lab", "put"), ("lab", "add"), ("lab", "rm"), ("lab", "ls", "x"),
                  ("lab", "add", "proxy=v1"), ("lab", "add", "2222:22", "poxy=v1"),
                  ("lab", "add", "2222:22", "proxy=v3"), ("lab", "add", "2222:22", "from=lan"),
                  ("lab", "add", "2222:22", "from="),
                  ("lab", "add", "2222:22", "from=10.0.0.0/8\udcff"), ("lab", "add", "70000:1"),
                  ("lab", "add", "2222:22,2222:23"), ("lab", "add", "1-2000"),
                  ("lab", "add", "tcp::2222-10.9.9.9:22"), ("lab", "add", "tcp::2222-10.0.2.2:22"),
                  ("lab", "rm", "x:y"), ("lab", "add", "192.0.2.1:2222:22"), ("-x", "lab", "ls")):
        line(2, *words)
    if not user.is_root:
        text = line(6, "lab", "add", "80:80")
        assert "127.0.0.1:80" in text and "ip_unprivileged_port_start" in text
    path = str(USER_RUNDIR / "vmlan" / "lab" / "control")
    for body in (b"", b"[]", b"{", b'{"spec": 7}', b'{"spec": ""}', b'{}', b'{"spec":"0:22","x":1}',
                 b'{"spec":"0:22","from":"::1"}', b'{"spec":"0:22","from":' +
                 json.dumps(["::1"] * 17).encode() + b"}", b'{"spec":"0:22","proxy":""}'):
        code, text = call(path, "POST", "/v1/forwards", body)
        assert code == 400 and json.loads(text)["code"] == 2, body
    assert call(path, "POST", "/v1/forwards", {"spec": "0:22", "machine": "x"})[0] == 404
    for method, url in (("PUT", "/v1/forwards"), ("GET", "/v1/forwards/1")):
        assert call(path, method, url)[0] == 405
    for number in ("", "0", "1", "x", "-1", "99999999999999999999"):
        assert call(path, "DELETE", f"/v1/forwards/{number}")[0] == 404
    assert json.loads(call(path, "GET", "/v1/forwards")[1]) == {"network": "lab", "forwards": []}
    assert not is_bound(2222)
