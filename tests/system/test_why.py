# SPDX-License-Identifier: BSD-3-Clause
"""vmlan why: what it says is what traffic then does.

        a, b    machines, as in test_modes.py; each answers at 7000 (TCP) and 7001 (UDP)
        |  |
      [network] -- host (127.0.0.1, HOST_IP: 7000, 7001) -- inet (7000, 7001; a name server)
"""
import contextlib
import json
import os
import subprocess

import pytest

import world
from reach import ASK, PYTHON, Server
from test_control import request
from test_modes import Machine, lan, one_line, rundir, vmlan  # noqa: F401
from test_uplink import LAN_IP, br0  # noqa: F401
from test_uplink import lan as home  # noqa: F401
from world import (HOST_IP, HOST_IP6, INET_IP, VMLAN, WEB_IP, WEB_IP6, process, sh,
                   wait_for)

PATIENCE = "1.5"  # for what is not to come


def why(*args):
    """The answer, which is in one piece."""
    r = sh(VMLAN, "why", "--json", *args, check=False, timeout=60)
    assert r.returncode in (0, 1), (args, r.stderr)
    o = json.loads(r.stdout)
    assert o["reaches"] == (r.returncode == 0) == o["verdict"].startswith("yes: ")
    assert ("remedy" in o) <= (not o["reaches"])
    decider, = [s for s in o["steps"] if s["decides"]]
    assert o["verdict"].split(": ", 1)[1] == decider["text"]
    assert [s["ok"] for s in o["steps"] if s["what"] not in ("ipv4", "ipv6")].count("no") == (
        not o["reaches"])
    o["decider"] = decider["what"]
    return o


def real(ns, ip, proto="tcp", is_likely=False):
    """Whether it is so; what is likely may take its time, on a busy host."""
    if proto == "icmp":
        return sh("ping", "-c", "2", "-i", "0.2", "-W", "20" if is_likely else "1", ip, ns=ns,
                  check=False, timeout=60).returncode == 0
    out = sh(PYTHON, "-c", ASK, ip, proto, "30" if is_likely else PATIENCE, ns=ns,
             check=False, timeout=60).stdout
    return out == f"{proto} hello\n"


def agree(ns, ip, frm, to, proto="tcp", decider=None, **more):
    """What is said of it, and what happens."""
    port = {"tcp": ":7000", "udp": ":7001", "icmp": ""}[proto]
    option = {"tcp": (), "udp": ("--udp",), "icmp": ("--icmp",)}[proto]
    at = f"[{to}]{port}" if ":" in to else to + port
    o = why(*option, *more.get("options", ()), frm, at)
    assert real(ns, ip, proto, o["reaches"]) == o["reaches"], (frm, to, json.dumps(o))
    if decider:
        assert o["decider"] == decider, o
    return o["reaches"]


def table(*rows):
    """Rows of (namespace, address, from, to, whether it is so, what decides[, proto])."""
    for ns, ip, frm, to, is_so, decider, *proto in rows:
        assert agree(ns, ip, frm, to, *(proto or ["tcp"]), decider=decider) == is_so, (frm, to)


@contextlib.contextmanager
def unreachable(to):
    """The host has no way there meanwhile."""
    sh("ip", "route", "add", "unreachable", to)
    try:
        yield
    finally:
        sh("ip", "route", "del", "unreachable", to)


def test_natnet(lan):  # noqa: F811
    with Machine(lan, "a", "--net", "natnet:lab") as a, \
            Machine(lan, "b", "--net", "natnet:lab") as b, Server(None, "127.0.0.1"):
        a.guest.dhcp()
        b.guest.dhcp()
        aip, bip = a.guest.ip, b.guest.ip
        with Server("a"), Server("b"):
            table(
                ("a", bip, "a", "b", True, "lan"),
                ("a", bip, "lab/a", bip, True, "lan"),
                ("a", bip, aip, "lab/b", True, "lan", "udp"),
                ("a", bip, "a", "b", True, "lan", "icmp"),
                ("a", INET_IP, "a", INET_IP, True, "route"),
                ("a", INET_IP, "a", INET_IP, True, "route", "udp"),
                ("a", INET_IP, "a", INET_IP, True, "route", "icmp"),
                ("a", "10.0.2.2", "a", "host", True, "host"),
                ("a", "10.0.2.2", "a", "10.0.2.2", True, "gateway", "icmp"),
                ("a", HOST_IP, "a", HOST_IP, True, "host", "udp"),
                ("a", "10.0.2.77", "a", "10.0.2.77", False, "lan"),
                ("a", "10.0.2.3", "a", "10.0.2.3", False, "gateway"),
                (None, aip, "host", "a", False, "forward"),
                ("inet", aip, INET_IP, "a", False, "forward", "udp"),
                (None, aip, "host", "a", False, "forward", "icmp"),
            )
        assert why("a", "host:7009")["decider"] == "host"  # where nobody is
        assert why("a", "10.0.2.3:53")["decider"] == "gateway"
        assert why("--udp", "a", "10.0.2.3:53")["reaches"]
        assert "vmlan fwd lab/a add 2222:22" in [
            why("host", "a:22")["remedy"]]
        with Machine(lan, "c") as c:  # a network of its own
            c.guest.dhcp()
            assert why("a", "c:7000")["decider"] == "network"
            assert why("a", "nat-c/c:7000")["decider"] == "network"
            assert not real("a", "10.0.2.77")


def test_a_route_that_is_not_there(lan):  # noqa: F811
    with Machine(lan, "a", "--net", "natnet:lab") as a:
        a.guest.dhcp()
        assert agree("a", INET_IP, "a", INET_IP)
        with unreachable(INET_IP):
            assert not agree("a", INET_IP, "a", INET_IP, decider="socket")
        assert agree("a", INET_IP, "a", INET_IP)


def test_restricted(lan):  # noqa: F811
    with Machine(lan, "a", "--net", "generic:lab,netdev=user,,restrict=on") as a, \
            Machine(lan, "b", "--net", "generic:lab") as b, Server(None, "127.0.0.1"):
        a.guest.dhcp()
        b.guest.dhcp()
        a.guest.sh("ip", "route", "replace", "default", "via", "10.0.2.2")
        with Server("b"):
            table(
                ("a", b.guest.ip, "a", "b", True, "lan"),
                ("a", INET_IP, "a", INET_IP, False, "gateway"),
                ("a", INET_IP, "a", INET_IP, False, "gateway", "udp"),
                ("a", INET_IP, "a", INET_IP, False, "gateway", "icmp"),
                ("a", "10.0.2.2", "a", "host", False, "gateway"),
                ("a", "10.0.2.2", "a", "10.0.2.2", True, "gateway", "icmp"),
            )
        assert "restrict=" in why("a", "internet:443")["verdict"]


def test_internal(lan):  # noqa: F811
    with Machine(lan, "a", "--net", "internal:in") as a, \
            Machine(lan, "b", "--net", "internal:in") as b:
        a.static("10.0.2.15")
        b.static("10.0.2.16")
        a.guest.sh("ip", "route", "add", "default", "via", "10.0.2.2")
        with Server("a"), Server("b"):
            table(
                ("a", "10.0.2.16", "a", "b", True, "lan"),
                ("a", INET_IP, "a", INET_IP, False, "uplink"),
                ("a", HOST_IP, "a", "host", False, "uplink"),
                (None, "10.0.2.15", "host", "a", False, "uplink"),
                ("inet", "10.0.2.15", INET_IP, "a", False, "uplink"),
            )
        assert why("a", "www.example.org:80")["decider"] == "name"


@pytest.mark.root
def test_hostonly(lan):  # noqa: F811
    with Machine(lan, "a", "--net", "hostonly:ho,addr=192.168.99.1/24") as a, \
            Machine(lan, "b", "--net", "hostonly:ho") as b, Server(None, "192.168.99.1"):
        a.guest.dhcp()
        b.guest.dhcp()
        a.guest.sh("ip", "route", "add", "default", "via", "192.168.99.1", check=False)
        with Server("a"), Server("b"):
            table(
                ("a", b.guest.ip, "a", "b", True, "lan"),
                ("a", "192.168.99.1", "a", "host", True, "host"),
                ("a", "192.168.99.1", "a", "192.168.99.1", True, "host", "icmp"),
                (None, a.guest.ip, "host", "a", True, "host"),
                ("a", INET_IP, "a", INET_IP, False, "gateway"),
                ("inet", a.guest.ip, INET_IP, "a", False, "uplink"),
            )


@pytest.mark.root
@pytest.mark.parametrize("options,ifname,is_so,no", [
    ("bridge=br0", "br0", True, "host"), ("if=lan0,host=off", "lan0", False, "uplink"),
    ("if=lan0", "lan0", True, "host")])
def test_bridged(w, home, options, ifname, is_so, no, request):  # noqa: F811
    """The host is on it if it has an address there, and not by the card alone."""
    if options.startswith("bridge="):
        request.getfixturevalue("br0")
    with Machine(w, "a", "--net", "bridged:home," + options) as a, \
            Machine(w, "b", "--net", "bridged:home") as b:
        a.guest.dhcp()
        b.guest.dhcp()
        with Server("a"), Server("b"), Server("lan"):
            assert not agree(None, a.guest.ip, "host", "a", decider=no)
            sh("ip", "addr", "add", "192.168.77.2/24", "dev", ifname)
            table(
                ("a", b.guest.ip, "a", "b", True, "lan"),
                ("a", LAN_IP, "a", LAN_IP, True, "uplink"),
                ("lan", a.guest.ip, LAN_IP, "a", True, "uplink"),
            )
            wait_for("the host's route", lambda: why("host", "a:7000")["reaches"] == is_so)
            agree(None, a.guest.ip, "host", "a", decider="host" if is_so else no)


def test_forwards(w):
    with Machine(w, "a", "--net", "natnet:lab", mac="52:54:00:00:00:0a") as a:
        a.guest.dhcp()
        vmlan("fwd", "a", "add", "127.0.0.1:7000:7000", "127.0.0.1:7001:7001/udp")
        with Server("a"):
            table(
                (None, "127.0.0.1", "host", "a", True, "forward"),
                (None, "127.0.0.1", "host", "a", True, "forward", "udp"),
                (None, "127.0.0.1", "host", "127.0.0.1", True, "forward"),
                ("inet", "10.0.2.15", INET_IP, "a", False, "forward"),
            )
            assert "for the host itself alone" in why("internet", "a:7000")["verdict"]
            vmlan("fwd", "a", "rm", "1", "2")
            assert not agree(None, "127.0.0.1", "host", "a", decider="forward")
            vmlan("fwd", "a", "add", f"{HOST_IP}:7000:7000", "from=192.0.2.99,10.9.9.0/24")
            assert not agree("inet", HOST_IP, INET_IP, "a", decider="forward")
            assert "from=" in why(INET_IP, "a:7000")["verdict"]
            assert why("192.0.2.99", "a:7000")["reaches"]
            vmlan("fwd", "a", "add", f"{HOST_IP}:7001:7001/udp", f"from={INET_IP}")
            assert agree("inet", HOST_IP, INET_IP, "a", "udp", "forward")
            assert agree("inet", HOST_IP, INET_IP, HOST_IP, "udp", "forward",
                         options=("--net", "lab"))
        assert why("--net", "lab", "host", "127.0.0.1:7007")["decider"] == "forward"


def test_cables(lan):  # noqa: F811
    """One that is pulled, one that loses all, and a machine that nobody is connected to."""
    with Machine(lan, "a", "--net", "natnet:lab") as a, \
            Machine(lan, "b", "--net", "natnet:lab") as b:
        a.guest.dhcp()
        b.guest.dhcp()
        with Server("b"):
            assert agree("a", b.guest.ip, "a", "b", decider="lan")
            for how in ("down", "loss=100%"):
                vmlan("link", "b", how)
                assert not agree("a", b.guest.ip, "a", "b", decider="cable")
                assert why("b", INET_IP + ":7000")["decider"] == "cable"
                vmlan("link", "b", "up" if how == "down" else "reset")
                wait_for("its cable", lambda: why("a", "b:7000")["reaches"])
                assert agree("a", b.guest.ip, "a", "b", decider="lan")
            vmlan("link", "b", "delay=1ms")
            o = why("a", "b:7000")
            assert o["reaches"] and "delay=1ms" in str(o["steps"])
    vmlan("up", "lab", "natnet")
    try:
        body = {"name": "c", "pid": os.getpid()}
        assert request("POST", "/v1/machines", body)[0] == 201
        o = why("c", INET_IP + ":7000")
        assert o["decider"] == "cable" and "not connected" in o["verdict"]
        assert request("DELETE", "/v1/machines/c")[0] == 200
    finally:
        vmlan("down", "lab")


def test_names(w, monkeypatch, tmp_path):
    """A machine's, the world's, and nobody's."""
    conf = tmp_path / "resolv.conf"
    conf.write_text(f"nameserver {INET_IP}\n")
    monkeypatch.setenv("VMLAN_RESOLV_CONF", str(conf))
    w.serve("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
            "--pid-file=", "--bind-interfaces", "--local-ttl=60",
            "--address=/outside.test/203.0.113.80", port=53, proto="udp")
    with Machine(w, "a", "--net", "natnet:lab") as a, \
            Machine(w, "b", "--net", "natnet:lab") as b:
        a.guest.dhcp()
        b.guest.dhcp()

        def dig(name):
            return sh("dig", "@10.0.2.3", "+time=20", "+noedns", "+short", name,
                      ns="a").stdout.split()

        o = why("a", "b.vm.lan:7000")
        assert o["decider"] == "lan" and dig("b.vm.lan") == [b.guest.ip], o
        o = why("a", "ghost.vm.lan:7000")
        assert o["decider"] == "name" and dig("ghost.vm.lan") == [], o
        o = why("a", "outside.test:80")
        assert INET_IP in [s["text"] for s in o["steps"] if s["what"] == "name"][0], o
        assert dig("outside.test") == ["203.0.113.80"]  # and it is kept
        o = why("a", "outside.test:80")
        assert "203.0.113.80" in [s["text"] for s in o["steps"] if s["what"] == "name"][0], o
        assert o["reaches"] == (sh("ip", "route", "get", "203.0.113.80",
                                   check=False).returncode == 0)
    with Machine(w, "c", "--net", "hostonly:ho" if world.HOST_ROOT else
                 "internal:ho,dhcp=on") as c:
        c.guest.dhcp()
        assert why("c", "outside.test:80")["decider"] == "name"


def said(o, what):
    """The texts of its steps of that kind."""
    return [s["text"] for s in o["steps"] if s["what"] == what]


def test_both_families(w, monkeypatch, tmp_path):
    """A name, and the world: each family is told of, the answer is of the first that leads
    there."""
    w.join6()
    conf = tmp_path / "resolv.conf"
    conf.write_text(f"nameserver {INET_IP}\n")
    monkeypatch.setenv("VMLAN_RESOLV_CONF", str(conf))
    w.serve("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
            "--pid-file=", "--bind-interfaces", "--local-ttl=60",
            f"--address=/both.test/{WEB_IP}", f"--address=/both.test/{WEB_IP6}",
            f"--address=/six.test/{WEB_IP6}", port=53, proto="udp")
    with Machine(w, "a", "--net", "natnet:lab") as a:
        a.guest.dhcp()
        o = why("a", "internet:7000")
        assert o["reaches"] and f"from {HOST_IP}" in str(said(o, "socket"))
        six, = said(o, "ipv6")
        assert six.startswith("IPv6, which is tried next, would do as well: ")
        o = why("a", "both.test:7000")
        name, = said(o, "name")  # it is asked once
        assert INET_IP in name and said(o, "ipv6") and o["reaches"], o
        for name in ("both.test", "six.test"):
            for rr in ("A", "AAAA"):
                sh("dig", "@10.0.2.3", "+time=20", "+noedns", "+short", name, rr, ns="a")
        o = why("a", "both.test:7000")
        names = said(o, "name")
        assert len(names) == 2 and WEB_IP in names[0] and WEB_IP6 in names[1], o
        six, = said(o, "ipv6")
        assert o["reaches"] and six.startswith(f"IPv6 to {WEB_IP6}, which is tried next, would")
        o = why("a", "six.test:7000")
        names = said(o, "name")  # nobody keeps that it has no other
        assert len(names) == 2 and "(IPv4)" in names[0] and WEB_IP6 in names[1], o
        assert not said(o, "ipv6") + said(o, "ipv4"), o
        assert o["reaches"] and HOST_IP6 in str(said(o, "socket"))
        # one of them leads nowhere, then both, then the other
        with unreachable(WEB_IP6):
            with unreachable(WEB_IP):
                o = why("a", "both.test:7000")
                assert not o["reaches"] and "fails: the host has no way" in said(o, "ipv6")[0], o
            o = why("a", "both.test:7000")
            assert o["reaches"] and "tried next, fails" in said(o, "ipv6")[0], o
        with unreachable(WEB_IP):
            o = why("a", "both.test:7000")
            assert o["reaches"] and "fails: the host has no way" in said(o, "ipv4")[0], o
            o = why(a.guest.ip, "both.test:7000")  # who has no other address
            assert not o["reaches"] and not said(o, "ipv6"), o


def test_a_family_that_a_name_has_not(w, monkeypatch, tmp_path):
    """What is kept is that it has none: it leads nowhere in that family."""
    w.join6()
    conf = tmp_path / "resolv.conf"
    conf.write_text(f"nameserver {INET_IP}\n")
    monkeypatch.setenv("VMLAN_RESOLV_CONF", str(conf))
    w.python("dns_server.py", port=53, proto="udp")
    with Machine(w, "a", "--net", "natnet:lab") as a:
        a.guest.dhcp()
        assert said(why("a", "soa.test:7000"), "ipv6")
        sh("dig", "@10.0.2.3", "+time=20", "+noedns", "soa.test", "AAAA", ns="a")
        o = why("a", "soa.test:7000")
        name, = said(o, "name")
        assert INET_IP in name and name.endswith(", and it has no IPv6 address"), o
        assert o["reaches"] and not said(o, "ipv6"), o
        sh("ip", "route", "del", "default")
        o = why("a", "soa.test:7000")
        assert not o["reaches"] and not said(o, "ipv6") and "no way" in o["verdict"], o


def test_names_by_nat64(w, monkeypatch, tmp_path):
    """A name that nobody has asked for yet is as the world: IPv4 by NAT64."""
    conf = tmp_path / "resolv.conf"
    conf.write_text(f"nameserver {INET_IP}\n")
    monkeypatch.setenv("VMLAN_RESOLV_CONF", str(conf))
    w.python("dns_server.py", port=53, proto="udp")
    with Machine(w, "a", "--net", "natnet:lab,ipv4=off,nat64=on"):
        for to in ("internet:7000", "www.example.org:7000"):
            o = why("a", to)
            assert o["reaches"] and f"from {HOST_IP}" in str(said(o, "socket")), o
            assert "fails: the host has no way" in said(o, "ipv6")[0], o


def test_which_family_is_first(w):
    """IPv6 is where the machine has an address of the world's in it (RFC 6724)."""
    w.join6()
    with Machine(w, "a", "--net", "natnet:lab,ipv6-net=2001:db8:5::/64") as a:
        a.guest.dhcp()
        a.guest.sh("ip", "addr", "add", "2001:db8:5::15/64", "dev", "eth0", "nodad", check=False)
        a.guest.sh("ping", "-6", "-c1", "-W9", "-I", "2001:db8:5::15", "2001:db8:5::2",
                   check=False)
        wait_for("its address to be known",  # the keeper is told of it
                 lambda: said(why("a", "internet:7000"), "ipv4"))
        o = why("a", "internet:7000")
        assert o["reaches"] and f"from {HOST_IP6}" in str(said(o, "socket")), o
        assert "IPv4, which is tried next, would do as well" in said(o, "ipv4")[0]
        with unreachable("2000::/4"):
            o = why("a", "internet:7000")
            assert o["reaches"] and "IPv6, which is tried first, fails" in said(o, "ipv6")[0], o
        # the gateway is no router for it any more
        sh("ip", "-6", "route", "del", "default")
        wait_for("IPv4 to be first", lambda: "IPv6, which is tried next, fails" in
                 str(said(why("a", "internet:7000"), "ipv6")))


@pytest.mark.root
def test_both_families_of_the_kernel(w):
    """Where the host's routes decide, those of both families do."""
    w.join6()
    with Machine(w, "a", "--net", "natnet:lab,backend=kernel"):
        assert said(why("a", "internet:7000"), "ipv6")[0].startswith("IPv6, which is tried next, w")
        sh("ip", "-6", "route", "del", "default")
        o = why("a", "internet:7000")
        assert o["reaches"] and "fails: the host has no route" in said(o, "ipv6")[0], o
        sh("ip", "route", "del", "default")
        o = why("a", "internet:7000")
        assert not o["reaches"] and o["decider"] == "route" and said(o, "ipv6"), o


def test_words(lan):  # noqa: F811
    """For people; what is no question is one line, with the exit code that it has."""
    assert "no machine a" in one_line(4, "why", "a", "host:22")
    one_line(3, "why", "host", "127.0.0.1:22")
    one_line(2, "why", "a")
    one_line(2, "why", "a", "b", "c")
    with Machine(lan, "a", "--net", "natnet:lab") as a:
        a.guest.dhcp()
        out = vmlan("why", "a", INET_IP + ":7000").stdout
        lines = out.splitlines()
        assert lines[0] == f"a -> {INET_IP}, tcp port 7000, network lab"
        assert [line for line in lines if line.startswith("*")] == [lines[-2]]
        assert lines[-1].startswith("yes: ")
        out = vmlan("why", "host", "a:22", code=1).stdout.splitlines()
        assert out[-2].startswith("no: no forward") and out[-1].startswith("remedy: vmlan fwd")
        for args in (("ghost", "a:1"), ("nothing/a", "host:1")):
            vmlan("why", "--net", "lab", *args, code=4)
        for args in (("a", "b:0"), ("a", "b:x"), ("a", "b:70000"), ("--udp", "a", "b"),
                     ("--icmp", "a", "b:1"), ("a", "x y:1"), ("a", ":1"), ("a", "[::1]x")):
            assert one_line(2, "why", *args)
        status, _, text = request("GET", "/v1/why?from=a")
        assert status == 400 and "machines" in text


def test_an_engine_that_is_gone(lan):  # noqa: F811
    """Nobody waits for it."""
    with Machine(lan, "a", "--net", "natnet:lab") as a:
        a.guest.dhcp()
        engine = json.loads(vmlan("show", "--json", "lab").stdout)["engine"]
        os.kill(engine, 19)
        with process(VMLAN, "why", "a", INET_IP + ":7000", stdout=subprocess.PIPE,
                     text=True) as p:
            out = p.stdout.read()
            assert p.wait(20) == 1 and "does not answer" in out, out
        os.kill(engine, 18)
        assert why("a", INET_IP + ":7000")["reaches"]
