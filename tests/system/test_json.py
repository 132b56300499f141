# SPDX-License-Identifier: BSD-3-Clause
"""Every listing has --json, and its keys stay what they are: scripts read them.
Who adds a key adds it here; a name that is here is never given another meaning.

      web: a cable of `lab`, natnet; `far`: a VDE switch with a plug, a tunnel
"""
import json
import re

import pytest

from dhcp_raw import Raw
from test_control import ask, plug, speak
from test_modes import rundir, vmlan  # noqa: F401
from test_vde import Plug, folder  # noqa: F401
from world import VMLAN, sh, wait_for

# Objects that are in several.
WAY = frozenset({"delay?", "jitter?", "loss?", "duplicate?", "reorder?", "corrupt?", "rate?",
                 "burst?"})
LINK = frozenset({"up", ("to", WAY), ("from", WAY), "seed?", "left-ms?"})
FORWARD = {"id", "spec", "proto", "guest", "machine?", "proxy?", "from?", "added",
           ("bound", frozenset({"host", "family", "guest"}))}
NETWORK = {
    "name", "mode", "options", "kept", "file?", "serving", "exec", "keeper", "engine", "folder", "netdevs",
    ("subnets", frozenset({"net", "gateway?", "dns?"})),
    ("forwards", frozenset({"proto", "host", "guest", "machine?", "id", "family", "proxy?",
                            "from?"})),
    ("tunnels", frozenset({"name", "about", "mtu"})),
    ("machines", frozenset({"name", "link", "queues?", "listen?", "socket?", "connected", "pid",
                            "mac?", "address?", "addresses", "cloud?", ("cable?", LINK)})),
    ("plugs", frozenset({"name", "netdev", "port", "user", "about"})),
}
# By the words of the listing: what an object of it has; "?": it may be missing;
# with a set, what the objects in it have.
KEYS = {
    "ls --json": NETWORK,
    "show --json lab": NETWORK,
    "show --json far": NETWORK,
    "leases --json": {"network", "address", "mac", "name?", "machine?", "state", "client-id?",
                      "duid?", "iaid?", "ends?"},
    "link --json lab/web": LINK,
    "stats --json lab": {
        "network", "uptime-ms", ("drops", frozenset({"name", "text", "count"})),
        ("ports", frozenset({"name", "kind", "machine?", "connected", "up", "rx-frames",
                             "rx-bytes", "rx-drops", "tx-frames", "tx-bytes", "tx-drops"})),
        ("counters", frozenset({"name", "text", "count"}))},
    "flows --json lab": {"more", ("flows", frozenset({
        "proto", "machine?", "guest", "peer", "name?", "direction", "state", "age-ms", "idle-ms",
        "sent-bytes", "received-bytes", "rtt-us?", "retransmissions?"}))},
    "macs --json lab": {("macs", frozenset({"mac", "port", "machine?", "idle-ms", "addresses"}))},
    "fwd --json lab ls": FORWARD,
    "cap --json lab ls": {"network", "kept", "number", "machine?", "memory", "snaplen"},
    "check --json": {"network", "file", "line?", "level", "text"},
    "apply --dry-run --restart --json": {"change", "what", "network", "machine?", "key?", "from?",
                                         "to?", "restart"},
    "why --json host lab/web:23": {
        "network", "from", "to", "proto", "port", ("steps", frozenset({"what", "ok", "text",
                                                                       "decides"})),
        "reaches", "verdict", "remedy?"},
    "nic list --json": {"model", "also", "device", "about"},
    "doctor --json": {
        "ok",
        ("modes", frozenset({"mode", ("ways", frozenset({"way", "built", "ok", "missing",
                                                         "without"}))})),
        ("probes", frozenset({"name", "ok", "what", "fix"}))},
    "matrix --json none": {
        "ok", "guests",
        ("rows", frozenset({
            "mode", "options", "family", "built", "error", "way", "netdevs", "ms",
            ("cells", frozenset({
                "question", "expected", "found", "ok",
                ("pairs", frozenset({"from", "to", "address", ("probes", frozenset({
                    "protocol", "found", "ms"}))}))}))}))},
}
EVENTS = {"seq", "time", "type"}


@pytest.fixture
def busy(folder, tmp_path, monkeypatch):  # noqa: F811
    d = tmp_path / "vmlan"
    d.mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (d / "lab.conf").write_text("[network]\nmode = natnet\n")
    (d / "far.conf").write_text(
        f"[network]\nmode = generic\nnetdev = vde,server=on,sock={folder}/sw\n"
        "netdev = l2tpv3,src=127.0.0.1,dst=127.0.0.2,udp=on,srcport=17011,dstport=17010,"
        "txsession=5\n")
    vmlan("up", "lab")
    vmlan("up", "far")
    # now they say something else, and what is in another's way
    (d / "lab.conf").write_text("[network]\nmtu = 1400\n[forward]\nport = 2299:22\n")
    (d / "other.conf").write_text("[forward]\nport = 2299:22\n")
    m = Raw(1, "web")
    try:
        plug(m)
        speak(m)
        vmlan("fwd", "lab/web", "add", "0:22", "proxy=v1", "from=::1")
        vmlan("link", "web", "to", "loss=1%", "--for", "1h", "--seed", "7")
        vmlan("cap", "lab/web", "--keep", "1mb", "-s", "96")
        with Plug(folder / "sw", folder / "own"):
            wait_for("the plug", lambda: ask("GET", "/v1/network", name="far")["plugs"])
            yield
    finally:
        m.unplug()
        for n in ask("GET", "/v1/network")["machines"]:
            ask("DELETE", f"/v1/machines/{n['name']}")
        vmlan("down", "far")
        vmlan("down", "lab")


def check(words, objects, keys, seen):
    """Each object has these keys and no others; those that came are noted."""
    names = {k if isinstance(k, str) else k[0] for k in keys}
    within = dict(k for k in keys if not isinstance(k, str))
    for o in objects if isinstance(objects, list) else [objects]:
        assert isinstance(o, dict), words
        got = set(o)
        assert {k for k in names if not k.endswith("?")} <= got, (words, o)
        assert got <= {k.rstrip("?") for k in names}, (words, o)
        seen |= {(words, k) for k in got}
        for k, v in within.items():
            if k.rstrip("?") in got:
                check(f"{words} {k.rstrip('?')}", o[k.rstrip("?")], v, seen)


def test_keys_of_each_listing(busy):
    seen = set()
    for words, keys in KEYS.items():
        r = sh(VMLAN, *words.split(), timeout=120, check=False)
        assert r.returncode == 0 or words.startswith(("doctor", "why")), (words, r.stderr)
        o = json.loads(r.stdout)
        assert o, words
        check(words, o, keys, seen)
    # what may be missing came, so that this table is no longer than what there is
    for words, keys in KEYS.items():
        names = {k.rstrip("?") for k in keys if isinstance(k, str)}
        assert {(words, k) for k in names} <= seen, words
    for line in vmlan("events", "--json", "--no-follow", "lab").stdout.splitlines():
        assert EVENTS <= set(json.loads(line))


def test_each_command_that_lists_is_here():
    """A command whose help has --json has a line above."""
    out = sh(VMLAN, "--help").stdout
    commands = [l.split()[0] for l in out.splitlines() if re.match(r"  \w", l)]
    have = {c for c in commands if "--json" in sh(VMLAN, c, "--help").stdout}
    assert have == {words.split()[0] for words in KEYS} | {"events"}
    assert {"ls", "show", "leases", "stats", "fwd", "cap", "events", "doctor", "matrix",
            "nic"} <= have
