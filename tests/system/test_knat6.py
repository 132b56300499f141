# SPDX-License-Identifier: BSD-3-Clause
"""natnet with backend=kernel over IPv6: as test_knat.py, of the same world.

        a, b              machines; addresses by advertisements and DHCPv6
        |  |
       [LAN] -- vm-lab    fe80::1, and the second address of the network's prefix
                  :
                up0 -- inet (2001:db8::1, with a route to the machines by us)
"""
import errno
import os
import re
import shutil
import signal
import subprocess

import pytest

import clients6
from test_knat import (CONF6, MACS, NET, PEER, answers, host, outside, rules,  # noqa: F401
                       stop_hearing)
from test_modes import (PYTHON, Machine, Server, kill_keeper, names, rundir,  # noqa: F401
                        sees, show, vmlan)
from world import (FULL, HOST_IP, HOST_IP6, INET_IP6, VMLAN, WEB_IP6, popen, process, sh,
                   sysctl, wait_for)

ROUTER = "fe80::1"
FORWARD6 = CONF6 / "all/forwarding"


@pytest.fixture
def outside6(w, request):
    """IPv6 for the world before anything else is looked at."""
    w.join6()
    yield request.getfixturevalue("outside")


def prefix(name="lab"):
    return show(name)["subnets"][-1]["net"].removesuffix("/64")


def plug(w, name, *options, net=NET):
    """A machine whose kernel has chosen its addresses."""
    m = Machine(w, name, "--net", net, *options, mac=MACS[name])
    m.guest.told = clients6.slaac(m.guest)
    m.guest.ip6 = m.guest.told["address"][0]
    return m


def seen(ip, ns=None):
    """As whom the internet sees somebody there."""
    code = ("import socket, sys\ns = socket.create_connection((sys.argv[1], 7099), timeout=10)\n"
            "print(s.recv(100).decode())")
    return sh(PYTHON, "-c", code, ip, ns=ns).stdout.strip()


WHO = """
import socket
s = socket.create_server(("::", 7099), family=socket.AF_INET6)
print("up", flush=True)
while True:
    c, a = s.accept()
    c.sendall(a[0].encode())
    c.close()
"""


def test_who_sees_whom(outside6):
    """The same table as over IPv4, under the host's address outside."""
    sh("ip", "-6", "route", "add", "fd00::/8", "via", HOST_IP6, ns="inet")
    vmlan("up", "lab", "natnet", "backend=kernel", "domainname=dom.test")
    a, b = (plug(outside6, n, net="natnet:lab") for n in "ab")
    with a, b:
        o = show("lab")
        net = prefix()
        assert o["subnets"][1] == {"net": f"{net}/64", "gateway": ROUTER, "dns": f"{net}3"}
        assert f"subnet   {net}/64, gateway {ROUTER}, name server {net}3" in vmlan(
            "show", "lab").stdout
        told = a.guest.told
        assert told["router"] == ROUTER and told["lifetime"] > 0
        assert a.guest.ip6.startswith(net[:-1])
        with Server("a", "::"), Server("b", "::"), Server(None, "::"), Server("inet", "::"), \
                process(PYTHON, "-c", WHO, ns="inet", stdout=subprocess.PIPE) as who:
            who.stdout.readline()
            who.stdout.close()
            assert {
                "a sees b": sees("a", b.guest.ip6), "b sees a": sees("b", a.guest.ip6),
                "a sees the internet": sees("a", INET_IP6),
                "b sees the internet": sees("b", INET_IP6),
                "the internet sees a": sees("inet", a.guest.ip6),
                "the host sees a": sees(None, a.guest.ip6),
            } == {"a sees b": "y", "b sees a": "y", "a sees the internet": "y",
                  "b sees the internet": "y", "the internet sees a": "n", "the host sees a": "n"}
            assert seen(INET_IP6, ns="a") == HOST_IP6
        # DHCPv6 and DHCP give one machine one place
        a.guest.dhcp()
        got = clients6.dhclient(a.guest)
        clients6.dhclient_end(a.guest)
        assert got["address"] == f"{net}f" and a.guest.ip == "10.0.2.15"
    vmlan("down", "lab")


def connects(ns, ip, port=7000):
    """None, or the number of what refused it."""
    code = ("import socket, sys\n"
            "to = socket.getaddrinfo(sys.argv[1], int(sys.argv[2]))[0]\n"
            "s = socket.socket(to[0])\ns.settimeout(10)\n"
            "try:\n s.connect(to[4])\n"
            "except OSError as e: print(e.errno or 'timed out')")
    out = sh(PYTHON, "-c", code, ip, str(port), ns=ns).stdout.strip()
    return int(out) if out.isdigit() else out or None


FROM = """
import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind((sys.argv[1], int(sys.argv[2])))
print("up", flush=True)
while True:
    print(s.recvfrom(100)[1][0], flush=True)
"""

# Sends datagrams of many sources to port $3 of $2, by the router's MAC $1; the
# last one, from $4, is honest.
LIES = """
import sys
from scapy.all import Ether, IPv6, UDP, Raw, sendp
mac, dst, port, own, router = sys.argv[1:6]
for src in ("2001:db8::77", "2001:db8::1", "2001:db8::2", "::1", "::", router, "fe80::1",
            "fe80::9", "ff02::1", "fd00:ffff::1", "::ffff:192.0.2.2", own):
    sendp(Ether(dst=mac)/IPv6(src=src, dst=dst)/UDP(sport=99, dport=int(port))/Raw(b"x"),
          iface="eth0", verbose=False)
"""


def heard_by(ip, port, ns=None):
    p = popen(PYTHON, "-c", FROM, ip, str(port), ns=ns, stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "up\n"
    return p


def test_host_is_closed(outside6):
    """What a machine may do to the host, and as whom."""
    sh("ip", "link", "add", "other0", "type", "bridge")
    sh("ip", "addr", "add", "2001:db8:5::1/64", "dev", "other0", "nodad")
    sh("ip", "link", "set", "other0", "up")
    a, b = plug(outside6, "a"), plug(outside6, "b")
    with a, b, Server(None, "::"):
        net = prefix()
        link = "fe80::1%eth0"
        for ip in (f"{net}2", HOST_IP6, "2001:db8:5::1", link):
            a.guest.sh("ping", "-c", "1", "-W", "5", ip)
            assert connects("a", ip) == errno.ECONNREFUSED, ip
        for ip in (f"{net}1", f"{net}3"):
            a.guest.sh("ping", "-c", "1", "-W", "5", ip)
            assert connects("a", ip) == errno.ECONNREFUSED, ip
        assert connects(None, a.guest.ip6) in (errno.EACCES, errno.EHOSTUNREACH)
        inet, up, lo = heard_by("::", 7070, "inet"), heard_by("::", 7071), heard_by("::1", 7072)
        mac = re.search(r"ether (\S+)", sh("ip", "link", "show", "vm-lab").stdout)[1]
        try:
            for dst, port in ((HOST_IP6, 7071), (f"{net}2", 7071), ("fe80::1", 7071),
                              ("ff02::1", 7071), ("::1", 7072), (INET_IP6, 7070)):
                a.guest.sh(PYTHON, "-c", LIES, mac, dst, str(port), a.guest.ip6, f"{net}2")
            assert inet.stdout.readline() == f"{HOST_IP6}\n"
        finally:
            rest = [stop_hearing(p) for p in (inet, up, lo)]
        assert rest == [[], [], []]
    wait_for("the end", lambda: names() == [])
    sh("ip", "link", "del", "other0")


def link_address(ns, dev):
    out = sh("ip", "-6", "-o", "addr", "show", "dev", dev, "scope", "link", ns=ns).stdout
    return re.search(r"inet6 (fe80\S+)/", out)[1]


def test_forwards(outside6):
    """Ports of the host's IPv6 addresses, by the kernel where they come from
    elsewhere; of the link's, of ::1 and of a guest's IPv4 by the engine."""
    vmlan("up", "lab", "natnet", "backend=kernel")
    net = prefix()
    to = f"[{net}50]"
    ports = ("-p", f"tcp:[::]:2222-{to}:80", "-p", f"udp:[::]:2222-{to}:53",
             "-p", f"tcp:[{HOST_IP6}]:2223-{to}:80", "-p", f"tcp:[::1]:2224-{to}:80",
             "-p", "[::]:2225:80")
    with plug(outside6, "b") as b, plug(outside6, "a", *ports) as a, \
            process(PYTHON, "-c", PEER, "a", ns="a", stdout=subprocess.PIPE) as p:
        p.stdout.readline()
        p.stdout.close()
        a.guest.sh("ip", "addr", "add", f"{net}50/64", "dev", "eth0", "nodad")
        a.guest.dhcp()
        b.guest.dhcp()
        for proto in ("tcp", "udp"):
            assert answers("inet", HOST_IP6, 2222, proto) == f"a {INET_IP6}"
            assert answers(None, "::1", 2222, proto) == f"a {net}1"
            assert answers(None, HOST_IP6, 2222, proto) == f"a {net}1"
            assert answers("b", HOST_IP6, 2222, proto) == f"a {net}1"
            assert answers("b", f"{net}2", 2222, proto) == f"a {net}1"
            assert answers("a", HOST_IP6, 2222, proto) == f"a {net}1"
        # whoever speaks by his address of the link
        assert answers("inet", link_address(None, "up0") + "%eth0", 2222) == f"a {net}1"
        assert answers("inet", HOST_IP6, 2223) == f"a {INET_IP6}"
        assert answers(None, "::1", 2224) == f"a {net}1"
        assert answers("inet", HOST_IP6, 2225) == "a 10.0.2.1"
        for port in (2224, 2226):
            assert answers("inet", HOST_IP6, port) == "Connection refused"
        # one family's rules are not the other's
        assert answers("inet", HOST_IP, 2222) == "Connection refused"
        assert answers("b", HOST_IP, 2222) == "Connection refused"
        engine = show("lab")["engine"]
        os.kill(engine, signal.SIGKILL)
        wait_for("another engine", lambda: show("lab")["engine"] not in (0, engine))
        kill_keeper("lab")
        vmlan("ls")
        wait_for("all on it", lambda: all(m["connected"] for m in show("lab")["machines"]))
        assert answers("inet", HOST_IP6, 2222) == f"a {INET_IP6}"
    vmlan("down", "lab")


ADVERT = """
import sys
from scapy.all import (Ether, IPv6, ICMPv6ND_RA, ICMPv6NDOptPrefixInfo, ICMPv6NDOptSrcLLAddr,
                       get_if_hwaddr, sendp)
life, prefix = int(sys.argv[1]), sys.argv[2]
sendp(Ether()/IPv6(src=sys.argv[3], dst="ff02::1", hlim=255)/ICMPv6ND_RA(routerlifetime=life)/
      ICMPv6NDOptPrefixInfo(prefix=prefix, prefixlen=64, L=1, A=1)/
      ICMPv6NDOptSrcLLAddr(lladdr=get_if_hwaddr("eth0")), iface="eth0", verbose=False)
"""


def default6():
    return sh("ip", "-6", "route", "show", "default").stdout


def test_host_keeps_its_router(outside):
    """A host that has its way out by an advertisement has it before, during and
    after, and hears the next ones; all settings are as before."""
    sysctl(None, "net/ipv6/conf/up0/accept_ra", 1)
    link = link_address("inet", "eth0")

    def advertise(life, net):
        sh(PYTHON, "-c", ADVERT, str(life), net, link, ns="inet")

    def has_address(net):
        return net[:-1] in sh("ip", "-6", "addr", "show", "dev", "up0").stdout

    advertise(1800, "2001:db8:a::")
    wait_for("a default route", lambda: "proto ra" in default6())
    wait_for("an address", lambda: has_address("2001:db8:a::"))
    settings = host()[4:]
    for end in ("down", signal.SIGKILL):
        vmlan("up", "lab", "natnet", "backend=kernel")
        assert FORWARD6.read_text() == "1\n"
        assert (CONF6 / "up0/accept_ra").read_text() == "2\n"
        assert "proto ra" in default6() and has_address("2001:db8:a::")
        # what comes while it is there is heard
        advertise(0, "2001:db8:a::")
        wait_for("no default route", lambda: "proto ra" not in default6())
        advertise(1800, "2001:db8:b::")
        wait_for("a default route", lambda: "proto ra" in default6())
        wait_for("another address", lambda: has_address("2001:db8:b::"))
        if end == "down":
            vmlan("down", "lab")
        else:
            vmlan("up", "two", "natnet", "backend=kernel")
            vmlan("down", "lab")
            assert "proto ra" in default6() and FORWARD6.read_text() == "1\n"
            vmlan("down", "two")
        assert "proto ra" in default6() and has_address("2001:db8:b::")
        assert host()[4:] == settings
    sysctl(None, "net/ipv6/conf/up0/accept_ra", 0)
    sh("ip", "-6", "route", "flush", "proto", "ra")
    sh("ip", "-6", "addr", "flush", "dev", "up0", "scope", "global")
    for net in "ab":
        sh("ip", "-6", "route", "del", f"2001:db8:{net}::/64", "dev", "up0")
    sysctl(None, "net/ipv6/conf/up0/accept_ra", 1)


def test_ways_come_and_go(outside6):
    """Machines are told of no more than the host has."""
    with plug(outside6, "a") as a:
        sh("ip", "-6", "route", "del", "default")
        wait_for("no router", lambda: "router" not in clients6.kernel(a.guest))
        sh("ip", "-6", "route", "add", "default", "via", INET_IP6)
        wait_for("a router", lambda: clients6.kernel(a.guest).get("router") == ROUTER)
        a.guest.sh("ping", "-c", "1", "-W", "5", WEB_IP6)
    wait_for("the end", lambda: names() == [])


# As many machines as the prefix has room for, and one question of each.
CROWD = """
import sys
from scapy.all import Ether, IPv6, ICMPv6ND_NS, ICMPv6NDOptSrcLLAddr, sendp
frames = [Ether(src="02:00:00:00:%02x:%02x" % (i >> 8, i & 255), dst=sys.argv[1])/
          IPv6(src=sys.argv[2] + "9:%x" % i, dst="fe80::1")/ICMPv6ND_NS(tgt="fe80::1")/
          ICMPv6NDOptSrcLLAddr(lladdr="02:00:00:00:%02x:%02x" % (i >> 8, i & 255))
          for i in range(1500)]
sendp(frames, iface="eth0", verbose=False)
"""


def test_crowd(outside6):
    """One machine that is a thousand does not fill the host's table of
    neighbours, which is one for all its links."""
    with plug(outside6, "a") as a:
        net = prefix()
        mac = re.search(r"ether (\S+)", sh("ip", "link", "show", "vm-lab").stdout)[1]
        a.guest.sh("ping", "-c", "1", "-W", "5", INET_IP6)
        a.guest.sh(PYTHON, "-c", CROWD, mac, net)
        n = len(sh("ip", "-6", "neigh", "show", "dev", "vm-lab").stdout.splitlines())
        assert 400 < n <= 512
        # who was there before them still is
        a.guest.sh("ping", "-c", "1", "-W", "5", INET_IP6)
    wait_for("the end", lambda: names() == [])


def test_router_is_found_behind_a_querier(outside6):
    """The bridge's own snooping does not forget that the host listens for
    questions about its addresses."""
    a, b = plug(outside6, "a"), plug(outside6, "b")
    with a, b:
        # in hundredths of a second: a member is forgotten that soon
        sh("ip", "link", "set", "vm-lab", "type", "bridge", "mcast_membership_interval", "500")
        mdb = lambda: sh("bridge", "mdb", "show", "dev", "vm-lab").stdout  # noqa: E731

        def answers():
            # asked anew: on a busy host who looks may be later than the end
            sh(PYTHON, "-c", QUERY, ns="b")
            return any("ff02::1:ff00:1" in mdb() for _ in range(5))

        for _ in range(2):
            wait_for("the host to be a member", answers, 60)
            a.guest.sh("ip", "-6", "neigh", "flush", "all")
            a.guest.sh("ping", "-c", "1", "-W", "5", "fe80::1%eth0")
    wait_for("the end", lambda: names() == [])


QUERY = """
from scapy.all import Ether, IPv6, IPv6ExtHdrHopByHop, RouterAlert, ICMPv6MLQuery2, sendp
sendp(Ether(dst="33:33:00:00:00:01")/IPv6(src="fe80::2", dst="ff02::1", hlim=1)/
      IPv6ExtHdrHopByHop(options=[RouterAlert()])/ICMPv6MLQuery2(mrd=100), iface="eth0",
      verbose=False)
"""


def test_one_family_alone(outside6):
    """ipv4=off: the bridge has no IPv4, and nothing passes by it."""
    before = host()
    vmlan("up", "lab", "natnet", "backend=kernel", "ipv4=off")
    assert (CONF6.parent.parent / "ipv4/ip_forward").read_text() == "0\n"
    assert "inet " not in sh("ip", "addr", "show", "vm-lab").stdout
    with plug(outside6, "a") as a:
        a.guest.sh("ping", "-c", "1", "-W", "5", INET_IP6)
    vmlan("down", "lab")
    assert host() == before
    vmlan("up", "lab", "natnet", "backend=kernel", "ipv6=off")
    assert FORWARD6.read_text() == "0\n"
    assert "inet6" not in sh("ip", "addr", "show", "vm-lab").stdout
    vmlan("down", "lab")
    assert host() == before


@pytest.mark.long
@pytest.mark.parametrize("call", ["sendto", "fdatasync", "openat"])
def test_killed_at_each_step(outside6, call):
    """Whoever starts the network is killed at the Nth message to the kernel, write
    to the journal or setting, for each N: the next command leaves nothing."""
    if not shutil.which("strace"):
        pytest.skip("strace is not installed")
    before = host()
    env = dict(os.environ, ASAN_OPTIONS="detect_leaks=0")
    path = ["-P", str(FORWARD6)] if call == "openat" else []
    during = 0
    for when in range(1, 200, 1 if FULL or path else 4):
        with subprocess.Popen(
                ["strace", "-D", "-f", "-qq", "-o", "/dev/null", *path, "-e", f"trace={call}",
                 "-e", f"inject={call}:signal=KILL:when={when}", VMLAN, "up", "-q", "lab",
                 "natnet", "backend=kernel"], env=env, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as up:
            done = up.wait(60) == 0
        during += host() != before
        if done:
            break
        vmlan("ls")
        if names():
            vmlan("down", "lab")
        assert host() == before, when
    else:
        raise AssertionError("it was killed every time")
    # its keeper is counted on
    sh(VMLAN, "down", "lab", check=False)
    vmlan("ls")
    assert host() == before
    assert during > 1


def test_ruleset_is_one(outside):
    """Both families have one table, and what is not of a family is said once."""
    vmlan("up", "lab", "natnet", "backend=kernel")
    text = rules()
    assert text.count("table ") == 1 and "table inet vmlan-vm-lab" in text
    assert text.count("masquerade") == 1
    vmlan("down", "lab")
