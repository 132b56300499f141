# SPDX-License-Identifier: BSD-3-Clause
"""The keeper of a named network at its bounds: what it has none left of, what
it was started with, what cannot be shown."""
import json
import os
import pathlib
import resource
import socket
import time

import pytest

from test_modes import (RUNDIR, ask, control, get, kill_keeper, names, rundir,  # noqa: F401
                        show, vmlan)
from world import VMLAN, popen, sh, stop, wait_for


def test_more_forwards_than_the_engine_takes(w):
    """What there is no room for costs that port, not the others' network."""
    each, most = 256, 4096  # of a machine; of UDP in an engine
    vmlan("up", "lab")
    with popen("sleep", "1000") as vm:
        for i in range(most // each + 1):
            ports = [f"udp:127.0.0.{i + 2}:{20000 + k}-10.0.2.200:7" for k in range(each)]
            body = json.dumps({"name": f"m{i}", "pid": vm.pid, "forwards": ports}).encode()
            answer = ask("lab", b"POST /v1/machines HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                         b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert answer.startswith(b"HTTP/1.1 201"), answer[:400]
        wait_for("the last to be refused", lambda: len(show("lab")["forwards"]) == most,
                 60)
        assert len(show("lab")["machines"]) == most // each + 1
        # what was refused is not asked back
        vmlan("down", "-q", "lab")
        assert ask("lab", b"DELETE /v1/machines/m16 HTTP/1.1\r\nHost: x\r\n"
                   b"Connection: close\r\n\r\n").startswith(b"HTTP/1.1 200")
        wait_for("their forwards to go", lambda: len(show("lab")["forwards"]) == most)
        vm.kill()
    wait_for("its end", lambda: names() == [])


def test_what_up_was_started_with_is_let_go(tmp_path):
    """A lock, or a pipe whose end somebody waits for, ends with the command."""
    lock = tmp_path / "lock"
    sh("flock", str(lock), VMLAN, "up", "lab", "internal")
    assert show("lab")["kept"]
    sh("flock", "-n", str(lock), "true")
    vmlan("down", "lab")


def test_bytes_that_are_no_text(tmp_path):
    """A path may have any, and what is shown of it is text."""
    path = os.fsencode(tmp_path) + b"/a\xff.sock"
    up = [b"netdev=stream,addr.type=unix,addr.path=" + path + b",server=on"]
    vmlan("up", "lab", "generic", *up)
    assert show("lab")["netdevs"] == [
        f"stream,addr.type=unix,addr.path={tmp_path}/a?.sock,server=on"]
    vmlan("up", "lab")  # as it is
    kill_keeper("lab")
    assert names() == ["lab"]
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(path)  # somebody listens again
    vmlan("down", "lab")
    assert not os.path.exists(path)


def test_control_without_descriptors():
    """A client for whom there is none waits, and the keeper does not burn a CPU."""
    vmlan("up", "lab", "internal")
    pid = show("lab")["keeper"]

    def ticks():
        return sum(map(int, pathlib.Path(f"/proc/{pid}/stat").read_text().split()[13:15]))
    old = resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, resource.getrlimit(
        resource.RLIMIT_NOFILE)[1]))
    with control("lab") as s:
        s.sendall(get("/v1/network"))
        before, end = ticks(), time.process_time() + 0.5
        while time.process_time() < end:
            pass
        assert ticks() - before < 15  # of the 50 that we had, were it as busy
        resource.prlimit(pid, resource.RLIMIT_NOFILE, old)
        assert s.recv(100).startswith(b"HTTP/1.1 200")
    vmlan("down", "lab")


def test_a_new_keeper_is_where_the_first_was(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    for d in (a, b):
        d.mkdir()
    vmlan("up", "lab", "generic", "netdev=stream,addr.type=unix,addr.path=x.sock,server=on", cwd=a)
    kill_keeper("lab")
    (a / "x.sock").unlink()
    assert "it has another one" in vmlan("ls", cwd=b).stderr
    assert (a / "x.sock").exists() and not list(b.iterdir())
    vmlan("down", "lab")


def test_no_new_keeper_in_another_namespace():
    vmlan("up", "lab", "internal")
    kill_keeper("lab")
    # what another kill left is removed nevertheless
    dead = RUNDIR / "vmlan" / "dead"
    dead.mkdir()
    (dead / "lock").write_text("")
    r = sh("unshare", "-n", VMLAN, "ls", "--json")
    assert not dead.exists()
    assert "in its network namespace" in r.stderr and json.loads(r.stdout) == []
    assert show("lab")["kept"]
    vmlan("down", "lab")


def test_no_new_keeper_for_descriptors():
    """Those of the next command are others."""
    with socket.socket() as first, socket.socket() as other:
        for s in (first, other):
            s.bind(("127.0.0.1", 0))
            s.listen()
        fd = first.fileno()
        vmlan("up", "lab", "generic", f"netdev=stream,addr.type=fd,addr.str={fd},server=on",
              pass_fds=[fd])
        kill_keeper("lab")
        os.dup2(other.fileno(), fd)
        r = vmlan("ls", "--json", pass_fds=[fd])
        assert "start the network again" in r.stderr and json.loads(r.stdout) == []
    assert names() == []


@pytest.mark.parametrize("net", ["natnet:lab", "nat"])
def test_a_port_that_was_drawn_stays(net):
    """A forward from any port of the host has the same one with another
    keeper, or, if somebody took that meanwhile, another; the log says so."""
    name = "lab" if net == "natnet:lab" else "nat-a"

    def ports():
        return [f["host"].rsplit(":", 1)[1] for f in show(name)["forwards"]]

    vmm = popen(VMLAN, "run", "-q", "--name", "a", "--net", net, "-p", "tcp:127.0.0.1:0-:22",
                "-p", "udp:127.0.0.1:0-:53", "-p", "2290:80", "--nic",
                "virtio,mac=52:54:00:00:00:0a", "--", "sh", "-c", ": {socket}; exec sleep 1000")
    wait_for("the machine", lambda: name in names() and len(ports()) == 4)
    before = ports()
    assert before[2:] == ["2290"] * 2 and "0" not in before
    folder = show(name)["folder"]
    kill_keeper(name)
    assert ports() == before
    o = kill_keeper(name)
    os.kill(o["engine"], 9)
    wait_for("the port to be free", lambda: takes(int(before[0])))
    with taken(int(before[0])):
        assert ports()[0] not in ("0", before[0]) and ports()[1:] == before[1:]
    assert "gets another" in pathlib.Path(folder, "log").read_text()
    stop(vmm)
    wait_for("its end", lambda: names() == [])


def taken(port):
    return socket.create_server(("127.0.0.1", port))


def takes(port):
    try:
        taken(port).close()
        return True
    except OSError:
        return False
