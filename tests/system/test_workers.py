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
def test_as_many_as_queues(queues, workers, tmp_path):
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


def test_queues_are_shared_out(w):
    """Two guests with four queues, of which each worker has two."""
    g = [w.guest(), w.guest()]
    with world.Vmlan([x.netdev(",queues=4") for x in g], env={"VMLAN_WORKERS": "2"}) as v:
        for i, x in enumerate(g):
            x.static(f"10.0.2.{15 + i}")
        w.serve(world.XFER, "serve", "5001", ns=g[1].ns, port=5001)
        first = cpu_ns(v)

        def both_work():
            ps = [g[0].popen(world.XFER, how, g[1].ip, "5001", "5000000", stdout=-1, text=True)
                  for how in ("send", "recv") * 4]
            for p in ps:
                out, _ = p.communicate(timeout=60)
                assert out.startswith("equal")
            return min(b - a for a, b in zip(first, cpu_ns(v))) > 20e6

        world.wait_for("both have worked for 20 ms", both_work, seconds=60)
        # It goes, and its workers with it, while others go on.
        g[0].sh("ip", "link", "del", "eth0")
        world.wait_for("its fault is told", lambda: "was removed" in v.log())
        assert g[1].sh("ip", "link", "show", "eth0").returncode == 0
