# SPDX-License-Identifier: BSD-3-Clause
"""Random bytes over one TCP connection, with their SHA-256.

        sums.py take            waits for one on a port of its own, which it
                                tells, and reads it to its end: "BYTES SUM"
        sums.py give HOST PORT BYTES    -> "BYTES SUM"
"""
import hashlib
import os
import socket
import sys

CHUNK = 1 << 18


def take():
    total = hashlib.sha256()
    n = 0
    with socket.create_server(("", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        s, _ = listener.accept()
    buf = memoryview(bytearray(CHUNK))
    with s:
        while k := s.recv_into(buf):
            total.update(buf[:k])
            n += k
    print(n, total.hexdigest())


def give(host, port, n):
    total = hashlib.sha256()
    left = n
    with socket.create_connection((host, port), timeout=60) as s:
        while left:
            chunk = os.urandom(min(CHUNK, left))
            s.sendall(chunk)
            total.update(chunk)
            left -= len(chunk)
    print(n, total.hexdigest())


if sys.argv[1] == "take":
    take()
else:
    give(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
