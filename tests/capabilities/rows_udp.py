# SPDX-License-Identifier: BSD-3-Clause
"""UDP, its lengths and its marks."""
import os
import socket
import struct
import time

from rows import row
from scene import (END, GUEST, HOST_IP, INET_IP, IP_MTU_DISCOVER, IP_RECVERR, IP_RECVTTL,
                   PMTUDISC_DONT, expect, option)

SMALL_TTL = 20


def there_and_back(s, size, port=6001):
    """A datagram to the end, and the same one back."""
    server, u = s.end.udp(port), s.guest.udp()
    for one in (server, u):
        one.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DONT)
    data = os.urandom(size)
    u.sendto(data, (END, port))
    got, who = server.recvfrom(65535)
    expect(got == data, f"{len(got)} bytes of {size} arrive")
    return server, u, data, who


def and_back(server, u, data, who, port=6001):
    server.sendto(data, who)
    got, src = u.recvfrom(65535)
    expect(got == data and src == (END, port), f"{len(got)} bytes come back from {src}")


@row("udp", "Datagrams both ways")
def udp(s):
    and_back(*there_and_back(s, 100))


@row("udp-empty", "Datagrams of no bytes, both ways")
def udp_empty(s):
    and_back(*there_and_back(s, 0))


@row("udp-big-out", "Datagrams of 65,507 bytes from the guest")
def udp_big_out(s):
    there_and_back(s, 65507)


@row("udp-big-in", "Datagrams of 65,507 bytes to the guest")
def udp_big_in(s):
    server, u, _, who = there_and_back(s, 10)
    and_back(server, u, os.urandom(65507), who)


def pieces(data, ident, *order):
    """The IPv4 fragments of a datagram to the end's port 6001."""
    whole = struct.pack("!4H", 6002, 6001, 8 + len(data), 0) + data
    for i in order:
        part = whole[i * 1000:(i + 1) * 1000]
        more = 0x2000 if (i + 1) * 1000 < len(whole) else 0
        yield struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(part), ident,
                          more | i * 125, 64, 17, 0, socket.inet_aton(GUEST),
                          socket.inet_aton(END)) + part


@row("fragments", "The guest's fragments in any order, of two datagrams mixed")
def fragments(s):
    server, raw = s.end.udp(6001), s.guest.raw(socket.IPPROTO_RAW)
    first, second = os.urandom(2992), os.urandom(2992)
    a, b = list(pieces(first, 77, 2, 0, 1)), list(pieces(second, 78, 1, 2, 0))
    for p in (a[0], b[0], a[1], b[1], a[2], b[2]):
        raw.sendto(p, (END, 0))
    got = [server.recv(65535) for _ in range(2)]
    expect(got == [first, second], "other datagrams arrive")


def mark_out(s, tos):
    server, u = s.end.udp(6001), s.guest.udp()
    server.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    u.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
    u.sendto(b"x", (END, 6001))
    got = option(server.recvmsg(10, 512)[1], socket.IP_TOS)
    expect(got == tos, f"{got} arrives for {tos}")


def mark_in(s, tos):
    server, u, data, who = there_and_back(s, 10)
    u.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    server.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
    server.sendto(data, who)
    got = option(u.recvmsg(10, 512)[1], socket.IP_TOS)
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
    server.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
    u.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, SMALL_TTL)
    u.sendto(b"x", (END, 6001))
    got = option(server.recvmsg(10, 512)[1], socket.IP_TTL)
    expect(got == SMALL_TTL - 4, f"{got} arrives behind 4 hops for {SMALL_TTL}")


@row("mapping", "One port outside for all peers of a guest's port (STUN)")
def mapping(s):
    one, two, u = s.inet.udp(7001), s.end.udp(7002), s.guest.udp()
    u.sendto(b"1", (INET_IP, 7001))
    u.sendto(b"2", (END, 7002))
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
        u.sendto(b"%d" % i, (END, 8000 + i))
        got, who = server.recvfrom(10)
        expect(got == b"%d" % i, "another's datagram arrives")
        server.sendto(got, who)
    seen = {u.recvfrom(10) for _ in servers}
    expect(seen == {(b"%d" % i, (END, 8000 + i)) for i in range(200)},
           "answers are mixed up")


@row("ports", "300 ports of one guest")
def many_ports(s):
    server, ports = s.end.udp(6001), [s.guest.udp() for _ in range(300)]
    for i, u in enumerate(ports):
        u.sendto(b"%d" % i, (END, 6001))
        got, who = server.recvfrom(10)
        server.sendto(got, who)
    for i, u in enumerate(ports):
        expect(u.recv(10) == b"%d" % i, "answers are mixed up")


@row("idle", "A short exchange outlives 60 s of silence", slow=True)
def idle(s):
    server, u, data, who = there_and_back(s, 10)
    for _ in range(3):
        and_back(server, u, data, who)
        u.sendto(data, (END, 6001))
        server.recv(100)
    time.sleep(60)
    and_back(server, u, b"after a minute", who)


@row("port-unreachable", "A closed UDP port is told to the guest, by its server")
def port_unreachable(s):
    u = s.guest.udp()
    u.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    u.connect((END, 5999))
    u.send(b"x")
    got = s.errors_of(u)
    expect(got == (3, 3, END), f"{got} comes")


@row("port-closed", "A UDP port that the guest has closed is told to its server (where "
     "the engine is root)")
def port_closed(s):
    server, u, data, who = there_and_back(s, 10)
    server.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    u.close()
    server.sendto(data, who)
    got = s.errors_of(server)
    expect(got == (3, 3, HOST_IP), f"{got} comes")
