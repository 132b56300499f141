# SPDX-License-Identifier: BSD-3-Clause
"""A host whose IPv6 comes, goes and changes while guests are at work: what they
hear of it, what becomes of their flows, and how soon (printed, see -rP).

The topology is that of test_ip6.py.
"""
import errno
import json
import os
import pathlib
import signal
import time

import pytest

import clients6
import world
from test_ip6 import (Adverts, DNS, LINK, OTHER_GW6, OTHER_IP6, RESOLV, USER,
                      agents, dig, enter6, is_told, leave6, net, place, vmlan)  # noqa: F401
from world import HOST_IP6, INET_IP, INET_IP6, WEB_IP, WEB_IP6, sh, wait_for

LATE = 10  # seconds: ten times of what is promised, for a host under load
# The internet drops what is for it without a word.
SILENT_IP6 = "2001:db8:81::1"
NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH)

# For the guest's agent: all with the time since t0 and that of the longest try.
WATCH = """
def attempt(ip):
    try:
        return "ok", new(ip)
    except TimeoutError:
        return "late", None
    except OSError as e:
        return "os", e.errno
def until(ip, want, t0):
    longest = 0
    while True:
        begun = time.monotonic()
        got = attempt(ip)
        now = time.monotonic()
        longest = max(longest, now - begun)
        if got in want:
            return now - t0, longest
        if now - t0 > 60:
            raise OSError(0, str(got))
        time.sleep(0.005)
def ended(names, t0):
    for n in names:
        flows[n].settimeout(60)
        try:
            if flows[n].recv(1):
                return "data", None
        except TimeoutError:
            return "late", None
        except OSError as e:
            if e.errno != errno.ECONNRESET:
                return "os", e.errno
        else:
            return "end", None
    return "reset", time.monotonic() - t0
def attempted(ip, t0):
    return attempt(ip), time.monotonic() - t0
"""


@pytest.fixture
def watchers(agents):
    def make(ns):
        a = agents(ns)
        a.do(WATCH)
        return a

    return make


def tell(what, seconds):
    print(f"{what}: {1000 * seconds:.0f} ms")
    assert seconds < LATE, what


def new_flows(a, what, ip, t0, *want):
    """New flows of the guest end like that, and none waits for it."""
    seconds, longest = a.do(f"until({ip!r}, {want!r}, {t0})")
    tell(f"{what}: new flows", seconds)
    tell(f"{what}: the longest try", longest)


def heard_of(heard, what, t0, true):
    ra = heard.until(true)
    tell(f"{what}: advertisement", ra["at"] - t0)
    return ra


NO_WAYS = [("os", n) for n in NO_WAY]


def test_ip6_comes_goes_and_changes(net, watchers):
    """Under twenty running flows. Those of IPv4 feel nothing of it."""
    _, g, _ = net
    leave6()
    g.dhcp()
    a, waiting = watchers(g.ns), watchers(g.ns)
    for i in range(10):
        a.do(f"connect('four{i}', {WEB_IP!r})")

    def flows_go_on(what, n, seen):
        for i in range(n):
            assert a.do(f"say('{what}{i}', 'x')") == [seen, "x"]

    with Adverts(g, "ask") as heard:
        # no way out: an address, and no promise
        ra = heard.until(lambda r: r["lifetime"] == 0)
        assert ra["prefixes"]
        wait_for("an address", lambda: clients6.kernel(g)["address"], 20)
        assert "router" not in clients6.kernel(g)
        assert is_told(a, WEB_IP6, errno.ENETUNREACH)

        # it comes
        t0 = time.monotonic()
        enter6()
        heard_of(heard, "comes", t0, lambda r: r["lifetime"] > 0)
        new_flows(a, "comes", WEB_IP6, t0, ("ok", HOST_IP6))
        for i in range(10):
            a.do(f"connect('six{i}', {WEB_IP6!r})")
        flows_go_on("six", 10, HOST_IP6)
        flows_go_on("four", 10, world.HOST_IP)

        # another prefix beside it: whose address is still there goes on
        sh("ip", "addr", "add", f"{OTHER_GW6}/64", "dev", "eth0", "nodad", ns="inet")
        sh("ip", "addr", "add", f"{OTHER_IP6}/64", "dev", "up0", "nodad")
        sh("ip", "-6", "route", "replace", "default", "via", OTHER_GW6)
        flows_go_on("six", 10, HOST_IP6)
        # then alone: the others end by a word, and who waits for a connection
        # is not left behind
        waiting.tell(f"attempted({SILENT_IP6!r}, 0)")
        wait_for("a connect", lambda: SILENT_IP6 in sh("ss", "-tnH").stdout)
        t0 = time.monotonic()
        sh("ip", "-6", "addr", "del", f"{HOST_IP6}/64", "dev", "up0")
        new_flows(a, "changes", WEB_IP6, t0, ("ok", OTHER_IP6))
        how, seconds = a.do(f"ended([f'six{{i}}' for i in range(10)], {t0})")
        assert how == "reset", (how, seconds)
        tell("changes: flows of the old prefix are reset", seconds)
        for i in range(10):
            a.do(f"connect('more{i}', {WEB_IP6!r})")
        flows_go_on("more", 10, OTHER_IP6)
        flows_go_on("four", 10, world.HOST_IP)

        # the way goes, and the address stays: what is open waits for another,
        # who waits to be connected is told
        t0 = time.monotonic()
        sh("ip", "-6", "route", "del", "default")
        heard_of(heard, "way goes", t0, lambda r: r["lifetime"] == 0)
        new_flows(a, "way goes", WEB_IP6, t0, *NO_WAYS)
        how, at = waiting.told()[1]
        assert how in NO_WAYS, how
        tell("way goes: who waited for a connection is told", at - t0)
        t0 = time.monotonic()
        sh("ip", "-6", "route", "add", "default", "via", OTHER_GW6)
        heard_of(heard, "way is back", t0, lambda r: r["lifetime"] > 0)
        new_flows(a, "way is back", WEB_IP6, t0, ("ok", OTHER_IP6))
        flows_go_on("more", 10, OTHER_IP6)

        # all of it goes
        t0 = time.monotonic()
        sh("ip", "-6", "route", "del", "default")
        sh("ip", "-6", "addr", "del", f"{OTHER_IP6}/64", "dev", "up0")
        heard_of(heard, "goes", t0, lambda r: r["lifetime"] == 0)
        new_flows(a, "goes", WEB_IP6, t0, *NO_WAYS)
        how, seconds = a.do(f"ended([f'more{{i}}' for i in range(10)], {t0})")
        assert how == "reset", (how, seconds)
        tell("goes: flows are reset", seconds)
        # a guest that believes in it all the same is told
        wait_for("no way", lambda: "router" not in clients6.kernel(g))
        g.sh("ip", "-6", "route", "add", "default", "via", LINK, "dev", "eth0")
        how, number = a.ask(f"new({WEB_IP6!r})")
        assert how == "os" and number in NO_WAY, (how, number)
        flows_go_on("four", 10, world.HOST_IP)


def test_names_while_it_goes(net, watchers):
    """Nobody waits for a resolver that has gone with it."""
    _, g, _ = net
    RESOLV.write_text(f"nameserver {SILENT_IP6}\nnameserver {INET_IP}\n")
    g.dhcp()
    p = g.popen("dig", "+tries=1", "+time=30", "+short", "@10.0.2.3", "web.test", "AAAA",
                stdout=-1, text=True)
    wait_for("a question", lambda: SILENT_IP6 in sh("ss", "-unH").stdout)
    t0 = time.monotonic()
    leave6()
    assert p.communicate(timeout=30)[0].strip() == WEB_IP6
    tell("a name in flight", time.monotonic() - t0)
    t0 = time.monotonic()
    assert dig(g, "10.0.2.3") == WEB_IP6
    tell("a name", time.monotonic() - t0)


# ---- the host's ways ----

def by_table(w):
    """A default route that only a rule leads to."""
    sh("ip", "-6", "route", "add", "default", "via", INET_IP6, "table", "77")
    yield
    sh("ip", "-6", "rule", "add", "from", "all", "lookup", "77")
    yield
    sh("ip", "-6", "rule", "del", "from", "all", "lookup", "77")


def by_prefix(w):
    """A route to all global addresses, and no default."""
    yield
    sh("ip", "-6", "route", "add", "2000::/3", "via", INET_IP6)
    yield
    sh("ip", "-6", "route", "del", "2000::/3", "via", INET_IP6)


def by_unreachable(w):
    """A default route that says there is none, before one that does not."""
    sh("ip", "-6", "route", "add", "unreachable", "default", "metric", "10")
    sh("ip", "-6", "route", "add", "default", "via", INET_IP6, "metric", "20")
    yield
    sh("ip", "-6", "route", "del", "unreachable", "default", "metric", "10")
    yield
    sh("ip", "-6", "route", "add", "prohibit", "default", "metric", "10")


def by_two(w):
    """Two default routes, of which the better one goes with its link, then the
    other."""
    sh("ip", "link", "add", "up1", "type", "veth", "peer", "name", "down1")
    sh("ip", "link", "set", "down1", "up")
    yield
    sh("ip", "link", "set", "up1", "up")
    sh("ip", "addr", "add", "2001:db8:7::2/64", "dev", "up1", "nodad")
    sh("ip", "-6", "route", "add", "default", "via", "2001:db8:7::1", "dev", "up1", "metric", "5")
    sh("ip", "-6", "route", "add", "default", "via", INET_IP6, "metric", "20")
    sh("ip", "link", "set", "up1", "down")
    yield
    sh("ip", "-6", "route", "del", "default", "via", INET_IP6, "metric", "20")


def by_carrier(w):
    """A cable that is pulled: no route goes."""
    sh("ip", "link", "set", "eth0", "down", ns="inet")
    sh("ip", "-6", "route", "add", "default", "via", INET_IP6)
    yield
    sh("ip", "link", "set", "eth0", "up", ns="inet")
    sh("ip", "addr", "replace", f"{INET_IP6}/64", "dev", "eth0", "nodad", ns="inet")
    yield
    sh("ip", "link", "set", "eth0", "down", ns="inet")


def addressed(g):
    """The guest has what its kernel takes a while to be sure of."""
    g.sh("ip", "link", "set", "eth0", "up")
    wait_for("an address", lambda: clients6.kernel(g)["address"], 20)


@pytest.mark.parametrize("how", [by_table, by_prefix, by_unreachable, by_two, by_carrier])
def test_ways_of_the_host(place, watchers, how):
    """No way; one; none again."""
    sh("ip", "-6", "route", "del", "default")
    steps = how(place)
    next(steps)
    g = place.guest()
    try:
        with vmlan(USER, g.netdev()):
            addressed(g)
            a = watchers(g.ns)
            with Adverts(g, "ask") as heard:
                assert heard.next()["lifetime"] == 0
                t0 = time.monotonic()
                next(steps)
                heard_of(heard, "a way", t0, lambda r: r["lifetime"] > 0)
                new_flows(a, "a way", WEB_IP6, t0, ("ok", HOST_IP6))
                t0 = time.monotonic()
                next(steps, None)
                heard_of(heard, "no way", t0, lambda r: r["lifetime"] == 0)
                new_flows(a, "no way", WEB_IP6, t0, *NO_WAYS)
    finally:
        sh("ip", "link", "del", "up1", check=False)
        sh("ip", "-6", "route", "flush", "table", "77", check=False)
        sh("ip", "-6", "route", "del", "unreachable", "default", check=False)
        sh("ip", "-6", "route", "del", "prohibit", "default", check=False)


@pytest.mark.parametrize("restrict", ["off", "on"])
@pytest.mark.parametrize("family", [4, 6])
def test_clients_without_a_way(place, agents, restrict, family):
    """A forwarded client of the host's LAN, on a host without a default route:
    guests without a router can answer nobody but the gateway."""
    sh("ip", f"-{family}", "route", "del", "default")
    host, guest, client, gateway = ("192.0.2.2", "10.0.2.15", INET_IP, "10.0.2.2") \
        if family == 4 else (HOST_IP6, "fec0::15", INET_IP6, "fec0::2")
    # by DHCP there is a router, as long as one may use it
    seen = client if family == 4 and restrict == "off" else gateway
    g = place.guest()
    forwards = ",".join(f"hostfwd={p}:[{host}]:2222-[{guest}]:22" for p in ("tcp", "udp"))
    if family == 4:
        forwards = forwards.replace("[", "").replace("]", "")
    with vmlan(f"{USER},restrict={restrict},{forwards}", g.netdev()):
        addressed(g)
        g.dhcp()
        g.sh("ip", "addr", "add", "fec0::15/64", "dev", "eth0", "nodad")
        here, there = agents(g.ns), agents("inet")
        here.do(f"l = create_server(({guest!r}, 22), family=AF_INET{'6' * (family == 6)})")
        here.do(f"u = socket(l.family, SOCK_DGRAM); u.bind(({guest!r}, 22)); u.settimeout(20)")
        there.do(f"c = create_connection(({host!r}, 2222), timeout=20)")
        here.do("l.settimeout(20); a, who = l.accept(); a.settimeout(20)")
        assert here.do("who[0]") == seen
        here.do("a.sendall(b'hello')")
        assert there.do("c.recv(10)") == b"hello"
        there.do("v = socket(c.family, SOCK_DGRAM); v.settimeout(20)")
        there.do(f"v.sendto(b'one', ({host!r}, 2222))")
        here.do("d, who = u.recvfrom(10)")
        assert here.do("who[0]") == seen
        here.do("u.sendto(b'two', who)")
        assert there.do("v.recv(10)") == b"two"


# ---- a prefix of the host's ----

FIRST, SECOND, THIRD = "2001:db8:1:ff00::/56", "2001:db8:2:ee00::/56", "2001:db8:3:cc00::/60"
PART = {FIRST: "2001:db8:1:ff12::", SECOND: "2001:db8:2:ee12::", THIRD: "2001:db8:3:cc02::"}
FOLLOWER = f"{USER},ipv6-net={PART[FIRST]}/64,ipv6-follow=on"


def delegate(prefix, what="add"):
    """As the host's DHCPv6 client leaves it."""
    sh("ip", "-6", "route", what, "unreachable", prefix, "metric", "2000")


def addresses(g):
    """Those of the guest's kernel, and whether they are for new flows."""
    out = g.sh("ip", "-6", "-o", "addr", "show", "dev", "eth0", "scope", "global").stdout
    return {l.split()[3].split("/")[0]: "deprecated" not in l for l in out.splitlines()
            if "tentative" not in l}


def used(a):
    """The address of the guest that a new flow has."""
    a.do(f"connect('own', {WEB_IP6!r})")
    return a.do("flows['own'].getsockname()[0]")


def test_network_follows_the_host(place, watchers):
    delegate(FIRST)
    g = place.guest()
    try:
        with vmlan(FOLLOWER, g.netdev()) as v:
            clients6.slaac(g)
            a = watchers(g.ns)
            assert used(a).startswith(PART[FIRST][:-1])
            for i in range(10):
                a.do(f"connect('six{i}', {WEB_IP6!r})")

            def flows_go_on():
                for i in range(10):
                    assert a.do(f"say('six{i}', 'x')") == [HOST_IP6, "x"]

            flows_go_on()
            with Adverts(g) as heard:
                # more beside it is no reason
                delegate(SECOND)
                t0 = time.monotonic()
                delegate(FIRST, "del")
                ra = heard_of(heard, "prefix", t0, lambda r: any(
                    p["prefix"].startswith(PART[SECOND]) for p in r["prefixes"]))
                prefix, = ra["prefixes"]
                assert prefix["preferred"] > 0 and ra["lifetime"] > 0
                assert ra["dns"] == [f"{PART[SECOND]}3"]
                ra = heard.until(lambda r: any(
                    p["prefix"].startswith(PART[FIRST]) for p in r["prefixes"]))
                prefix, = ra["prefixes"]
                assert prefix["preferred"] == 0 and 0 < prefix["valid"] <= 7200
                assert ra["dns"] == [f"{PART[FIRST]}3"] and ra["dns_lifetime"] == 0
                assert ra["lifetime"] > 0
                wait_for("its new address", lambda: any(
                    ip.startswith(PART[SECOND][:-1]) and is_preferred
                    for ip, is_preferred in addresses(g).items()), 20)
                tell("prefix: an address of the guest", time.monotonic() - t0)
            assert not any(is_preferred for ip, is_preferred in addresses(g).items()
                           if ip.startswith(PART[FIRST][:-1]))
            assert used(a).startswith(PART[SECOND][:-1])
            # by the old ones all goes on, the name server too
            flows_go_on()
            for p in (PART[FIRST], PART[SECOND]):
                assert dig(g, f"{p}3") == WEB_IP6
            assert "moves from" in v.log()

            # another engine knows as much, though the flows have ended with theirs
            engine = v.engine()
            os.kill(engine, signal.SIGKILL)
            wait_for("another engine", lambda: soon_engine(v) not in (None, engine), 20)
            for p in (PART[FIRST], PART[SECOND]):
                wait_for("names", lambda p=p: dig(g, f"{p}3") == WEB_IP6, 30)
            # the host has none for a while: the network stays
            delegate(SECOND, "del")
            delegate(THIRD)
            wait_for("the third", lambda: any(
                ip.startswith(PART[THIRD][:-1]) and is_preferred
                for ip, is_preferred in addresses(g).items()), 20)
            assert used(a).startswith(PART[THIRD][:-1])
    finally:
        for p in (FIRST, SECOND, THIRD):
            sh("ip", "-6", "route", "del", "unreachable", p, check=False)


def soon_engine(v):
    try:
        return v.engine()
    except (AssertionError, OSError):
        return None


def test_leases_follow_the_host(place):
    """A DHCPv6 client that asks again gets the same number in the new prefix."""
    delegate(FIRST)
    g = place.guest()
    try:
        with vmlan(FOLLOWER, g.netdev()):
            first = clients6.dhclient(g)["address"]
            assert first.startswith(PART[FIRST])
            clients6.dhclient_end(g, "-x")
            delegate(FIRST, "del")
            delegate(SECOND)
            wait_for("another prefix", lambda: any(
                ip.startswith(PART[SECOND][:-1]) for ip in addresses(g)), 20)
            second = clients6.dhclient(g)["address"]
            assert second == first.replace(PART[FIRST], PART[SECOND])
            clients6.dhclient_end(g)
    finally:
        for p in (FIRST, SECOND):
            sh("ip", "-6", "route", "del", "unreachable", p, check=False)


def test_another_keeper_finds_the_same(place, monkeypatch):
    """A network of prefix=host, its keeper killed after it had moved."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/xdg-follow")
    pathlib.Path("/run/xdg-follow").mkdir(exist_ok=True)

    def net6():
        o = json.loads(sh(world.VMLAN, "show", "--json", "lab").stdout)
        return o["subnets"][1]["net"], o

    delegate(FIRST)
    try:
        sh(world.VMLAN, "up", "lab", "natnet", "prefix=host")
        first, o = net6()
        assert first.startswith(FIRST.removesuffix("00::/56"))
        delegate(SECOND)
        delegate(FIRST, "del")
        wait_for("the other prefix", lambda: net6()[0] != first)
        second, o = net6()
        assert second == first.replace("2001:db8:1:ff", "2001:db8:2:ee")
        os.kill(o["keeper"], signal.SIGKILL)
        wait_for("the keeper's end", lambda: not is_alive(o["keeper"]))
        sh(world.VMLAN, "up", "lab")
        again, o = net6()
        assert again == second
        sh(world.VMLAN, "down", "lab")
    finally:
        for p in (FIRST, SECOND):
            sh("ip", "-6", "route", "del", "unreachable", p, check=False)


def is_alive(pid):
    stat = pathlib.Path(f"/proc/{pid}/stat")
    return stat.exists() and " Z " not in stat.read_text()
