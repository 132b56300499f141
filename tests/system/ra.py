#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Router advertisements as a machine hears them: each is a line of JSON.

    ra.py IFNAME [ask]     with "ask", a solicitation every second until one came

"at" is when it came.  Prints "{}" when it listens.
"""
import json
import select
import socket
import struct
import sys
import time

ICMP6_FILTER, HOPS, MULTICAST_IF, RECVHOPS = 1, 18, 17, 51
RS, RA = 133, 134


def names(b):
    """DNSSL's, as RFC 1035 writes them."""
    found, at, labels = [], 0, []
    while at < len(b):
        n = b[at]
        if n == 0:
            if labels:
                found.append(b".".join(labels).decode())
            labels = []
        else:
            labels.append(b[at + 1:at + 1 + n])
        at += 1 + n
    return found


def parse(p, who, hops):
    """All that an advertisement says."""
    hop_limit, flags, lifetime, reachable, retrans = struct.unpack_from("!BBHII", p, 4)
    ra = {"from": who, "hops": hops, "hop_limit": hop_limit, "managed": bool(flags & 0x80),
          "other": bool(flags & 0x40), "lifetime": lifetime, "reachable": reachable,
          "retrans": retrans, "prefixes": [], "dns": [], "search": []}
    at = 16
    while at + 8 <= len(p):
        kind, n = p[at], p[at + 1] * 8
        o = p[at:at + n]
        if n == 0 or len(o) < n:
            raise ValueError("an option is longer than the message")
        if kind == 1:
            ra["mac"] = o[2:8].hex(":")
        elif kind == 3:
            valid, preferred = struct.unpack_from("!II", o, 4)
            ra["prefixes"].append({
                "prefix": f"{socket.inet_ntop(socket.AF_INET6, o[16:32])}/{o[2]}",
                "onlink": bool(o[3] & 0x80), "auto": bool(o[3] & 0x40), "valid": valid,
                "preferred": preferred})
        elif kind == 5:
            ra["mtu"] = struct.unpack_from("!I", o, 4)[0]
        elif kind == 25:
            ra["dns_lifetime"] = struct.unpack_from("!I", o, 4)[0]
            ra["dns"] += [socket.inet_ntop(socket.AF_INET6, o[i:i + 16])
                          for i in range(8, n, 16)]
        elif kind == 31:
            ra["search"] += names(o[8:])
        at += n
    return ra


def prepare(s, index):
    """A raw socket of ICMPv6's that hears advertisements only."""
    pass_ = [0xffffffff] * 8
    pass_[RA // 32] &= ~(1 << RA % 32)
    s.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, struct.pack("=8I", *pass_))
    while select.select([s], [], [], 0)[0]:  # what it heard before
        s.recv(2000)
    s.setsockopt(socket.IPPROTO_IPV6, RECVHOPS, 1)
    s.setsockopt(socket.IPPROTO_IPV6, HOPS, 255)
    s.setsockopt(socket.IPPROTO_IPV6, MULTICAST_IF, index)


def solicit(s, index):
    try:
        s.sendto(struct.pack("!BBHI", RS, 0, 0, 0), ("ff02::2", 0, 0, index))
    except OSError:
        pass  # it has no address yet


def hear(s):
    p, anc, _, who = s.recvmsg(2000, 512)
    return parse(p, who[0].split("%")[0], anc[0][2][0])


def ask(s, index, seconds):
    """The first advertisement that comes after a solicitation; prepare() it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        solicit(s, index)
        if select.select([s], [], [], min(1, seconds))[0]:
            return hear(s)
    raise TimeoutError("no advertisement comes")


def main():
    index = socket.if_nametoindex(sys.argv[1])
    asks = sys.argv[2:] == ["ask"]
    s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    prepare(s, index)
    print("{}", flush=True)
    while True:
        if asks:
            solicit(s, index)
        if select.select([s], [], [], 1)[0]:
            asks = False
            print(json.dumps(hear(s) | {"at": time.monotonic()}), flush=True)


if __name__ == "__main__":
    main()
