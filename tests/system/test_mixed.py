# SPDX-License-Identifier: BSD-3-Clause
"""Everything at once on a network of four workers: machines with one queue and
with four, of all kinds of cards, that talk to each other and to the world,
while others come and go, with forwards of theirs, queues are turned off and on,
links go down and addresses move.

        k1 k2   namespaces, a tap of one queue           f1     vhost-user, one pair
        k4 k5   the same, of four queues                 f4 g4  vhost-user, four pairs
        v4      the same, whose link goes down           s1     a stream
        q       QEMU with four pairs (the long form)     inet   behind the NAT
        host    the gateway's own address                m, p.. come and go

The kernel guests run mixed_agent.py, f1 .. tests/tools/pairs.c.  Nobody may
lose the others, nothing may come other than it was sent, and the engine that was
there at the beginning is there at the end: a sanitizer that finds something ends
it.  With a build of ThreadSanitizer this is how races are looked for; ./check
--full does it (tsan_mixed).
"""
import contextlib
import hashlib
import itertools
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import sys
import threading
import time
import traceback

import pytest

import dhcp_raw
import qemu
import web_server
import world
from test_cap import File
from test_vhost import COUNT, words_of
from world import (BUILD, FULL, HERE, HOST_IP, INET_IP, INET_IP6, VMLAN, engine_of, is_dead, popen,
                   sh, wait_for)

SECONDS = 600 if FULL else 5
MIB = 8  # that a guest sends, for whose acknowledgements floods leave little room
PERIOD = 15 if FULL else 5  # between two looks whether all is well
PATIENCE = 60  # for what takes a moment where nobody else computes
DIR = pathlib.Path("/run/mixed")
PREFIX = "fd00:9::"
# An address that several have is known to worker 0 alone, with all that they
# say: most have none.
ROAM, ROAMERS = "02:bb:00:00:00:01", ("f1", "g4", "k2", "v4")
BAD = ("ThreadSanitizer", "AddressSanitizer", "LeakSanitizer", "runtime error:", "broken")
PAIRS = str(BUILD / "tests" / "pairs")
# The first race, and the first wrong access, ends the engine.
ENV = {"VMLAN_WORKERS": "4", "TSAN_OPTIONS": "halt_on_error=1"}


class Lines:
    """A program that answers each line of ours with one."""

    def __init__(self, *args, ns=None):
        self.p = popen(*args, ns=ns, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lock = threading.Lock()
        self.said = ""  # what it was told last, for who looks after a failure

    def line(self):
        text = self.p.stdout.readline()
        assert text, f"{self.p.args} ended after {self.said}"
        return text

    def ask(self, text):
        with self.lock:
            self.said = text
            self.p.stdin.write(text + "\n")
            self.p.stdin.flush()
            return self.line()

    def close(self, kill=False):
        if kill:
            self.p.kill()
        with contextlib.suppress(BrokenPipeError):
            self.p.stdin.close()
        self.p.wait(PATIENCE)
        self.p.stdout.close()


class Agent(Lines):
    def __init__(self, ns, ip=None, ip6=None):
        super().__init__("/usr/bin/python3", str(HERE / "mixed_agent.py"), ns=ns)
        self.ns = ns
        self.peers = [[a, 7000, 7001] for a in (ip, ip6) if a]
        assert json.loads(self.line()) == "ready"

    def do(self, what, **order):
        return json.loads(self.ask(json.dumps({"do": what, **order})))

    def reach(self, peers):
        left = self.do("reach", peers=peers, seconds=PATIENCE)
        assert left == [], (f"{self.peers}: no answer from {left}; it knows " +
                            sh("ip", "neigh", ns=self.ns).stdout)


class Fake(Lines):
    """A machine behind vhost-user, see tests/tools/pairs.c."""

    def __init__(self, number, pairs):
        self.mac = f"52:54:00:00:02:{number:02x}"
        self.ip = f"10.0.2.{200 + number}"
        super().__init__(PAIRS, str(pairs), self.mac, self.ip, str(number))

    def do(self, order):
        assert self.ask(order) == "done\n"

    def run(self, path, peers, roams):
        self.do(f"plug {path}")
        if roams:
            self.do(f"roam {ROAM}")
        self.do("send " + " ".join(peers))
        self.do("stir")


class Mixed:
    """The network and those who stay."""

    def __init__(self, w, stack):
        self.w, self.stack = w, stack
        self.over = threading.Event()
        self.errors = []
        self.did = {}
        self.actors = []
        w.join6()
        self.guests = {name: w.guest(name, f"52:54:00:00:01:{i:02x}")
                       for i, name in enumerate(("k1", "k2", "k4", "k5", "v4", "s1"))}
        self.up()
        self.fakes = {"f1": Fake(1, 1), "f4": Fake(4, 4), "g4": Fake(5, 4)}
        for f in self.fakes.values():
            stack.callback(f.close, kill=True)
        self.agents = {"inet": self.agent("inet", INET_IP, INET_IP6),
                       "host": self.agent(None, "10.0.2.2")}
        self.cable()
        for i, (name, g) in enumerate(self.guests.items()):
            for key in ("accept_ra", "accept_dad"):
                world.sysctl(name, f"net/ipv6/conf/eth0/{key}", 0)
            self.address(name)
            self.agents[name] = self.agent(name, f"10.0.2.{50 + i}", f"{PREFIX}{50 + i:x}")
        for name, f in self.fakes.items():
            f.run(DIR / name, [x.mac for x in (*self.fakes.values(), *self.guests.values())
                               if x != f], name in ROAMERS)

    def agent(self, ns, *addresses):
        a = Agent(ns, *addresses)
        self.stack.callback(a.close, kill=True)
        return a

    def up(self):
        taps = [self.guests[n].netdev(f",queues={q}")
                for n, q in (("k1", 1), ("k2", 1), ("k4", 4), ("k5", 4), ("v4", 4))]
        users = [f"vhost-user,path={DIR}/{n},server=on,queues={q}"
                 for n, q in (("f1", 1), ("f4", 4), ("g4", 4), ("q", 4))]
        users.append(f"stream,server=on,addr.type=unix,addr.path={DIR}/s1")
        forwards = "".join(f",hostfwd=tcp:{HOST_IP}:{7100 + i}-10.0.2.{50 + i}:7000"
                           f",hostfwd=udp:{HOST_IP}:{7200 + i}-10.0.2.{50 + i}:7001"
                           for i in range(6))
        user = f"user,net=10.0.2.0/24,ipv6-net={PREFIX}/64{forwards}"
        sh(VMLAN, "up", "lab", "generic", *(f"netdev={n}" for n in (user, *taps, *users)),
           env=dict(os.environ, **ENV), timeout=PATIENCE)
        self.folder = DIR / "vmlan" / "lab"
        self.log = self.stack.enter_context(open(self.folder / "log"))
        self.stack.callback(sh, VMLAN, "down", "-q", "lab", check=False)
        self.stack.callback(self.tell)
        self.engine = self.show()["engine"]
        assert self.engine

    def cable(self):
        p = popen(VMLAN, "join", "-q", self.guests["s1"].netdev(),
                  f"stream,addr.type=unix,addr.path={DIR}/s1,reconnect-ms=50")
        self.stack.callback(world.stop, p, timeout=PATIENCE)
        wait_for("the cable", lambda: self.guests["s1"].sh(
            "ip", "link", "show", "eth0", check=False).returncode == 0, PATIENCE)

    def address(self, name):
        i = list(self.guests).index(name)
        g = self.guests[name]
        g.sh("sh", "-ec", f"""
            ip link set eth0 up
            ip addr replace 10.0.2.{50 + i}/24 dev eth0
            ip -6 addr replace {PREFIX}{50 + i:x}/64 dev eth0 nodad
            ip route replace default via 10.0.2.2
            ip -6 route replace default via {PREFIX}2""")

    # ---- what is told and asked ----

    def control(self, method, url, body=None):
        return dhcp_raw.ask(self.folder / "control", method, url, body)

    def show(self):
        return json.loads(sh(VMLAN, "show", "--json", "lab").stdout)

    def stats(self):
        return json.loads(sh(VMLAN, "stats", "--json", "lab", check=False).stdout or "{}").get("drops")

    def machines(self):
        return {m["name"] for m in self.show()["machines"]}

    def attach(self, name, pid, **more):
        return self.control("POST", "/v1/machines", {"name": name, "pid": pid, **more})["socket"]

    def gone(self, name):
        wait_for(f"{name} to be gone", lambda: name not in self.machines(), PATIENCE)

    # ---- actors ----

    def actor(self, name, step, pause=0.05, lock=None):
        """Does this over and over; not while somebody looks whether all is well,
        unless it has a lock of its own."""
        locks = [] if lock else [threading.Lock()]
        lock = lock or locks[0]
        rnd = random.Random(name)

        def run():
            try:
                while not self.over.wait(pause):
                    with lock:
                        step(rnd)
                    self.did[name] = self.did.get(name, 0) + 1
            except BaseException:
                self.errors.append(f"{name}: {traceback.format_exc()}")

        t = threading.Thread(target=run, daemon=True)
        t.start()
        self.actors.append((t, locks))

    def traffic(self):
        stay = [a for n, a in self.agents.items() if n not in ("v4", "host", "inet")]
        inside = [p for a in stay for p in a.peers]
        outside = self.agents["inet"].peers
        by_forward = [[HOST_IP, 7100 + i, 7200 + i] for i in range(6) if i != 4]
        fakes = [[f.ip, 0, 7001] for f in self.fakes.values()]
        for name, a in self.agents.items():
            at = [p for p in inside if p not in a.peers]
            t = {"flood": [at, "eth0", ROAM if name in ROAMERS else None], "groups": ["eth0"]}
            if name == "inet":
                t = {"talk": [by_forward, 1 << 18], "chat": [by_forward]}
            elif name == "host":
                t = {"chat": [by_forward]}
            elif name != "v4":
                t["talk"] = [at + outside + self.agents["host"].peers, 1 << 20]
                t["chat"] = [at + outside + fakes]
            a.do("start", traffic=t)

    def well(self):
        """All reach all."""
        with contextlib.ExitStack() as s:
            for lock in (l for _, locks in self.actors for l in locks):
                s.enter_context(lock)
            for x in (*self.fakes.values(), *self.agents.values()):
                x.do("calm")
            guests = [a for n, a in self.agents.items() if n not in ("inet", "host")]
            fakes = [[f.ip, 0, 7001] for f in self.fakes.values()]
            at = [p for a in guests for p in a.peers]
            at += self.agents["inet"].peers + self.agents["host"].peers + fakes
            with contextlib.ExitStack() as waits:
                for a in guests:
                    self.together(waits, a.reach, [p for p in at if p not in a.peers])
                self.together(waits, self.agents["inet"].reach,
                              [[HOST_IP, 7100 + i, 7200 + i] for i in range(len(guests))])
                for f in self.fakes.values():
                    for g in self.fakes.values():
                        if f != g:
                            self.together(waits, f.do, f"reach {g.mac}")
            for x in (*self.fakes.values(), *self.agents.values()):
                x.do("stir")
        found = [(n, e) for n, a in self.agents.items() for e in a.do("errors")]
        assert not found and not self.errors, (found, *self.errors)
        assert self.show()["engine"] == self.engine, self.text()

    def together(self, stack, fn, *args):
        def run():
            try:
                fn(*args)
            except BaseException:
                self.errors.append(traceback.format_exc())

        t = threading.Thread(target=run, daemon=True)
        t.start()
        stack.callback(t.join, 2 * PATIENCE)

    def tell(self):
        """What a failure is understood by."""
        print(self.did, *self.errors, json.dumps(self.stats()), self.text(), sep="\n")

    def text(self):
        self.log.seek(0)
        return world.placed(self.log.read())

    def carried(self):
        """Milliseconds that each of the engine's threads has had of a CPU; a
        sanitizer's own thread has the name of the first."""
        found = {}
        for t in pathlib.Path(f"/proc/{self.engine}/task").iterdir():
            name = (t / "comm").read_text().strip()
            ns = int((t / "schedstat").read_text().split()[0])
            found[name] = found.get(name, 0) + ns // 10**6
        return found


# ---- who comes and goes ----


def crowd(m):
    """Machines by vhost-user of one queue and of four, with forwards to k4 and
    k5; they end by the end of their input, or by a kill."""
    numbers = itertools.count()

    def step(rnd):
        n = next(numbers) % 50
        f = Fake(10 + n % 10, rnd.choice((1, 4)))
        name, port = f"m{n}", 9000 + 2 * n
        try:
            path = m.attach(name, f.p.pid, link="vhost-user", queues=4, mac=f.mac, forwards=[
                f"tcp:127.0.0.1:{port}-10.0.2.{rnd.choice((52, 53))}:7000",
                f"udp:127.0.0.1:{port}-10.0.2.{rnd.choice((52, 53))}:7001"])
            f.run(path, [x.mac for x in (*m.fakes.values(), *m.guests.values())], rnd.random() < 0.5)
            host = m.agents["host"]
            assert host.do("transfer", peer=["127.0.0.1", port, port], n=50000) is None
            host.reach([["127.0.0.1", port, port]])
            wait_for("something of it", lambda: json.loads(f.ask("count"))["sent"], PATIENCE)
        finally:
            f.close(kill=rnd.random() < 0.7)
        m.gone(name)

    return step


def programs(m):
    """A program in a namespace that goes with it."""
    def step(rnd):
        p = popen(VMLAN, "exec", "lab", "--", "ping", "-q", "-f", "-i", "0.01", "-c", "60",
                  "-s", str(rnd.choice((16, 1400, 4000))), rnd.choice(("10.0.2.52", INET_IP)),
                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            if rnd.random() < 0.5:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    p.wait(rnd.uniform(0, 1))
                p.kill()
            out = p.communicate(timeout=PATIENCE)[0]
        finally:
            p.kill()
            p.wait()
        if p.returncode == 0:
            assert re.search(" [1-9][0-9]* received", out), out

    return step


def roamers(m):
    """A stream from which comes the address that others have, too."""
    numbers = itertools.count()

    def step(rnd):
        r = dhcp_raw.Raw(next(numbers) % 100, f"p{next(numbers) % 100}")
        sleeper = popen("sleep", "1000")
        try:
            r.path = m.attach(r.name, sleeper.pid)
            r.plug()
            r.sock.settimeout(PATIENCE)
            mac = bytes.fromhex(ROAM.replace(":", ""))
            for i in range(rnd.randrange(1, 100)):
                r.send(bytes.fromhex(m.fakes["f4"].mac.replace(":", "")) + rnd.choice((mac, r.mac)) +
                       b"\x88\xb6" + bytes(50))
            r.unplug()
        finally:
            sleeper.kill()
            sleeper.wait()
        m.gone(r.name)

    return step


def captures(m):
    """Of the network, or of a machine that comes and goes; and of what is kept."""
    f = DIR / "f.pcapng"
    turns = itertools.count()

    def last():
        """Frames, or that none are kept; an engine on a busy host may have had none yet."""
        r = sh(VMLAN, "cap", "lab", "--last", "60s", "-w", f, check=False)
        assert r.returncode == 0 or "of lab is kept" in r.stderr, r.stderr
        return r.returncode != 0 or File(f).ports

    def step(rnd):
        n = next(turns) % 4
        if n == 0:
            keep = rnd.choice((("1mb", "-s", "64"), ("4mb", "-s", "256"), ("off",)))
            sh(VMLAN, "cap", "lab", "--keep", *keep)
        elif n == 2:
            wait_for("frames that are kept", last)
            f.unlink(missing_ok=True)
        name = rnd.choice(["lab", *(f"lab/{x}" for x in m.machines())])
        p = popen(VMLAN, "cap", name, "-w", f, "-s", "64", "-c", str(rnd.choice((10, 3000))),
                  "--memory", "1mb", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                p.wait(rnd.uniform(0, 2))
            p.send_signal(signal.SIGINT if rnd.random() < 0.7 else signal.SIGKILL)
            out = p.communicate(timeout=PATIENCE)[0]
        finally:
            p.kill()
            p.wait()
        ends = [0, -signal.SIGKILL, -signal.SIGINT]  # the latter before it has begun
        assert p.returncode in ends + [4] * (name != "lab"), out  # the machine has gone
        if p.returncode == 0 and name == "lab" and f.exists():
            assert File(f).ports
        f.unlink(missing_ok=True)

    return step


def links(m):
    def step(rnd):
        m.guests["v4"].sh("ip", "link", "set", "eth0", "down")
        m.address("v4")

    return step


def machines_of_qemu(m):
    """Linux that changes its queues all the time; killed, every second time."""
    turns = itertools.count()
    words = (*words_of(DIR / "q", 4), "-smp", "4")

    def step(rnd):
        sink = popen("/usr/bin/python3", "-c", COUNT, ns="inet", stdout=subprocess.PIPE, text=True)
        vm = qemu.Qemu(None, qemu.words(
            sum=f"http://{INET_IP}/big", up=f"{INET_IP}:5009", mib=MIB, ping="10.0.2.52",
            queues=4, patience=300),
            more=words)
        try:
            vm.until("lease", 300)
            if next(turns) % 2:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    vm.proc.wait(rnd.uniform(0, 5))
                return
            assert vm.until("sum", 300) == hashlib.sha256(web_server.big()).hexdigest()
            assert vm.until("up", 300) == "sent"
            assert sink.communicate(timeout=PATIENCE)[0] == f"{MIB << 20}\n"
            assert vm.rest() == 0
            assert "guest: error" not in vm.text, vm.text
        finally:
            vm.proc.kill()
            vm.close()
            sink.kill()
            sink.wait()
            sink.stdout.close()

    return step


# ---- all of it ----


@pytest.fixture
def rundir(monkeypatch):
    DIR.mkdir(exist_ok=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(DIR))
    before = world.js("link")
    yield
    assert [l["ifname"] for l in world.js("link")] == [l["ifname"] for l in before]


@pytest.mark.long
def test_all_at_once(w, rundir):
    with contextlib.ExitStack() as stack:
        m = Mixed(w, stack)
        try:
            run(m)
        finally:
            m.over.set()
        end(m)


def run(m):
    m.traffic()
    m.actor("crowd", crowd(m))
    m.actor("programs", programs(m))
    m.actor("roamers", roamers(m))
    m.actor("links", links(m), 0.2)
    m.actor("captures", captures(m), 0.2)
    if FULL:
        m.w.python("web_server.py", "hello", port=80)
        m.actor("qemu", machines_of_qemu(m), lock=threading.Lock())
    end_at = time.monotonic() + SECONDS
    while time.monotonic() < end_at:
        time.sleep(PERIOD)
        m.well()


def end(m):
    for t, _ in m.actors:
        t.join(300)
        assert not t.is_alive()
    assert not m.errors, "\n".join(m.errors)
    done = {n: a.do("stop") for n, a in m.agents.items()}
    for name, d in done.items():
        assert d.pop("errors") == [], (name, d)
        assert all(d.values()), (name, d)
    counts = {n: json.loads(f.ask("count")) for n, f in m.fakes.items()}
    assert all(c["sent"] and c["own"] for c in counts.values()), counts
    assert all(c["changes"] for n, c in counts.items() if n != "f1"), counts
    drops = m.stats()
    carried = m.carried()
    print(json.dumps([done, counts, m.did, carried, drops]), file=sys.stderr)
    assert len(carried) == 4 and all(carried.values()), carried
    assert all(re.fullmatch("[A-Z][A-Z0-9_]+", d["name"]) for d in drops), drops
    shown = m.show()
    assert shown["engine"] == m.engine == engine_of(shown["keeper"]), m.text()
    log = open(m.folder / "log")
    m.stack.close()
    wait_for("its end", lambda: is_dead(shown["keeper"]) and is_dead(m.engine), PATIENCE)
    assert not m.folder.exists()
    with log:
        text = log.read()
    assert not [word for word in BAD if word in text], text
