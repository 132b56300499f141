# SPDX-License-Identifier: BSD-3-Clause
"""What is measured: each test is a setting, some traffic, and the figures
that come of it (a dict of numbers; medians are taken of each)."""
import dataclasses
import json
import pathlib
import re
import signal
import subprocess
import time

import guest
import lab
import path
from lab import SERVER, Failed, Process
from peers import Running, Setting

GIB = 1 << 30


@dataclasses.dataclass(frozen=True)
class Pace:
    """How long things take."""
    secs: float = 1.5
    warm: float = 0.5
    idle_s: float = 10
    crowd: int = 10000
    starts: int = 5
    patience: float = 60  # for the crowd
    copy_mib: int = 512   # of memory, twice


FULL = Pace()
QUICK = Pace(secs=0.7, warm=0.3, idle_s=2, starts=3, patience=20)
SMOKE = Pace(secs=0.1, warm=0.05, idle_s=0.2, crowd=200, starts=1, patience=10,
             copy_mib=16)


class Cell:
    """One peer in one test, once."""
    field = "nat"

    def __init__(self, lab_, peer, pace, s):
        self.lab, self.peer, self.pace, self.s = lab_, peer, pace, s
        self.nss = [lab_.guest() for _ in range(s.machines)]
        self.ns = self.nss[0]
        self.run = self.way = None
        self.server = path.SERVER if s.way_ms else SERVER
        self.servers = []  # of this cell alone
        self.front = {}    # bench-front's own counters, after the end

    def begin(self):
        if self.s.way_ms:
            self.way = path.Way(self.lab, self.s.way_ms, self.s.cc)
        else:
            self.lab.serve(self.peer.far)
        self.run = self.peer.start(self.lab, self.ns, self.s)

    def __enter__(self):
        try:
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for p in self.servers:
            p.stop()
        if self.run:
            self.front = self.run.stop()
        if self.way:
            self.way.close()
        for ns in self.nss:
            ns.close()

    def client(self, *words, write=False, server=None):
        pids = self.run.pids()
        more = [f"pids={','.join(map(str, pids))}"] if pids else []
        return Process([self.lab.tool("bench-load"), words[0], server or self.server,
                        *words[1:], *more], net=self.run.net(), read=True, write=write)

    def load(self, *words, patience=20):
        """What bench-load tells, with the engine's processor time as `cpu`
        (the whole machine's for the kernel)."""
        busy = lab.machine_s()
        p = self.client(*words)
        got = self.told(p, patience)
        try:
            rc = p.popen.wait(5)
        except subprocess.TimeoutExpired:
            rc = None
        busy = lab.machine_s() - busy
        why = p.said()
        p.stop()
        if rc and "gbit_s" not in got:
            raise Failed(why)
        if rc:
            got["fault"] = why
        got["cpu"] = sum(got["cpu_s"].values()) if "cpu_s" in got else busy
        return got

    def told(self, p, patience):
        line = p.line(patience)
        if line is None:
            why = self.run.fault() or p.said()
            p.stop(0.1)
            raise Failed(why if why != "nothing" else f"no result in {patience} s")
        return json.loads(line)


# ---- traffic ----

def tcp(cell, direction, flows):
    got = cell.load("tcp", f"dir={direction}", f"flows={flows}", f"cc={cell.s.cc}",
                    f"secs={cell.pace.secs}", f"warm={cell.pace.warm}")
    moved = got["bytes"] / GIB
    return {"gbit_s": got["gbit_s"], "cpu_s_gib": got["cpu"] / moved if moved else None,
            "stall_ms": got["stall_ms"], "unended": flows - got["ended"],
            "incomplete": flows - got["complete"],
            "retrans": got["retrans"] + got["server_retrans"], "rto": got["rto"],
            "slowest": min(got["flow_gbit_s"]), "fault": got.get("fault")}


def way(cell, direction, flows):
    """The same over a long way, from the first byte on: how soon it is full,
    and how full it stays."""
    got = cell.load("tcp", f"dir={direction}", f"flows={flows}", f"cc={cell.s.cc}",
                    f"secs={cell.pace.secs * 6}", "warm=0", "drain=20",
                    patience=cell.pace.secs * 6 + 40)
    return {"gbit_s": got["gbit_s"], "stall_ms": got["stall_ms"],
            "unended": flows - got["ended"], "incomplete": flows - got["complete"],
            "retrans": got["retrans"] + got["server_retrans"],
            "rto": got["rto"] + got["server_rto"],
            "slowest": min(got["flow_gbit_s"]), "fault": got.get("fault")}


def rr(cell, proto, idle=0):
    if idle:
        idle = cell.pace.crowd
    got = cell.load("rr", f"proto={proto}", f"secs={cell.pace.secs}", f"idle={idle}",
                    patience=cell.pace.patience + 10)
    return {"p50_us": got["p50_us"], "p99_us": got["p99_us"], "min_us": got["min_us"],
            "per_s": got["per_s"], "lost": got["lost"],
            "cpu_us": got["cpu"] * 1e6 / max(got["transactions"], 1)}


def crr(cell):
    got = cell.load("crr", f"secs={cell.pace.secs}")
    return {"per_s": got["per_s"], "p50_us": got["p50_us"], "p99_us": got["p99_us"],
            "cpu_us": got["cpu"] * 1e6 / max(got["transactions"], 1)}


def udp(cell, direction, size, pps=0):
    got = cell.load("udp", f"dir={direction}", f"size={size}", f"secs={cell.pace.secs}",
                    *([f"pps={pps}"] if pps else []))
    came = got["received"] + got["socket_drops"]
    return {"kpps": got["pps"] / 1e3, "sent_kpps": got["sent_pps"] / 1e3,
            "gbit_s": got["gbit_s"], "lost_pct": 100 * got["path_loss"],
            "cpu_s_mpkt": got["cpu"] / came * 1e6 if came else None}


def crowd(cell):
    """As many connections as the pace says, all open at once."""
    n = cell.pace.crowd
    cell.load("rr", "secs=0.1")  # what the first flow touches is not each one's
    before = lab.memory_kib(cell.run.pids())
    p = cell.client("open", f"n={n}", write=True)
    got = cell.told(p, cell.pace.patience)
    time.sleep(0.5)  # what the opening took ends
    after = lab.memory_kib(cell.run.pids())
    p.popen.stdin.close()
    p.popen.stdin = None
    held = p.line(10)
    p.stop()
    held = json.loads(held) if held else {"held": 0}
    return {"secs": got["secs"], "opened": got["answered"], "held": held["held"],
            "kib_each": (after["rss"] - before["rss"]) / n, "n": n,
            "mib": after["rss"] / 1024}


def idle(cell):
    """Nothing to do: what the engine takes all the same."""
    cell.load("rr", "secs=0.1")
    time.sleep(0.3)  # what the traffic left behind ends
    pids = cell.run.pids()
    before = lab.cpu_ns(pids)
    time.sleep(cell.pace.idle_s)
    spent = (lab.cpu_ns(pids) - before) / 1e6
    memory = lab.memory_kib(pids)
    return {"cpu_ms_per_10_s": spent * 10 / cell.pace.idle_s,
            "own_mib": memory["own"] / 1024, "rss_mib": memory["rss"] / 1024,
            "pss_mib": memory["pss"] / 1024, "peak_mib": memory["peak"] / 1024}


def ready(cell):
    """Seconds from exec to ready, each time from nothing."""
    took = []
    for _ in range(cell.pace.starts):
        ns = cell.lab.guest()
        try:
            r = Running(cell.peer, cell.lab, ns, cell.s, front=False)
            took.append(r.ready_s)
            r.stop()
        finally:
            ns.close()
    took.sort()
    return {"ms": took[len(took) // 2] * 1e3, "min_ms": took[0] * 1e3}


# ---- system calls, counted apart from all that is timed ----

def strace_total(cell, words):
    """The same by strace, where the cheap way is not allowed. It slows the
    engine, which then finds less to do at once: an upper bound."""
    out = lab.RUN / cell.ns.name / "calls"
    ps = [x for pid in cell.run.pids() for x in ("-p", str(pid))]
    tracer = subprocess.Popen(["strace", "-f", "-c", "-o", str(out), *ps],
                              stderr=subprocess.PIPE, text=True)
    for _ in cell.run.pids():
        tracer.stderr.readline()
    got = cell.load(*words)
    tracer.send_signal(signal.SIGINT)
    tracer.communicate(timeout=10)
    last = [l for l in pathlib.Path(out).read_text().split("\n") if l.endswith("total")]
    numbers = re.findall(r"\d+", last[0]) if last else []
    # "100.00 0.123 12 34567 89 total": calls stand before errors, if any.
    return int(numbers[5]) if len(numbers) > 5 else None, got


def calls(cell, what):
    secs = min(cell.pace.secs, 0.7)
    words = (*what, f"secs={secs}")
    cell.load(*what, "secs=0.1")
    cell.lab.asker.start("calls", secs + 0.8, *cell.run.pids())
    time.sleep(0.4)  # until the counters run; without traffic they see little
    got = cell.load(*words)
    total = cell.lab.asker.answer()
    if total is None:
        total, got = strace_total(cell, words)
    if total is None:
        raise Failed("system calls cannot be counted here")
    return {"calls": total / max(got["transactions"], 1)}


# ---- the floor ----

def floor(lab_, word, pace):
    """bench-relay: what a bare relay costs, in the same world."""
    more = [f"mem={pace.copy_mib << 20}"] if word == "copy" else []
    p = Process([lab_.tool("bench-relay"), word, f"secs={pace.secs}", *more], read=True)
    line = p.line(20)
    why = p.said()
    p.stop()
    if line is None:
        raise Failed(f"bench-relay {word}: {why}")
    return json.loads(line)


# ---- the tests ----

@dataclasses.dataclass(frozen=True)
class Test:
    key: str
    title: str
    run: object                  # of a cell (a lab and a pace for the floor)
    columns: tuple               # (figure, heading, format)
    setting: Setting = Setting()
    peers: object = lambda peer: True
    floor: str = ""              # bench-relay's word, measured as one more peer
    quick: bool = True           # part of --quick and --smoke
    once: bool = False           # one round is enough
    cell: object = Cell          # where it runs; its field is that of the peers


TCP = (("gbit_s", "Gbit/s", "%.2f"), ("cpu_s_gib", "CPU s/GiB", "%.3f"),
       ("stall_ms", "stall ms", "%.0f"), ("retrans", "retrans", "%d"), ("rto", "RTO", "%d"),
       ("unended", "not ended", "%d"))
WAY = (("gbit_s", "Gbit/s", "%.3f"), ("slowest", "slowest flow", "%.3f"),
       ("stall_ms", "stall ms", "%.0f"), ("retrans", "retrans", "%d"), ("rto", "RTO", "%d"),
       ("unended", "not ended", "%d"))
RR = (("p50_us", "p50 us", "%.1f"), ("p99_us", "p99 us", "%.1f"), ("per_s", "per s", "%.0f"),
      ("cpu_us", "CPU us each", "%.1f"))
IDLE = (("cpu_ms_per_10_s", "CPU ms in 10 s", "%.2f"), ("rss_mib", "RSS MiB", "%.1f"),
        ("own_mib", "without shared", "%.1f"), ("pss_mib", "PSS MiB", "%.1f"),
        ("peak_mib", "peak MiB", "%.1f"))
UDP = (("kpps", "kpps", "%.1f"), ("gbit_s", "Gbit/s", "%.2f"), ("lost_pct", "lost %", "%.2f"),
       ("cpu_s_mpkt", "CPU s/Mpkt", "%.2f"))


def tcp_tests():
    for mtu in (1500, 65520):
        for flows in (1, 4):
            for d, word in (("up", "guest to host"), ("down", "host to guest")):
                yield Test(f"tcp-{d}-{flows}-{mtu}",
                           f"TCP {word}, {flows} flow{'s' * (flows > 1)}, MTU {mtu}",
                           lambda c, d=d, n=flows: tcp(c, d, n), TCP, Setting(mtu=mtu),
                           floor=d if flows == 1 else "", quick=flows == 1)
    for flows in (1, 4):
        yield Test(f"bbr-up-{flows}", f"TCP guest to host, {flows} flow{'s' * (flows > 1)}, "
                   "MTU 1500, BBR in the guest", lambda c, n=flows: tcp(c, "up", n), TCP,
                   Setting(cc="bbr"), quick=flows == 1)


def way_tests():
    for ms in (100, 300):
        for flows in (1, 4):
            for d, word in (("up", "guest to host"), ("down", "host to guest")):
                for cc in ("cubic", "bbr"):
                    tail = "-bbr" if cc == "bbr" else ""
                    yield Test(f"tcp-{d}-{flows}-{ms}ms{tail}",
                               f"TCP {word}, {flows} flow{'s' * (flows > 1)}, {cc}, "
                               f"{ms} ms to the server and back",
                               lambda c, d=d, n=flows: way(c, d, n), WAY,
                               Setting(cc=cc, way_ms=ms),
                               quick=(ms, flows, cc) == (100, 4, "cubic"))


def ring_tests():
    for ring in (256, 1024):
        for buf in (1526, 4096):
            for d in ("up", "down"):
                yield Test(f"ring-{d}-{ring}-{buf}", f"TCP {d}, 4 flows, rings of {ring}, "
                           f"buffers of {buf} B", lambda c, d=d: tcp(c, d, 4), TCP,
                           Setting(ring=ring, buf=buf), lambda p: p.link == "vhost")


def udp_tests():
    for size in (64, 1400):
        for d in ("up", "down"):
            yield Test(f"udp-{d}-{size}", f"UDP {d}, {size} B, flat out",
                       lambda c, d=d, n=size: udp(c, d, n), UDP, quick=size == 64)
    for size in (64, 1400):
        for d in ("up", "down"):
            yield Test(f"udp-{d}-{size}-paced", f"UDP {d}, {size} B, 20,000 a second",
                       lambda c, d=d, n=size: udp(c, d, n, 20000), UDP, quick=False)


def engines(peer):
    return peer.link != "veth"


def tests():
    return [
        *tcp_tests(),
        Test("rr-tcp", "TCP request/response, 1 B", lambda c: rr(c, "tcp"), RR, floor="rr"),
        Test("rr-tcp-idle", "TCP request/response beside 10,000 idle flows",
             lambda c: rr(c, "tcp", 1), RR),
        Test("rr-udp", "UDP request/response, 1 B", lambda c: rr(c, "udp"), RR),
        Test("rr-udp-idle", "UDP request/response beside 10,000 idle flows",
             lambda c: rr(c, "udp", 1), RR, quick=False),
        Test("crr", "TCP connect, request, close", crr,
             (("per_s", "per s", "%.0f"), ("p50_us", "p50 us", "%.0f"),
              ("p99_us", "p99 us", "%.0f"), ("cpu_us", "CPU us each", "%.1f"))),
        Test("crr-calls", "System calls per connect, request, close",
             lambda c: calls(c, ("crr",)), (("calls", "calls", "%.1f"),), peers=engines),
        Test("rr-calls", "System calls per request/response",
             lambda c: calls(c, ("rr",)), (("calls", "calls", "%.1f"),), peers=engines,
             quick=False),
        *udp_tests(),
        *ring_tests(),
        *way_tests(),
        Test("open", "10,000 connections opened through one guest", crowd,
             (("secs", "s", "%.2f"), ("opened", "opened", "%d"), ("held", "held", "%d"),
              ("kib_each", "KiB each", "%.2f"), ("mib", "RSS MiB", "%.1f"))),
        Test("idle", "Idle", idle, IDLE, peers=engines),
        Test("start", "Ready after start", ready,
             (("ms", "ms", "%.1f"), ("min_ms", "best", "%.1f")), peers=engines),
        Test("qemu", "A machine in QEMU, its processor emulated", guest.machine,
             (("down_gbit_s", "down Gbit/s", "%.2f"), ("down_cpu_s_gib", "CPU s/GiB", "%.3f"),
              ("up_gbit_s", "up Gbit/s", "%.2f"), ("up_cpu_s_gib", "CPU s/GiB", "%.3f")),
             peers=lambda p: p.link in ("vhost", "stream"), quick=False, once=True),
    ]
