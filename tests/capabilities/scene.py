# SPDX-License-Identifier: BSD-3-Clause
"""Where the questions are asked: the world and the path of the system tests,
sockets in any of its namespaces, and the answers.

    guest, other    behind the engine          10.0.2.15, 10.0.2.16
    host            the engine's               192.0.2.2
    inet, r2, r3    routers                    192.0.2.1, 10.9.1.2, 10.9.2.2
    end             behind them                10.9.3.2
    10.9.5.100+N    refused by r3, unreachable for reason N

One process holds the sockets of all of them, so no side has to wait for the
other to be started.
"""
import contextlib
import dataclasses
import os
import pathlib
import select
import shutil
import socket
import struct
import subprocess
import sys

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
# (both have a path of their own; ours is that of the system tests)
sys.path[:0] = [str(TREE / "tests" / "system"), str(TREE / "bench")]
import lab  # noqa: E402
import path  # noqa: E402
import world  # noqa: E402
from path import END  # noqa: E402
from world import HOST_IP, INET_IP  # noqa: E402

GATEWAY, GUEST, OTHER, DNS = "10.0.2.2", "10.0.2.15", "10.0.2.16", "10.0.2.3"
SERVICE = "10.0.2.100"  # of guestfwd
RESOLV = pathlib.Path("/run/resolv.conf")
IP_RECVERR, IP_MTU_DISCOVER, IP_MTU, IP_RECVTTL, IP_RECVOPTS = 11, 10, 14, 12, 6
PMTUDISC_DONT, PMTUDISC_DO = 0, 2


class No(Exception):
    """The answer, and why."""


# What a row may run into when the answer is no; anything else is a mistake
# of ours.
NOES = (No, OSError, subprocess.SubprocessError)


def expect(true, why):
    if not true:
        raise No(why)


class Net:
    """A namespace, to make sockets and run programs in."""

    def __init__(self, scene, name):
        self.scene, self.name = scene, name
        self.fd = os.open(f"/run/netns/{name}" if name else "/proc/self/ns/net",
                          os.O_RDONLY | os.O_CLOEXEC)

    def close(self):
        os.close(self.fd)

    def socket(self, kind, proto=0, family=socket.AF_INET):
        lab.setns(self.fd, lab.CLONE_NEWNET)
        try:
            s = socket.socket(family, kind, proto)
        finally:
            lab.setns(self.scene.host.fd, lab.CLONE_NEWNET)
        s.settimeout(self.scene.patience)
        self.scene.socks.append(s)
        return s

    def tcp(self):
        return self.socket(socket.SOCK_STREAM)

    def listen(self, port, ip="0.0.0.0"):
        s = self.tcp()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((ip, port))
        s.listen(4096)
        return s

    def udp(self, port=0, ip="0.0.0.0"):
        s = self.socket(socket.SOCK_DGRAM)
        for buf in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            s.setsockopt(socket.SOL_SOCKET, buf, 1 << 20)
        s.bind((ip, port))
        return s

    def raw(self, proto):
        return self.socket(socket.SOCK_RAW, proto)

    def run(self, *argv):
        """What a program says."""
        at = ("ip", "netns", "exec", self.name) if self.name else ()
        done = subprocess.run([*at, *argv], capture_output=True, text=True, check=False,
                              timeout=self.scene.patience * 10 + 10)
        return done.stdout + done.stderr

    def ip(self, *lines):
        lab.ip(self.name, *lines)

    def sysctl(self, name, value):
        path.Path.set(self.name, name, value) if self.name else \
            pathlib.Path(f"/proc/sys/{name}").write_text(str(value))


class Place(lab.Lab):
    """Where bench's peers find their programs; the world is another."""

    def __init__(self, build, peers):
        self.build, self.peers = pathlib.Path(build), pathlib.Path(peers)
        self.n_guests = 0
        self.mnt = self.holder = None
        self.servers = {}
        if (self.peers / "usr").is_dir():
            self.open_peers()


def name_the_resolver(peers):
    """The engines ask inet for names."""
    RESOLV.write_text(f"nameserver {INET_IP}\n")
    os.environ["VMLAN_RESOLV_CONF"] = str(RESOLV)
    if not peers:
        return
    for f in (pathlib.Path("/etc/resolv.conf"), pathlib.Path(peers) / "etc/resolv.conf"):
        if f.exists():
            world.sh("mount", "--bind", str(RESOLV), str(f), check=False)


class Scene:
    """peers: a tree with them; None: vmlan and the kernel only."""

    def __init__(self, build, peers, patience=5):
        self.patience = patience
        self.socks = []
        lab.RUN.mkdir(mode=0o755, exist_ok=True)
        name_the_resolver(peers)
        self.host = Net(self, None)
        self.host.ip("link set lo up")
        self.world = world.World()
        self.path = path.Path()
        # it sees the namespaces to come, now that there is one
        self.place = Place(build, peers or "/nonexistent")
        for name in ("icmp_ratelimit", "icmp_msgs_per_sec"):
            self.host.sysctl(f"net/ipv4/{name}", 0 if "rate" in name else 100000)
        self.host.ip("route replace 10.9.0.0/16 via 192.0.2.1")
        self.inet, self.r3, self.end = (Net(self, n) for n in ("inet", "r3", "end"))
        # Linux tells one machine one unreachable a second; this one all
        self.path.reject("10.9.5.0/24", "blackhole")
        self.refuser = world.popen("/usr/bin/python3", str(world.HERE / "refuser.py"), "u2",
                                   ns="r3", stdout=subprocess.PIPE, text=True)
        expect(self.refuser.stdout.readline() == "ready\n", "no refuser")
        self.guest = self.other = self.site = None

    def close(self):
        self.refuser.kill()
        self.refuser.wait()
        self.place.close()
        for n in (self.inet, self.r3, self.end, self.host):
            n.close()
        self.path.close()
        self.world.close()
        shutil.rmtree(lab.RUN)
        del os.environ["VMLAN_RESOLV_CONF"]

    @contextlib.contextmanager
    def behind(self, column, want):
        """One engine at work, its machines in place."""
        spaces = [self.place.guest() for _ in range(2 if want.several else 1)]
        nets = [Net(self, ns.name) for ns in spaces]
        self.guest, self.other = nets[0], nets[-1]
        self.flush()
        try:
            self.site = column.start(self.place, spaces[0], dataclasses.replace(
                want, others=tuple(spaces[1:])))
            try:
                if not want.silent:
                    for n in nets:
                        n.run("ping", "-n", "-c", "1", "-W", "1", GATEWAY)
                yield self
            finally:
                self.site.stop()
        finally:
            self.clear()
            for n in nets:
                n.close()
            for ns in spaces:
                ns.close()

    def clear(self):
        for s in self.socks:
            s.close()
        self.socks.clear()

    # ---- traffic ----

    def connect(self, server=None, ip=END, port=5001):
        """A connection of the guest: its end, the server's end."""
        listener = (server or self.end).listen(port)
        c = self.guest.tcp()
        c.connect((ip, port))
        return c, self.accept(listener)

    def accept(self, listener):
        s, _ = listener.accept()
        s.settimeout(self.patience)
        self.socks.append(s)
        return s

    def carry(self, a, b, size=300_000):
        """Bytes from a to b, all of them and no others."""
        data = os.urandom(size)
        got, sent = bytearray(), 0
        while len(got) < size:
            r, w, _ = select.select([b], [a] if sent < size else [], [], self.patience)
            expect(r or w, f"stalls after {len(got)} bytes of {size}")
            if w:
                a.setblocking(False)
                sent += a.send(data[sent:sent + 65536])
                a.settimeout(self.patience)
            if r:
                more = b.recv(65536)
                expect(more, f"ends after {len(got)} bytes of {size}")
                got += more
        expect(got == data, "other bytes arrive than were sent")

    def both_ways(self, a, b, size=300_000):
        self.carry(a, b, size)
        self.carry(b, a, size)

    def errors_of(self, s):
        """(type, code, sender) of an ICMP error in a socket's error queue."""
        p = select.poll()
        p.register(s, 0)
        expect(p.poll(self.patience * 1000), "no error comes")
        _, anc, _, _ = s.recvmsg(100, 512, socket.MSG_ERRQUEUE)
        for _, what, data in anc:
            if what == IP_RECVERR:
                _, origin, kind, code = struct.unpack_from("=IBBB", data)
                expect(origin == 2, "the error is not the network's")
                return kind, code, socket.inet_ntoa(data[20:24])
        raise No("no error comes")

    @contextlib.contextmanager
    def narrow(self, mtu=1300):
        """A link of the path carries less."""
        self.path.narrow(mtu)
        self.flush()
        try:
            yield
        finally:
            self.path.narrow(1500)
            self.flush()

    def flush(self):
        for net in (self.guest, self.host, self.inet, self.end):
            net.run("ip", "route", "flush", "cache")


def option(anc, what):
    """An ancillary number of one byte or an int."""
    for _, kind, data in anc:
        if kind == what:
            return data[0]
    return None
