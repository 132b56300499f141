# SPDX-License-Identifier: BSD-3-Clause
"""Cables that are pulled and spoilt: `vmlan link`.

      a, b (cables) -- internal        counted frame by frame
      p, q (programs of the host) -- internal     ping, by their kernels
"""
import collections
import hashlib
import json
import os
import re
import signal
import socket
import statistics
import struct
import subprocess
import threading
import time

import pytest

import dhcp_raw
import test_cap
import test_vhost
import web_server
import world
from dhcp_raw import Raw
from test_leases import control, down, keeper, kill_engine
from test_modes import one_line, rundir, show, vmlan  # noqa: F401
from world import VMLAN, popen, sh, wait_for

N = 100000 if world.FULL else 4000
HEAD = 14 + 12  # MACs and type, our number and the time
TYPE = b"\x88\xb5"


class Cable(Raw):
    """A machine that sends numbered frames and notes those that come."""

    def attach(self, control, knows_mac=True):
        super().attach(control, knows_mac)
        self.got = []  # (number, length, when it came, is it whole)
        self.times = []  # of each: when it was sent
        self.reader = None

    def plug(self):
        self.unplug()
        super().plug()
        self.sock.settimeout(20)
        self.send(b"\xff" * 6 + self.mac + TYPE + b"hello" + bytes(40))
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def unplug(self):
        if self.sock:
            self.sock.shutdown(socket.SHUT_RDWR)
            self.reader.join()
        super().unplug()

    def read(self):
        buf = b""
        while True:
            try:
                more = self.sock.recv(1 << 18)
            except TimeoutError:
                continue
            except OSError:
                return
            if not more:
                return
            now = time.monotonic_ns()
            buf += more
            at = 0
            while len(buf) - at >= 4:
                n, = struct.unpack_from("!I", buf, at)
                if len(buf) - at < 4 + n:
                    break
                self.take(buf[at + 4:at + 4 + n], now)
                at += 4 + n
            buf = buf[at:]

    def take(self, f, now):
        if f[:6] != self.mac or f[12:14] != TYPE:
            return
        seq, sent = struct.unpack_from("!IQ", f, 14)
        whole = f[HEAD:] == bytes([seq & 0xff]) * (len(f) - HEAD)
        self.got.append((seq, len(f), now, whole))
        self.times.append(now - sent)

    def frames(self, to, n, length, gap=0.0, ahead=None):
        """Sends n frames; no more than about ahead are under way."""
        before = len(to.got)
        known = first = lost() if ahead else 0

        def fits():
            nonlocal known
            if seq - (len(to.got) - before) - (known - first) >= ahead:
                known = lost()
            return seq - (len(to.got) - before) - (known - first) < ahead
        for seq in range(n):
            head = to.mac + self.mac + TYPE + struct.pack("!IQ", seq, time.monotonic_ns())
            self.send(head + bytes([seq & 0xff]) * (length - HEAD))
            if ahead and seq % 50 == 49:
                wait_for("room", fits, 30)
            if gap:
                time.sleep(gap)


def link(*args):
    return json.loads(vmlan("link", "--json", *args).stdout)


def drops():
    o = dhcp_raw.ask(control(), "GET", "/v1/stats")
    return {d["name"]: d["count"] for d in o["drops"]}


def lost():
    return sum(drops().values())


def hear(a, b):
    """The switch knows both."""
    def both():
        a.frames(b, 1, 100)
        b.frames(a, 1, 100)
        return soon_got(a, b)
    wait_for("each other", both)
    a.got.clear(), b.got.clear(), a.times.clear(), b.times.clear()


def soon_got(a, b):
    time.sleep(0.01)  # asked again, if it takes longer
    return a.got and b.got


@pytest.fixture
def pair(w):
    vmlan("up", "lab", "internal")
    a, b = Cable(1, "a"), Cable(2, "b")
    for m in (a, b):
        m.attach(control())
        m.plug()
    hear(a, b)
    yield a, b
    for m in (a, b):
        m.unplug()
        dhcp_raw.ask(control(), "DELETE", f"/v1/machines/{m.name}")
    down()


def arrived(m, n):
    """All n are here, or counted as lost since."""
    wait_for("all of them", lambda: len(m.got) + lost() - arrived.lost >= n, 30)
    arrived.lost = lost()


@pytest.fixture(autouse=True)
def count_anew():
    arrived.lost = 0


def near(got, n, share):
    """2 % off in the long run, more by chance in the short one."""
    sd = (n * share * (1 - share)) ** 0.5
    slack = 0.02 * n * share if world.FULL else 4.5 * sd
    assert abs(got - n * share) <= max(slack, 1), (got, n * share)


@pytest.mark.long
def test_shares(pair):
    """Loss each way by its own share, and nothing else is lost."""
    a, b = pair
    arrived.lost = lost()
    o = link("a", "to", "loss=20%", "from", "loss=30%", "--seed", "3")
    assert o == {"up": True, "to": {"loss": "20%"}, "from": {"loss": "30%"}, "seed": 3}
    for src, dst, share in ((b, a, 0.2), (a, b, 0.3)):
        src.frames(dst, N, 100, ahead=150)
        arrived(dst, N)
        near(N - len(dst.got), N, share)
    assert set(drops()) <= {"LINK_LOSS", "NO_EXIT", "LINK_DOWN"}, drops()
    assert [g[0] for g in a.got] == sorted(g[0] for g in a.got)


@pytest.mark.long
def test_others(pair):
    a, b = pair
    link("a", "to", "duplicate=10%", "corrupt=10%")
    b.frames(a, N, 200, ahead=150)
    wait_for("all", lambda: len(a.got) >= N)
    wait_for("twins", lambda: len(a.got) >= N * 1.05)
    hurt = sum(not g[3] for g in a.got)
    # some bits hurt the number or the time, which is not seen
    assert 0.05 * N < hurt < 0.13 * N, hurt


def test_same_seed(pair):
    a, b = pair
    seen = []
    for seed in (5, 5, 6):
        a.got.clear()
        arrived.lost = lost()
        link("a", "to", "loss=25%", "--seed", str(seed))
        b.frames(a, 1000, 100, ahead=150)
        arrived(a, 1000)
        seen.append([g[0] for g in a.got])
    assert seen[0] == seen[1] != seen[2]
    # a seed that was drawn can be named the next time
    assert link("a", "reset") == {"up": True, "to": {}, "from": {}}
    drawn = link("a", "loss=1%")["seed"]
    assert link("a", "loss=2%")["seed"] == drawn


def delays(src, dst, n, gap):
    """How long each of n frames took, in ms, the shortest first; they come in
    their order."""
    dst.got.clear(), dst.times.clear()
    src.frames(dst, n, 100, gap=gap)
    wait_for("all", lambda: len(dst.times) == n, 30)
    assert [g[0] for g in dst.got] == list(range(n))
    return sorted(t / 1e6 for t in dst.times)


@pytest.mark.long
def test_delay(pair):
    """In each direction its own; none is too early, and in some moment of a
    busy host, too, the shortest of many are near it."""
    a, b = pair
    link("a", "to", "delay=30ms", "from", "delay=45ms", "jitter=1us")
    for src, dst, ms in ((b, a, 30), (a, b, 45)):
        if world.FULL:
            took = delays(src, dst, N, 0.0002)
            assert took[0] > ms - 1 and took[N // 50] < ms + 1, took[:10]
            assert abs(statistics.median(took) - ms) < 1
            continue

        def is_near():
            took = delays(src, dst, 300, 0.002)
            assert took[0] > ms - 1, took[:10]
            return took[6] < ms + 1
        wait_for(f"frames after {ms} ms", is_near, 60)


@pytest.mark.long
def test_rate(pair):
    """Each way its own: no more than that and a burst since the first was sent,
    which a busy host can only make less; in the long run as much."""
    a, b = pair
    length, n = 500, (N if world.FULL else 1500)
    o = link("a", "to", "rate=20000kbit", "burst=0.25mb", "from", "rate=10mbit", "burst=125kb")
    assert o["to"] == {"rate": "20mbit", "burst": "250kb"}
    for src, dst, rate, burst in ((b, a, 20e6, 2e6), (a, b, 10e6, 1e6)):
        had, began = lost(), time.monotonic_ns()
        src.frames(dst, n, length, ahead=800)
        wait_for("all", lambda d=dst, h=had: len(d.got) + lost() - h >= n, 30)
        bits, took = len(dst.got) * length * 8, (dst.got[-1][2] - began) / 1e9
        print(f"rate {rate:.0f}: {bits} bits in {took} s, {len(dst.got)} of {n} frames")
        assert bits <= rate * (took + 0.001) * 1.005 + burst + length * 8, (bits, took, rate)
        if world.FULL:
            first = 2000  # as many as a burst, and more
            took = (dst.got[-1][2] - dst.got[first][2]) / 1e9
            got = (len(dst.got) - first - 1) * length * 8 / took
            assert abs(got / rate - 1) < 0.02, (got, rate)
        assert len(dst.got) > n / 2 and set(drops()) <= {
            "LINK_CODEL", "LINK_QUEUE", "NO_EXIT", "LINK_DOWN"}, drops()


def test_pull(pair):
    a, b = pair
    assert link("a", "down")["up"] is False
    assert "cable    a: down" in vmlan("show", "lab").stdout.splitlines()
    assert show("lab")["machines"][0]["connected"]  # it is plugged in still
    b.frames(a, 100, 100)
    a.frames(b, 100, 100)
    wait_for("their loss", lambda: lost() >= 200)
    assert not a.got and not b.got
    assert link("lab/a", "up")["up"] is True
    assert "cable" not in show("lab")["machines"][0]
    hear(a, b)


def test_a_lease_outlives_it(w):
    vmlan("up", "lab", "natnet")
    m = Raw(1, "m")
    try:
        m.attach(control())
        m.plug()
        dhcp_raw.lease_all([m])
        had = m.ip4, m.ip6
        link("m", "down")
        link("m", "up")
        dhcp_raw.renew_all([m])
        assert (m.ip4, m.ip6) == had and not m.nak
    finally:
        m.unplug()
        dhcp_raw.ask(control(), "DELETE", "/v1/machines/m")
        down()


def test_events(pair):
    """What was done is told, and what ended by itself; not what changed
    nothing."""
    link("a", "down")
    link("a", "down", "--for", "1h")
    link("a", "up", "to", "loss=1%", "rate=1mbit", "--seed", "4")
    link("a", "to", "loss=1%")
    link("a", "from", "delay=1ms", "--for", "0.1s")
    wait_for("its end", lambda: "left-ms" not in link("a"))
    link("a", "reset")
    got = [json.loads(x) for x in
           vmlan("events", "--no-follow", "--json", "lab").stdout.splitlines()]
    got = [e for e in got if e["type"].startswith("link-")]
    rate = {"machine": "a", "to": "loss=1% rate=1mbit burst=3.028kb", "from": "", "seed": 4}
    keys = [{k: v for k, v in e.items() if k not in ("seq", "time")} for e in got]
    assert keys == [
        {"type": "link-down", "machine": "a"}, {"type": "link-up", "machine": "a"},
        {"type": "link-changed", **rate},
        {"type": "link-changed", **rate, "from": "delay=1ms"},
        {"type": "link-changed", **rate},
        {"type": "link-changed", "machine": "a", "to": "", "from": ""}]
    about = {e["name"]: {k["name"] for k in e["keys"]}
             for e in dhcp_raw.ask(control(), "GET", "/v1")["events"]}
    assert all(set(e) - {"seq", "time", "type"} <= about[e["type"]] for e in got)


def test_it_goes_meanwhile(pair):
    """The machine does, while a time runs and frames are under way; it comes
    again with a cable as it should be."""
    a, b = pair
    link("a", "to", "delay=60s", "--for", "0.3s")
    b.frames(a, 300, 1000)
    a.unplug()
    dhcp_raw.ask(control(), "DELETE", "/v1/machines/a")
    time.sleep(0.4)  # past its end
    a.attach(control())
    a.plug()
    assert link("a") == {"up": True, "to": {}, "from": {}}
    hear(a, b)
    link("a", "to", "loss=25%", "--seed", "5", "--for", "1h")  # reset ends it, too
    assert link("a", "reset") == {"up": True, "to": {}, "from": {}}
    hear(a, b)


CHANGES = (("rate=300mbit", "delay=1ms"), ("to", "loss=0.1%", "reorder=1%"), ("reset",),
           ("from", "rate=200mbit"), ("down", "--for", "50ms"), ("duplicate=1%", "rate=off"),
           ("reset",))


@pytest.mark.root
@pytest.mark.long
@pytest.mark.parametrize("workers", ["1", "2"])
def test_traffic_goes_on(w, workers, tmp_path, monkeypatch):
    """TCP, cut for the wire and whole in turns, while the cable is another one
    again and again and a capture looks on, which has all that was counted."""
    monkeypatch.setenv("VMLAN_WORKERS", workers)
    vmlan("up", "-q", "lab", "natnet")
    p = popen(VMLAN, "exec", "--name", "web", "lab", "--", test_cap.PYTHON, "-c",
              test_cap.SERVER, stdout=subprocess.PIPE, text=True)
    f, n = tmp_path / "f.pcapng", (400 if world.FULL else 40) << 20
    try:
        p.ip = p.stdout.readline().strip()
        with test_cap.capture("lab/web", "-w", f, "-s", "96") as looks:
            c = popen(VMLAN, "exec", "--name", "client", "lab", "--", test_cap.PYTHON, "-c",
                      test_cap.CLIENT, p.ip, str(n), stdout=subprocess.PIPE, text=True)
            done = 0
            while done < 3 * len(CHANGES) or c.poll() is None:
                link("web", *CHANGES[done % len(CHANGES)])
                done += 1
                if done > 5 * len(CHANGES):
                    link("web", "reset")
                    break
            assert c.communicate(timeout=60)[0].strip() == str(n)
        got = test_cap.File(f)
        s = got.stats["web"]
        here = [x[2] for x in got.frames if x[0] == "web" and "no room" not in x[2]]
        # what a cable loses has a record of its own, which is no counted one;
        # what enters a pulled one is counted
        sure = sum("lost at web" not in x for x in here)
        maybe = sum("LINK_DOWN_IN" in x for x in here)
        got_all = s[test_cap.RECEIVED] - s[test_cap.LOST]
        assert sure <= got_all <= sure + maybe, (s, collections.Counter(here))
        assert s[test_cap.LOST] == 0 or "lost" in looks.said
    finally:
        world.stop(p, signal.SIGKILL)
        vmlan("down", "-q", "lab")


@pytest.mark.root
@pytest.mark.parametrize("way", ["to", "from"])
def test_a_capture_says_it(w, way, tmp_path):
    """What a cable loses is there, with its reason."""
    vmlan("up", "-q", "lab", "natnet")
    p, pid = program("p")
    f = tmp_path / "f.pcapng"
    try:
        link("p", way, "loss=100%")
        with test_cap.capture("lab/p", "-w", f):
            sh("nsenter", "-t", str(pid), "-n", "ping", "-c", "3", "-i", "0.05", "-W", "1",
               "10.0.2.2", check=False)
        lost_here = test_cap.tshark(f, "-T", "fields", "-e", "frame.comment").split("\n")
        assert sum("lost at p: lost on a cable" in x for x in lost_here) >= 1, lost_here
        assert test_cap.is_sound(f)
    finally:
        world.stop(p, signal.SIGKILL)
        vmlan("down", "-q", "lab")


@pytest.mark.qemu
def test_a_guest_by_vhost_user(w):
    """Linux gets much over a cable that changes, that is pulled, and good
    again."""
    w.python("web_server.py", "x", port=80)
    vmlan("up", "-q", "lab", "natnet")
    o = dhcp_raw.ask(control(), "POST", "/v1/machines",
                     {"name": "v", "link": "vhost-user", "pid": os.getpid()})
    vm = test_vhost.start(test_vhost.words_of(o["socket"]), sum=f"http://{world.INET_IP}/big",
                          ping="10.0.2.2")
    try:
        link("v", "to", "rate=100mbit", "from", "delay=2ms")
        vm.until("lease")
        for words in CHANGES:
            link("v", *words)
        assert vm.until("sum") == hashlib.sha256(web_server.big()).hexdigest()
        assert "answered" in vm.until("ping")
        assert vm.rest() == 0
    finally:
        vm.close()
        dhcp_raw.ask(control(), "DELETE", "/v1/machines/v")
        vmlan("down", "-q", "lab")


def test_for_a_time(pair):
    a, b = pair
    before = link("a", "to", "delay=1500us")
    assert before["to"] == {"delay": "1.5ms"}
    o = link("a", "down", "to", "loss=0.50%", "delay=off", "--for", "0.4s")
    assert (o["up"], o["to"]) == (False, {"loss": "0.5%"}) and 0 < o["left-ms"] <= 400
    wait_for("the time before", lambda: link("a") == before)
    hear(a, b)
    # another one meanwhile: what was before the first comes again
    link("a", "loss=5%", "--for", "1h")
    link("a", "delay=1s", "--for", "0.2s")
    wait_for("the same again", lambda: link("a") == before)
    link("a", "loss=5%", "--for", "1h")
    assert "left-ms" not in link("a", "delay=2ms")
    assert link("a", "reset", "rate=10mbit")["to"] == {"rate": "10mbit", "burst": "12.5kb"}


def test_it_outlives(pair):
    """An engine, a keeper, a connection."""
    a, b = pair
    want = link("a", "to", "delay=30ms", "loss=100%", "from", "loss=1%", "--seed", "9")
    kill_engine()
    for m in (a, b):
        m.plug()
    wait_for("the machines", lambda: all(m["connected"] for m in show("lab")["machines"]))
    assert link("a") == want
    had = drops().get("LINK_LOSS", 0)
    wait_for("its loss", lambda: b.frames(a, 1, 100) or drops().get("LINK_LOSS", 0) > had)
    link("a", "down", "--for", "1h")
    pid = keeper()
    os.kill(pid, signal.SIGKILL)
    wait_for("another keeper", lambda: keeper() not in (None, pid), 20)
    wait_for("it to serve", lambda: show("lab")["serving"], 20)
    o = link("a")
    assert o.pop("left-ms") < 3600000
    assert o == {**want, "up": False}
    for m in (a, b):
        m.plug()
    assert link("a", "reset") == {"up": True, "to": {}, "from": {}}
    hear(a, b)


def test_reset_lets_arrive(pair):
    a, b = pair
    had = lost()
    link("a", "to", "delay=60s")
    b.frames(a, 500, 1000)
    a.frames(b, 1, 100)
    wait_for("the other way", lambda: b.got)
    assert not a.got
    link("a", "reset")
    wait_for("them", lambda: len(a.got) == 500)
    assert [g[0] for g in a.got] == list(range(500)) and lost() == had


def rtt(p, ip, n=20):
    out = sh("nsenter", "-t", str(p), "-n", "ping", "-n", "-c", str(n), "-i", "0.02", "-W", "5",
             ip).stdout
    return float(re.search(r"= ([0-9.]+)/", out).group(1))


def program(name, *ip):
    """One that does nothing, in whose network ping is run: its pid."""
    p = popen(VMLAN, "exec", "--name", name, "lab", *ip, "--", "sleep", "1000",
              stdin=subprocess.DEVNULL)  # a terminal would be its own

    def inner():
        r = sh("pgrep", "-P", str(p.pid), "-x", "sleep", check=False)
        return r.stdout.split()
    return p, int(wait_for("it", inner, 20)[0])


@pytest.mark.root
def test_ping(w):
    """The kernel of a machine sees both ways' delays."""
    vmlan("up", "lab", "internal", "exec=on")
    p, p_in = program("p", "ip=10.9.0.1/24")
    q, q_in = program("q", "ip=10.9.0.2/24")
    try:
        def is_near(ms):
            """Never too early; a busy host can make any of them late."""
            got = rtt(p_in, "10.9.0.2")
            assert got > ms - 1, got
            return got < ms + 2
        wait_for("a quick answer", lambda: is_near(0), 60)
        link("p", "delay=20ms")
        wait_for("its delay both ways", lambda: is_near(40), 60)
        link("q", "from", "delay=15ms")
        wait_for("the other's, too", lambda: is_near(55), 60)
    finally:
        for x in (p, q):
            world.stop(x, signal.SIGKILL)
        down()


@pytest.mark.parametrize("code,words,args", [
    (2, "say the unit", ("a", "delay=50")), (2, "no unit of it", ("a", "rate=5mb")),
    (2, "nothing that a cable has", ("a", "speed=1")), (2, "unknown word", ("a", "cut")),
    (2, "name the machine", ()), (2, "--for", ("a", "down", "--for", "3")),
    (2, "--seed", ("a", "loss=1%", "--seed", "x")), (2, "go with what", ("a", "--for", "3s")),
    (2, "jitter= is more", ("a", "delay=1ms", "jitter=2ms")),
    (2, "reorder= needs delay=", ("a", "reorder=1%")), (2, "burst= needs rate=", ("a", "burst=1kb")),
    (2, "is no machine's name", ("lab/", "down")), (3, "no network nil", ("nil/a", "down")),
    (4, "no machine c runs", ("lab/c", "down")), (4, "no machine c runs", ("c",))])
def test_errors(pair, code, words, args):
    r = vmlan("link", *args, code=code)
    assert len(r.stderr.splitlines()) == 1 and words in r.stderr, r.stderr
    assert r.stdout == ""
    assert link("a") == {"up": True, "to": {}, "from": {}}


def test_bad_requests(pair):
    """What a client sends that is no command of ours."""
    def refused(body):
        c = dhcp_raw.Control(control())
        c.request("PUT", "/v1/machines/a/link", body)
        r = c.getresponse()
        o = json.loads(r.read())
        c.close()
        assert r.status == 400 and "\n" not in o["error"], (body, o)
    for body in ('{"to": 1}', '{"to": {"delay": 5}}', '{"to": {"delay": "5\\n"}}', '{"seed": -1}',
                 '{"seed": 9007199254740992}', '{"for": 5}', '{"for": "0s"}', '{"up": 1}',
                 '{"reset": "yes"}', '{"to": {"no": "1%"}}', '{"sideways": {}}',
                 '{"from": {"loss": "101%"}, "up": false}', '{"for": "1min"}', '{"seed": 7}',
                 '{"seed": 7, "for": "1min"}'):
        refused(body)
    assert link("a") == {"up": True, "to": {}, "from": {}}
