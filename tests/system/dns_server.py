# SPDX-License-Identifier: BSD-3-Clause
"""A tiny resolver for the tests: dns_server.py [A [BIND [AAAA]]]. Every A and
AAAA question gets the address given, TXT of big.test gets 3 KiB (truncated over
UDP), AAAA of both.test 2001:db8:2::80; that soa.test has none may be kept. UDP
and TCP on port 53."""
import socket
import struct
import sys
import threading

ADDRESS = socket.inet_aton(sys.argv[1] if len(sys.argv) > 1 else "203.0.113.80")
BIND = sys.argv[2] if len(sys.argv) > 2 else "0.0.0.0"
ADDRESS6 = socket.inet_pton(socket.AF_INET6, sys.argv[3]) if len(sys.argv) > 3 else None
AF = socket.AF_INET6 if ":" in BIND else socket.AF_INET


def answer(q, udp):
    ident, _flags = struct.unpack("!HH", q[:4])
    end = 12
    while q[end]:
        end += q[end] + 1
    qtype, = struct.unpack("!H", q[end + 1:end + 3])
    question = q[12:end + 5]
    name = q[12:end].lower()
    flags = 0x8180
    if qtype == 16 and name.endswith(b"\x03big\x04test"):
        if udp:
            return struct.pack("!6H", ident, flags | 0x200, 1, 0, 0, 0) + question
        text = b"".join(b"\xff" + b"x" * 255 for _ in range(12))
        rr = struct.pack("!HHHIH", 0xc00c, 16, 1, 60, len(text)) + text
    elif qtype == 28 and name.endswith(b"\x04both\x04test"):
        rr = (struct.pack("!HHHIH", 0xc00c, 28, 1, 60, 16)
              + socket.inet_pton(socket.AF_INET6, "2001:db8:2::80"))
    elif qtype == 1:
        rr = struct.pack("!HHHIH", 0xc00c, 1, 1, 60, 4) + ADDRESS
    elif qtype == 28 and ADDRESS6:
        rr = struct.pack("!HHHIH", 0xc00c, 28, 1, 60, 16) + ADDRESS6
    elif name.endswith(b"\x03soa\x04test"):
        soa = struct.pack("!HHHIH", 0xc00c, 6, 1, 60, 22) + bytes(2) + struct.pack("!5I", *[60] * 5)
        return struct.pack("!6H", ident, flags, 1, 0, 1, 0) + question + soa
    else:
        return struct.pack("!6H", ident, flags, 1, 0, 0, 0) + question
    return struct.pack("!6H", ident, flags, 1, 1, 0, 0) + question + rr


def talk(c):
    with c:
        while len(head := c.recv(2, socket.MSG_WAITALL)) == 2:
            q = c.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
            a = answer(q, False)
            c.sendall(struct.pack("!H", len(a)) + a)


def tcp():
    s = socket.socket(AF)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((BIND, 53))
    s.listen(64)
    while True:
        threading.Thread(target=talk, args=(s.accept()[0],), daemon=True).start()


threading.Thread(target=tcp, daemon=True).start()
u = socket.socket(AF, socket.SOCK_DGRAM)
u.bind((BIND, 53))
while True:
    q, who = u.recvfrom(4096)
    u.sendto(answer(q, True), who)
