# SPDX-License-Identifier: BSD-3-Clause
"""Guests with IPv6 alone reach IPv4 (nat64=on), on hosts with one family or
both, by the kernel's own SLAAC and real traffic; one with IPv4 alone beside.

        inet  192.0.2.1/24, 203.0.113.80/32 [2001:db8:1::1/64, 2001:db8:2::80]
          |
        host  192.0.2.2/24                  [2001:db8:1::2/64]
          :   user,ipv6=on,nat64=on
        g0    fec0::/64 by advertisement
"""
import json
import pathlib

import pytest

import world
from world import INET_IP, WEB_IP, sh

RESOLV = pathlib.Path("/run/resolv.conf")
WEB64 = "64:ff9b::cb00:7150"
WEB6 = "2001:db8:2::80"


def give_ipv6():
    """The host leads to the internet in IPv6, too."""
    sh("ip", "addr", "add", "2001:db8:1::2/64", "dev", "up0", "nodad")
    sh("ip", "addr", "add", "2001:db8:1::1/64", "dev", "eth0", "nodad", ns="inet")
    sh("ip", "addr", "add", f"{WEB6}/128", "dev", "lo", "nodad", ns="inet")
    sh("ip", "route", "add", "default", "via", "2001:db8:1::1")


def is_ready6(g):
    """An address that may be used, and a router."""
    addrs = json.loads(g.sh("ip", "-6", "-j", "addr", "show", "dev", "eth0").stdout)
    own = [a for i in addrs for a in i.get("addr_info", [])
           if a["local"].startswith("fec0:") and not a.get("tentative")]
    return own and "default" in g.sh("ip", "-6", "route").stdout


def join(w, opts, *more):
    RESOLV.write_text(f"nameserver {INET_IP}\n")
    w.python("dns_server.py", port=53, proto="udp")
    g = w.guest()
    return g, world.Vmlan([opts, g.netdev(), *more],
                          env={"VMLAN_RESOLV_CONF": str(RESOLV)})


def slaac(g):
    g.sh("ip", "link", "set", "eth0", "up")
    world.wait_for("an address and a router", lambda: is_ready6(g))


@pytest.fixture(params=["ipv4", "both"])
def net(w, request):
    """A guest of IPv6 behind a host without it, and with it."""
    if request.param == "both":
        give_ipv6()
    g, vmlan = join(w, "user,ipv6=on,nat64=on")
    with vmlan as v:
        slaac(g)
        yield w, g, v


def dig(g, *args, server="fec0::3"):
    return g.sh("dig", "+tries=1", "+time=20", "+short", f"@{server}", *args,
                check=False).stdout.split()


def page(g, host):
    return g.sh("curl", "-sS", "-m", "20", f"http://[{host}]/", check=False).stdout


def test_by_name_over_udp_and_tcp(net):
    w, g, _ = net
    w.python("web_server.py", "hello", port=80)
    assert dig(g, "AAAA", "www.test") == [WEB64]
    assert dig(g, "+tcp", "AAAA", "www.test") == [WEB64]
    # several by one connection
    assert dig(g, "+tcp", "+keepopen", "a.test", "AAAA", "b.test", "AAAA",
               "c.test", "A") == [WEB64, WEB64, WEB_IP]
    assert page(g, WEB64) == "hello\n"
    # what is too long for UDP comes by TCP
    assert len("".join(dig(g, "TXT", "big.test"))) > 3000
    assert dig(g, "AAAA", "ipv4only.arpa") == ["64:ff9b::c000:aa", "64:ff9b::c000:ab"]


def test_by_address(net):
    w, g, _ = net
    w.serve("socat", "UDP4-RECVFROM:7777,fork", "EXEC:cat", port=7777, proto="udp")
    assert g.sh("ping", "-c", "2", "-i", "0.2", "-W", "5", WEB64, check=False).returncode == 0
    said = g.sh("socat", "-t", "5", "-", "UDP6:[64:ff9b::192.0.2.1]:7777", input="abc",
                check=False).stdout
    assert said == "abc"
    hops = g.sh("traceroute", "-6", "-n", "-q", "1", "-w", "5", WEB64).stdout.split("\n")[1:]
    assert [h.split()[1] for h in hops if h] == ["fec0::2", WEB64]
    # the way back of a name
    assert "0.113.0.203.in-addr.arpa." in " ".join(dig(g, "-x", "64:ff9b::203.0.113.0"))


def test_what_is_refused(net):
    w, g, _ = net
    # the host's own loopback is not an address of the internet
    with world.process("/usr/bin/python3", str(world.HERE / "line_echo.py"),
                       "127.0.0.1", "8080"):
        world.wait_for("a server", lambda: ":8080 " in sh("ss", "-Hltn").stdout)
        r = g.sh("curl", "-sS", "-m", "20", "http://[64:ff9b::7f00:1]:8080/", check=False)
        assert r.returncode == 7  # at once, by a RST
    r = g.sh("curl", "-sS", "-m", "20", f"http://[{WEB64}]:81/", check=False)
    assert r.returncode == 7


def test_which_family_a_name_leads_to(net, request):
    w, g, _ = net
    has_v6 = "both" in request.node.name
    w.serve("/usr/bin/python3", "-m", "http.server", "-b", "::", "8000", port=8000)
    # a name of both leads to IPv6, if that leads out of the host
    assert dig(g, "AAAA", "both.test") == [WEB6 if has_v6 else WEB64]
    r = g.sh("curl", "-sS", "-m", "20", "-o", "/dev/null", f"http://[{WEB6}]:8000/", check=False)
    assert r.returncode == (0 if has_v6 else 7)


def test_the_host_gets_ipv6_and_loses_it(w):
    g, vmlan = join(w, "user,ipv6=on,nat64=on")
    with vmlan:
        slaac(g)
        assert dig(g, "AAAA", "both.test") == [WEB64]
        give_ipv6()
        world.wait_for("the new way", lambda: dig(g, "AAAA", "both.test") == [WEB6])
        sh("ip", "-6", "route", "del", "default")
        world.wait_for("the old way", lambda: dig(g, "AAAA", "both.test") == [WEB64])
        # there is a way out all the time
        assert is_ready6(g)


def test_a_guest_of_ipv4_is_told_nothing_new(w):
    """It is on a network where others have IPv6 alone."""
    w.python("web_server.py", "hello", port=80)
    other = w.guest("g9")
    g, vmlan = join(w, "user,nat64=on", other.netdev())
    with vmlan:
        g.sh("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        g.dhcp()
        slaac(other)
        assert dig(g, "AAAA", "www.test", server="10.0.2.3") == []
        assert dig(g, "+tcp", "A", "www.test", server="10.0.2.3") == [WEB_IP]
        assert g.sh("curl", "-sS", f"http://{WEB_IP}/").stdout == "hello\n"
        assert page(other, WEB64) == "hello\n"


def test_a_host_of_ipv6_alone(w):
    """Guests of both families: one works, the other is refused at once."""
    give_ipv6()
    sh("ip", "route", "del", "default")
    sh("ip", "addr", "flush", "dev", "up0", "scope", "global", "to", "192.0.2.0/24")
    w.serve("/usr/bin/python3", "-m", "http.server", "-b", "::", "8000", port=8000)
    g, vmlan = join(w, "user,ipv4=on,ipv6=on")
    with vmlan:
        slaac(g)
        g.static()
        for host, code in ((f"[{WEB6}]", 0), (WEB_IP, 7)):
            r = g.sh("curl", "-sS", "-m", "20", "-o", "/dev/null",
                     f"http://{host}:8000/", check=False)
            assert r.returncode == code


def test_off_by_default(w):
    g, vmlan = join(w, "user,ipv6=on")
    with vmlan:
        g.sh("ip", "link", "set", "eth0", "up")
        world.wait_for("an address", lambda: "fec0:" in
                       g.sh("ip", "-6", "addr", "show", "-tentative").stdout)
        assert dig(g, "AAAA", "www.test") == []
