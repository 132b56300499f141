# SPDX-License-Identifier: BSD-3-Clause
"""Frames of every size and many bytes over the host's own networks (proof.py),
which are taken away and come back while machines go on.

        lan   192.168.77.1/24
          | veth
        host  lan0, or br0 with lan0 on it    (vmlan runs here)
          : bridge, tap with helper=, macvtap, packet
        g0 -- g1
"""
import os
import pathlib
import shutil
import signal

import pytest

import proof
from test_uplink import HELPER, etc_qemu, links, mac_of, public_tun  # noqa: F401
from world import Vmlan, sh, wait_for

NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
WIRE = "stream,addr.type=inet,addr.host=127.0.0.1,addr.port=7777"


class Lan(proof.Place):
    """What lan0 leads to."""

    def __init__(self):
        super().__init__("lan", "eth0", "192.168.77.1")
        sh("ip", "netns", "add", self.ns)
        self.make()

    def make(self):
        sh("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "eth0", "netns", self.ns)
        proof.in_order(("lan0", None), ("eth0", self.ns))
        sh("ip", "link", "set", "lan0", "up")

    def remove(self):
        sh("ip", "link", "del", "lan0", check=False)


@pytest.fixture
def lan(w):
    it = Lan()
    yield it
    it.remove()
    sh("ip", "netns", "del", it.ns)


def make_bridge():
    sh("ip", "link", "add", "br0", "type", "bridge")
    sh("ip", "link", "set", "lan0", "master", "br0")
    sh("ip", "link", "set", "br0", "up")


@pytest.fixture
def br0(lan):
    make_bridge()
    yield "br0"
    sh("ip", "link", "del", "br0", check=False)


def machine(w, number=9):
    g = w.guest()
    g.ip = f"192.168.77.{number}"
    return g


def comes_back(v, g, lan, lower, again, **kw):
    """It goes down and up; it is removed, which is told, and made again."""
    sh("ip", "link", "set", lower, "down")
    sh("ip", "link", "set", lower, "up")
    proof.frames_again(g, lan, **kw)
    sh("ip", "link", "del", lower)
    wait_for("the end is told", lambda: f"the interface was removed: {lower};" in v.log())
    again()
    if "seen_as" in kw:
        kw["seen_as"] = mac_of(lower)
    proof.frames_again(g, lan, **kw)
    wait_for("the return is told", lambda: f"{lower} is there again\n" in v.log())


@pytest.mark.release
def test_bridge(w, lan, br0):
    """Without br0 machines reach each other, and nothing of ours is left on
    the host, where it would be an interface like others."""
    a, b = machine(w), machine(w, 10)
    before = links()
    with Vmlan(["bridge", a.netdev(), b.netdev()]) as v:
        proof.both_ways(a, lan)
        comes_back(v, a, lan, "br0", make_bridge)
        sh("ip", "link", "del", "br0")
        wait_for("the end is told", lambda: v.log().count("was removed: br0") == 2)
        # The engine has the tap still when the keeper says so.
        wait_for("the tap to go", lambda: links() == [l for l in before if l != "br0"])
        proof.frames_again(a, b)


def test_one_who_moves_the_tap_is_left_alone(w, lan, br0):
    g = machine(w)
    before = links()
    with Vmlan(["bridge", g.netdev()]) as v:
        tap, = set(links()) - set(before)
        sh("ip", "link", "add", "br1", "type", "bridge")
        sh("ip", "link", "set", "br1", "up")
        sh("ip", "link", "set", tap, "master", "br1")
        sh("ip", "link", "set", "lan0", "master", "br1")
        sh("ip", "link", "del", "br0")
        try:
            proof.frames_again(g, lan)
        finally:
            sh("ip", "link", "del", "br1")
        wait_for("the end is told", lambda: "was removed: br0;" in v.log())


@pytest.mark.release
@pytest.mark.root
@pytest.mark.skipif(not pathlib.Path(HELPER).exists(), reason="no qemu-bridge-helper")
@pytest.mark.parametrize("kind", ["bridge", "tap"])
def test_qemus_helper(w, lan, br0, kind, request):
    """For an ordinary user, and again when the bridge is back; what the helper
    then says is told."""
    request.getfixturevalue("public_tun")
    g = machine(w)
    helper = pathlib.Path("/run/helper")
    shutil.copy(HELPER, helper)
    helper.chmod(0o4755)
    try:
        with etc_qemu("allow br0\n"), \
                Vmlan([f"{kind},helper={helper},br=br0", WIRE + ",server=on"],
                      wrap=NOBODY) as v, Vmlan([WIRE, g.netdev()]):
            proof.both_ways(g, lan)
            comes_back(v, g, lan, "br0", make_bridge)
            sh("ip", "link", "del", "br0")
            pathlib.Path("/etc/qemu/bridge.conf").write_text("deny br0\n")
            make_bridge()
            wait_for("what the helper says", lambda: "br0 is there again: bridge helper failed"
                     in v.log())
            assert v.log().count("needs the line 'allow br0'") == 1
            # asked again when it is another bridge
            pathlib.Path("/etc/qemu/bridge.conf").write_text("allow br0\n")
            sh("ip", "link", "del", "br0")
            make_bridge()
            proof.frames_again(g, lan)
    finally:
        helper.unlink()


@pytest.mark.release
@pytest.mark.parametrize("uplink", ["packet,if=lan0", pytest.param(
    "macvtap,if=lan0", marks=pytest.mark.root), pytest.param(
    "macvtap,if=lan0,mode=passthru", marks=pytest.mark.root)])
def test_card(w, lan, uplink):
    a, b = machine(w), machine(w, 10)
    with Vmlan([uplink, a.netdev(), b.netdev()]) as v:
        proof.both_ways(a, lan)
        comes_back(v, b, lan, "lan0", lan.make)
        lan.remove()
        wait_for("the end is told", lambda: v.log().count("was removed: lan0") == 2)
        proof.frames_again(a, b)


@pytest.mark.parametrize("uplink", ["packet,if=lan0", pytest.param(
    "macvtap,if=lan0", marks=pytest.mark.root), pytest.param(
    "af-xdp,ifname=lan0", marks=pytest.mark.root)])
def test_card_that_comes_and_goes(w, lan, uplink):
    """While the engine takes no orders: what it then makes of those for cards
    that are gone costs nobody anything, nor the card that is there at last."""
    a, b = machine(w), machine(w, 10)
    with Vmlan([uplink, a.netdev(), b.netdev()]) as v:
        proof.frames_again(a, b)
        engine = v.engine()
        os.kill(engine, signal.SIGSTOP)
        try:
            for i in 1, 2, 3:
                lan.remove()
                wait_for("the end is told", lambda: v.log().count("was removed: lan0") == i)
                lan.make()
                wait_for("the return is told", lambda: v.log().count("lan0 is there again") == i)
        finally:
            os.kill(engine, signal.SIGCONT)
        proof.frames_again(a, b)
        proof.frames_again(b, lan)
        assert v.engine() == engine


@pytest.mark.parametrize("kind", ["packet", pytest.param("macvtap", marks=pytest.mark.root)])
def test_card_the_host_and_another_engine(w, lan, kind):
    """The host is reached beside its card when that is back, even by an engine
    that was started without it."""
    g, own = machine(w), "192.168.77.2"
    with Vmlan([f"{kind},if=lan0", "hostif,if=lan0", g.netdev()]) as v:
        proof.frames_again(g, lan)
        sh("ip", "link", "del", "lan0")
        wait_for("the end is told", lambda: "was removed: lan0" in v.log())
        old = v.engine()
        os.kill(old, 9)
        wait_for("another engine", lambda: v.engine() not in (None, old))
        lan.make()
        sh("ip", "addr", "add", f"{own}/24", "dev", "lan0")
        proof.frames_again(g, lan)
        wait_for("the host", lambda: g.sh("ping", "-c", "1", "-W", "1", own,
                                          check=False).returncode == 0)


@pytest.mark.release
def test_card_with_one_mac(w, lan):
    g = machine(w)
    with Vmlan(["packet,if=lan0,translate=on", g.netdev()]) as v:
        kw = {"by_ip": True, "seen_as": mac_of("lan0")}
        proof.both_ways(g, lan, **kw)
        comes_back(v, g, lan, "lan0", lan.make, **kw)
