# SPDX-License-Identifier: BSD-3-Clause
"""Machines of a network find each other by name.

        a, b, ..                machines, by `vmlan run` as in test_modes.py,
        |  |                    by `vmlan join` and by `vmlan exec`
      [network] -- host -- inet: dnsmasq, that notes what it is asked

"""
import os
import pathlib
import re
import signal

import pytest

from test_modes import Machine, rundir, show, vmlan  # noqa: F401
from world import INET_IP, Vmlan, js, sh, wait_for

RESOLV = pathlib.Path("/run/resolv.conf")
ASKED = pathlib.Path("/run/dnsmasq.log")


@pytest.fixture
def net(w, monkeypatch):
    """The host's resolver is a dnsmasq in the internet."""
    ASKED.unlink(missing_ok=True)  # it was dnsmasq's, in a sticky folder
    ASKED.write_text("")
    ASKED.chmod(0o666)
    RESOLV.write_text(f"nameserver {INET_IP}\n")
    monkeypatch.setenv("VMLAN_RESOLV_CONF", str(RESOLV))
    w.serve("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
            "--pid-file=", "--bind-interfaces", "--log-queries",
            f"--log-facility={ASKED}", "--address=/outside.test/203.0.113.80",
            "--address=/nas/203.0.113.9", port=53, proto="udp")
    return w


def dig(ns, server, *args):
    """The lines of the answer, short; None: there is none."""
    r = sh("dig", f"@{server}", "+time=3", "+tries=2", "+short", *args, ns=ns, check=False)
    return [x for x in r.stdout.split("\n")[:-1] if x[:1] != ";"] if r.returncode == 0 else None


def status(ns, server, *args):
    """NXDOMAIN, NOERROR ..; None: no answer."""
    r = sh("dig", f"@{server}", "+time=3", "+tries=2", *args, ns=ns, check=False)
    m = re.search(r"status: (\w+)", r.stdout)
    return m and m[1]


def getent(guest, server, search, name, database="ahostsv4"):
    """What a program of the guest finds by the C library."""
    conf = pathlib.Path(f"/run/{guest.ns}.resolv")
    conf.write_text(f"nameserver {server}\n" + (f"search {search}\n" if search else ""))
    r = guest.sh("unshare", "--mount", "sh", "-c", 'mount --bind "$1" /etc/resolv.conf && '
                 'exec getent "$2" "$3"', "sh", str(conf), database, name, check=False)
    return r.stdout.split()[0] if r.stdout else None


def asked():
    """Names that a resolver was asked for; their letters are of random case."""
    return [n.lower() for n in re.findall(r"query\[\w+\] (\S+) from", ASKED.read_text())]


def addresses6(m):
    """Those that others may use."""
    return [a["local"] for l in js("-6", "addr", "show", "eth0", "scope", "global", ns=m.guest.ns)
            for a in l.get("addr_info", []) if "local" in a and not a.get("tentative")]


def test_given_names(net):
    """Forward and back, in both families, by dig and by the C library, over
    UDP and TCP; and gone with the machine."""
    with Machine(net, "a", "--net", "natnet:lab") as a:
        a.guest.dhcp("other")
        dns = "10.0.2.3"
        dns6 = show("lab")["subnets"][1]["dns"]
        assert a.guest.lease["domain"] == "vm.lan"
        assert status("a", dns, "b.vm.lan") == "NXDOMAIN"
        with Machine(net, "b", "--net", "natnet:lab") as b:
            b.guest.dhcp()
            ip6 = wait_for("an address of b", lambda: addresses6(b))
            wait_for("its name", lambda: dig("a", dns, "b.vm.lan", "AAAA"))
            assert set(dig("a", dns, "b.vm.lan", "AAAA")) <= set(ip6)
            for by in (dns, dns6):
                for how in ("+notcp", "+tcp"):
                    assert dig("a", by, how, "b.vm.lan") == [b.guest.ip]
                    assert dig("a", by, how, "-x", b.guest.ip) == ["b.vm.lan."]
                    assert dig("a", by, how, "-x", ip6[0]) == ["b.vm.lan."]
            assert getent(a.guest, dns, "vm.lan", "b") == b.guest.ip
            assert getent(a.guest, dns, None, "b") == b.guest.ip
            assert getent(a.guest, dns, None, b.guest.ip, "hosts") == b.guest.ip
            assert getent(b.guest, dns, "vm.lan", "a.vm.lan") == a.guest.ip
            assert dig("a", dns, "gateway.vm.lan") == ["10.0.2.2"]
            assert status("a", dns, "b.vm.lan", "TXT") == "NOERROR"
            # what it told DHCP is not its name
            assert status("a", dns, "guest.vm.lan") == "NXDOMAIN"
            # and the rest is the resolver's
            assert dig("a", dns, "outside.test") == ["203.0.113.80"]
            assert dig("a", dns, "+tcp", "outside.test") == ["203.0.113.80"]
            assert dig("a", dns, "nas") == ["203.0.113.9"]
        wait_for("b to be gone", lambda: status("a", dns, "b.vm.lan") == "NXDOMAIN")
        assert dig("a", dns, "-x", b.guest.ip) == []
    assert set(asked()) == {"outside.test", "nas"}


def test_names_outlive_an_engine(net):
    """A machine that says nothing more is where it was."""
    with Machine(net, "a", "--net", "natnet:lab") as a, Machine(net, "b", "--net", "natnet:lab") as b:
        a.guest.dhcp()
        b.guest.dhcp()
        # (what the engine has heard is told now and then)
        wait_for("b's address", lambda: b.guest.ip in str(show("lab")["machines"]))
        engine = show("lab")["engine"]
        b.guest.sh("ip", "link", "set", "eth0", "arp", "off")
        os.kill(engine, signal.SIGKILL)
        wait_for("another engine", lambda: show("lab")["engine"] not in (0, engine))
        wait_for("b by its name", lambda: dig("a", "10.0.2.3", "b.vm.lan") == [b.guest.ip])


def test_names_told_by_dhcp(net):
    """Who was given none has the one that he tells, the first that tells it; an
    address that was not leased has its machine's name too."""
    guests = [net.guest(n, f"52:54:00:00:00:0{i}") for i, n in enumerate(("g", "h", "i"), 1)]
    with Vmlan(["user,ipv6=off,ipv4=on", guests[0].netdev(), guests[1].netdev(),
                guests[2].netdev(",id=db")]):
        g, h, i = guests
        h.dhcp("web")
        g.dhcp("web")
        assert dig("g", "10.0.2.3", "web.vm.lan") == [h.ip]
        assert dig("g", "10.0.2.3", "-x", g.ip) == []
        i.static("10.0.2.200")
        i.sh("ping", "-c", "1", "10.0.2.2")
        assert dig("g", "10.0.2.3", "db.vm.lan") == ["10.0.2.200"]
        assert dig("g", "10.0.2.3", "-x", "10.0.2.200") == ["db.vm.lan."]
        h.sh("ip", "link", "del", "eth0")
        wait_for("the other's turn", lambda: dig("g", "10.0.2.3", "web.vm.lan") == [g.ip])


def test_on_a_hub(net):
    """The network goes on behind a cable."""
    g, h = net.guest("g"), net.guest("h", "52:54:00:00:00:02")
    with Vmlan(["user", g.netdev(), h.netdev(",id=far"), "hubport,hubid=0,netdev=far", "hubport,hubid=0"]):
        h.dhcp("told")
        g.dhcp()
        h.sh("ping", "-c", "1", "10.0.2.2")
        assert dig("g", "10.0.2.3", "far.vm.lan") == [h.ip]
        assert dig("g", "10.0.2.3", "-x", h.ip) == ["far.vm.lan."]
        assert status("g", "10.0.2.3", "told.vm.lan") == "NXDOMAIN"


@pytest.mark.parametrize("mode", ["internal:in,dhcp=on", "hostonly:in", "hostonly:in,zone=lab.example"])
def test_where_nothing_leads_out(net, mode):
    """The name server knows the machines, and nothing else; nobody is asked."""
    with Machine(net, "a", "--net", mode) as a, Machine(net, "b", "--net", mode.split(",")[0]) as b:
        a.guest.dhcp()
        b.guest.dhcp()
        dns, zone = a.guest.lease["dns"], a.guest.lease["domain"]
        assert zone == ("lab.example" if "zone" in mode else "vm.lan")
        assert dig("a", dns, f"b.{zone}") == [b.guest.ip]
        assert dig("a", dns, "+tcp", f"b.{zone}") == [b.guest.ip]
        assert status("a", dns, "outside.test") == "REFUSED"
        assert status("a", dns, "+tcp", "outside.test") == "REFUSED"
    assert asked() == []


def test_programs_of_the_host(net):
    """vmlan exec is a machine like the others: it finds them, and is found."""
    with Machine(net, "a", "--net", "natnet:lab") as a:
        a.guest.dhcp()
        assert vmlan("exec", "lab", "--", "getent", "ahostsv4", "a").stdout.split()[0] == a.guest.ip
        assert vmlan("exec", "--name", "me", "lab", "--", "sh", "-c",
                     "getent ahostsv4 me.vm.lan; ip -4 -br addr show eth0").stdout.count("10.0.2.") >= 2


def test_zone_off(net):
    with Machine(net, "a", "--net", "natnet:lab,zone=off") as a:
        a.guest.dhcp()
        assert "domain" not in a.guest.lease
        assert status("a", "10.0.2.3", "a.vm.lan") == "REFUSED"  # dnsmasq's: it knows no other resolver
    assert "a.vm.lan" in asked()


def test_refused(w):
    for zone, why in (("com", "top-level"), ("internal", "top-level"), ("x.local", "mDNS"), ("a_b..c", "domain name")):
        r = vmlan("up", "x", "natnet", f"zone={zone}", code=2)
        assert why in r.stderr and len(r.stderr.splitlines()) == 1
