# SPDX-License-Identifier: BSD-3-Clause
"""The engines of the table: bench's peers, told to forward, restrict and so
on, each in its own words."""
import dataclasses
import json
import os
import pathlib
import socket
import time

import lab
import peers
import world
from family import IP4, IP6, Family

HELLO = "/bin/echo hello"
TWIN = "52:54:00:12:34:56"  # QEMU's default


@dataclasses.dataclass(frozen=True)
class Want(peers.Setting):
    """The engine that a row needs."""
    family: Family = IP4
    forwards: tuple = ()   # (protocol, host's port, guest's port)
    guestfwd: bool = False  # port 8080 of the service is HELLO
    restrict: bool = False
    several: bool = False  # a second machine
    silent: bool = False   # it says nothing before it is asked
    others: tuple = ()     # its namespace
    twins: bool = False    # both have one MAC


PLAIN = Want()
FORWARDS = Want(forwards=(("tcp", 2222, 22), ("udp", 2223, 23), ("tcp", 2224, 24),
                          ("udp", 2225, 25)))
SILENT = Want(forwards=(("udp", 2226, 26),), silent=True)
SERVED = Want(guestfwd=True)
RESTRICTED = Want(restrict=True, forwards=(("tcp", 2222, 22),))
TWO = Want(several=True)
TWINS = Want(several=True, twins=True)
JUMBO = Want(mtu=65520)


class Site(peers.Running):
    """An engine at work with one machine or two."""

    def __init__(self, peer, lab_, ns, s):
        self.f = peer.inside(s.family)
        super().__init__(peer, lab_, ns, s)

    def configure(self):
        super().configure()
        for ns in self.s.others:
            lab.ip(ns.name, f"link set eth0 mtu {self.s.mtu} up")
        for i, ns in enumerate((self.ns, *self.s.others)):
            self.address(ns, self.f.other if i else self.f.guest)
        for ns in (self.ns, *self.s.others) if self.s.twins else ():
            lab.ip(ns.name, f"link set eth0 address {TWIN}")


    def address(self, ns, ip):
        f = self.f
        if f.level == socket.IPPROTO_IPV6:
            # by nobody's advertisement, and without a second's wait
            world.sysctl(ns.name, "net/ipv6/conf/eth0/accept_ra", 0)
            world.sysctl(ns.name, "net/ipv6/conf/eth0/accept_dad", 0)
            world.sysctl(ns.name, "net/ipv6/conf/all/disable_ipv6", 0)
            world.sysctl(ns.name, "net/ipv6/conf/eth0/disable_ipv6", 0)
        lab.ip(ns.name, f"addr replace {ip}/{f.bits} dev eth0",
               f"route replace default via {f.gateway}")


class Column:
    """What a column adds to its peer."""
    site = Site
    heading = ""
    lacks = {}  # what it cannot be asked for, and why; "/6" ends what is IPv6's
    net6 = IP6.net

    def inside(self, f):
        """The family, with the addresses of this engine's network."""
        return f if f is IP4 else dataclasses.replace(f, net=self.net6)

    def start(self, lab_, ns, s):
        return self.site(self, lab_, ns, s)


def listens_at(f):
    return "" if f is IP4 else f.literal(f.any)


def guest_of(f):
    return "" if f is IP4 else f.literal(f.guest)


def no_rules(what):
    return f"{what} is not the NAT's part"


# ---- vmlan ----

class VmlanSite(Site):
    def stop(self):
        """Whatever a sanitizer found ends the run."""
        if not self.engine or self.engine.ended():
            return super().stop()
        self.engine.popen.terminate()
        self.engine.popen.wait(20)
        self.engine.err.seek(0)
        text = self.engine.err.read()
        super().stop()
        if "Sanitizer" in text or "runtime error" in text:
            raise AssertionError(text)
        return {}


class Vmlan(Column, peers.VmlanTap):
    heading, site = "vmlan", VmlanSite

    def argv(self, run, ready):
        w, f = run.s, run.f
        user = f"user,mtu={w.mtu}"
        for proto, port, to in w.forwards:
            user += f",hostfwd={proto}:{listens_at(f)}:{port}-{guest_of(f)}:{to}"
        if w.guestfwd:
            user += f",guestfwd=tcp:{f.literal(f.service)}:8080-cmd:{HELLO}"
        if w.restrict:
            user += ",restrict=on"
        return ["join", "-q", "--ready-fd", str(ready), user,
                *(f"netns,path=/run/netns/{ns.name},ifname=eth0"
                  for ns in (run.ns, *w.others))]


# ---- the kernel ----

RULES = """
table inet capabilities {{
    chain before {{ type nat hook prerouting priority -100; {dnat} }}
    chain local {{ type nat hook output priority -100; {dnat} }}
    chain after {{ type nat hook postrouting priority 100;
        oifname "up0" {masquerade}; }}
    chain way {{ type filter hook forward priority 0; {spoilt} }}
    {more}
}}
"""


class KernelSite(Site):
    """A bridge, an address on it, forwarding and rules."""

    def start_engine(self):
        p, mtu = self.peer, self.s.mtu
        lab.ip(None, "link add br0 type bridge", "link set br0 up")
        for i, ns in enumerate((self.ns, *self.s.others)):
            lab.ip(ns.name, f"link add eth0 mtu {mtu} type veth peer name vg{i} "
                   f"netns {os.getpid()}")
            lab.ip(None, f"link set vg{i} mtu {mtu} master br0 up")
        f, word = self.f, "ip" if self.f is IP4 else "ip6"
        lab.ip(None, f"link set br0 mtu {mtu}", f"addr add {f.gateway}/{f.bits} dev br0" +
               (" nodad" if word == "ip6" else ""))
        dnat = "".join(f"fib daddr type local {proto} dport {port} dnat {word} to "
                       f"{f.literal(f.guest)}:{to}; " for proto, port, to in self.s.forwards)
        lab.sh("nft", "-f", "-", data=RULES.format(
            dnat=dnat, masquerade=p.masquerade, spoilt=p.spoilt, more=p.more))
        self.forward("1")

    @staticmethod
    def forward(value):
        for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
            pathlib.Path(f"/proc/sys/net/{name}").write_text(value)

    def stop(self):
        self.forward("0")
        lab.sh("nft", "delete", "table", "inet", "capabilities", check=False)
        lab.sh("ip", "link", "del", "br0", check=False)
        for i in range(2):
            lab.sh("ip", "link", "del", f"vg{i}", check=False)
        return {}


class Kernel(Column, peers.Kernel):
    """By spoilt= it loses or changes what it should carry: the questions must
    see that."""
    heading, site = "kernel NAT", KernelSite
    lacks = {"dhcp": no_rules("a DHCP server"), "ra": no_rules("an advertisement"),
             "dns": no_rules("a name server"),
             "guestfwd": no_rules("a program that answers"),
             "restrict": no_rules("who may speak to whom")}

    def __init__(self, spoilt="", masquerade="masquerade", more=""):
        self.spoilt, self.masquerade, self.more = spoilt, masquerade, more


# ---- the others ----

class Passt(Column, peers.PasstStream):
    heading = "passt"
    lacks = {"guestfwd": "passt has no such option", "restrict": "passt has no such option",
             "several": "each machine has a passt of its own"}

    def argv(self, run, ready):
        argv = [*self.common(run), "-s", run.sock, "--dns-forward", run.f.dns]
        if run.f is not IP4:
            at = argv.index("-4")
            argv[at:argv.index("-i")] = ["-6", "-a", run.f.guest, "-g", run.f.gateway]
        for flag, proto in (("-t", "tcp"), ("-u", "udp")):
            ports = [f"{port}:{to}" for name, port, to in run.s.forwards if name == proto]
            argv[argv.index(flag) + 1] = ",".join(ports) or "none"
        return argv


class SlirpSite(Site):
    def configure(self):
        super().configure()
        for proto, port, to in self.s.forwards:
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(peers.PATIENCE)
                s.connect(self.sock + ".api")
                s.sendall(json.dumps({"execute": "add_hostfwd", "arguments": {
                    "proto": proto, "host_addr": self.f.any, "host_port": port,
                    "guest_addr": self.f.guest, "guest_port": to}}).encode())
                s.shutdown(socket.SHUT_WR)
                told = s.recv(4096)
            if b"error" in told:
                raise lab.Failed(f"slirp4netns: {told.decode()}")


class Slirp4netns(Column, peers.Slirp4netns):
    heading, site, net6 = "slirp4netns", SlirpSite, "fd00::"
    lacks = {"forwards/6": "slirp4netns forwards IPv4 only",
             "guestfwd": "slirp4netns has no such option",
             "restrict": "slirp4netns has no such option",
             "several": "each namespace has a slirp4netns of its own"}

    def argv(self, run, ready):
        return [f"--api-socket={run.sock}.api", "--enable-ipv6", *super().argv(run, ready)]


class QemuSite(Site):
    def wait_ready(self, fd):
        took = super().wait_ready(fd)
        end = time.monotonic() + peers.PATIENCE
        while not all(lab.listens(f"{self.sock}{i}") for i in range(len(self.s.others))):
            if time.monotonic() > end:
                raise lab.Failed(f"{self.peer.name}: {self.engine.said()}")
            time.sleep(0.001)
        return took

    def start_front(self):
        super().start_front()
        self.fronts = []
        for i, ns in enumerate(self.s.others):
            front = lab.Process([self.lab.tool("bench-front"), "stream", f"{self.sock}{i}",
                                 "eth0", f"mtu={self.s.mtu}"], net=ns.fd, read=True)
            self.fronts.append(front)
            if "ready" not in (front.line(peers.PATIENCE) or ""):
                raise lab.Failed(f"bench-front at QEMU: {front.said()}")

    def stop(self):
        for front in getattr(self, "fronts", ()):
            front.stop()
        return super().stop()


class QemuUser(Column, peers.QemuUser):
    heading, site = "QEMU user", QemuSite
    lacks = {"jumbo": "QEMU's user has no such option",
             "forwards/6": "QEMU's hostfwd is IPv4's",
             "restrict/6": "QEMU's hostfwd is IPv4's", "guestfwd/6": "QEMU's guestfwd is IPv4's"}

    def argv(self, run, ready):
        w = run.s
        user = "user,id=u"
        for proto, port, to in w.forwards:
            user += f",hostfwd={proto}::{port}-:{to}"
        if w.guestfwd:
            user += f",guestfwd=tcp:{run.f.service}:8080-cmd:{HELLO}"
        if w.restrict:
            user += ",restrict=on"
        argv = super().argv(run, ready)
        argv[argv.index("user,id=u")] = user
        for i in range(len(w.others)):
            argv += ["-netdev", f"stream,id=o{i},server=on,addr.type=unix,"
                     f"addr.path={run.sock}{i}",
                     "-netdev", f"hubport,id=p{i},hubid=0,netdev=o{i}"]
        return argv


ALL = [Vmlan(), Kernel(), Passt(), Slirp4netns(), QemuUser()]
