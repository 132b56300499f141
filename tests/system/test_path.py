# SPDX-License-Identifier: BSD-3-Clause
"""What a path of routers says reaches the guest: hops, refusals, sizes; and
datagrams longer than a frame."""
import re
import subprocess

import pytest

import path
import world
from path import END, HOPS
from world import HOST_IP, sh

PY = "/usr/bin/python3"


@pytest.fixture
def net(w):
    p = path.Path()
    sh("ip", "route", "flush", "cache")
    g = w.guest()
    try:
        with world.Vmlan(["user", g.netdev()]) as v:
            g.static()
            yield w, g, v, p
    finally:
        p.close()


def hops(g, *args):
    """The addresses that a traceroute names, in order."""
    out = g.sh("traceroute", "-n", "-q", "1", "-w", "20", "-m", "8", *args, END).stdout
    return [line.split()[1] for line in out.splitlines()[1:]], out


def test_traceroute_by_udp(net):
    _, g, _, _ = net
    found, out = hops(g)
    assert found == HOPS + [END], out
    # without one port a probe, by what is in it
    found, out = hops(g, "-U", "-p", "4000")
    assert found == HOPS + [END], out


@pytest.mark.takes("ping")
def test_traceroute_by_icmp(net):
    _, g, _, _ = net
    found, out = hops(g, "-I")
    assert found == HOPS + [END], out


def test_traceroute_by_tcp(net):
    w, g, _, _ = net
    w.serve(world.XFER, "serve", "5001", ns="end", port=5001)
    for port in ("5001", "5999"):  # open, and closed
        found, out = hops(g, "-T", "-p", port)
        assert found == HOPS + [END], out


def test_a_connection_of_few_hops_lives(net):
    """A small TTL that is large enough costs nothing."""
    w, g, _, _ = net
    w.serve(world.XFER, "serve", "5001", ns="end", port=5001)
    path.Path.set(g.ns, "net/ipv4/ip_default_ttl", 8)
    assert g.sh(world.XFER, "send", END, "5001", "300000").stdout.startswith("equal")
    path.Path.set(g.ns, "net/ipv4/ip_default_ttl", 3)
    r = g.sh(world.XFER, "send", END, "5001", "1", check=False)
    assert "No route to host" in r.stderr, r.stderr


PROBE = r"""
import sys
from scapy.all import IP, UDP, ICMP, TCP, Raw, sr1, conf
conf.verb = 0
dst = sys.argv[1]
l4 = {'udp': UDP(sport=4321, dport=33500) / Raw(b'abcdefghijklmnop'),
      'icmp': ICMP(id=77, seq=5) / Raw(b'abcdefghijklmnop'),
      'tcp': TCP(sport=4321, dport=80, seq=12345, flags='S')}[sys.argv[2]]
p = IP(bytes(IP(dst=dst, id=4660, ttl=3, tos=0x28) / l4))
a = sr1(p, timeout=10)
q = a[ICMP].payload
print(a.src, a[ICMP].type, a[ICMP].code, q.id, q.len, q.ttl, q.tos)
n = 16 if sys.argv[2] == 'tcp' else len(bytes(p)) - 20
print(bytes(q)[20:20 + n] == bytes(p)[20:20 + n])
print(len(bytes(p)))
"""


@pytest.mark.parametrize("proto", [
    "udp", "tcp", pytest.param("icmp", marks=pytest.mark.takes("ping"))])
def test_the_guests_own_packet_is_quoted(net, proto):
    """Identification, length, checksums: whatever a program looks for."""
    _, g, _, _ = net
    out = g.sh(PY, "-c", PROBE, END, proto).stdout.split("\n")
    assert out[0] == f"10.9.1.2 11 0 4660 {out[2]} 1 40", out
    assert out[1] == "True", out


ASK = r"""
import socket, struct, sys
kind = socket.SOCK_STREAM if sys.argv[2] == 'tcp' else socket.SOCK_DGRAM
s = socket.socket(socket.AF_INET, kind)
s.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
s.settimeout(10)
s.connect_ex((sys.argv[1], 5999))
try:
    s.send(b'x')
    s.recv(1)
except OSError:
    pass
_, anc, _, _ = s.recvmsg(100, 512, socket.MSG_ERRQUEUE)
for level, what, data in anc:
    if what == 11:
        err, origin, t, code, _, info = struct.unpack_from('=IBBBBI', data)
        print(t, code, socket.inet_ntoa(data[20:24]))
"""


@pytest.mark.parametrize("proto", ["udp", "tcp"])
def test_unreachables_of_every_code(net, proto):
    """Type, code and sender are the router's."""
    _, g, _, p = net
    p.reject("10.9.4.0/24", "unreachable")
    out = g.sh(PY, "-c", ASK, "10.9.4.1", proto).stdout
    assert out.split() == ["3", "1", HOPS[3]], out
    p.reject("10.9.4.0/24", "prohibit")
    out = g.sh(PY, "-c", ASK, "10.9.4.1", proto).stdout
    assert out.split() == ["3", "13", HOPS[3]], out
    p.reject("10.9.5.0/24", "blackhole")
    with world.process(PY, str(world.HERE / "refuser.py"), "u2", ns="r3",
                       stdout=subprocess.PIPE, text=True) as r:
        assert r.stdout.readline() == "ready\n"
        for code in range(16):
            # 4 is about sizes; by 3 a peer refuses TCP, which hears RST
            if code == 4 or (code == 3 and proto == "tcp"):
                continue
            out = g.sh(PY, "-c", ASK, f"10.9.5.{100 + code}", proto).stdout
            assert out.split() == ["3", str(code), HOPS[3]], (code, out)
        out = g.sh(PY, "-c", ASK, "10.9.5.200", proto).stdout
        assert out.split() == ["12", "0", HOPS[3]], out


def test_tracepath_finds_the_mtu(net):
    _, g, _, p = net
    p.narrow(1300)
    out = g.sh("tracepath", "-n", "-m", "8", END).stdout
    assert "pmtu 1300" in out and re.search(r"Resume: pmtu 1300 hops 5", out), out


@pytest.mark.takes("ping")
def test_ping_that_may_not_be_fragmented(net):
    _, g, _, p = net
    p.narrow(1300)
    first = g.sh("ping", "-c", "1", "-W", "5", "-M", "do", "-s", "1400", END, check=False)
    assert "Frag needed" in first.stdout and "mtu = 1300" in first.stdout, first.stdout
    # from now on the guest's kernel knows
    second = g.sh("ping", "-c", "1", "-W", "5", "-M", "do", "-s", "1400", END, check=False)
    assert "message too long, mtu=1300" in second.stdout + second.stderr, second.stdout
    assert "1 received" in g.sh("ping", "-c", "1", "-M", "do", "-s", "1272", END).stdout
    # another machine's is told by the host itself, which has learned it
    g.sh("ip", "route", "flush", "cache")
    third = g.sh("ping", "-c", "1", "-W", "5", "-M", "do", "-s", "1400", END, check=False)
    assert "mtu = 1300" in third.stdout, third.stdout
    # and one that may be fragmented goes through
    assert "1 received" in g.sh("ping", "-c", "1", "-M", "dont", "-s", "1400", END).stdout


UDP_ECHO = r"""
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
s.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
s.bind(('0.0.0.0', int(sys.argv[1])))
while True:
    d, anc, _, a = s.recvmsg(65535, 512)
    tos = [x[2][0] for x in anc if x[1] == socket.IP_TOS][0]
    s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
    s.sendto(d, a)
"""
UDP_ASK = r"""
import os, socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
s.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
s.setsockopt(socket.IPPROTO_IP, 10, int(sys.argv[4]))  # IP_MTU_DISCOVER
s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, int(sys.argv[5]))
s.settimeout(10)
s.connect((sys.argv[1], int(sys.argv[2])))
d = os.urandom(int(sys.argv[3]))
for _ in range(6):
    try:
        s.send(d)
        back, anc, _, _ = s.recvmsg(65535, 512)
        print('same' if back == d else 'other', [x[2][0] for x in anc if x[1] == socket.IP_TOS][0])
        break
    except OSError as e:
        print(e.errno, s.getsockopt(socket.IPPROTO_IP, 14))  # IP_MTU
"""
DONT, DO = "0", "2"


def test_datagrams_of_every_length(net):
    w, g, v, p = net
    w.serve(PY, "-c", UDP_ECHO, "6001", ns="end", port=6001, proto="udp")
    for size in ("0", "1472", "1473", "4000", "30000", "65507"):
        out = g.sh(PY, "-c", UDP_ASK, END, "6001", size, DONT, "0").stdout
        assert out.split() == ["same", "0"], (size, out)
    p.narrow(1300)  # and they are cut once more
    out = g.sh(PY, "-c", UDP_ASK, END, "6001", "65507", DONT, "0").stdout
    assert out.split() == ["same", "0"], out


def test_datagram_that_may_not_be_fragmented(net):
    """EMSGSIZE with the path's MTU, by the router and then by the host."""
    w, g, _, p = net
    w.serve(PY, "-c", UDP_ECHO, "6001", ns="end", port=6001, proto="udp")
    p.narrow(1300)
    for _ in range(2):
        out = g.sh(PY, "-c", UDP_ASK, END, "6001", "1400", DO, "0").stdout.split("\n")
        assert out[0] == "90 1300", out
        g.sh("ip", "route", "flush", "cache")
    out = g.sh(PY, "-c", UDP_ASK, END, "6001", "1272", DO, "0").stdout
    assert out.split() == ["same", "0"], out


def test_marks_of_datagrams(net):
    """DSCP and ECN, both ways, of small ones and of fragments."""
    w, g, _, _ = net
    w.serve(PY, "-c", UDP_ECHO, "6001", ns="end", port=6001, proto="udp")
    for tos in ("1", "2", "184", "187"):
        for size in ("10", "5000"):
            out = g.sh(PY, "-c", UDP_ASK, END, "6001", size, DONT, tos).stdout
            assert out.split() == ["same", tos], (tos, size, out)


@pytest.mark.takes("ping")
def test_the_longest_ping(net):
    _, g, _, _ = net
    for ip in ("10.0.2.2", END):
        out = g.sh("ping", "-c", "1", "-W", "5", "-Q", "0x28", "-s", "65507", ip).stdout
        assert "1 received" in out, out


TCP_TOS = r"""
import socket, sys
s = socket.socket()
s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0x28)
s.settimeout(10)
s.connect((sys.argv[1], 5001))
s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0xb8)
s.send(b'hello')
s.shutdown(socket.SHUT_WR)
while s.recv(1000): pass
"""


# What comes in: flags, payload bytes and TOS of each segment, until a FIN.
TCP_SEE = r"""
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
s.bind(('u3', 0x0800))
print('ready', flush=True)
flags = 0
while not flags & 1:
    p, where = s.recvfrom(65535)
    if p[9] == 6 and where[2] != socket.PACKET_OUTGOING:
        flags = p[33]
        print(flags & 2, int.from_bytes(p[2:4], 'big') - 20 - (p[32] >> 4) * 4, p[1])
"""


def test_marks_of_connections(net):
    w, g, _, _ = net
    w.serve(world.XFER, "serve", "5001", ns="end", port=5001)
    with world.process(PY, "-c", TCP_SEE, ns="end", stdout=subprocess.PIPE,
                       text=True) as p:
        assert p.stdout.readline() == "ready\n"
        g.sh(PY, "-c", TCP_TOS, END)
        seen = p.stdout.read().splitlines()
    assert seen[0] == f"2 0 {0x28}", seen
    assert f"0 5 {0xb8}" in seen, seen


FOREIGN = r"""
import socket, sys
from scapy.all import IP, ICMP, Raw
dst, proto = sys.argv[1], int(sys.argv[2])
i = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
i.settimeout(10)
o = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
o.sendto(bytes(IP(src='10.0.2.15', dst=dst, proto=proto) / Raw(b'0123456789abcdef')), (dst, 0))
a = IP(i.recv(2000))
q = bytes(a[ICMP].payload)
print(a.src, a[ICMP].type, a[ICMP].code, q[9], q[20:36] == b'0123456789abcdef')
"""
NAMES = {132: "SCTP", 47: "GRE", 50: "ESP"}


@pytest.mark.parametrize("proto", NAMES, ids=NAMES.values())
def test_protocols_that_are_not_served(net, proto):
    _, g, _, _ = net
    out = g.sh(PY, "-c", FOREIGN, END, str(proto)).stdout
    assert out.split() == ["10.0.2.2", "3", "2", str(proto), "True"], out


OVERLAP = r"""
import sys
from scapy.all import IP, UDP, ICMP, Raw, send, conf
conf.verb = 0
dst = sys.argv[1]
whole = bytes(UDP(sport=4000, dport=6001, chksum=0) / Raw(b'x' * 56))
def piece(i, off, data, more):
    return IP(dst=dst, id=i, proto=17, frag=off // 8, flags='MF' if more else 0) / Raw(data)
evil = whole[:24] + b'EVILEVIL' + whole[32:]
send([piece(1, 0, whole[:32], True), piece(1, 24, evil[24:40], True),
      piece(1, 32, whole[32:], False)])
send([piece(2, 32, whole[32:], False), piece(2, 0, whole[:32], True)])
"""
UDP_COUNT = r"""
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('0.0.0.0', 6001))
print('bound', flush=True)
print(s.recv(1000), flush=True)
"""


def test_overlapping_fragments_are_not_believed(net):
    """The first datagram has an overlap and is lost; the second arrives."""
    _, g, _, _ = net
    with world.process(PY, "-c", UDP_COUNT, ns="end", stdout=subprocess.PIPE,
                       text=True) as p:
        assert p.stdout.readline() == "bound\n"
        g.sh(PY, "-c", OVERLAP, END)
        assert p.stdout.readline().strip() == repr(b"x" * 56)


def test_ping_denied_is_said(w):
    """Where the host denies ping sockets the guest is told, and the log."""
    g = w.guest()
    with world.Vmlan(["user", g.netdev()], env={"VMLAN_DENY": "ping"}) as v:
        g.static()
        for _ in range(2):
            out = g.sh("ping", "-c", "1", "-W", "5", HOST_IP, check=False).stdout
            assert "From 10.0.2.2" in out and "Packet filtered" in out, out
        assert v.log().count("ping_group_range") == 1
