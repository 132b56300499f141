#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A router's other half: whatever comes in by the interface named and goes to
10.9.5.N (2001:db8:9:5::N) is answered with ICMP type 3 (ICMPv6 type 1) code
N - 100, or, if N is 200, as a parameter problem. Prints "ready" when it
listens."""
import select
import socket
import struct
import sys

ETH_IP4, ETH_IP6 = 0x0800, 0x86dd


def csum(b):
    b += b"\0" * (len(b) % 2)
    s = sum(struct.unpack(f"!{len(b) // 2}H", b))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def listen(ethertype):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ethertype))
    s.bind((sys.argv[1], ethertype))
    return s


def refuse4(p):
    if p[16:19] != bytes([10, 9, 5]):
        return
    kind, code, rest = (12, 0, 9 << 24) if p[19] == 200 else (3, p[19] - 100, 0)
    m = struct.pack("!BBHI", kind, code, 0, rest) + p[:548]
    m = m[:2] + struct.pack("!H", csum(m)) + m[4:]
    out4.sendto(m, (socket.inet_ntoa(p[12:16]), 0))


def refuse6(p):
    if p[24:32] != socket.inet_pton(socket.AF_INET6, "2001:db8:9:5::")[:8]:
        return
    kind, code, rest = (4, 0, 7) if p[39] == 200 else (1, p[39] - 100, 0)
    m = struct.pack("!BBHI", kind, code, 0, rest) + p[:1232]  # its kernel sums it
    out6.sendto(m, (socket.inet_ntop(socket.AF_INET6, p[8:24]), 0))


refusers = {listen(ETH_IP4): refuse4, listen(ETH_IP6): refuse6}
out4 = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
out6 = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
print("ready", flush=True)
while True:
    for s in select.select(refusers, [], [])[0]:
        got, where = s.recvfrom(65535)
        if where[2] != socket.PACKET_OUTGOING:
            refusers[s](got)
