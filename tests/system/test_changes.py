# SPDX-License-Identifier: BSD-3-Clause
"""The host's network changes while vmlan runs: addresses, routes, interfaces,
resolvers.  What can live on does, what cannot is told.

        inet  192.0.2.1, 198.51.100.1, 203.0.113.80
          |         |
          up0       up1        (up1 made here)
        host  192.0.2.2, 198.51.100.2
"""
import os
import pathlib
import shutil
import subprocess

import pytest

import world
from world import HOST_IP, INET_IP, WEB_IP, sh

PY = "/usr/bin/python3"
NEW_IP = "192.0.2.9"
OTHER_IP, OTHER_GW = "198.51.100.2", "198.51.100.1"
RESOLV = pathlib.Path("/run/resolv.conf")
can_ping = "ping" not in world.DENIED

# Says to whoever sends a datagram, or a line, from where it came.
SERVER = r"""
import socket, struct, threading
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO: the address that was asked
u.bind(('0.0.0.0', 7))
def udp():
    while True:
        d, anc, _, a = u.recvmsg(2000, 512)
        dst = [x[2][8:12] for x in anc if x[1] == 8][0]
        info = struct.pack('=i4s4s', 0, dst, bytes(4))
        try: u.sendmsg([('%s %d' % a).encode()], [(socket.IPPROTO_IP, 8, info)], 0, a)
        except OSError: pass
threading.Thread(target=udp, daemon=True).start()
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('0.0.0.0', 7)); s.listen(100)
def tcp(c, a):
    try:
        while c.recv(1000): c.sendall(('%s %d\n' % a).encode())
    except OSError: pass
while True: threading.Thread(target=tcp, args=s.accept(), daemon=True).start()
"""

# Moved by lines: "open NAME udp|tcp IP PORT", "ask NAME" (the answer, or the
# errno), "wait NAME" (how a connection ends).
PROGRAM = r"""
import socket, sys
socks = {}
for line in sys.stdin:
    what, name, *rest = line.split()
    try:
        if what == 'open':
            kind = socket.SOCK_STREAM if rest[0] == 'tcp' else socket.SOCK_DGRAM
            s = socks[name] = socket.socket(socket.AF_INET, kind)
            if rest[0] == 'udp': s.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
            s.settimeout(10)
            s.connect((rest[1], int(rest[2])))
            out = 'open'
        elif what == 'ask':
            s = socks[name]
            s.settimeout(float(rest[0]))
            s.send(b'?\n')
            out = s.recv(1000).decode().strip() or 'end'
        else:
            s = socks[name]
            s.settimeout(20)
            out = s.recv(1000).decode().strip() or 'end'
    except socket.timeout:
        out = 'silence'
    except OSError as e:
        out = 'errno %d' % e.errno
    print(out, flush=True)
"""


class Program:
    def __init__(self, g):
        self.p = g.popen(PY, "-c", PROGRAM, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True)

    def do(self, what):
        self.p.stdin.write(what + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().strip()

    def open(self, name, proto, ip, port=7):
        return self.do(f"open {name} {proto} {ip} {port}")

    def ask(self, name, seconds=10):
        return self.do(f"ask {name} {seconds}")

    def source(self, name):
        """The address from which a datagram comes now (it may be lost)."""
        return self.ask(name, 0.5).split()[0]

    def close(self):
        self.p.kill()
        self.p.wait()
        self.p.stdin.close()
        self.p.stdout.close()


def host(*commands):
    """ip(8) commands of the host, as one change."""
    r = sh("ip", "-batch", "-", input="\n".join(commands) + "\n", check=False)
    assert r.returncode == 0, r.stderr


def dig(g, *args):
    return g.sh("dig", "+tries=1", "+time=2", "+short", "@10.0.2.3", *args,
                check=False).stdout.strip()


@pytest.fixture
def net(w):
    """A guest with a program, a second way out of the host, a resolver."""
    host("link add up1 type veth peer name eth1 netns inet",
         f"addr add {OTHER_IP}/24 dev up1", "link set up1 up")
    sh("ip", "addr", "add", f"{OTHER_GW}/24", "dev", "eth1", ns="inet")
    sh("ip", "link", "set", "eth1", "up", ns="inet")
    for ns, dev in ((None, "up0"), (None, "up1"), (None, "all"),
                    ("inet", "eth0"), ("inet", "eth1"), ("inet", "all")):
        sh("sh", "-c", f"echo 0 > /proc/sys/net/ipv4/conf/{dev}/rp_filter", ns=ns)
    for dev in ("eth0", "eth1"):  # TCP that comes by the other way
        sh("sh", "-c", f"echo 1 > /proc/sys/net/ipv4/conf/{dev}/arp_ignore", ns="inet")
    w.serve(PY, "-c", SERVER, ns="inet", port=7)
    w.serve(PY, "-c", SERVER, ns=None, port=7)
    for ip, says in ((INET_IP, WEB_IP), (WEB_IP, "10.53.0.80")):
        w.python("dns_server.py", says, ip)
        world.wait_for("a resolver", lambda: f"{ip}:53 " in
                       sh("ss", "-H", "-lun", ns="inet").stdout)
    RESOLV.write_text(f"nameserver {INET_IP}\n")
    g = w.guest()
    try:
        with world.Vmlan(["user,hostfwd=tcp::2222-:7,hostfwd=udp::2223-:7", g.netdev()],
                         env={"VMLAN_RESOLV_CONF": str(RESOLV)}) as v:
            g.dhcp()
            p = Program(g)
            try:
                yield w, g, v, p
            finally:
                p.close()
    finally:
        sh("ip", "link", "del", "up1", check=False)


def change_address():
    host(f"addr del {HOST_IP}/24 dev up0", f"addr add {NEW_IP}/24 dev up0",
         f"route add default via {INET_IP}")


def test_address_changes(net):
    """Connections from the old one are reset, others live; datagrams and
    questions leave from the new one."""
    w, g, _, p = net
    assert p.open("old", "tcp", WEB_IP) == "open"
    assert p.ask("old").split()[0] == HOST_IP
    assert p.open("other", "tcp", OTHER_GW) == "open"
    assert p.ask("other").split()[0] == OTHER_IP
    assert p.open("loop", "tcp", "10.0.2.2") == "open"
    assert p.ask("loop").split()[0] == "127.0.0.1"
    assert p.open("udp", "udp", WEB_IP) == "open"
    before = p.ask("udp").split()
    assert before[0] == HOST_IP
    world.wait_for("names", lambda: dig(g, "a.test") == WEB_IP)
    change_address()
    # ECONNRESET; of itself it would hang for a quarter of an hour
    assert p.do("wait old") == "errno 104"
    assert p.ask("other").split()[0] == OTHER_IP
    assert p.ask("loop").split()[0] == "127.0.0.1"
    world.wait_for("datagrams from the new address", lambda: p.source("udp") == NEW_IP)
    assert p.ask("udp").split() == [NEW_IP, before[1]]  # by the same socket
    world.wait_for("names", lambda: dig(g, "b.test") == WEB_IP)
    assert p.open("new", "tcp", WEB_IP) == "open"
    assert p.ask("new").split()[0] == NEW_IP


CLIENT = r"""
import socket, sys
s = socket.create_connection((sys.argv[1], 2222), 10)
s.sendall(b'?\n')
print(s.recv(1000).decode().strip(), flush=True)
sys.stdin.read()
"""
# Takes one connection, answers a line, and says how it ends.
ENDS = r"""
import socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('0.0.0.0', 7)); s.listen()
print('ready', flush=True)
c, _ = s.accept()
c.settimeout(20)
c.recv(1000); c.sendall(b'hello')
try: print(c.recv(1000) or 'end', flush=True)
except OSError as e: print(type(e).__name__, flush=True)
"""


def test_forwarded_connection_ends_with_its_address(net):
    """The guest's program is told; who connects to the new address is served."""
    w, g, _, _ = net
    for ip in (HOST_IP, NEW_IP):
        with world.process(PY, "-c", ENDS, ns=g.ns, stdout=subprocess.PIPE,
                           text=True) as s:
            assert s.stdout.readline() == "ready\n"
            with world.process(PY, "-c", CLIENT, ip, ns="inet", stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True) as c:
                assert c.stdout.readline() == "hello\n"
                if ip == HOST_IP:
                    change_address()
                    assert s.stdout.readline() == "ConnectionResetError\n"


def test_address_goes_and_comes_back(net):
    """A renewal that takes it away for a moment costs nothing."""
    _, _, _, p = net
    assert p.open("tcp", "tcp", WEB_IP) == "open"
    assert p.ask("tcp").split()[0] == HOST_IP
    assert p.open("other", "tcp", OTHER_GW) == "open"
    assert p.ask("other").split()[0] == OTHER_IP
    host(f"addr del {HOST_IP}/24 dev up0", f"addr add {HOST_IP}/24 dev up0",
         f"route add default via {INET_IP}")
    # another change that shows when the first was looked at
    host(f"addr del {OTHER_IP}/24 dev up1")
    assert p.do("wait other") == "errno 104"
    assert p.ask("tcp").split()[0] == HOST_IP


def test_default_route_moves(net):
    """To a second interface: what is connected keeps its address, all else
    goes the new way, questions for names too."""
    _, g, _, p = net
    assert p.open("tcp", "tcp", WEB_IP) == "open"
    port = p.ask("tcp")
    assert port.split()[0] == HOST_IP
    assert p.open("udp", "udp", WEB_IP) == "open"
    before = p.ask("udp").split()
    RESOLV.write_text(f"nameserver {WEB_IP}\n")
    world.wait_for("names", lambda: dig(g, "a.test") == "10.53.0.80")
    host(f"route replace default via {OTHER_GW} dev up1")
    # where one has moved, its old address may not be heard any more
    sh("nft", "add table ip t; add chain ip t c { type filter hook input priority 0; };"
       f"add rule ip t c ip saddr {HOST_IP} udp dport 53 drop", ns="inet")
    assert p.ask("tcp") == port
    world.wait_for("datagrams by the new way", lambda: p.source("udp") == OTHER_IP)
    assert p.ask("udp").split() == [OTHER_IP, before[1]]
    world.wait_for("names by the new way", lambda: dig(g, "b.test") == "10.53.0.80")
    assert p.open("new", "tcp", WEB_IP) == "open"
    assert p.ask("new").split()[0] == OTHER_IP


def test_no_route_is_said_at_once(net):
    """Net unreachable, from the gateway; and what was connected outlives it."""
    _, g, _, p = net
    assert p.open("tcp", "tcp", WEB_IP) == "open"
    port = p.ask("tcp")
    assert p.open("udp", "udp", WEB_IP) == "open"
    assert p.ask("udp").split()[0] == HOST_IP
    host("route del default")
    for name, proto in (("t", "tcp"), ("u", "udp")):
        out = p.open(name, proto, WEB_IP)
        if proto == "udp":
            out = p.ask("u")
        assert out == "errno 101", (proto, out)  # ENETUNREACH
    if can_ping:
        out = g.sh("ping", "-c", "1", "-W", "5", WEB_IP, check=False).stdout
        assert "From 10.0.2.2" in out and "Net Unreachable" in out, out
    host(f"route add default via {INET_IP}")
    world.wait_for("datagrams", lambda: p.source("udp") == HOST_IP)
    assert p.ask("tcp") == port
    # an interface that is down for a while
    host("link set up0 down")
    out = p.open("u", "udp", WEB_IP) and p.ask("u")
    assert out == "errno 101", out
    host("link set up0 up", f"route add default via {INET_IP}")
    world.wait_for("datagrams", lambda: p.source("udp") == HOST_IP)
    assert p.ask("tcp", 20) == port
    world.wait_for("names", lambda: dig(g, "c.test") == WEB_IP)


def test_interface_goes(net):
    """With it goes its address."""
    _, _, _, p = net
    assert p.open("other", "tcp", OTHER_GW) == "open"
    assert p.ask("other").split()[0] == OTHER_IP
    assert p.open("tcp", "tcp", WEB_IP) == "open"
    assert p.ask("tcp").split()[0] == HOST_IP
    host("link del up1")
    assert p.do("wait other") == "errno 104"
    assert p.ask("tcp").split()[0] == HOST_IP


# --- resolvers ---

RUN = pathlib.Path("/run/names")  # what a link points into


def replace(path, text):
    new = path.with_suffix(".new")
    new.write_text(text)
    os.rename(new, path)


def relink(path, to):
    new = path.with_suffix(".new")
    os.symlink(to, new)
    os.rename(new, path)


@pytest.fixture
def names(w):
    """A resolver outside for each answer; how to say which is meant."""
    for i in range(1, 5):
        sh("ip", "addr", "add", f"203.0.113.{i}/32", "dev", "lo", ns="inet")
        w.python("dns_server.py", f"10.53.0.{i}", f"203.0.113.{i}")
        world.wait_for("a resolver", lambda: f"203.0.113.{i}:53 " in
                       sh("ss", "-H", "-lun", ns="inet").stdout)
    shutil.rmtree(RUN, ignore_errors=True)
    yield lambda i: f"# generated\nsearch test\nnameserver 203.0.113.{i}\n"
    shutil.rmtree(RUN, ignore_errors=True)
    if os.path.lexists(RESOLV):
        RESOLV.unlink()


def follows(g, i):
    world.wait_for(f"resolver {i}", lambda: dig(g, "a.test") == f"10.53.0.{i}")


def watched(w):
    g = w.guest()
    return g, world.Vmlan(["user", g.netdev()], env={"VMLAN_RESOLV_CONF": str(RESOLV)})


def test_resolver_file_is_replaced(w, names):
    RESOLV.write_text(names(1))
    g, v = watched(w)
    with v:
        g.dhcp()
        follows(g, 1)
        replace(RESOLV, names(2))      # by rename
        follows(g, 2)
        RESOLV.write_text(names(3))    # in place
        follows(g, 3)
        RUN.mkdir()
        (RUN / "stub.conf").write_text(names(4))
        relink(RESOLV, RUN / "stub.conf")  # by a link
        follows(g, 4)
        replace(RUN / "stub.conf", names(1))  # and there
        follows(g, 1)
        (RUN / "other.conf").write_text(names(2))
        relink(RESOLV, "names/other.conf")  # to elsewhere, relative
        follows(g, 2)
        (RUN / "other.conf").write_text(names(3))
        follows(g, 3)


def test_resolver_file_behind_several_links(w, names):
    """resolv.conf -> names/link -> a/resolv.conf, and each of them changes."""
    for d in "ab":
        (RUN / d).mkdir(parents=True)
    (RUN / "a/resolv.conf").write_text(names(1))
    (RUN / "b/resolv.conf").write_text(names(2))
    os.symlink("a/resolv.conf", RUN / "link")
    relink(RESOLV, RUN / "link")
    g, v = watched(w)
    with v:
        g.dhcp()
        follows(g, 1)
        relink(RUN / "link", "b/resolv.conf")  # the one in the middle
        follows(g, 2)
        replace(RUN / "b/resolv.conf", names(3))
        follows(g, 3)
        os.rename(RUN / "b", RUN / "c")  # a folder on the way
        os.symlink("a", RUN / "b")
        follows(g, 1)
        relink(RUN / "b", "c")
        follows(g, 3)


def test_resolver_file_comes_late(w, names):
    """A link into a folder that a service makes later, and again."""
    relink(RESOLV, RUN / "resolve/resolv.conf")
    g, v = watched(w)
    with v:
        g.dhcp()
        for i in (1, 2):
            (RUN / "resolve").mkdir(parents=True)
            (RUN / "resolve/resolv.conf").write_text(names(i))
            follows(g, i)
            shutil.rmtree(RUN)
