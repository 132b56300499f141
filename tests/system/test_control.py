# SPDX-License-Identifier: BSD-3-Clause
"""The control socket: all that it serves is described, and is as described;
what gvproxy's clients ask; whoever it must not wait for, or must not serve.

      m, other: cables of `lab`, natnet; `far`: a VDE switch with a plug, a tunnel
"""
import json
import os
import pathlib
import socket
import struct

import pytest

import dhcp_raw
from dhcp_raw import Raw, lease_all
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
    line = json.loads(text)["error"]
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


def capture():
    c = dhcp_raw.Control(path())
    c.request("POST", "/v1/captures", "{}", {"Connection": "Upgrade", "Upgrade": "vmlan-capture"})
    assert c.getresponse().status == 101
    c.close()
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
        ("GET /v1/network", lambda: ask("GET", "/v1/network")),
        ("GET /v1/network", lambda: ask("GET", "/v1/network", name=far)),
        ("GET /v1/leases", lambda: ask("GET", "/v1/leases")),
        ("GET /v1/stats", lambda: ask("GET", "/v1/stats")),
        ("PUT /v1/captures/kept", lambda: ask("PUT", "/v1/captures/kept", {
            "memory": 1 << 20, "machine": "m", "snaplen": 96})),
        ("POST /v1/captures", capture),
        ("GET /v1/captures", lambda: ask("GET", "/v1/captures")),
        ("GET /leases", lambda: ask("GET", "/leases")),
        ("GET /services/dhcp/leases", lambda: ask("GET", "/services/dhcp/leases")),
        ("GET /cam", lambda: ask("GET", "/cam")),
        ("PUT /v1/network/kept", lambda: ask("PUT", "/v1/network/kept", {"kept": True})),
        ("PUT /v1/machines/{name}/life", lambda: ask(
            "PUT", "/v1/machines/other/life", {"pid": os.getpid()})),
        ("DELETE /v1/machines/{name}", lambda: ask("DELETE", "/v1/machines/other")),
    ]


def test_all_is_as_described(lab, folder):  # noqa: F811
    """Each request is asked once or more: answers have the keys that GET /v1
    says, of the types that it says; and there is no key that never comes."""
    table = requests()
    seen, asked = Seen(), set()
    vmlan("up", "far", "generic", f"netdev=vde,server=on,sock={folder}/sw",
          "netdev=l2tpv3,src=127.0.0.1,dst=127.0.0.2,udp=on,srcport=17011,dstport=17010,"
          "txsession=5")
    try:
        plug(lab)
        speak(lab)
        with Plug(folder / "sw", folder / "own"):
            wait_for("the plug", lambda: show("far")["plugs"])
            for name, call in examples(lab, "far"):
                asked.add(name)
                seen.object(name, table[name]["answer"], call())
    finally:
        vmlan("down", "far")
    assert asked == set(table)
    never = [k for name in table for k in seen.never(name, table[name]["answer"])]
    # no query, and no body is so deep that a key has keys
    assert [k for k in never if not k.startswith(("GET /v1.requests[].query[].",
                                                  "GET /v1.requests[].body[].keys"))] == []


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


# ---- gvproxy's clients ----

def curl(url, *more):
    """As they ask: by a host's name that is none."""
    return sh("curl", "-sS", "--max-time", "20", "--unix-socket", str(path()), *more,
              "http:/unix" + url).stdout


def test_gvproxy(lab):
    assert curl("/leases") == "{}\n" == curl("/services/dhcp/leases") == curl("/cam")
    plug(lab)
    lease_all([lab])
    ip = socket.inet_ntoa(lab.ip4) if isinstance(lab.ip4, bytes) else lab.ip4
    assert json.loads(curl("/leases")) == {ip: lab.mac_text()}
    assert json.loads(curl("/services/dhcp/leases")) == {ip: lab.mac_text()}
    cam = json.loads(curl("/cam"))
    assert list(cam) == [lab.mac_text()] and type(cam[lab.mac_text()]) is int
    lab.unplug()
    wait_for("its end", lambda: curl("/cam") == "{}\n")
