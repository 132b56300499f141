# SPDX-License-Identifier: BSD-3-Clause
"""Leases that outlive engine, keeper and network; the list of them; a file of
leases that somebody spoilt.

        250 cables  :  natnet, 10.8.0.0/22; a ULA
"""
import json
import os
import random
import signal
import subprocess

import pytest

import dhcp_raw
from dhcp_raw import Raw, lease_all, renew_all
from test_modes import RUNDIR, rundir, vmlan  # noqa: F401
from world import VMLAN, engine_of, sh, wait_for

N = 250
NET = "net=10.8.0.0/22,dhcpstart=10.8.0.10".split(",")


def control(name="lab"):
    return RUNDIR / "vmlan" / name / "control"


def keeper():
    """Its pid; None while one that was killed is not yet gone."""
    r = sh(VMLAN, "show", "--json", "lab", check=False)
    return json.loads(r.stdout)["keeper"] if r.returncode == 0 else None


def leases(*args):
    return json.loads(vmlan("leases", "--json", *args).stdout)


def by_address(*args):
    return {l["address"]: l for l in leases(*args)}


def machines(n):
    return [Raw(i, f"m{i}") for i in range(n)]


def plug_all(ms):
    for m in ms:
        m.attach(control(), knows_mac=m.mac[5] % 2 == 0)
    for m in ms:
        m.plug()


def unplug_all(ms):
    for m in ms:
        m.unplug()
        dhcp_raw.ask(control(), "DELETE", f"/v1/machines/{m.name}")


def down():
    vmlan("down", "lab")
    wait_for("its end", lambda: not control().exists())


def check_unchanged(ms, had):
    for m in ms:
        assert (m.ip4, m.ip6) == had[m.name], m.name
        assert not m.nak
    assert len({m.ip4 for m in ms}) == len({m.ip6 for m in ms}) == len(ms)


def kill_engine():
    old = engine_of(keeper())
    os.kill(old, signal.SIGKILL)
    wait_for("another engine", lambda: engine_of(keeper()) not in (None, old), 20)
    wait_for("it to serve", lambda: json.loads(vmlan("show", "--json", "lab").stdout)["serving"], 20)


def test_nobody_changes_address(w, state):
    """In a restart of the engine, of the keeper, of the network."""
    vmlan("up", "lab", "natnet", *NET)
    ms = machines(N)
    plug_all(ms)
    lease_all(ms)
    assert len({m.ip4 for m in ms}) == len({m.ip6 for m in ms}) == N
    got = by_address("lab")
    for m in ms:
        for ip in (m.ip4, m.ip6):
            assert got[ip]["name"] == m.name and got[ip]["state"] == "bound"
            assert got[ip]["mac"] == m.mac_text()

    kill_engine()
    for m in ms:
        m.plug()
    check_unchanged(ms, renew_all(ms))

    # A keeper that is killed; the next command gives the network another one.
    pid = keeper()
    os.kill(pid, signal.SIGKILL)
    wait_for("another keeper", lambda: keeper() not in (None, pid), 20)
    wait_for("it to serve", lambda: json.loads(vmlan("show", "--json", "lab").stdout)["serving"], 20)
    for m in ms:
        m.plug()
    check_unchanged(ms, renew_all(ms))

    # Down and up, and they come back in another order.
    unplug_all(ms)
    down()
    vmlan("up", "lab", "natnet", *NET)
    random.Random(7).shuffle(ms)
    strangers = [Raw(1000 + i, f"new{i}") for i in range(6)]
    plug_all(strangers + ms)
    lease_all(strangers)
    check_unchanged(ms, renew_all(ms))
    assert not {m.ip4 for m in ms} & {s.ip4 for s in strangers}
    unplug_all(strangers + ms)
    down()


def test_a_spoilt_file(w, state):
    """What is torn, foreign or another's costs what cannot be read and no more."""
    vmlan("up", "lab", "natnet", *NET)
    ms = machines(3)
    plug_all(ms)
    lease_all(ms, families=(4,))
    unplug_all(ms)
    down()
    path = state / "vmlan" / "leases" / "lab"
    good = path.read_bytes()
    lines = [l for l in good.splitlines(True) if b" bound " in l]
    assert len(lines) == 3 and path.stat().st_mode & 0o777 == 0o600
    # the second is changed by hand, the last cut by a kill, bytes of anything
    path.write_bytes(lines[0] + lines[1].replace(b"bound", b"ended") + b"\0\xff" * 300 + b"\n" +
                     lines[2][:40])
    vmlan("up", "lab", "natnet", *NET)
    assert [l["address"] for l in leases("lab")] == [ms[0].ip4]
    log = (RUNDIR / "vmlan" / "lab" / "log").read_text()
    assert len([l for l in log.splitlines() if str(path) in l]) == 1, log
    assert path.read_bytes() == b"vmlan leases 1\n" + lines[0]
    down()
    # no file, but a pipe that would have one wait, or a link to another's file
    for make in (lambda: os.mkfifo(path), lambda: path.symlink_to("/etc/hostname")):
        path.unlink()
        make()
        vmlan("up", "lab", "natnet", *NET)
        one = machines(1)
        plug_all(one)
        lease_all(one, families=(4,))
        unplug_all(one)
        down()


def test_who_was_not_plugged_in(w, state):
    """A program that cannot be a machine takes nobody's lease away."""
    vmlan("up", "lab", "natnet", *NET)
    ms = machines(1)
    plug_all(ms)
    lease_all(ms, families=(4,))
    gone = subprocess.Popen(["true"])
    gone.wait()
    with pytest.raises(AssertionError):
        dhcp_raw.ask(control(), "POST", "/v1/machines", {
            "name": "x", "netns": gone.pid, "mac": ms[0].mac_text(), "pid": gone.pid})
    assert by_address("lab")[ms[0].ip4]["state"] == "bound"
    unplug_all(ms)
    down()


def test_list_in_words(w, state):
    vmlan("up", "lab", "natnet", *NET, "reserve=52:54:00:01:00:00/10.8.1.77/zoe", "lease=infinite")
    ms = machines(2)
    plug_all(ms)
    lease_all(ms, families=(4,))
    assert ms[0].ip4 == "10.8.1.77" and ms[0].opts[12] == b"zoe"
    rows = [l.split() for l in vmlan("leases", "lab").stdout.splitlines()]
    assert rows[0][:2] == ["NETWORK", "ADDRESS"] and len(rows) == 3
    assert ["lab", "10.8.1.77", "52:54:00:01:00:00", "zoe", "bound", "never"] in [
        r[:6] for r in rows]
    assert [l["address"] for l in leases("lab/m0")] == ["10.8.1.77"]
    assert {l["address"] for l in leases()} == {m.ip4 for m in ms}
    assert vmlan("leases", "nosuch", code=4).stdout == ""
    ms[0].say4(7, ciaddr="10.8.1.77", server=None)
    wait_for("its end", lambda: by_address("lab")["10.8.1.77"]["state"] == "ended")
    unplug_all(ms)
    down()
