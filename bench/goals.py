# SPDX-License-Identifier: BSD-3-Clause
"""What the figures say: medians and ratios, a table of each test, and the
goals with what was reached."""
import statistics
import textwrap

import catalogue

OURS = "vmlan vhost-user"
REACHED, NOT, UNKNOWN = "reached", "NOT reached", "not measured"
KERNEL = "kernel NAT"
HOST = "host socket"  # no engine at all: the bar on a long way
MEET = "vmlan vhost+vhost"  # ours between machines
OVS = "OVS-DPDK"
# Whose engine is the machine.
WHOLE = {KERNEL, "kernel bridge", "kernel tap bridge", "QEMU multicast"}
# Figures that make no sense for the kernel, whose engine is the machine.
NOT_KERNEL = {("rr-tcp-idle", "cpu_us"), ("rr-udp-idle", "cpu_us"),
              ("open", "kib_each"), ("open", "mib")}
FLOOR_NAMES = {"cpu_s_per_gib": "cpu_s_gib", "cpu_us_per_transaction": "cpu_us"}
# A peer's flows that hung have no rate; ours have the one they had.
RATES = {"gbit_s", "slowest", "cpu_s_gib"}
# Figures of which more is better; of the others less is.
MORE = {"gbit_s", "down_gbit_s", "per_s", "mpps", "kpps", "ratio"}
# What must not be zero for a run to have measured anything.
NOT_ZERO = {"gbit_s", "per_s", "kpps", "mpps", "p50_us", "calls", "ms", "rss_mib", "secs"}


def sane(test, got):
    """Whether a cell's figures are those of something that ran."""
    for k, v in got.items():
        if k in NOT_ZERO and not (isinstance(v, (int, float)) and 0 < v < 1e9):
            return False
    if test == "open" and not got["n"] == got["opened"] == got["held"]:
        return False
    return not (got.get("unended") or got.get("incomplete") or got.get("fault"))


BESIDE = ("x of 1 queue", "x of 1 worker")


class Table:
    def __init__(self, data):
        self.data = data
        self.tests = catalogue.all_tests()
        self.order = list(data["peers"])
        self.cells = {}
        for c in data["cells"]:
            self.cells.setdefault((c["test"], c["peer"]), []).append(c)
        self.user_space = [p for p in self.order if p not in WHOLE | {HOST}]
        self.others = [p for p in self.user_space if not p.startswith("vmlan")]

    # ---- figures ----

    def all(self, test, peer, figure):
        """Every round's figure."""
        if peer == KERNEL and (test, figure) in NOT_KERNEL:
            return []
        got = [c.get("got") or {} for c in self.cells.get((test, peer), [])]
        if peer == "floor":
            got = [{FLOOR_NAMES.get(k, k): v for k, v in g.items()} for g in got]
        return [g[figure] for g in got if g.get(figure) is not None and
                not (g.get("fault") and figure in RATES and not peer.startswith("vmlan"))]

    def get(self, test, peer, figure, of=statistics.median):
        """The median (or what `of` says), None when there is no figure."""
        got = self.all(test, peer, figure)
        return of(got) if got else None

    def best(self, test, figure, peers=None, most=True):
        """(figure, peer) of the best of the peers."""
        got = [(self.get(test, p, figure), p) for p in
               (self.others if peers is None else peers)]
        got = [g for g in got if g[0] is not None]
        return (max if most else min)(got) if got else (None, None)

    def errors(self, test, peer):
        return [c["error"] for c in self.cells.get((test, peer), []) if "error" in c]

    def disturbed(self, test, peer=None):
        return sum(1 for (t, p), cs in self.cells.items() for c in cs
                   if t == test and peer in (None, p) and c.get("disturbed"))

    # ---- tables ----

    def figures(self):
        out = [self.head()]
        for t in self.tests:
            if any(k[0] == t.key for k in self.cells):
                out.append(self.one(t))
        return "\n".join(out)

    def head(self):
        m = self.data["machine"]
        lines = [f"{m.get('cpus')} processors ({m.get('cpu')}), Linux {m.get('kernel')}; "
                 f"medians of {m.get('rounds')} rounds of {m.get('secs')} s; "
                 f"{m.get('files', '?')} descriptors for each process"]
        lines += [f"  {n:20} {v}" for n, v in self.data["peers"].items()]
        lines += [f"  {n:20} NOT MEASURED: {v}" for n, v in self.data["missing"].items()]
        return "\n".join(lines) + "\n"

    def one(self, t):
        names = [*self.order, *(["floor"] if t.floor else [])]
        likes = [[q for p in names if (t.key, p) in self.cells
                  for q in catalogue.alike(p)[i:i + 1] if (t.key, q) in self.cells]
                 for i in (0, 1)]
        beside = [i for i in (0, 1) if likes[i]]
        rows = [["", *(c[1] for c in t.columns),
                 *(w for i in beside for w in (BESIDE[i], "its CPU")), ""]]
        for p in names:
            if (t.key, p) not in self.cells:
                continue
            row = [p]
            for figure, _, form in t.columns:
                v = self.get(t.key, p, figure)
                row.append("-" if v is None else form % v)
            row += ["" if v is None else f"{v:.2f}" for i in beside
                    for v in self.scale(t, p, catalogue.alike(p)[i])]
            row.append(self.remark(t, p))
            rows.append(row)
        return f"{t.title} ({t.key})\n{layout(rows)}\n"

    def scale(self, t, p, one):
        """How many times better p's first figure is than that of one, and how many
        times the engine's CPU for as much."""
        if not one:
            return None, None
        first = t.columns[0][0]
        cpu = next((c[0] for c in t.columns if c[0].startswith("cpu_")), None)
        pair = self.get(t.key, p, first), self.get(t.key, one, first)
        if first not in MORE:
            pair = pair[::-1]
        return ratio(*pair), cpu and ratio(self.get(t.key, p, cpu), self.get(t.key, one, cpu))

    def remark(self, t, p):
        n = self.disturbed(t.key, p)
        words = [f"disturbed x{n}"] if n else []
        failed = self.errors(t.key, p)
        if failed:
            words.append(f"failed {len(failed)}x: {failed[0][:70]}")
        faults = self.all(t.key, p, "fault")
        if faults:
            words.append(f"{len(faults)}x: {faults[0].split(': ', 1)[-1][:60]}")
        if p in WHOLE and any(c[0].startswith("cpu") for c in t.columns):
            words.append("CPU: whole machine")
        return "; ".join(words)

    def judged(self):
        """(figure, goal, measured, verdict) of every goal."""
        return [(name, goal, *judge(self)) for name, goal, judge in GOALS]

    def goals(self):
        out = ["Goals (vhost-user, rings of 256, MTU 1500 unless said; (!) marks what "
               "misses)"]
        rows = self.judged()
        for name, goal, text, verdict in rows:
            out.append(f"  {verdict:13} {name}")
            out.append(f"  {'':13}   goal: {goal}")
            out += textwrap.wrap(text, 100, initial_indent=" " * 18,
                                 subsequent_indent=" " * 18, break_on_hyphens=False)
        kept = sum(r[3] == REACHED for r in rows)
        return "\n".join([*out, f"  {kept} of {len(rows)} reached. {self.timeouts()}", ""])

    def timeouts(self):
        """Retransmission timeouts of our guests: none is right, no path here
        loses anything but what machines send each other too fast."""
        seen = [(t.key, p, sum(self.all(t.key, p, "rto"))) for t in self.tests
                for p in self.order if p.startswith("vmlan")]
        bad = [f"{t} {p}: {n}" for t, p, n in seen if n]
        return "No retransmission timeout with vmlan." if not bad else \
            "Retransmission timeouts: " + ", ".join(bad)


def layout(rows):
    """Columns as wide as need be; text left, numbers right, the last free."""
    n = max(len(r) for r in rows)
    wide = [max(len(r[i]) for r in rows if i < len(r)) for i in range(n)]
    texty = [i == 0 or any(len(r[i]) > 12 for r in rows) for i in range(n)]
    out = []
    for r in rows:
        out.append("  " + "  ".join(
            (c.ljust if texty[i] else c.rjust)(wide[i]) if i < n - 1 else c
            for i, c in enumerate(r)).rstrip())
    return "\n".join(out)


# ---- the goals ----

def judged(checks):
    """Of (name, figure, limit, more_is_better): the words and the verdict. A
    check without a figure or a limit counts as not measured."""
    words, verdict = [], REACHED
    if all(v is None for _, v, _, _ in checks):
        return "-", UNKNOWN
    for name, v, limit, more in checks:
        if v is None or limit is None:
            words.append(f"{name} ?")
            verdict = UNKNOWN if verdict == REACHED else verdict
            continue
        ok = v >= limit if more else v <= limit
        words.append(f"{name} {short(v)}{'' if ok else ' (!)'}")
        verdict = verdict if ok else NOT
    return ", ".join(words), verdict


def short(v):
    return f"{v:.3g}" if abs(v) < 100 else f"{v:.0f}"


def ratio(a, b):
    return None if a is None or not b else a / b


def rate_goal(direction, least, times):
    def judge(t):
        test = f"tcp-{direction}-1-1500"
        v = t.get(test, OURS, "gbit_s")
        peer, who = t.best(test, "gbit_s")
        text, verdict = judged([("Gbit/s", v, least, True),
                                (f"x of {who} ({short(peer)})" if who else "x", ratio(v, peer),
                                 times, True)])
        return text, verdict
    return judge


def rings_goal(t):
    checks = []
    for test in [x for x in t.tests if x.key.startswith("ring-")]:
        d = test.key.split("-")[1]
        rate = t.get(test.key, OURS, "gbit_s")
        one = t.get(f"tcp-{d}-1-1500", OURS, "gbit_s")
        bad = [t.get(test.key, OURS, f, max) for f in ("unended", "incomplete")]
        label = test.key[5:]
        checks += [(f"{label}: unended", None if None in bad else sum(bad), 0, False),
                   ("stall ms", t.get(test.key, OURS, "stall_ms", max), 200, False),
                   ("x of 1 flow", ratio(rate, one), 1.0, True)]
    text, verdict = judged(checks)
    if verdict == REACHED:
        stall = max(c[1] for c in checks[1::3])
        least = min(c[1] for c in checks[2::3])
        text = f"all end, longest stall {short(stall)} ms, sum >= {short(least)}x 1 flow's"
    return text, verdict


def gib_goal(mtu, floors, passts):
    def judge(t):
        checks = []
        for d, passt in zip(("up", "down"), passts):
            test = f"tcp-{d}-1-{mtu}"
            v = t.get(test, OURS, "cpu_s_gib")
            base = t.get(test, "floor", "cpu_s_gib")
            peer = t.get(test, "passt vhost-user", "cpu_s_gib")
            checks += [(f"{d} {short(v) if v else '?'} s: x floor"
                        f" ({short(base) if base else '?'})", ratio(v, base), floors, False),
                       (f"x passt ({short(peer) if peer else '?'})", ratio(v, peer),
                        passt, False)]
        return judged(checks)
    return judge


def rr_cpu_goal(t):
    v = t.get("rr-tcp", OURS, "cpu_us")
    many = t.get("rr-tcp-idle", OURS, "cpu_us")
    passt = t.get("rr-tcp", "passt vhost-user", "cpu_us")
    base = t.get("rr-tcp", "floor", "cpu_us")
    return judged([("us", v, v, True),
                   (f"x passt ({short(passt) if passt else '?'})", ratio(v, passt), 0.5, False),
                   (f"x floor ({short(base) if base else '?'})", ratio(v, base), 1.3, False),
                   ("idle flows x", ratio(many, v), 1.1, False)])


def crr_goal(t):
    v = t.get("crr", OURS, "cpu_us")
    passt = t.get("crr", "passt vhost-user", "cpu_us")
    return judged([("us", v, v, True),
                   (f"x passt ({short(passt) if passt else '?'})", ratio(v, passt), 0.45, False),
                   ("calls", t.get("crr-calls", OURS, "calls"), 24, False)])


# (test, figure, more is better) that the other two ways are compared in.
WAYS = [("tcp-up-1-1500", "gbit_s", True), ("tcp-down-1-1500", "gbit_s", True),
        ("tcp-up-4-1500", "gbit_s", True), ("tcp-down-4-1500", "gbit_s", True),
        ("tcp-up-1-1500", "cpu_s_gib", False), ("tcp-down-1-1500", "cpu_s_gib", False),
        ("tcp-up-1-65520", "cpu_s_gib", False), ("tcp-down-1-65520", "cpu_s_gib", False),
        ("rr-tcp", "cpu_us", False), ("rr-tcp-idle", "cpu_us", False),
        ("rr-tcp", "p50_us", False), ("crr", "cpu_us", False),
        ("crr-calls", "calls", False), ("udp-up-64", "cpu_s_mpkt", False),
        ("udp-down-64", "cpu_s_mpkt", False), ("open", "secs", False),
        ("open", "kib_each", False), ("idle", "rss_mib", False), ("start", "ms", False)]


def ways_goal(t):
    """A peer that could not do a test at all is behind in it."""
    behind, n, unknown = [], 0, 0
    for ours, peer in (("vmlan stream", "passt socket"), ("vmlan tap", "pasta")):
        for test, figure, more in WAYS:
            a, b = t.get(test, ours, figure), t.get(test, peer, figure)
            tried = bool(t.cells.get((test, peer)))
            if a is None or (b is None and not tried):
                unknown += (test, peer) in t.cells or (test, ours) in t.cells
                continue
            n += 1
            if b is not None and not (a >= b if more else a <= b):
                behind.append(f"{ours} {test} {figure} {short(a)} against {short(b)}")
    text = f"ahead in {n - len(behind)} of {n}"
    if behind:
        return f"{text}; behind: {'; '.join(behind)}", NOT
    return text, REACHED if n and not unknown else UNKNOWN


def meet_gib_goal(t):
    checks = []
    copy = t.get("vm-tcp-1", "floor", "cpu_s_gib")
    for test in ("vm-tcp-1", "vm-tcp-4", "vm-tcp-both"):
        v = t.get(test, MEET, "cpu_s_gib")
        if v is None and test != "vm-tcp-1":
            continue
        checks.append((f"{test[3:]} {short(v) if v else '?'} s: x copy"
                       f" ({short(copy) if copy else '?'})", ratio(v, copy), 1.3, False))
    return judged(checks)


def raw_goal(t):
    """A peer that nothing got through had no frame to show."""
    checks = []
    for test in ("vm-raw-64", "vm-raw-64-1024"):
        v, ovs = t.get(test, MEET, "mpps"), t.get(test, OVS, "mpps")
        if (test, MEET) in t.cells:
            checks += [(f"Mpps{test[9:].replace('-', ', rings of ')}", v, v, True),
                       (f"x of OVS-DPDK ({short(ovs) if ovs else '?'})", ratio(v, ovs), 1.0,
                        True)]
    idle = t.get("vm-idle", MEET, "cpu_ms_per_10_s")
    return judged([*checks, ("idle ms in 10 s", idle, 0.5, False)])


def meet_rr_goal(t):
    return judged([("us", t.get("vm-rr", MEET, "p50_us"), 40, False),
                   ("of a core", t.get("vm-rr", MEET, "busy"), 0.9, False)])


def stop_goal(t):
    return judged([(p[6:], t.get("vm-stop", p, "ratio"), 0.95, True)
                   for p in t.order if p.startswith("vmlan") and ("vm-stop", p) in t.cells])


def scale_goal(t):
    """Only in a run with --scale the whole table is in it."""
    got = [(t.scale(x, p, catalogue.alike(p)[1])[0], f"{p[6:]} {x.key}")
           for x in t.tests for p in t.order if p.startswith("vmlan")]
    got = sorted(g for g in got if g[0] is not None)
    if not got:
        return "-", UNKNOWN
    bad = [f"{name} {short(v)} (!)" for v, name in got if v < 0.95]
    if bad:
        return f"{', '.join(bad)}; of {len(got)} rows", NOT
    return f"{len(got)} rows, least {short(got[0][0])} ({got[0][1]})", REACHED


def way_goal(t):
    """Each of ours against what a socket of its own host does, on each way."""
    checks = []
    for ours in [p for p in t.order if p.startswith("vmlan")]:
        for ms in (100, 300):
            for d in ("up", "down"):
                for tail in ("", "-bbr"):
                    test = f"tcp-{d}-4-{ms}ms{tail}"
                    v, host = t.get(test, ours, "gbit_s"), t.get(test, HOST, "gbit_s")
                    if v is None and ours != OURS:
                        continue
                    checks.append((f"{ours[6:]} {d} {ms} ms{tail.replace('-', ' ')}",
                                   v / host if v is not None and host else None, 0.9, True))
    return judged(checks)


GOALS = [
    ("TCP guest to host, 1 flow", ">= 10 Gbit/s, >= 8x the best peer",
     rate_goal("up", 10, 8)),
    ("TCP host to guest, 1 flow", ">= 10 Gbit/s, >= 3x the best peer",
     rate_goal("down", 10, 3)),
    ("4 flows each way, rings of 256 and 1024, buffers of 1526 and 4096 B",
     "every flow ends, no stall > 200 ms, sum >= 1 flow's", rings_goal),
    ("engine CPU per GiB up / down", "<= 1.2x the floor, <= 0.4x / 0.5x passt",
     gib_goal(1500, 1.2, (0.4, 0.5))),
    ("the same two at MTU 65520", "<= passt, <= 1.15x the floor",
     gib_goal(65520, 1.15, (1.0, 1.0))),
    ("engine CPU per TCP request/response",
     "<= 0.5x passt, <= 1.3x a bare relay; 10,000 idle flows <= 1.1x", rr_cpu_goal),
    ("request/response p50", "<= 38 us",
     lambda t: judged([("us", t.get("rr-tcp", OURS, "p50_us"), 38, False)])),
    ("engine CPU per connect-request-close", "<= 0.45x passt, <= 24 system calls", crr_goal),
    ("engine CPU per million UDP 64 B, up / down", "<= 1.5 / 1.5 s",
     lambda t: judged([(d, t.get(f"udp-{d}-64", OURS, "cpu_s_mpkt"), 1.5, False)
                       for d in ("up", "down")])),
    ("the same figures over stream and over tap", "ahead of passt socket and pasta",
     ways_goal),
    ("TCP, 4 flows, 100 and 300 ms to the server and back",
     ">= 0.9x a socket of the host itself, each way, cubic and BBR", way_goal),
    ("10,000 connections opened through one guest", "<= 2 s, all of them, <= 1 KiB each",
     lambda t: judged([("s", t.get("open", OURS, "secs"), 2, False),
                       ("opened", t.get("open", OURS, "opened", min), 10000, True),
                       ("KiB each", t.get("open", OURS, "kib_each"), 1, False)])),
    ("idle CPU, idle memory", "0 (less than 0.5 ms in 10 s), <= 5 MiB",
     lambda t: judged([("ms in 10 s", t.get("idle", OURS, "cpu_ms_per_10_s"), 0.5, False),
                       ("MiB", t.get("idle", OURS, "rss_mib"), 5, False)])),
    ("ready after start", "<= 10 ms",
     lambda t: judged([("ms", t.get("start", OURS, "ms"), 10, False)])),
    ("between machines: TCP, 1 flow", ">= 10 Gbit/s",
     lambda t: judged([("Gbit/s", t.get("vm-tcp-1", MEET, "gbit_s"), 10, True)])),
    ("between machines: engine CPU per GiB", "<= 1.3x one copy of the same bytes in memory",
     meet_gib_goal),
    ("between machines: frames of 64 B; idle CPU",
     ">= OVS-DPDK; 0 (less than 0.5 ms in 10 s)", raw_goal),
    ("between machines: request/response p50",
     "<= 40 us, and no processor that spins for it", meet_rr_goal),
    ("two workers beside one, for a card of two queues, every row measured",
     ">= 0.95x of one worker", scale_goal),
    ("between machines: one stops reading", "the others keep 0.95x of what they had",
     stop_goal),
]
