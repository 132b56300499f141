# SPDX-License-Identifier: BSD-3-Clause
"""`vmlan stats`: what guests and resolvers do wrong is counted, by name, for all
to see; by one engine after the other; and a hostile one cannot end the keeper.

      m (a cable) -- natnet -- host -- inet: a resolver that lies
"""
import contextlib
import json
import os
import pathlib
import signal
import struct

import pytest

import dhcp_raw
import world
from dhcp_raw import Raw, lease_all, udp4
from test_leases import control, down, keeper, kill_engine, unplug_all
from test_modes import ask, get, one_line, rundir, show, vmlan  # noqa: F401
from test_resolvers import RESOLV, serve
from world import wait_for

TFTP, NAMES = "10.0.2.2", "10.0.2.3"
# A pool for a few, of which half is kept for machines that are known.
NET = ("natnet", "dhcpstart=10.0.2.15", "dhcpend=10.0.2.18")


def stats():
    return json.loads(vmlan("stats", "--json", "lab").stdout)


def lines(name):
    """The block of what is printed that has a line with this last word."""
    found, = [b.splitlines() for b in vmlan("stats", "lab").stdout.split("\n\n")
              if any(li.split()[-1] == name for li in b.splitlines())]
    return found


def by_name(o):
    return {d["name"]: d["count"] for d in o["drops"]}


def drops():
    """The same, for who asks often."""
    return by_name(dhcp_raw.ask(control(), "GET", "/v1/stats"))


def counted(names):
    with contextlib.suppress(AssertionError):
        wait_for("them", lambda: names <= set(drops()), 30)
    assert not names - set(drops())


class Guest(Raw):
    """One that says anything, from any port."""

    def on_frame(self, f):
        if f[12:14] == b"\x08\x00":  # nobody else speaks it here
            self.gw = f[6:12]
        super().on_frame(f)

    def send(self, frame):
        self.sock.settimeout(20)  # many at once
        super().send(frame)
        self.sock.setblocking(False)

    def say(self, to, port, data, sport=4000):
        self.send(udp4(self.mac, self.ip4, to, sport, port, data, self.gw))


@pytest.fixture
def machine(w, state):
    def start(*options):
        vmlan("up", "lab", *NET, *options)
        m.attach(control())
        m.plug()
        lease_all([m], families=(4,))
        return m

    m = Guest(1, "m")
    yield start
    unplug_all([m])
    down()


def question(number, label):
    return (struct.pack("!6H", number, 0x100, 1, 0, 0, 0) + bytes([len(label)]) + label +
            b"\4test\0\0\1\0\1")


def test_abuses_have_names(w, machine, monkeypatch, tmp_path):
    """Each once: a flood of questions, a resolver's lies, transfers that are never
    taken, a pool that is taken whole, and what is no message at all."""
    serve(w, "lie")
    monkeypatch.setenv("VMLAN_RESOLV_CONF", str(RESOLV))
    tmp_path.joinpath("boot").write_bytes(bytes(4000))
    m = machine(f"tftp={tmp_path}")
    before = drops()
    for n in range(40):
        m.say(NAMES, 53, question(n, b"same"), 5000 + n)
    for n in range(140):
        m.say(NAMES, 53, question(n, b"n%d" % n), 6000)
    for n in range(230):
        m.say(TFTP, 69, b"\0\1boot\0octet\0timeout\0001\0", 7000 + n)
    own = m.mac
    for n in range(20):
        m.mac = own[:4] + bytes([7, n])
        m.say4(1)
    m.mac = own
    for to, port in ((NAMES, 53), (TFTP, 69), (TFTP, 67)):
        m.say(to, port, b"\0\1nothing", port + 1)
    found = {"DNS_SAME", "DNS_BUSY", "DNS_REPLY", "DNS_BAD", "TFTP_BUSY", "TFTP_BAD",
             "DHCP_NO_LEASE", "DHCP_BAD"}
    assert not found & set(before)
    counted(found)
    counted({"DNS_SILENT", "TFTP_SILENT"})  # when nothing has come for long
    got = by_name(stats())
    assert (got["DNS_BAD"], got["TFTP_BAD"], got["DHCP_BAD"]) == (1, 1, 1)


def test_who_was_killed(machine):
    """An engine goes on counting where the last one was; a keeper begins anew."""
    m = machine()
    for n in range(3):
        m.say(NAMES, 53, b"nothing")
    wait_for("three", lambda: drops().get("DNS_BAD") == 3)
    kill_engine()
    assert drops()["DNS_BAD"] == 3
    m.plug()
    for n in range(2):
        m.say(NAMES, 53, b"nothing")
    wait_for("five", lambda: drops().get("DNS_BAD") == 5)
    old = keeper()
    os.kill(old, signal.SIGKILL)
    wait_for("another keeper", lambda: keeper() not in (None, old), 20)
    wait_for("it to serve", lambda: show("lab")["serving"], 20)
    assert "DNS_BAD" not in drops()


def counters_of(pid):
    """A descriptor of the memory where the engine counts, as it has it."""
    for fd in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        if "vmlan-counters" in os.readlink(fd):
            return os.open(fd, os.O_RDWR)
    raise AssertionError("no counters")


def test_an_engine_that_was_taken_over(machine):
    """It writes what it likes; and takes nothing away from under the keeper."""
    machine()
    pid = keeper()
    fd = counters_of(pid)
    size = os.fstat(fd).st_size
    for length in (0, 1, size - 1, size + 4096):
        with pytest.raises(PermissionError):
            os.truncate(fd, length)
    os.pwrite(fd, b"\xff" * size, 0)
    os.close(fd)
    got = drops()
    assert set(got.values()) == {2 ** 63 - 1} and "DNS_BAD" in got
    assert by_name(stats()) == got
    assert len(lines("DNS_BAD")) == len(got)
    assert keeper() == pid
    # the engine itself keeps no descriptor, only the memory
    kill_engine()
    assert keeper() == pid


def test_words_and_keys(w, state):
    vmlan("up", "lab", "internal")
    assert vmlan("stats", "lab").stdout == "nothing was lost on lab\n"
    empty = stats()
    assert (empty["network"], empty["drops"], empty["ports"]) == ("lab", [], [])
    assert {c["count"] for c in empty["counters"]} == {0}
    m = Raw(1, "m")
    m.attach(control())
    m.plug()
    m.send(b"short")
    wait_for("its count", lambda: drops() == {"FRAME_SHORT": 1})
    o = stats()
    assert list(o) == ["network", "uptime-ms", "drops", "ports", "counters"]
    assert o["uptime-ms"] > empty["uptime-ms"] > 0
    d, = o["drops"]
    assert list(d) == ["name", "text", "count"]
    line, = lines("FRAME_SHORT")
    assert line.split() == ["1", *d["text"].split(), "FRAME_SHORT"]
    p, = o["ports"]
    assert (p["name"], p["machine"], p["kind"], p["connected"], p["up"]) == \
        ("m", "m", "stream", True, True)
    head, row = lines("0")
    assert head.split() == ["PORT", "KIND", "STATE", "RX", "FRAMES", "DROPS", "TX", "FRAMES",
                            "DROPS"]
    assert row.split()[:3] == ["m", "stream", "up"]
    manual = (world.HERE.parent.parent / "man" / "vmlan-stats.1.scd").read_text()
    for key in (*o, *d, *p):
        assert f"_{key}_" in manual, key
    assert b" 405 " in ask("lab", get("/v1/stats").replace(b"GET", b"PUT")).splitlines()[0]
    unplug_all([m])
    down()


def test_bad_words(w):
    assert one_line(3, "stats", "nosuch").endswith("stats: no network nosuch is running")
    for words in ((), ("a", "b"), ("--xml", "a"), ("../x",)):
        one_line(2, "stats", *words)
