# SPDX-License-Identifier: BSD-3-Clause
"""UDP, its lengths and its marks."""
import os
import socket
import struct
import time

from rows import row
from scene import PMTUDISC_DONT, at, expect, option

SMALL_TTL = 20


def there_and_back(s, size, port=6001):
    """A datagram to the end, and the same one back."""
    server, u = s.end.udp(port), s.guest.udp()
    for one in (server, u):
        one.setsockopt(s.f.level, s.f.mtu_discover, PMTUDISC_DONT)
    data = os.urandom(size)
    u.sendto(data, (s.f.end, port))
    got, who = server.recvfrom(65535)
    expect(got == data, f"{len(got)} bytes of {size} arrive")
    return server, u, data, who


def and_back(s, server, u, data, who, port=6001):
    server.sendto(data, who)
    got, src = u.recvfrom(65535)
    expect(got == data and at(src) == (s.f.end, port), f"{len(got)} bytes come back from {src}")


@row("udp", "Datagrams both ways")
def udp(s):
    and_back(s, *there_and_back(s, 100))


@row("udp-empty", "Datagrams of no bytes, both ways")
def udp_empty(s):
    and_back(s, *there_and_back(s, 0))


@row("udp-big-out", "Datagrams of {f.longest:,} bytes from the guest")
def udp_big_out(s):
    there_and_back(s, s.f.longest)


@row("udp-big-in", "Datagrams of {f.longest:,} bytes to the guest")
def udp_big_in(s):
    server, u, _, who = there_and_back(s, 10)
    and_back(s, server, u, os.urandom(s.f.longest), who)


def csum(data):
    s = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff or 0xffff


def pieces(f, data, ident, *order):
    """The fragments of a datagram to the end's port 6001."""
    ends = f.packed(f.guest) + f.packed(f.end)
    n = 8 + len(data)
    whole = struct.pack("!4H", 6002, 6001, n, csum(
        ends + struct.pack("!6H", 0, 17, n, 6002, 6001, n) + data)) + data
    for i in order:
        part = whole[i * 1000:(i + 1) * 1000]
        more = (i + 1) * 1000 < len(whole)
        if f.level == socket.IPPROTO_IP:
            yield struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(part), ident,
                              more << 13 | i * 125, 64, 17, 0) + ends + part
        else:
            yield struct.pack("!IHBB", 6 << 28, 8 + len(part), socket.IPPROTO_FRAGMENT,
                              64) + ends + struct.pack("!BBHI", 17, 0, i * 1000 | more,
                                                       ident) + part


@row("fragments", "The guest's fragments in any order, of two datagrams mixed")
def fragments(s):
    server, raw = s.end.udp(6001), s.guest.raw(socket.IPPROTO_RAW)
    first, second = os.urandom(2992), os.urandom(2992)
    a, b = list(pieces(s.f, first, 77, 2, 0, 1)), list(pieces(s.f, second, 78, 1, 2, 0))
    for p in (a[0], b[0], a[1], b[1], a[2], b[2]):
        raw.sendto(p, (s.f.end, 0))
    got = [server.recv(65535) for _ in range(2)]
    expect(got == [first, second], "other datagrams arrive")


def mark_out(s, tos):
    server, u = s.end.udp(6001), s.guest.udp()
    server.setsockopt(s.f.level, s.f.recvtos, 1)
    u.setsockopt(s.f.level, s.f.tos, tos)
    u.sendto(b"x", (s.f.end, 6001))
    got = option(server.recvmsg(10, 512)[1], s.f.tos)
    expect(got == tos, f"{got} arrives for {tos}")


def mark_in(s, tos):
    server, u, data, who = there_and_back(s, 10)
    u.setsockopt(s.f.level, s.f.recvtos, 1)
    server.setsockopt(s.f.level, s.f.tos, tos)
    server.sendto(data, who)
    got = option(u.recvmsg(10, 512)[1], s.f.tos)
    expect(got == tos, f"{got} arrives for {tos}")


@row("dscp-out", "DSCP of datagrams from the guest")
def dscp_out(s):
    mark_out(s, 0xb8)


@row("dscp-in", "DSCP of datagrams to the guest")
def dscp_in(s):
    mark_in(s, 0xb8)


@row("ecn-out", "ECN of datagrams from the guest")
def ecn_out(s):
    for tos in (1, 2, 3):
        mark_out(s, tos)
        s.clear()


@row("ecn-in", "ECN of datagrams to the guest")
def ecn_in(s):
    for tos in (1, 2, 3):
        mark_in(s, tos)
        s.clear()


@row("ttl", "A small hop limit is carried, one less for each hop")
def ttl(s):
    server, u = s.end.udp(6001), s.guest.udp()
    server.setsockopt(s.f.level, s.f.recvttl, 1)
    u.setsockopt(s.f.level, s.f.ttl, SMALL_TTL)
    u.sendto(b"x", (s.f.end, 6001))
    got = option(server.recvmsg(10, 512)[1], s.f.told_ttl)
    expect(got == SMALL_TTL - 4, f"{got} arrives behind 4 hops for {SMALL_TTL}")


@row("mapping", "One port outside for all peers of a guest's port (STUN)")
def mapping(s):
    one, two, u = s.inet.udp(7001), s.end.udp(7002), s.guest.udp()
    u.sendto(b"1", (s.f.inet, 7001))
    u.sendto(b"2", (s.f.end, 7002))
    (got1, seen1), (got2, seen2) = one.recvfrom(10), two.recvfrom(10)
    expect((got1, got2) == (b"1", b"2"), "other datagrams arrive")
    expect(seen1 == seen2, f"two peers see {seen1} and {seen2}")
    for server, who in ((one, seen1), (two, seen2)):
        server.sendto(b"back", who)
        expect(u.recv(10) == b"back", "the answer does not come")


@row("peers", "200 peers of one guest's port")
def many_peers(s):
    servers, u = [s.end.udp(8000 + i) for i in range(200)], s.guest.udp()
    for i, server in enumerate(servers):
        u.sendto(b"%d" % i, (s.f.end, 8000 + i))
        got, who = server.recvfrom(10)
        expect(got == b"%d" % i, "another's datagram arrives")
        server.sendto(got, who)
    seen = {(got, at(who)) for got, who in (u.recvfrom(10) for _ in servers)}
    expect(seen == {(b"%d" % i, (s.f.end, 8000 + i)) for i in range(200)},
           "answers are mixed up")


@row("ports", "300 ports of one guest")
def many_ports(s):
    server, ports = s.end.udp(6001), [s.guest.udp() for _ in range(300)]
    for i, u in enumerate(ports):
        u.sendto(b"%d" % i, (s.f.end, 6001))
        got, who = server.recvfrom(10)
        server.sendto(got, who)
    for i, u in enumerate(ports):
        expect(u.recv(10) == b"%d" % i, "answers are mixed up")


@row("idle", "A short exchange outlives 60 s of silence", slow=True)
def idle(s):
    server, u, data, who = there_and_back(s, 10)
    for _ in range(3):
        and_back(s, server, u, data, who)
        u.sendto(data, (s.f.end, 6001))
        server.recv(100)
    time.sleep(60)
    and_back(s, server, u, b"after a minute", who)


@row("port-unreachable", "A closed UDP port is told to the guest, by its server")
def port_unreachable(s):
    u = s.guest.udp()
    u.setsockopt(s.f.level, s.f.recverr, 1)
    u.connect((s.f.end, 5999))
    u.send(b"x")
    got = s.errors_of(u)
    expect(got == (s.f.unreachable, s.f.no_port, s.f.end), f"{got} comes")


@row("port-closed", "A UDP port that the guest has closed is told to its server (where "
     "the engine is root)")
def port_closed(s):
    server, u, data, who = there_and_back(s, 10)
    server.setsockopt(s.f.level, s.f.recverr, 1)
    u.close()
    server.sendto(data, who)
    got = s.errors_of(server)
    expect(got == (s.f.unreachable, s.f.no_port, s.f.host), f"{got} comes")
