# SPDX-License-Identifier: BSD-3-Clause
"""kill -9 of command, keeper and engine in the middle of `vmlan up` and `vmlan
down`, for the modes that change the host: after the next command the network
is up, whole, or the host is as it was. (`vmlan setup bridge`: test_setup.py.)

VMLAN_SEED=N tries the moments of that seed again.
"""
import collections
import difflib
import json
import os
import pathlib
import random
import re
import signal
import subprocess
import threading
import time

import pytest

import qemu
import world
from test_modes import Machine, kill_keeper, names, rundir, show, vmlan  # noqa: F401
from test_uplink import LAN_IP, br0, lan, meets, pings  # noqa: F401
from world import FULL, INET_IP, VMLAN, engine_of, is_dead, popen, settle, sh, wait_for

TIMES = 50 if FULL else 6
SEED = int(os.environ.get("VMLAN_SEED", random.randrange(1 << 32)))
VICTIMS = ("command", "keeper", "engine")
MODES = {
    "hostonly": ("hostonly",),
    "bridged-if": ("bridged", "if=lan0"),
    "bridged-bridge": ("bridged", "bridge=br0"),
    "natnet-kernel": ("natnet", "backend=kernel"),
}
# Of no kind, and no helper is of any use.
NO_RIGHTS = ("setpriv", "--inh-caps=-all", "--bounding-set=-all")
# Counters and clocks, which are nobody's to give back.
MOVES = ("_timer", "nf_conntrack_count", "topology_change", "nr_reserved")


def settings():
    """All of /proc/sys/net."""
    found = {}
    for folder, _, files in os.walk("/proc/sys/net"):
        for name in files:
            path = pathlib.Path(folder) / name
            if not name.endswith(MOVES):
                try:
                    found[str(path)] = path.read_text(errors="replace")
                except OSError:
                    pass  # to be written only
    return found


def stands(o):
    """What `ip -j` says, without what moves by itself."""
    if isinstance(o, dict):
        return {k: stands(v) for k, v in o.items() if not k.endswith(MOVES)}
    return [stands(v) for v in o] if isinstance(o, list) else o


def js(*args):
    return stands(world.js(*args))


def snapshot():
    """All that a command could have changed on the host."""
    settle()
    routes = js("-4", "route", "show", "table", "all") + js("-6", "route", "show", "table", "all")
    return {
        "links": js("-d", "link"),
        "addrs": js("addr"),
        "routes": sorted(json.dumps(r, sort_keys=True) for r in routes),
        "rules": js("rule"),
        "nft": sh("nft", "list", "ruleset").stdout,
        "settings": settings(),
    }


def same(a, b, when):
    for key in a:
        lines = (json.dumps(o[key], indent=1, sort_keys=True).splitlines() for o in (a, b))
        assert a[key] == b[key], "\n".join((f"{when}: {key}", *difflib.unified_diff(*lines, n=9)))


def links():
    return sorted(l["ifname"] for l in js("link"))


def processes():
    """Of ours, zombies not counted: pid to name."""
    found = {}
    for p in pathlib.Path("/proc").iterdir():
        try:
            if p.name.isdigit() and os.readlink(p / "exe") == VMLAN:
                found[int(p.name)] = (p / "comm").read_text().strip()
        except OSError:
            pass
    return found


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def strike(command, victim):
    """Kills it, if it is there; what it was, or "nobody"."""
    pid = command.pid if command.poll() is None else None
    if victim != "command":
        pid = next((p for p, comm in processes().items() if comm == "vmlan-keeper"), None)
    if victim == "engine" and pid:
        pid = engine_of(pid)
    if not pid:
        return "nobody"
    kill(pid)
    wait_for("its end", lambda: is_dead(pid))  # it closes interfaces first
    return victim


def killed(rnd, took, victim, *args):
    """A command of which somebody is killed at some moment."""
    p = popen(VMLAN, *args, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    moment = rnd.uniform(0, 1.1) * took
    time.sleep(moment)
    who = strike(p, victim)
    err = p.communicate(timeout=30)[1]
    return who, (" ".join(args), victim, who, moment, err)


def took(*args):
    begin = time.monotonic()
    vmlan(*args)
    return time.monotonic() - begin


@pytest.fixture(params=MODES)
def mode(request, w):
    request.getfixturevalue("br0" if request.param == "bridged-bridge" else "lan")
    up = ("up", "-q", "lab", *MODES[request.param])
    if request.param == "natnet-kernel":
        # A module of the kernel that is loaded for it has settings of its own.
        vmlan(*up)
        vmlan("down", "lab")
    return up


def look():
    """What the next command finds: the network is up, or gone, or (None) on
    its way to either."""
    nets = json.loads(vmlan("ls", "--json").stdout)
    if nets:
        return "up" if nets[0]["kept"] else None
    return None if processes() else "gone"


def found(victim, when):
    """Where the keeper was killed, all is over when the next command is; else it
    goes its way, and its process ends a little after the network."""
    state = look() if victim == "keeper" else wait_for(f"an end: {when}", look)
    assert state, (when, processes())
    return state


def kills(rnd, before, up, moment, *args):
    """Starts a command when the network is down, or up, and somebody is killed
    while it runs; then nothing is there, or the whole network."""
    seen = collections.Counter()
    whole = None
    for i in range(TIMES):
        victim = VICTIMS[i % 3]
        if args != up:
            vmlan(*up)
            whole = len(links())
        who, when = killed(rnd, moment, victim, *args)
        state = found(victim, when)
        seen[victim, who != "nobody", state] += 1
        if state == "up":
            assert whole in (None, len(links())), (when, links())
            # Its engine may have been killed behind the command's back.
            wait_for(f"that it serves: {when}", lambda: show("lab")["serving"])
            vmlan("down", "lab")
        same(before, snapshot(), when)
    print(seen)


@pytest.mark.long
def test_killed_in_up(mode):
    rnd = random.Random(SEED)
    print("VMLAN_SEED", SEED)
    before = snapshot()
    up = took(*mode)
    vmlan("down", "lab")
    kills(rnd, before, mode, up, *mode)
    # Nothing is in the way of the next.
    vmlan(*mode)
    vmlan("down", "lab")
    same(before, snapshot(), "down")


def test_an_engine_that_takes_its_time(w):
    """Whoever removes what a killed keeper left waits for its engine, which has
    the interface still."""
    before = snapshot()
    p = popen(VMLAN, "run", "-q", "--net", "hostonly:lab", "--", "sh", "-c",
              ": {socket}; exec sleep 100", start_new_session=True)
    wait_for("the network", lambda: names() == ["lab"])
    o = show("lab")
    os.kill(o["engine"], signal.SIGSTOP)
    kill(o["keeper"])
    os.killpg(p.pid, signal.SIGKILL)
    p.wait()
    wait_for("the keeper's end", lambda: is_dead(o["keeper"]))
    wakes = threading.Timer(0.5, os.kill, (o["engine"], signal.SIGCONT))
    wakes.start()
    assert names() == [] and not processes()
    wakes.join()
    same(before, snapshot(), "the end")


REACH = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 30)
s.sendall(b"hello\\n")
s.shutdown(socket.SHUT_WR)
print(s.makefile("rb").read().decode())
"""


@pytest.mark.qemu
@pytest.mark.parametrize("mode", list(MODES) if FULL else ["hostonly"], indirect=True)
def test_keeper_killed_under_a_real_machine(mode):
    """Linux in QEMU has its network again, though it was told nothing."""
    before = snapshot()
    ns = "lan" if mode[3] == "bridged" else None
    is_nat = mode[3] == "natnet"  # where nobody gets in but by a forward
    forward = ["-p", "2222:22"] if is_nat else []
    vm = qemu.Qemu(["--name", "real", *forward, "--net", ",".join((mode[3] + ":lab", *mode[4:]))],
                   qemu.words(port=22))
    try:
        ip = re.search(r"(192\.168|10\.0)\.\d+\.\d+", vm.until("lease"))[0]
        to = ("127.0.0.1", "2222") if is_nat else (ip, "22")
        vm.until("port")
        o = kill_keeper("lab")
        assert "has another one now" in vmlan("ls").stderr and is_dead(o["engine"])
        wait_for("it is on it", lambda: show("lab")["machines"][0]["connected"])
        assert show("lab")["machines"][0]["mac"] == o["machines"][0]["mac"]
        wait_for("traffic", lambda: sh("ping", "-c", "1", "-W", "1", to[0], ns=ns,
                                       check=False).returncode == 0)
        assert "in the guest" in sh("/usr/bin/python3", "-c", REACH, *to, ns=ns).stdout
        assert vm.rest() == 0
    finally:
        vm.close()
    assert names() == []
    same(before, snapshot(), "the end")


@pytest.mark.long
def test_killed_in_down(mode):
    rnd = random.Random(SEED)
    print("VMLAN_SEED", SEED)
    before = snapshot()
    vmlan(*mode)
    kills(rnd, before, mode, took("down", "lab"), "down", "lab")


def refused(code, *args, wrap=(), said=""):
    r = sh(*wrap, VMLAN, *args, check=False)
    err = r.stderr.splitlines()
    assert r.returncode == code, (args, r.returncode, r.stderr)
    assert len(err) == 1 and err[0].startswith("vmlan: error: ") and r.stdout == "", (args, r)
    assert said in err[0], err


def test_what_is_refused_changes_nothing(w, lan):
    """A missing bridge, an interface that is down, no permission, a name
    taken, a mode's word as a name, an overlapping subnet."""
    sh("ip", "link", "add", "down0", "type", "veth", "peer", "name", "down1")
    sh("ip", "link", "add", "brdown", "type", "bridge")
    vmlan("up", "-q", "taken", "internal")
    try:
        before = snapshot()
        for is_run in (False, True):
            def tries(code, mode, *options, wrap=(), said=""):
                args = ("up", "lab", mode, *options)
                if is_run:  # where a failure of its own is no VMM's
                    code = 125 if code == 1 else code
                    args = ("run", "--net", ",".join((f"{mode}:lab", *options)), "--", "sh",
                            "-c", "{socket}")
                refused(code, *args, wrap=wrap, said=said)

            tries(4, "bridged", "bridge=nosuch", said="no interface 'nosuch'")
            tries(4, "bridged", "if=nosuch", said="no interface 'nosuch'")
            tries(1, "bridged", "if=down0", said="down0 is down")
            tries(1, "bridged", "if=down0", "via=packet", said="down0 is down")
            tries(1, "bridged", "bridge=lan0", said="is no bridge")
            tries(6, "bridged", "if=lan0", wrap=NO_RIGHTS, said="lan0")
            tries(6, "hostonly", "ifname=h0", wrap=NO_RIGHTS, said="takes root")
            tries(5, "hostonly", "ifname=lan0", said="lan0 already")
            tries(5, "hostonly", "addr=192.0.2.99/24", said="192.0.2.0/24")
            tries(5, "natnet", "net=192.0.2.0/24", said="192.0.2.0/24")
            tries(5, "natnet", "backend=kernel", "net=192.0.2.0/24", said="192.0.2.0/24")
            tries(5, "natnet", "backend=kernel", "ifname=lan0", said="lan0 already")
            tries(6, "natnet", "backend=kernel", wrap=NO_RIGHTS, said="takes root")
            tries(2, "natnet", "net=192.0.2.0/33")
        refused(5, "up", "taken", "natnet", said="is internal, not natnet")
        refused(5, "run", "--net", "hostonly:taken", "--", "sh", "-c", "{socket}",
                said="is internal, not hostonly")
        for word in ("nat", "natnet", "bridged", "hostonly", "internal", "generic", "none"):
            refused(2, "up", word, "natnet", said=f"'{word}' is a mode")
            refused(2, "run", "--net", f"natnet:{word}", "--", "sh", "-c", "{socket}",
                    said=f"'{word}' is a mode")
        assert names() == ["taken"]
        same(before, snapshot(), "refusals")
    finally:
        vmlan("down", "taken")
        sh("ip", "link", "del", "down0")
        sh("ip", "link", "del", "brdown")


@pytest.mark.parametrize("lost", ["keeper", "both"])
def test_keeper_killed_under_machines(mode, w, lost):
    """The machines of a network that is a part of the host's get it back, and
    the host has nothing more and nothing less."""
    before = snapshot()
    options = ",".join((mode[3] + ":lab", *mode[4:]))
    join = ("--net", mode[3] + ":lab")
    mac = "52:54:00:00:00:0"
    with Machine(w, "a", "--net", options, mac=mac + "a") as a, \
            Machine(w, "b", *join, mac=mac + "b") as b:
        a.guest.dhcp()
        b.guest.dhcp()
        during = links()
        o = kill_keeper("lab")
        if lost == "both":
            kill(o["engine"])
        else:
            pings(a.guest, b.guest.ip)
        r = vmlan("ls", "--json")
        assert "has another one now" in r.stderr and len(r.stderr.splitlines()) == 1, r.stderr
        assert is_dead(o["engine"])
        wait_for("both on it", lambda: all(m["connected"] for m in show("lab")["machines"]))
        assert len(links()) == len(during)
        for x, ip in ((a, b.guest.ip), (b, a.guest.ip)):
            wait_for("traffic", lambda: x.guest.sh(
                "ping", "-c", "1", "-W", "1", ip, check=False).returncode == 0)
        with Machine(w, "c", *join, mac=mac + "c") as c:
            c.guest.dhcp()
            assert len({m.guest.ip for m in (a, b, c)}) == 3
            pings(c.guest, a.guest.ip)
            if mode[3] == "hostonly":
                pings(c.guest, "192.168.56.1")
                sh("ping", "-c", "1", "-W", "5", a.guest.ip)
            elif mode[3] == "natnet":
                pings(c.guest, INET_IP)
            else:
                pings(c.guest, LAN_IP)
                meets(None, a.guest.ip, ns="lan")
                pings(None, a.guest.ip, ns="lan")
    assert names() == []
    same(before, snapshot(), "the end")


