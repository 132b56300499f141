# SPDX-License-Identifier: BSD-3-Clause
"""A resolver for the tests that does what none should: dns_odd.py MODE BIND. It
says nothing (silent), or to names that do not begin with "ok" (deaf); refuses
all (refuse); answers under another id and then another question, and never else
(lie); or in small letters (lower). What it answers is 203.0.113.7, for a minute;
the name of each question goes to standard output."""
import socket
import struct
import sys

MODE, BIND = sys.argv[1:]
s = socket.socket(socket.AF_INET6 if ":" in BIND else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((BIND, 53))


def answer(q, ident, question):
    rr = struct.pack("!HHHIH", 0xc00c, 1, 1, 60, 4) + bytes([203, 0, 113, 7])
    return struct.pack("!6H", ident, 0x8180, 1, 1, 0, 0) + question + rr


while True:
    q, who = s.recvfrom(4096)
    ident, = struct.unpack("!H", q[:2])
    end = 12
    labels = []
    while q[end]:
        labels.append(q[end + 1:end + 1 + q[end]].decode())
        end += q[end] + 1
    question = q[12:end + 5]
    print(".".join(labels).lower(), flush=True)
    if MODE == "silent" or (MODE == "deaf" and not labels[0].lower().startswith("ok")):
        continue
    if MODE == "refuse":
        s.sendto(struct.pack("!6H", ident, 0x8185, 1, 0, 0, 0) + question, who)
    elif MODE == "lie":
        s.sendto(answer(q, ident ^ 0x5a5a, question), who)
        s.sendto(answer(q, ident, b"\5other" + question[-5:]), who)
        s.sendto(answer(q, ident, question[:-4] + b"\0\x1c\0\1"), who)
    else:
        s.sendto(answer(q, ident, question.lower() if MODE == "lower" else question), who)
