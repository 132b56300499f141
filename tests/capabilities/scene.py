# SPDX-License-Identifier: BSD-3-Clause
"""Where the questions are asked: the world and the path of the system tests,
sockets in any of its namespaces, and the answers.

    guest, other    behind the engine          10.0.2.15, 10.0.2.16
    host            the engine's               192.0.2.2
    inet, r2, r3    routers                    192.0.2.1, 10.9.1.2, 10.9.2.2
    end             behind them                10.9.3.2
    10.9.5.100+N    refused by r3, unreachable for reason N

or what family.py has for these in IPv6. One process holds the sockets of all of them, so no side has to wait for the
other to be started.
"""
import contextlib
import dataclasses
import os
import pathlib
import select
import shutil
import socket
import subprocess
import sys

TREE = pathlib.Path(__file__).resolve().parent.parent.parent
# (both have a path of their own; ours is that of the system tests)
sys.path[:0] = [str(TREE / "tests" / "system"), str(TREE / "bench")]
import lab  # noqa: E402
import family  # noqa: E402
import path  # noqa: E402
import world  # noqa: E402

RESOLV = pathlib.Path("/run/resolv.conf")
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

    def socket(self, kind, proto=0, af=None):
        lab.setns(self.fd, lab.CLONE_NEWNET)
        try:
            s = socket.socket(af or self.scene.f.af, kind, proto)
        finally:
            lab.setns(self.scene.host.fd, lab.CLONE_NEWNET)
        s.settimeout(self.scene.patience)
        self.scene.socks.append(s)
        return s

    def tcp(self):
        return self.socket(socket.SOCK_STREAM)

    def listen(self, port, ip=None):
        s = self.tcp()
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind((ip or self.scene.f.any, port))
        s.listen(4096)
        return s

    def udp(self, port=0, ip=None):
        s = self.socket(socket.SOCK_DGRAM)
        for buf in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            s.setsockopt(socket.SOL_SOCKET, buf, 1 << 20)
        # IP_FREEBIND: of IPv6 an address can be used a moment after it was added
        s.setsockopt(socket.IPPROTO_IP, 15, 1)
        s.bind((ip or self.scene.f.any, port))
        return s

    def raw(self, proto):
        s = self.socket(socket.SOCK_RAW, proto)
        if s.family == socket.AF_INET6:
            s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        return s

    def run(self, *argv):
        """What a program says."""
        at = ("ip", "netns", "exec", self.name) if self.name else ()
        done = subprocess.run([*at, *argv], capture_output=True, text=True, check=False,
                              timeout=self.scene.patience * 10 + 10)
        return done.stdout + done.stderr

    def ip(self, *lines):
        lab.ip(self.name, *lines)

    def settle(self):
        """Its addresses can be used: of IPv6 that is a moment after they were added."""
        try:
            world.wait_for("addresses", lambda: world.is_settled(self.name))
        except AssertionError as e:
            raise lab.Failed(str(e)) from None

    def index(self, ifname):
        return int(self.run("cat", f"/sys/class/net/{ifname}/ifindex"))

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
    """The engines ask inet for names, over the family that the row is of."""
    RESOLV.write_text(f"nameserver {world.INET_IP}\n")
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
        self.f = family.IP4  # of the row
        self.world = world.World()
        self.world.join6()
        self.path = path.Path()
        self.path.join6()
        # it sees the namespaces to come, now that there is one
        self.place = Place(build, peers or "/nonexistent")
        for name in ("icmp_ratelimit", "icmp_msgs_per_sec"):
            self.host.sysctl(f"net/ipv4/{name}", 0 if "rate" in name else 100000)
        self.host.sysctl("net/ipv6/icmp/ratelimit", 0)
        self.host.ip("route replace 10.9.0.0/16 via 192.0.2.1")
        self.inet, self.r3, self.end = (Net(self, n) for n in ("inet", "r3", "end"))
        # Linux tells one machine one unreachable a second; this one all
        self.path.reject("10.9.5.0/24", "blackhole")
        self.path.reject("2001:db8:9:5::/64", "blackhole")
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
        self.f = column.inside(want.family)
        RESOLV.write_text(f"nameserver {self.f.inet}\n")
        spaces = [self.place.guest() for _ in range(2 if want.several else 1)]
        nets = [Net(self, ns.name) for ns in spaces]
        self.guest, self.other = nets[0], nets[-1]
        self.flush()
        try:
            self.site = column.start(self.place, spaces[0], dataclasses.replace(
                want, others=tuple(spaces[1:])))
            try:
                for n in nets:
                    n.settle()
                if not want.silent:
                    for n in nets:
                        n.run("ping", "-n", "-c", "1", "-W", "1", self.f.gateway)
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

    def connect(self, server=None, ip=None, port=5001):
        """A connection of the guest: its end, the server's end."""
        listener = (server or self.end).listen(port)
        c = self.guest.tcp()
        c.connect((ip or self.f.end, port))
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
            if what == self.f.recverr:
                origin, error = self.f.error(data)
                expect(origin == self.f.origin, "the error is not the network's")
                return error
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
            net.run("ip", "-6", "route", "flush", "cache")


def at(who):
    """Address and port of whoever; IPv6 has more to say."""
    return who[:2]


def option(anc, what):
    """An ancillary number of one byte or an int."""
    for _, kind, data in anc:
        if kind == what:
            return data[0]
    return None
