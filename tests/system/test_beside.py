# SPDX-License-Identifier: BSD-3-Clause
"""The host beside the machines that share its network card: both reach each
other, and of the host's own nothing is changed.

        lan   192.168.77.1/24                        (the host's router, too)
          | veth
        host  lan0 192.168.77.2/24
          |   vmlan0, without an address
        a     a machine: bridged,if=lan0
"""
import os
import re
import signal

import pytest

from reach import ASK, PYTHON, Server
from test_modes import (Machine, kill_keeper, one_line,  # noqa: F401
                        rundir, show, vmlan)
from test_uplink import (LAN_IP, NO_ADMIN, lan, links, mac_of, meets, moves,  # noqa: F401
                         one_mac, pings)
from world import VMLAN, Vmlan, is_dead, settle, sh, wait_for

HOST = "192.168.77.2"
HOST6 = "2001:db8:77::2"
WAYS = ["if=lan0", "if=lan0,via=packet", "if=lan0,translate=on"]


@pytest.fixture
def host(lan):
    """The host is on its LAN, by which it has a route of its own."""
    sh("ip", "addr", "add", f"{HOST}/24", "dev", "lan0")
    sh("ip", "addr", "add", f"{HOST6}/64", "dev", "lan0", "nodad")
    sh("ip", "addr", "add", "2001:db8:77::1/64", "dev", "eth0", "nodad", ns="lan")
    sh("ip", "route", "add", "203.0.113.0/24", "via", LAN_IP)
    settle("lan0")
    yield lan


def state():
    """All of the host's own, but what IPv6 is about to settle."""
    return [links()] + [[x for x in sh(*c.split()).stdout.splitlines() if "fe80::" not in x]
                        for c in (
        "ip -4 -o addr show lan0", "ip route show table all", "ip -6 route show table all",
        "sysctl -a -r ^net.ipv[46].conf.(all|default|lan0)[.](arp|rp_|forw|acc|prox|disable)")]


def route(ip):
    """The interface by which the host speaks to it."""
    out = sh("ip", "-o", "route", "get", ip).stdout.split()
    return out[out.index("dev") + 1], out[out.index("src") + 1]


def is_beside(ip):
    return route(ip)[0].startswith("vmlan")


def tcp(ns, ip):
    return sh(PYTHON, "-c", ASK, ip, "tcp", "30", ns=ns).stdout.strip()


def the_host_is_on_its_lan():
    sh("ping", "-c", "1", "-W", "5", LAN_IP)
    sh("ping", "-c", "1", "-W", "5", HOST, ns="lan")
    assert route(LAN_IP) == ("lan0", HOST) and route("203.0.113.9") == ("lan0", HOST)
    # To its LAN it has one MAC.
    near = sh("ip", "neigh", "show", HOST, ns="lan").stdout
    assert mac_of("lan0") in near, near


@pytest.mark.parametrize("options", WAYS)
def test_both_ways(w, host, options, request):
    if "translate" in options:
        request.getfixturevalue("one_mac")
    before = state()
    with Machine(w, "a", "--net", "bridged:home," + options) as a:
        a.guest.dhcp()
        the_host_is_on_its_lan()
        meets(a.guest, HOST)
        wait_for("the host's route", lambda: is_beside(a.guest.ip))
        assert route(a.guest.ip)[1] == HOST
        sh("ping", "-c", "2", "-W", "5", a.guest.ip)
        with Server("a"), Server(None):
            assert tcp(None, a.guest.ip) == tcp("a", HOST) == "tcp hello"
        pings(a.guest, LAN_IP)
        the_host_is_on_its_lan()
        # What the host says of itself on the card does not lead machines there.
        sh("ip", "neigh", "flush", "dev", "lan0")
        the_host_is_on_its_lan()
        pings(a.guest, HOST)
        assert state()[1] == before[1] and state()[4] == before[4]
    wait_for("its end", lambda: state() == before)


def test_bytes(w, host):
    """32 MiB each way between machine and host."""
    with Machine(w, "a", "--net", "bridged,if=lan0") as a:
        a.guest.dhcp()
        meets(a.guest, HOST)
        moves(w, a.guest, None, HOST)


@pytest.mark.parametrize("options", WAYS)
def test_ip6(w, host, options, request):
    if "translate" in options:
        request.getfixturevalue("one_mac")
    with Machine(w, "a", "--net", "bridged,host=on," + options) as a:
        a.guest.sh("ip", "addr", "add", "2001:db8:77::9/64", "dev", "eth0")
        a.guest.sh("ip", "link", "set", "eth0", "up")
        wait_for("the host's route", lambda: is_beside("2001:db8:77::9"))
        meets(a.guest, HOST6)
        sh("ping", "-c", "1", "-W", "5", "2001:db8:77::9")
        sh("ping", "-c", "1", "-W", "5", "2001:db8:77::1")


def test_addresses_come_and_go(w, host):
    """A machine takes another address, and somebody on the LAN the old one."""
    with Machine(w, "a", "--net", "bridged,if=lan0") as a:
        old, new = a.static("192.168.77.200"), "192.168.77.201"
        meets(a.guest, HOST)
        wait_for("the route", lambda: is_beside(old))
        a.guest.sh("ip", "addr", "flush", "dev", "eth0")
        a.static(new)
        meets(a.guest, HOST)
        wait_for("the new route", lambda: is_beside(new))
        sh("ip", "addr", "add", f"{old}/24", "dev", "eth0", ns="lan")
        sh("ping", "-c", "1", "-W", "1", "-I", old, "192.168.77.222", ns="lan", check=False)
        wait_for("the old one's end", lambda: not is_beside(old))
        sh("ping", "-c", "1", "-W", "5", old)
        assert is_beside(new)


def test_the_host_moves(w, host):
    """Its address changes: machines reach it by the new one."""
    with Machine(w, "a", "--net", "bridged,if=lan0") as a:
        ip = a.static("192.168.77.200")
        meets(a.guest, HOST)
        wait_for("the route", lambda: is_beside(ip))
        sh("ip", "addr", "del", f"{HOST}/24", "dev", "lan0")
        sh("ip", "addr", "add", "192.168.77.3/24", "dev", "lan0")
        wait_for("the route", lambda: is_beside(ip) and route(ip)[1] == "192.168.77.3")
        meets(a.guest, "192.168.77.3")
        sh("ip", "addr", "flush", "dev", "lan0")
        wait_for("the end of the route",
                 lambda: "192.168.77.200" not in sh("ip", "route").stdout)


@pytest.mark.parametrize("ip", [LAN_IP, "192.168.77.2", "192.168.77.7"])
def test_no_machine_takes_the_hosts_connections(w, host, ip):
    """The router's address, the host's own, and that of one whom it knows."""
    if ip.endswith(".7"):
        sh("ip", "addr", "add", f"{ip}/24", "dev", "eth0", ns="lan")
        sh("ping", "-c", "1", "-W", "5", ip)
    before = state()
    with Machine(w, "a", "--net", "bridged,if=lan0,via=packet") as a:
        a.static(ip)
        for target in ("192.168.77.50", HOST):
            a.guest.sh("ping", "-c", "2", "-W", "1", target, check=False)
        assert not is_beside(ip)
        the_host_is_on_its_lan()
        # one that comes after it is told
        a.static("192.168.77.60")
        a.guest.sh("ping", "-c", "2", "-W", "1", "-I", "192.168.77.60", "192.168.77.51",
                   check=False)
        wait_for("a route", lambda: is_beside("192.168.77.60"))
        assert not is_beside(ip)
    wait_for("its end", lambda: state() == before)


# A router's advertisement to $2, whose MAC is $1: of a network, and of itself.
ADVERTISE = """
import sys
from scapy.all import (Ether, IPv6, ICMPv6ND_RA, ICMPv6NDOptPrefixInfo, ICMPv6NDOptSrcLLAddr,
                       get_if_hwaddr, sendp)
sendp(Ether(dst=sys.argv[1])/IPv6(src="fe80::bad", dst=sys.argv[2], hlim=255)
      /ICMPv6ND_RA(routerlifetime=1800, prf=1)
      /ICMPv6NDOptPrefixInfo(prefix="2001:db8:bad::", prefixlen=64, L=1, A=1)
      /ICMPv6NDOptSrcLLAddr(lladdr=get_if_hwaddr("eth0")), iface="eth0", verbose=False)
"""


def test_no_machine_is_the_hosts_router(w, host):
    """Neither in the port nor in the kernel, be it asked past the port."""
    before = sh("ip", "-6", "route", "show", "default").stdout
    with Machine(w, "a", "--net", "bridged,host=on,if=lan0") as a:
        a.guest.sh("ip", "addr", "add", "2001:db8:77::9/64", "dev", "eth0")
        a.guest.sh("ip", "link", "set", "eth0", "up")
        meets(a.guest, HOST6)
        a.guest.sh(PYTHON, "-c", ADVERTISE, mac_of("vmlan0"), HOST6)
        a.guest.sh("ping", "-c", "1", "-W", "5", HOST6)
        assert not re.search("fe80::bad|db8:bad", sh("ip", "-6", "route").stdout +
                             sh("ip", "-6", "addr").stdout)
        assert sh("ip", "-6", "route", "show", "default").stdout == before
        conf = "/proc/sys/net/ipv{}/conf/vmlan0/{}"
        for family, name, value in ((6, "accept_ra", 0), (6, "accept_redirects", 0),
                                    (4, "accept_redirects", 0), (4, "rp_filter", 1)):
            with open(conf.format(family, name)) as f:
                assert int(f.read()) == value, name


OWN_ROUTES = {
    "a part of the network": ["192.168.77.128/25", "dev", "vpn0"],
    "the address, though later": ["192.168.77.130", "dev", "vpn0", "metric", "100"],
    "by a router on the card": ["192.168.77.128/25", "via", LAN_IP, "dev", "lan0"],
    "nobody": ["blackhole", "192.168.77.130"],
}


@pytest.mark.parametrize("what", OWN_ROUTES)
def test_no_machine_takes_the_hosts_routes(w, host, what):
    """What the host has by another way than the card's own network."""
    sh("ip", "link", "add", "vpn0", "type", "bridge")
    sh("ip", "addr", "add", "198.51.100.1/24", "dev", "vpn0")
    sh("ip", "link", "set", "vpn0", "up")
    sh("ip", "route", "add", *OWN_ROUTES[what])
    before = state()
    ip = "192.168.77.130"
    try:
        with Machine(w, "a", "--net", "bridged,if=lan0,via=packet") as a:
            a.static(ip)
            a.guest.sh("ping", "-c", "2", "-W", "1", HOST, check=False)
            # one that comes after it is told
            a.static("192.168.77.60")
            a.guest.sh("ping", "-c", "2", "-W", "1", "-I", "192.168.77.60", "192.168.77.51",
                       check=False)
            wait_for("a route", lambda: is_beside("192.168.77.60"))
            assert f"{ip} dev vmlan" not in sh("ip", "route").stdout
        wait_for("its end", lambda: state() == before)
    finally:
        sh("ip", "route", "del", *OWN_ROUTES[what], check=False)
        sh("ip", "link", "del", "vpn0")


def test_an_address_that_was_anothers(w, host):
    """Whom the host knows by an address may be gone: then it is the machine's."""
    ip = "192.168.77.7"
    sh("ip", "addr", "add", f"{ip}/24", "dev", "eth0", ns="lan")
    sh("sysctl", "net.ipv4.neigh.lan0.delay_first_probe_time=1",
       "net.ipv4.neigh.lan0.base_reachable_time_ms=1000")
    sh("ping", "-c", "1", "-W", "5", ip)
    sh("ip", "addr", "del", f"{ip}/24", "dev", "eth0", ns="lan")
    with Machine(w, "a", "--net", "bridged,if=lan0") as a:
        a.static(ip)
        a.guest.sh("ping", "-c", "1", "-W", "1", HOST, check=False)
        wait_for("the route", lambda: is_beside(ip), seconds=60)
        pings(a.guest, HOST)


def test_killed(w, host):
    """Keeper and engine: what the host had besides goes with them, and comes
    back with the next keeper."""
    before = state()
    with Machine(w, "a", "--net", "bridged:home,if=lan0") as a:
        ip = a.static("192.168.77.200")
        meets(a.guest, HOST)
        wait_for("the route", lambda: is_beside(ip))
        os.kill(show("home")["engine"], signal.SIGKILL)
        meets(a.guest, HOST)
        wait_for("the route", lambda: is_beside(ip))
        o = kill_keeper("home")
        pings(a.guest, HOST)  # the engine goes on
        os.kill(o["engine"], signal.SIGKILL)
        wait_for("its end", lambda: is_dead(o["engine"]))
        wait_for("its traces", lambda: state() == before)
        assert show("home")["serving"]
        meets(a.guest, HOST)
        wait_for("the route", lambda: is_beside(ip))
    wait_for("its end", lambda: state() == before)


def test_host_off(w, host):
    """As asked, and as it is for who may make no interface."""
    before = links()
    r = vmlan("up", "home", "bridged", "if=lan0", "via=packet", "host=off")
    assert "do not reach each other" in r.stderr and show("home")["netdevs"] == ["packet,if=lan0"]
    assert "host     not reached" in vmlan("show", "home").stdout
    assert links() == before
    vmlan("down", "home")
    r = sh(*NO_ADMIN, VMLAN, "up", "home", "bridged", "if=lan0", "via=packet", check=False)
    assert r.returncode == 0 and "do not reach each other" in r.stderr, r.stderr
    vmlan("down", "home")
    r = sh(*NO_ADMIN, VMLAN, "up", "home", "bridged", "if=lan0", "host=on", check=False)
    assert r.returncode == 6 and len(r.stderr.splitlines()) == 1, r.stderr
    vmlan("up", "home", "bridged", "if=lan0")
    assert "host     reached" in vmlan("show", "home").stdout
    assert "vmlan0" in links()
    vmlan("down", "home")
    assert links() == before


def test_mistakes(w, host):
    before = links()
    r = sh(VMLAN, "join", "hostif,if=nosuch", check=False)
    assert r.returncode == 4 and "no interface 'nosuch'" in r.stderr
    sh("ip", "tuntap", "add", "vmlan0", "mode", "tap")
    with Vmlan(["packet,if=lan0", "hostif,if=lan0"]):
        assert "vmlan1" in links()
    r = sh(VMLAN, "join", "hostif,if=lan0,ifname=vmlan0", check=False)
    assert r.returncode == 5, r.stderr
    sh("ip", "link", "del", "vmlan0")
    assert links() == before
