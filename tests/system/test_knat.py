# SPDX-License-Identifier: BSD-3-Clause
"""natnet with backend=kernel: the host's own kernel is the machines' router.

        a, b              machines, by `vmlan run --net natnet:lab`
        |  |
       [LAN] -- vm-lab    a bridge of the host with 10.0.2.2, and an nftables
                  :       table; DHCP and names are the engine's
                up0 -- inet (the world of world.py)

Who sees whom is as with the other back end, and all that was done to the host
is undone whatever ends the network.
"""
import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess

import pytest

from test_modes import (PYTHON, Machine, Server, is_natnet, kill_keeper, names,  # noqa: F401
                        one_line, rundir, sees, show, vmlan)
from test_uplink import NO_ADMIN, links
from world import HOST_IP, INET_IP, VMLAN, WEB_IP, is_dead, popen, process, settle, sh, wait_for

NET = "natnet:lab,backend=kernel"
MACS = {n: f"52:54:00:00:00:0{n}" for n in "abc"}
CONF = pathlib.Path("/proc/sys/net/ipv4/conf")
CONF6 = pathlib.Path("/proc/sys/net/ipv6/conf")
FORWARD = pathlib.Path("/proc/sys/net/ipv4/ip_forward")


def setting(p):
    with contextlib.suppress(OSError):  # some are to be written only
        return p.read_text()


def rules():
    """The host's, without what a set has learnt."""
    return re.sub(r"\n\s*elements = \{[^}]*\}", "", sh("nft", "list", "ruleset").stdout)


def host():
    """All that the network changes while it is there."""
    seen = [sh(*c.split()).stdout for c in (
        "ip -o link", "ip -o addr", "ip route show table all")]
    seen.append(rules())
    seen.append({str(p): setting(p) for d in (CONF, CONF6) for p in sorted(d.glob("*/*"))
                 if os.access(p, os.R_OK)})
    return [*seen, FORWARD.read_text()]


@pytest.fixture
def outside(w):
    """Somebody in the internet who tries to get in: he has a route by us. The
    host is no router yet, and its settings are no ordinary ones."""
    sh("ip", "route", "add", "10.0.0.0/8", "via", HOST_IP, ns="inet")
    old = {p: p.read_text() for p in (
        FORWARD, CONF6 / "all/forwarding", CONF / "all/accept_redirects", CONF / "up0/forwarding",
        CONF6 / "lo/forwarding")}
    FORWARD.write_text("0\n")
    (CONF6 / "all/forwarding").write_text("0\n")
    (CONF6 / "lo/forwarding").write_text("1\n")
    (CONF / "all/accept_redirects").write_text("0\n")
    (CONF / "up0/forwarding").write_text("1\n")
    settle("up0")
    before = host()
    with Server("inet"), Server(None):
        yield w
    vmlan("ls")
    after = host()
    for p, text in old.items():
        p.write_text(text)
    assert after == before


def pair(w):
    a = Machine(w, "a", "--net", NET, mac=MACS["a"])
    b = Machine(w, "b", "--net", NET, mac=MACS["b"])
    a.guest.dhcp()
    b.guest.dhcp()
    return a, b


def test_who_sees_whom(outside):
    resolv = pathlib.Path("/run/resolv-knat")
    resolv.write_text(f"nameserver {INET_IP}\n")
    outside.python("dns_server.py", port=53, proto="udp")
    r = vmlan("up", "lab", "natnet", "backend=kernel",
              env=dict(os.environ, VMLAN_RESOLV_CONF=str(resolv)))
    assert "the host's kernel is its router, 10.0.2.2" in r.stderr and "warning" not in r.stderr
    net6 = show("lab")["subnets"][1]["net"][:-3]
    assert vmlan("show", "--netdevs", "lab").stdout.splitlines() == [
        f"router,br=vm-lab,addr=10.0.2.2/24,addr={net6}2/64",
        "user,net=10.0.2.0/24,host=10.0.2.1,router=10.0.2.2,restrict=services,"
        f"ipv6-net={net6}/64,ipv6-host={net6}1,ipv6-router=fe80::1"]
    a, b = pair(outside)
    with a, b:
        # leases are ours, with the kernel as router
        assert a.guest.ip == "10.0.2.15" and b.guest.ip == "10.0.2.16"
        assert {k: a.guest.lease[k] for k in ("serverid", "router", "dns")} == {
            "serverid": "10.0.2.1", "router": "10.0.2.2", "dns": "10.0.2.3"}
        assert WEB_IP in a.guest.sh("dig", "+short", "@10.0.2.3", "any.test").stdout
        is_natnet(a, b)
    vmlan("down", "lab")


# Prints the address that each datagram to port $2 of $1 comes from.
FROM = """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], int(sys.argv[2])))
print("up", flush=True)
while True:
    print(s.recvfrom(100)[1][0], flush=True)
"""

# Sends datagrams from $1 to port $3 of $2 behind the router, by frames of its
# own: no kernel has an opinion on them.  The last one is honest.
LIES = """
import sys
from scapy.all import ARP, Ether, IP, UDP, Raw, sendp, srp1
gw = srp1(Ether(dst="ff:ff:ff:ff:ff:ff")/ARP(pdst="10.0.2.2"), iface="eth0", timeout=30,
          verbose=False).hwsrc
def say(src, dst, port):
    sendp(Ether(dst=gw)/IP(src=src, dst=dst)/UDP(sport=99, dport=port)/Raw(b"x"), iface="eth0",
          verbose=False)
for i in range(3):
    for dst, port in (("192.0.2.1", 7070), ("192.0.2.2", 7071), ("127.0.0.1", 7072)):
        for src in ("192.0.2.77", "192.0.2.1", "192.0.2.2", "127.0.0.1", "10.0.2.2", "0.0.0.0"):
            say(src, dst, port)
    say("10.0.2.15", "192.0.2.2", 7071)
    say("10.0.2.15", "127.0.0.1", 7072)
say("10.0.2.15", "192.0.2.1", 7070)
"""


# From the internet, as a machine of the network and as itself.
LIES_OUTSIDE = """
import sys
from scapy.all import Ether, IP, UDP, Raw, sendp
for src in ("10.0.2.15", "10.0.2.2", "10.0.2.99", "192.0.2.1"):
    sendp(Ether(dst=sys.argv[1])/IP(src=src, dst="192.0.2.2")/UDP(sport=99, dport=7071)/Raw(b"x"),
          iface="eth0", verbose=False)
"""


def heard_by(ip, port, ns=None):
    p = popen(PYTHON, "-c", FROM, ip, str(port), ns=ns, stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "up\n"
    return p


def stop_hearing(p):
    p.kill()
    out = p.stdout.read().split()
    p.wait()
    p.stdout.close()
    return out


def connects(ns, ip, port=7000):
    """None, or what refused it."""
    code = ("import socket, sys\ntry:\n socket.create_connection((sys.argv[1], int(sys.argv[2])), "
            "timeout=10)\nexcept OSError as e: print(e.strerror or 'timed out')")
    return sh(PYTHON, "-c", code, ip, str(port), ns=ns).stdout.strip() or None


def test_host_is_closed(outside):
    """Machines ping their gateway, and that is all they do to the host; nobody
    speaks for somebody else."""
    sh("ip", "link", "add", "other0", "type", "bridge")
    sh("ip", "addr", "add", "198.51.100.1/24", "dev", "other0")
    sh("ip", "link", "set", "other0", "up")
    a, b = pair(outside)
    with a, b:
        for ip in ("10.0.2.2", HOST_IP, "198.51.100.1"):
            a.guest.sh("ping", "-c", "1", "-W", "5", ip)
            # told at once, not left waiting
            assert connects("a", ip) == "Connection refused", ip
        # the engine's own addresses: names, and nothing else
        for ip in ("10.0.2.1", "10.0.2.3"):
            a.guest.sh("ping", "-c", "1", "-W", "5", ip)
            assert connects("a", ip) == "Connection refused", ip
        # the host, for its part, is told as well
        assert connects(None, a.guest.ip) == "No route to host"
        inet, up, lo = heard_by(INET_IP, 7070, "inet"), heard_by(HOST_IP, 7071), \
            heard_by("127.0.0.1", 7072)
        try:
            a.guest.sh(PYTHON, "-c", LIES)
            # behind all others, and under the host's address
            assert inet.stdout.readline() == f"{HOST_IP}\n"
            mac = re.search(r"ether (\S+)", sh("ip", "link", "show", "up0").stdout)[1]
            sh(PYTHON, "-c", LIES_OUTSIDE, mac, ns="inet")
            assert up.stdout.readline() == f"{INET_IP}\n"
        finally:
            rest = [stop_hearing(p) for p in (inet, up, lo)]
        assert rest == [[], [], []]
        mac = re.search(r"ether (\S+)", sh("ip", "link", "show", "vm-lab").stdout)[1]
        assert mac == "52:55:0a:00:02:02"
    wait_for("the end", lambda: names() == [])
    sh("ip", "link", "del", "other0")


PEER = """
import socket, sys, threading
t = socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True)
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u.bind(("::", 53))
print("up", flush=True)
def udp():
    while True:
        a = u.recvfrom(100)[1]
        u.sendto((sys.argv[1] + " " + a[0].removeprefix("::ffff:")).encode(), a)
threading.Thread(target=udp, daemon=True).start()
while True:
    c, a = t.accept()
    c.sendall((sys.argv[1] + " " + a[0].removeprefix("::ffff:")).encode())
    c.close()
"""

ASK_WHO = """
import socket, sys
to = socket.getaddrinfo(sys.argv[1], int(sys.argv[2]))[0]
kind = socket.SOCK_DGRAM if sys.argv[3] == "udp" else socket.SOCK_STREAM
try:
    s = socket.socket(to[0], kind)
    s.settimeout(10)
    s.connect(to[4])
    if kind == socket.SOCK_DGRAM:
        s.send(b"x")
    print(s.recv(100).decode())
except OSError as e:
    print(e.strerror)
"""


def answers(ns, ip, port, proto="tcp"):
    """Which machine answers at a port, and whom it takes the client for."""
    return sh(PYTHON, "-c", ASK_WHO, ip, str(port), proto, ns=ns).stdout.strip()


def test_forwards(outside):
    """Named ports lead in, from everywhere that they are bound to; a client
    from elsewhere is seen as itself."""
    any_ = ("-p", "0.0.0.0:2222:80", "-p", "0.0.0.0:2222:53/udp", "-p", "2223:80",
            "-p", f"{HOST_IP}:2224:80")
    with Machine(outside, "b", "--net", NET, mac=MACS["b"]) as b:
        b.guest.dhcp()
        with Machine(outside, "a", "--net", NET, *any_, mac=MACS["a"]) as a, \
                process(PYTHON, "-c", PEER, "a", ns="a", stdout=subprocess.PIPE) as p:
            p.stdout.readline()
            p.stdout.close()
            a.guest.dhcp()
            for proto in ("tcp", "udp"):
                assert answers("inet", HOST_IP, 2222, proto) == f"a {INET_IP}"
                assert answers(None, "127.0.0.1", 2222, proto) == "a 10.0.2.1"
                assert answers(None, HOST_IP, 2222, proto) == "a 10.0.2.1"
                # from a machine, and back to itself
                assert answers("b", HOST_IP, 2222, proto) == "a 10.0.2.1"
                assert answers("b", "10.0.2.2", 2222, proto) == "a 10.0.2.1"
                assert answers("a", HOST_IP, 2222, proto) == "a 10.0.2.1"
            assert answers("inet", HOST_IP, 2224) == f"a {INET_IP}"
            assert answers(None, "127.0.0.1", 2223) == "a 10.0.2.1"
            for port in (2223, 2225):
                assert answers("inet", HOST_IP, port) == "Connection refused"
            # a port of somebody else's is nobody's to take
            assert "7000" in one_line(5, "run", "--net", NET, "--nic", f"virtio,mac={MACS['c']}",
                                      "-p", "0.0.0.0:7000:80", "--", "sh", "-c", "{socket}")
            assert answers("inet", HOST_IP, 2222) == f"a {INET_IP}"
            # another engine, another keeper
            engine = show("lab")["engine"]
            os.kill(engine, signal.SIGKILL)
            wait_for("another engine", lambda: show("lab")["engine"] not in (0, engine))
            wait_for("all on it", lambda: all(m["connected"] for m in show("lab")["machines"]))
            assert answers("inet", HOST_IP, 2222) == f"a {INET_IP}"
            kill_keeper("lab")
            assert answers("inet", HOST_IP, 2222) == f"a {INET_IP}"
            vmlan("ls")
            wait_for("all on it", lambda: all(m["connected"] for m in show("lab")["machines"]))
            assert answers("inet", HOST_IP, 2222) == f"a {INET_IP}"
            assert answers(None, "127.0.0.1", 2222) == "a 10.0.2.1"
        wait_for("a to leave", lambda: len(show("lab")["machines"]) == 1)
        assert answers("inet", HOST_IP, 2222) == "Connection refused"
        assert "dnat" not in sh("nft", "list", "chain", "inet", "vmlan-vm-lab", "forwards").stdout


def reaches(m, ip=INET_IP):
    return m.guest.sh("ping", "-c", "1", "-W", "1", ip, check=False).returncode == 0


@pytest.fixture
def foreign():
    """Another firewall of the host's, which lets nothing through."""
    sh("nft", "add", "table", "ip", "theirs")
    sh("nft", "add chain ip theirs FORWARD { type filter hook forward priority 0; policy drop; }")
    sh("nft", "add chain ip theirs in { type filter hook input priority 0; policy accept; }")
    sh("nft", "add", "rule", "ip", "theirs", "in", "counter")
    yield lambda: re.sub(r"packets \d+ bytes \d+", "", sh("nft", "list", "table", "ip",
                                                           "theirs").stdout)
    sh("nft", "delete", "table", "ip", "theirs")


def test_foreign_drops_are_told(w, foreign):
    """Other tables are left as they are; what they drop is said, with what
    mends it."""
    before = foreign()
    r = vmlan("up", "lab", "natnet", "backend=kernel")
    assert "warning" in r.stderr and "'ip theirs FORWARD' drops" in r.stderr
    assert "vm-lab" in r.stderr
    probes = {p["name"]: p for p in json.loads(
        sh(VMLAN, "doctor", "--json", check=False).stdout)["probes"]}
    fix = probes["firewall"]["fix"]
    assert probes["firewall"]["ok"] is False and fix.startswith("sudo nft ")
    with Machine(w, "a", "--net", NET) as a:
        a.guest.dhcp()
        assert not reaches(a)
        assert foreign() == before
        sh("sh", "-c", fix.removeprefix("sudo "))
        assert reaches(a)
        after = foreign()
    vmlan("down", "lab")
    assert foreign() == after
    r = vmlan("up", "lab", "natnet", "backend=kernel")
    assert "warning" not in r.stderr
    vmlan("down", "lab")


def test_undone_by_down_and_signals(outside):
    before = host()
    for end in ("down", signal.SIGTERM, signal.SIGINT):
        vmlan("up", "lab", "natnet", "backend=kernel")
        assert FORWARD.read_text() == "1\n" and "vm-lab" in links()
        assert host() != before
        if end == "down":
            vmlan("down", "lab")
        else:
            keeper = show("lab")["keeper"]
            os.kill(keeper, end)
            wait_for("the keeper's end", lambda: is_dead(keeper))
        assert host() == before, end


def test_undone_after_kills(outside):
    """Keeper, engine, both: what is wanted goes on, of the rest nothing stays."""
    before = host()
    vmlan("up", "lab", "natnet", "backend=kernel")
    during = host()
    for i in range(3):
        kill_keeper("lab")
        # made anew, and the same
        assert [n["name"] for n in json.loads(vmlan("ls", "--json").stdout)] == ["lab"]
        now = host()
        assert (now[3], now[-1]) == (during[3], during[-1])
        assert links().count("vm-lab") == 1
    vmlan("down", "lab")
    assert host() == before
    # whom nobody needs
    with Machine(outside, "a", "--net", NET) as a:
        a.guest.dhcp()
        o = kill_keeper("lab")
        # the kernel goes on without us
        assert reaches(a)
        # `vmlan run` would be the next command
        os.kill(a.proc.pid, signal.SIGKILL)
        a.proc.wait()
        os.kill(o["machines"][0]["pid"], signal.SIGKILL)
        wait_for("the engine's end", lambda: is_dead(o["engine"]))
    assert host() != before
    vmlan("ls")
    assert host() == before


def test_machines_go_on(outside):
    """By another engine, and by another keeper, whose bridge is another one:
    with the same address and MAC, which the machine knows."""
    with Machine(outside, "a", "--net", NET) as a:
        a.guest.dhcp()
        assert reaches(a)
        engine = show("lab")["engine"]
        os.kill(engine, signal.SIGKILL)
        wait_for("another engine", lambda: show("lab")["engine"] not in (0, engine))
        wait_for("it to be there", lambda: reaches(a))
        kill_keeper("lab")
        assert reaches(a)
        assert "another one now" in vmlan("ls").stderr
        wait_for("it to be there", lambda: reaches(a))


# Datagrams to port $3 of $2, whose MAC is $1: by an address of nobody's, and by
# IPv6 to address $4 of the link.
STRAY = """
import sys
from scapy.all import Ether, IP, IPv6, UDP, Raw, sendp
to = Ether(dst=sys.argv[1])
port = int(sys.argv[3])
for net in (IP(src="198.18.0.1", dst=sys.argv[2]), IPv6(src="fe80::9", dst=sys.argv[4])):
    sendp(to/net/UDP(sport=99, dport=port)/Raw(b"x"), iface="eth0", verbose=False)
"""

# As FROM, by both families.
FROM_BOTH = """
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", int(sys.argv[1])))
print("up", flush=True)
while True:
    print(s.recvfrom(100)[1][0], flush=True)
"""


def test_bridge_taken_away(outside):
    """Somebody removes the bridge: what is left of it is no way to the host."""
    with Machine(outside, "a", "--net", NET) as a:
        a.guest.dhcp()
        assert reaches(a, "10.0.2.2")
        tap = sh("ip", "-o", "link", "show", "master", "vm-lab").stdout.split(": ")[1]
        sh("ip", "link", "del", "vm-lab")

        def settled():
            out = sh("ip", "-6", "addr", "show", "dev", tap).stdout
            return "tentative" not in out and re.search(r"inet6 (fe80\S+)/", out)

        link = wait_for("the tap's own address", settled)[1]
        mac = re.search(r"ether (\S+)", sh("ip", "link", "show", tap).stdout)[1]
        with process(PYTHON, "-c", FROM_BOTH, "7071", stdout=subprocess.PIPE, text=True) as p:
            assert p.stdout.readline() == "up\n"
            a.guest.sh(PYTHON, "-c", STRAY, mac, HOST_IP, "7071", link)
            sh(PYTHON, "-c", "import socket\ns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
               f"s.sendto(b'x', ('{HOST_IP}', 7071))")
            assert p.stdout.readline() == f"::ffff:{HOST_IP}\n"
            p.stdout.close()


def test_two_networks(outside):
    """Each its bridge and its table; the host routes until the last is gone."""
    before = host()
    vmlan("up", "lab", "natnet", "backend=kernel")
    r = vmlan("up", "lab2", "natnet", "backend=kernel", "ifname=br-two", "mtu=1400", "ipv6=off")
    assert "10.0.3.0/24, for the host has a route to 10.0.2.0/24" in r.stderr
    assert show("lab2")["netdevs"] == [
        "router,br=br-two,addr=10.0.3.2/24,mtu=1400",
        "user,ipv6=off,net=10.0.3.0/24,host=10.0.3.1,router=10.0.3.2,"
        "mtu=1400,restrict=services"]
    with Machine(outside, "a", "--net", "natnet:lab") as a, \
            Machine(outside, "b", "--net", "natnet:lab2") as b:
        a.guest.dhcp()
        b.guest.dhcp()
        assert "mtu 1400" in b.guest.sh("ip", "link", "show", "eth0").stdout
        assert "mtu 1400" in sh("ip", "link", "show", "br-two").stdout
        with Server("a"), Server("b"):
            assert sees("a", INET_IP) == sees("b", INET_IP) == "y"
            assert sees("a", b.guest.ip) == sees("b", a.guest.ip) == "n"
        vmlan("down", "lab2")
        assert FORWARD.read_text() == "1\n"
    wait_for("lab2's end", lambda: names() == ["lab"])
    assert FORWARD.read_text() == "1\n" and "br-two" not in links()
    vmlan("down", "lab")
    assert host() == before


def test_roots_two_folders(outside, monkeypatch):
    """Root by sudo has another folder than root who has logged in; the host
    routes until the last network of both is gone."""
    home = pathlib.Path("/run/user/0")
    home.mkdir(parents=True, exist_ok=True)
    before = host()
    for first, last in ((None, home), (home, None)):
        for name, folder in (("one", first), ("two", last)):
            set_folder(monkeypatch, folder)
            vmlan("up", name, "natnet", "backend=kernel")
        set_folder(monkeypatch, first)
        vmlan("down", "one")
        assert FORWARD.read_text() == "1\n"
        set_folder(monkeypatch, last)
        vmlan("down", "two")
        assert host() == before


def set_folder(monkeypatch, folder):
    if folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    else:
        monkeypatch.delenv("XDG_RUNTIME_DIR")


def test_refused(outside):
    """One line, the right code, and nothing changed."""
    before = host()
    sh("ip", "route", "add", "10.0.2.128/25", "via", INET_IP)
    try:
        assert "10.0.2.128/25" in one_line(5, "up", "lab", "natnet", "backend=kernel",
                                           "net=10.0.2.0/24")
        r = vmlan("up", "lab", "natnet", "backend=kernel")
        assert "10.0.3.0/24, for the host has a route to 10.0.2.128/25" in r.stderr
        vmlan("down", "lab")
    finally:
        sh("ip", "route", "del", "10.0.2.128/25", "via", INET_IP)
    assert host() == before
    assert "ifname=" in one_line(5, "up", "lab", "natnet", "backend=kernel", "ifname=up0")
    assert "vmlan-vm-lab" in refused_with_table()
    for words in (["backend=kernel", "ifname=a/b"], ["backend=magic"], ["ifname=x"]):
        one_line(2, "up", "lab", "natnet", *words)
    assert "vmlan up" in one_line(2, "join", "router,addr=10.0.2.2/24")
    r = sh(*NO_ADMIN, VMLAN, "up", "lab", "natnet", "backend=kernel", check=False)
    assert r.returncode == 6 and len(r.stderr.splitlines()) == 1, r.stderr
    assert "sudo vmlan" in r.stderr and "vmlan doctor" in r.stderr
    assert host() == before


def refused_with_table():
    sh("nft", "add", "table", "inet", "vmlan-vm-lab")
    try:
        return one_line(5, "up", "lab", "natnet", "backend=kernel")
    finally:
        sh("nft", "delete", "table", "inet", "vmlan-vm-lab")


HANGS = """#!/bin/sh
[ -e {0}/hang ] || exec {1} "$@"
exec sleep 1013
"""


def test_an_nft_that_hangs(outside, tmp_path, monkeypatch):
    """Whoever waits for it says so, and goes on once it has ended."""
    nft = sh("sh", "-c", "PATH=$PATH:/usr/sbin:/sbin command -v nft").stdout.strip()
    before = host()
    own = tmp_path / "nft"
    own.write_text(HANGS.format(tmp_path, nft))
    own.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    vmlan("up", "lab", "natnet", "backend=kernel")
    (tmp_path / "hang").touch()
    keeper = show("lab")["keeper"]
    os.kill(keeper, signal.SIGTERM)  # it undoes, and waits for nft
    hung = wait_for("the nft that hangs", lambda: [int(pid) for pid in sh(
        "pgrep", "-fx", "sleep 1013", check=False).stdout.split()])
    os.kill(keeper, signal.SIGKILL)
    p = popen(VMLAN, "ls", stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = p.stderr.readline()
    assert "waiting for " in line and "the journal of what is done to this host" in line, line
    (tmp_path / "hang").unlink()
    for pid in hung:
        os.kill(pid, signal.SIGKILL)
    out, _ = p.communicate(timeout=60)
    assert p.returncode == 0 and "lab " in out  # it is up: another keeper has it
    vmlan("down", "lab")
    assert host() == before


def test_without_nft(outside):
    """A program that is missing is said before anything stays changed."""
    nft = sh("sh", "-c", "PATH=$PATH:/usr/sbin:/sbin command -v nft").stdout.strip()
    before = host()
    text = f"mount -t tmpfs none {os.path.dirname(nft)} && exec {VMLAN} up lab natnet backend=kernel"
    r = sh("unshare", "--mount", "sh", "-c", text, check=False)
    assert r.returncode == 1 and "apt install nftables" in r.stderr, r.stderr
    assert len(r.stderr.splitlines()) == 1
    assert host() == before
    assert names() == []
