# SPDX-License-Identifier: BSD-3-Clause
"""Frames of every size and many bytes over back ends with a twin, with their
peers' end and return (proof.py); and that what proves it sees what is wrong."""
import pathlib

import pytest

import proof
from world import LOSSY, Vmlan, process, sh

DIR = pathlib.Path("/run/proof")


@pytest.fixture(autouse=True)
def sockets_dir():
    DIR.mkdir(exist_ok=True)
    yield
    for p in DIR.iterdir():
        p.unlink()


@pytest.fixture
def ab(w):
    return w.guest(), w.guest()


WIRE = "stream,addr.type=unix,addr.path=/run/proof/"


@pytest.mark.parametrize("loss,late,says", [(50, 0, "was lost, frame"), (0, 50, "came after frame")])
def test_what_is_lost_or_late_is_seen(ab, loss, late, says):
    a, b = ab
    with Vmlan([a.netdev(), WIRE + "a,server=on"]), \
            process(LOSSY, "/run/proof/b", "/run/proof/a", str(loss), str(late), "1"), \
            Vmlan([b.netdev(), WIRE + "b,reconnect-ms=50"]):
        proof.plug(a, b)
        r = proof.frames(a, b, 10)
        assert r.returncode == 1 and says in r.stdout, r


def test_no_way_is_seen(ab):
    a, b = ab
    with Vmlan([a.netdev()]), Vmlan([b.netdev()]):
        proof.plug(a, b)
        r = proof.frames(a, b, 1, wait=1)
        assert r.returncode == 1 and "nothing came for 1 s" in r.stdout, r


UNIX = "local.type=unix,local.path=/run/proof/{},remote.type=unix,remote.path=/run/proof/{}"
INET = ("local.type=inet,local.host=127.0.0.1,local.port={},"
        "remote.type=inet,remote.host=127.0.0.1,remote.port={}")
# Ours, QEMU's, who comes and goes.
PAIRS = {
    "stream-unix": (WIRE + "s,server=on", WIRE + "s"),
    "stream-inet": ("stream,addr.type=inet,addr.host=127.0.0.1,addr.port=9941,reconnect-ms=50",
                    "stream,addr.type=inet,addr.host=127.0.0.1,addr.port=9941,server=on"),
    "dgram-unix": ("dgram," + UNIX.format("x", "y"), "dgram," + UNIX.format("y", "x")),
    "dgram-inet": ("dgram," + INET.format(9942, 9943), "dgram," + INET.format(9943, 9942)),
    "socket-listen": ("socket,listen=127.0.0.1:9945", "socket,connect=127.0.0.1:9945"),
    "socket-udp": ("socket,udp=127.0.0.1:9946,localaddr=127.0.0.1:9947",
                   "socket,udp=127.0.0.1:9947,localaddr=127.0.0.1:9946"),
}


@pytest.mark.release
@pytest.mark.parametrize("pair", PAIRS)
def test_qemus_own(ab, pair):
    a, b = ab
    ours, qemus = PAIRS[pair]
    window = 8 if pair == "dgram-unix" else 32
    with Vmlan([a.netdev(), ours]), proof.QemuHub(b, qemus) as hub:
        proof.both_ways(a, b, window=window)
        hub.stop()
        hub.start()
        proof.frames_again(a, b, window=window)


@pytest.mark.release
@pytest.mark.parametrize("bus", [
    "dgram,remote.type=inet,remote.host=239.1.2.3,remote.port=9944",
    "socket,mcast=239.1.2.4:9948"], ids=["dgram", "socket"])
def test_a_group_of_two(ab, bus):
    """Ours: QEMU hears itself on a group."""
    a, b = ab
    sh("ip", "link", "set", "lo", "multicast", "on")
    with Vmlan([a.netdev(), bus]):
        for _ in range(2):
            with Vmlan([bus, b.netdev()]):
                proof.both_ways(a, b)
