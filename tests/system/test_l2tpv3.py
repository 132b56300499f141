# SPDX-License-Identifier: BSD-3-Clause
"""L2TPv3 between QEMU and vmlan, in each form that QEMU knows, and its bytes.

    a -- vmlan == l2tpv3, over lo == QEMU's hub -- stream -- vmlan -- b

The kernels that run the tests lack the module for an end of their own.
"""
import itertools
import re
import socket
import struct

import pytest

import proof
from world import FULL, VMLAN, Vmlan, js, sh

numbers = itertools.count(1)

# Over what, and the keys that both ends share; cookies and sessions are put
# in crosswise.
FORMS = {
    "udp4": ("udp", 4, ""),
    "raw4-counter": ("ip", 4, "counter=on"),
    "raw6-cookie": ("ip", 6, "cookies"),
    "udp6-all": ("udp", 6, "cookies64,counter=on,pincounter=on,offset=7"),
}
MORE = [(over, family, keys) for over in ("udp", "ip") for family in (4, 6)
        for keys in ("", "cookies", "cookies64", "counter=on", "offset=256",
                     "cookies64,counter=on,offset=1")]


def ends(over, family, keys):
    """Ours, theirs."""
    n = next(numbers)
    ips = [f"127.9.{n}.{i}" if family == 4 else f"fd09::{n}:{i}" for i in (1, 2)]
    if family == 6:
        for ip in ips:
            sh("ip", "addr", "add", f"{ip}/128", "dev", "lo", "nodad")
    cookies = [0x11223344, 0xdeadbeef]
    if "cookies64" in keys:
        cookies = [0x1122334455667788, 0xdeadbeefcafe0001]
    texts = []
    for i in (0, 1):
        s = [f"l2tpv3,src={ips[i]},dst={ips[1 - i]}", f"txsession={10 * n + i}",
             f"rxsession={10 * n + 1 - i}"]
        s += ["ipv6=on"] if family == 6 else []
        s += [f"udp=on,srcport={1700 + i},dstport={1701 - i}"] if over == "udp" else []
        if "cookies" in keys:
            s += [f"txcookie={cookies[i]},rxcookie={cookies[1 - i]}"]
        s += ["cookie64=on"] if "cookies64" in keys else []
        s += [k for k in keys.split(",") if k and not k.startswith("cookies")]
        texts.append(",".join(s))
    return texts


@pytest.fixture
def ab(w):
    return w.guest(), w.guest()


@pytest.mark.release
@pytest.mark.parametrize("form", FORMS)
def test_with_qemu(ab, form):
    """And when QEMU was away."""
    a, b = ab
    ours, qemus = ends(*FORMS[form])
    with Vmlan([a.netdev(), ours]), proof.QemuHub(b, qemus) as hub:
        proof.both_ways(a, b)
        hub.stop()
        assert a.sh("ping", "-c", "2", "-i", "0.2", "-W", "1", b.ip,
                    check=False).returncode == 1
        hub.start()
        proof.frames_again(a, b)


if FULL:  # each key with each way
    @pytest.mark.long
    @pytest.mark.parametrize("form", MORE)
    def test_each_form(ab, form):
        a, b = ab
        ours, qemus = ends(*form)
        with Vmlan([a.netdev(), ours]), proof.QemuHub(b, qemus):
            proof.frames_again(a, b)


def test_jumbo_frames(ab):
    """Between two of ours, longer than QEMU takes and than the way's MTU."""
    a, b = ab
    ours, theirs = ends("udp", 4, "cookies,counter=on")
    sh("ip", "link", "set", "lo", "mtu", "1500")
    try:
        with Vmlan([a.netdev(), ours]), Vmlan([theirs, b.netdev()]):
            proof.plug(a, b)
            for g in ab:
                g.sh("ip", "link", "set", "eth0", "mtu", "9000")
            r = proof.frames(a, b, 3, sizes=(8900, 9014))
            assert r.returncode == 0, r.stdout + r.stderr
    finally:
        sh("ip", "link", "set", "lo", "mtu", "65536")


def frame(g, n):
    """To g, from nobody that it knows."""
    mac = bytes.fromhex(js("link", "show", "eth0", ns=g.ns)[0]["address"].replace(":", ""))
    return mac + bytes.fromhex("525400000099") + b"\x88\xb6" + struct.pack("!I", n) * 12


@pytest.mark.parametrize("keys,head", [
    ("", "00030000" "00000005"),
    ("txcookie=1,rxcookie=2,counter=on,offset=3", "00030000" "00000005" "00000001" "{n:08x}"
     "000000"),
    ("txcookie=1,rxcookie=0x0200000000000000,cookie64=on,counter=on,pincounter=on",
     "00030000" "00000005" "0000000000000001" "00000000"),
])
def test_the_bytes(w, keys, head):
    """What leaves is what QEMU would send; what comes in is taken from the
    peer's address only, from any port, of its session with its cookie."""
    g = w.guest()
    mine = {"": b"", "txcookie=1,rxcookie=2,counter=on,offset=3": bytes.fromhex("00000002") +
            b"\xff" * 7}.get(keys, b"\x02" + b"\x00" * 7 + b"\xff" * 4)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nat, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        peer.settimeout(10)
        peer.bind(("127.0.0.2", 17010))
        nat.bind(("127.0.0.2", 0))
        other.bind(("127.0.0.3", 17010))
        us = ("127.0.0.1", 17011)
        with Vmlan([g.netdev(), "l2tpv3,src=127.0.0.1,dst=127.0.0.2,udp=on,srcport=17011,"
                    f"dstport=17010,txsession=5,rxsession=6,{keys}".rstrip(",")]):
            g.sh("ip", "link", "set", "eth0", "up")
            g.sh("ip", "addr", "add", "10.5.0.1/24", "dev", "eth0")
            before = g.received()
            good = bytes.fromhex("00030000" "00000006") + mine
            other.sendto(good + frame(g, 1), us)
            peer.sendto(bytes.fromhex("00030000" "00000005") + mine + frame(g, 2), us)
            peer.sendto(bytes.fromhex("80030000" "00000006") + mine + frame(g, 3), us)
            peer.sendto(good[:8], us)
            if mine:
                peer.sendto(good[:8] + b"\x77" + good[9:] + frame(g, 4), us)
            peer.sendto(good + frame(g, 5), us)
            nat.sendto(good + frame(g, 6), us)
            g.sh("ping", "-c", "2", "-i", "0.2", "-W", "1", "10.5.0.2", check=False)
            asked = 0  # for 10.5.0.2; the machine's IPv6 may have spoken before
            for n in itertools.count(1):
                got = peer.recv(2048)
                want = bytes.fromhex(head.format(n=n))
                assert got[:len(want)] == want, got.hex()
                asked += got[len(want):].startswith(b"\xff" * 6)
                if asked == 2:
                    break
            assert g.received() - before == 2


def fails(*args, wrap=()):
    r = sh(*wrap, VMLAN, "join", "user", *args, check=False)
    assert len(r.stderr.splitlines()) == 1, r.stderr
    return r.returncode, r.stderr


def test_what_cannot_be(w):
    """One line, and which failure it is."""
    raw = "l2tpv3,src=127.0.0.1,dst=127.0.0.2,txsession=1"
    code, line = fails(raw, wrap=("setpriv", "--bounding-set=-all", "--inh-caps=-all"))
    assert code == 6 and "CAP_NET_RAW" in line and "udp=on" in line
    code, line = fails("l2tpv3,src=::1,dst=::1,txsession=1,rxsession=2,ipv6=off")
    assert code == 1 and "could not resolve src over IPv4" in line
    code, line = fails("l2tpv3,src=127.0.0.1,dst=::1,txsession=1")
    assert code == 1 and "could not resolve dst over IPv4" in line
    code, line = fails("l2tpv3,src=192.0.2.77,dst=127.0.0.2,txsession=1")
    assert code == 1 and "192.0.2.77" in line
    code, line = fails("l2tpv3,src=0.0.0.0,dst=239.1.1.1,txsession=1")
    assert code == 2 and "nobody's address" in line
    for keys in ("", ",udp=on,srcport=17052,dstport=17052"):
        code, line = fails("l2tpv3,src=0.0.0.0,dst=127.0.0.1,txsession=1" + keys)
        assert code == 2 and "would hear itself" in line
    with Vmlan(["user", raw + ",udp=on,srcport=0,dstport=17051"]) as v:
        assert re.search(r"udp:127\.0\.0\.1:[1-9]\d+ to 127\.0\.0\.2:17051", v.log())
    udp = raw + ",udp=on,srcport=17050,dstport=17051"
    with Vmlan(["user", udp]):
        code, line = fails(udp)
        assert code == 5 and "udp:127.0.0.1:17050" in line and "vmlan" in line
