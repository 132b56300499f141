# SPDX-License-Identifier: BSD-3-Clause
"""How many threads an engine has, and that a network is whole with several."""
import os
import pathlib

import pytest
import world


def threads(v):
    """Names of the engine's threads."""
    return sorted((t / "comm").read_text().strip()
                  for t in pathlib.Path(f"/proc/{v.engine()}/task").iterdir())


@pytest.mark.parametrize("queues, workers", [(1, 1), (2, 2), (16, 16)])
def test_as_many_as_queues(queues, workers, tmp_path, monkeypatch):
    monkeypatch.delenv("VMLAN_WORKERS", raising=False)
    spec = f"vhost-user,path={tmp_path}/v.sock,server=on,queues={queues}"
    with world.Vmlan(["user", spec]) as v:
        n = min(workers, len(os.sched_getaffinity(0)))
        assert threads(v) == ["vmlan-engine"] + [f"vmlan-worker-{i}" for i in range(1, n)]


def test_as_many_as_said(w):
    """One guest with one queue, and four workers: it is served as ever."""
    w.python("web_server.py", "hello", port=80)
    g = w.guest()
    with world.Vmlan(["user", g.netdev()], env={"VMLAN_WORKERS": "4"}) as v:
        assert len(threads(v)) == 4
        g.dhcp()
        got = g.sh("curl", "-sS", "-m", "20", f"http://{world.INET_IP}/")
        assert got.stdout.strip() == "hello"


def cpu_ns(v):
    """What each of the engine's threads has worked."""
    return [int((t / "schedstat").read_text().split()[0])
            for t in sorted(pathlib.Path(f"/proc/{v.engine()}/task").iterdir())]


def both_work(v, first, start):
    """Runs what start() began to its end; True once both workers had something to do."""
    for p in start():
        out, _ = p.communicate(timeout=60)
        assert out.startswith("equal")
    return min(b - a for a, b in zip(first, cpu_ns(v))) > 20e6


def test_flows_of_a_guest(w):
    """To the world, by four queues, and from the host by a forward: all are whole."""
    g = w.guest()
    w.serve(world.XFER, "serve", "5001", port=5001)
    with world.Vmlan(["user,hostfwd=tcp:127.0.0.1:5002-:22", g.netdev(",queues=4")],
                     env={"VMLAN_WORKERS": "2"}) as v:
        g.dhcp()
        w.serve(world.XFER, "serve", "22", ns=g.ns, port=22)
        first = cpu_ns(v)
        ways = ("send", "recv") * 4
        to_world = lambda: [g.popen(world.XFER, how, world.INET_IP, "5001", "5000000",
                                    stdout=-1, text=True) for how in ways]
        world.wait_for("both have worked for 20 ms", lambda: both_work(v, first, to_world),
                       seconds=60)
        for p in [world.popen(world.XFER, how, "127.0.0.1", "5002", "5000000",
                              stdout=-1, text=True) for how in ways]:
            assert p.communicate(timeout=60)[0].startswith("equal")


def test_queues_are_shared_out(w):
    """Two guests with four queues, of which each worker has two."""
    g = [w.guest(), w.guest()]
    with world.Vmlan([x.netdev(",queues=4") for x in g], env={"VMLAN_WORKERS": "2"}) as v:
        for i, x in enumerate(g):
            x.static(f"10.0.2.{15 + i}")
        w.serve(world.XFER, "serve", "5001", ns=g[1].ns, port=5001)
        first = cpu_ns(v)
        start = lambda: [g[0].popen(world.XFER, how, g[1].ip, "5001", "5000000", stdout=-1,
                                    text=True) for how in ("send", "recv") * 4]
        world.wait_for("both have worked for 20 ms", lambda: both_work(v, first, start),
                       seconds=60)
        # It goes, and its workers with it, while others go on.
        g[0].sh("ip", "link", "del", "eth0")
        world.wait_for("its fault is told", lambda: "was removed" in v.log())
        assert g[1].sh("ip", "link", "show", "eth0").returncode == 0
