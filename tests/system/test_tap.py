# SPDX-License-Identifier: BSD-3-Clause
"""Taps: a kernel without offloads does not overrun the queue before us, and
frames of 64 KiB stay whole wherever an exit takes them."""
import contextlib
import os
import pathlib
import signal

import pytest

import world
from world import BUILD, INET_IP, XFER, Vmlan, popen, process, sh

BULK = 200 << 20
FRONT = BUILD / "bench" / "bench-front"
DIR = pathlib.Path("/run/tap")
# Without the right to change an interface that somebody else has made.
NO_ADMIN = ("setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin")

# Tells when a frame of 60000 bytes and more has come in by an interface.
SEES_WHOLE = """
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("eth0", 0))
print("ready", flush=True)
while True:
    n, a = s.recvfrom_into(bytearray(1), 1, socket.MSG_TRUNC)
    if a[2] != socket.PACKET_OUTGOING and n >= 60000:
        break
"""


COUNTS = """
import socket
s = socket.create_server(("0.0.0.0", 5009))
print("ready", flush=True)
c = s.accept()[0]
n = 0
while b := c.recv(1 << 20):
    n += len(b)
print(n)
"""

SENDS = """
import socket, sys
with socket.create_connection((sys.argv[1], 5009)) as s:
    print("connected", flush=True)
    sys.stdin.readline()
    s.sendall(bytes(int(sys.argv[2])))
"""


@pytest.fixture(autouse=True)
def sockets_dir():
    DIR.mkdir(exist_ok=True)
    yield
    for p in DIR.iterdir():
        p.unlink()


def statistic(g, name):
    return int(g.sh("cat", f"/sys/class/net/{g.ifname}/statistics/{name}").stdout)


def equal(procs):
    for p in procs:
        out, _ = p.communicate(timeout=240)
        assert out.startswith("equal"), out


@pytest.fixture
def made_tap(w):
    """A tap that an administrator made for us: its queue is 1000."""
    sh("ip", "tuntap", "add", "vtap0", "mode", "tap", "user", str(os.getuid()))
    yield "vtap0"
    sh("ip", "link", "del", "vtap0", check=False)


@pytest.mark.alone
@pytest.mark.parametrize("flows,cc", [(1, "cubic"), (4, "cubic"), (1, "bbr"), (4, "bbr"),
                                      (16, "cubic")])
@pytest.mark.parametrize("wrap,queue", [((), 10000), (NO_ADMIN, 1000)], ids=["ours", "given"])
def test_a_queue_is_not_overrun(w, made_tap, wrap, queue, flows, cc):
    """Segments of 1500 bytes without offloads wait in the tap's queue, where
    nothing tells their sender that it is full."""
    g = w.guest()
    w.serve(XFER, "serve", "5001", port=5001)
    with Vmlan(["user", f"tap,ifname={made_tap},script=no,downscript=no"], wrap=wrap):
        sh("ip", "link", "set", made_tap, "netns", g.ns)
        g.sh("ip", "link", "set", made_tap, "name", "eth0")
        g.sh("ethtool", "-K", "eth0", "tso", "off", "gso", "off", "tx", "off")
        assert f"qlen {queue}" in g.sh("ip", "link", "show", "eth0").stdout
        g.dhcp()
        equal([g.popen(XFER, "-b", cc, "send", INET_IP, "5001", str(BULK // flows),
                       stdout=-1, text=True) for _ in range(flows)])
        assert statistic(g, "tx_packets") > BULK / 1500
        assert statistic(g, "tx_dropped") == 0
        assert g.counter("TcpExtTCPTimeouts") == 0


class Front:
    """A guest behind vhost-user: bench-front carries its tap."""

    def __init__(self, g, sock):
        self.p = popen(str(FRONT), "vhost", str(sock), g.ifname, ns=g.ns, stdout=-1, text=True)
        line = self.p.stdout.readline()
        assert '"ready":true' in line, line

    def __enter__(self):
        return self

    def __exit__(self, *a):
        world.stop(self.p)
        self.p.stdout.close()


def crosses(a, b, port):
    """Bytes a frame has on average as TCP goes from a to b; true besides if b
    saw one of 60000."""
    n = 20_000_000
    before = statistic(b, "rx_packets")
    with process("/usr/bin/python3", "-c", SEES_WHOLE, ns=b.ns, stdout=-1, text=True) as seen:
        assert seen.stdout.readline() == "ready\n"
        equal([a.popen(XFER, "send", b.ip, str(port), str(n), stdout=-1, text=True)])
        frames = statistic(b, "rx_packets") - before
        if frames > n / 1514:
            assert seen.poll() is None
            return n / frames, False
        seen.wait(10)
        return n / frames, True


@pytest.mark.takes("vnet_hdr")
def test_great_frames_stay_whole(w):
    """tap, vhost-user, and two that cannot: stream, and a tap without header."""
    tap, tap2, vhost, stream, plain = g = [w.guest() for _ in range(5)]
    wire, sock = DIR / "v.sock", DIR / "s.sock"
    for x in g:
        w.serve(XFER, "serve", "7000", ns=x.ns, port=7000)
    with Vmlan([tap.netdev(), tap2.netdev(), plain.netdev(",vnet_hdr=off"),
                f"vhost-user,server=on,path={wire}",
                f"stream,server=on,addr.type=unix,addr.path={sock}"]), \
            Vmlan([stream.netdev(), f"stream,addr.type=unix,addr.path={sock}"]), \
            Front(vhost, wire):
        for i, x in enumerate(g):
            x.sh("ip", "addr", "add", f"10.9.0.{i + 1}/24", "dev", "eth0")
            x.sh("ip", "link", "set", "eth0", "up")
            x.ip = f"10.9.0.{i + 1}"
        for a, b in ((tap, tap2), (tap, vhost), (vhost, tap)):
            mean, is_whole = crosses(a, b, 7000)
            assert is_whole and mean > 10_000, (a.ns, b.ns, mean)
        for a, b in ((tap, stream), (vhost, stream), (tap, plain), (vhost, plain)):
            mean, is_whole = crosses(a, b, 7000)
            assert not is_whole and mean < 1500, (a.ns, b.ns, mean)


def test_a_machine_that_does_not_read(w):
    """What is for it waits in the sender's ring; that sender, and all others, go
    on with each other as before, and with it when it reads again."""
    n = 8_000_000
    a, b, c = g = [w.guest() for _ in range(3)]
    w.serve(XFER, "serve", "7000", ns=b.ns, port=7000)
    counts = popen("/usr/bin/python3", "-c", COUNTS, ns=c.ns, stdout=-1, text=True)
    assert counts.stdout.readline() == "ready\n"
    wires = [DIR / f"{i}.sock" for i in range(3)]
    with contextlib.ExitStack() as on:
        on.enter_context(Vmlan([f"vhost-user,server=on,path={p}" for p in wires]))
        fronts = [on.enter_context(Front(x, p)) for x, p in zip(g, wires)]
        for i, x in enumerate(g):
            x.sh("ip", "addr", "add", f"10.9.0.{i + 1}/24", "dev", "eth0")
            x.sh("ip", "link", "set", "eth0", "up")
            x.ip = f"10.9.0.{i + 1}"
        slow = a.popen("/usr/bin/python3", "-c", SENDS, c.ip, str(n), stdin=-1, stdout=-1,
                       text=True)
        assert slow.stdout.readline() == "connected\n"
        fronts[2].p.send_signal(signal.SIGSTOP)
        try:
            slow.stdin.write("go\n")
            slow.stdin.close()
            equal([a.popen(XFER, "send", b.ip, "7000", str(2 * n), stdout=-1, text=True)])
            assert slow.poll() is None
        finally:
            fronts[2].p.send_signal(signal.SIGCONT)
        assert counts.stdout.readline() == f"{n}\n"
        assert slow.wait(10) == counts.wait(10) == 0


@pytest.mark.parametrize("keys,named", [
    ("vhost=on,vhostfd=77,poll-us=50", "vhost=, vhostfd=, poll-us="),
    ("queues=2,vhostfds=77:78,vhostforce=on", "vhostfds=, vhostforce="),
    ("vhost=off,vhostforce=off,poll-us=0", None)])
def test_vhost_is_told_once(w, keys, named):
    """The kernel's vhost-net is not used; a descriptor of it is left alone."""
    g = w.guest()
    with Vmlan(["user", f"tap,ifname=vh0,script=no,downscript=no,{keys}"]) as v:
        told = [l for l in v.log().splitlines() if "vhost" in l]
        assert len(told) == (1 if named else 0), told
        if named:
            assert (f"{named}: the kernel's vhost-net is not used, vmlan carries the frames "
                    "itself") in told[0]
        sh("ip", "link", "set", "vh0", "netns", g.ns)
        g.sh("ip", "link", "set", "vh0", "name", "eth0")
        g.dhcp()
        assert g.sh("ping", "-c", "1", "-W", "20", "10.0.2.2").returncode == 0
