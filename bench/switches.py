# SPDX-License-Identifier: BSD-3-Clause
"""What stands between machines that speak to each other: ours and its peers.
Each machine is a namespace of its own and has one card, eth0. How that is
reached:

    vhost   bench-front: virtqueues on one side, a tap on the other
    stream  bench-front: QEMU's socket on one side, a tap on the other
    dgram   bench-front: QEMU's multicast on one side, a tap on the other
    beside  bench-front: between the card, a tap, and a tap on a bridge
    tap     the engine makes the card itself
    plug    a program of the engine's makes the card
    veth    one end is the card, the other is on a bridge
"""
import dataclasses
import os
import signal
import time

import lab
import peers
from lab import Failed, Process

ADDRESS = "10.0.0."
GROUP = "230.0.0.1:5000"
KERNELS = ("tap", "plug", "veth")  # bench-front has no part in these cards
DPDK = ("--no-huge", "--legacy-mem", "--no-pci", "--no-shconf", "--no-telemetry")


def until(done, what, *processes, patience=peers.PATIENCE):
    """Waits for something that no descriptor tells of."""
    end = time.monotonic() + patience
    while not done():
        for p in processes:
            if p.ended():
                raise Failed(f"{p.name} ended: {p.said()}")
        if time.monotonic() > end:
            raise Failed(f"{what} after {patience} s")
        time.sleep(0.001)


class Machine:
    """One of those that meet."""

    def __init__(self, lab_, ns, n, way, s):
        self.lab, self.ns, self.n, self.way, self.s = lab_, ns, n, way, s
        self.address = f"{ADDRESS}{n}"
        self.place = lab.RUN / ns.name
        self.place.mkdir(mode=0o777)
        self.sock = str(self.place / "s")
        self.front = self.plug = None

    def launch(self, where, *more):
        """Starts bench-front, if it has a part in this."""
        if self.s.raw:
            # The first sends to the second.
            more = [*more, f"raw={'send' if self.n == 1 else 'count'}",
                    f"size={self.s.raw}", f"me={self.n}", "to=2"]
        if self.way not in KERNELS:
            self.front = peers.front(self.lab, self.ns, self.way, where, self.s, *more,
                                     dev="-" if self.s.raw else "eth0")
        elif self.s.raw:
            self.front = peers.front(self.lab, self.ns, "packet", "-", self.s, *more)

    def set_up(self):
        """The card, as far as there is one."""
        if self.way not in KERNELS:
            if self.s.raw:
                return
            lab.ip(self.ns.name, "link set eth0 txqueuelen 32768")
        lab.ip(self.ns.name, f"link set eth0 mtu {self.s.mtu} up")
        if not self.s.raw:
            lab.ip(self.ns.name, f"addr replace {self.address}/24 dev eth0")

    def know(self, others):
        """Their addresses are known for ever: who is stopped cannot answer."""
        lab.ip(self.ns.name, *(f"neigh replace {m.address} lladdr {m.mac()} dev eth0 "
                               "nud permanent" for m in others))

    def mac(self):
        return lab.sh("ip", "-n", self.ns.name, "-o", "link", "show",
                      "eth0").split("link/ether ")[1].split()[0]

    def parts(self):
        return [p for p in (self.front, self.plug) if p]

    def halt(self, stop=True):
        """Stops it as its VMM would be stopped, or lets it go on."""
        for p in self.parts():
            p.popen.send_signal(signal.SIGSTOP if stop else signal.SIGCONT)

    def stop(self):
        counts = {}
        self.halt(False)
        if self.front:
            counts = peers.front_stop(self.front)
        if self.plug:
            self.plug.stop()
        return counts


class Meeting(peers.Running):
    """A switch at work with its machines."""

    def __init__(self, peer, lab_, nss, s):
        self.machines = [Machine(lab_, ns, i + 1, peer.ways[i % len(peer.ways)], s)
                         for i, ns in enumerate(nss)]
        self.place = self.machines[0].place
        self.beside = []  # processes and namespaces that end with the engine
        super().__init__(peer, lab_, nss[0], s)

    def make_place(self):
        return self.machines[0].sock

    def start_engine(self):
        self.peer.begin(self)

    def socks(self):
        return [m.sock for m in self.machines]

    def start_front(self):
        for m in self.machines:
            if m.way in KERNELS:
                m.set_up()
        for m in reversed(self.machines):
            m.launch(*self.peer.reach(m))
        self.peer.attach(self)
        for m in reversed(self.machines):
            if m.front:
                told = peers.front_ready(m.front, self)
                self.front_told = self.front_told or told

    def configure(self):
        for m in self.machines:
            if m.way not in KERNELS:
                m.set_up()
        if len(self.machines) > 2:
            for m in self.machines:
                m.know([x for x in self.machines if x is not m])

    def pids(self):
        started = [self.engine, *(b for b in self.beside if isinstance(b, Process))]
        return [pid for p in started if p for pid in lab.descendants(p.pid)]

    def fault(self):
        parts = [(p, p.name) for m in self.machines for p in m.parts()]
        for p, what in [(self.engine, self.peer.name), *parts]:
            if p and p.ended():
                return f"{what} ended ({p.popen.returncode}): {p.said()}"
        return None

    def stop(self):
        counts = [m.stop() for m in self.machines]
        if self.engine:
            self.engine.stop()
        for b in self.beside:
            b.stop() if isinstance(b, Process) else b.close()
        return counts[0]


@dataclasses.dataclass(frozen=True)
class Bare:
    """A program of a peer's that is not its engine, to run to its end."""
    argv: tuple

    def run(self, lab_, *watched, **env):
        """Watched: processes that have to live meanwhile."""
        found = lab_.find(self.argv[0])
        if not found:
            raise Failed(f"{self.argv[0]} is not installed")
        words = [f"{k}={v}" for k, v in env.items()]
        p = Process(["env", *words, found[0], *self.argv[1:]], mnt=found[1], read=True)
        try:
            until(p.ended, f"{self.argv[0]} has not ended", *watched, patience=30)
            if p.popen.returncode:
                raise Failed(f"{self.argv[0]}: {p.said()}")
        finally:
            p.stop()


class Switch(peers.Peer):
    """A peer with this many machines at most, which come by these ways."""
    field, mtus = "vm", (1500,)
    ways, most = ("vhost",), 16
    whole = False  # its work is the kernel's: only the whole machine's can be told

    @property
    def link(self):
        return "-".join((self.ways * 2)[:2])

    def can(self, s):
        ours = all(w == "vhost" for w in self.ways)
        return s.mtu in self.mtus and s.machines <= self.most and (
            ours or (s.ring, s.buf) == (256, 0))

    def stops(self):
        """Whether a machine can stop reading what it is given."""
        return not {"tap", "veth"} & set(self.ways)

    def start(self, lab_, nss, s):
        return Meeting(self, lab_, nss, s)

    def begin(self, run):
        """Starts the engine, and waits until machines may come."""
        peers.Running.start_engine(run)

    def reach(self, machine):
        """bench-front's words: where the engine is, and more."""
        return machine.sock, *(self.front_words() if machine.way == "vhost" else ())

    def attach(self, run):
        """What is left to do when every bench-front has been started."""


# ---- ours ----

class VmlanJoin(Switch, peers.Vmlan):
    find = peers.Vmlan.find

    def argv(self, run, ready):
        return ["join", "-q", "--ready-fd", str(ready), *map(self.netdev, run.machines)]

    def netdev(self, machine):
        return {
            "vhost": f"vhost-user,path={machine.sock},server=on{self.several()}",
            "stream": f"stream,server=on,addr.type=unix,addr.path={machine.sock}",
            "tap": f"netns,path=/run/netns/{machine.ns.name},ifname=eth0{self.several()}",
        }[machine.way]


class VmlanVhosts(VmlanJoin):
    name = "vmlan vhost+vhost"


class VmlanStreams(VmlanJoin):
    name, ways = "vmlan stream+stream", ("stream",)


class VmlanTaps(VmlanJoin):
    name, ways, in_smoke = "vmlan tap+tap", ("tap",), False


class VmlanMixed(VmlanJoin):
    name, ways = "vmlan vhost+tap", ("vhost", "tap")


# ---- the kernel ----

class Bridge(Switch):
    name, ways, whole = "kernel bridge", ("veth",), True

    def missing(self, lab_):
        return None

    def version(self, lab_):
        return "Linux " + os.uname().release

    def begin(self, run):
        run.beside.append(lab.Namespace("bridge"))
        lab.ip("bridge", "link add br0 type bridge", "link set br0 up")
        for m in run.machines:
            self.add_port(m)
            lab.ip("bridge", f"link set p{m.n} mtu {m.s.mtu} master br0 up")

    def add_port(self, m):
        lab.ip(m.ns.name, f"link add eth0 type veth peer name p{m.n} netns bridge")


class TapBridge(Bridge):
    """As QEMU without vhost-net: each frame goes through the VMM."""
    name, ways, in_smoke = "kernel tap bridge", ("beside",), True

    def add_port(self, m):
        lab.ip("bridge", f"tuntap add p{m.n} mode tap vnet_hdr",
               f"link set p{m.n} txqueuelen 32768")

    def reach(self, machine):
        return (f"p{machine.n}", "net=/run/netns/bridge")


class QemuMulticast(Switch):
    """No engine: every VMM's socket is in one group."""
    name, ways, whole = "QEMU multicast", ("dgram",), True
    missing, version = Bridge.missing, Bridge.version

    def begin(self, run):
        pass

    def reach(self, machine):
        return (GROUP, f"net=/proc/{os.getpid()}/ns/net")


# ---- in user space ----

class QemuHub(Switch):
    """QEMU without a machine: its own hub, and a socket for each."""
    name, ways, program = "QEMU hub", ("stream",), "qemu-system-x86_64"

    def argv(self, run, ready):
        words = ["-machine", "none", "-nodefaults", "-display", "none"]
        for m in run.machines:
            words += ["-netdev", f"stream,id=s{m.n},server=on,addr.type=unix,"
                      f"addr.path={m.sock}",
                      "-netdev", f"hubport,id=h{m.n},hubid=0,netdev=s{m.n}"]
        return words


class VdeSwitch(Switch):
    name, ways, program = "vde_switch", ("plug",), "vde_switch"

    def missing(self, lab_):
        for p in (self.program, "vde_plug2tap"):
            if not lab_.find(p):
                return f"{p} is not installed"
        return None

    def begin(self, run):
        path, mnt = self.find(run.lab)
        ctl = str(run.place / "ctl")
        # It ends with its standard input.
        run.engine = Process([path, "-s", ctl], mnt=mnt, write=True)
        until(lambda: lab.listens(f"{ctl}/ctl"), "vde_switch does not listen", run.engine)
        path, mnt = run.lab.find("vde_plug2tap")
        for m in run.machines:
            m.plug = Process([path, "-s", ctl, "eth0"], net=m.ns.fd, mnt=mnt, write=True)
            until(lambda m=m: m.ns.flags("eth0") is not None, "no tap of vde_plug2tap",
                  m.plug)


class Testpmd(Switch):
    """Two ports and nothing between them; it polls on a processor of its own."""
    name, program, most = "dpdk-testpmd", "dpdk-testpmd", 2

    def version(self, lab_):
        path, mnt = self.find(lab_)
        p = Process([path, "-v", *DPDK, "-m", "64", "--", "--help"], mnt=mnt)
        until(p.ended, "dpdk-testpmd -v")
        p.err.seek(0)
        said = [l.split("'")[1] for l in p.err if "RTE Version" in l]
        p.stop()
        return said[0] if said else "unknown"

    def argv(self, run, ready):
        words = [*DPDK, "-m", "512", "-l", f"0,{os.cpu_count() - 1}"]
        for i, m in enumerate(run.machines):
            words += ["--vdev", f"net_vhost{i},iface={m.sock},"
                      f"queues={self.queues},tso=1"]
        return [*words, "--", f"--rxq={self.queues}", f"--txq={self.queues}", "--forward-mode=io", "--auto-start", "--nb-cores=1",
                "--total-num-mbufs=16384", "--stats-period=3600"]


class OvsDpdk(Switch):
    """Open vSwitch's datapath in user space; it polls as testpmd does."""
    name = "OVS-DPDK"
    program = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
    schema = "/usr/share/openvswitch/vswitch.ovsschema"

    def order(self, run, *words):
        Bare(("ovs-vsctl", f"--db=unix:{run.place}/db", *words)).run(
            run.lab, *run.beside, *([run.engine] if run.engine else []),
            OVS_RUNDIR=run.place)

    def begin(self, run):
        conf = f"{run.place}/conf.db"
        Bare(("ovsdb-tool", "create", conf, self.schema)).run(run.lab)
        run.beside.append(self.daemon(run, "ovsdb-server", conf,
                                      f"--remote=punix:{run.place}/db"))
        until(lambda: lab.listens(f"{run.place}/db"), "ovsdb-server does not listen",
              run.beside[0])
        last = 1 << (os.cpu_count() - 1)
        self.order(run, "--no-wait", "init", "--", "set", "Open_vSwitch", ".",
                   "other_config:dpdk-init=true",
                   f"other_config:dpdk-extra=\"{' '.join(DPDK)} -m 1024\"",
                   "other_config:dpdk-lcore-mask=0x1",
                   f"other_config:pmd-cpu-mask={last:#x}",
                   "other_config:userspace-tso-enable=true")
        run.engine = self.daemon(run, self.program, f"unix:{run.place}/db")
        self.order(run, "add-br", "br0", "--", "set", "bridge", "br0",
                   "datapath_type=netdev")

    def daemon(self, run, program, *words):
        found = run.lab.find(program)
        if not found:
            raise Failed(f"{program} is not installed")
        return Process(["env", f"OVS_RUNDIR={run.place}", f"OVS_LOGDIR={run.place}",
                        found[0], *words], mnt=found[1])

    def reach(self, machine):
        return machine.sock, "server=on"

    def attach(self, run):
        """It comes to the machines, and asks each second whether they are there."""
        for m in run.machines:
            until(lambda m=m: lab.listens(m.sock, m.front.pid), "bench-front does not listen",
                  m.front)
            self.order(run, "add-port", "br0", f"vm{m.n}", "--", "set", "interface",
                       f"vm{m.n}", "type=dpdkvhostuserclient",
                       f"options:vhost-server-path={m.sock}")


# A packet socket's frames are one flow: a tap's other queues see none of them.
MANY = ("vm-tcp-4", "vm-raw-64")

ALL = [VmlanVhosts(), peers.scaled(VmlanVhosts, 2, (), 1),
       *(peers.scaled(VmlanVhosts, n, MANY) for n in (2, 4)), VmlanStreams(),
       VmlanTaps(), peers.scaled(VmlanTaps, 2, (), 1),
       *(peers.scaled(VmlanTaps, n, MANY[:1]) for n in (2, 4)), VmlanMixed(),
       Bridge(), TapBridge(), VdeSwitch(), QemuHub(), QemuMulticast(), Testpmd(),
       peers.scaled(Testpmd, 2, MANY), OvsDpdk()]
