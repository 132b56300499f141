# SPDX-License-Identifier: BSD-3-Clause
"""vmlan doctor: what it says is missing is missing, and the command it names
mends it."""
import json
import os
import pathlib
import re
import shutil

import pytest

from world import VMLAN, is_settled, sh, wait_for

MODES = ["none", "nat", "natnet", "bridged", "hostonly", "internal", "generic"]
SHIM = pathlib.Path("/run/shim")


@pytest.fixture(autouse=True)
def sudo(monkeypatch):
    """The commands begin with sudo, which root's shell here has no need of."""
    SHIM.mkdir(exist_ok=True)
    path = SHIM / "sudo"
    path.write_text("#!/bin/sh\nexec \"$@\"\n")
    path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{SHIM}:{os.environ['PATH']}")


def is_host_root():
    return pathlib.Path("/proc/self/uid_map").read_text().split()[2] == "4294967295"


def answer(r):
    """What it printed, by probe and by (mode, way)."""
    assert r.returncode in (0, 1) and r.stderr == "", r.stderr
    all_ = json.loads(r.stdout)
    assert [m["mode"] for m in all_["modes"]] == MODES
    probes = {p["name"]: p for p in all_["probes"]}
    ways = {(m["mode"], w["way"]): w for m in all_["modes"] for w in m["ways"]}
    for p in probes.values():
        assert bool(p["what"]) == (p["ok"] is not True), p
        assert bool(p["fix"]) == (p["ok"] is False), p
    for w in ways.values():
        assert w["ok"] == (w["built"] and not w["missing"]), w
        assert all(probes[name]["ok"] is False for name in w["missing"] + w["without"]), w
    assert all_["ok"] == (r.returncode == 0) == ways["nat", "user"]["ok"]
    return probes, ways


def doctor(*wrap, **kw):
    return answer(sh(*wrap, VMLAN, "doctor", "--json", check=False, **kw))


def in_shell(before, fix=None, wrap=()):
    """After these commands of a shell, and then after the fix as well."""
    text = f"{before}; {VMLAN} doctor --json"
    probes, ways = answer(sh(*wrap, "sh", "-c", text, check=False))
    if not fix:
        return probes, ways
    command = probes[fix]["fix"]
    assert probes[fix]["ok"] is False and command, probes[fix]
    text = f"{before}; {{ {command}; }} >/dev/null && {VMLAN} doctor --json"
    after, _ = answer(sh(*wrap, "sh", "-c", text, check=False))
    assert after[fix]["ok"] is True, (command, after[fix])
    return probes, ways


def test_a_host_that_can_all(w):
    probes, ways = doctor()
    for name in ("rundir", "start", "ping", "namespaces", "tun", "root", "raw", "bridge", "nft"):
        assert probes[name]["ok"] is True, probes[name]
    # Their devices are in no namespace.
    assert probes["macvtap"]["ok"] is is_host_root()
    for way in (("none", "no cable"), ("nat", "user"), ("natnet", "backend=kernel"),
                ("hostonly", "vmlan exec"), ("internal", "no way out"),
                ("bridged", "if=, by packet socket"), ("generic", "netns")):
        way = ways[way]
        assert way["ok"] == way["built"] and not way["missing"] + way["without"], way
    for mode in MODES:
        assert any(w["ok"] for (m, _), w in ways.items() if m == mode)


def test_nothing_is_changed(w):
    def state():
        return [sh("ip", "-j", "-d", "addr").stdout, sh("nft", "list", "ruleset").stdout,
                sh("ip", "-j", "route", "show", "table", "all").stdout]

    wait_for("a host at rest", lambda: is_settled() and state() == state())
    before = state()
    doctor()
    assert state() == before
    assert not list(pathlib.Path("/run").glob("vmlan/*"))


def test_text(w):
    r = sh("unshare", "--net", VMLAN, "doctor")
    for mode in MODES:
        assert [l for l in r.stdout.splitlines() if l.startswith(mode + " ")], mode
    nat = [l for l in r.stdout.splitlines() if l.startswith("nat ")][0]
    assert "ok, but without: ping" in nat
    assert "$ sudo sysctl -w net.ipv4.ping_group_range=" in r.stdout and r.stderr == ""


def test_ping(w):
    """Less is not nothing.  A namespace begins with pings for nobody, and
    only the host's root can let all groups in."""
    _, ways = in_shell("ip link set lo up", "ping" if is_host_root() else None,
                       ("unshare", "--net"))
    assert ways["nat", "user"]["ok"] and ways["nat", "user"]["without"] == ["ping"]


def test_descriptors(w):
    _, ways = in_shell("prlimit --pid $$ --nofile=100:100")
    assert ways["nat", "user"]["without"] == ["descriptors"]
    # To raise a limit takes CAP_SYS_RESOURCE of the host.
    caps = int(re.search("CapEff:\\s*(.*)", pathlib.Path("/proc/self/status").read_text())[1], 16)
    if caps >> 24 & 1 and is_host_root():
        in_shell("prlimit --pid $$ --nofile=100:100", "descriptors")


def test_rundir(w):
    """Without it, nothing works, and the exit status says so."""
    r = sh(VMLAN, "doctor", "--json", env=dict(os.environ, XDG_RUNTIME_DIR="/run/nosuch"),
           check=False)
    assert r.returncode == 1
    _, ways = in_shell("export XDG_RUNTIME_DIR=/run/nosuch TMPDIR=/run", "rundir")
    assert ways["nat", "user"]["missing"] == ["rundir"] and ways["none", "no cable"]["ok"]


def test_no_bridge(w):
    probes, ways = doctor()
    assert probes["lan-bridge"]["fix"] == "sudo vmlan setup bridge up0"
    assert ways["bridged", "bridge=, as root"]["missing"] == ["lan-bridge"]
    sh(VMLAN, "setup", "bridge", "up0")
    try:
        probes, ways = doctor()
        assert probes["lan-bridge"]["ok"]
        assert not ways["bridged", "bridge=, as root"]["missing"]
    finally:
        sh(VMLAN, "setup", "bridge", "up0", "--undo")


def test_a_bridge_of_ours_is_no_place(w):
    """Nobody is told to let users onto the bridge of a natnet."""
    sh(VMLAN, "up", "-q", "lab", "natnet", "backend=kernel")
    try:
        probes, ways = doctor()
    finally:
        sh(VMLAN, "down", "lab")
    assert probes["lan-bridge"]["fix"] == "sudo vmlan setup bridge up0"
    assert "vm-lab" not in probes["acl"]["what"] + probes["acl"]["fix"]
    assert ways["natnet", "backend=kernel"]["ok"]


@pytest.mark.root  # a sysfs of one's own
def test_wifi(w):
    """It is in no bridge, and setup bridge would say so."""
    index = json.loads(sh("ip", "-j", "link", "show", "up0").stdout)[0]["ifindex"]
    pathlib.Path("/run/uevent").write_text(f"DEVTYPE=wlan\nINTERFACE=up0\nIFINDEX={index}\n")
    probes, _ = in_shell("mount -t sysfs none /sys; "
                         "mount --bind /run/uevent /sys/devices/virtual/net/up0/uevent",
                         wrap=("unshare", "--mount"))
    assert probes["lan-bridge"]["fix"] == "sudo vmlan run --net bridged,if=up0 -- ..."


# An /etc of our own.
OWN_ETC = ("unshare", "--mount")
EMPTY_ETC = "mount -t tmpfs none /etc"


def test_acl(w):
    sh("ip", "link", "add", "brd0", "type", "bridge")
    try:
        probes, ways = in_shell(EMPTY_ETC, "acl", OWN_ETC)
        assert "allow brd0" in probes["acl"]["fix"]
        assert "acl" in ways["bridged", "bridge=, by QEMU's helper"]["missing"]
        assert not ways["bridged", "bridge=, as root"]["missing"]
        deny = f"{EMPTY_ETC}; mkdir /etc/qemu; printf '%s' >/etc/qemu/bridge.conf"
        for text, ok in (("allow all\\n", True), ("allow other\\n", False),
                         ("allow all\\ndeny brd0\\n", False)):
            probes, _ = in_shell(deny.replace("%s", text), wrap=OWN_ETC)
            assert probes["acl"]["ok"] is ok, text
    finally:
        sh("ip", "link", "del", "brd0")


def test_no_tun(w):
    probes, ways = in_shell("mount -t tmpfs none /dev/net", wrap=("unshare", "--mount"))
    assert probes["tun"]["ok"] is False and "modprobe tun" in probes["tun"]["fix"]
    assert ways["nat", "user"]["ok"] and "tun" in ways["generic", "tap"]["missing"]
    # the helper opens it as the user
    assert "tun" in ways["bridged", "bridge=, by QEMU's helper"]["missing"]


def test_no_user_namespaces(w):
    """Those of a namespace of our own are limited, not the host's."""
    own = ("unshare", "--user", "--map-root-user")
    probes, ways = in_shell("echo 0 >/proc/sys/user/max_user_namespaces", "namespaces", own)
    assert probes["namespaces"]["fix"].endswith("user.max_user_namespaces=10000")
    assert ways["nat", "user"]["ok"] and "namespaces" in ways["nat", "user"]["without"]
    # root does without, and nobody else
    assert ways["hostonly", "vmlan exec"]["ok"]
    _, ways = in_shell("echo 0 >/proc/sys/user/max_user_namespaces; exec setpriv "
                       f"--bounding-set=-all --inh-caps=-all {VMLAN} doctor --json", wrap=own)
    assert "own-network" in ways["hostonly", "vmlan exec"]["missing"]


def test_no_nft(w):
    """Neither in PATH nor where root's programs are."""
    nft = os.path.realpath(shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin"))
    probes, ways = in_shell(f"mount -t tmpfs none {os.path.dirname(nft)}; "
                            "export PATH=/usr/bin:/bin", wrap=("unshare", "--mount"))
    assert probes["nft"]["fix"] == "sudo apt install nftables"
    assert ways["natnet", "backend=kernel"]["missing"] == ["nft"]
    assert "without nft" in probes["firewall"]["what"]


def test_nobody_in_particular(w):
    """Who may do nothing still has nat, and is told what root could do."""
    env = dict(os.environ, XDG_RUNTIME_DIR="/run/nobody")
    pathlib.Path("/run/nobody").mkdir(exist_ok=True)
    probes, ways = doctor("unshare", "--user", env=env)
    assert ways["nat", "user"]["ok"]
    for name in ("root", "raw"):
        assert probes[name]["ok"] is False and "sudo" in probes[name]["fix"]
    for way in (("natnet", "backend=kernel"), ("bridged", "if=, by macvtap"),
                ("hostonly", "a host interface")):
        assert "root" in ways[way]["missing"]
    assert "raw" in ways["bridged", "if=, by packet socket"]["missing"]
    if os.path.exists("/usr/lib/qemu/qemu-bridge-helper"):
        assert "user namespace" in probes["helper"]["what"]


def test_helper(w):
    """For root it needs nothing; for others, to be setuid root."""
    if not os.path.exists("/usr/lib/qemu/qemu-bridge-helper"):
        pytest.skip("QEMU's bridge helper is not installed")
    assert doctor()[0]["helper"]["ok"]
    if not is_host_root():
        return  # there is nobody else in this namespace
    path = "/usr/lib/qemu/qemu-bridge-helper"
    other = "setpriv --reuid=65534 --regid=65534 --clear-groups"
    place = (f"cp {path} /run/h; mount --bind /run/h {path}; install -d -o 65534 /run/other; "
             "export XDG_RUNTIME_DIR=/run/other")
    for mode, ok in (("0755", False), ("4755", True)):
        r = sh("unshare", "--mount", "sh", "-c",
               f"{place}; chmod {mode} /run/h; {other} {VMLAN} doctor --json", check=False)
        probes, _ = answer(r)
        assert probes["helper"]["ok"] is ok, probes["helper"]
        assert ok or probes["helper"]["fix"] == f"sudo chmod u+s {path}"


def test_mistakes():
    for args in (["--nosuch"], ["nat"], ["--json", "x"]):
        r = sh(VMLAN, "doctor", *args, check=False)
        assert r.returncode == 2 and r.stdout == "" and len(r.stderr.splitlines()) == 1
    assert sh(VMLAN, "doctor", "--help").stdout.startswith("usage")
