#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""TCP flows that go on until they are told to end, each byte of which is known.

    flows.py serve PORT
    flows.py up,down,.. IP PORT     a flow for each: "up" is sent by this end

An empty line asks how far each has come: "N N ..", bytes that have arrived.
The end of the input ends them: "equal N N ..", or an exit code of 1.

A flow is chunks with their length before them, one of 0 at the end; behind that
are its length and its checksum. Who receives says after each MiB how many there
were.
"""
import os
import socket
import struct
import sys
import threading
import zlib

CHUNK = 1 << 16
MIB = 1 << 20
ENOUGH = b"\xff" * 8
BLOCK = os.urandom(CHUNK + 251)


def piece(n):
    """The n-th chunk: no two that follow each other are equal."""
    at = n * 7 % 251
    return BLOCK[at:at + CHUNK]


def read(s, n):
    got = b""
    while len(got) < n:
        more = s.recv(n - len(got))
        if not more:
            raise EOFError("cut short")
        got += more
    return got


class Flow:
    """One end of a flow."""

    def __init__(self, s):
        self.s, self.arrived, self.is_over = s, 0, threading.Event()

    def send(self):
        total, crc, n = 0, 0, 0
        while not self.is_over.is_set():
            data = piece(n)
            self.s.sendall(struct.pack("!I", len(data)) + data)
            total, crc, n = total + len(data), zlib.crc32(data, crc), n + 1
        self.s.sendall(struct.pack("!IQI", 0, total, crc))
        return total

    def hear(self):
        """What the other end says has arrived, or that it wants no more: until
        it has all."""
        while word := self.s.recv(8, socket.MSG_WAITALL):
            if word == ENOUGH:
                self.is_over.set()
            else:
                self.arrived, = struct.unpack("!Q", word)

    def receive(self):
        total, crc, told = 0, 0, 0
        while n := struct.unpack("!I", read(self.s, 4))[0]:
            data = read(self.s, n)
            total, crc = total + n, zlib.crc32(data, crc)
            self.arrived = total
            if total - told >= MIB:
                told = total
                self.s.sendall(struct.pack("!Q", total))
        assert struct.unpack("!QI", read(self.s, 12)) == (total, crc), "not equal"
        self.s.sendall(struct.pack("!Q", total))
        return total


def sends(flow):
    """A sender's life: the total, which the other end has said is there."""
    hearer = threading.Thread(target=flow.hear)
    hearer.start()
    total = flow.send()
    flow.s.shutdown(socket.SHUT_WR)
    hearer.join()
    assert flow.arrived == total, (flow.arrived, total)
    return total


def served(s):
    """The client's way is in its first byte."""
    with s:
        flow = Flow(s)
        if read(s, 1) == b"u":
            flow.receive()
        else:
            sends(flow)


def serve(port):
    server = socket.create_server(("", port))
    print("ready", flush=True)
    while True:
        threading.Thread(target=served, args=(server.accept()[0],), daemon=True).start()


def client(ways, ip, port):
    flows, totals, faults = [], [None] * len(ways), []

    def life(i):
        try:
            totals[i] = sends(flows[i]) if ways[i] == "up" else flows[i].receive()
            if ways[i] == "down":
                flows[i].s.shutdown(socket.SHUT_WR)
        except (OSError, EOFError, AssertionError) as e:
            faults.append(f"flow {i} ({ways[i]}): {type(e).__name__}: {e}")

    for way in ways:
        s = socket.create_connection((ip, port), timeout=60)
        s.settimeout(None)
        s.sendall(way[:1].encode())
        flows.append(Flow(s))
    threads = [threading.Thread(target=life, args=(i,), daemon=True) for i in range(len(ways))]
    for t in threads:
        t.start()
    for _ in sys.stdin:
        print(*(f.arrived for f in flows), flush=True)
    for f, way in zip(flows, ways):
        f.is_over.set() if way == "up" else f.s.sendall(ENOUGH)
    for t in threads:
        t.join(60)
    if faults or None in totals:
        sys.exit("; ".join(faults) or "a flow did not end")
    print("equal", *totals, flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(int(sys.argv[2]))
    else:
        client(sys.argv[1].split(","), sys.argv[2], int(sys.argv[3]))
