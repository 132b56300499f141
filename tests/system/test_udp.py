# SPDX-License-Identifier: BSD-3-Clause
"""UDP through `user`: one mapping for all peers, and refusals both ways."""
import subprocess

import pytest

import world
from world import HOST_IP, INET_IP, sh

PY = "/usr/bin/python3"

# Answers whoever asks, from the address that was asked, with what it sees.
MIRROR = r"""
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
s.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
s.bind(('0.0.0.0', int(sys.argv[1])))
while True:
    d, anc, _, a = s.recvmsg(2000, 512)
    dst = [x[2][8:12] for x in anc if x[1] == 8][0]
    info = struct.pack('=i4s4s', 0, dst, bytes(4))
    s.sendmsg([b'%s %d' % (a[0].encode(), a[1])], [(socket.IPPROTO_IP, 8, info)], 0, a)
"""


def sockets():
    """UDP sockets of the host that nobody connected."""
    return len(sh("ss", "-Huan").stdout.splitlines())


@pytest.fixture
def net(w):
    w.serve(PY, "-c", MIRROR, "6001", port=6001, proto="udp")
    g = w.guest()
    with world.Vmlan(["user,hostfwd=udp::2223-:23,hostfwd=udp:127.0.0.1:2224-:24",
                      g.netdev()]) as v:
        g.dhcp()
        yield w, g, v


MANY = r"""
import select, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
left = {('198.18.%d.%d' % (i >> 8, i & 255), 6001) for i in range(int(sys.argv[1]))}
seen = set()
def take(seconds):
    while left and select.select([s], [], [], seconds)[0]:
        d, a = s.recvfrom(100)
        left.discard(a); seen.add(d)
for _ in range(20):  # datagrams may be lost
    for n, p in enumerate(list(left)):
        s.sendto(b'?', p)
        if n % 16 == 15:
            take(0)
    take(0.5)
print(len(left), *[x.decode() for x in seen], flush=True)
sys.stdin.read()
"""


def test_thousands_of_peers_cost_one_socket(net):
    _, g, _ = net
    sh("ip", "route", "add", "local", "198.18.0.0/15", "dev", "lo", ns="inet")
    before = sockets()
    with world.process(PY, "-c", MANY, "3000", ns=g.ns, stdin=subprocess.PIPE,
                       stdout=subprocess.PIPE, text=True) as p:
        out = p.stdout.readline().split()
        assert out[0] == "0", out
        # all of them saw one address and port
        assert len(out) == 3 and out[1] == HOST_IP, out
        assert sockets() == before + 1


PEER = r"""
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(10)
s.sendto(b'?', (sys.argv[1], 6001))
print(s.recv(100).decode(), flush=True)
for line in sys.stdin:
    what = line.split()
    if what[0] == 'send':
        s.sendto(what[3].encode(), (what[1], int(what[2])))
        print('sent', flush=True)
    else:
        d, a = s.recvfrom(100)
        print(a[0], a[1], d.decode(), flush=True)
"""


class Peer:
    """A program of a guest that has a mapping."""

    def __init__(self, g):
        self.p = g.popen(PY, "-c", PEER, INET_IP, stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, text=True)
        self.ip, self.port = self.p.stdout.readline().split()

    def do(self, what):
        self.p.stdin.write(what + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().split()

    def close(self):
        self.p.stdin.close()
        self.p.wait(10)
        self.p.stdout.close()


def test_strangers_and_neighbours_reach_a_mapping(w):
    """Filtering is independent of the endpoint, and hairpins work (RFC 4787
    REQ-8, REQ-9): machines of one network meet at their outer addresses."""
    w.serve(PY, "-c", MIRROR, "6001", port=6001, proto="udp")
    a, b = w.guest(), w.guest()
    with world.Vmlan(["user", a.netdev(), b.netdev()]):
        a.dhcp()
        b.dhcp()
        pa, pb = Peer(a), Peer(b)
        try:
            assert pa.ip == pb.ip == HOST_IP
            sh(PY, "-c", "import socket,sys\n"
               "socket.socket(socket.AF_INET,socket.SOCK_DGRAM)"
               ".sendto(b'stranger',(sys.argv[1],int(sys.argv[2])))",
               HOST_IP, pa.port, ns="inet")
            got = pa.do("recv")
            assert got[0] == INET_IP and got[1] != "6001" and got[2] == "stranger"
            assert pa.do(f"send {HOST_IP} {pb.port} hello") == ["sent"]
            assert pb.do("recv") == [HOST_IP, pa.port, "hello"]
            assert pb.do(f"send {HOST_IP} {pa.port} back") == ["sent"]
            assert pa.do("recv") == [HOST_IP, pb.port, "back"]
        finally:
            pa.close()
            pb.close()


ASK = r"""
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
s.settimeout(float(sys.argv[3]))
s.connect((sys.argv[1], int(sys.argv[2])))
s.send(b'the question')
try:
    print('answer', s.recv(100).decode())
except ConnectionRefusedError:
    d, anc, _, a = s.recvmsg(100, 512, socket.MSG_ERRQUEUE)
    t, code = [x[2][5:7] for x in anc if x[1] == 11][0]
    print('refused', t, code, a[0], a[1], d.decode())
except OSError as e:
    print(type(e).__name__, e.errno)
"""


def ask(ip, port, ns=None, wait=10):
    return sh(PY, "-c", ASK, ip, str(port), str(wait), ns=ns).stdout.strip().split(None, 5)


def refused(ip, port):
    return ["refused", "3", "3", ip, str(port), "the question"]


def test_a_closed_port_outside_is_refused_to_the_guest(net):
    _, g, _ = net
    assert ask(INET_IP, 5999, ns=g.ns) == refused(INET_IP, 5999)
    assert ask("10.0.2.2", 5999, ns=g.ns) == refused("10.0.2.2", 5999)


def test_a_closed_port_of_the_guest_is_refused_to_the_client(net):
    """Of a port bound to all addresses, and of one bound to one; quoted with
    the client's own datagram."""
    w, g, _ = net
    assert ask("127.0.0.1", 2223) == refused("127.0.0.1", 2223)
    assert ask("127.0.0.1", 2224) == refused("127.0.0.1", 2224)
    assert ask(HOST_IP, 2223) == refused(HOST_IP, 2223)
    assert ask(HOST_IP, 2223, ns="inet") == refused(HOST_IP, 2223)
    # open at last: nothing is remembered
    w.serve(PY, "-c", MIRROR, "23", ns=g.ns, port=23, proto="udp")
    assert ask("127.0.0.1", 2223)[:2] == ["answer", "10.0.2.2"]
    assert ask(HOST_IP, 2223, ns="inet")[:2] == ["answer", INET_IP]


# Waits for a datagram, then sends to who sent it, once for each line that it is
# told, by a socket connected to that peer alone; says what comes back.
SERVER = ASK.split("s.settimeout")[0] + r"""
s.settimeout(10)
s.bind((sys.argv[1], int(sys.argv[2])))
print('ready', flush=True)
d, who = s.recvfrom(100)
s.connect(who)
print(*who, flush=True)
for line in sys.stdin:
    if line == 'hear\n':
        print(s.recv(100).decode(), flush=True)
        continue
    s.send(b'the question')
    try:
        print('answer', s.recv(100).decode(), flush=True)
    except ConnectionRefusedError:
        d, anc, _, a = s.recvmsg(100, 512, socket.MSG_ERRQUEUE)
        t, code = [x[2][5:7] for x in anc if x[1] == 11][0]
        print('refused', t, code, a[0], a[1], d.decode(), flush=True)
    except OSError as e:
        print(type(e).__name__, e.errno, flush=True)
"""
SAY = ("import socket,sys\ns=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
       "s.bind(('0.0.0.0',5555))\ns.sendto(b'hello',(sys.argv[1],int(sys.argv[2])))")


class Server:
    """A program that a guest has spoken to from a port that is closed by now."""

    def __init__(self, g, ip, port, ns, to):
        self.p = world.popen(PY, "-c", SERVER, ip, str(port), ns=ns, stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
        assert self.p.stdout.readline() == "ready\n"
        g.sh(PY, "-c", SAY, to, str(port))
        self.ip, self.port = self.p.stdout.readline().split()

    def do(self, what):
        self.p.stdin.write(what + "\n")
        self.p.stdin.flush()
        return self.p.stdout.readline().rstrip("\n").split(None, 5)

    def close(self):
        self.p.stdin.close()
        self.p.wait(20)
        self.p.stdout.close()


def test_a_port_that_the_guest_closed_is_refused_to_its_server(net):
    """By the host's address and the port that the server knows, quoted with
    its own datagram; and the guest's next socket has the same mapping."""
    _, g, _ = net
    for port, ip, to, ns in ((6002, INET_IP, INET_IP, "inet"), (6003, HOST_IP, HOST_IP, None),
                             (6004, "127.0.0.1", "10.0.2.2", None)):
        s = Server(g, ip, port, ns, to)
        try:
            for _ in range(2):
                assert s.do("ask") == refused(s.ip, s.port)
            g.sh(PY, "-c", SAY, to, str(port))
            assert s.do("hear") == ["hello"]
            assert s.do("ask") == refused(s.ip, s.port)
        finally:
            s.close()


def test_a_server_at_another_address_of_the_host(net):
    """Who speaks to an address that the kernel would not choose is refused by
    that one, from its second datagram on."""
    _, g, _ = net
    sh("ip", "addr", "add", "192.0.2.7/24", "dev", "up0")
    s = Server(g, INET_IP, 6002, "inet", INET_IP)
    try:
        world.wait_for("a refusal from 192.0.2.7", lambda: ask(
            "192.0.2.7", s.port, ns="inet", wait=0.5) == refused("192.0.2.7", s.port))
    finally:
        s.close()
        sh("ip", "addr", "del", "192.0.2.7/24", "dev", "up0")


def test_clients_are_answered_from_where_they_asked(net):
    """A port bound to all addresses, asked at one that the kernel would not
    choose of itself; and refused by that."""
    w, g, _ = net
    sh("ip", "addr", "add", "192.0.2.7/24", "dev", "up0")
    try:
        assert ask("192.0.2.7", 2223, ns="inet") == refused("192.0.2.7", 2223)
        assert ask("127.0.0.7", 2223) == refused("127.0.0.7", 2223)
        w.serve(PY, "-c", MIRROR, "23", ns=g.ns, port=23, proto="udp")
        assert ask("192.0.2.7", 2223, ns="inet")[:2] == ["answer", INET_IP]
        assert ask("127.0.0.7", 2223)[:2] == ["answer", "10.0.2.2"]
    finally:
        sh("ip", "addr", "del", "192.0.2.7/24", "dev", "up0")


def test_a_guests_firewall_is_heard(net):
    """Other codes are passed on as they are."""
    _, g, _ = net
    g.sh("nft", "add table ip t; add chain ip t c { type filter hook input priority 0; };"
         "add rule ip t c udp dport 23 reject with icmp type admin-prohibited")
    out = ask(HOST_IP, 2223, ns="inet")
    assert out[:2] == ["OSError", "113"], out  # EHOSTUNREACH


def test_without_the_right_clients_are_not_told(w):
    """Silence, said once in the log; nothing else suffers."""
    silence = "TimeoutError", "timeout"
    g = w.guest()
    wrap = ("setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw")
    with world.Vmlan(["user,hostfwd=udp::2223-:23", g.netdev()], wrap=wrap) as v:
        g.dhcp()
        for _ in range(2):
            assert ask("127.0.0.1", 2223, wait=0.5)[0] in silence
        s = Server(g, INET_IP, 6002, "inet", INET_IP)
        try:
            assert ask(HOST_IP, s.port, wait=0.5)[0] in silence
        finally:
            s.close()
        world.wait_for("the line in the log",
                       lambda: v.log().count("CAP_NET_RAW") == 1)
        w.serve(PY, "-c", MIRROR, "23", ns=g.ns, port=23, proto="udp")
        assert ask("127.0.0.1", 2223)[0] == "answer"
