# SPDX-License-Identifier: BSD-3-Clause
"""A router's other half: whatever comes in by the interface named and goes to
10.9.5.N is answered with ICMP type 3 code N - 100, or type 12 if N is 200.
Prints "ready" when it listens."""
import socket
import struct
import sys


def csum(b):
    b += b"\0" * (len(b) % 2)
    s = sum(struct.unpack(f"!{len(b) // 2}H", b))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


listener = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
listener.bind((sys.argv[1], 0x0800))
out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
print("ready", flush=True)
while True:
    p, where = listener.recvfrom(65535)
    if where[2] == socket.PACKET_OUTGOING or p[16:19] != bytes([10, 9, 5]):
        continue
    kind, code, rest = (12, 0, 9 << 24) if p[19] == 200 else (3, p[19] - 100, 0)
    m = struct.pack("!BBHI", kind, code, 0, rest) + p[:548]
    m = m[:2] + struct.pack("!H", csum(m)) + m[4:]
    out.sendto(m, (socket.inet_ntoa(p[12:16]), 0))
