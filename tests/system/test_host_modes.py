# SPDX-License-Identifier: BSD-3-Clause
"""The modes bridged and hostonly: the host's networks in one word each. The
netdevs that they are made of are tested in test_uplink.py."""
import pathlib
import re

import pytest

from test_beside import ADVERTISE
from test_modes import PYTHON, Machine, one_line, rundir, show, vmlan  # noqa: F401
from test_uplink import (LAN_IP, NO_ADMIN, br0, lan, links, one_mac,  # noqa: F401
                         pings)
from world import HOST_IP, HOST_ROOT, INET_IP, VMLAN, process, sh


def is_on_the_lan(m):
    m.guest.dhcp()
    assert m.guest.ip.startswith("192.168.77."), m.guest.ip
    assert m.guest.lease["serverid"] == LAN_IP
    pings(m.guest, LAN_IP)
    pings(None, m.guest.ip, ns="lan")


@pytest.mark.parametrize("options,netdev", [
    ("bridge=br0", "bridge,br=br0"),
    ("if=lan0", "macvtap,if=lan0" if HOST_ROOT else "packet,if=lan0"),
    ("if=lan0,via=packet", "packet,if=lan0"),
    ("if=lan0,translate=on", "packet,if=lan0,translate=on")])
def test_bridged(w, lan, options, netdev, request):
    """Two machines on the host's LAN; nothing of it is left."""
    if options.startswith("bridge="):
        request.getfixturevalue("br0")
    if "translate" in options:
        request.getfixturevalue("one_mac")
    before = links()
    with Machine(w, "a", "--net", "bridged:home," + options) as a, \
            Machine(w, "b", "--net", "bridged:home") as b:
        beside = ["hostif,if=lan0"] if options.startswith("if=") else []
        assert show("home")["netdevs"] == [netdev, *beside]
        is_on_the_lan(a)
        is_on_the_lan(b)
        pings(a.guest, b.guest.ip)
    assert links() == before


@pytest.mark.root  # tcpdump gives up root, which takes other users
@pytest.mark.parametrize("options", ["bridge=br0", "if=lan0"])
def test_bridged_is_seen_by_tcpdump(w, lan, options, request):
    """On the host's interface the machine is one of the LAN, with its own
    MAC, from its first question for an address on."""
    if options.startswith("bridge="):
        request.getfixturevalue("br0")
    mac = "52:54:00:00:00:0a"
    with Machine(w, "a", "--net", "bridged," + options, mac=mac) as a, \
            process("tcpdump", "-Z", "root", "-lnei", "lan0", "ether src " + mac,
                    stdout=-1, stderr=-1, text=True) as seen:
        for line in seen.stderr:
            if "listening on lan0" in line:
                break
        is_on_the_lan(a)
        wanted = ["0.0.0.0.68 > 255.255.255.255.67", f"{a.guest.ip} > {LAN_IP}: ICMP echo request",
                  f"{a.guest.ip} > {LAN_IP}: ICMP echo reply"]
        for line in seen.stdout:
            wanted = [t for t in wanted if t not in line]
            if not wanted:
                break
        assert not wanted
        seen.kill()
        seen.stdout.close()
        seen.stderr.close()


def test_bridged_without_a_name(w, lan):
    """Each machine's own way to the same LAN."""
    with Machine(w, "a", "--net", "bridged,if=lan0") as a, \
            Machine(w, "b", "--net", "bridged,if=lan0") as b:
        is_on_the_lan(a)
        is_on_the_lan(b)
        pings(a.guest, b.guest.ip)


def test_bridged_stays_up(w, br0):
    vmlan("up", "home", "bridged", "bridge=br0")
    with Machine(w, "a", "--net", "bridged:home") as a:
        is_on_the_lan(a)
    assert show("home")["serving"] and show("home")["machines"] == []
    vmlan("down", "home")


def test_hostonly(w):
    """Machines and host reach each other; there is no way out."""
    before = links()
    with Machine(w, "a", "--net", "hostonly:lab") as a, \
            Machine(w, "b", "--net", "hostonly:lab") as b:
        assert "vm-lab" in links()
        a.guest.dhcp()
        b.static("192.168.56.5")
        assert a.guest.ip.startswith("192.168.56.") and "router" not in a.guest.lease
        for m, ip in ((a, a.guest.ip), (b, "192.168.56.5")):
            pings(m.guest, "192.168.56.1")
            sh("ping", "-c", "1", "-W", "5", ip)
        pings(a.guest, "192.168.56.5")
        # By the server, if it were one's router.
        b.guest.sh("ip", "route", "replace", "default", "via", "192.168.56.2")
        assert b.guest.sh("ping", "-c", "1", "-W", "1", INET_IP, check=False).returncode
    assert links() == before


# Asks $1 in many foreign names for its MAC.
MANY = """
import sys
from scapy.all import ARP, Ether, get_if_hwaddr, sendp, srp1
me = get_if_hwaddr("eth0")
gw = srp1(Ether(dst="ff:ff:ff:ff:ff:ff")/ARP(pdst=sys.argv[1]), iface="eth0", timeout=30,
          verbose=False).hwsrc
sendp([Ether(dst=gw)/ARP(op=1, hwsrc=me, psrc=f"198.18.{i // 250}.{i % 250 + 1}", pdst=sys.argv[1])
       for i in range(1100)], iface="eth0", verbose=False)
"""


@pytest.mark.parametrize("net,ip", [("hostonly:lab", "192.168.56.1"),
                                    ("natnet:lab,backend=kernel", "10.0.2.2")])
def test_no_machine_has_the_hosts_neighbours(w, net, ip):
    """The host's table of neighbours is one for all its interfaces: nobody
    fills it with those who are not there."""
    with Machine(w, "a", "--net", net) as a:
        a.guest.dhcp()
        pings(a.guest, ip)
        a.guest.sh(PYTHON, "-c", MANY, ip)
        pings(a.guest, ip)
        assert "198.18." not in sh("ip", "neigh", "show", "dev", "vm-lab").stdout


def test_no_machine_is_the_hosts_router(w):
    with Machine(w, "a", "--net", "hostonly:lab") as a:
        a.static("192.168.56.5")
        pings(a.guest, "192.168.56.1")
        a.guest.sh(PYTHON, "-c", ADVERTISE, "33:33:00:00:00:01", "ff02::1")
        a.guest.sh("ping", "-c", "1", "-W", "5", "192.168.56.1")
        assert not re.search("fe80::bad|db8:bad", sh("ip", "-6", "route").stdout +
                             sh("ip", "-6", "addr").stdout)


@pytest.fixture
def router():
    """The host forwards, and the world knows the way back."""
    flag = pathlib.Path("/proc/sys/net/ipv4/ip_forward")
    old = flag.read_text()
    flag.write_text("1\n")
    sh("ip", "route", "add", "192.168.56.0/24", "via", HOST_IP, ns="inet")
    yield
    sh("ip", "route", "del", "192.168.56.0/24", ns="inet")
    flag.write_text(old)


def crosses(m):
    """Pings out, and in."""
    out = m.guest.sh("ping", "-c", "1", "-W", "1", INET_IP, check=False)
    back = sh("ping", "-c", "1", "-W", "1", m.guest.ip, ns="inet", check=False)
    return [out.returncode == 0, back.returncode == 0]


def test_a_host_that_forwards_is_no_way_out(w, router):
    for mode, expected in (("hostonly:lab", [False, False]),
                           ("generic:lab,netdev=hostif,,ifname=h0,,addr=192.168.56.1/24,,forward=on",
                            [True, True])):
        with Machine(w, f"m{expected[0]}", "--net", mode) as m:
            m.guest.ip = m.static("192.168.56.6")
            m.guest.sh("ip", "route", "replace", "default", "via", "192.168.56.1")
            pings(m.guest, "192.168.56.1")
            assert crosses(m) == expected, mode
            # The host's other address is not on that network either.
            r = m.guest.sh("ping", "-c", "1", "-W", "1", HOST_IP, check=False)
            assert (r.returncode == 0) == expected[0], mode


def test_hostonly_as_asked(w):
    vmlan("up", "lab", "hostonly", "addr=10.9.8.1/24", "ifname=office", "dhcp=off")
    try:
        netdev, = show("lab")["netdevs"]
        assert re.fullmatch(r"hostif,ifname=office,addr=10\.9\.8\.1/24,"
                            r"addr=fd[0-9a-f:]+::1/64", netdev)
        assert "inet 10.9.8.1/24" in sh("ip", "addr", "show", "office").stdout
        # The host is there now: the next moves, or is refused.
        assert "10.9.8.0/24 already" in one_line(5, "up", "lab2", "hostonly", "addr=10.9.8.2/24")
        assert "office already" in one_line(5, "up", "lab2", "hostonly", "ifname=office")
    finally:
        vmlan("down", "lab")
    assert "office" not in links()


def test_hostonly_without_root(w):
    """The machines' LAN, and the host is not on it, which is said."""
    r = sh(*NO_ADMIN, VMLAN, "up", "lab", "hostonly", check=False)
    assert r.returncode == 0 and "the host is not on it" in r.stderr, r.stderr
    try:
        assert len(show("lab")["netdevs"]) == 1
        with Machine(w, "a", "--net", "hostonly:lab") as a:
            a.guest.dhcp()
            assert a.guest.ip.startswith("192.168.56.")
    finally:
        vmlan("down", "lab")
    r = sh(*NO_ADMIN, VMLAN, "up", "lab", "hostonly", "ifname=h0", check=False)
    assert r.returncode == 6 and len(r.stderr.splitlines()) == 1


def test_mistakes(w, lan):
    before = links()
    assert "bridge=br0" in one_line(2, "up", "lab", "bridged")
    assert "there is no interface 'nosuch'" in one_line(4, "up", "lab", "bridged", "bridge=nosuch")
    assert "there is no interface 'nosuch'" in one_line(4, "up", "lab", "bridged", "if=nosuch")
    assert "is no bridge" in one_line(1, "up", "lab", "bridged", "bridge=lan0")
    sh("ip", "link", "set", "lan0", "down")
    assert "lan0 is down" in one_line(1, "up", "lab", "bridged", "if=lan0")
    assert links() == before
