# SPDX-License-Identifier: BSD-3-Clause
"""What is measured between machines; as cases.py, of the peers in switches.py.
The first machine is the client's, the second the server's."""
import pathlib
import time

import cases
import lab
import peers
import switches
from cases import Cell, Test
from lab import Failed
from peers import Setting

FLOOD = 20000  # datagrams a second to a machine that stops


class Pair(Cell):
    """One peer in one test, with two machines or more."""
    field = "vm"

    def begin(self):
        self.run = self.peer.start(self.lab, self.nss, self.s)
        self.server = self.run.machines[1].address
        if not self.s.raw:
            for m in self.run.machines[1:]:
                self.servers.append(self.lab.server(m.ns))

    def cpu_s(self):
        """The engine's time on a processor, or what the whole machine works."""
        pids = self.run.pids()
        return lab.cpu_ns(pids) / 1e9 if pids else lab.machine_s()


def tcp_words(cell, direction, flows):
    return ("tcp", f"dir={direction}", f"flows={flows}", f"cc={cell.s.cc}",
            f"secs={cell.pace.secs}", f"warm={cell.pace.warm}")


def both(cell):
    """A flow each way at once."""
    cpu = cell.cpu_s()
    ps = [cell.client(*tcp_words(cell, d, 1)) for d in ("up", "down")]
    got = [cell.told(p, 20) for p in ps]
    cpu = cell.cpu_s() - cpu
    for p in ps:
        p.stop()
    moved = sum(g["bytes"] for g in got) / cases.GIB
    rates = [g["gbit_s"] for g in got]
    return {"gbit_s": sum(rates), "cpu_s_gib": cpu / moved if moved else None,
            "stall_ms": max(g["stall_ms"] for g in got), "slowest": min(rates),
            "retrans": sum(g["retrans"] + g["server_retrans"] for g in got),
            "rto": sum(g["rto"] for g in got),
            "unended": 2 - sum(g["ended"] for g in got),
            "incomplete": 2 - sum(g["complete"] for g in got)}


def raw(cell):
    """Equal frames, as many as are taken, counted where they arrive."""
    patience = time.monotonic() + 10
    before, now = None, look(cell)
    for secs in (cell.pace.warm, cell.pace.secs):
        before = now
        while now["came"] == before["came"]:
            if time.monotonic() > patience:
                raise Failed(cell.run.fault() or f"none of {now['gave']} frames arrived")
            time.sleep(secs)
            now = look(cell)
    spent = {k: now[k] - before[k] for k in now}
    return {"mpps": spent["came"] * 1e3 / spent["ns"],
            "gave_mpps": spent["gave"] * 1e3 / spent["ns"],
            "lost_pct": max(0.0, 100 - 100 * spent["came"] / max(spent["gave"], 1)),
            "cpu_s_mpkt": spent["cpu_s"] / spent["came"] * 1e6}


def look(cell):
    """What both ends have counted, and the engine's time."""
    first, second = (peers.front_counts(m.front) for m in cell.run.machines)
    return {"gave": first["up_frames"], "came": second["down_frames"], "ns": second["ns"],
            "cpu_s": cell.cpu_s()}


def rr(cell):
    got = cases.rr(cell, "tcp")
    got["busy"] = got["cpu_us"] * got["per_s"] / 1e6
    return got


def frames_in(server):
    """Frames that a server's machine has received."""
    for line in pathlib.Path(f"/proc/{server.pid}/net/dev").read_text().splitlines():
        if line.strip().startswith("eth0:"):
            return int(line.split(":")[1].split()[1])
    raise Failed("a machine has no card")


def flow(cell, halted):
    """The rate and the longest silence of one. While nobody has stopped, a
    window in which nothing came is that of a machine that is too busy: again."""
    for _ in range(1 if halted else 3):
        try:
            got = cell.load(*tcp_words(cell, "up", 1))
        except Failed:
            if not halted:
                raise
            return 0, 0  # nothing gets through at all
        if got["gbit_s"]:
            break
    return got["gbit_s"], got["stall_ms"]


def stopped(cell):
    """What a flow between two has while the first sends to a third as well,
    which reads what it gets, or has stopped: twice each, in turn."""
    third = cell.run.machines[2]
    rates, stall = {False: [], True: []}, 0
    each = cell.pace.secs + cell.pace.warm + 15  # where nothing gets through
    flood = cell.client("udp", "dir=up", "size=1400", f"pps={FLOOD}", f"secs={4 * each}",
                        server=third.address)
    try:
        for halted in (False, True) * 2:
            before = frames_in(cell.servers[1])
            third.halt(halted)
            if not halted:
                switches.until(lambda n=before: frames_in(cell.servers[1]) > n,
                               "nothing for the third machine", flood)
            time.sleep(cell.pace.warm)  # what a stopped one has room for is full
            before = frames_in(cell.servers[1])
            rate, silence = flow(cell, halted)
            if flood.ended():
                raise Failed(f"the third machine's traffic ended: {flood.said()}")
            if halted and frames_in(cell.servers[1]) != before:
                raise Failed("the third machine was to be stopped, and was not")
            rates[halted].append(rate)
            stall = max(stall, silence if halted else 0)
    finally:
        third.halt(False)
        flood.stop(0.1)
    if not sum(rates[False]):
        raise Failed("nothing got through while nobody had stopped")
    return {"gbit_s": sum(rates[False]) / 2, "stopped_gbit_s": sum(rates[True]) / 2,
            "ratio": sum(rates[True]) / sum(rates[False]), "stall_ms": stall}


RAW = (("mpps", "Mpps", "%.3f"), ("gave_mpps", "sent", "%.3f"), ("lost_pct", "lost %", "%.1f"),
       ("cpu_s_mpkt", "CPU s/Mpkt", "%.3f"))
RR = (*cases.RR, ("busy", "of a core", "%.2f"))
TWO = Setting(machines=2)


def tests():
    """They know their peers by the field of their cell."""
    return [
        Test("vm-tcp-1", "Between machines: TCP, 1 flow, MTU 1500",
             lambda c: cases.tcp(c, "up", 1), cases.TCP, TWO, floor="copy", cell=Pair),
        Test("vm-tcp-4", "Between machines: TCP, 4 flows, MTU 1500",
             lambda c: cases.tcp(c, "up", 4), cases.TCP, TWO, quick=False, cell=Pair),
        Test("vm-tcp-both", "Between machines: TCP, a flow each way at once, MTU 1500", both,
             cases.TCP, TWO, cell=Pair),
        Test("vm-raw-64", "Between machines: frames of 64 B, as fast as they are taken", raw,
             RAW, Setting(machines=2, raw=64), cell=Pair),
        Test("vm-raw-64-1024", "Between machines: the same, rings of 1024", raw, RAW,
             Setting(machines=2, raw=64, ring=1024), quick=False, cell=Pair),
        Test("vm-rr", "Between machines: TCP request/response, 1 B", rr, RR, TWO, cell=Pair),
        Test("vm-stop", "Between machines: TCP beside a third, which stops reading", stopped,
             (("gbit_s", "Gbit/s", "%.2f"), ("stopped_gbit_s", "stopped", "%.2f"),
              ("ratio", "ratio", "%.3f"), ("stall_ms", "stall ms", "%.0f")),
             Setting(machines=3), peers=lambda p: p.stops(), cell=Pair),
        Test("vm-idle", "Between machines: idle", cases.idle, cases.IDLE, TWO,
             peers=lambda p: not p.whole, cell=Pair),
    ]
