# SPDX-License-Identifier: BSD-3-Clause
"""A network that is looked at and changed while 4 flows run through it: each
call is answered as it should be, no flow stands still, and every byte arrives.

      inet -- host -- [lab: natnet] -- one, two: bench-front, a card of 2 queues
"""
import hashlib
import json
import os
import subprocess
import sys

import pytest

import web_server
import world
from test_cap import ACCEPTED, RECEIVED, File, capture, captures, is_sound, tshark
from test_modes import RUNDIR, rundir, show, vmlan  # noqa: F401
from test_vhost import start, words_of
from world import BUILD, INET_IP, VMLAN, popen, wait_for

sys.path.append(str(world.HERE.parent.parent / "bench"))
import callers  # noqa: E402

PYTHON = "/usr/bin/python3"
FLOWS = str(world.HERE / "flows.py")
PORT = "7777"
NAMES = ("calls-main", "two")


def control():
    return str(RUNDIR / "vmlan" / "lab" / "control")


def attach(name, queues):
    """The socket of a machine for a VMM over vhost-user."""
    body = {"name": name, "pid": os.getpid(), "link": "vhost-user", "queues": queues}
    status, text = callers.split(callers.exchange(
        control(), callers.request("POST", "/v1/machines", body)))
    assert status == 201, text
    return json.loads(text)["socket"]


def detach(name):
    text = callers.request("DELETE", f"/v1/machines/{name}")
    assert callers.split(callers.exchange(control(), text))[0] == 200


class Card:
    """A machine, reached by vhost-user."""

    def __init__(self, w, i, queues):
        self.name = NAMES[i]
        self.guest = w.guest(f"live{i}")
        self.front = self.guest.popen(
            str(BUILD / "bench" / "bench-front"), "vhost", attach(self.name, queues), "eth0",
            f"queues={queues}", stdout=subprocess.PIPE, text=True)
        assert '"ready":true' in self.front.stdout.readline()
        self.guest.static(f"10.0.2.{15 + i}")

    def close(self):
        world.end(self.front)
        detach(self.name)


class Flows:
    """2 to the server and 2 from it, at once."""

    def __init__(self, card, ip):
        self.p = card.guest.popen(PYTHON, FLOWS, "up,down,up,down", ip, PORT, text=True,
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def arrived(self):
        """Bytes of each."""
        self.p.stdin.write("\n")
        self.p.stdin.flush()
        line = self.p.stdout.readline()
        assert line, "the flows have ended"
        return [int(n) for n in line.split()]

    def move(self, before):
        """Each of them goes on from there."""
        wait_for("progress of each flow", lambda: all(
            a > b for a, b in zip(self.arrived(), before)), seconds=60)

    def end(self):
        out = self.p.communicate("", timeout=120)[0]
        assert self.p.returncode == 0 and out.startswith("equal "), out
        return [int(n) for n in out.split()[1:]]

    def kill(self):
        self.p.kill()
        self.p.wait()


@pytest.fixture(params=[1, 2])
def net(request, w, monkeypatch):
    """Flows through the NAT and flows between machines, of 1 and of 2 workers."""
    monkeypatch.setenv("VMLAN_WORKERS", str(request.param))
    vmlan("up", "-q", "lab", "natnet")
    cards = [Card(w, i, request.param) for i in range(2)]
    for ns, ip in (("inet", INET_IP), (cards[1].guest.ns, None)):
        p = popen(PYTHON, FLOWS, "serve", PORT, ns=ns, stdout=subprocess.PIPE, text=True)
        w.servers.append(p)
        assert p.stdout.readline() == "ready\n"
        p.stdout.close()
    flows = [Flows(cards[0], INET_IP), Flows(cards[0], cards[1].guest.ip)]
    yield flows
    for f in flows:
        f.kill()
    for c in cards:
        c.close()
    vmlan("down", "-q", "lab")


def drops():
    return {d["name"] for d in json.loads(vmlan("stats", "--json", "lab").stdout)["drops"]}


def moves(flows, what):
    """Runs it; all flows have gone on meanwhile, or do at once."""
    for f in flows:
        f.move([0] * 4)
    before = [f.arrived() for f in flows]
    what()
    for f, b in zip(flows, before):
        f.move(b)


def all_calls(n):
    c = callers.Calls(control(), NAMES[0])
    got = callers.run(c, {**callers.FIELDS, "calls": n})
    assert got["calls"] == n
    assert got["unasked"] == [], "add a call of these kinds to bench/callers.py"


def all_forwards(n):
    had = json.loads(vmlan("fwd", "--json", "lab", "ls").stdout)
    got = callers.run(callers.Calls(control(), NAMES[0]),
                      {**callers.FIELDS, "calls": 0, "forwards": n})
    assert got["calls"] == 2 * n
    assert json.loads(vmlan("fwd", "--json", "lab", "ls").stdout) == had == []


def all_captures(n, folder):
    """Of all ports and of one, of cut and of whole frames."""
    files, lost = [], 0
    for i in range(n):
        f = folder / f"{i}.pcapng"
        whole = i % 4 == 3
        words = ("-c", "200") if whole else ("-s", "96")
        with capture(NAMES[0] if i % 2 else "lab", "-w", f, *words) as p:
            wait_for("frames", lambda f=f: f.exists() and f.stat().st_size > 20000)
            if whole:
                p.wait(30)
        got = File(f)
        if whole:
            assert sum(s[ACCEPTED] for s in got.stats.values()) == len(got.frames) == 200
        else:
            lost += got.check_counts()
            assert "lost" in p.said or not any(s[7] for s in got.stats.values())
        assert sum(s[RECEIVED] for s in got.stats.values()) > 0
        files.append(f)
    wait_for("the end of all", lambda: not captures())
    return files


def read_all(files, folder):
    """Each is a section of one file, so that tshark is started twice, not forty
    times."""
    for whole in (False, True):
        f = folder / f"all-{whole}.pcapng"
        f.write_bytes(b"".join(x.read_bytes() for i, x in enumerate(files)
                               if (i % 4 == 3) == whole))
        n = len(tshark(f, "-T", "fields", "-e", "frame.number").split())
        assert n == sum(len(File(x).frames) for i, x in enumerate(files)
                        if (i % 4 == 3) == whole)
        assert not whole or is_sound(f)


def test_control_beside_flows(net, tmp_path):
    """1,000 calls of every kind, beside clients that read nothing and ask half;
    200 forwards that come and go; 20 captures."""
    files = []
    engine = show("lab")["engine"]
    moves(net, lambda: all_calls(1000))
    moves(net, lambda: all_forwards(200))
    with callers.hostile(control()):  # also some who wait for events
        moves(net, lambda: files.extend(all_captures(20, tmp_path)))
    totals = [f.end() for f in net]
    assert all(n > 1 << 20 for t in totals for n in t), totals
    assert show("lab")["engine"] == engine
    assert "PORT_FAULT" not in drops()
    read_all(files, tmp_path)


def captured_linux(sock, queues, folder):
    """Its life from the beginning to the end: what there was of all ports, and
    of its own."""
    files = folder / "all.pcapng", folder / "one.pcapng"
    smp = ("-smp", str(queues)) if queues > 1 else ()
    with capture("lab", "-w", files[0]), capture("linux", "-w", files[1]):
        vm = start(words_of(sock, queues), smp, sum=f"http://{INET_IP}/big", ping=INET_IP)
        try:
            assert vm.until("lease").startswith("10.0.2.")
            assert vm.until("sum") == hashlib.sha256(web_server.big()).hexdigest()
            assert "answered 3 of 3" in vm.until("ping")
            assert vm.rest() == 0
        finally:
            vm.close()
    return files


@pytest.mark.qemu
@pytest.mark.parametrize("workers", [1, 2])
def test_capture_of_a_virtual_machine(w, monkeypatch, tmp_path, workers):
    """A Linux in QEMU, by its own virtqueues: all that its port counts, both ways
    and both of the lan and of the machine, is in the file or said to be lost."""
    w.python("web_server.py", "Hello from the internet.", port=80)
    monkeypatch.setenv("VMLAN_WORKERS", str(workers))
    vmlan("up", "-q", "lab", "natnet")
    try:
        all_of, one = captured_linux(attach("linux", workers), workers, tmp_path)
    finally:
        detach("linux")
        vmlan("down", "-q", "lab")
    for f, ports in ((all_of, {"linux", "user0"}), (one, {"linux"})):
        got = File(f)
        assert set(got.ports) == ports
        lost = got.check_counts()
        assert lost or is_sound(f)
        assert lost or len(tshark(f, "-Y", f"icmp && ip.addr == {INET_IP}").splitlines()) == 6
    assert {d for _, d, _, _ in File(one).frames} == {1, 2}
