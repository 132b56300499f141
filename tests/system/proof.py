# SPDX-License-Identifier: BSD-3-Clause
"""The proof that each back end owes: frames of every size in order and bytes
with equal sums, both ways, and the same again when its peer was away.

A test of a kind joins two machines through it and asks:

        a, b = w.guest(), w.guest()
        with Vmlan([a.netdev(), "KIND.."]), Vmlan(["KIND..", b.netdev()]):
            proof.both_ways(a, b)
            ...                         the peer dies and is started again
            proof.frames_again(a, b)

Where the peer is QEMU's own back end, a QEMU without any machine carries what
comes by KIND to b:

        a   vmlan   KIND   QEMU's hub   stream   vmlan   b

        with proof.QemuHub(b, "KIND.. as QEMU spells it") as hub, \\
                Vmlan([a.netdev(), "KIND.."]):
            proof.both_ways(a, b)
            hub.stop()
            hub.start()
            proof.frames_again(a, b)

Whoever serves is started first.  An end is a world.Guest, or a Place for
any other interface in a named namespace.  Frames wait for their way to be there
(30 s), so that a test need not know when a peer has come back; bytes do not,
hence frames go first.  VMLAN_FULL=1 asks for what issue 7 names, else for a
part that takes a second or two.  Such tests bear the mark "release".
"""
import itertools
import subprocess
import sys
import tempfile

from world import BUILD, FULL, HERE, Vmlan, popen, sh, stop

FRAMES = str(BUILD / "tests" / "frames")
SUMS = (sys.executable, str(HERE / "sums.py"))
SIZES = (60, 1514)  # without FCS
FEW = 2  # of each size
COUNT = 1000 if FULL else FEW
BYTES = (100 if FULL else 8) << 20


class Place:
    """An interface in a network namespace that ip knows by name; None is
    where the test runs."""

    def __init__(self, ns, ifname, ip=None):
        self.ns, self.ifname, self.ip = ns, ifname, ip

    def path(self):
        return f"/run/netns/{self.ns}" if self.ns else ""


def in_order(*veth):
    """Both ends of a veth, (name, namespace) each.  What it carries waits in one
    ring then; else there is a queue for each CPU, whose frames now and then
    overtake each other, on a busy machine in one run of a million."""
    for ifname, ns in veth:
        sh("ethtool", "-K", ifname, "gro", "on", "tso", "off", ns=ns)


def plug(*ends):
    """Lets them up, with an address; who went by theirs before is forgotten,
    for one that was made anew has another MAC."""
    for i, e in enumerate(ends):
        e.ip = e.ip or f"10.97.0.{i + 1}"
        if e.ip not in sh("ip", "addr", "show", "dev", e.ifname, ns=e.ns).stdout:
            sh("ip", "addr", "add", f"{e.ip}/24", "dev", e.ifname, ns=e.ns)
        sh("ip", "link", "set", e.ifname, "up", ns=e.ns)
        sh("ip", "neigh", "flush", "dev", e.ifname, ns=e.ns)


def frames(a, b, count, sizes=SIZES, seen_as=None, by_ip=False, wait=30, window=32):
    """Sends them and returns what the program ended with. seen_as: the MAC by
    which b knows a; by_ip: UDP, for ways that take no other; window: frames
    under way at a time (a unix datagram socket holds 10)."""
    options = ["-w", str(wait), "-n", str(window)]
    options += ["-a", seen_as] if seen_as else []
    options += ["-4", a.ip, b.ip] if by_ip else []
    first, last, *step = sizes
    return sh(FRAMES, *options, f"{a.path()}:{a.ifname}", f"{b.path()}:{b.ifname}", str(count),
              str(first), str(last), str(*step or [1]), check=False, timeout=120 + 2 * count)


def come_whole(a, b, count, **kw):
    plug(a, b)
    r = frames(a, b, count, **kw)
    assert r.returncode == 0, r.stdout + r.stderr


def frames_both_ways(a, b, **kw):
    """Many of each size arrive at the other end, once, in order and whole."""
    come_whole(a, b, COUNT, **kw)


def frames_again(a, b, **kw):
    """The way is there again: a few of each size."""
    come_whole(a, b, FEW, **kw)


def carries(a, b, n):
    with popen(*SUMS, "take", ns=b.ns, stdout=subprocess.PIPE, text=True) as taker:
        try:
            port = taker.stdout.readline().strip()
            given = sh(*SUMS, "give", b.ip, port, str(n), ns=a.ns, timeout=600).stdout
            taken, _ = taker.communicate(timeout=60)
        finally:
            taker.kill()
    assert given.split()[0] == str(n) and taken == given, f"{given!r} came as {taken!r}"


def bytes_both_ways(a, b, n=BYTES):
    """One after the other, by TCP, with equal SHA-256."""
    plug(a, b)
    carries(a, b, n)
    carries(b, a, n)


def both_ways(a, b, **kw):
    frames_both_ways(a, b, **kw)
    bytes_both_ways(a, b)


class QemuHub:
    """QEMU's netdev, on a hub with a stream that leads to guest."""

    numbers = itertools.count()

    def __init__(self, guest, netdev, ns=None, wrap=()):
        self.ns, self.wrap, self.netdev = ns, tuple(wrap), netdev
        self.wire = f"stream,addr.type=unix,addr.path=/run/hub{next(self.numbers)}.sock"
        self.proc = None
        self.err = tempfile.TemporaryFile("w+")
        self.far = Vmlan([f"{self.wire},server=on", guest.netdev()])
        try:
            self.start()
        except BaseException:
            self.far.__exit__(*sys.exc_info())
            raise

    def start(self):
        """Returns when its back ends are there."""
        hub = []
        for i, netdev in enumerate((self.netdev, self.wire)):
            hub += ["-netdev", f"{netdev},id=end{i}",
                    "-netdev", f"hubport,id=hub{i},hubid=0,netdev=end{i}"]
        # Without a machine, but running: its netdevs rest while it does not.
        self.proc = popen(*self.wrap, "qemu-system-x86_64", "-machine", "none", "-nodefaults",
                          "-display", "none", "-qmp", "stdio", *hub, ns=self.ns,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.err)
        if b'"QMP"' not in self.proc.stdout.readline():
            self.stop()
            raise AssertionError("QEMU did not start: " + self.log())

    def log(self):
        self.err.seek(0)
        return self.err.read()

    def stop(self, sig=9):
        stop(self.proc, sig)
        self.proc.stdin.close()
        self.proc.stdout.close()

    def __enter__(self):
        return self

    def __exit__(self, *why):
        try:
            self.stop()
        finally:
            self.far.__exit__(*why)
            self.err.close()
