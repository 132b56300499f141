# SPDX-License-Identifier: BSD-3-Clause
"""TCP, and names."""
import errno
import select
import socket
import struct
import time

from columns import PLAIN
from rows import row
from scene import at, expect, No

LINGER_NONE = struct.pack("ii", 1, 0)
TRIES = range(5001, 5011)  # where an engine does it by luck only
BOUND = 64 << 20  # of what a sender may push to one who does not read


@row("tcp", "Connections carry data both ways")
def tcp(s):
    s.both_ways(*s.connect())


def half_close(s, a, b):
    s.carry(a, b, 1000)
    a.shutdown(socket.SHUT_WR)
    expect(b.recv(1) == b"", "the end of a half is not told")
    s.carry(b, a, 200_000)
    b.close()
    expect(a.recv(1) == b"", "the end of the other half is not told")


@row("half-close-out", "The guest closes its half and goes on receiving")
def half_close_out(s):
    half_close(s, *s.connect())


@row("half-close-in", "The server closes its half and goes on receiving")
def half_close_in(s):
    c, p = s.connect()
    half_close(s, p, c)


@row("close-both", "Both close at the same time, and all data arrives")
def close_both(s):
    c, p = s.connect()
    for one in (c, p):
        one.send(b"bye" * 1000)
    for one in (c, p):
        one.shutdown(socket.SHUT_WR)
    for one in (c, p):
        got = b""
        while more := one.recv(65536):
            got += more
        expect(got == b"bye" * 1000, f"{len(got)} bytes of 3000")


def reset(a, b):
    a.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
    a.close()
    try:
        b.recv(1)
    except ConnectionResetError:
        return
    raise No("a reset arrives as an end")


@row("reset-out", "The guest's RST reaches the server as one")
def reset_out(s):
    c, p = s.connect()
    s.carry(c, p, 1)
    reset(c, p)


@row("reset-in", "The server's RST reaches the guest as one")
def reset_in(s):
    c, p = s.connect()
    s.carry(c, p, 1)
    reset(p, c)


@row("refused", "A closed port is refused by RST")
def refused(s):
    c = s.guest.tcp()
    try:
        c.connect((s.f.end, 5999))
    except ConnectionRefusedError:
        return
    raise No("a closed port takes connections")


def again(s, c):
    """Connects as soon as the guest's own kernel is done with the port."""
    end = time.monotonic() + s.patience
    while True:
        try:
            return c.connect((s.f.end, 5001))
        except OSError as e:
            if e.errno != errno.EADDRNOTAVAIL or time.monotonic() > end:
                raise
            time.sleep(0.01)


@row("reuse", "A port is used again for the same server at once")
def reuse(s):
    listener = s.end.listen(5001)
    for _ in range(2):
        c = s.guest.tcp()
        c.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        c.bind((s.f.any, 5678))
        again(s, c)
        p = s.accept(listener)
        s.both_ways(c, p, 1000)
        p.close()  # the side that remembers is not the guest
        expect(c.recv(1) == b"", "no end")
        c.close()


def urgent(s, a, b):
    watch = select.poll()
    watch.register(b, select.POLLPRI)
    a.send(b"ab")
    a.send(b"!", socket.MSG_OOB)
    a.send(b"cd")
    expect(watch.poll(s.patience * 1000), "nothing is urgent")
    got = b""
    while len(got) < 2:  # up to the mark
        got += b.recv(2 - len(got))
    expect(b.recv(1, socket.MSG_OOB) == b"!", "another byte is urgent")
    while len(got) < 4:
        more = b.recv(10)
        expect(more, "the end comes early")
        got += more
    expect(got == b"abcd", f"{got} instead of abcd")


@row("urgent-out", "Urgent data from the guest")
def urgent_out(s):
    for port in TRIES:
        urgent(s, *s.connect(port=port))


@row("urgent-in", "Urgent data to the guest")
def urgent_in(s):
    for port in TRIES:
        c, p = s.connect(port=port)
        urgent(s, p, c)


def hold_back(s, a, b):
    """Who does not read stops the sender; later all is there."""
    a.setblocking(False)
    sent = 0
    piece = bytes(range(256)) * 256
    watch = select.poll()
    watch.register(a, select.POLLOUT)
    while watch.poll(500):
        sent += a.send(piece[sent % len(piece):])
        expect(sent < BOUND, "the sender is never stopped")
    expect(sent > 100_000, f"the sender is stopped after {sent} bytes")
    a.settimeout(s.patience)
    a.shutdown(socket.SHUT_WR)
    n = 0
    while more := b.recv(len(piece)):
        at = n % len(piece)
        expect(more == (piece + piece)[at:at + len(more)], "other bytes arrive")
        n += len(more)
    expect(n == sent, f"{n} bytes of {sent}")


@row("hold-out", "A server that does not read holds the guest back, nothing is lost")
def hold_out(s):
    hold_back(s, *s.connect())


@row("hold-in", "A guest that does not read holds the server back, nothing is lost")
def hold_in(s):
    c, p = s.connect()
    hold_back(s, p, c)


@row("tcp-dscp", "DSCP of connections from the guest")
def tcp_dscp(s):
    """Before the crowd, whose farewell would fill the raw socket."""
    raw = s.end.raw(socket.IPPROTO_TCP)
    listener, c = s.end.listen(5001), s.guest.tcp()
    c.setsockopt(s.f.level, s.f.tos, 0x28)
    c.connect((s.f.end, 5001))
    s.accept(listener)
    c.setsockopt(s.f.level, s.f.tos, 0xb8)
    c.send(b"hello")
    seen = set()
    while not any(n for _, n in seen):
        marks, _, p = s.f.raw_packet(raw)
        seen.add((marks, len(p) - (p[12] >> 4) * 4))
    expect({(0x28, 0), (0xb8, 5)} <= seen, f"(TOS, bytes) {seen} arrive")


@row("crowd", "1000 connections at a time")
def crowd(s):
    listener = s.end.listen(5001)
    ends = []
    for i in range(1000):
        c = s.guest.tcp()
        c.connect((s.f.end, 5001))
        ends.append((c, s.accept(listener)))
    for i, (c, p) in enumerate(ends):
        c.send(struct.pack("!I", i))
    for i, (c, p) in enumerate(ends):
        expect(p.recv(4) == struct.pack("!I", i), "connections are mixed up")
        p.send(struct.pack("!I", ~i & 0xffffffff))
    for i, (c, p) in enumerate(ends):
        expect(c.recv(4) == struct.pack("!I", ~i & 0xffffffff),
               "connections are mixed up")


@row("keepalive", "Keepalives are answered on a connection that is idle", slow=True)
def keepalive(s):
    c, p = s.connect()
    for what, n in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1),
                    (socket.TCP_KEEPCNT, 2)):
        c.setsockopt(socket.IPPROTO_TCP, what, n)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    c.settimeout(6)
    try:
        c.recv(1)
        raise No("something came")
    except TimeoutError:
        # ETIMEDOUT of a keepalive has a number, that of our own has not
        pass
    except OSError as e:
        raise No(f"the connection is given up: {e}") from None
    c.settimeout(s.patience)
    s.both_ways(c, p, 1000)


# ---- names ----

# Of two names, as one that was answered need not be asked for again.
QUESTION, QUESTION_TCP = (struct.pack("!6H", 0x1234, 0x0100, 1, 0, 0, 0) + name +
                          struct.pack("!2H", 1, 1)
                          for name in (b"\4name\4test\0", b"\4more\4test\0"))


def answer_to(query):
    return (query[:2] + struct.pack("!5H", 0x8180, 1, 1, 0, 0) + query[12:27] +
            struct.pack("!3HIH4B", 0xc00c, 1, 1, 60, 4, 203, 0, 113, 80))


@row("dns-udp", "Names by UDP", needs="dns", group="Services", want=PLAIN)
def dns_udp(s):
    server, u = s.inet.udp(53), s.guest.udp()
    u.sendto(QUESTION, (s.f.dns, 53))
    query, who = server.recvfrom(600)
    expect(query[12:].lower() == QUESTION[12:], "another question arrives")
    server.sendto(answer_to(query), who)
    got, who = u.recvfrom(600)
    expect(at(who) == (s.f.dns, 53) and got[:2] == b"\x12\x34" and
           got[-4:] == bytes([203, 0, 113, 80]),
           f"{got} comes from {who}")


@row("dns-tcp", "Names by TCP", needs="dns", group="Services", want=PLAIN)
def dns_tcp(s):
    listener, c = s.inet.listen(53), s.guest.tcp()
    c.connect((s.f.dns, 53))
    c.send(struct.pack("!H", len(QUESTION_TCP)) + QUESTION_TCP)
    p = s.accept(listener)
    query = p.recv(600)
    expect(query[14:].lower() == QUESTION_TCP[12:], "another question arrives")
    reply = answer_to(query[2:])
    p.send(struct.pack("!H", len(reply)) + reply)
    got = c.recv(600)
    expect(got[2:4] == b"\x12\x34" and got[-4:] == bytes([203, 0, 113, 80]), f"{got} comes")
