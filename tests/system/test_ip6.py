# SPDX-License-Identifier: BSD-3-Clause
"""IPv6 beside IPv4: what real clients get of the gateway, and hosts and guests of
one family.  (A host that changes: test_ip6_host.py.)

        inet  192.0.2.1, 203.0.113.80; 2001:db8::1, 2001:db8:80::80
          |
        host  192.0.2.2; 2001:db8::2 while it has IPv6
          :   user
        guest 10.0.2.15; fec0::/64, gateway fec0::2 and fe80::2
"""
import errno
import json
import pathlib
import select
import subprocess

import pytest

import clients6
import pxe
import world
from test_edges import Agent
from world import HERE, HOST_IP6, INET_IP, INET_IP6, WEB_IP, WEB_IP6, sh, sysctl, wait_for

PY = "/usr/bin/python3"
RESOLV = pathlib.Path("/run/resolv-ip6.conf")
USER = "user,mtu=1400,domainname=dom.test,dnssearch=a.test,dnssearch=b.a.test"
NET, GATEWAY, LINK, DNS = "fec0::", "fec0::2", "fe80::2", "fec0::3"
SEARCH = {"dom.test", "a.test", "b.a.test"}
OTHER_IP6, OTHER_GW6 = "2001:db8:f::2", "2001:db8:f::1"
PORT = 7007

# Answers each line with the client's address and the line.
SERVER = """
import contextlib, socket, sys, threading
def serve(c, who):
    with contextlib.suppress(ConnectionResetError), c, c.makefile("rw") as f:
        for line in f:
            f.write(who + " " + line)
            f.flush()
s = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True,
                         backlog=64)
while True:
    c, a = s.accept()
    threading.Thread(target=serve, args=(c, a[0].removeprefix("::ffff:")), daemon=True).start()
"""

# For the guest's agent.
FLOWS = """
flows = {}
def connect(name, ip):
    s = socket(AF_INET6 if ":" in ip else AF_INET)
    s.settimeout(20)
    s.connect((ip, %d))
    flows[name] = s
    return True
def say(name, text):
    s = flows[name]
    s.sendall(text.encode() + bytes([10]))
    got = b""
    while not got.endswith(bytes([10])):
        more = s.recv(1000)
        if not more:
            raise OSError(0, "end")
        got += more
    return got.decode().split()
def new(ip):
    connect("new", ip)
    with flows["new"]:
        return say("new", "hello")[0]
""" % PORT


@pytest.fixture
def place(w):
    """An internet of both families, and nobody in the host's yet: call it."""
    w.join6()
    w.serve(PY, "-c", SERVER, str(PORT), ns="inet", port=PORT)
    w.python("dns_server.py", WEB_IP, "::", WEB_IP6, port=53, proto="udp")
    RESOLV.write_text(f"nameserver {INET_IP}\nnameserver {INET_IP6}\n")
    return w


def vmlan(*netdevs, resolv=RESOLV):
    return world.Vmlan(list(netdevs), env={"VMLAN_RESOLV_CONF": str(resolv)})


@pytest.fixture
def net(place):
    g = place.guest()
    with vmlan(USER, g.netdev()) as v:
        yield place, g, v


@pytest.fixture
def agents():
    made = []

    def make(ns):
        a = Agent(ns)
        made.append(a)
        a.do(FLOWS)
        return a

    yield make
    for a in made:
        a.close()


def dig(g, server, name="web.test", what="AAAA"):
    return g.sh("dig", "+tries=1", "+time=20", "+short", f"@{server}", name, what,
                check=False).stdout.strip()


class Adverts:
    """What routers tell a guest, as it comes."""

    def __init__(self, g, *how):
        # without a buffer, of which select() would know nothing
        self.p = g.popen(PY, str(HERE / "ra.py"), g.ifname, *how, stdout=subprocess.PIPE,
                         bufsize=0)
        assert self.p.stdout.readline() == b"{}\n"

    def next(self, seconds=20):
        assert select.select([self.p.stdout], [], [], seconds)[0], "no advertisement comes"
        return json.loads(self.p.stdout.readline())

    def until(self, true):
        while True:
            ra = self.next()
            if true(ra):
                return ra

    def __enter__(self):
        return self

    def __exit__(self, *rest):
        self.p.kill()
        self.p.wait()
        self.p.stdout.close()


def uses_both(g, agent):
    """Names and connections of the guest, over both families."""
    assert agent.do(f"new({WEB_IP6!r})") == HOST_IP6
    assert agent.do(f"new({WEB_IP!r})") == world.HOST_IP
    assert dig(g, DNS) == WEB_IP6
    assert dig(g, "10.0.2.3", what="A") == WEB_IP


# ---- what clients get ----

def test_advertisement(net):
    """All that an advertisement can tell, by the rules of RFC 4861."""
    _, g, _ = net
    g.sh("ip", "link", "set", "eth0", "up")
    with Adverts(g, "ask") as heard:
        ra = heard.next()
    prefix, = ra.pop("prefixes")
    assert prefix["prefix"] == f"{NET}/64" and prefix["onlink"] and prefix["auto"]
    assert 0 < prefix["preferred"] <= prefix["valid"]
    assert (ra["from"], ra["hops"], ra["mtu"], ra["dns"]) == (LINK, 255, 1400, [DNS])
    assert set(ra["search"]) == SEARCH
    assert 0 < ra["lifetime"] <= 9000 and 0 < ra["dns_lifetime"]
    assert ra["mac"] == g.sh("ip", "-6", "neigh", "show", LINK).stdout.split()[4] or \
        ra["mac"].startswith("52:")


def test_slaac(net, agents):
    _, g, _ = net
    got = clients6.slaac(g)
    assert all(a.startswith(NET) for a in got["address"])
    assert got["router"] == LINK and got["mtu"] == 1400 and 0 < got["lifetime"] <= 9000
    g.dhcp()
    uses_both(g, agents(g.ns))


@pytest.mark.parametrize("how", ["stateful", "stateless"])
def test_dhclient(net, agents, how):
    _, g, _ = net
    got = clients6.dhclient(g, *(["-S"] if how == "stateless" else []))
    assert got["dns"] == [DNS] and set(got["search"]) == SEARCH
    wait_for("the rest by advertisements", lambda: "router" in clients6.kernel(g), 20)
    kernel = clients6.kernel(g)
    assert kernel["router"] == LINK and kernel["mtu"] == 1400 and kernel["lifetime"] > 0
    g.dhcp()
    wait_for("addresses that are sure", lambda: clients6.kernel(g)["address"], 20)
    if how == "stateful":
        assert got["address"].startswith(NET)
        wait_for("the lease", lambda: got["address"] in clients6.kernel(g)["address"], 20)
        # one of its own is kept
        clients6.dhclient_end(g, "-x")
        assert clients6.dhclient(g)["address"] == got["address"]
    uses_both(g, agents(g.ns))
    if how == "stateful":
        clients6.dhclient_end(g)


def test_dhcpcd(net, agents):
    _, g, _ = net
    g.sh("ip", "link", "set", "eth0", "up")
    daemon, out = clients6.dhcpcd(g)
    with daemon:
        def told():
            return clients6.dhcpcd_told(out)

        wait_for("all leases", lambda: {"new_dhcp6_ia_na1_ia_addr1", "nd_rdnss1_servers",
                                        "new_ip_address"} <= set(told()), 40)
        t = told()
        assert t["new_dhcp6_ia_na1_ia_addr1"].startswith(NET)
        assert t["new_dhcp6_name_servers"] == t["nd_rdnss1_servers"] == DNS
        assert set(t["new_dhcp6_domain_search"].split()) == SEARCH
        assert set(t["nd_dnssl1_search"].split()) == SEARCH
        assert t["nd_mtu"] == "1400" and 0 < int(t["nd_lifetime"]) <= 9000
        assert t["nd_from"] == LINK
        assert (t["new_ip_address"], t["new_routers"], t["new_domain_name_servers"]) == (
            "10.0.2.15", "10.0.2.2", "10.0.2.3")
        wait_for("its addresses", lambda: t["new_dhcp6_ia_na1_ia_addr1"] in
                 clients6.kernel(g)["address"], 20)
        uses_both(g, agents(g.ns))


def test_networkd(net, agents):
    _, g, _ = net
    with clients6.networkd(g) as daemon:
        wait_for("both families", lambda: clients6.networkd_told(g, daemon).get("ADMIN_STATE") ==
                 "configured" and len(clients6.kernel(g)["address"]) > 1, 40)
        t = clients6.networkd_told(g, daemon)
        assert set(t["DNS"].split()) == {DNS, "10.0.2.3"}
        assert set(t["DOMAINS"].split()) == SEARCH
        got = clients6.kernel(g)
        assert all(a.startswith(NET) for a in got["address"])
        assert got["router"] == LINK and 0 < got["lifetime"] <= 9000
        # (this one gives the MTU to its routes)
        assert "mtu 1400" in g.sh("ip", "-6", "route", "show", "default").stdout
        uses_both(g, agents(g.ns))


@pytest.mark.qemu
@pytest.mark.parametrize("families", ["", ",ipv4=off"])
def test_ipxe(place, families):
    """The boot program in the ROM of QEMU's cards."""
    sock = "/run/ipxe.sock"
    with vmlan(USER + families, f"stream,server=on,addr.type=unix,addr.path={sock}"), \
            pxe.Pxe(["-netdev", f"stream,id=n,addr.type=unix,addr.path={sock}", "-device",
                     "virtio-net-pci,netdev=n"]) as vm:
        vm.until(rf"net0: {NET}[0-9a-f:]+/64 gw {LINK}\n")
        if not families:
            assert vm.lease() == "10.0.2.15"


# ---- the host ----

def leave6():
    sh("ip", "-6", "route", "del", "default")
    sh("ip", "-6", "addr", "del", f"{HOST_IP6}/64", "dev", "up0")


def enter6(ip=HOST_IP6, gw=INET_IP6):
    sh("ip", "addr", "add", f"{ip}/64", "dev", "up0", "nodad")
    sh("ip", "-6", "route", "replace", "default", "via", gw)


def is_told(agent, ip, number):
    """A connection that nobody can make ends at once, by that error."""
    return agent.ask(f"new({ip!r})") == ("os", number)


# ---- hosts and guests of one family ----

def warnings(v):
    return [l for l in v.log().splitlines() if "warning" in l or "error" in l]


def test_host_of_ip4_only(net, agents):
    _, g, v = net
    leave6()
    g.dhcp()
    a = agents(g.ns)
    assert a.do(f"new({WEB_IP!r})") == world.HOST_IP
    assert is_told(a, WEB_IP6, errno.ENETUNREACH)
    # names of both families, by both
    wait_for("an address", lambda: clients6.kernel(g)["address"], 20)
    for server in (DNS, "10.0.2.3"):
        assert dig(g, server) == WEB_IP6 and dig(g, server, what="A") == WEB_IP
    assert len(warnings(v)) <= 1, warnings(v)


def test_host_of_ip6_only(place, agents):
    sh("ip", "-4", "addr", "flush", "dev", "up0")
    g = place.guest()
    with vmlan(USER, g.netdev()) as v:
        clients6.slaac(g)
        g.dhcp()
        a = agents(g.ns)
        assert a.do(f"new({WEB_IP6!r})") == HOST_IP6
        how, number = a.ask(f"new({WEB_IP!r})")
        assert how == "os" and number in (errno.ENETUNREACH, errno.EHOSTUNREACH), (how, number)
        for server in (DNS, "10.0.2.3"):
            assert dig(g, server) == WEB_IP6
        assert len(warnings(v)) <= 1, warnings(v)


@pytest.fixture
def no_ip6():
    """As ipv6.disable=1 leaves a host: no address, no way, none to be had."""
    for name in ("all", "default", "lo", "up0"):
        sysctl(None, f"net/ipv6/conf/{name}/disable_ipv6", 1)
    yield
    for name in ("all", "default", "lo", "up0"):
        sysctl(None, f"net/ipv6/conf/{name}/disable_ipv6", 0)


def test_host_without_ip6(place, no_ip6, agents):
    g = place.guest()
    with vmlan(USER + ",hostfwd=tcp::2222-:22", g.netdev()) as v:
        g.dhcp()
        a = agents(g.ns)
        assert a.do(f"new({WEB_IP!r})") == world.HOST_IP
        assert is_told(a, WEB_IP6, errno.ENETUNREACH)
        assert dig(g, "10.0.2.3", what="A") == WEB_IP
        a.do("l = create_server(('', 22)); l.settimeout(20)")
        i = agents("inet")
        i.do(f"c = create_connection(({world.HOST_IP!r}, 2222), timeout=20)")
        a.do("a, who = l.accept()")
        assert len(warnings(v)) <= 1, warnings(v)


def test_guest_of_ip4_only(place, agents):
    g = place.guest()
    sysctl(g.ns, "net/ipv6/conf/default/disable_ipv6", 1)
    with vmlan(USER, g.netdev()) as v:
        g.dhcp()
        a = agents(g.ns)
        assert a.do(f"new({WEB_IP!r})") == world.HOST_IP
        assert dig(g, "10.0.2.3") == WEB_IP6 and dig(g, "10.0.2.3", what="A") == WEB_IP
        assert warnings(v) == []


def test_guest_of_ip6_only(net, agents):
    """(What there is only of IPv4 needs nat64=on.)"""
    _, g, v = net
    clients6.slaac(g)
    a = agents(g.ns)
    assert a.do(f"new({WEB_IP6!r})") == HOST_IP6
    assert is_told(a, WEB_IP, errno.ENETUNREACH)
    assert dig(g, DNS) == WEB_IP6
    assert warnings(v) == []


@pytest.mark.parametrize("option, family", [("ipv6=off", 4), ("ipv4=off", 6)])
def test_network_of_one_family(place, agents, option, family):
    """What is switched off is not there at all."""
    g = place.guest()
    with vmlan(f"{USER},{option}", g.netdev()):
        g.sh("ip", "link", "set", "eth0", "up")
        a = agents(g.ns)
        if family == 4:
            g.dhcp()
            assert a.do(f"new({WEB_IP!r})") == world.HOST_IP
            with Adverts(g, "ask") as heard:
                # somebody else would have been answered by now
                assert not select.select([heard.p.stdout], [], [], 2.5)[0]
            assert clients6.kernel(g)["address"] == []
        else:
            clients6.slaac(g)
            assert a.do(f"new({WEB_IP6!r})") == HOST_IP6
            r = g.sh("udhcpc", "-i", "eth0", "-n", "-q", "-t", "2", "-T", "1", "-s", "/bin/true",
                     check=False)
            assert r.returncode != 0
