# SPDX-License-Identifier: BSD-3-Clause
"""vmlan matrix: its table is the design's, a row that is broken is found, and
nothing of it stays."""
import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

import qemu
from world import FULL, VMLAN, popen, sh, wait_for

QUESTIONS = ["vm-lan", "lan-vm", "vm-vm", "internet", "host-vm", "forward"]
# VM sees LAN, LAN sees VM, VMs see each other, internet, host reaches VM, and
# by a forward: the table of doc/architecture.md.
DESIGN = [
    ("none", "", "nnnnn-"),
    ("nat", "", "ynnyny"),
    ("natnet", "", "ynyyny"),
    ("natnet", "backend=kernel", "ynyyny"),
    ("bridged", "bridge=br0", "yyyyy-"),
    ("bridged", "if=lan0", "yyyyy-"),
    ("bridged", "if=lan0,via=packet", "yyyyy-"),
    ("hostonly", "", "nnyny-"),
    ("internal", "", "nnynn-"),
    ("generic", "netdev=netns,,pid=PID,,ifname=plug0", "yyynn-"),
]


def design(*words):
    """(mode, options, family, cells) of the modes named, or of all."""
    for mode, options, cells_ in DESIGN:
        if not words or mode in words:
            for family in ("ipv4", "ipv6"):
                yield mode, options, family, cells_


def told(all_, key="found"):
    return [(r["mode"], r["options"], r["family"], cells(r, key)) for r in all_]


GUESTS = ("--guests", "qemu", "--kernel", str(qemu.IMAGE / "vmlinuz"),
          "--modules", str(qemu.IMAGE / "modules"))


def matrix(*args, code=0, **env):
    r = sh(VMLAN, "matrix", *args, check=False, timeout=900, env=dict(os.environ, **env))
    assert r.returncode == code, (args, r.returncode, r.stdout, r.stderr)
    assert r.stderr == "" or r.stdout == "", r.stderr
    return r


def rows(*args, code=0, **env):
    all_ = json.loads(matrix("--json", *args, code=code, **env).stdout)
    assert all_["ok"] is (code == 0)
    for row in all_["rows"]:
        assert row["built"], row
    return all_["rows"]


def cells(row, key="found"):
    assert [c["question"] for c in row["cells"]] == QUESTIONS
    return "".join(c[key] for c in row["cells"])


def probes(row, question):
    """(from, to, protocol): what was found."""
    cell = row["cells"][QUESTIONS.index(question)]
    return {(p["from"], p["to"], q["protocol"]): q["found"]
            for p in cell["pairs"] for q in p["probes"]}


def host():
    """What a careless command would leave on the host."""
    seen = [sh(*c.split()).stdout for c in (
        "ip -o link", "ip -o addr", "ip route show table all", "nft list ruleset")]
    seen += [pathlib.Path(p).read_text() for p in (
        "/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv4/ping_group_range",
        "/proc/self/mounts")]
    # (the folder of mount(8) is that of this file's mounts)
    return seen, sorted(str(p) for p in pathlib.Path("/run").rglob("*")
                        if "/run/mount" not in str(p))


def is_alive(pid):
    try:
        return not re.search(r"^State:\s*Z", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)
    except OSError:
        return False


def processes():
    """All that have not ended (nobody here reaps orphans)."""
    return {p.name for p in pathlib.Path("/proc").iterdir() if p.name.isdigit() and
            is_alive(p.name)}


def has_machine(pids, word):
    for pid in processes() - pids:
        try:
            if word in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes():
                return True
        except OSError:
            pass  # it has ended
    return False


@pytest.mark.takes("ping")
def test_is_the_design():
    before = host()
    found = rows()
    assert told(found) == told(found, "expected") == list(design())
    by = {(r["mode"], r["options"]): r for r in found if r["family"] == "ipv4"}
    by6 = {(r["mode"], r["options"]): r for r in found if r["family"] == "ipv6"}
    # each way of asking, in both directions
    assert probes(by["natnet", ""], "vm-vm") == {
        (f, t, p): "y" for f, t in (("a", "b"), ("b", "a")) for p in ("arp", "ping", "tcp", "udp")}
    assert probes(by["nat", ""], "vm-vm") == {
        (f, t, p): "n" for f, t in (("a", "b"), ("b", "a")) for p in ("arp", "ping", "tcp", "udp")}
    # no ARP where a router is between
    assert probes(by["nat", ""], "internet") == {
        (f, "inet", p): "y" for f in "ab" for p in ("ping", "tcp", "udp")}
    assert probes(by["nat", ""], "forward") == {("host", "a", p): "y" for p in ("tcp", "udp")}
    # neighbours of IPv6 are solicited
    assert probes(by6["natnet", ""], "vm-vm") == {
        (f, t, p): "y" for f, t in (("a", "b"), ("b", "a")) for p in ("nd", "ping", "tcp", "udp")}
    assert probes(by6["nat", ""], "internet") == {
        (f, "inet", p): "y" for f in "ab" for p in ("ping", "tcp", "udp")}
    assert probes(by6["nat", ""], "forward") == {("host", "a", p): "y" for p in ("tcp", "udp")}
    assert probes(by["bridged", "bridge=br0"], "lan-vm") == {
        ("lan", t, p): "y" for t in "ab" for p in ("arp", "ping", "tcp", "udp")}
    assert probes(by["bridged", "if=lan0"], "host-vm") == {
        ("host", t, p): "y" for t in "ab" for p in ("ping", "tcp", "udp")}
    ways = {k: r["way"] for k, r in by.items()}
    assert ways["none", ""] == "none" and ways["nat", ""] == ways["internal", ""] == "user"
    assert ways["bridged", "bridge=br0"] == ways["hostonly", ""] == "kernel"
    assert ways["natnet", "backend=kernel"] == "kernel"
    # a router asks its machines for their MACs
    assert probes(by["natnet", "backend=kernel"], "host-vm") == {
        ("host", t, p): "n" for t in "ab" for p in ("ping", "tcp", "udp")}
    assert by["bridged", "bridge=br0"]["netdevs"] == "bridge,br=br0"
    assert host() == before


@pytest.mark.takes("ping")
def test_table():
    """What a person sees; who names modes gets these only."""
    r = matrix("natnet", "internal", "-v")
    width = len("natnet backend=kernel") + 1
    lines = r.stdout.splitlines()
    assert lines[1].split() == ["MODE", "LAN", "sees", "VM", "other", "internet", "to", "VM",
                                "forward", "time"]
    assert lines[2].split()[:7] == ["natnet", *"ynyyny"]
    assert lines[3].split()[:8] == ["over", "IPv6", *"ynyyny"]
    assert lines[4].split()[:8] == ["natnet", "backend=kernel", *"ynyyny"]
    assert lines[5].split()[:8] == ["over", "IPv6", *"ynyyny"]
    assert lines[6].split()[:7] == ["internal", *"nnynn-"]
    assert lines[7].split()[:8] == ["over", "IPv6", *"nnynn-"]
    assert lines[1].index("LAN") == width and lines[4][width] == "y"
    assert lines[10].split()[:2] == ["natnet", "user"]
    assert lines[10].split()[2].startswith("user,net=10.0.2.0/24,ipv6-net=fd")
    assert lines[11].split()[:3] == ["natnet", "backend=kernel", "kernel"]
    assert lines[11].split()[3].startswith("router,br=vm-lab,addr=10.0.2.2/24,addr=fd")
    assert lines[12].split() == ["internal", "user"]
    assert lines[-1] == "All is as it should be."


def test_finds_what_is_broken():
    """Machines without their router: the cells are named, both values shown."""
    found = rows("natnet", code=1, VMLAN_MATRIX_BREAK="gateway")
    assert [r["family"] for r in found] == ["ipv4", "ipv6"] * 2
    for row in found:
        assert cells(row) == "nnynny" and cells(row, "expected") == "ynyyny"
        assert [c["question"] for c in row["cells"] if not c["ok"]] == ["vm-lan", "internet"]
        assert set(probes(row, "internet").values()) == {"n"}
    out = matrix("natnet", code=1, VMLAN_MATRIX_BREAK="gateway").stdout
    assert "natnet                n (y!)   n        y        n (y!)   n        y " in out
    assert "natnet: a to inet (203.0.113.80): arp - ping n tcp n udp n\n" in out
    assert "  over IPv6           n (y!)   n        y        n (y!)   n        y " in out
    assert "natnet, IPv6: a to inet (2001:db8:2::50): nd - ping n tcp n udp n\n" in out
    assert out.endswith("This is not as it should be.\n")


@pytest.mark.qemu
@pytest.mark.takes("ping")
def test_guests_of_qemu():
    """The same table by real guests; all of it in the long run."""
    before, pids = host(), processes()
    words = [] if FULL else ["nat", "hostonly"]
    all_ = json.loads(matrix("--json", *GUESTS, *words).stdout)
    assert all_["guests"] == "qemu"
    assert told(all_["rows"]) == list(design(*words))
    by = {(r["mode"], r["options"]): r for r in all_["rows"] if r["family"] == "ipv4"}
    # guests ask by each way, and are asked
    both = {(f, t, p) for f, t in (("a", "b"), ("b", "a")) for p in ("arp", "ping", "tcp", "udp")}
    assert probes(by["hostonly", ""], "vm-vm") == {k: "y" for k in both}
    assert probes(by["nat", ""], "vm-vm") == {k: "n" for k in both}
    assert probes(by["nat", ""], "forward") == {("host", "a", p): "y" for p in ("tcp", "udp")}
    assert host() == before and processes() <= pids


@pytest.mark.qemu
def test_guests_of_qemu_find_what_is_broken():
    found = rows(*GUESTS, "nat", code=1, VMLAN_MATRIX_BREAK="gateway")
    assert [r["family"] for r in found] == ["ipv4", "ipv6"]
    for row in found:
        assert cells(row) == "nnnnny" and cells(row, "expected") == "ynnyny"
        assert set(probes(row, "internet").values()) == {"n"}


@pytest.mark.qemu
def test_guests_of_qemu_lack_something(tmp_path):
    """One line, and what to do."""
    def fails(*args, code=1, **env):
        r = matrix(*args, "nat", code=code, **env)
        assert r.stdout == "" and len(r.stderr.splitlines()) == 1, r
        return r.stderr

    assert fails(*GUESTS[:2], "--kernel", "/dev/null") == \
        "vmlan: error: matrix: --kernel /dev/null: that is no kernel for x86-64\n"
    assert "/nosuch: No such file" in fails(*GUESTS[:2], "--kernel", "/nosuch")
    assert "modules.dep: No such file" in fails(*GUESTS[:4], "--modules", str(tmp_path))
    assert "is QEMU installed?" in fails(*GUESTS, PATH=str(tmp_path))
    assert "--kernel is for --guests qemu" in fails(*GUESTS[2:], code=2)
    assert "--guests wifi: wants" in fails("--guests", "wifi", code=2)
    # a kernel that does not know the card: said of the row
    (tmp_path / "modules.dep").write_text("")
    r = matrix(*GUESTS[:4], "--modules", str(tmp_path), "nat", code=1)
    assert re.search(r"^nat +cannot be built: machine a: there is no card; .*--modules",
                     r.stdout, re.M), r.stdout


@pytest.mark.parametrize("signo, args, machine", [
    (signal.SIGTERM, (), b"stream,addr.type"),
    (signal.SIGINT, (), b"stream,addr.type"),
    (signal.SIGKILL, (), b"stream,addr.type"),
    (signal.SIGKILL, GUESTS, b"rdinit="),
])
def test_nothing_stays(signo, args, machine):
    """Ended in the middle, by whatever signal."""
    before, pids = host(), processes()
    p = popen(VMLAN, "matrix", *args, stdout=subprocess.DEVNULL)
    wait_for("its machines", lambda: has_machine(pids, machine), 120)
    p.send_signal(signo)
    assert p.wait(20) == -signo
    wait_for("all to be gone", lambda: processes() <= pids)
    assert host() == before


def test_bad_words():
    for args in (["wifi"], ["nat", "--nosuch"], ["--json", "x"]):
        r = matrix(*args, code=2)
        assert r.stdout == "" and len(r.stderr.splitlines()) == 1
        assert r.stderr.startswith("vmlan: error: matrix: ")
    assert matrix("--help").stdout.startswith("usage: vmlan matrix ")


# Another user, without a namespace of his own yet; $1 is the mode of /dev/net/tun
# that he finds.
AS_USER = ["unshare", "--mount", "sh", "-c",
           "mount -t tmpfs none /mnt && mknod -m $1 /mnt/tun c 10 200 && "
           "mount --bind /mnt/tun /dev/net/tun && shift && "
           "exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"", "sh"]


@pytest.mark.root
@pytest.mark.takes("ping")
def test_as_another_user():
    before = host()
    r = sh(*AS_USER, "666", VMLAN, "matrix", "--json", "natnet", "hostonly", timeout=120)
    assert told(json.loads(r.stdout)["rows"]) == list(design("natnet", "hostonly"))
    assert host() == before


@pytest.mark.root
def test_says_what_is_missing():
    """No taps, no matrix: one line, and the code for a missing permission."""
    r = sh(*AS_USER, "600", VMLAN, "matrix", "nat", check=False)
    assert r.returncode == 6 and r.stdout == "", r.stdout
    assert r.stderr == "vmlan: error: matrix: /dev/net/tun (see vmlan doctor): " \
        "Permission denied\n"
