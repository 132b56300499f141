# SPDX-License-Identifier: BSD-3-Clause
"""VXLAN between the kernel and vmlan.

    a -- vmlan == l0 10.66.0.1, fd66::1 ---veth--- l1 10.66.N.2, fd66:N::2 -- vx0
         (here)                                    (namespaces far1, far2 ..)
"""
import contextlib
import json
import os
import re
import socket
import time

import pytest

import proof
from world import VMLAN, Vmlan, js, no_waiting, sh, soon, wait_for

VNI = 7342


class Far:
    """A kernel that is a VXLAN tunnel's end, and the cable to it."""

    def __init__(self, n, family=4, mtu=1500):
        self.n, self.ns, self.mtu = n, f"far{n}", mtu
        self.us, self.ip = ((f"10.66.{n}.1", f"10.66.{n}.2") if family == 4
                            else (f"fd66:{n}::1", f"fd66:{n}::2"))
        self.len = 24 if family == 4 else 64
        sh("ip", "netns", "add", self.ns)
        self.lay()
        self.start()
        self.place = proof.Place(self.ns, "vx0", f"10.97.0.{100 + n}")

    def lay(self):
        sh("ip", "link", "add", f"l{self.n}", "mtu", str(self.mtu), "type", "veth", "peer", "name",
           "l1", "mtu", str(self.mtu), "netns", self.ns)
        for ns, dev, ip in ((None, f"l{self.n}", self.us), (self.ns, "l1", self.ip)):
            no_waiting(ns, dev)
            sh("ip", "addr", "add", f"{ip}/{self.len}", "dev", dev, *["nodad"] * (self.len == 64),
               ns=ns)
            sh("ip", "link", "set", dev, "up", ns=ns)

    def start(self, *more):
        sh("ip", "link", "add", "vx0", "type", "vxlan", "id", str(VNI), "local", self.ip, "remote",
           self.us, "dstport", "4789", *more, ns=self.ns)
        sh("ip", "link", "set", "vx0", "mtu", "1500", "up", ns=self.ns)

    def stop(self):
        sh("ip", "link", "del", "vx0", ns=self.ns)

    def cut(self):
        sh("ip", "link", "del", f"l{self.n}")

    def count(self, what="rx_packets"):
        return int(sh("cat", f"/sys/class/net/vx0/statistics/{what}", ns=self.ns).stdout)

    def close(self):
        sh("ip", "link", "del", f"l{self.n}", check=False)
        sh("ip", "netns", "del", self.ns, check=False)


@contextlib.contextmanager
def fars(*numbers, **kw):
    made = []
    try:
        for n in numbers:
            made.append(Far(n, **kw))
        yield made
    finally:
        for f in made:
            f.close()


def vxlan(*far, more=""):
    remotes = "".join(f",remote={f.ip}" for f in far)
    return f"vxlan,vni={VNI}{remotes}{more}"


# A kernel's own packets do not leave in fragments over IPv6, so there the way
# is as wide as the longest.
@pytest.mark.release
@pytest.mark.parametrize("family,mtu,local", [(4, 1500, False), (6, 1600, True)])
def test_with_the_kernel(w, family, mtu, local):
    """And when its end, and then the way there, was away."""
    a = w.guest()
    with fars(1, family=family, mtu=mtu) as (far,), \
            Vmlan([a.netdev(), vxlan(far, more=f",local={far.us}" if local else "")]):
        proof.both_ways(a, far.place)
        far.stop()
        assert a.sh("ping", "-c", "2", "-i", "0.2", "-W", "1", far.place.ip,
                    check=False).returncode == 1
        far.start()
        proof.frames_again(a, far.place)
        far.cut()
        assert a.sh("ping", "-c", "2", "-i", "0.2", "-W", "1", far.place.ip,
                    check=False).returncode == 1
        far.lay()
        proof.frames_again(a, far.place)


def stands_still(count):
    """Nothing has come for a while."""
    n = count()
    time.sleep(0.3)
    return count() == n


def echoes(far):
    """Pings that its kernel took."""
    out = sh("nstat", "-asz", "IcmpInEchos", ns=far.ns).stdout
    return int(out.splitlines()[1].split()[1])


def test_longer_than_the_way(w):
    """What we send goes in fragments, over IPv6 too; or, with df=set, what is
    too long goes nowhere and the rest does."""
    a = w.guest()
    with fars(1, family=6, mtu=1500) as (far,):
        with Vmlan([a.netdev(), vxlan(far)]) as v:
            assert "packets of 1430 bytes go whole" in v.log()
            proof.plug(a, far.place)
            # the kernel's answer is as long, and does not fit its way
            a.sh("ping", "-c", "1", "-W", "1", "-s", "1472", far.place.ip, check=False)
            wait_for("its only echo", lambda: echoes(far))
            assert echoes(far) == 1
        with Vmlan([a.netdev(), vxlan(far, more=",df=set")]):
            proof.plug(a, far.place)
            a.sh("ping", "-c", "1", far.place.ip)
            before = echoes(far)
            assert a.sh("ping", "-c", "2", "-i", "0.1", "-W", "1", "-s", "1472", far.place.ip,
                        check=False).returncode == 1
            assert echoes(far) == before
            a.sh("ping", "-c", "1", far.place.ip)


def echo(a, b):
    a.sh("ping", "-c", "1", "-W", "5", b.ip)


@pytest.mark.parametrize("learns", [True, False])
def test_several(w, learns):
    """All get what is for all; what is for one goes to him, once he is known,
    unless that is not to be learned."""
    a = w.guest()
    with fars(1, 2, 3) as far, \
            Vmlan([a.netdev(), vxlan(*far, more="" if learns else ",learning=off")]):
        # nothing but what is counted: a card that is new has much to say of IPv6
        a.sh("sysctl", "-qw", f"net.ipv6.conf.{a.ifname}.disable_ipv6=1")
        proof.plug(a, *(f.place for f in far))
        for f in far:
            echo(a, f.place)
        for f in far:
            before = [g.count() for g in far]
            a.sh("ping", "-c", "20", "-i", "0.01", f.place.ip)
            for g, n in zip(far, before):
                got = g.count() - n
                assert got >= 20 if g is f or not learns else got < 5, (g.n, got)
        # from one to another there is no way but their own
        assert sh("ping", "-c", "1", "-W", "1", far[1].place.ip, ns=far[0].ns,
                  check=False).returncode == 1
        before = [g.count() for g in far]
        a.sh("ping", "-c", "3", "-i", "0.01", "-W", "1", "10.97.0.250", check=False)
        assert all(g.count() > n for g, n in zip(far, before))


def test_a_machine_that_moves(w):
    """From one peer to another: who speaks there is there."""
    a, mac = w.guest(), "52:54:00:00:00:66"
    with fars(1, 2) as far, Vmlan([a.netdev(), vxlan(*far)]):
        for f in far:
            sh("ip", "link", "set", "vx0", "address", mac, ns=f.ns)
            f.place.ip = "10.97.0.50"
        proof.plug(a, far[0].place)
        echo(a, far[0].place)
        sh("ip", "link", "set", "vx0", "down", ns=far[0].ns)
        proof.plug(far[1].place)
        sh("ping", "-c", "1", "-W", "5", a.ip, ns=far[1].ns)
        echo(a, far[1].place)


def test_only_the_peers(w):
    """Of another address, of another network, or of none, nothing comes in."""
    a = w.guest()
    head = b"\x08\0\0\0" + VNI.to_bytes(3, "big") + b"\0"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other, \
            Vmlan([a.netdev(), f"vxlan,vni={VNI},local=127.0.0.1,remote=127.0.0.2,port=4790"]):
        peer.bind(("127.0.0.2", 0))
        other.bind(("127.0.0.3", 4790))
        mac = bytes.fromhex(js("link", "show", "eth0", ns=a.ns)[0]["address"].replace(":", ""))
        frame = mac + bytes.fromhex("525400000099") + b"\x88\xb6" + bytes(46)
        a.sh("ip", "link", "set", "eth0", "up")
        before = a.received()
        us = ("127.0.0.1", 4790)

        def hears():
            peer.sendto(head + frame, us)
            return soon(lambda: a.received() > before)
        wait_for("that it hears the peer", hears)
        wait_for("all of that", lambda: stands_still(a.received))
        before = a.received()
        other.sendto(head + frame, us)
        peer.sendto(head[:4] + (VNI + 1).to_bytes(3, "big") + b"\0" + frame, us)
        peer.sendto(b"\0" + head[1:] + frame, us)
        peer.sendto(head, us)
        peer.sendto(head[:5], us)
        peer.sendto(head + frame, us)
        wait_for("the peer's", lambda: a.received() > before)
        assert a.received() == before + 1


def test_machines_are_told_what_fits(w):
    """By the gateway's DHCP; unless it was given an MTU."""
    with fars(1) as (far,):
        for user, mtu in (("user", "1450"), ("user,mtu=1400", "1400")):
            g = w.guest()
            with Vmlan([user, g.netdev(), vxlan(far)]):
                g.dhcp()
                assert g.lease.get("mtu", "1500") == mtu


@pytest.mark.release
def test_two_of_ours(w):
    """One of which has many more peers."""
    a, b = w.guest(), w.guest()
    ends = [f"vxlan,vni={VNI},local=127.0.0.{i},remote=127.0.0.{3 - i}" for i in (1, 2)]
    many = "".join(f",remote=127.0.9.{i}" for i in range(1, 200))
    with Vmlan([a.netdev(), ends[0] + many]), Vmlan([b.netdev(), ends[1]]):
        proof.both_ways(a, b)


def test_a_network_with_a_tunnel(w):
    """Of mode generic, with a way out; its engine, then its keeper is killed."""
    with fars(1) as (far,):
        sh(VMLAN, "up", "-q", "lab", "generic", "netdev=user", f"netdev={vxlan(far)}")
        try:
            shown = sh(VMLAN, "show", "lab").stdout
            assert re.search(rf"^tunnel +vxlan1: udp:0\.0\.0\.0:4789, network {VNI}, 1 peer, "
                             "packets of 1450 bytes go whole$", shown, re.M), shown
            far.place.ip = "10.0.2.77"
            proof.plug(far.place)
            for part in ("engine", "keeper"):
                sh("ping", "-c", "1", "-W", "5", "10.0.2.2", ns=far.ns)
                before = json.loads(sh(VMLAN, "show", "--json", "lab").stdout)
                os.kill(before[part], 9)
                now = wait_for(f"another {part}", lambda: served(part, before[part]))
                assert now["tunnels"] == before["tunnels"]
            wait_for("the gateway", lambda: sh("ping", "-c", "1", "-W", "1", "10.0.2.2", ns=far.ns,
                                               check=False).returncode == 0)
        finally:
            sh(VMLAN, "down", "-q", "lab", check=False)


def served(part, old):
    r = sh(VMLAN, "show", "--json", "lab", check=False)
    o = json.loads(r.stdout) if r.returncode == 0 else {}
    return o if o.get("serving") and o[part] != old else None


def fails(*netdevs):
    r = sh(VMLAN, "join", *netdevs, check=False)
    said = [l for l in r.stderr.splitlines() if "error:" in l]
    assert len(said) == 1, r.stderr
    return r.returncode, said[0]


def test_what_cannot_be(w):
    to = f"vxlan,vni={VNI},remote=192.0.2.9"
    code, line = fails(to, f"vxlan,vni={VNI + 1},remote=192.0.2.9")
    assert code == 5 and re.search(r"udp:0\.0\.0\.0:4789: the port is held by .*vmlan", line)
    assert fails("user", to + ",remote=192.0.2.9")[0] == 2
    assert fails("user", to + ",remote=2001:db8::1")[0] == 1
    code, line = fails("user", to + ",remote=127.0.0.1")
    assert code == 2 and "is this end" in line
    code, line = fails("user", to + ",local=203.0.113.77")
    assert code == 1 and "has no such address" in line
