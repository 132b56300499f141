# SPDX-License-Identifier: BSD-3-Clause
"""One machine of test_mixed.py, or the host, or the internet: it answers, and
makes traffic from threads that change their CPU all the time.

A line of JSON on its input is an order, a line on its output what came of it.
A peer is [address, port of TCP, port of UDP].
"""
import errno
import hashlib
import json
import os
import pathlib
import random
import select
import socket
import struct
import sys
import threading
import time
import traceback

TCP, UDP, NOBODY = 7000, 7001, 9
ORDER = struct.Struct("!cIQ")  # of a connection: which way, seed, bytes
HEAD = struct.Struct("!QII")  # of a datagram: whose, number, bytes behind it
CPUS = sorted(os.sched_getaffinity(0))
BLOCK = 1 << 16
PATIENCE = 120  # seconds for a connection that is slow, not dead
# Where a flood takes each second frame some segment is lost seven times in a row.
# It shall not be a minute until it is sent again, nor the last time.
TRY_AGAIN = {"tcp_rto_max_ms": 5000, "tcp_retries2": 255, "tcp_syn_retries": 127,
             "tcp_synack_retries": 127}

over = threading.Event()
busy = threading.Event()  # while it is not set nobody floods
busy.set()
errors = []
count = {}
threads = []


def wander():
    """This thread goes on on some other CPU, its flows by other queues."""
    os.sched_setaffinity(0, {random.choice(CPUS)})


def counted(what, n=1):
    count[what] = count.get(what, 0) + n  # each by one thread only


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def stream(seed, n):
    """n bytes that seed says, in pieces."""
    block = random.Random(seed).randbytes(BLOCK)
    at = 0
    while at < n:
        piece = struct.pack("!Q", at) + block[8:]
        yield piece[:n - at]
        at += BLOCK


def digest(pieces):
    h = hashlib.sha256()
    for p in pieces:
        h.update(p)
    return h.digest()


def pieces_of(s, n):
    while n:
        b = s.recv(min(n, BLOCK))
        if not b:
            raise OSError(f"{n} bytes too few")
        n -= len(b)
        yield b


# ---- what it serves ----


def answer(s):
    with s:
        s.settimeout(PATIENCE)
        try:
            way, seed, n = ORDER.unpack(b"".join(pieces_of(s, ORDER.size)))
            if way == b"S":
                s.sendall(digest(pieces_of(s, n)))
            else:
                for p in stream(seed, n):
                    wander()
                    s.sendall(p)
            s.recv(1)  # its end
        except OSError:
            pass  # who asked knows


def serve_tcp(s):
    while True:
        threading.Thread(target=answer, args=(s.accept()[0],), daemon=True).start()


def serve_udp(s):
    while True:
        try:
            data, who = s.recvfrom(65536)
            s.sendto(data, who)
        except OSError:
            pass  # an ICMP error of an answer before, or no way just now


def serve():
    both = {"family": socket.AF_INET6, "dualstack_ipv6": True}
    t = socket.create_server(("::", TCP), backlog=100, **both)
    u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    u.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    u.bind(("::", UDP))
    for f, s in ((serve_tcp, t), (serve_udp, u)):
        threading.Thread(target=f, args=(s,), daemon=True).start()


# ---- traffic ----


def connected(peer):
    """A connection.  Of a wire that is flooded nobody may hear ARP for a while."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection((peer[0], peer[1]), timeout=PATIENCE)
        except OSError as e:
            if e.errno != errno.EHOSTUNREACH or time.monotonic() > end:
                raise


def transfer(peer, n):
    """n bytes one way or the other, each of them seen to be right."""
    seed = random.randrange(1 << 32)
    with connected(peer) as s:
        if random.randrange(2):
            s.sendall(ORDER.pack(b"S", seed, n))
            for p in stream(seed, n):
                wander()
                s.sendall(p)
            got = b"".join(pieces_of(s, 32))
        else:
            s.sendall(ORDER.pack(b"R", seed, n))
            got = digest(pieces_of(s, n))
    if got != digest(stream(seed, n)):
        raise OSError(f"{n} bytes came as others")


def talk(peers, largest):
    while not over.is_set():
        peer = random.choice(peers)
        n = int(largest ** random.random())
        try:
            transfer(peer, n)
        except OSError as e:
            errors.append(f"TCP with {peer[0]} port {peer[1]}, {n} bytes: {e}")
        counted("transfers")
        counted("bytes", n)


def chat(peers):
    """Datagrams that must come back as they were, if they do; long ones come
    in fragments."""
    number = 0
    own = random.randrange(1 << 64)
    filling = random.Random(own).randbytes(9000)
    while not over.is_set():
        wander()
        peer = random.choice(peers)
        with socket.socket(family_of(peer[0]), socket.SOCK_DGRAM) as s:
            s.connect((peer[0], peer[2]))
            sent = {}
            for _ in range(16):
                n = random.choice((0, 0, 100, 1400, 1500, 4000, 8000))
                number += 1
                sent[number] = HEAD.pack(own, number, n) + filling[:n]
                try:
                    s.send(sent[number])
                except OSError:
                    pass  # an ICMP error of one before
            counted("datagrams", len(sent))
            end = time.monotonic() + 1
            while sent and select.select([s], [], [], max(0, end - time.monotonic()))[0]:
                try:
                    data = s.recv(65536)
                except OSError:
                    continue
                who, n, _ = HEAD.unpack_from(data)
                if who != own or (n in sent and data != sent[n]):
                    errors.append(f"UDP with {peer[0]}: {len(data)} bytes came as others")
                if sent.pop(n, None):
                    counted("answers")


def flood(peers, ifname, roam):
    """Short datagrams to a port where nobody is; and frames to nobody, to all
    and, where one is given, from an address that is here and there."""
    raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    raw.bind((ifname, 0))
    own = raw.getsockname()[4]
    roam = bytes.fromhex(roam.replace(":", "")) if roam else own
    while not over.wait(0.01):
        busy.wait()
        wander()
        peer = random.choice(peers)
        with socket.socket(family_of(peer[0]), socket.SOCK_DGRAM) as s:
            for _ in range(32):
                try:
                    s.sendto(bytes(18), (peer[0], NOBODY))
                except OSError:
                    pass  # the link is down, or nobody answers for it yet
        for src, dst in ((own, b"\2\xdd\0\0\0" + random.randbytes(1)), (own, b"\xff" * 6),
                         (roam, b"\xff" * 6), (own, roam)):
            try:
                raw.send(dst + src + b"\x88\xb6" + bytes(50))
            except OSError:
                pass
        counted("floods")


def groups(ifname):
    """In and out of groups of both families, and a word to them."""
    while not over.wait(0.02):
        wander()
        try:
            i = socket.if_nametoindex(ifname)
            n = random.randrange(1, 20)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                group = socket.inet_aton(f"239.7.7.{n}")
                s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                             struct.pack("=4s4si", group, bytes(4), i))
                s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF,
                             struct.pack("=4s4si", bytes(4), bytes(4), i))
                s.sendto(b"hello", (f"239.7.7.{n}", NOBODY))
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
                group = socket.inet_pton(socket.AF_INET6, f"ff15::{n:x}")
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                             group + struct.pack("@I", i))
                s.sendto(b"hello", (f"ff15::{n:x}", NOBODY, 0, i))
            counted("groups")
        except OSError:
            pass  # the link is down


# ---- orders ----


def reach(peers, seconds):
    """Those of the peers that did not answer within that time."""
    end = time.monotonic() + seconds
    left = {(p[0], p[2]): p for p in peers}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s4, \
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s6:
        while left and time.monotonic() < end:
            for to in left:
                try:
                    (s6 if ":" in to[0] else s4).sendto(b"are you there?", to)
                except OSError:
                    pass
            until = time.monotonic() + 0.5
            while left and (ready := select.select(
                    [s4, s6], [], [], max(0, until - time.monotonic()))[0]):
                for s in ready:
                    try:
                        left.pop(s.recvfrom(100)[1][:2], None)
                    except OSError:
                        pass  # an ICMP error of one before
    return sorted(left)


def start(fn, *args):
    def run():
        try:
            fn(*args)
        except Exception:
            errors.append(traceback.format_exc())

    threads.append(threading.Thread(target=run, daemon=True))
    threads[-1].start()


def do(order):
    what = order.pop("do")
    if what == "reach":
        return reach(order["peers"], order["seconds"])
    if what == "transfer":
        try:
            transfer(order["peer"], order["n"])
        except OSError as e:
            return str(e)
    elif what == "start":
        for name, args in order["traffic"].items():
            start({"talk": talk, "chat": chat, "flood": flood, "groups": groups}[name], *args)
    elif what == "calm":
        busy.clear()
    elif what == "stir":
        busy.set()
    elif what == "errors":
        return errors
    elif what == "stop":
        over.set()
        busy.set()
        for t in threads:
            t.join()
        return {"errors": errors, **count}
    return None


if __name__ == "__main__":
    for name, value in TRY_AGAIN.items():
        pathlib.Path("/proc/sys/net/ipv4", name).write_text(f"{value}\n")
    serve()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        print(json.dumps(do(json.loads(line))), flush=True)
