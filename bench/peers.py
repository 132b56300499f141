# SPDX-License-Identifier: BSD-3-Clause
"""The engines that are measured, each as a program to start and a way for a
machine's kernel to reach it:

    vhost   bench-front: virtqueues on one side, a tap on the other
    stream  bench-front: QEMU's socket on one side, a tap on the other
    tap     the engine makes the tap in the machine's namespace itself
    veth    the kernel's own NAT
"""
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import time

import lab
from lab import Failed, Process

PATIENCE = 10  # seconds for anything to come up


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a test asks of a peer."""
    mtu: int = 1500
    ring: int = 256
    buf: int = 0      # as Linux's driver chooses
    cc: str = "cubic"
    way_ms: int = 0   # of a round trip to the server, see path.py
    machines: int = 1
    raw: int = 0      # bytes of the equal frames that it is measured with


class Peer:
    name = ""
    link = ""
    program = ""
    mtus = (1500, 65520)
    address = "10.0.2.15/24"
    gateway = "10.0.2.2"
    far = False       # its server is the one behind the kernel's NAT
    ready_by = "socket"
    is_ours = False
    in_smoke = False
    field = "nat"     # what it is measured in: as NAT, or between machines
    queues = 1        # of a machine's card; several: with as many workers
    one = None        # the name of the same with one of them
    lone = None       # .. and of the same with as many and one worker
    workers = 0       # of ours: so many; 0: as many as it finds right

    def argv(self, path, place, s, ready):
        """The command line: path of its program, its place, the setting, and
        the descriptor to be told on (where ready_by says so)."""
        raise NotImplementedError

    def find(self, lab_):
        """(path, mount namespace)."""
        return lab_.find(self.program)

    def missing(self, lab_):
        """Why it cannot be measured here, or None."""
        return None if self.find(lab_) else f"{self.program} is not installed"

    def version(self, lab_):
        path, mnt = self.find(lab_)
        for flag in ("--version", "-version"):
            p = Process([path, flag], mnt=mnt, read=True)
            out = p.line(5) or ""
            p.stop()
            if out.strip() and "flag" not in out:
                return out.strip().split("\n")[0]
        return "unknown"

    def can(self, s):
        return s.mtu in self.mtus and not (s.way_ms and self.far) and (
            self.link == "vhost" or (s.ring, s.buf) == (256, 0))

    def usual(self, test):
        """Whether it is measured in a test (its key) unless asked for."""
        return True

    def front_words(self):
        """More words for bench-front."""
        return [f"queues={self.queues}"] if self.queues > 1 else []

    def start(self, lab_, ns, s):
        return Running(self, lab_, ns, s)


# ---- bench-front ----

def front(lab_, ns, way, place, s, *more, dev="eth0"):
    """Starts it in a machine's namespace; s is the setting."""
    words = [lab_.tool("bench-front"), way, place, dev]
    if dev == "eth0" and not s.raw:
        words.append(f"mtu={s.mtu}")
    if way == "vhost":
        words += [f"ring={s.ring}", *([f"buf={s.buf}"] if s.buf else [])]
    return Process([*words, *more], net=ns.fd, read=True)


def front_ready(process, run):
    """Waits for frames to flow; what it says of them."""
    line = process.line(PATIENCE)
    if line is None or "ready" not in line:
        raise Failed(f"bench-front at {run.peer.name}: {process.said()}; "
                     f"the engine: {run.engine.said() if run.engine else 'none'}")
    return json.loads(line)


def front_counts(process):
    """Its counters as they stand."""
    process.popen.send_signal(signal.SIGUSR1)
    line = process.line(PATIENCE)
    if line is None:
        raise Failed(f"bench-front tells no counters: {process.said()}")
    return json.loads(line)


def front_stop(process):
    """Ends it; its counters, if it told them."""
    try:
        return json.loads(process.stop().strip().split("\n")[-1])
    except ValueError:
        return {}


class Running:
    """A peer at work with its machine: engine, front, addresses."""

    def __init__(self, peer, lab_, ns, s, front=True):
        self.peer, self.lab, self.ns, self.s = peer, lab_, ns, s
        self.engine = self.front = None
        self.ready_s = None
        self.front_told = {}
        self.sock = self.make_place()
        try:
            self.start_engine()
            if front:
                self.start_front()
                self.configure()
        except BaseException:
            self.stop()
            raise

    def make_place(self):
        place = lab.RUN / self.ns.name
        place.mkdir(mode=0o777)
        return str(place / "s")

    def start_engine(self):
        p = self.peer
        path, mnt = p.find(self.lab)
        r, w = os.pipe()
        try:
            more = ["env", f"VMLAN_WORKERS={p.workers}"] if p.workers else []
            argv = [*more, path, *p.argv(self, w)]
            self.engine = Process(argv, mnt=mnt, fds=(w,) if p.ready_by == "fd" else ())
            os.close(w)
            w = -1
            self.ready_s = self.wait_ready(r)
        finally:
            os.close(r)
            if w >= 0:
                os.close(w)

    def wait_ready(self, fd):
        """Seconds from its exec to its own word or, where it has none, to the
        sight of its socket or interface."""
        end = time.monotonic() + PATIENCE
        os.set_blocking(fd, False)
        while time.monotonic() < end:
            if self.peer.ready_by == "fd":
                try:
                    done = os.read(fd, 64) != b""
                except BlockingIOError:
                    done = False
            elif self.peer.ready_by == "socket":
                done = all(lab.listens(s) for s in self.socks())
            else:
                done = self.ns.is_up("eth0")
            if done:
                return (time.monotonic_ns() - self.engine.began_ns) / 1e9
            if self.engine.ended():
                raise Failed(f"{self.peer.name} ended: {self.engine.said()}")
            time.sleep(0.0001)
        raise Failed(f"{self.peer.name} is not ready after {PATIENCE} s: "
                     f"{self.engine.said()}")

    def start_front(self):
        if self.peer.link not in ("vhost", "stream"):
            return
        self.front = front(self.lab, self.ns, self.peer.link, self.sock, self.s,
                           *self.peer.front_words())
        self.front_told = front_ready(self.front, self)

    def configure(self):
        p, s = self.peer, self.s
        if p.ready_by != "fd":
            time.sleep(0.02)  # it has not said that it has done all it wants
        if self.front:
            lab.ip(self.ns.name, "link set eth0 txqueuelen 32768")
        lab.ip(self.ns.name, f"link set eth0 mtu {s.mtu} up",
               f"addr replace {p.address} dev eth0",
               f"route replace default via {p.gateway} congctl {s.cc}")
        if s.cc != "cubic":
            return
        lab.ip(self.ns.name, f"route replace {p.address.rsplit('.', 1)[0]}.0/24 "
               "dev eth0 congctl cubic")

    def socks(self):
        """Where a ready engine listens."""
        return [self.sock]

    def net(self):
        """Where the client runs."""
        return self.ns.fd

    def pids(self):
        return lab.descendants(self.engine.pid) if self.engine else []

    def fault(self):
        """Why it cannot go on, or None."""
        for p, what in ((self.engine, self.peer.name), (self.front, "bench-front")):
            if p and p.ended():
                return f"{what} ended ({p.popen.returncode}): {p.said()}"
        return None

    def stop(self):
        """Ends all; bench-front's counters."""
        counts = front_stop(self.front) if self.front else {}
        if self.engine:
            self.engine.stop()
        return counts


# ---- ours ----

class Vmlan(Peer):
    ready_by = "fd"
    is_ours = in_smoke = True

    def find(self, lab_):
        path = lab_.build / "src" / "vmlan"
        return (str(path), None) if path.exists() else None

    def several(self):
        """For a netdev that may have several queues."""
        return f",queues={self.queues}" if self.queues > 1 else ""

    def argv(self, run, ready):
        user = f"user,mtu={run.s.mtu}"
        return ["join", "-q", "--ready-fd", str(ready), user, self.netdev(run)]


class VmlanVhost(Vmlan):
    name, link = "vmlan vhost-user", "vhost"

    def netdev(self, run):
        return f"vhost-user,path={run.sock},server=on{self.several()}"


class VmlanStream(Vmlan):
    name, link = "vmlan stream", "stream"

    def netdev(self, run):
        return f"stream,server=on,addr.type=unix,addr.path={run.sock}"


class VmlanTap(Vmlan):
    name, link = "vmlan tap", "tap"

    def netdev(self, run):
        return f"netns,path=/run/netns/{run.ns.name},ifname=eth0{self.several()}"


def scaled(kind, n, tests, workers=0):
    """The same peer with n queues, and so many workers; in other tests it is
    measured only if asked for."""
    name = f"{kind.name} x{n}"
    lone = f"{name} w1" if kind.is_ours else None
    return type(f"{kind.__name__}{n}w{workers}", (kind,), {
        "name": f"{name} w{workers}" if workers else name, "one": kind.name,
        "lone": None if workers else lone, "queues": n, "workers": workers,
        "usual": lambda self, test: test in tests})()


FOUR = ("tcp-up-4-1500", "tcp-down-4-1500")


# ---- the kernel ----

class KernelRunning(Running):
    """A veth pair into the router, whose nftables rule masquerades."""

    def start_engine(self):
        up = f"v{self.ns.name}"
        lab.ip(self.ns.name, f"link add eth0 mtu {self.s.mtu} type veth peer name {up} "
               "netns router")
        lab.ip("router", f"addr add {self.peer.gateway}/24 dev {up}",
               f"link set {up} mtu {self.s.mtu} up")

    def stop(self):
        lab.sh("ip", "-n", "router", "link", "del", f"v{self.ns.name}", check=False)
        return {}


class Kernel(Peer):
    name, link, program = "kernel NAT", "veth", "nft"
    far = True

    def version(self, lab_):
        return "Linux " + os.uname().release

    def start(self, lab_, ns, s):
        lab_.serve(far=True)
        return KernelRunning(self, lab_, ns, s)


class Nothing(Running):
    """No engine, no machine: the client is in the engines' place."""

    def start_engine(self):
        pass

    def start_front(self):
        pass

    def configure(self):
        pass

    def net(self):
        return None


class HostSocket(Peer):
    """What an engine's own socket does on a long way: the bar there."""
    name = "host socket"

    def missing(self, lab_):
        return None

    def version(self, lab_):
        return "Linux " + os.uname().release

    def can(self, s):
        return s.way_ms > 0

    def start(self, lab_, ns, s):
        return Nothing(self, lab_, ns, s)


# ---- passt ----

class Passt(Peer):
    program = "passt"
    extra = ()

    def common(self, run):
        return ["-f", "-q", "-4", "-a", "10.0.2.15", "-n", "24", "-g", "10.0.2.2",
                "-i", "up0", "-m", str(run.s.mtu), "-t", "none", "-u", "none"]

    def argv(self, run, ready):
        return [*self.common(run), "-s", run.sock, *self.extra]


class PasstStream(Passt):
    name, link = "passt socket", "stream"


class PasstVhost(Passt):
    name, link = "passt vhost-user", "vhost"
    extra = ("--vhost-user",)


class Pasta(Passt):
    name, link, program, ready_by = "pasta", "tap", "pasta", "tap"

    def argv(self, run, ready):
        return [*self.common(run), "-T", "none", "-U", "none", "--config-net",
                "--netns", f"/run/netns/{run.ns.name}", "-I", "eth0"]


# ---- libslirp, gvisor ----

class Slirp4netns(Peer):
    name, link, program, ready_by = "slirp4netns", "tap", "slirp4netns", "fd"

    def argv(self, run, ready):
        return [f"--mtu={run.s.mtu}", "--cidr=10.0.2.0/24",
                f"--ready-fd={ready}", "--netns-type=path",
                f"/run/netns/{run.ns.name}", "eth0"]


class QemuUser(Peer):
    """QEMU without a machine: its own NAT and its own socket on one hub."""
    name, link, program, mtus = "QEMU user", "stream", "qemu-system-x86_64", (1500,)

    def argv(self, run, ready):
        return ["-machine", "none", "-nodefaults", "-display", "none",
                "-netdev", "user,id=u", "-netdev", "hubport,id=a,hubid=0,netdev=u",
                "-netdev", f"stream,id=s,server=on,addr.type=unix,addr.path={run.sock}",
                "-netdev", "hubport,id=b,hubid=0,netdev=s"]


class Gvproxy(Peer):
    name, link, program = "gvproxy", "stream", "gvproxy"
    address, gateway = "192.168.127.2/24", "192.168.127.1"

    def argv(self, run, ready):
        return ["-listen-qemu", f"unix://{run.sock}", "-mtu", str(run.s.mtu),
                "-ssh-port", "-1"]


ALL = [VmlanVhost(), scaled(VmlanVhost, 2, FOUR, 1), scaled(VmlanVhost, 2, FOUR),
       VmlanStream(), VmlanTap(), scaled(VmlanTap, 2, FOUR, 1), scaled(VmlanTap, 2, FOUR), Kernel(), HostSocket(), PasstVhost(), PasstStream(), Pasta(),
       Slirp4netns(), QemuUser(), Gvproxy()]


# ---- a tree with the newest peers ----

PACKAGES = ("passt,slirp4netns,gvproxy,qemu-system-x86,vde-switch,vde2,dpdk-dev,"
            "openvswitch-switch-dpdk,librte-meta-net,librte-meta-mempool,librte-meta-bus")


def set_up(folder, suite="sid"):
    """Makes a tree of a newer Debian with the peers in it."""
    folder = pathlib.Path(folder)
    subprocess.run(["debootstrap", "--variant=minbase", f"--include={PACKAGES}",
                    suite, str(folder)], check=True)
    (folder / "etc" / "hosts").touch()  # gvproxy wants to read one
