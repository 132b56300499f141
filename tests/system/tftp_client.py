# SPDX-License-Identifier: BSD-3-Clause
"""A TFTP client that is told packet by packet, run in a guest's namespace.

usage: tftp_client.py SERVER get NAME [OPTION=VALUE].. [loss=PERCENT]
       tftp_client.py SERVER try < NAMES (a Python list)
       tftp_client.py SERVER flood COUNT NAME

get prints the options granted, the SHA-256 and the length, after a loss of
that many percent of packets in both directions; try prints for each name the
error or the length; flood asks from COUNT ports and never goes on, and prints
how many were answered by data, by an error and not at all.
"""
import ast
import hashlib
import random
import select
import socket
import struct
import sys
import time

RRQ, WRQ, DATA, ACK, ERROR, OACK = range(1, 7)
SERVER = sys.argv[1]
FAMILY = socket.AF_INET6 if ":" in SERVER else socket.AF_INET


def request(name, options=(), mode=b"octet", op=RRQ):
    words = [name, mode, *(x for o in options for x in o)]
    return struct.pack("!H", op) + b"".join(
        (x if isinstance(x, bytes) else str(x).encode()) + b"\0" for x in words)


class Transfer:
    def __init__(self, name, options=(), loss=0):
        self.sock = socket.socket(FAMILY, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.sock.connect((SERVER, 69))
        self.loss = loss
        self.random = random.Random(7)
        self.granted = {}
        self.text = bytearray()
        self.last = request(name, options)
        self.block = 0

    def send(self, p):
        self.last = p
        if self.random.randrange(100) >= self.loss:
            self.sock.send(p)

    def hear(self, seconds):
        while select.select([self.sock], [], [], seconds)[0]:
            p = self.sock.recv(65536)
            if self.random.randrange(100) >= self.loss:
                return p
        return None

    def run(self):
        """None, or the error's (code, text)."""
        size, window, behind = 512, 1, 0
        self.send(self.last)
        end = time.monotonic() + 120
        while time.monotonic() < end:
            p = self.hear(0.2 if self.loss else 5)
            if p is None:
                self.send(self.last)
                behind = 0
                continue
            op, n = struct.unpack("!HH", p[:4].ljust(4, b"\0"))
            if op == ERROR:
                return n, p[4:-1].decode()
            if op == OACK:
                words = p[2:].split(b"\0")
                self.granted = {k.decode(): int(v) for k, v in zip(words[::2], words[1::2])}
                size = self.granted.get("blksize", 512)
                window = self.granted.get("windowsize", 1)
                if not self.block:
                    self.send(struct.pack("!HH", ACK, 0))
            elif op == DATA and n == (self.block + 1) & 0xffff:
                self.block += 1
                self.text += p[4:]
                behind += 1
                if behind >= window or len(p) - 4 < size:
                    behind = 0
                    self.send(struct.pack("!HH", ACK, n))
                if len(p) - 4 < size:
                    # the server may not have heard it
                    while self.loss and self.hear(1.3) is not None:
                        self.sock.send(self.last)
                    return None
            elif op == DATA and behind:
                behind = 0  # a gap
                self.send(struct.pack("!HH", ACK, self.block & 0xffff))
        return -1, "never ended"


def get(name, *words):
    options = dict(w.split("=") for w in words)
    loss = int(options.pop("loss", 0))
    t = Transfer(name.encode(), options.items(), loss)
    bad = t.run()
    if bad:
        sys.exit(f"error {bad[0]}: {bad[1]}")
    print(t.granted, hashlib.sha256(t.text).hexdigest(), len(t.text))


def attempt():
    for name in ast.literal_eval(sys.stdin.read()):
        t = Transfer(name)
        print(t.run() or len(t.text), flush=True)


def flood(count, name):
    socks = []
    for _ in range(int(count)):
        s = socket.socket(FAMILY, socket.SOCK_DGRAM)
        s.connect((SERVER, 69))
        s.send(request(name.encode()))
        socks.append(s)
    told = {DATA: 0, ERROR: 0, None: 0}
    time.sleep(1)
    for s in socks:
        s.setblocking(False)
        try:
            told[struct.unpack("!H", s.recv(2000)[:2])[0]] += 1
        except BlockingIOError:
            told[None] += 1
    print(*told.values(), flush=True)
    sys.stdin.read()  # the ports stay open until then


{"get": get, "try": attempt, "flood": flood}[sys.argv[2]](*sys.argv[3:])
