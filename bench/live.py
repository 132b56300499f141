# SPDX-License-Identifier: BSD-3-Clause
"""What those who look at a network that runs, and change it, cost its traffic:
4 flows, alone and beside callers.py, by turns in one cell. A *placebo* is the
same callers at the same pace, who ask a program that says by heart what the
network said: what they take of the processors themselves. A network has its
machines by its control socket, so only ours is measured."""
import contextlib
import dataclasses
import json
import os
import subprocess
import time

import callers
import cases
import lab
import peers
from cases import GIB, Cell, Test
from lab import Failed, Process
from peers import Setting

NAME = "live"
CALLS, FORWARDS, CAPTURES = 1000, 200, 20  # of a cell, in all of its windows
PASSES = 2       # of all windows, so that what drifts is in each
USUAL = 10 / cases.FULL.secs  # a window is 10 s long, as others' tests of TCP are
SHORTEST = 2.0   # seconds of a window: there are so many calls in it


def pin(pid, cpus):
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), cpus)


@contextlib.contextmanager
def at(cpus):
    """What is started meanwhile runs there."""
    was = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cpus)
    try:
        yield
    finally:
        os.sched_setaffinity(0, was)


@dataclasses.dataclass
class Card:
    """A machine's own end of the network."""
    ns: object
    n: int
    way: str
    front: object = None
    holder: object = None  # a process in its namespace

    @property
    def name(self):
        return f"calls-{'main' if self.n == 0 else 'other'}"

    @property
    def address(self):
        return f"10.0.2.{15 + self.n}"

    def stop(self):
        counts = peers.front_stop(self.front) if self.front else {}
        if self.holder:
            self.holder.stop()
        return counts


class Network(peers.Running):
    """`vmlan up`, and machines that are plugged in."""

    def __init__(self, peer, lab_, nss, s):
        self.cards = [Card(ns, i, peer.link) for i, ns in enumerate(nss)]
        self.place = lab.RUN / nss[0].name
        self.control = self.place / "vmlan" / NAME / "control"
        self.up = None
        # An engine of one worker has a processor, machines, client and server have
        # the others: where the scheduler puts each anew weighs more than calls.
        first, *others = sorted(os.sched_getaffinity(0))
        self.cpus = others if others and not peer.workers else [first, *others]
        self.engines = [first] if others and not peer.workers else [first, *others]
        super().__init__(peer, lab_, nss[0], s)

    def make_place(self):
        self.place.mkdir(mode=0o700)
        return str(self.place)

    def vmlan(self, *words):
        p = Process(["env", f"XDG_RUNTIME_DIR={self.place}", f"XDG_STATE_HOME={self.place}/state",
                     *([f"VMLAN_WORKERS={self.peer.workers}"] if self.peer.workers else []),
                     self.peer.find(self.lab)[0], *words], read=True)
        try:
            rc = p.popen.wait(3 * peers.PATIENCE)
        except subprocess.TimeoutExpired:
            rc = "no end"
        said = p.said()
        out = p.stop()
        if rc:
            raise Failed(f"vmlan {words[0]}: {said}")
        return out

    def start_engine(self):
        self.vmlan("up", "-q", NAME, "natnet")
        self.up = json.loads(self.vmlan("show", "--json", NAME))
        pin(self.up["engine"], self.engines)

    def ask(self, method, path, body=None):
        try:
            status, text = callers.split(callers.exchange(
                str(self.control), callers.request(method, path, body)))
        except OSError as e:
            raise Failed(f"{method} {path}: {e}") from e
        if status >= 300:
            raise Failed(f"{method} {path}: {text.decode().strip()}")
        return text

    def start_front(self):
        with at(self.cpus):
            self.start_cards()

    def start_cards(self):
        for c in self.cards:
            body = {"name": c.name, "pid": os.getpid(), "mac": "auto"}
            if c.way == "tap":
                c.holder = Process(["sleep", "infinity"], net=c.ns.fd)
                body["netns"] = c.holder.pid
            else:
                body.update(link="vhost-user", queues=self.peer.queues)
            text = self.ask("POST", "/v1/machines", body)
            if c.way != "tap":
                c.front = peers.front(self.lab, c.ns, c.way, json.loads(text)["socket"], self.s,
                                      *self.peer.front_words())
                told = peers.front_ready(c.front, self)
                self.front_told = self.front_told or told

    def configure(self):
        for c in self.cards:
            if c.front:
                lab.ip(c.ns.name, "link set eth0 txqueuelen 32768")
            lab.ip(c.ns.name, f"link set eth0 mtu {self.s.mtu} up",
                   f"addr replace {c.address}/24 dev eth0",
                   f"route replace 10.0.2.0/24 dev eth0 src {c.address} congctl cubic",
                   "route replace default via 10.0.2.2 congctl cubic")

    def pids(self):
        return [self.up["keeper"], self.up["engine"]] if self.up else []

    def fault(self):
        for c in self.cards:
            if c.front and c.front.ended():
                return f"bench-front ended ({c.front.popen.returncode}): {c.front.said()}"
        return None

    def stop(self):
        counts = [c.stop() for c in self.cards]
        if self.up:
            for m in json.loads(self.ask("GET", "/v1/network"))["machines"]:
                self.ask("DELETE", "/v1/machines/" + m["name"])
            self.vmlan("down", "-q", NAME)
            self.up = None
        return counts[0]


class Live(peers.Vmlan):
    field, link, name = "live", "vhost", "vmlan network vhost-user"

    def start(self, lab_, nss, s):
        return Network(self, lab_, nss, s)


class LiveTwo(Live):
    name, queues, workers = "vmlan network vhost-user x2", 2, 2
    one = Live.name


class LiveTap(Live):
    name, link = "vmlan network tap", "tap"


PEERS = [Live(), LiveTwo(), LiveTap()]


# ---- who calls ----

class Callers:
    """Those of one window: ready at once, and begin when they are told to."""

    def __init__(self, cell, path, o, **words):
        place = cell.run.place
        plan = callers.Plan(str(cell.run.control), "calls-main", cell.kinds)
        plan.write(place / "plan", o)
        self.process = Process(
            ["env", f"XDG_RUNTIME_DIR={place}", f"XDG_STATE_HOME={place}/state",
             cell.lab.tool("bench-calls"), "run", str(path), str(place / "plan"),
             f"secs={o['secs']}", *(f"{k}={v}" for k, v in words.items())],
            read=True, write=True)
        self.line(10)

    def line(self, patience):
        line = self.process.line(patience)
        if line is None:
            said = self.process.said()
            self.process.stop(0.1)
            raise Failed(f"callers: {said}")
        return line

    def begin(self):
        self.process.popen.stdin.write(b"go\n")
        self.process.popen.stdin.flush()

    def end(self):
        got = json.loads(self.line(60))
        self.process.stop()
        return got


class Beside(Cell):
    """A network, its machines, and the placebo."""
    field = "live"

    def begin(self):
        self.run = self.peer.start(self.lab, self.nss, self.s)
        if len(self.nss) > 1:
            self.server = self.run.cards[1].address
            with at(self.run.cpus):
                self.servers.append(self.lab.server(self.nss[1]))
        else:
            self.lab.serve()
            pin(self.lab.servers[False].pid, self.run.cpus)
        self.secs = max(self.pace.secs * USUAL, SHORTEST) if self.pace is not cases.SMOKE else 0.4
        self.dummy = self.run.place / "dummy"
        self.learn()

    def __exit__(self, *words):
        super().__exit__(*words)
        if self.lab.servers.get(False):
            pin(self.lab.servers[False].pid, os.sched_getaffinity(0))

    def words(self, part, n):
        """The n-th part of what is done, as it is asked for."""
        calls, forwards, captures = part
        few = 1 if self.pace is not cases.SMOKE else 20
        return {"calls": calls // n // few, "forwards": forwards // n // few,
                "captures": -(-captures // n // few)}

    def learn(self):
        """One call of each kind, which the placebo says by heart then."""
        c = callers.Calls(str(self.run.control), "calls-main")
        callers.run(c, {**callers.FIELDS, "calls": 150, "forwards": 2})
        if c.unasked():
            raise Failed(f"callers.py has no call of {', '.join(c.unasked())}")
        self.kinds = callers.write_answers(self.run.place / "answers", c.learned)
        p = Process([self.lab.tool("bench-calls"), "placebo", str(self.dummy),
                     str(self.run.place / "answers")], read=True)
        self.servers.append(p)
        if p.line(10) is None:
            raise Failed(f"the placebo: {p.said()}")

    def who(self, kind, part, hold_ms):
        """Those of a window of a kind; None: nobody."""
        o = {**self.words(part, PASSES), "secs": self.secs, "hold_ms": hold_ms}
        if kind == "placebo":
            return Callers(self, self.dummy, o)
        if kind == "calls":
            return Callers(self, self.run.control, o, vmlan=self.peer.find(self.lab)[0],
                           network=NAME)
        return None

    def window(self, direction, who):
        """4 flows, and these callers beside them once they run."""
        with at(self.run.cpus):
            p = self.client("tcp", f"dir={direction}", "flows=4", f"cc={self.s.cc}",
                            f"secs={self.secs}", f"warm={self.pace.warm}")
        got = {}
        try:
            time.sleep(self.pace.warm)
            if who:
                who.begin()
            got = self.told(p, self.secs + 30)
        finally:
            p.stop()
            if who and not got:
                who.process.stop(0.1)
        got["who"] = who.end() if who else None
        return got


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else None


def live(cell, direction, part=(CALLS, FORWARDS, CAPTURES), hold_ms=20):
    """The windows by turns; what each kind of them came to."""
    kinds = ("quiet", "calls", "placebo")
    seen = {k: [] for k in kinds}
    for i in range(PASSES):
        for k in kinds[i % 2 * 2::-1] if i % 2 else kinds:
            seen[k].append(cell.window(direction, cell.who(k, part, hold_ms)))
    rate = {k: mean(w["gbit_s"] for w in seen[k]) for k in kinds}
    keeper, engine = map(str, cell.run.pids())

    def gib(k):
        moved = sum(w["bytes"] for w in seen[k]) / GIB
        return sum(w["cpu_s"][engine] for w in seen[k]) / moved if moved else None

    def stalls(k, name):
        """The longest silence of each flow."""
        each = [max(ms) for ms in zip(*(w["flow_stall_ms"] for w in seen[k]))]
        return {f"{name}stall_{i + 1}_ms": ms for i, ms in enumerate(each)}

    told = [w["who"] for w in seen["calls"]]
    secs = sum(t["secs"] for t in told)
    n = sum(t["calls"] for t in told)
    return {"gbit_s": rate["quiet"], "calls_gbit_s": rate["calls"],
            "ratio": rate["calls"] / rate["quiet"] if rate["quiet"] else None,
            "placebo": rate["placebo"] / rate["quiet"] if rate["quiet"] else None,
            "own": rate["calls"] / rate["placebo"] if rate["placebo"] else None,
            "quiet_stall_ms": max(w["stall_ms"] for w in seen["quiet"]),
            "stall_ms": max(w["stall_ms"] for w in seen["calls"]),
            "placebo_stall_ms": max(w["stall_ms"] for w in seen["placebo"]),
            "slowest": min(min(w["flow_gbit_s"]) for w in seen["calls"]),
            "quiet_cpu_s_gib": gib("quiet"), "calls_cpu_s_gib": gib("calls"),
            "placebo_cpu_s_gib": gib("placebo"),
            "captures": sum(t["captures"] for t in told),
            "own_cpu": 100 * sum(t["own_cpu_s"] for t in told) / secs,
            "cap_cpu": 100 * sum(t["cap_cpu_s"] for t in told) / secs,
            **stalls("quiet", "quiet_"), **stalls("placebo", "placebo_"), **stalls("calls", ""),
            **({"calls": n, "per_s": n / secs, "p50_us": mean(t["p50_us"] for t in told),
                "keeper_us": 1e6 * sum(w["cpu_s"][keeper] for w in seen["calls"]) / n,
                "p99_us": max(t["p99_us"] for t in told)} if n else {}),
            "late_ms": max(t["late_ms"] for t in told),
            "quiet_retrans": sum(w["retrans"] + w["server_retrans"] for w in seen["quiet"]),
            "retrans": sum(w["retrans"] + w["server_retrans"] for w in seen["calls"]),
            "rto": sum(w["rto"] for k in kinds for w in seen[k]),
            "unended": sum(4 - w["ended"] for k in kinds for w in seen[k]),
            "incomplete": sum(4 - w["complete"] for k in kinds for w in seen[k])}


COLUMNS = (("gbit_s", "Gbit/s", "%.2f"), ("calls_gbit_s", "with calls", "%.2f"),
           ("ratio", "ratio", "%.3f"), ("placebo", "of placebo", "%.3f"), ("own", "our own", "%.3f"),
           ("quiet_stall_ms", "stall ms", "%.0f"), ("placebo_stall_ms", "placebo's", "%.0f"),
           ("stall_ms", "with calls", "%.0f"), *((f"stall_{i}_ms", f"flow {i}", "%.0f")
                                                 for i in range(1, 5)),
           ("own_cpu", "caller % CPU", "%.2f"), ("cap_cpu", "captures % CPU", "%.2f"),
           ("quiet_cpu_s_gib", "CPU s/GiB", "%.3f"),
           ("calls_cpu_s_gib", "with calls", "%.3f"), ("keeper_us", "keeper us/call", "%.0f"),
           ("calls", "calls", "%d"), ("captures", "captures", "%d"), ("p50_us", "p50 us", "%.0f"),
           ("p99_us", "p99 us", "%.0f"), ("unended", "not ended", "%d"))
PARTS = (("calls", "1,000 control calls", (CALLS, 0, 0), 20),
         ("fwd", "200 forwards added and removed", (0, FORWARDS, 0), 20),
         ("cap", "20 captures begun and ended", (0, 0, CAPTURES), 20),
         ("held", "20 captures, one after the other", (0, 0, CAPTURES), 10**6))


def tests():
    out = [Test(f"live-{d}-4", f"Control beside 4 flows, {word}: 1,000 calls, 200 forwards, "
                "20 captures", lambda c, d=d: live(c, d), COLUMNS, cell=Beside)
           for d, word in (("up", "guest to host"), ("down", "host to guest"))]
    out.append(Test("live-vm-4", "Control beside 4 flows, between machines",
                    lambda c: live(c, "up"), COLUMNS, Setting(machines=2), cell=Beside))
    for key, word, part, hold in PARTS:
        out.append(Test(f"live-{key}", f"Beside 4 flows, guest to host: {word}",
                        lambda c, p=part, h=hold: live(c, "up", p, h), COLUMNS, quick=False,
                        cell=Beside))
    return out
