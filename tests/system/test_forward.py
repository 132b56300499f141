# SPDX-License-Identifier: BSD-3-Clause
"""restrict=, guestfwd= and hostfwd=, by real traffic."""
import errno
import os
import pathlib
import re
import resource
import signal
import socket
import subprocess

import pytest

import world
from world import INET_IP, WEB_IP, XFER, sh

PY = "/usr/bin/python3"
RESOLV = pathlib.Path("/run/resolv.conf")
SOCK = "/run/forward.sock"
SERVED = "/run/served.sock"

# Connects, sends, half-closes, prints what comes until the end.
ASK = (
    "import socket,sys\n"
    "s=socket.create_connection((sys.argv[1],int(sys.argv[2])),10)\n"
    "s.sendall(sys.argv[3].encode()); s.shutdown(socket.SHUT_WR)\n"
    "d=b''\n"
    "while True:\n"
    "    x=s.recv(65536)\n"
    "    if not x: break\n"
    "    d+=x\n"
    "print(d.decode(),end='')\n")
# Says who called and closes.
WHO = (
    "import socket,sys\n"
    "s=socket.socket(); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)\n"
    "s.bind(('0.0.0.0',int(sys.argv[1]))); s.listen()\n"
    "while True:\n"
    "    c,a=s.accept(); c.sendall(('%s %d'%a).encode()); c.close()\n")
UDP_ECHO = (
    "import socket,sys\n"
    "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
    "s.bind(('0.0.0.0',int(sys.argv[1])))\n"
    "while True:\n"
    "    d,a=s.recvfrom(65535); s.sendto(a[0].encode()+b' '+d,a)\n")
UDP_ASK = (
    "import socket,sys\n"
    "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
    "s.settimeout(float(sys.argv[3])); s.connect((sys.argv[1],int(sys.argv[2])))\n"
    "s.send(b'q'*int(sys.argv[4]))\n"
    "try: d=s.recv(65535).decode().split(); print(d[0],len(d[1]))\n"
    "except ConnectionRefusedError: print('refused')\n"
    "except socket.timeout: print('silence')\n")


def ask(ip, port, text="", ns=None, check=True):
    r = sh(PY, "-c", ASK, ip, str(port), text, ns=ns, check=check)
    return r.stdout if r.returncode == 0 else r.stderr.splitlines()[-1]


def udp_ask(ip, port, ns=None, wait=5, size=1):
    return sh(PY, "-c", UDP_ASK, ip, str(port), str(wait), str(size), ns=ns).stdout.strip()


def ping(g, ip, wait=20):
    return g.sh("ping", "-c", "1", "-W", str(wait), ip, check=False).returncode == 0


def dig(g, *args, wait=20):
    out = g.sh("dig", "+tries=1", f"+time={wait}", "+short", "@10.0.2.3", *args,
               check=False).stdout
    return "".join(l for l in out.splitlines() if not l.startswith(";"))


def default_route(g):
    """As an administrator would who does not believe the lease."""
    g.sh("ip", "route", "add", "default", "via", "10.0.2.2", check=False)


@pytest.mark.parametrize("how", ["on", "services"])
def test_restrict(w, how):
    RESOLV.write_text(f"nameserver {INET_IP}\n")
    w.python("dns_server.py", port=53, proto="udp")
    w.serve(PY, "-c", WHO, "80", port=80)
    w.serve(PY, "-c", WHO, "80", ns=None, port=80)
    w.serve(PY, "-c", UDP_ECHO, "6001", port=6001, proto="udp")
    g = w.guest()
    opts = (f"user,restrict={how},hostfwd=tcp::2222-:22,hostfwd=udp::2223-:23,"
            "guestfwd=tcp:10.0.2.100:80-cmd:cat,"
            f"guestfwd=tcp::81-tcp:{INET_IP}:80")
    with world.Vmlan([opts, g.netdev()],
                     env={"VMLAN_RESOLV_CONF": str(RESOLV)}):
        g.dhcp()
        services = how == "services"
        assert g.ip == "10.0.2.15"
        assert "router" not in g.lease or not g.lease["router"]
        assert bool(g.lease.get("dns")) == services
        default_route(g)
        # TCP is refused at once, wherever it goes
        for ip in (INET_IP, WEB_IP, "10.0.2.2", "10.0.2.100"):
            assert "Connection refused" in ask(ip, 79 if ip.endswith("100") else 80,
                                               ns=g.ns, check=False), ip
        # UDP and other pings: silence
        assert udp_ask(INET_IP, 6001, ns=g.ns, wait=0.5) == "silence"
        assert udp_ask("10.0.2.2", 6001, ns=g.ns, wait=0.5) == "silence"
        assert udp_ask(INET_IP, 6001, ns=g.ns, wait=0.5, size=4000) == "silence"
        assert ping(g, "10.0.2.2") and ping(g, "10.0.2.3")
        assert not ping(g, INET_IP, 1)
        # names
        for way in ("+notcp", "+tcp"):
            assert dig(g, way, "www.example.org", wait=20 if services else 2) == (
                WEB_IP if services else "")
        # what is forwarded lives, both ways
        assert ask("10.0.2.100", 80, "hello", ns=g.ns) == "hello"
        assert ask("10.0.2.4", 81, ns=g.ns).split()[0] == world.HOST_IP
        w.serve(PY, "-c", WHO, "22", ns=g.ns, port=22)
        w.serve(PY, "-c", UDP_ECHO, "23", ns=g.ns, port=23, proto="udp")
        # by who has no router as well: all clients are the gateway
        g.sh("ip", "route", "del", "default")
        assert ask(world.HOST_IP, 2222, ns="inet").split()[0] == "10.0.2.2"
        assert udp_ask(world.HOST_IP, 2223, ns="inet").split()[0] == "10.0.2.2"
        for size in (1, 4000):  # the longer ones in fragments
            assert udp_ask("127.0.0.1", 2223, size=size) == f"10.0.2.2 {size}"


@pytest.fixture
def served(w):
    """A unix server outside that answers in capitals."""
    w.serve(PY, "-c",
            "import socket,threading\n"
            f"s=socket.socket(socket.AF_UNIX); s.bind('{SERVED}'); s.listen()\n"
            "def f(c):\n"
            "    while True:\n"
            "        d=c.recv(65536)\n"
            "        if not d: break\n"
            "        c.sendall(d.upper())\n"
            "    c.close()\n"
            "while True: threading.Thread(target=f,args=(s.accept()[0],)).start()\n",
            ns=None)
    world.wait_for(SERVED, lambda: os.path.exists(SERVED))
    yield
    os.unlink(SERVED)


def children(v):
    return [pid for pid in
            pathlib.Path(f"/proc/{v.proc.pid}/task/{v.proc.pid}/children")
            .read_text().split() if int(pid) != v.engine()]


def test_guestfwd_targets(w, served):
    g = w.guest()
    w.serve(PY, "-c", WHO, "80", port=80)
    opts = ("user,guestfwd=tcp:10.0.2.100:80-cmd:cat,"
            "guestfwd=tcp:10.0.2.100:81-cmd:sh -c 'echo \"$PPID\" >&2; echo \"a  b\"; exit 3',"
            f"guestfwd=tcp::82-tcp:{INET_IP}:80,"
            f"guestfwd=tcp:10.0.2.2:83-unix:{SERVED},"
            "guestfwd=tcp::84-tcp:127.0.0.1:9,"
            "guestfwd=tcp::85-cmd:/nonexistent/program,"
            "guestfwd=tcp::86-unix:/nonexistent/socket")
    with world.Vmlan([opts, g.netdev()]) as v:
        g.dhcp()
        log = v.log()
        assert "guest forward tcp 10.0.2.100:80 -> cmd:cat" in log
        assert f"guest forward tcp 10.0.2.4:82 -> tcp:{INET_IP}:80" in log
        assert f"guest forward tcp 10.0.2.2:83 -> unix:{SERVED}" in log
        assert ask("10.0.2.100", 80, "hello", ns=g.ns) == "hello"
        # the keeper is its parent: the engine may start nothing
        assert ask("10.0.2.100", 81, ns=g.ns) == f"{v.proc.pid}\na  b\n"
        assert ask("10.0.2.4", 82, ns=g.ns).split()[0] == world.HOST_IP
        assert ask("10.0.2.2", 83, "hello", ns=g.ns) == "HELLO"
        for port in (84, 85, 86, 87):
            assert "Connection refused" in ask("10.0.2.4", port, ns=g.ns,
                                               check=False), port
        world.wait_for("the programs' ends", lambda: not children(v))
        log = v.log()
        assert "guestfwd 10.0.2.100:81: sh -c" in log and "ended with status 3" in log
        assert ("guestfwd 10.0.2.4:85: command /nonexistent/program cannot be "
                "run: No such file or directory") in log
        assert "guestfwd 10.0.2.4:86: cannot connect to unix:/nonexistent/socket" in log


def lives(pid):
    """It may wait to be buried by whoever inherited it: that is dead."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def test_guestfwd_programs_have_the_limit_of_the_user(w):
    """vmlan raises its own; a program may close all that it could have."""
    g = w.guest()
    opts = "user,guestfwd=tcp:10.0.2.100:80-cmd:sh -c 'ulimit -Sn; ulimit -Hn'"
    with world.Vmlan([opts, g.netdev()],
                     wrap=("prlimit", "--nofile=250:1000")):
        g.dhcp()
        assert ask("10.0.2.100", 80, ns=g.ns) == "250\n1000\n"


def test_guestfwd_is_a_process_for_each_connection(w):
    g = w.guest()
    opts = "user,guestfwd=tcp:10.0.2.100:80-cmd:cat"
    with world.Vmlan([opts, g.netdev()]) as v:
        g.dhcp()
        hold = (
            "import socket,sys\n"
            "ss=[socket.create_connection(('10.0.2.100',80),10) for i in range(20)]\n"
            "for i,s in enumerate(ss): s.sendall(b'%d' % i)\n"
            "for i,s in enumerate(ss): assert s.recv(100)==b'%d' % i\n"
            "print('held',flush=True); sys.stdin.read()\n")
        p = g.popen(PY, "-c", hold, stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, text=True)
        assert p.stdout.readline() == "held\n"
        assert len(children(v)) == 20
        p.stdin.close()
        assert p.wait(10) == 0
        p.stdout.close()
        world.wait_for("their ends", lambda: not children(v))
        # those that live at the end are told to end
        p = g.popen(PY, "-c", hold, stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE, text=True)
        assert p.stdout.readline() == "held\n"
        kids = children(v)
        assert len(kids) == 20
    world.wait_for("the programs' ends", lambda: not any(map(lives, kids)))
    p.stdin.close()
    p.wait(10)
    p.stdout.close()


def test_guestfwd_programs_are_bounded(w):
    """A guest cannot have more than half of the 256 at a time, another one half
    of the rest, whatever addresses they use; and is told so."""
    a, b = w.guest(), w.guest()
    opts = "user,guestfwd=tcp:10.0.2.100:80-cmd:cat"
    many = ("import socket,sys\n"
            "ss=[]; refused=0\n"
            "for i in range(140):\n"
            "    me='10.0.2.%d'%(int(sys.argv[1])+i%4)\n"
            "    try: ss.append(socket.create_connection(('10.0.2.100',80),10,(me,0)))\n"
            "    except ConnectionRefusedError: refused+=1\n"
            "print(len(ss),refused,flush=True); sys.stdin.read()\n")
    with world.Vmlan([opts, a.netdev(), b.netdev()]) as v:
        for g, first in ((a, 110), (b, 120)):
            g.dhcp()
            for i in range(4):
                g.sh("ip", "addr", "add", f"10.0.2.{first + i}/24", "dev", "eth0")
        with world.process(PY, "-c", many, "110", ns=a.ns, stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE, text=True) as p:
            assert p.stdout.readline().split() == ["128", "12"]
            assert "128 programs run already, 128 of them for this guest" in v.log()
            with world.process(PY, "-c", many, "120", ns=b.ns, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True) as q:
                assert q.stdout.readline().split() == ["64", "76"]
            world.wait_for("its programs' ends", lambda: len(children(v)) == 128)
            assert ask("10.0.2.100", 80, "again", ns=b.ns) == "again"
        world.wait_for("their ends", lambda: not children(v))
        assert ask("10.0.2.100", 80, "again", ns=a.ns) == "again"


@pytest.mark.parametrize("deny", ["", "peek_off"])
def test_guestfwd_carries_bytes(w, deny):
    """Much, both ways, through a program and through a unix socket."""
    g = w.guest()
    w.serve(XFER, "serve", "5001", ns=None, port=5001)
    relay = ("import os,sys,socket,threading\n"
             "s=socket.create_connection((\"127.0.0.1\",5001))\n"
             "def up():\n"
             "    while True:\n"
             "        d=os.read(0,65536)\n"
             "        if not d: break\n"
             "        s.sendall(d)\n"
             "    s.shutdown(socket.SHUT_WR)\n"
             "threading.Thread(target=up,daemon=True).start()\n"
             "while True:\n"
             "    d=s.recv(65536)\n"
             "    if not d: break\n"
             "    while d: d=d[os.write(1,d):]\n")
    script = pathlib.Path("/run/relay.py")
    script.write_text(relay)
    opts = f"user,guestfwd=tcp:10.0.2.100:80-cmd:{PY} {script}"
    with world.Vmlan([opts, g.netdev()], env={"VMLAN_DENY": deny}):
        g.dhcp()
        for what in ("send", "recv"):
            out = g.sh(XFER, what, "10.0.2.100", "80", "20000000").stdout
            assert out.startswith("equal"), (what, out)


def test_guestfwd_without_a_descriptor(w):
    """The guest is refused, and nobody else hears of it."""
    g = w.guest()
    opts = "user,guestfwd=tcp:10.0.2.100:80-cmd:cat"
    with world.Vmlan([opts, g.netdev()]) as v:
        g.dhcp()
        engine = v.engine()
        soft, hard = resource.prlimit(engine, resource.RLIMIT_NOFILE)
        resource.prlimit(engine, resource.RLIMIT_NOFILE, (1, hard))
        for _ in range(3):
            assert "Connection refused" in ask("10.0.2.100", 80, "x", ns=g.ns,
                                               check=False)
        world.wait_for("the programs' ends", lambda: not children(v))
        resource.prlimit(engine, resource.RLIMIT_NOFILE, (soft, hard))
        assert ask("10.0.2.100", 80, "again", ns=g.ns) == "again"
        assert v.engine() == engine


def test_guestfwd_flood_leaves_room_for_others(w):
    """However often a guest calls: the keeper hears what else there is."""
    g = w.guest()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(SOCK)
        other.listen()
        other.settimeout(20)
        stream = (f"stream,server=off,addr.type=unix,addr.path={SOCK},"
                  "reconnect-ms=100")
        opts = "user,guestfwd=tcp:10.0.2.100:80-cmd:cat"
        with world.Vmlan([opts, stream, g.netdev()]) as v:
            g.dhcp()
            machine, _ = other.accept()
            os.kill(v.proc.pid, signal.SIGSTOP)
            p = g.popen(PY, "-c",
                        "import socket,sys\n"
                        "ss=[socket.socket() for i in range(900)]\n"
                        "for s in ss:\n"
                        "    s.setblocking(False)\n"
                        "    s.connect_ex(('10.0.2.100',80))\n"
                        "print('called',flush=True); sys.stdin.read()\n",
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert p.stdout.readline() == "called\n"
            assert ping(g, "10.0.2.2")  # the calls are before it
            machine.close()
            assert ping(g, "10.0.2.2")
            os.kill(v.proc.pid, signal.SIGCONT)
            machine, _ = other.accept()
            machine.close()
            p.stdin.close()
            p.stdout.close()
            assert p.wait(20) == 0
            world.wait_for("the programs' ends", lambda: not children(v))
            assert ask("10.0.2.100", 80, "again", ns=g.ns) == "again"
    os.unlink(SOCK)


def test_guestfwd_outlives_the_engine(w):
    g = w.guest()
    opts = "user,guestfwd=tcp:10.0.2.100:80-cmd:cat"
    with world.Vmlan([opts, g.netdev()]) as v:
        g.dhcp()
        assert ask("10.0.2.100", 80, "one", ns=g.ns) == "one"
        old = v.engine()
        os.kill(old, 9)
        world.wait_for("another engine", lambda: v.engine() not in (None, old))
        def answers():
            return ask("10.0.2.100", 80, "two", ns=g.ns, check=False) == "two"
        world.wait_for("an answer", answers)


def test_hostfwd_port_0_is_said(w):
    g = w.guest()
    opts = "user,hostfwd=tcp:127.0.0.1:0-:22,hostfwd=udp:127.0.0.1:0-:23"
    with world.Vmlan([opts, g.netdev()]) as v:
        g.dhcp()
        w.serve(PY, "-c", WHO, "22", ns=g.ns, port=22)
        w.serve(PY, "-c", UDP_ECHO, "23", ns=g.ns, port=23, proto="udp")
        tcp = re.search(r"forward tcp 127\.0\.0\.1:(\d+) -> 10\.0\.2\.15:22", v.log())
        udp = re.search(r"forward udp 127\.0\.0\.1:(\d+) -> 10\.0\.2\.15:23", v.log())
        assert int(tcp[1]) and int(udp[1])
        assert ask("127.0.0.1", tcp[1]).split()[0] == "10.0.2.2"
        assert udp_ask("127.0.0.1", udp[1]).split()[0] == "10.0.2.2"


def unix_ask(text=b""):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(SOCK)
        try:
            s.sendall(text)
            s.shutdown(socket.SHUT_WR)
        except OSError as e:  # closed already
            if e.errno not in (errno.EPIPE, errno.ENOTCONN):
                raise
        out = b""
        while True:
            d = s.recv(65536)
            if not d:
                return out
            out += d


def test_hostfwd_unix(w):
    g = w.guest()
    left = socket.socket(socket.AF_UNIX)
    left.bind(SOCK)  # somebody died and left this
    left.close()
    with world.Vmlan([f"user,hostfwd=unix:{SOCK}-:22", g.netdev()]) as v:
        g.dhcp()
        assert f"forward unix:{SOCK} -> 10.0.2.15:22" in v.log()
        assert unix_ask() == b""  # closed: the end, no byte
        p = w.serve(PY, "-c", WHO, "22", ns=g.ns, port=22)
        who, port = unix_ask().split()
        assert who == b"10.0.2.2" and 49152 <= int(port) <= 65535
        p.kill()
        p.wait()
        # much, both ways
        w.serve(XFER, "serve", "22", ns=g.ns, port=22)
        bridge = (
            "import socket,sys,threading\n"
            "l=socket.socket(); l.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)\n"
            "l.bind(('127.0.0.1',5002)); l.listen()\n"
            "def pump(a,b):\n"
            "    while True:\n"
            "        d=a.recv(65536)\n"
            "        if not d: break\n"
            "        b.sendall(d)\n"
            "    b.shutdown(socket.SHUT_WR)\n"
            "while True:\n"
            "    c,_=l.accept(); u=socket.socket(socket.AF_UNIX); u.connect(sys.argv[1])\n"
            "    for x,y in ((c,u),(u,c)): threading.Thread(target=pump,args=(x,y)).start()\n")
        w.serve(PY, "-c", bridge, SOCK, ns=None, port=5002)
        for what in ("send", "recv"):
            assert sh(XFER, what, "127.0.0.1", "5002", "20000000").stdout.startswith("equal")
    assert not os.path.exists(SOCK)


def test_hostfwd_unix_of_another_stays(w):
    """Somebody took the path over: the end of vmlan leaves it to him."""
    with socket.socket(socket.AF_UNIX) as s:
        with world.Vmlan([f"user,hostfwd=unix:{SOCK}-:22", "hubport,hubid=1"]):
            os.unlink(SOCK)
            s.bind(SOCK)
            s.listen()
        assert os.path.exists(SOCK)
    os.unlink(SOCK)


def test_hostfwd_unix_conflicts(w):
    def refused(text):
        r = sh(world.VMLAN, "join", f"user,hostfwd=unix:{SOCK}-:22",
               "hubport,hubid=1", check=False)
        line = r.stderr.strip()
        assert r.returncode == 5 and "\n" not in line and text in line, r

    pathlib.Path(SOCK).write_text("precious")
    refused("exists and is not a socket")
    assert pathlib.Path(SOCK).read_text() == "precious"
    os.unlink(SOCK)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(SOCK)
        s.listen()
        refused("somebody listens there already")
    os.unlink(SOCK)


CLOSED = (
    "import socket,sys\n"
    "try:\n" # the reset may be there before connect() returns
    "    s=socket.create_connection((sys.argv[1],int(sys.argv[2])),10)\n"
    "    s.sendall(b'x'); print('data' if s.recv(1) else 'end')\n"
    "except ConnectionResetError: print('reset')\n"
    "except BrokenPipeError: print('reset')\n")


def test_closed_guest_port_resets_the_client(w):
    g = w.guest()
    with world.Vmlan(["user,hostfwd=tcp::2222-:22,hostfwd=udp::2223-:23",
                      g.netdev()]):
        g.dhcp()
        for ns, ip in ((None, "127.0.0.1"), ("inet", world.HOST_IP)):
            assert sh(PY, "-c", CLOSED, ip, "2222", ns=ns).stdout == "reset\n"
        # open at last: nothing is remembered
        w.serve(PY, "-c", WHO, "22", ns=g.ns, port=22)
        assert ask("127.0.0.1", 2222).split()[0] == "10.0.2.2"


@pytest.mark.parametrize("code", ["port-unreachable", "host-prohibited", "admin-prohibited"])
def test_guests_firewall_resets_the_client(w, code):
    """What most of them reject by is an ICMP error: the client does not wait
    until nobody asks any more."""
    g = w.guest()
    with world.Vmlan(["user,hostfwd=tcp::2222-:22", g.netdev()]):
        g.dhcp()
        w.serve(PY, "-c", WHO, "22", ns=g.ns, port=22)
        assert ask("127.0.0.1", 2222).split()[0] == "10.0.2.2"
        g.sh("nft", "add table ip t; add chain ip t c { type filter hook input priority 0; };"
             f"add rule ip t c tcp dport 22 reject with icmp type {code}")
        for ns, ip in ((None, "127.0.0.1"), ("inet", world.HOST_IP)):
            assert sh(PY, "-c", CLOSED, ip, "2222", ns=ns).stdout == "reset\n"
        g.sh("nft", "flush", "ruleset")
        assert ask("127.0.0.1", 2222).split()[0] == "10.0.2.2"


def test_forwards_of_run_by_unix_socket(w):
    """-p takes QEMU's unix: as well; the socket goes with the network."""
    r = sh(world.VMLAN, "run", "-p", f"unix:{SOCK}-:22", "--", "sh", "-c",
           f"test -S {SOCK}", "sh", "{socket}", check=False)
    assert r.returncode == 0, r.stderr
    world.wait_for("its end", lambda: not os.path.exists(SOCK))
