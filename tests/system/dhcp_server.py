# SPDX-License-Identifier: BSD-3-Clause
"""dhcp_server.py INTERFACE NETWORK SECONDS: leases NETWORK.50 to whoever asks,
for so long, and tells each question in a line: "discover", "request", or
"renew ADDRESS" of one who has it."""
import socket
import struct
import sys

ifname, net, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3])
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, ifname.encode())
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.bind(("", 67))
server, client = (socket.inet_aton(f"{net}.{n}") for n in (1, 50))
print("up", flush=True)
while True:
    data, peer = s.recvfrom(2000)
    kind = data[data.index(b"\x35\x01", 240) + 2]
    has = data[12:16] != bytes(4)
    print({1: "discover"}.get(kind, f"renew {socket.inet_ntoa(data[12:16])}" if has else "request"),
          flush=True)
    head = struct.pack("!4B4s4x4s4s", 2, 1, 6, 0, data[4:8], data[12:16], client)
    options = (b"\x63\x82\x53\x63\x35\x01" + bytes([2 if kind == 1 else 5]) + b"\x36\x04" + server +
               b"\x01\x04\xff\xff\xff\x00\x33\x04" + struct.pack("!I", seconds) + b"\xff")
    answer = head.ljust(28, b"\0") + data[28:44] + bytes(192) + options
    s.sendto(answer, (peer[0] if has else "255.255.255.255", 68))
