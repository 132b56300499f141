# SPDX-License-Identifier: BSD-3-Clause
"""What routers and hosts say reaches the guest."""
import re
import select
import socket
import struct
import time

from rows import row
from scene import PMTUDISC_DO, No, expect


def ping(s, ip, size=56, *more):
    out = s.guest.run("ping", "-n", "-c", "1", "-W", str(s.patience), "-s", str(size), *more, ip)
    expect("1 received" in out, out.strip().split("\n")[-1][:80])


@row("ping", "Ping")
def ping_end(s):
    ping(s, s.f.end)


@row("ping-1400", "Ping of 1400 bytes")
def ping_1400(s):
    ping(s, s.f.end, 1400)


@row("ping-8000", "Ping of 8000 bytes")
def ping_8000(s):
    ping(s, s.f.end, 8000)


@row("ping-gateway", "The gateway answers ping")
def ping_gateway(s):
    ping(s, s.f.gateway)


@row("ping-nobody", "Ping to nobody is not answered, a router says so")
def ping_nobody(s):
    out = s.guest.run("ping", "-n", "-c", "1", "-W", str(s.patience),
                      s.f.nobody(s.f.no_host))
    expect("0 received" in out, "nobody answers")
    expect(f"From {s.f.refuser}" in out and s.f.ping_nobody in out, "no router speaks")


def hops(s, *how):
    out = s.guest.run("traceroute", "-n", "-q", "1", "-w", str(s.patience), "-m", "7",
                      *how, s.f.end)
    seen = [line.split()[1] for line in out.splitlines() if re.match(r" *\d+ ", line)]
    if seen and seen[0].startswith("fe80::"):
        seen[0] = s.f.gateway  # its other name
    expect(seen == s.f.hops + [s.f.end], " ".join(seen) or out)


@row("traceroute-udp", "Traceroute by UDP shows the gateway and every hop")
def traceroute_udp(s):
    hops(s)


@row("traceroute-icmp", "Traceroute by ICMP shows the gateway and every hop")
def traceroute_icmp(s):
    hops(s, "-I")


@row("traceroute-tcp", "Traceroute by TCP shows the gateway and every hop")
def traceroute_tcp(s):
    s.end.listen(5001)
    hops(s, "-T", "-p", "5001")


def unreachable_udp(s, codes):
    for code in codes:
        u = s.guest.udp()
        u.setsockopt(s.f.level, s.f.recverr, 1)
        u.connect((s.f.nobody(code), 5999))
        u.send(b"x")
        got = s.errors_of(u)
        expect(got == (s.f.unreachable, code, s.f.refuser),
               f"type, code, sender {got} for code {code}")


def unreachable_tcp(s, codes):
    for code in codes:
        c = s.guest.tcp()
        c.setsockopt(s.f.level, s.f.recverr, 1)
        try:
            c.connect((s.f.nobody(code), 5999))
            # The queue wakes who waits a moment before the socket has failed.
            c.getpeername()
            raise No("nobody takes connections")
        except TimeoutError:
            raise No("nothing is told") from None
        except OSError:
            got = s.errors_of(c)
        expect(got == (s.f.unreachable, code, s.f.refuser),
               f"type, code, sender {got} for code {code}")


TOLD = {"net": ("Net unreachable", lambda f: [f.no_net]),
        "host": ("Host unreachable", lambda f: [f.no_host]),
        "prohibited": ("Administratively prohibited", lambda f: [f.prohibited]),
        "codes": ("Unreachable of all other codes", lambda f: f.others)}
for _name, (_text, _codes) in TOLD.items():
    row(f"{_name}-udp", f"{_text}, from whom and as the router said it (UDP)")(
        lambda s, codes=_codes: unreachable_udp(s, codes(s.f)))
    row(f"{_name}-tcp", f"{_text}, from whom and as the router said it (TCP)")(
        lambda s, codes=_codes: unreachable_tcp(s, codes(s.f)))


def hear(s, raw, *kinds):
    """The next ICMP message of these types: (message, sender)."""
    end = time.monotonic() + s.patience
    while time.monotonic() < end:
        _, who, p = s.f.raw_packet(raw)
        if p[0] in kinds:
            return p, who
    raise TimeoutError


@row("exceeded", "Time exceeded quotes the guest's own datagram")
def exceeded(s):
    icmp, u = s.guest.raw(s.f.icmp), s.guest.udp(4321)
    u.setsockopt(s.f.level, s.f.ttl, 3)
    u.sendto(b"to be quoted", (s.f.end, 33500))
    p, who = hear(s, icmp, s.f.exceeded, s.f.unreachable)
    expect(p[0] == s.f.exceeded and who == s.f.hops[2], "another error comes")
    proto, src, quoted = s.f.quoted(p)
    expect((proto, src) == (17, s.f.guest) and
           struct.unpack_from("!HH", quoted) == (4321, 33500) and
           quoted[8:20] == b"to be quoted", "it quotes another datagram")


@row("pmtu-tcp-out", "Connections find a path's smaller MTU, from the guest")
def pmtu_tcp_out(s):
    with s.narrow():
        c, p = s.connect()
        s.carry(c, p)


@row("pmtu-tcp-in", "Connections find a path's smaller MTU, to the guest")
def pmtu_tcp_in(s):
    with s.narrow():
        c, p = s.connect()
        s.carry(p, c)


@row("pmtu-udp", "A datagram that may not be cut: too big, with the path's MTU")
def pmtu_udp(s):
    u = s.guest.udp()
    u.setsockopt(s.f.level, s.f.mtu_discover, PMTUDISC_DO)
    with s.narrow():
        u.connect((s.f.end, 6001))
        try:
            u.send(bytes(1400))
            u.recv(1)
            raise No("an answer comes")
        except TimeoutError:
            raise No("nothing is told") from None
        except OSError:
            got = u.getsockopt(s.f.level, s.f.mtu)
    expect(got == 1300, f"the path's MTU is said to be {got}")


@row("pmtu-ping", "A ping that may not be cut: too big, with the path's MTU")
def pmtu_ping(s):
    with s.narrow():
        out = s.guest.run("ping", "-n", "-c", "1", "-W", str(s.patience), "-M", "do",
                          "-s", "1400", s.f.end)
    expect(s.f.ping_too_big in out, "nothing is told")


def carried(s, proto):
    """Whether another protocol arrives; if not, it comes back as unreachable."""
    body = b"0123456789abcdef"
    server, icmp = s.end.raw(proto), s.guest.raw(s.f.icmp)
    out = s.guest.raw(proto)
    out.sendto(body, (s.f.end, 0))
    end = time.monotonic() + s.patience
    while time.monotonic() < end:
        ready = select.select([server, icmp], [], [], s.patience)[0]
        if server in ready:
            expect(s.f.raw_packet(server)[2] == body, "something else arrives")
            return True
        # (beside what neighbours tell each other)
        p = s.f.raw_packet(icmp)[2] if ready else b"\0"
        if p[0] in (s.f.unreachable, s.f.no_proto[0]):
            expect(tuple(p[:2]) == s.f.no_proto and s.f.quoted(p)[0] == proto,
                   "another error comes")
            return False
    raise No("it is lost in silence")


def _other(number, name):
    @row(f"proto-{name.lower()}", f"{name} is carried, or refused as protocol unreachable")
    def ask(s):
        carried(s, number)
    ask.__module__ = __name__


for _number, _text in ((132, "SCTP"), (47, "GRE"), (50, "ESP")):
    _other(_number, _text)
