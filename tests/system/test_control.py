# SPDX-License-Identifier: BSD-3-Clause
"""The control socket: all that it serves is described, and is as described;
what gvproxy's clients ask; whoever it must not wait for, or must not serve.

      m, other: cables of `lab`, natnet; `far`: a VDE switch with a plug, a tunnel
"""
import contextlib
import json
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import time

import pytest

import dhcp_raw
from dhcp_raw import Raw, lease_all
from reach import PYTHON
from schema import Seen
from test_modes import RUNDIR, control, get, rundir, show, vmlan  # noqa: F401
from test_vde import Plug, folder  # noqa: F401
from world import VMLAN, popen, sh, wait_for


def path(name="lab"):
    return RUNDIR / "vmlan" / name / "control"


def request(method, url, body=None, name="lab"):
    """Status, headers and text of an answer."""
    c = dhcp_raw.Control(path(name))
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
    c.request(method, url, body)
    r = c.getresponse()
    text = r.read().decode()
    c.close()
    return r.status, r.headers, text


def ask(method, url, body=None, name="lab", status=200):
    got, _, text = request(method, url, body, name)
    assert got == status, (method, url, got, text)
    assert text.endswith("\n")
    return json.loads(text)


def refused(status, *words, method="GET", url="/v1/network", body=None):
    """One line, and it says what is wrong."""
    got, headers, text = request(method, url, body)
    assert got == status, (got, text)
    is_text = headers["Content-Type"].startswith("text/plain")
    line = text[:-1] if is_text else json.loads(text)["error"]
    assert "\n" not in line and all(w in line for w in words), line
    return headers


@pytest.fixture
def lab():
    """A network, and a machine that is not plugged in yet."""
    vmlan("up", "lab", "natnet")
    m = Raw(1, "m")
    yield m
    m.unplug()
    for n in show("lab")["machines"]:
        ask("DELETE", f"/v1/machines/{n['name']}")
    vmlan("down", "lab")


# ---- one table ----

def requests(name="lab"):
    o = ask("GET", "/v1", name=name)
    return {f"{r['method']} {r['path']}": r for r in o["requests"]}


def plug(m, **more):
    body = {"name": m.name, "pid": os.getpid(), "mac": m.mac_text(), **more}
    m.path = ask("POST", "/v1/machines", body, status=201)["socket"]
    m.plug()


def speak(m):
    """It has leases of both families, and lost a frame."""
    lease_all([m])
    m.send(b"\xff" * 12 + b"\x08\x00" + bytes(46))
    wait_for("its loss", lambda: ask("GET", "/v1/stats")["drops"])


SPOILT = {"delay": "2ms", "jitter": "1ms", "loss": "1%", "duplicate": "1%", "reorder": "1%",
          "corrupt": "1%", "rate": "1gbit", "burst": "1mb"}


@contextlib.contextmanager
def connection():
    """A program of the network has looked the host up, and is connected to it."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        code = (f"import socket, sys; c = socket.create_connection(('host', {s.getsockname()[1]}));"
                "c.sendall(b'x'); c.recv(9); print('up', flush=True); sys.stdin.read()")
        p = popen(VMLAN, "exec", "--name", "prog", "lab", "--", PYTHON, "-c", code,
                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        s.settimeout(20)
        with s.accept()[0] as c:
            c.sendall(b"y")
            assert p.stdout.readline() == "up\n"
            yield
        p.stdin.close()
        p.stdout.close()
        p.wait(20)


def capture():
    c = dhcp_raw.Control(path())
    c.request("POST", "/v1/captures", "{}", {"Connection": "Upgrade", "Upgrade": "vmlan-capture"})
    assert c.getresponse().status == 101
    c.close()
    return {}


def forwarder(what):
    """An answer without text."""
    body = {"local": "127.0.0.1:0", "remote": "10.0.2.15:22", "protocol": "tcp"}
    assert request("POST", "/services/forwarder/" + what, body)[::2] == (200, "")
    return {}


def examples(m, far):
    """A call for each request, in an order in which each has something to say."""
    me = {"name": "other", "pid": os.getpid()}
    return [
        ("GET /v1", lambda: ask("GET", "/v1")),
        ("POST /v1/machines", lambda: ask("POST", "/v1/machines", {
            **me, "mac": "auto", "link": "vhost-user", "queues": 2, "nic": 1,
            "forwards": ["tcp:127.0.0.1:0-:22"]}, status=201)),
        ("PUT /v1/machines/{name}/user-data", lambda: ask(
            "PUT", "/v1/machines/m/user-data", "#cloud-config\n")),
        ("PUT /v1/machines/{name}/meta-data", lambda: ask(
            "PUT", "/v1/machines/m/meta-data", "instance-id: 1\n")),
        ("POST /v1/forwards", lambda: ask("POST", "/v1/forwards", {
            "spec": "0:22,0:23", "machine": "other", "proxy": "v1", "from": ["::1"]}, status=201)),
        ("POST /services/forwarder/expose", lambda: forwarder("expose")),
        ("GET /services/forwarder/all", lambda: ask("GET", "/services/forwarder/all")[0]),
        ("GET /v1/forwards", lambda: ask("GET", "/v1/forwards")),
        ("PUT /v1/machines/{name}/link", lambda: ask(
            "PUT", "/v1/machines/m/link", {"to": SPOILT, "from": SPOILT, "seed": 7, "for": "1h"})),
        ("GET /v1/machines/{name}/link", lambda: ask("GET", "/v1/machines/m/link")),
        ("GET /v1/network", lambda: ask("GET", "/v1/network")),
        ("GET /v1/network", lambda: ask("GET", "/v1/network", name=far)),
        ("DELETE /v1/forwards/{name}", lambda: ask(
            "DELETE", f"/v1/forwards/{ask('GET', '/v1/forwards')['forwards'][1]['id']}")),
        ("POST /services/forwarder/unexpose", lambda: forwarder("unexpose")),
        ("GET /v1/why", lambda: ask("GET", "/v1/why?from=host&to=m&port=22")),
        ("GET /v1/leases", lambda: ask("GET", "/v1/leases")),
        ("GET /v1/stats", lambda: ask("GET", "/v1/stats")),
        ("GET /v1/flows", lambda: ask("GET", "/v1/flows?machine=prog")),
        ("GET /v1/macs", lambda: ask("GET", "/v1/macs")),
        ("GET /stats", lambda: ask("GET", "/stats")),
        ("PUT /v1/captures/kept", lambda: ask("PUT", "/v1/captures/kept", {
            "memory": 1 << 20, "machine": "m", "snaplen": 96})),
        ("POST /v1/captures", capture),
        ("GET /v1/captures", lambda: ask("GET", "/v1/captures")),
        ("GET /v1/events", lambda: events()[0]),
        ("GET /leases", lambda: ask("GET", "/leases")),
        ("GET /services/dhcp/leases", lambda: ask("GET", "/services/dhcp/leases")),
        ("GET /cam", lambda: ask("GET", "/cam")),
        ("PUT /v1/network/kept", lambda: ask("PUT", "/v1/network/kept", {"kept": True})),
        ("PUT /v1/machines/{name}/life", lambda: ask(
            "PUT", "/v1/machines/other/life", {"pid": os.getpid()})),
        ("DELETE /v1/machines/{name}", lambda: ask("DELETE", "/v1/machines/other")),
    ]


def test_all_is_as_described(lab, folder, tmp_path, monkeypatch):  # noqa: F811
    """Each request is asked once or more: answers have the keys that GET /v1
    says, of the types that it says; and there is no key that never comes."""
    table = requests()
    seen, asked = Seen(), set()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "vmlan").mkdir()
    (tmp_path / "vmlan" / "far.conf").write_text(
        f"[network]\nmode = generic\nnetdev = vde,server=on,sock={folder}/sw\n"
        "netdev = l2tpv3,src=127.0.0.1,dst=127.0.0.2,udp=on,srcport=17011,dstport=17010,"
        "txsession=5\n")
    vmlan("up", "far")
    try:
        plug(lab)
        speak(lab)
        with Plug(folder / "sw", folder / "own"), connection():
            wait_for("the plug", lambda: show("far")["plugs"])
            for name, call in examples(lab, "far"):
                asked.add(name)
                answer = call()
                if table[name]["gives"] == "lines":  # what a type has besides is below
                    answer = {k: answer[k] for k in ("seq", "time", "type")}
                seen.object(name, table[name]["answer"], answer)
    finally:
        vmlan("down", "far")
    assert asked == set(table)
    never = [k for name in table for k in seen.never(name, table[name]["answer"])]
    # behind a path there is nothing so deep that a key has keys, and in an event
    assert {k.split(".", 1)[1] for k in never} == {
        "requests[].query[].keys", "event[].keys", "events[].keys[].keys"}


def test_what_is_not_described_is_refused(lab):
    for name, r in requests().items():
        url = r["path"].replace("{name}", "m")
        refused(400, "query", "known", method=r["method"], url=url + "?nothing=1")
        if "body" in r and r.get("takes") != "bytes":
            refused(400, method=r["method"], url=url, body={"nothing": 1})
        for method in {"GET", "PUT", "POST", "DELETE", "PATCH"} - {
                x["method"] for x in requests().values() if x["path"] == r["path"]}:
            headers = refused(405, "takes", method=method, url=url)
            assert r["method"] in headers["Allow"], name
    for url in ("/", "/v1/", "/v1/nothing", "/v1/network/", "/v1/machines/a/b/c", "/v1x",
                "/v1/machines//life", "/v1/machines/" + "x" * 100 + "/life", "/%00", "/%ff"):
        refused(404, "GET /v1 lists", url=url)
    for url in ("/v2/network", "/v0", "/v10/leases", "/v01"):
        refused(404, "speaks version 1", "GET /v1 lists", url=url)
    assert refused(405, url="/v1/network", method="POST")["Allow"] == "GET, HEAD"
    status, headers, text = request("HEAD", "/v1/network")
    assert (status, text) == (200, "") and int(headers["Content-Length"]) > 100


@pytest.mark.parametrize("body,words", [
    ("{", ("line 1, column 1", "no JSON object")), ("", ("no JSON object",)),
    ('{"kept": true,\n  "more": x}', ("line 2, column 11",)), ("[]", ("no JSON object",)),
    ('{"kept": true, "kept": false}', ("line 1", "no JSON object")),
    ('{"kept": 1}', ('"kept"', "boolean")), ("{}", ('"kept"',)),
    ('{"kept": true, "more": 1}', ("not known", '"kept"')), (b'{"\xff": 1}', ("no JSON object",)),
    ("[" * 60000, ("no JSON object",)), ("x" * 65537, ("too long", "65536"))])
def test_bad_bodies(lab, body, words):
    refused(413 if len(body) > 65536 else 400, *words, method="PUT", url="/v1/network/kept",
            body=body)
    assert show("lab")["kept"] is True


def test_manual_page(lab):
    """Its table is the one that is served."""
    page = (pathlib.Path(VMLAN).parents[1] / "man/vmlan-control.7").read_text()
    page = page.replace("\\-", "-").replace("\\&", "")
    for name, r in requests().items():
        assert name in page and r["about"][1:] in page.replace("\n", " "), name


# ---- events ----

def events(query="?follow=0"):
    """Those that there are now."""
    status, headers, text = request("GET", "/v1/events" + query)
    assert status == 200 and headers["Content-Type"] == "application/x-ndjson"
    assert text == "" or text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def types(query="?follow=0"):
    return [e["type"] for e in events(query)]


class Follower:
    """Somebody who reads events, by HTTP/1.0: a line at a time, without an end."""

    def __init__(self, query="?since=now"):
        self.sock = control("lab")
        self.sock.sendall(f"GET /v1/events{query} HTTP/1.0\r\n\r\n".encode())
        self.file = self.sock.makefile("rb")

    def head(self):
        while self.file.readline() not in (b"\r\n", b""):
            pass
        return self

    def next(self):
        line = self.file.readline()
        return json.loads(line) if line else None

    def close(self):
        self.file.close()
        self.sock.close()


def kept(n=1):
    for i in range(n):
        ask("PUT", "/v1/network/kept", {"kept": True})


def test_events_are_as_described(lab, folder):  # noqa: F811
    """A life with most that can happen: in order, numbered, described."""
    table = {e["name"]: e for e in ask("GET", "/v1")["events"]}
    head = ask("GET", "/v1")["event"]
    plug(lab)
    lease_all([lab])
    dhcp_raw.renew_all([lab])
    wait_for("both renewals", lambda: types().count("lease-renewed") >= 2)
    lab.say4(7, ciaddr=lab.ip4)
    wait_for("its release", lambda: "lease-ended" in types())
    engine = show("lab")["engine"]
    os.kill(engine, signal.SIGKILL)
    wait_for("another one", lambda: types()[-5:].count("engine-serves") == 1 and
             show("lab")["engine"] not in (0, engine))
    lab.unplug()
    ask("DELETE", "/v1/machines/m")
    kept()
    got = events()
    assert [e["seq"] for e in got] == list(range(1, len(got) + 1))
    assert got == sorted(got, key=lambda e: e["time"])
    seen = Seen()
    for e in got:
        seen.object(e["type"], head + table[e["type"]]["keys"], e)
    order = [e["type"] for e in got]
    assert order[:2] == ["engine-serves", "network-started"]
    for a, b in zip(("network-started", "machine-attached", "machine-connected", "lease-given",
                     "lease-renewed", "lease-ended", "engine-ended", "machine-detached"),
                    ("machine-attached", "machine-connected", "lease-given", "lease-renewed",
                     "lease-ended", "engine-ended", "machine-detached", "network-kept")):
        assert order.index(a) < len(order) - 1 - order[::-1].index(b), (a, b, order)
    assert "machine-addresses" in order and "machine-disconnected" in order
    ended = got[order.index("engine-ended")]
    assert ended["engine"] == engine and "signal 9" in ended["text"]


def said(*kinds):
    """Events of these types, without what all have."""
    return [{k: v for k, v in e.items() if k not in ("seq", "time")}
            for e in events() if e["type"].startswith(kinds)]


def test_forwards_are_events(lab):
    """Whoever asked for them, and whatever ends them; another keeper tells them again."""
    def all_of(*ids):
        return [(e["type"].partition("-")[2], e["forward"]) for e in said("forward-")
                if e["forward"] in ids]
    plug(lab, forwards=["tcp:127.0.0.1:0-:22"])
    of_m = ask("GET", "/v1/forwards")["forwards"][0]
    asked = ask("POST", "/v1/forwards", {"spec": "tcp:127.0.0.1:0-10.0.2.9:22,0:7/udp"},
                status=201)["forwards"]
    forwarder("expose")
    port = of_m["bound"][0]["host"].rpartition(":")[2]
    assert said("forward-")[0] == {
        "type": "forward-added", "forward": of_m["id"], "spec": "tcp:127.0.0.1:0-:22",
        "proto": "tcp", "guest": of_m["guest"], "machine": "m", "port": int(port)}
    assert said("forward-")[1]["guest"] == "10.0.2.9" and "machine" not in said("forward-")[1]
    ask("DELETE", f"/v1/forwards/{asked[0]['id']}")
    forwarder("unexpose")
    refused(404, method="DELETE", url=f"/v1/forwards/{asked[0]['id']}")
    refused(409, method="POST", url="/v1/forwards", body={"spec": f"0:22,127.0.0.1:{port}:22"})
    assert all_of(1, 2, 3, 4, 5) == [("added", 1), ("added", 2), ("added", 3), ("added", 4),
                                     ("removed", 2), ("removed", 4)]
    os.kill(show("lab")["keeper"], signal.SIGKILL)
    wait_for("another keeper", lambda: vmlan("show", "lab") and types())
    assert all_of(1, 2, 3, 4) == [("added", 1), ("added", 3)]
    lab.unplug()
    ask("DELETE", "/v1/machines/m")
    assert [e["type"] for e in said("forward-removed", "machine-detached")] == [
        "forward-removed", "machine-detached"] and all_of(1)[-1] == ("removed", 1)
    ask("DELETE", "/v1/forwards/3")


def test_the_netdevs_forwards_are_events():
    vmlan("up", "lab", "generic", "netdev=user,hostfwd=tcp:127.0.0.1:0-:22")
    try:
        (first,) = said("forward-")
        assert (first["type"], first["forward"]) == ("forward-added", 1) and first["port"]
        ask("DELETE", "/v1/forwards/1")
        assert said("forward-")[1] == {**first, "type": "forward-removed"}
    finally:
        vmlan("down", "lab")


def test_captures_are_events(lab):
    """With what was lost: frames that a ring had no room for, as nobody read it."""
    plug(lab)
    c = dhcp_raw.Control(path())
    c.request("POST", "/v1/captures", json.dumps({"memory": 1 << 20}),
              {"Connection": "Upgrade", "Upgrade": "vmlan-capture"})
    assert c.getresponse().status == 101
    n = (1 << 20) // 1500
    wait_for("its beginning", lambda: said("capture-started"))
    lease_all([lab])  # the engine has its order, then
    lab.sock.setblocking(True)
    for i in range(n):  # twice of them: the switch drops each, as nobody has it
        lab.send(b"\x52\x54\0\0\0\x77" + lab.mac + b"\x08\x06" + bytes(1500))
        lab.send(b"\x52\x54\0\0\0\x77" + lab.mac + b"\x08\x06" + bytes(1500))
    lab.sock.setblocking(False)
    select.select([], [lab.sock], [], 60)
    dhcp_raw.renew_all([lab])  # all has come through, then
    c.close()
    stop = wait_for("its end", lambda: said("capture-stopped"))
    assert said("capture-started") == [{"type": "capture-started", "capture": 1, "kept": False}]
    (stop,) = stop
    assert stop["capture"] == 1 and n // 2 < stop["lost"] < 2 * n, stop
    kept_body = {"machine": "m", "memory": 1 << 20}
    ask("PUT", "/v1/captures/kept", kept_body)
    ask("PUT", "/v1/captures/kept", kept_body)  # in place of the first
    ask("PUT", "/v1/captures/kept", {**kept_body, "memory": 0})
    assert [(e["type"][8:], e["capture"], e["machine"], e["kept"], "lost" in e)
            for e in said("capture-")[2:]] == [
        ("started", 2, "m", True, False), ("stopped", 2, "m", True, False),
        ("started", 3, "m", True, False), ("stopped", 3, "m", True, False)]
    seen = Seen()
    table = {e["name"]: e for e in ask("GET", "/v1")["events"]}
    for e in events():
        seen.object(e["type"], ask("GET", "/v1")["event"] + table[e["type"]]["keys"], e)


def test_a_capture_ends_with_its_network(lab):
    f = Follower("?since=now").head()
    c = dhcp_raw.Control(path())
    c.request("POST", "/v1/captures", "{}", {"Connection": "Upgrade", "Upgrade": "vmlan-capture"})
    assert c.getresponse().status == 101
    vmlan("down", "lab")
    try:
        got = [json.loads(line) for line in f.file.read().splitlines()]
        assert [e["type"] for e in got] == ["capture-started", "network-kept", "capture-stopped",
                                            "network-ending"]
        assert got[2]["lost"] == 0
    finally:
        c.close()
        f.close()
        vmlan("up", "lab", "natnet")


def test_a_fault_is_an_event(lab):
    plug(lab)
    lab.sock.setblocking(True)
    lab.sock.sendall(struct.pack("!I", 1 << 30))  # no frame is so long
    wait_for("its event", lambda: "port-fault" in types())
    assert [e["netdev"] for e in events() if e["type"] == "port-fault"] == ["m"]


def test_following(lab):
    """By curl, as they happen; from a number on; to the network's end."""
    curl = popen("curl", "-sSN", "--unix-socket", str(path()), "http://x/v1/events?since=now",
                 stdout=subprocess.PIPE, text=True)
    f = Follower().head()
    kept(3)
    a = f.next()
    assert a["type"] == "network-kept" and a["kept"] is True
    assert [e["seq"] for e in events(f"?follow=0&since={a['seq']}")] == [a["seq"] + 1, a["seq"] + 2]
    wait_for("curl", lambda: kept() or select.select([curl.stdout], [], [], 0)[0])
    assert json.loads(curl.stdout.readline())["type"] == "network-kept"
    assert events("?follow=0&since=now") == []
    again = events("?follow=0&since=99999")
    assert again[0]["type"] == "anew" and [e["seq"] for e in again[1:4]] == [1, 2, 3]
    for query in ("?since=", "?since=x", "?since=-1", "?since=" + "9" * 30, "?follow=2",
                  "?follow=0&more=1"):
        refused(400, url="/v1/events" + query)
    said = popen(VMLAN, "events", "lab", stdout=subprocess.PIPE, text=True)
    lines = popen(VMLAN, "events", "--json", "--since", "now", "lab", stdout=subprocess.PIPE,
                  text=True)
    assert "engine-serves" in said.stdout.readline()
    wait_for("both to follow", lambda: kept() or select.select([lines.stdout], [], [], 0)[0])
    status, _, text = request("HEAD", "/v1/events")
    assert (status, text) == (200, "")
    vmlan("down", "lab")
    try:
        for out in (f.file, curl.stdout, said.stdout, lines.stdout):
            text = out.read()
            text = text.decode() if isinstance(text, bytes) else text
            assert "network-ending" in text.splitlines()[-1], text
        assert [p.wait(20) for p in (curl, said, lines)] == [0, 0, 0]
    finally:
        f.close()
        vmlan("up", "lab", "natnet")


def test_events_command(lab):
    r = vmlan("events", "--no-follow", "lab")
    assert "network-started" in r.stdout and "network=lab mode=natnet revived=no" in r.stdout
    first = vmlan("events", "--no-follow", "--json", "lab").stdout.splitlines()[0]
    assert json.loads(first)["seq"] == 1
    assert vmlan("events", "--no-follow", "--since", "now", "lab").stdout == ""
    vmlan("events", "nothing", code=3)
    for words in (("--since", "x", "lab"), ("lab", "more"), (), ("--since",), ("--what", "lab")):
        vmlan("events", *words, code=2)


def test_a_reader_that_does_not_read(lab):
    """It loses events, which a line says, and nobody waits for it."""
    mute = control("lab")
    mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    mute.sendall(b"GET /v1/events HTTP/1.0\r\n\r\n")
    f = Follower().head()
    c = dhcp_raw.Control(path())
    got = []
    for i in range(1800):
        c.request("PUT", "/v1/network/kept", '{"kept":true}')
        assert c.getresponse().read()
        got.append(f.next())
    c.close()
    assert [e["seq"] for e in got] == list(range(got[0]["seq"], got[0]["seq"] + 1800))
    f.close()
    last, text = got[-1]["seq"], mute.makefile("rb")
    while text.readline() != b"\r\n":
        pass
    seq, lost = 0, 0
    while seq < last:
        e = json.loads(text.readline())
        if e["type"] == "lost":
            assert (e["from"], e["to"]) == (seq + 1, e["seq"])
            lost += 1
        else:
            assert e["seq"] == seq + 1
        seq = e["seq"]
    assert lost
    text.close()
    mute.close()


def test_readers_come_and_go(lab):
    """More than there may be at a time: those that have gone hold no place,
    and those that are there are left alone."""
    for i in range(200):
        Follower().close()
    wait_for("their ends", lambda: n_fds() < 40)
    all_of = [Follower().head() for i in range(64)]
    refused(409, "64", "end one", url="/v1/events")
    kept()
    seen = {f.next()["seq"] for f in all_of}
    assert len(seen) == 1
    all_of.pop().close()
    wait_for("its place", lambda: request("GET", "/v1/events?follow=0")[0] == 200)
    for f in all_of:
        f.close()


def n_fds():
    return len(os.listdir(f"/proc/{show('lab')['keeper']}/fd"))


# ---- whoever it must not wait for ----

HALVES = (b"", b"G", b"PUT /v1/network/kept HTTP/1.1\r\nContent-Length: 10\r\n\r\n{",
          b"GET /v1/network HTTP/1.1\r\nHo")


def test_half_requests_lock_nobody_out(lab):
    """Hundreds that never end what they ask: commands are answered at once, not
    when the time of those is over."""
    halves = []
    for i in range(700):
        s = control("lab")
        s.sendall(HALVES[i % len(HALVES)])
        halves.append(s)
    begin = time.monotonic()
    for i in range(10):
        assert show("lab")["name"] == "lab"
    assert time.monotonic() - begin < 29  # who is silent is closed after 30 s
    for s in halves:
        s.close()


def test_drips_lock_nobody_out(lab):
    """The same of those that give signs of life."""
    drips = [control("lab") for i in range(300)]
    for s in drips:
        s.sendall(b"GET /v1/network HTTP/1.1\r\nX: ")
    for i in range(10):
        for s in drips:
            with contextlib.suppress(OSError):
                s.send(b"x")
        assert show("lab")["name"] == "lab"
    for s in drips:
        s.close()


def test_a_thousand_at_once(lab):
    """Each is answered."""
    crowd = []
    for i in range(1000):
        s = control("lab")
        s.settimeout(60)
        crowd.append(s)
        s.sendall(get("/v1/network"))
    for s in crowd:
        got = b""
        while more := s.recv(65536):
            got += more
        assert got.startswith(b"HTTP/1.1 200") and got.endswith(b"}\n"), got[:100]
        s.close()


def test_mutes_and_the_data_path(lab):
    """Answers that nobody reads, bodies without an end and half requests beside
    frames that go: none of those is late by them."""
    plug(lab)
    lease_all([lab])
    mutes = []
    for i in range(100):
        s = control("lab")
        s.setblocking(False)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        with contextlib.suppress(BlockingIOError):
            s.send(get("/v1/network").replace(b"close", b"keep-alive") * 400)
        mutes.append(s)
    endless = control("lab")
    endless.setblocking(False)
    endless.send(b"PUT /v1/network/kept HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    dhcp_raw.renew_all([lab])
    for i in range(200):
        with contextlib.suppress(OSError):
            endless.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        if i % 20 == 0:
            dhcp_raw.renew_all([lab])
            assert show("lab")["name"] == "lab"
    for s in (endless, *mutes):
        s.close()


@pytest.mark.root  # another user
def test_a_crowd_of_another_user(lab):
    """They get no word, even where the folder lets them in, and hold nothing."""
    sock = path()
    for p in (RUNDIR, sock.parent.parent, sock.parent, sock):
        p.chmod(0o777 if p == sock else 0o755)
    code = ("import socket,sys\nall=[]\n"
            "for i in range(500):\n"
            "  s=socket.socket(socket.AF_UNIX); s.settimeout(20); all.append(s)\n"
            "  s.connect(sys.argv[1])\n"
            "  try: s.sendall(b'GET /v1/network HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n')\n"
            "  except OSError: pass\n"
            "print('all', flush=True); sys.stdin.readline()\n"
            "for s in all:\n"
            "  try: got=s.recv(9)\n"
            "  except OSError: got=b''\n"
            "  assert got == b'', got\n"
            "print('none')\n")
    p = popen("setpriv", "--reuid=65534", "--clear-groups", "/usr/bin/python3", "-c", code,
              str(sock), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "all\n"
    assert show("lab")["name"] == "lab"
    assert p.communicate("\n", timeout=60)[0] == "none\n"
    assert [e["type"] for e in events()] == ["engine-serves", "network-started"]


# ---- where it is ----

def test_where_it_is(lab, monkeypatch):
    """A session's networks are in its folder; those without one, root's, are the
    system's.  Folder and socket are their user's alone."""
    assert show("lab")["folder"] == str(path().parent)
    assert path().parent.stat().st_mode & 0o777 == 0o700 and path().stat().st_mode & 0o022 == 0
    assert path().stat().st_uid == os.geteuid()
    base = "/run/vmlan" if os.geteuid() == 0 else f"/tmp/vmlan-{os.geteuid()}"
    with monkeypatch.context() as m:
        m.delenv("XDG_RUNTIME_DIR")
        vmlan("up", "system", "internal")
        try:
            assert show("system")["folder"] == f"{base}/system"
            assert dhcp_raw.ask(f"{base}/system/control", "GET", "/v1")["network"] == "system"
        finally:
            vmlan("down", "system")


def test_guests_have_none(lab):
    """Nothing of the keeper's or the engine's listens on an address, and the
    network's own servers know nothing of it."""
    o = show("lab")
    own = [f"pid={o[k]}," for k in ("keeper", "engine")]
    listing = sh("ss", "-Hltunp").stdout
    assert not [l for l in listing.splitlines() if any(p in l for p in own)], listing
    plug(lab)
    lease_all([lab])
    ask("PUT", "/v1/machines/m/user-data", "#cloud-config\n")  # there is a server, then
    code = ("import http.client\n"
            "c = http.client.HTTPConnection('10.0.2.3', 80, timeout=20)\n"
            "for p in ('/v1', '/v1/network', '/leases', '/services/dhcp/leases', '/cam'):\n"
            "  c.request('GET', p); r = c.getresponse(); r.read(); print(r.status)\n")
    r = vmlan("exec", "lab", "--", "/usr/bin/python3", "-c", code)
    assert r.stdout.split() == ["404"] * 5


# ---- gvproxy's clients ----

def curl(url, *more):
    """As they ask: by a host's name that is none."""
    return sh("curl", "-sS", "--max-time", "20", "--unix-socket", str(path()), *more,
              "http:/unix" + url).stdout


def test_gvproxy(lab):
    gateway = {"10.0.2.2": "52:55:0a:00:02:02"}
    assert json.loads(curl("/leases")) == gateway == json.loads(curl("/services/dhcp/leases"))
    assert curl("/cam") == "{}\n"
    plug(lab)
    lease_all([lab])
    ip = socket.inet_ntoa(lab.ip4) if isinstance(lab.ip4, bytes) else lab.ip4
    assert json.loads(curl("/leases")) == {**gateway, ip: lab.mac_text()}
    assert json.loads(curl("/services/dhcp/leases")) == {**gateway, ip: lab.mac_text()}
    cam = json.loads(curl("/cam"))
    assert list(cam) == [lab.mac_text()] and type(cam[lab.mac_text()]) is int
    lab.unplug()
    wait_for("its end", lambda: curl("/cam") == "{}\n")


def test_without_the_library(rundir, tmp_path, monkeypatch):  # noqa: F811
    """It is loaded by who serves: whose network does not start says so, and
    leaves nothing."""
    (tmp_path / "libmicrohttpd.so.12").write_text("no library\n")
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    r = sh(VMLAN, "up", "lab", "internal", check=False)
    assert r.returncode == 1 and r.stderr.count("\n") == 1, r.stderr
    assert "libmicrohttpd" in r.stderr and "install it" in r.stderr, r.stderr
    assert not (RUNDIR / "vmlan" / "lab").exists()
    assert sh(VMLAN, "ls", check=False).returncode == 0
