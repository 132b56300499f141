# SPDX-License-Identifier: BSD-3-Clause
"""vmlan flows, macs and stats: what they say of real traffic.

        inet  :  natnet lab  :  guest a
"""
import json
import os
import signal

import pytest

import dhcp_raw
import world
from test_edges import Agent
from test_leases import control
from test_modes import Machine, lan, one_line, rundir, show, vmlan  # noqa: F401
from test_names import dig, net  # noqa: F401
from world import INET_IP, WEB_IP, engine_of, wait_for

MAC = "52:54:00:00:00:0a"
DNS = "10.0.2.3"
PORT = 7100
# It takes what comes by one connection, and says as much of its own.
SERVER = f"""
l = create_server(("", {PORT}), backlog=200)
u = socket(AF_INET, SOCK_DGRAM); u.bind(("", {PORT}))
def serve():
    c = l.accept()[0]
    n = 0
    while n < up:
        n += len(c.recv(1 << 20))
    c.sendall(bytes(down))
    return c
"""


def get(path, status=200):
    c = dhcp_raw.Control(control())
    c.request("GET", path)
    r = c.getresponse()
    text = r.read()
    assert r.status == status, (r.status, text)
    c.close()
    return json.loads(text)


def flows(who="lab", **want):
    """Those with these values."""
    o = json.loads(vmlan("flows", "--json", who).stdout)
    assert o["more"] is False
    return [f for f in o["flows"] if all(f.get(k) == v for k, v in want.items())]


def counters():
    return {c["name"]: c["count"] for c in get("/v1/stats")["counters"]}


@pytest.fixture
def agents():
    made = []

    def make(ns):
        made.append(Agent(ns))
        return made[-1]
    yield make
    for a in made:
        a.close()


@pytest.fixture
def a(lan, agents):  # noqa: F811
    """(guest, its agent, the internet's)"""
    with Machine(lan, "a", "--net", "natnet:lab", mac=MAC) as m:
        m.guest.dhcp()
        inet = agents("inet")
        inet.do(SERVER)
        yield m.guest, agents(m.guest.ns), inet


def exchange(inet, me, up, down, n=1):
    """Connections by which as many bytes have gone."""
    inet.do(f"up, down = {up}, {down}; held = []")
    me.do("mine = []")
    for _ in range(n):
        inet.tell("held.append(serve())")
        me.do(f"s = create_connection(({INET_IP!r}, {PORT}), timeout=60); mine.append(s)")
        me.do(f"s.sendall(bytes({up}))")
        me.do(f"n = 0\nwhile n < {down}: n += len(s.recv(1 << 20))")
        assert inet.told() == ("ok", None)


def test_tcp(a):
    """Bytes are those that were sent, both ways and by whoever began."""
    guest, me, inet = a
    exchange(inet, me, 3000000, 200000)
    f, = flows(proto="tcp")
    port = me.do("s.getsockname()[1]")
    assert f["machine"] == "a" and f["direction"] == "out" and f["state"] == "established"
    assert (f["guest"], f["peer"]) == (f"{guest.ip}:{port}", f"{INET_IP}:{PORT}")
    assert (f["sent-bytes"], f["received-bytes"]) == (3000000, 200000)
    assert f["age-ms"] >= f["idle-ms"] and 0 < f["rtt-us"] < 10e6
    assert f["retransmissions"] >= 0 and "name" not in f
    assert [f["guest"] for f in flows("a")] == [f["guest"] for f in flows("lab/a")]
    n = counters()
    assert (n["tcp-sent-bytes"], n["tcp-received-bytes"]) == (3000000, 200000)
    assert n["tcp-opened"] == n["tcp-flows"] == n["machines"] == 1
    # who called the guest
    me.do("l = create_server(('', 7200)); l.settimeout(30)")
    vmlan("fwd", "a", "add", "7200:7200")
    inet_side = world.popen("/usr/bin/python3", "-c",
                            "import socket; s = socket.create_connection(('127.0.0.1', 7200));"
                            "s.sendall(b'12345'); s.recv(1)")
    try:
        me.do("c = l.accept()[0]; got = c.recv(5)")
        f, = flows("a", direction="in")
        assert f["guest"] == f"{guest.ip}:7200" and f["machine"] == "a"
        assert (f["sent-bytes"], f["received-bytes"]) == (0, 5)
    finally:
        me.do("c.close()")
        world.stop(inet_side)
    # as a table
    head, *rows = vmlan("flows", "a").stdout.splitlines()
    assert head.split() == ["PROTO", "MACHINE", "GUEST", "PEER", "STATE", "AGE", "IDLE", "SENT",
                            "RECEIVED", "RTT", "AGAIN"]
    assert any("2.86 MiB" in r and "195 KiB" in r for r in rows), rows
    me.do("s.close()")
    inet.do("held[0].close()")
    wait_for("its end", lambda: not flows("a", state="established"))


def test_round_trip(a):
    """It is to the guest and back, with the cable as it is when the guest is sent
    something."""
    guest, me, inet = a
    exchange(inet, me, 1000, 1000)
    old = f"{guest.ip}:{me.do('s.getsockname()[1]')}"
    inet.do("old = held[0]; old.settimeout(60)")
    me.do("old = s; old.settimeout(60)")
    vmlan("link", "a", "delay=200ms")
    exchange(inet, me, 1000, 1000)
    new = f"{guest.ip}:{me.do('s.getsockname()[1]')}"
    wait_for("the cable's delay, both ways", lambda: flows(guest=new)[0].get("rtt-us", 0) > 390000)
    before = flows(guest=old)[0]["rtt-us"]
    assert before < 390000
    me.do("old.sendall(b'x')")
    inet.do("old.recv(1)")
    assert flows(guest=old)[0]["rtt-us"] == before
    inet.do("old.sendall(b'y')")
    me.do("old.recv(1)")
    wait_for("a longer way", lambda: flows(guest=old)[0]["rtt-us"] > before)


def test_a_loss_is_seen(a):
    """Segments that a spoilt cable has lost are sent again, and counted."""
    _, me, inet = a
    exchange(inet, me, 1000, 100000)
    f, = flows(proto="tcp")
    assert f["retransmissions"] < 20  # a busy host may be late
    vmlan("link", "a", "to", "loss=10%", "--seed", "7")
    exchange(inet, me, 1000, 1000000)
    f = max(flows(proto="tcp"), key=lambda f: f["received-bytes"])
    # what is sent again is no more of what was received
    assert f["received-bytes"] == 1000000
    assert 20 < f["retransmissions"] < 2000
    p, = [p for p in get("/v1/stats")["ports"] if p.get("machine") == "a"]
    assert p["tx-bytes"] > 1000000


def test_udp_and_names(net, agents, monkeypatch):  # noqa: F811
    """Datagrams are counted where they go; a peer has the name that it was looked up by."""
    with Machine(net, "a", "--net", "natnet:lab", mac=MAC) as m:
        m.guest.dhcp()
        me, inet = agents(m.guest.ns), agents("inet")
        inet.do("u = socket(AF_INET, SOCK_DGRAM); u.bind(('', 7100)); u.settimeout(30)")
        me.do("u = socket(AF_INET, SOCK_DGRAM); u.settimeout(30)")
        assert dig(m.guest.ns, DNS, "first.outside.test") == [WEB_IP]
        me.do(f"for n in (1, 20, 300): u.sendto(bytes(n), ({WEB_IP!r}, {PORT}))")
        from_guest = inet.do("[u.recvfrom(1000) for _ in range(3)][-1][1]")
        f, = flows(proto="udp", peer=f"{WEB_IP}:{PORT}")
        assert (f["sent-bytes"], f["received-bytes"], f["state"]) == (321, 0, "unanswered")
        assert f["name"] == "first.outside.test" and f["machine"] == "a"
        inet.do(f"for n in (4000, 5): u.sendto(bytes(n), {from_guest!r})")
        assert me.do("sorted(len(u.recv(9000)) for _ in range(2))") == [5, 4000]
        f, = flows(proto="udp", peer=f"{WEB_IP}:{PORT}")
        assert (f["sent-bytes"], f["received-bytes"], f["state"]) == (321, 4005, "answered")
        # the newest name counts, also where it was asked for by TCP; ping as well
        assert dig(m.guest.ns, DNS, "second.outside.test", "+tcp") == [WEB_IP]
        assert {f["name"] for f in flows(proto="udp", peer=f"{WEB_IP}:{PORT}")} == {
            "second.outside.test"}
        assert dig(m.guest.ns, DNS, "third.outside.test") == [WEB_IP]
        m.guest.sh("ping", "-c1", "-W9", "-s100", WEB_IP, check=False)
        assert {f["name"] for f in flows() if f["peer"].startswith(WEB_IP)} == {
            "third.outside.test"}
        f, = flows(proto="icmp")
        assert f["sent-bytes"] == f["received-bytes"] == 108 and f["peer"] == WEB_IP
        n = counters()
        # dig by TCP is none of them; who is late is asked again
        assert n["dns-questions"] in (2, 3, 4) and n["dhcp-answers"] >= 2
        assert 2 <= n["dns-asked"] < 20
        assert (n["udp-sent-bytes"], n["udp-received-bytes"]) == (321, 4005)
        assert "(third.outside.test)" in vmlan("flows", "lab").stdout


@pytest.mark.parametrize("n", [5000])
def test_many(a, n):
    """More than one turn holds: each is there once."""
    _, me, inet = a
    me.do(f"""
def send(ports):
    for port in ports:
        with socket(AF_INET, SOCK_DGRAM) as s:
            s.bind(("", port))
            s.sendto(b"12345", ({INET_IP!r}, {PORT}))
""")
    want = set(range(10000, 10000 + n))
    missing = want

    def all_there():
        """A burst may be too much for a cable."""
        nonlocal missing
        me.do(f"send({sorted(missing)!r})")
        got = flows(proto="udp", peer=f"{INET_IP}:{PORT}")
        ports = [int(f["guest"].rpartition(":")[2]) for f in got]
        assert len(ports) == len(set(ports))
        assert all(f["sent-bytes"] % 5 == 0 for f in got)
        missing = want - set(ports)
        return not missing
    wait_for("all of them", all_there, 60)
    assert len(vmlan("flows", "a").stdout.splitlines()) > n


def test_workers(w, agents, monkeypatch):
    """Flows of a machine with several queues are carried by several workers: all are listed, and
    what its port carried is the sum."""
    monkeypatch.setenv("VMLAN_WORKERS", "2")
    g = w.guest("a", MAC)
    vmlan("up", "lab", "generic", "netdev=user",
          f"netdev=netns,id=card,path={g.path()},ifname=eth0,queues=4,mac={MAC}")
    try:
        wait_for("eth0", lambda: g.sh("ip", "link", "show", "eth0", check=False).returncode == 0)
        g.dhcp()
        me, inet = agents(g.ns), agents("inet")
        inet.do(SERVER)
        exchange(inet, me, 5000, 7000, 60)
        got = flows(proto="tcp", state="established")
        ports = {int(f["guest"].rpartition(":")[2]) for f in got}
        assert ports == set(me.do("[s.getsockname()[1] for s in mine]")) and len(got) == 60
        assert {(f["sent-bytes"], f["received-bytes"]) for f in got} == {(5000, 7000)}
        n = counters()
        assert (n["tcp-flows"], n["tcp-sent-bytes"]) == (60, 300000)
        p, = [p for p in get("/v1/stats")["ports"] if p["name"] == "card"]
        assert p["rx-bytes"] > 300000 and p["tx-bytes"] > 420000
    finally:
        vmlan("down", "lab")


def test_macs_and_ports(a):
    guest, me, inet = a
    exchange(inet, me, 100000, 100000)
    m, = [m for m in get("/v1/macs")["macs"] if m.get("machine") == "a"]
    assert (m["mac"], m["port"]) == (MAC, "a") and guest.ip in m["addresses"]
    assert m["idle-ms"] < 60000
    line, = [li for li in vmlan("macs", "lab").stdout.splitlines() if li.startswith(MAC)]
    assert line.split()[1] == "a" and guest.ip in line.split()
    # the guest's kernel counts the same at the other end of its cable
    p, = [p for p in get("/v1/stats")["ports"] if p.get("machine") == "a"]
    assert p["kind"] == "stream" and p["connected"] and p["up"]
    assert p["rx-bytes"] > 100000 and p["tx-bytes"] > 100000
    assert p["rx-drops"] == p["tx-drops"] == 0
    # as gvproxy counts
    gv = get("/stats")
    assert gv["BytesReceived"] >= p["rx-bytes"] and gv["BytesSent"] >= p["tx-bytes"]
    assert gv["TCP"]["PassiveConnectionOpenings"] == 1 and gv["TCP"]["CurrentConnected"] == 1
    assert gv["IP"]["PacketsReceived"] > 2 and gv["UDP"]["PacketsReceived"] == 0


def test_an_engine_that_dies_or_is_silent(a):
    """Who has asked hears it, and nobody else waits; the next engine answers."""
    engine = engine_of(show("lab")["keeper"])
    os.kill(engine, signal.SIGSTOP)
    asking = [dhcp_raw.Control(control()) for _ in range(3)]
    for c in asking:
        c.request("GET", "/v1/flows")
    assert show("lab")["engine"] == engine  # the keeper, which is there for others
    get("/v1/leases")
    os.kill(engine, signal.SIGKILL)
    said = []
    for c in asking:
        r = c.getresponse()
        said.append((r.status, json.loads(r.read())))
        c.close()
    # one was being asked about; the others' question is the next engine's
    failed = [o["error"] for status, o in said if status == 500]
    assert failed == ["the engine ended before it had answered; ask again"]
    wait_for("another", lambda: show("lab")["serving"] and show("lab")["engine"] != engine)
    assert get("/v1/flows")["more"] is False


def test_bad_words(w):
    for what in ("flows", "macs"):
        for words in ((), ("x", "y"), ("--xml", "lab")):
            one_line(2, what, *words)
    assert one_line(3, "macs", "nosuch").endswith("macs: no network nosuch is running")
    one_line(4, "flows", "nosuch")
    one_line(3, "flows", "nosuch/x")
    vmlan("up", "lab", "internal")
    try:
        assert get("/v1/flows") == {"flows": [], "more": False} and flows() == []
        assert get("/v1/flows?machine=x", 404)["code"] == 4
        assert get("/v1/macs") == {"macs": []}
        assert vmlan("flows", "lab").stdout == vmlan("macs", "lab").stdout == ""
    finally:
        vmlan("down", "lab")
