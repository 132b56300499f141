# SPDX-License-Identifier: BSD-3-Clause
"""ntp=on: a real client in a guest, the host's clock behind it."""
import json
import pathlib
import struct

import pytest

import world
from world import VMLAN, sh

PY = "/usr/bin/python3"
GUEST6 = "fec0::100"
# Sends the datagrams given in hex to a host's port 123 and, last, a question
# that is answered; prints the answers that came until that one.
ASK = (
    "import socket,sys\n"
    "f=socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET\n"
    "s=socket.socket(f,socket.SOCK_DGRAM); s.settimeout(10); s.connect((sys.argv[1],123))\n"
    "for x in sys.argv[2:]: s.send(bytes.fromhex(x))\n"
    "last=bytes.fromhex('23'+'00'*39+'feedfacecafebeef'); s.send(last)\n"
    "while True:\n"
    "    d=s.recv(65535); print(d.hex())\n"
    "    if d[24:32]==last[40:]: break\n")


def ntpdig(*args, run=sh):
    """What it says of one server: it takes the answer for a good one."""
    r = run("ntpdig", "-j", *args)
    return json.loads(r.stdout)


def is_good(said):
    # The clock is the same: hours of difference would be another era or zone.
    return said["stratum"] == 10 and abs(said["offset"]) < 60 and said["leap"] == "no-leap"


def start(w, opts):
    g = w.guest()
    v = world.Vmlan([f"user,ntp=on{opts}", g.netdev()])
    return g, v


@pytest.mark.parametrize("opts", ["", ",restrict=on", ",restrict=services"])
def test_clients(w, opts):
    g, vmlan = start(w, opts)
    with vmlan:
        world.no_waiting(g.ns, g.ifname)
        g.dhcp()
        assert g.lease["ntpsrv"] == "10.0.2.2"
        g.sh("ip", "addr", "add", f"{GUEST6}/64", "dev", g.ifname, "nodad")
        assert is_good(ntpdig("10.0.2.2", run=g.sh))
        assert is_good(ntpdig("-6", "fec0::2", run=g.sh))
        assert is_good(ntpdig("-6", f"fe80::2%{g.ifname}", run=g.sh))


def test_nothing_but_questions(w):
    """Whatever else is sent has no answer, and no answer is longer than its
    question."""
    g, vmlan = start(w, "")
    question = "e3" + "00" * 47
    rest = "00" * 47
    bad = [f"{first:02x}{rest}" for first in (0x24, 0x25, 0x26, 0x16, 0x17, 0x97, 0x1e, 0x03, 0x2b)]
    bad += ["1600000000000000", "1700032a00000000", "", question[:-2]]
    with vmlan:
        world.no_waiting(g.ns, g.ifname)
        g.static()
        g.sh("ip", "addr", "add", f"{GUEST6}/64", "dev", g.ifname, "nodad")
        for server in ("10.0.2.2", "fec0::2"):
            # a card that has just come up loses what comes first
            world.wait_for("an answer", lambda: g.sh(
                "ping", "-c", "1", "-W", "1", server, check=False).returncode == 0)
            got = g.sh(PY, "-c", ASK, server, *bad, question, question + "00" * 500).stdout.split()
            assert len(got) == 3 and {len(x) for x in got} == {96}, got
            for x in got:
                first, stratum, poll, precision = struct.unpack(">BBbb", bytes.fromhex(x)[:4])
                assert (first, stratum, precision) == (0x24, 10, -20)


@pytest.mark.parametrize("net", ["natnet", "hostonly", "internal,dhcp=on,exec=on"])
def test_modes(w, net, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run")
    sh(VMLAN, "up", "-q", "lab", *net.split(","), "ntp=on")
    try:
        o = json.loads(sh(VMLAN, "show", "--json", "lab").stdout)
        v4, v6 = (s["net"].rpartition("/")[0] for s in o["subnets"])
        for server in (v4.rpartition(".")[0] + ".2", v6 + "2"):
            assert is_good(ntpdig(server, run=lambda *a: sh(VMLAN, "exec", "lab", "--", *a)))
    finally:
        sh(VMLAN, "down", "-q", "lab")
    assert not pathlib.Path("/run/vmlan/lab").exists()
