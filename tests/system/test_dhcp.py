# SPDX-License-Identifier: BSD-3-Clause
"""What real DHCP clients make of reservations, of options for all and for one,
and of an address that somebody has taken without asking.

        host  :  user   g0, g1  10.0.2.0/24; fec0::/64
"""
import pathlib

import pytest

import clients6
import world
from clients6 import read, words
from test_ip6 import place, vmlan  # noqa: F401
from world import wait_for

MAC = "52:54:00:aa:00:01"
ZOE, ZOE6 = "10.0.2.77", "fec0::4d"
USER = ("user,lease=3600,dhcpend=10.0.2.60,route=10.9.0.0/16/10.0.2.7,ntp-server=10.0.2.4,"
        f"ntp-server=fec0::4,reserve={MAC}/{ZOE}/zoe,dhcp-option={MAC}/domain-name:own.test,"
        "dhcp-option=domain-name:all.test,dhcp-option=240:text:word,"
        "dhcp-option=root-path:" + "r" * 100 + ",dhcp-option=path-prefix:" + "p" * 200 +
        ",dhcp-option=option6:domain-search:six.test")
CONF = """timeout 20;
option rfc3442 code 121 = array of unsigned integer 8;
option private code 240 = text;
request subnet-mask, routers, domain-name, domain-name-servers, host-name, ntp-servers, rfc3442,
        private, root-path;
"""


@pytest.fixture
def net(place):
    g = place.guest("g0", MAC)
    with vmlan(USER, g.netdev()) as v:
        yield place, g, v


def addresses(g, family):
    out = g.sh("ip", f"-{family}", "-o", "addr", "show", "dev", g.ifname).stdout
    return {l.split()[3].split("/")[0] for l in out.splitlines() if "tentative" not in l}


def test_udhcpc(net):
    _, g, _ = net
    g.dhcp("other")
    assert g.lease["ip"] == ZOE and g.lease["hostname"] == "zoe"
    assert g.lease["domain"] == "own.test" and g.lease["lease"] == "3600"


def dhclient4(g, *more):
    conf, out = pathlib.Path("/run/dhcp.conf"), pathlib.Path(f"/run/{g.ns}.dhclient4")
    conf.write_text(CONF)
    out.unlink(missing_ok=True)
    g.sh("ip", "link", "set", g.ifname, "up")
    g.sh("dhclient", "-4", *more, "-1", "-v", "-sf", clients6.SCRIPT, "-e", f"LEASE_OUT={out}",
         "-cf", str(conf), "-lf", f"/run/{g.ns}.leases4", "-pf", f"/run/{g.ns}.pid4", g.ifname)
    lease = read(out)
    g.sh("dhclient", "-4", "-x", "-sf", "/bin/true", "-lf", f"/run/{g.ns}.leases4", "-pf",
         f"/run/{g.ns}.pid4", g.ifname)
    return lease


def test_dhclient(net):
    """Both families; a second start asks for what it had (INIT-REBOOT)."""
    _, g, _ = net
    want = {"ip_address": ZOE, "host_name": "zoe", "domain_name": "own.test",
            "ntp_servers": "10.0.2.4", "dhcp_lease_time": "3600", "private": "word",
            "root_path": "r" * 100, "rfc3442": "16 10 9 10 0 2 7 0 10 0 2 2"}
    for _ in range(2):
        lease = dhclient4(g)
        assert {k: lease.get("new_" + k) for k in want} == want
    got = clients6.dhclient(g)
    assert got["address"] == ZOE6 and got["search"] == ["six.test"]
    clients6.dhclient_end(g)


def test_dhcpcd(net):
    _, g, _ = net
    g.sh("ip", "link", "set", g.ifname, "up")
    daemon, out = clients6.dhcpcd(g)
    with daemon:
        wait_for("an address of IPv4", lambda: ZOE in addresses(g, 4), 40)
        wait_for("an address of IPv6", lambda: ZOE6 in addresses(g, 6), 40)
        # Its script runs after the address is there.
        wait_for("both told", lambda: {"new_domain_name", "new_dhcp6_domain_search"} <= set(
            clients6.dhcpcd_told(out)), 40)
        told = clients6.dhcpcd_told(out)
        assert told["new_domain_name"] == "own.test"
        assert words(told["new_dhcp6_domain_search"]) == ["six.test"]


def test_networkd(net):
    _, g, _ = net
    with clients6.networkd(g) as daemon:
        wait_for("an address of IPv4", lambda: ZOE in addresses(g, 4), 40)
        wait_for("an address of IPv6", lambda: ZOE6 in addresses(g, 6), 40)
        wait_for("a route", lambda: "via 10.0.2.7" in g.sh("ip", "route", "show", "10.9.0.0/16").stdout,
                 20)
        wait_for("a time server", lambda: "10.0.2.4" in clients6.networkd_told(g, daemon).get(
            "NTP", ""), 20)


def test_an_address_that_is_taken(place):
    """Nobody is offered what answers already, in either family."""
    silent, g = place.guest("g1", "52:54:00:aa:00:02"), place.guest("g0", MAC)
    with vmlan("user", silent.netdev(), g.netdev()):
        silent.static("10.0.2.15")
        silent.sh("ip", "addr", "add", "fec0::f/64", "dev", "eth0", "nodad")
        g.dhcp()
        assert g.ip == "10.0.2.16"
        silent.sh("ip", "addr", "add", "fec0::10/64", "dev", "eth0", "nodad")
        got = clients6.dhclient(g)  # the place that it has by IPv4 comes first
        assert got["address"] not in ("fec0::f", "fec0::10")
        clients6.dhclient_end(g)
