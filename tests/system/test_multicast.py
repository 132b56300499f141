# SPDX-License-Identifier: BSD-3-Clause
"""Multicast: who on a LAN gets which group (g0, g1, g2 are kernel guests)."""
import itertools
import time

import pytest

import groups
from test_edges import Agent
from world import HOST_IP, HOST_IP6, INET_IP, INET_IP6, Vmlan, js, wait_for

GROUP = {4: "239.1.2.3", 6: "ff05::123"}
OTHER = {4: "239.1.2.4", 6: "ff05::124"}
LOCAL = {4: "224.0.0.251", 6: "ff02::fb"}
SSDP = {4: ["239.255.255.250"], 6: ["ff05::c", "ff02::c"]}
FAMILIES = [4, 6]
numbers = itertools.count()


@pytest.fixture
def machines(w):
    """Makes a LAN of guests; each has an agent."""
    agents = []

    def make(n, *netdevs):
        guests = [w.guest() for _ in range(n)]
        lan = Vmlan([*netdevs, *(g.netdev() for g in guests)])
        for i, g in enumerate(guests):
            g.sh("ip", "link", "set", "eth0", "up")
            g.sh("ip", "addr", "add", f"10.0.2.{50 + i}/24", "dev", "eth0")
            g.sh("ip", "route", "add", "default", "via", "10.0.2.2")
            a = Agent(g.ns)
            agents.append(a)
            a.guest = g
            a.do(groups.KNOWN)
        for g in guests:  # duplicate address detection is over
            wait_for("a link-local address", lambda g=g: "fe80" in g.sh(
                "ip", "-6", "addr", "show", "dev", "eth0", "scope", "link",
                "-tentative").stdout)
        return lan, *agents

    yield make
    for a in agents:
        a.close()


def gets(sender, group, *who):
    """Who of the agents gets, on its wire, what the sender says to a group."""
    text, end = f"said{next(numbers)}.", f"end{next(numbers)}."
    for a in who:
        a.do("forget()")
    sender.do(f"to_group('{text}', '{group}')")
    sender.do(f"to_all('{end}')")
    return [any(text.encode() in f for f in a.do(f"seen_until('{end}')")) for a in who]


def told(sender, group, member):
    text = f"told{next(numbers)}."
    sender.do(f"to_group('{text}', '{group}')")
    assert member.do(f"hears(m, '{text}')")


def until_joined(sender, group, member):
    """Its report is on the way."""
    wait_for("a member gets its group", lambda: gets(sender, group, member) == [True])
    told(sender, group, member)


def until_kept(family, asks, sender, member, other, group):
    """Somebody asks; in the end the other does not get what is sent to the
    group, and the member has got all of it."""
    mac = asks.guest.sh("cat", "/sys/class/net/eth0/address").stdout.strip()
    asks.do(f"say_raw({groups.query(family, mac, 52)!r})")

    def is_kept():
        m, o = gets(sender, group, member, other)
        assert m
        time.sleep(0.05)
        return not o

    wait_for("the group is kept from who has not joined it", is_kept, 40)
    told(sender, group, member)


@pytest.mark.parametrize("family", [4, 6])
def test_only_members_get_a_group(machines, family):
    lan, a, b, c = machines(3, "user")
    with lan:
        group = GROUP[family]
        a.do(f"m = member('{group}')")
        until_kept(family, c, c, a, b, group)
        # a group that nobody has joined goes to nobody, what all must get to all
        assert gets(b, OTHER[family], a) == [False]
        for g in LOCAL.values():
            assert gets(b, g, a, c) == [True, True]
        # joins count, and leaving where one machine is behind a port
        b.do(f"n = member('{group}')")
        wait_for("b has joined", lambda: gets(c, group, a, b) == [True, True])
        b.do(f"quit(n, '{group}')")
        wait_for("b has left", lambda: gets(c, group, a, b) == [True, False])
        # neighbours still find each other
        for x in (a, b, c):
            x.guest.sh("ip", "neigh", "flush", "all")
        ll = a.guest.sh("ip", "-6", "-br", "addr", "show", "dev", "eth0").stdout
        ll = next(x for x in ll.split() if x.startswith("fe80")).split("/")[0]
        for x in (b, c):
            x.guest.sh("ping", "-c", "1", "-W", "5", "10.0.2.50")
            x.guest.sh("ping", "-c", "1", "-W", "5", f"{ll}%eth0")


@pytest.mark.parametrize("family", [4, 6])
def test_nobody_asks(machines, family):
    """Without a gateway (or another querier) every group goes to all."""
    lan, a, b, c = machines(3)
    with lan:
        group = GROUP[family]
        a.do(f"m = member('{group}')")
        told(c, group, a)
        assert gets(c, group, b) == [True]
        assert gets(a, OTHER[family], b, c) == [True, True]


def test_a_machine_that_comes_later(machines, w):
    """... gets what it joins, however long the others have been asked."""
    lan, a, b, c = machines(3, "user")
    with lan:
        group = GROUP[4]
        a.do(f"m = member('{group}')")
        until_kept(4, c, c, a, b, group)
        b.guest.sh("ip", "link", "set", "eth0", "down")
        b.guest.sh("ip", "link", "set", "eth0", "up")
        b.ask("forget()")  # the error that the link was down
        b.do(f"m = member('{group}')")
        until_joined(c, group, b)
        told(c, group, a)


def test_the_gateway_asks(machines):
    """Two machines and no querier but the gateway."""
    lan, a, b = machines(2, "user")
    with lan:
        a.do(f"m = member('{GROUP[4]}')")
        end = time.monotonic() + 40
        while gets(a, OTHER[4], b)[0]:
            assert time.monotonic() < end
            time.sleep(0.05)
        told(b, GROUP[4], a)


def test_a_machine_that_lies(machines):
    """A flood of joins from one takes nothing from another."""
    lan, a, b, c = machines(3, "user")
    with lan:
        a.do(f"m = member('{GROUP[4]}')")
        until_kept(4, c, c, a, b, GROUP[4])
        c.do("""
from os import urandom
for i in range(3000):
    g = bytes([239, 9, i >> 8, i & 255])
    m = b"\\x16\\0\\0\\0" + g
    s = sum(struct.unpack(">4H", m)); s = (s & 0xffff) + (s >> 16); s = (s & 0xffff) + (s >> 16)
    m = m[:2] + struct.pack(">H", ~s & 0xffff) + g
    h = struct.pack(">BBHHHBBH", 0x45, 0, 28, 0, 0, 1, 2, 0) + bytes([10, 0, 2, 52]) + g
    s = sum(struct.unpack(">10H", h)); s = (s & 0xffff) + (s >> 16); s = (s & 0xffff) + (s >> 16)
    h = h[:10] + struct.pack(">H", ~s & 0xffff) + h[12:]
    say_raw(bytes([1, 0, 0x5e, g[1] & 127, g[2], g[3]]) + bytes.fromhex("525400000999") + b"\\x08\\0" + h + m)
""")
        told(b, GROUP[4], a)
        # c gets all of them now, and b joins as before
        wait_for("all of them", lambda: gets(b, "239.9.1.1", a, c) == [False, True])
        assert gets(b, "239.9.1.1", a, c) == [False, True]
        assert gets(b, "239.9.11.1", a, c) == [False, True]
        b.do(f"m = member('{OTHER[4]}')")
        until_joined(c, OTHER[4], b)


@pytest.fixture
def outside(machines, w):
    """A machine and somebody on the host's network; options of user."""
    agents = []
    w.join6()

    def make(options, n=1):
        lan, *a = machines(n, "user" + options)
        for x in a:
            wait_for("an address by IPv6", lambda x=x: "fec0:" in x.guest.sh(
                "ip", "-6", "addr", "show", "dev", "eth0", "-tentative").stdout, 20)
        agents.append(Agent("inet"))
        agents[0].do(groups.KNOWN)
        return lan, agents[0], *a

    yield make
    for a in agents:
        a.close()


def of_the_link(dev):
    of = [a for l in js("-6", "addr", "show", "dev", dev, "scope", "link")
          for a in l.get("addr_info", []) if "local" in a]
    return of[0]["local"]


def hosts(group):
    """From where the host's network hears what guests say to that group."""
    if ":" not in group:
        return HOST_IP
    return of_the_link("up0") if group.startswith("ff02") else HOST_IP6


def others(group):
    """From where guests hear the machine inet: by its own address, unless that is
    one of another link."""
    if ":" not in group:
        return INET_IP
    return "fec0::2" if group.startswith("ff02") else INET_IP6


def joined(group):
    """Whether the host has, at its way out (/proc/net/igmp6)."""
    return group in [m["address"] for m in js("maddr", "show", "dev", "up0")[0]["maddr"]
                     if "address" in m]


@pytest.mark.parametrize("family", FAMILIES)
def test_mdns_with_the_hosts_network(outside, family):
    """From port 5353 to port 5353, both ways, the hop limit as it was."""
    lan, far, a, b = outside(",multicast=on", 2)
    group = LOCAL[family]
    with lan:
        assert joined(group)
        for x in (a, b, far):
            x.do(f"m = speaks(member('{group}', 5353), '{group}')")
            x.do("no_loop(m)")
        a.do("forget()")
        a.do(f"insist(m, b'who?', ('{group}', 5353))")
        assert far.do("heard(m)") == ("who?", hosts(group), 5353, 255)
        assert b.do("heard(m)")[0] == "who?"
        far.do(f"insist(m, b'me!', ('{group}', 5353))")
        for x in (a, b):
            assert x.do("heard(m)") == ("me!", others(group), 5353, 255)
        # a does not hear itself, nor b it twice
        assert not [f for f in a.do("seen_until('me!')") if b"who?" in f]
        far.do(f"m.sendto(b'end', ('{group}', 5353))")
        assert b.do("heard(m)")[0] == "end"
    assert not joined(group)


@pytest.mark.parametrize("family, group", [(f, g) for f in FAMILIES for g in SSDP[f]])
def test_ssdp_with_the_hosts_network(outside, family, group):
    """A search is answered to who searches; who listens hears of others."""
    lan, far, a = outside(",multicast=on")
    with lan:
        assert joined(group) == group.startswith("ff02")
        far.do(f"m = speaks(member('{group}', 1900), '{group}')")
        a.do(f"s = sender('{group}', hops=2)")
        a.do(f"insist(s, b'M-SEARCH', ('{group}', 1900))")
        text, ip, port, hops = far.do("heard(m)")
        assert (text, ip, hops) == ("M-SEARCH", hosts(group), 2)
        far.do(f"answer('200 OK', '{ip}', {port})")
        text, who = a.do("s.recvfrom(100)")
        assert (text, who[0]) == (b"200 OK", others(group))
        a.do(f"m = member('{group}', 1900); m.settimeout(0.3)")

        def notified():
            far.do(f"to_group('NOTIFY', '{group}', 1900)")
            return a.ask("m.recv(100)") == ("ok", b"NOTIFY")

        wait_for("what others say of themselves", notified)
        assert joined(group)
        # and any other group, from when the guest has spoken there
        a.do(f"m = member('{GROUP[family]}', 7000); m.settimeout(0.3)")

        def spoken():
            a.do(f"to_group('mine', '{GROUP[family]}')")
            far.do(f"to_group('theirs', '{GROUP[family]}')")
            return a.ask("m.recv(100)") == ("ok", b"theirs")

        wait_for("what others say in a guest's group", spoken)


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_passes_unless_asked(outside, family):
    lan, far, a = outside("")
    with lan:
        for group, port in ((LOCAL[family], 5353), (SSDP[family][0], 1900)):
            far.do(f"m = member('{group}', {port})")
            a.do(f"m = member('{group}', {port})")
            a.do(f"to_group('mine', '{group}', {port})")
            far.do(f"to_group('theirs', '{group}', {port})")
        a.do(f"u = socket(AF_INET, SOCK_DGRAM); u.sendto(b'the end', ('{INET_IP}', 9))")
        assert not [f for f in far.do("seen_until('the end')") if b"mine" in f]
        a.do("m.settimeout(0.3)")
        assert a.ask("m.recv(100)")[0] == "late"
