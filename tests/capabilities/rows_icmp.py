# SPDX-License-Identifier: BSD-3-Clause
"""What routers and hosts say reaches the guest."""
import re
import select
import socket
import struct

import path
from rows import row
from scene import (END, GATEWAY, GUEST, IP_MTU, IP_MTU_DISCOVER, IP_RECVERR,
                   PMTUDISC_DO, expect, No)

SPEAKER = path.HOPS[3]


def ping(s, ip, size=56, *more):
    out = s.guest.run("ping", "-n", "-c", "1", "-W", str(s.patience), "-s", str(size), *more, ip)
    expect("1 received" in out, out.strip().split("\n")[-1][:80])


@row("ping", "Ping")
def ping_end(s):
    ping(s, END)


@row("ping-1400", "Ping of 1400 bytes")
def ping_1400(s):
    ping(s, END, 1400)


@row("ping-8000", "Ping of 8000 bytes")
def ping_8000(s):
    ping(s, END, 8000)


@row("ping-gateway", "The gateway answers ping")
def ping_gateway(s):
    ping(s, GATEWAY)


@row("ping-nobody", "Ping to nobody is not answered, a router says so")
def ping_nobody(s):
    out = s.guest.run("ping", "-n", "-c", "1", "-W", str(s.patience), nobody(1))
    expect("0 received" in out, "nobody answers")
    expect(f"From {SPEAKER}" in out and "Host Unreachable" in out, "no router speaks")


def hops(s, *how):
    out = s.guest.run("traceroute", "-n", "-q", "1", "-w", str(s.patience), "-m", "7",
                      *how, END)
    seen = [line.split()[1] for line in out.splitlines() if re.match(r" *\d+ ", line)]
    expect(seen == path.HOPS + [END], " ".join(seen) or out)


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


def nobody(code):
    return f"10.9.5.{100 + code}"


def unreachable_udp(s, codes):
    for code in codes:
        u = s.guest.udp()
        u.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        u.connect((nobody(code), 5999))
        u.send(b"x")
        got = s.errors_of(u)
        expect(got == (3, code, SPEAKER), f"type, code, sender {got} for code {code}")


def unreachable_tcp(s, codes):
    for code in codes:
        c = s.guest.tcp()
        c.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        try:
            c.connect((nobody(code), 5999))
            raise No("nobody takes connections")
        except TimeoutError:
            raise No("nothing is told") from None
        except OSError:
            got = s.errors_of(c)
        expect(got == (3, code, SPEAKER), f"type, code, sender {got} for code {code}")


TOLD = {"net": ("Net unreachable", [0]), "host": ("Host unreachable", [1]),
        "prohibited": ("Administratively prohibited", [13]),
        "codes": ("Unreachable of all other codes", [2, *range(5, 13), 14, 15])}
for _name, (_text, _codes) in TOLD.items():
    row(f"{_name}-udp", f"{_text}, from whom and as the router said it (UDP)")(
        lambda s, codes=_codes: unreachable_udp(s, codes))
    row(f"{_name}-tcp", f"{_text}, from whom and as the router said it (TCP)")(
        lambda s, codes=_codes: unreachable_tcp(s, codes))


@row("exceeded", "Time exceeded quotes the guest's own datagram")
def exceeded(s):
    icmp, u = s.guest.raw(socket.IPPROTO_ICMP), s.guest.udp(4321)
    u.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 3)
    u.sendto(b"to be quoted", (END, 33500))
    p = icmp.recv(2000)
    quoted = p[28:]
    expect(p[20] == 11 and socket.inet_ntoa(p[12:16]) == path.HOPS[2], "another error comes")
    expect(socket.inet_ntoa(quoted[12:16]) == GUEST and
           struct.unpack_from("!HH", quoted, 20) == (4321, 33500) and
           quoted[28:40] == b"to be quoted", "it quotes another datagram")


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
    u.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DO)
    with s.narrow():
        u.connect((END, 6001))
        try:
            u.send(bytes(1400))
            u.recv(1)
            raise No("an answer comes")
        except TimeoutError:
            raise No("nothing is told") from None
        except OSError:
            got = u.getsockopt(socket.IPPROTO_IP, IP_MTU)
    expect(got == 1300, f"the path's MTU is said to be {got}")


@row("pmtu-ping", "A ping that may not be cut: too big, with the path's MTU")
def pmtu_ping(s):
    with s.narrow():
        out = s.guest.run("ping", "-n", "-c", "1", "-W", str(s.patience), "-M", "do",
                          "-s", "1400", END)
    expect("mtu = 1300" in out, "nothing is told")


def carried(s, proto):
    """Whether another protocol arrives; if not, it comes back as unreachable."""
    body = b"0123456789abcdef"
    at, icmp = s.end.raw(proto), s.guest.raw(socket.IPPROTO_ICMP)
    out = s.guest.raw(proto)
    out.sendto(body, (END, 0))
    ready = select.select([at, icmp], [], [], s.patience)[0]
    expect(ready, "it is lost in silence")
    if at in ready:
        expect(at.recv(100)[20:] == body, "something else arrives")
        return True
    p = icmp.recv(2000)
    expect(p[20:22] == b"\3\2" and p[28 + 9] == proto, "another error comes")
    return False


def _other(number, name):
    @row(f"proto-{name.lower()}", f"{name} is carried, or refused as protocol unreachable")
    def ask(s):
        carried(s, number)
    ask.__module__ = __name__


for _number, _text in ((132, "SCTP"), (47, "GRE"), (50, "ESP")):
    _other(_number, _text)
