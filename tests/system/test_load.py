# SPDX-License-Identifier: BSD-3-Clause
"""bench-load says what was: all that arrived, what the receiver had no room
for, and in one line that the other side has gone.  No vmlan in here."""
import json
import re
import signal
import subprocess

import pytest

import world
from world import INET_IP, popen, sh, wait_for

LOAD = str(world.BUILD / "bench" / "bench-load")
FRONT = str(world.BUILD / "bench" / "bench-front")
RELAY = str(world.BUILD / "bench" / "bench-relay")


@pytest.fixture
def server(w):
    p = popen(LOAD, "serve", ns="inet", stdout=subprocess.PIPE, text=True)
    w.servers.append(p)
    assert json.loads(p.stdout.readline())["ready"]
    return p


def load(*words):
    r = sh(LOAD, *words, check=False, stdin=subprocess.DEVNULL)
    assert r.returncode == 0 and r.stderr == "", r
    return [json.loads(line) for line in r.stdout.splitlines()]


@pytest.mark.parametrize("host", [INET_IP, "::ffff:" + INET_IP])
@pytest.mark.parametrize("way", ["up", "down"])
def test_every_byte_of_every_flow_is_counted(server, host, way):
    r, = load("tcp", host, f"dir={way}", "flows=4", "secs=0.2", "warm=0.1")
    assert r["ended"] == r["complete"] == 4
    assert r["bytes"] == r["bytes_sent"] > 0
    assert r["gbit_s"] == pytest.approx(sum(r["flow_gbit_s"]), abs=1e-3)
    # What the window counts is a part of all, if most of it.
    assert r["gbit_s"] * 0.2e9 / 8 <= r["bytes"] * 1.001


@pytest.mark.parametrize("words", [
    ["rr"], ["rr", "proto=udp"], ["rr", "conns=8", "size=5000"],
    ["rr", "proto=udp", "conns=8", "size=100"], ["rr", "idle=300"], ["crr"]])
def test_transactions(server, words):
    def run():
        return load(words[0], INET_IP, "secs=0.2", *words[1:], f"pids={server.pid}")[0]

    r = run()
    if "proto=udp" in words:  # lost is what takes 200 ms, as on a busy host
        r = wait_for("a run in which none was late",
                     lambda: next((x for x in (r, run()) if not x["lost"]), None))
    assert r["transactions"] > 0 and r["lost"] == 0
    assert 0 < r["min_us"] <= r["p50_us"] <= r["p99_us"] <= r["max_us"]
    assert r["cpu_s"][str(server.pid)] > 0


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("extra", [[], ["gso=on"], ["gro=on"]])
def test_paced_datagrams(server, way, extra):
    r, = load("udp", INET_IP, f"dir={way}", "secs=0.2", "pps=2000", "size=500", *extra)
    assert 0 < r["sent"] <= 401
    assert r["received"] == r["sent"] and r["loss"] == 0
    assert r["pps"] <= 2000


def test_what_the_receiver_has_no_room_for_is_told_apart(w, server):
    client = subprocess.Popen([LOAD, "udp", INET_IP, "dir=up", "size=1400", "secs=5"],
                              stdout=subprocess.PIPE, text=True)
    wait_for("datagrams", lambda: "7001" in sh("ss", "-Hun", "dport", "=", "7001").stdout)
    server.send_signal(signal.SIGSTOP)

    def dropped():
        out = sh("ss", "-Huanm", "sport", "=", "7001", ns="inet").stdout
        return re.search(r",d[1-9]", out)

    wait_for("drops", dropped)
    server.send_signal(signal.SIGCONT)
    r = json.loads(client.communicate(timeout=30)[0])
    assert client.returncode == 0
    assert r["socket_drops"] > 0 and r["loss"] > 0
    assert r["sent"] == r["received"] + r["socket_drops"] and r["path_loss"] == 0


def test_a_crowd_is_held(server):
    opened, held = load("open", INET_IP, "n=2000")
    assert opened["answered"] == 2000
    assert held == {"held": 2000, "lost": 0}


def test_a_crowd_that_is_dropped_is_not_called_held(server):
    p = subprocess.Popen([LOAD, "open", INET_IP, "n=50"], stdin=subprocess.PIPE,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert json.loads(p.stdout.readline())["answered"] == 50
    server.kill()
    server.wait()
    out, err = p.communicate("", timeout=30)
    assert p.returncode == 1
    assert json.loads(out) == {"held": 0, "lost": 50}
    assert err.count("\n") == 1


COMMANDS = [["tcp", "dir=up", "drain=0.5"], ["tcp", "dir=down", "flows=4", "drain=0.5"], ["rr"],
            ["rr", "conns=8"], ["rr", "proto=udp"], ["rr", "proto=udp", "conns=8"], ["crr"],
            ["udp", "dir=up", "pps=1000"], ["udp", "dir=down", "pps=1000"]]


def traffic():
    ports = "( dport >= 7001 and dport <= 7017 )"
    return sh("ss", "-Htuan", "state", "connected", ports).stdout + \
        sh("ss", "-Htan", "state", "time-wait", ports).stdout


@pytest.mark.parametrize("how", ["killed", "unreachable"])
@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_server_goes_in_the_middle(w, server, words, how):
    # Who waits for answers ends early, whoever only sends does not.
    secs = "secs=10" if "rr" in words[0] else "secs=5"
    client = subprocess.Popen([LOAD, words[0], INET_IP, secs, "timeout=1", *words[1:]],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for("traffic", traffic)
    if how == "killed":
        server.kill()
    else:
        sh("ip", "link", "set", "eth0", "down", ns="inet")
    out, err = client.communicate(timeout=30)
    assert client.returncode == 1, (out, err)
    assert err.startswith("bench-load: ") and err.count("\n") == 1, err


def test_the_deadline_ends_what_nothing_else_ends(server):
    """Somebody listens but never answers, and the client is told so."""
    server.send_signal(signal.SIGSTOP)
    r = sh(LOAD, "crr", INET_IP, "timeout=1", "secs=0.1", check=False)
    assert r.returncode == 1 and r.stderr.count("\n") == 1


def test_a_wrong_word_is_refused():
    for words in (["tcp", "::1"], ["rr", "::1", "size=0"], ["rr", "::1", "no=1"], ["rr"],
                  ["rr", "localhost"], ["udp", "::1", "dir=up", "size=15"], []):
        r = sh(LOAD, *words, check=False)
        assert r.returncode == 2 and r.stdout == "" and r.stderr


@pytest.mark.parametrize("words", [["up"], ["down"], ["up", "buf=1526"], ["down", "buf=4096"], ["rr"],
                                   ["copy", "mem=1048576"]])
def test_the_floor(words):
    r = json.loads(sh(RELAY, *words, "secs=0.1", "warm=0.1").stdout)
    assert r["cpu_s"] > 0
    if words == ["rr"]:
        assert r["cpu_us_per_transaction"] == pytest.approx(r["cpu_s"] * 1e6 / r["transactions"],
                                                            rel=1e-3)
    else:
        assert r["cpu_s_per_gib"] == pytest.approx(r["cpu_s"] * 2**30 / r["bytes"], rel=1e-3)


def front_counts(p):
    p.send_signal(signal.SIGUSR1)
    return json.loads(p.stdout.readline())


def test_equal_frames_are_counted_where_they_are_for(w):
    """Three without a kernel in one multicast group, which hears everything."""
    ps = [popen(FRONT, "dgram", "230.0.0.1:5000", "-", f"raw={how}", f"me={n}", "to=2", "size=99",
                ns="inet", stdout=subprocess.PIPE, text=True)
          for how, n in (("count", 2), ("count", 3), ("send", 1))]
    w.servers += ps
    assert all(json.loads(p.stdout.readline())["ready"] for p in ps)
    wait_for("frames", lambda: front_counts(ps[0])["down_frames"] > 1000)
    for p in ps:
        p.terminate()
    second, third, first = (json.loads(p.communicate(timeout=10)[0]) for p in ps)
    assert first["up_bytes"] == 99 * first["up_frames"]
    assert second["down_bytes"] == 99 * second["down_frames"]
    assert 1000 < second["down_frames"] <= first["up_frames"] + 1  # the third's word
    assert second["up_frames"] == third["up_frames"] == 1
    assert first["down_frames"] <= 2 and third["down_frames"] <= 1
