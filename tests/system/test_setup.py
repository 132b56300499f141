# SPDX-License-Identifier: BSD-3-Clause
"""vmlan setup bridge: a bridge takes an interface's place and gives it back;
nobody notices, and nothing stays, whatever is killed when.

        inet  192.0.2.1   ----veth----  up0  192.0.2.2   (host)
                                        br0  in its place
"""
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import time

import pytest

from world import FULL, HOST_IP, INET_IP, VMLAN, Vmlan, js, popen, settle, sh, wait_for

TIMES = 50 if FULL else 5
FOLDER = pathlib.Path("/run/vmlan")
SETTINGS = ("net.ipv4.ip_forward", "net.ipv4.conf.up0.rp_filter",
            "net.ipv4.conf.up0.forwarding", "net.ipv6.conf.up0.accept_ra",
            "net.ipv6.conf.up0.disable_ipv6")


def setup(*args, **kw):
    return sh(VMLAN, "setup", "bridge", *args, check=False, **kw)


def ok(r):
    assert r.returncode == 0 and "warning" not in r.stderr, (r.returncode, r.stdout, r.stderr)
    return r.stdout


def one_line(r, code):
    err = r.stderr.splitlines()
    assert r.returncode == code, (r.returncode, r.stdout, r.stderr)
    assert len(err) == 1 and err[0].startswith("vmlan: error: "), r.stderr
    assert r.stdout == ""
    return err[0]


def snapshot():
    """All that a command could have changed."""
    settle()
    links = js("-d", "link")
    for l in links:
        l.pop("linkinfo", None) if l["ifname"] == "up0" else None
    routes = js("-4", "route", "show", "table", "all") + js("-6", "route", "show", "table", "all")
    addrs = [(l["ifname"], l.get("addr_info")) for l in js("addr")]
    return {
        "links": links,
        "addrs": addrs,
        "routes": sorted(json.dumps(r, sort_keys=True) for r in routes),
        "nft": sh("nft", "list", "ruleset").stdout,
        "settings": [sh("sysctl", "-n", s, check=False).stdout for s in SETTINGS],
    }


def same(a, b):
    for key in a:
        assert a[key] == b[key], key


def addrs_of(ifname):
    return {a["local"] for l in js("addr") if l.get("ifname") == ifname
            for a in l.get("addr_info", []) if a["scope"] == "global"}


@pytest.fixture
def host(w):
    """up0 with more on it than an address and a default route."""
    sh("ip", "addr", "add", "fd00:2::2/64", "dev", "up0")
    sh("ip", "addr", "add", "192.0.2.22/24", "dev", "up0")
    sh("ip", "addr", "add", "198.51.100.2/25", "dev", "up0", "metric", "300")
    sh("ip", "addr", "add", "fd00:2::1/64", "dev", "eth0", "nodad", ns="inet")
    sh("ip", "route", "add", "default", "via", INET_IP, "metric", "900", "mtu", "1400")
    sh("ip", "route", "add", "10.9.0.0/16", "nexthop", "via", INET_IP, "nexthop", "via",
       "192.0.2.9", "weight", "3")
    sh("ip", "route", "add", "10.8.0.0/16", "via", INET_IP, "table", "100", "src", HOST_IP)
    sh("ip", "-6", "route", "add", "default", "via", "fd00:2::1", "metric", "512")
    sh("ip", "-6", "route", "add", "fd00:99::/64", "via", "fd00:2::1")
    settle()
    yield w
    setup("up0", "--undo")
    assert "br0" not in [l["ifname"] for l in js("link")]
    assert not list(FOLDER.glob("[!.]*"))


def is_bridged():
    """up0 is a port of br0, which has all that up0 had."""
    r = js("route", "get", "10.9.9.9")[0]
    return (js("link", "show", "up0")[0].get("master") == "br0" and not addrs_of("up0")
            and addrs_of("br0") == {HOST_IP, "192.0.2.22", "198.51.100.2", "fd00:2::2"}
            and r["dev"] == "br0")


def test_made_and_undone(host):
    before = snapshot()
    out = ok(setup("up0"))
    for word in ("br0", "192.0.2.2/24", "fd00:2::2/64", "default via 192.0.2.1 metric 900",
                 "default via fd00:2::1 metric 512", "10.9.0.0/16 via several",
                 "10.8.0.0/16 via 192.0.2.1 table 100", "allow br0", "--undo"):
        assert word in out, (word, out)
    assert is_bridged()
    during = snapshot()
    moved = [r.replace('"dev": "up0"', '"dev": "br0"') for r in before["routes"]
             if "fe80::" not in r and '"multicast"' not in r and '"local"' not in r]
    for r in moved:
        assert r in during["routes"] or "nexthops" in r, r
    links = {l["ifname"]: l for l in js("link")}
    assert links["br0"]["address"] == links["up0"]["address"]
    sh("ping", "-c", "1", "-W", "5", INET_IP)
    sh("ping", "-c", "1", "-W", "5", "-I", "br0", "fd00:2::1")
    sh("ping", "-c", "1", "-W", "5", HOST_IP, ns="inet")
    assert "br0" in one_line(setup("up0", "--name", "br1"), 5)
    # Its folder is no network.
    env = {k: v for k, v in os.environ.items() if k != "XDG_RUNTIME_DIR"}
    assert ok(sh(VMLAN, "ls", "--json", env=env)) == "[]\n" and is_bridged()
    ok(setup("up0", "--undo"))
    same(before, snapshot())
    sh("ping", "-c", "1", "-W", "5", INET_IP)
    assert "up0" in one_line(setup("up0", "--undo"), 4)


def test_bridge_that_somebody_took_away(host):
    before = snapshot()
    ok(setup("up0"))
    sh("ip", "link", "del", "br0")
    r = setup("up0")
    assert r.returncode == 5 and "up0 --undo" in r.stderr, r.stderr
    ok(setup("up0", "--undo"))
    same(before, snapshot())
    assert not list(FOLDER.glob("[!.]*"))


def test_dry_run_changes_nothing(host):
    before = snapshot()
    out = ok(setup("up0", "--dry-run", "--name", "lan0"))
    assert "bridge lan0" in out and "192.0.2.2/24" in out and "done" not in out
    # Whoever may not do it may ask what would be done.
    assert sh("unshare", "--user", VMLAN, "setup", "bridge", "up0", "--dry-run",
              "--name", "lan0").stdout == out
    same(before, snapshot())
    assert not list(FOLDER.glob("[!.]*"))


class Echo:
    """Lines to and fro over one connection, until it is closed."""

    def __init__(self, w, ns_of_server, address):
        w.python("line_echo.py", address, "7077", ns=ns_of_server, port=7077)
        self.code = ("import socket,sys,time\n"
                     f"s=socket.create_connection(('{address}', 7077))\n"
                     "s.settimeout(20); f=s.makefile('rw')\n"
                     "print('up', flush=True)\n"
                     "n=0\n"
                     "import select\n"
                     "while not select.select([0],[],[],0)[0]:\n"
                     "    f.write(f'line {n}\\n'); f.flush()\n"
                     "    assert f.readline() == f'line {n}\\n'\n"
                     "    n+=1\n"
                     "print(n)\n")

    def start(self, ns):
        self.p = popen("/usr/bin/python3", "-c", self.code, ns=ns, text=True,
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.p.stdout.readline() == "up\n"
        return self

    def finish(self):
        out, _ = self.p.communicate("\n", timeout=40)
        assert self.p.returncode == 0
        return int(out)


@pytest.mark.parametrize("server,client,address",
                         [("inet", None, INET_IP), (None, "inet", HOST_IP),
                          ("inet", None, "fd00:2::1")])
def test_connections_go_on(host, server, client, address):
    e = Echo(host, server, address).start(client)
    ok(setup("up0"))
    # Over the bridge, and not by an old way that still works.
    sent = int(pathlib.Path("/proc/self/net/dev").read_text().split("br0:")[1].split()[8])
    wait_for("traffic by the bridge", lambda: int(pathlib.Path(
        "/proc/self/net/dev").read_text().split("br0:")[1].split()[8]) > sent + 20)
    ok(setup("up0", "--undo"))
    assert e.finish() > 20


def test_a_machine_on_it(host):
    """What it is for: a guest's frames are on the LAN with their own address."""
    g = host.guest(mac="52:54:00:00:00:07")
    ok(setup("up0"))
    with Vmlan(["bridge,br=br0", g.netdev()]):
        g.static("192.0.2.7", INET_IP)
        assert sh("ping", "-c", "1", "-W", "5", "192.0.2.7", ns="inet")
        assert sh("ping", "-c", "1", "-W", "5", "192.0.2.7")
        assert g.sh("ping", "-c", "1", "-W", "5", HOST_IP)
        neigh = json.loads(sh("ip", "-j", "neigh", ns="inet").stdout)
        assert [n["lladdr"] for n in neigh if n["dst"] == "192.0.2.7"] == [g.mac]


def test_an_interface_that_is_down(host):
    sh("ip", "link", "add", "dn0", "type", "veth", "peer", "name", "dn1")
    try:
        out = ok(setup("dn0"))
        assert "set dn0 up" in out
        assert "UP" in js("link", "show", "dn0")[0]["flags"]
        ok(setup("dn0", "--undo"))
        assert "UP" not in js("link", "show", "dn0")[0]["flags"]
    finally:
        sh("ip", "link", "del", "dn0")


def test_a_step_that_fails_takes_all_back(host):
    """Who has a macvlan is plugged into nothing else: the kernel says so when
    half of it is done."""
    sh("ip", "link", "add", "mv0", "link", "up0", "type", "macvlan")
    try:
        before = snapshot()
        r = setup("up0")
        assert r.returncode == 5 and "up0 cannot be plugged in" in r.stderr, r.stderr
        same(before, snapshot())
        assert not list(FOLDER.glob("[!.]*"))
    finally:
        sh("ip", "link", "del", "mv0")


def test_what_others_changed_meanwhile_stays(host):
    ok(setup("up0"))
    sh("ip", "addr", "add", "192.0.2.33/24", "dev", "up0")
    sh("ip", "route", "add", "10.7.0.0/16", "via", INET_IP, "dev", "br0")
    sh("ip", "link", "set", "up0", "mtu", "1450")
    ok(setup("up0", "--undo"))
    assert addrs_of("up0") == {HOST_IP, "192.0.2.22", "192.0.2.33", "198.51.100.2", "fd00:2::2"}
    assert js("link", "show", "up0")[0]["mtu"] == 1450
    sh("ip", "addr", "del", "192.0.2.33/24", "dev", "up0")
    sh("ip", "link", "set", "up0", "mtu", "1500")


def test_a_bridge_that_somebody_removed(host):
    """The host gets its address back all the same."""
    ok(setup("up0"))
    sh("ip", "link", "del", "br0")
    assert not addrs_of("up0")
    ok(setup("up0", "--undo"))
    assert HOST_IP in addrs_of("up0")
    sh("ping", "-c", "1", "-W", "5", INET_IP)


def test_an_interface_that_was_unplugged(w):
    sh("ip", "link", "add", "un0", "type", "veth", "peer", "name", "un1")
    sh("ip", "addr", "add", "10.66.0.1/24", "dev", "un0")
    sh("ip", "link", "set", "un0", "up")
    ok(setup("un0"))
    sh("ip", "link", "del", "un0")
    ok(setup("un0", "--undo"))
    assert "br0" not in [l["ifname"] for l in js("link")]
    assert not list(FOLDER.glob("[!.]*"))


def next_command():
    r = setup("nosuch")
    assert r.returncode == 4 and len(r.stderr.splitlines()) == 1, r.stderr


def killed_at(seconds, *args):
    p = popen(VMLAN, "setup", "bridge", *args, stdout=subprocess.DEVNULL,
              stderr=subprocess.DEVNULL)
    time.sleep(seconds)
    p.kill()
    return p.wait()


def took(*args):
    begin = time.monotonic()
    ok(setup(*args))
    return time.monotonic() - begin


def how():
    """Where a kill has left things; with its addresses, at any moment."""
    assert addrs_of("up0") | addrs_of("br0") >= {HOST_IP, "fd00:2::2"}
    if is_bridged():
        return "bridge"
    return "between" if list(FOLDER.glob("*/journal")) else "nothing"


@pytest.mark.long
def test_killed_at_random(host):
    """kill -9 of setup and of --undo: after the next command all is as it was,
    or as it was asked to be."""
    rnd = random.Random(5)
    before = snapshot()
    make, undo = took("up0"), took("up0", "--undo")
    seen = collections.Counter()
    for i in range(TIMES):
        # What comes first is the program's start, and no news.
        killed_at(rnd.uniform(0.1, 0.8) * make, "up0")
        seen["setup", how()] += 1
        next_command()
        if not is_bridged():
            same(before, snapshot())
            ok(setup("up0"))
        killed_at(rnd.uniform(0.3, 1) * undo, "up0", "--undo")
        seen["undo", how()] += 1
        next_command()
        if is_bridged():
            ok(setup("up0", "--undo"))
        same(before, snapshot())
        assert not list(FOLDER.glob("[!.]*"))
    print(seen)


@pytest.mark.long
@pytest.mark.parametrize("call", ["sendto", "fdatasync", "ftruncate"])
@pytest.mark.parametrize("undo", [False, True])
def test_killed_at_each_step(host, call, undo):
    """The same, at the Nth message to the kernel or write to the journal, for
    each N; and asking for the end is then enough, not a failure."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    before = snapshot()
    seen = collections.Counter()
    env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
    words = ("up0", "--undo") if undo else ("up0",)
    for when in range(1, 200, 1 if FULL else 5):
        if undo:
            ok(setup("up0"))
        r = sh("strace", "-f", "-o", "/dev/null", "-e", f"trace={call}",
               "-e", f"inject={call}:signal=KILL:when={when}",
               VMLAN, "setup", "bridge", *words, check=False, env=env)
        if r.returncode == 0:
            break
        seen[how()] += 1
        if when % 2:
            next_command()
            assert is_bridged() or same(before, snapshot()) is None
        r = setup("up0", "--undo")
        assert r.returncode in (0, 4) and "warning" not in r.stderr, r.stderr
        same(before, snapshot())
    else:
        raise AssertionError("it was killed every time")
    print(call, undo, when, seen)
    assert seen["between"]


def test_signals_do_not_stop_it_half_way(host):
    rnd = random.Random(6)
    before = snapshot()
    make = took("up0")
    ok(setup("up0", "--undo"))
    for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        p = popen(VMLAN, "setup", "bridge", "up0", stdout=subprocess.DEVNULL)
        time.sleep(rnd.uniform(0.3, 1) * make)
        p.send_signal(sig)
        p.wait(20)
        if is_bridged():
            ok(setup("up0", "--undo"))
        same(before, snapshot())


def test_two_at_once(host):
    ps = [popen(VMLAN, "setup", "bridge", "up0", "--name", f"br{i}",
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for i in range(2)]
    errs = [p.communicate(timeout=30)[1] for p in ps]
    assert sorted(p.returncode for p in ps) == [0, 5], errs
    bridges = [l["ifname"] for l in js("link", "show", "type", "bridge")]
    assert len(bridges) == 1 and HOST_IP in addrs_of(bridges[0])
    ok(setup("up0", "--undo"))
    assert HOST_IP in addrs_of("up0")


def test_who_else_manages_it_is_said(host):
    index = js("link", "show", "up0")[0]["ifindex"]
    for folder, text, word in (
            ("/run/NetworkManager/devices", "[device]\nmanaged=full\n", "NetworkManager"),
            ("/run/systemd/netif/links", "ADMIN_STATE=configured\n", "systemd-networkd")):
        os.makedirs(folder, exist_ok=True)
        path = pathlib.Path(folder) / str(index)
        path.write_text(text)
        try:
            err = setup("up0", "--dry-run").stderr.splitlines()
            assert len(err) == 1 and word in err[0] and "up0" in err[0], err
            path.write_text(text.replace("full", "unmanaged").replace("configured", "unmanaged"))
            assert setup("up0", "--dry-run").stderr == ""
        finally:
            path.unlink()


def test_a_lease_is_kept_for_good(host):
    sh("ip", "addr", "change", f"{HOST_IP}/24", "dev", "up0", "valid_lft", "600",
       "preferred_lft", "500")
    r = setup("up0")
    assert r.returncode == 0 and "lent" in r.stderr and HOST_IP in r.stderr
    life = {a["local"]: a["valid_life_time"] for l in js("addr", "show", "dev", "br0")
            for a in l["addr_info"]}
    assert life[HOST_IP] == 0xffffffff
    ok(setup("up0", "--undo"))
    life = {a["local"]: a["valid_life_time"] for l in js("addr", "show", "dev", "up0")
            for a in l["addr_info"]}
    assert 500 < life[HOST_IP] <= 600


@pytest.mark.root  # a sysfs of one's own
def test_wifi_is_refused(host):
    index = js("link", "show", "up0")[0]["ifindex"]
    pathlib.Path("/run/uevent").write_text(f"DEVTYPE=wlan\nINTERFACE=up0\nIFINDEX={index}\n")
    r = sh("unshare", "--mount", "sh", "-c",
           "mount -t sysfs none /sys && "
           "mount --bind /run/uevent /sys/devices/virtual/net/up0/uevent && "
           f"exec {VMLAN} setup bridge up0", check=False)
    assert "bridged,if=up0" in one_line(r, 2)
    assert HOST_IP in addrs_of("up0")


def test_mistakes(host):
    before = snapshot()
    sh("ip", "link", "add", "brx", "type", "bridge")
    sh("ip", "link", "add", "px", "type", "veth", "peer", "name", "py")
    sh("ip", "link", "set", "px", "master", "brx")
    sh("ip", "tuntap", "add", "tunx", "mode", "tun")
    try:
        assert "nosuch" in one_line(setup("nosuch"), 4)
        assert "loopback" in one_line(setup("lo"), 2)
        assert "brx" in one_line(setup("px"), 5)
        assert "bridge already" in one_line(setup("brx"), 2)
        assert "Ethernet" in one_line(setup("tunx"), 2)
        assert "--name" in one_line(setup("up0", "--name", "brx"), 5)
        for name in ("", "a/b", "x" * 16, "br%d", ".", "a b"):
            one_line(setup("up0", "--name", name), 2)
        for args in ((), ("up0", "py"), ("--nosuch",), ("up0", "--name"), ("a/b",), ("",),
                     ("up0", "--undo", "--name", "br0"), ("up0", "--undo", "--dry-run")):
            one_line(setup(*args), 2)
        one_line(sh(VMLAN, "setup", check=False), 2)
        one_line(sh(VMLAN, "setup", "bond", check=False), 2)
        one_line(setup("py", "--undo"), 4)
        for args in (("up0",), ("up0", "--undo")):
            line = one_line(sh("unshare", "--user", VMLAN, "setup", "bridge", *args,
                               check=False), 6)
            assert "sudo vmlan setup bridge " + " ".join(args) in line
        assert ok(setup("--help")).startswith("usage")
        assert ok(sh(VMLAN, "setup", "--help")).startswith("usage")
    finally:
        for ifname in ("px", "brx", "tunx"):
            sh("ip", "link", "del", ifname)
    same(before, snapshot())
