# SPDX-License-Identifier: BSD-3-Clause
"""The resolvers that the gateway's name server asks: good ones, and such as do
what none should.

        g, h -- vmlan -- host -- inet: dnsmasq, dns_odd.py, each at an address
                                       of its own
"""
import pathlib
import re
import subprocess

import pytest

from test_names import dig, status
from world import HERE, Vmlan, popen, process, sh, wait_for

RESOLV = pathlib.Path("/run/resolv.conf")
ADDRESSES = [f"192.0.2.{n}" for n in range(101, 105)]
DNS, DNS6 = "10.0.2.3", "fec0::3"


class Resolver:
    """One at an address of the internet's, and what it was asked."""

    def __init__(self, w, i, mode, *more):
        self.ip = ADDRESSES[i]
        self.log = pathlib.Path(f"/run/resolver{i}.log")
        self.log.write_text("")
        self.log.chmod(0o666)
        sh("ip", "addr", "add", f"{self.ip}/24", "dev", "eth0", ns="inet")
        if mode == "dnsmasq":
            args = ("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv",
                    "--no-hosts", "--pid-file=", "--bind-interfaces",
                    f"--listen-address={self.ip}", "--log-queries", f"--log-facility={self.log}",
                    "--local-ttl=60", "--address=/test/203.0.113.80", *more)
            w.servers.append(popen(*args, ns="inet"))
        else:
            with self.log.open("w") as out:
                w.servers.append(popen("/usr/bin/python3", str(HERE / "dns_odd.py"), mode, self.ip,
                                       ns="inet", stdout=out))
        wait_for("it to listen", lambda: f"{self.ip}:53 " in sh("ss", "-Hlun", ns="inet").stdout)

    def asked(self):
        text = self.log.read_text()
        if "dnsmasq" in text:
            return [n.lower() for n in re.findall(r"query\[\w+\] (\S+) from", text)]
        return text.split()


def serve(w, *modes):
    """These in the host's resolv.conf, in this order."""
    all = [Resolver(w, i, mode) for i, mode in enumerate(modes)]
    RESOLV.write_text("".join(f"nameserver {r.ip}\n" for r in all))
    return all


def network(*netdevs, opts=""):
    return Vmlan(["user" + opts, *netdevs], env={"VMLAN_RESOLV_CONF": str(RESOLV)})


def ask(g, name, *how, server=DNS):
    return dig(g.ns, server, "+nocookie", *how, name)


def test_kept(w):
    """An answer is asked for once, by whomever and over whatever, and grows old; "no"
    is not kept where nobody says for how long."""
    r, = serve(w, "dnsmasq")
    g, h = w.guest(), w.guest()
    with network(g.netdev(), h.netdev()):
        g.dhcp()
        h.dhcp()
        assert ask(g, "www.test") == ["203.0.113.80"]
        n = len(r.asked())  # twice, if it took its time
        for guest in (g, h):
            for how in ("+notcp", "+tcp"):
                assert ask(guest, "www.test", how) == ["203.0.113.80"]
                assert ask(guest, "WWW.tEst", how) == ["203.0.113.80"]
        assert r.asked() == ["www.test"] * n
        for _ in range(2):
            assert status(g.ns, DNS, "+nocookie", "www.elsewhere") == "REFUSED"
        assert r.asked().count("www.elsewhere") > 1

        def ttl():
            out = sh("dig", f"@{DNS}", "+noall", "+answer", "+nocookie", "www.test", ns=g.ns).stdout
            return int(out.split()[1])

        assert 0 < ttl() <= 60
        wait_for("it to grow old", lambda: ttl() < 60)


def test_of_domains(w):
    """Names of a domain are asked of its resolver alone, over UDP and TCP, in both
    families; all others of the host's."""
    host, corp, deep = [Resolver(w, i, "dnsmasq", *more) for i, more in enumerate((
        (), ("--address=/corp.example/203.0.113.1",), ("--address=/x.corp.example/203.0.113.2",)))]
    RESOLV.write_text(f"nameserver {host.ip}\n")
    g = w.guest()
    with network(g.netdev(), opts=f",dns-server=corp.example/{corp.ip},"
                 f"dns-server=x.corp.example/{deep.ip}:53"):
        g.dhcp()
        for how in ("+notcp", "+tcp"):
            assert ask(g, "a.corp.example", how) == ["203.0.113.1"]
            assert ask(g, "corp.example", how) == ["203.0.113.1"]
            assert ask(g, "a.x.Corp.example", how) == ["203.0.113.2"]
            assert ask(g, "www.test", how) == ["203.0.113.80"]
    assert set(host.asked()) == {"www.test"}
    assert set(corp.asked()) == {"a.corp.example", "corp.example"}
    assert set(deep.asked()) == {"a.x.corp.example"}


def test_in_place_of_the_hosts(w):
    host, own = serve(w, "dnsmasq", "dnsmasq")
    g = w.guest()
    with network(g.netdev(), opts=f",dns-server={own.ip}"):
        g.dhcp()
        assert ask(g, "www.test") == ["203.0.113.80"]
    assert host.asked() == [] and set(own.asked()) == {"www.test"}


@pytest.mark.parametrize("mode", ["silent", "refuse", "lie"])
def test_one_of_two_is_bad(w, mode):
    """Its names are found nonetheless, and soon without it."""
    bad, good = serve(w, mode, "dnsmasq")
    g = w.guest()
    with network(g.netdev()):
        g.dhcp()
        for i in range(10):
            assert ask(g, f"n{i}.test", "+time=10") == ["203.0.113.80"]
    assert len(good.asked()) >= 10
    if mode != "refuse":  # which is an answer, of one that is there
        assert len(bad.asked()) < 5


def test_a_liar_alone(w):
    """Nobody believes it; who asks is told that there is no answer."""
    serve(w, "lie")
    g = w.guest()
    with network(g.netdev()):
        g.dhcp()
        assert status(g.ns, DNS, "+time=10", "+tries=1", "www.test") == "SERVFAIL"
        assert dig(g.ns, DNS, "gateway.vm.lan") == ["10.0.2.2"]


def test_letters_of_its_own(w):
    """A resolver that knows small letters only is found out once."""
    r, = serve(w, "lower")
    g = w.guest()
    with network(g.netdev()):
        g.dhcp()
        asked = []
        for i in range(8):
            before = len(r.asked())
            assert ask(g, f"some-long-name-{i}.test") == ["203.0.113.7"]
            asked.append(len(r.asked()) - before)
    # not found out it would be asked twice for each; one that is late is, too
    assert asked[1:].count(1) >= 4, asked


def test_a_loop(w):
    """A guest that is the host's resolver, and asks us what we ask it."""
    RESOLV.write_text("nameserver 127.0.0.1\n")
    g = w.guest()
    with network(g.netdev(), opts=",hostfwd=udp:127.0.0.1:53-:53"):
        g.dhcp()
        log = pathlib.Path("/run/loop.log")
        log.write_text("")
        with process("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-resolv",
                     "--no-hosts", "--pid-file=", f"--server={DNS}",
                     "--log-queries", f"--log-facility={log}", ns=g.ns):
            wait_for("it to listen", lambda: ":53 " in sh("ss", "-Hlun", ns=g.ns).stdout)
            # one of the two gives up first
            assert status(g.ns, DNS, "+time=15", "+tries=1", "www.test") in ("SERVFAIL", "REFUSED")
            assert dig(g.ns, DNS, "gateway.vm.lan") == ["10.0.2.2"]
        assert log.read_text().count("query[A] www.test") <= 10


FLOOD = """
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
n = 0
while True:
    label = b"%08d" % n
    try:
        s.sendto(struct.pack("!6H", n & 0xffff, 0x100, 1, 0, 0, 0) + bytes([8]) + label +
                 b"\\4test\\0\\0\\1\\0\\1", ("10.0.2.3", 53))
    except OSError:
        pass
    n += 1
    if n == 1000:
        print("on", flush=True)
"""


def test_floods(w):
    """One that asks as fast as it can, of a resolver that does not know, costs the
    other no answer."""
    serve(w, "deaf")
    g, h = w.guest(), w.guest()
    with network(g.netdev(), h.netdev()) as v:
        g.dhcp("bad")
        h.dhcp("good")
        engine = v.engine()
        with process("/usr/bin/python3", "-c", FLOOD, ns=g.ns, stdout=subprocess.PIPE, text=True) as p:
            assert p.stdout.readline() == "on\n"
            for i in range(5):
                assert ask(h, f"ok{i}.test", "+time=10", "+tries=3") == ["203.0.113.7"]
                assert dig(h.ns, DNS, "+time=10", "+tries=3", "good.vm.lan") == [h.ip]
            p.stdout.close()
        assert v.engine() == engine
        # what it asked is over soon, and it is a guest like the other
        wait_for("an answer", lambda: ask(g, "ok.test", "+time=2", "+tries=1") == ["203.0.113.7"],
                 seconds=20)
