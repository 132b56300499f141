# SPDX-License-Identifier: BSD-3-Clause
"""What a question is asked over: addresses, and how Linux calls the same thing
in IPv4 and in IPv6. Questions know no family but this."""
import dataclasses
import socket
import struct

import path
import world


@dataclasses.dataclass(frozen=True)
class Family:
    name: str
    suffix: str          # of the keys of its rows
    af: int
    any: str
    loopback: str
    # outside
    host: str
    inet: str
    end: str
    routers: tuple       # inet, r2, r3
    nobodys: str         # refused by r3
    stranger: str        # of no network
    # inside
    net: str
    bits: int            # of the network's prefix
    group: str
    # Linux's names
    level: int
    icmp: int            # the protocol
    recverr: int
    origin: int          # of an error that the network told
    mtu_discover: int
    mtu: int
    ttl: int
    recvttl: int
    told_ttl: int
    tos: int
    recvtos: int
    # the protocol's own
    longest: int         # datagram
    unreachable: int     # the ICMP type, and codes
    exceeded: int
    no_net: int
    no_host: int
    prohibited: int
    no_port: int
    others: tuple
    no_proto: tuple      # type and code of "that protocol is not spoken here"
    ping_nobody: str     # what ping says of no_host
    ping_too_big: str

    def inside(self, n):
        return f"{self.net}{n}"

    @property
    def gateway(self):
        return self.inside(2)

    @property
    def dns(self):
        return self.inside(3)

    @property
    def guest(self):
        return self.inside(15)

    @property
    def other(self):
        return self.inside(16)

    @property
    def service(self):
        """Of guestfwd."""
        return self.inside(100)

    @property
    def hops(self):
        return [self.gateway, *self.routers]

    def nobody(self, code):
        """Refused as unreachable by that code."""
        return f"{self.nobodys}{100 + code:{'x' if self.level == socket.IPPROTO_IPV6 else 'd'}}"

    @property
    def refuser(self):
        return self.routers[-1]

    def text(self, words):
        """A row's title may name numbers of the family."""
        return words.format(f=self)

    def packed(self, ip):
        return socket.inet_pton(self.af, ip)

    def literal(self, ip):
        """As it stands before a port."""
        return f"[{ip}]" if self.level == socket.IPPROTO_IPV6 else ip

    def error(self, data):
        """(type, code, sender) of struct sock_extended_err and who told it."""
        _, origin, kind, code = struct.unpack_from("=IBBB", data)
        at, n = (24, 16) if self.level == socket.IPPROTO_IPV6 else (20, 4)
        return origin, (kind, code, socket.inet_ntop(self.af, data[at:at + n]))

    def raw_packet(self, raw):
        """Of a raw socket: (marks, sender, what is in the packet). (IPv6's give no
        header.)"""
        if self.level == socket.IPPROTO_IP:
            p = raw.recv(65535)
            return p[1], socket.inet_ntoa(p[12:16]), p[(p[0] & 15) * 4:]
        p, anc, _, who = raw.recvmsg(65535, 512)
        marks = [d[0] for _, what, d in anc if what == self.tos]
        return (marks or [0])[0], who[0], p

    def quoted(self, message):
        """Of an ICMP error: the packet that it is about (protocol, source, payload)."""
        p = message[8:]
        if self.level == socket.IPPROTO_IP:
            return p[9], socket.inet_ntoa(p[12:16]), p[20:]
        return p[6], socket.inet_ntop(self.af, p[8:24]), p[40:]


IP4 = Family(
    name="IPv4", suffix="", af=socket.AF_INET, any="0.0.0.0", loopback="127.0.0.1",
    host=world.HOST_IP, inet=world.INET_IP, end=path.END, routers=tuple(path.HOPS[1:]),
    nobodys="10.9.5.", stranger="10.77.7.7", net="10.0.2.", bits=24, group="239.1.2.3",
    level=socket.IPPROTO_IP, icmp=socket.IPPROTO_ICMP, recverr=11, origin=2, mtu_discover=10,
    mtu=14, ttl=socket.IP_TTL, recvttl=12, told_ttl=socket.IP_TTL, tos=socket.IP_TOS,
    recvtos=socket.IP_RECVTOS, longest=65507, unreachable=3, exceeded=11, no_net=0, no_host=1,
    prohibited=13, no_port=3, others=(2, *range(5, 13), 14, 15), no_proto=(3, 2),
    ping_nobody="Host Unreachable", ping_too_big="mtu = 1300")

IP6 = Family(
    name="IPv6", suffix="/6", af=socket.AF_INET6, any="::", loopback="::1",
    host=world.HOST_IP6, inet=world.INET_IP6, end=path.END6, routers=tuple(path.HOPS6[1:]),
    nobodys="2001:db8:9:5::", stranger="2001:db8:77::7", net="fec0::", bits=64,
    group="ff05::1:2:3", level=socket.IPPROTO_IPV6, icmp=socket.IPPROTO_ICMPV6, recverr=25,
    origin=3, mtu_discover=23, mtu=24, ttl=socket.IPV6_UNICAST_HOPS,
    recvttl=socket.IPV6_RECVHOPLIMIT, told_ttl=socket.IPV6_HOPLIMIT, tos=socket.IPV6_TCLASS,
    recvtos=socket.IPV6_RECVTCLASS, longest=65527, unreachable=1, exceeded=3, no_net=0, no_host=3,
    prohibited=1, no_port=4, others=(2, 5, 6), no_proto=(4, 1),
    ping_nobody="Address unreachable", ping_too_big="mtu=1300")

ALL = (IP4, IP6)
