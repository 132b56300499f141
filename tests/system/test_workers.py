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
