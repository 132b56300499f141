# SPDX-License-Identifier: BSD-3-Clause
"""Clients of the control socket that it must not wait for, beside TCP that goes on:
those that never read, that send half a request, a thousand at once, another user's;
and a keeper that answers with nonsense.

      client: vmlan exec -- [lab: natnet] -- server: the host's loopback (10.0.2.2)
"""
import contextlib
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import threading

import pytest

import dhcp_raw
import world
from test_control import n_fds, path, request
from test_modes import RUNDIR, control, get, rundir, show, vmlan  # noqa: F401
from world import FULL, VMLAN, popen, wait_for

PYTHON = "/usr/bin/python3"
# Sends for as long as there is a question: how much it was.
FLOW = """
import select, socket, sys
s = socket.create_connection(("10.0.2.2", int(sys.argv[1])))
n = 0
while True:
    if select.select([sys.stdin], [], [], 0)[0]:
        if not sys.stdin.readline():
            break
        print(n, flush=True)
    n += s.send(bytes(1 << 16))
s.shutdown(socket.SHUT_WR)
assert int(s.recv(100)) == n
print("whole", n)
"""
SOME = 16 << 20  # more than all buffers on the way


def count(server):
    c, _ = server.accept()
    n = 0
    with c:
        while more := c.recv(1 << 20):
            n += len(more)
        c.sendall(b"%d" % n)


class Flow:
    """A TCP connection of a program on the network, out by its gateway."""

    def __init__(self):
        self.server = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=count, args=(self.server,), daemon=True)
        self.thread.start()
        self.proc = popen(VMLAN, "exec", "lab", "--", PYTHON, "-c", FLOW,
                          str(self.server.getsockname()[1]), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True)

    def sent(self):
        self.proc.stdin.write("\n")
        self.proc.stdin.flush()
        return int(self.proc.stdout.readline())

    def goes_on(self):
        first = self.sent()
        wait_for("more bytes", lambda: self.sent() > first + SOME, 60)

    def end(self):
        out = self.proc.communicate("", timeout=60)[0]
        self.thread.join(60)
        self.server.close()
        assert self.proc.returncode == 0 and out.startswith("whole"), out


@pytest.fixture
def flow():
    vmlan("up", "lab", "natnet")
    f = Flow()
    try:
        f.goes_on()
        yield f
        f.goes_on()
        f.end()
    finally:
        f.proc.kill()
        f.proc.communicate()
        vmlan("down", "lab")


def memory():
    """Bytes that the keeper has of its own."""
    text = pathlib.Path(f"/proc/{show('lab')['keeper']}/status").read_text()
    return int(text.partition("RssAnon:")[2].split()[0]) << 10


@contextlib.contextmanager
def mutes(n, text):
    """So many that ask this and never read."""
    every = []
    for i in range(n):
        s = control("lab")
        s.setblocking(False)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        with contextlib.suppress(OSError):
            s.send(text)
        every.append(s)
    yield every
    for s in every:
        s.close()


@pytest.mark.release  # for its memory
def test_who_never_reads(flow):
    """Of the longest answers, many of them asked for at once, and of events without an
    end: each costs one answer, or one line."""
    before = memory()
    size = len(request("GET", "/v1")[2])
    # as many answers as no buffer of the kernel's has room for, to each
    with mutes(100, get("/v1").replace(b"close", b"keep-alive") * 12), \
            mutes(60, b"GET /v1/events HTTP/1.0\r\n\r\n"):
        c = dhcp_raw.Control(path())
        c.connect()
        c.sock.settimeout(200)  # behind a thousand of those answers, on a busy host
        for i in range(20000 if FULL else 2000):  # events
            c.request("PUT", "/v1/network/kept", '{"kept":true}')
            assert json.loads(c.getresponse().read())["kept"] is True
            if i % 1000 == 0:
                flow.goes_on()
        c.close()
        grown = memory() - before
        if not world.SANITIZED:  # that keeps what was freed for long
            assert grown < 300 * (size + 65536), (grown, size)
        assert show("lab")["name"] == "lab"
    wait_for("their ends", lambda: n_fds() < 60)


def test_half_requests(flow):
    """Without an end, and drop by drop: those that ask are answered meanwhile, and who has
    to go is told why."""
    halves = []
    for i in range(600):
        s = control("lab")
        s.settimeout(60)
        s.sendall((b"", b"GET /v1/network HT", b"GET /v1 HTTP/1.1\r\nHost: x\r\nX: ",
                   b"PUT /v1/network/kept HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")[i % 4])
        halves.append(s)
    for i in range(5):
        assert show("lab")["name"] == "lab"
        flow.goes_on()
        for s in halves:
            with contextlib.suppress(OSError):
                s.send(b"x")
    told = 0
    for s in halves[:300]:  # the first ones had to go for the last
        got = b""
        with contextlib.suppress(ConnectionResetError):
            while more := s.recv(65536):
                got += more
        head, _, body = got.partition(b"\r\n\r\n")
        assert got.startswith((b"HTTP/1.1 408 ", b"HTTP/1.1 400 ")), got
        assert b"Content-Length: %d\r\n" % len(body) in head + b"\r\n", got
        told += "ask again" in json.loads(body)["error"] if b"408" in head else 0
    assert told > 200
    for s in halves:
        s.close()


CROWD = """
import socket, sys
path, first, n = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
asked = [("GET", "/v1/network", "", 200), ("GET", "/v1/leases", "", 200), ("GET", "/v1", "", 200),
         ("GET", "/v1/forwards", "", 200), ("GET", "/cam", "", 200), ("GET", "/v1/nothing", "", 404),
         ("PUT", "/v1/network/kept", '{"kept":true}', 200), ("PUT", "/v1/network/kept", "{", 400),
         ("DELETE", "/v1/machines/none", "", 404), ("GET", "/v1/events?follow=0", "", 200),
         ("GET", "/v1/stats", "", 200), ("GET", "/v1/macs", "", 200), ("GET", "/v1/flows", "", 200)]
every = []
sys.stdin.readline()
for i in range(first, first + n):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(120)
    s.connect(path)
    method, url, body, status = asked[i % len(asked)]
    s.sendall(f"{method} {url} HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n"
              f"Content-Length: {len(body)}\\r\\n\\r\\n{body}".encode())
    every.append((s, status))
for s, status in every:
    got = b""
    while more := s.recv(65536):
        got += more
    head, _, body = got.partition(b"\\r\\n\\r\\n")
    assert int(head.split()[1]) == status and body.endswith(b"\\n"), (status, got[:300])
    if b"Content-Length: " in head:
        assert int(head.partition(b"Content-Length: ")[2].split()[0]) == len(body), head
print("all", len(every))
"""


def test_a_thousand_at_once(flow):
    """By processes that begin together, of each sort: each has its own answer, whole."""
    crowd = [popen(PYTHON, "-c", CROWD, str(path()), str(i * 250), "250", stdin=subprocess.PIPE,
                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for i in range(4)]
    for p in crowd:
        p.stdin.write("go\n")
        p.stdin.flush()
    flow.goes_on()
    for p in crowd:
        out, err = p.communicate(timeout=120)
        assert out == "all 250\n", err
    wait_for("their ends", lambda: n_fds() < 60)


def test_an_engine_that_does_not_answer(flow):
    """Those who ask for what only it knows keep nobody out, and each is told."""
    engine = show("lab")["engine"]
    os.kill(engine, signal.SIGSTOP)
    try:
        asking = []
        for i in range(900):
            s = control("lab")
            s.settimeout(60)
            s.sendall(get("/v1/stats"))
            asking.append(s)
        for i in range(3):
            assert show("lab")["name"] == "lab"
        for s in asking[:800]:
            s.close()
        # nor does the engine find more questions than are answered at a time
        why = f"/v1/why?from={show('lab')['machines'][0]['name']}&to=internet&port=443"
        asked = [control("lab") for i in range(70)]
        for s in asked:
            s.sendall(get(why))
        for i in range(3):
            assert "wait for the engine already" in request("GET", why)[2]
            for s in asked:
                s.close()
            assert show("lab")["name"] == "lab"
    finally:
        os.kill(engine, signal.SIGCONT)
    for s in asking[800:]:
        got = b""
        while more := s.recv(65536):
            got += more
        # 500 where all this took longer than the keeper waits for an engine
        assert got.startswith((b"HTTP/1.1 200 ", b"HTTP/1.1 408 ")) or (
            got.startswith(b"HTTP/1.1 500 ") and b"does not answer" in got), got[:200]
        s.close()
    assert request("GET", "/v1/stats")[0] == 200
    assert show("lab")["engine"] == engine  # which nobody has flooded with their questions


NONSENSE = [None, 7, -1, True, "", "x" * 300, {}, {"a": None}, [None, 3], [{"name": 5}]]


class Liar(threading.Thread):
    """Answers in the keeper's place, with the truth, of which many a member is
    nonsense."""

    def __init__(self, answer):
        super().__init__(daemon=True)
        self.answer, self.rng = answer, random.Random(0)
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(str(path()))
        self.sock.listen(64)
        self.start()

    def spoilt(self, v, depth=0):
        if depth and self.rng.random() < 0.3:
            return self.rng.choice(NONSENSE)
        if isinstance(v, dict):
            return {k: self.spoilt(o, depth + 1) for k, o in v.items()}
        return [self.spoilt(o, depth + 1) for o in v] if isinstance(v, list) else v

    def run(self):
        while True:
            try:
                c = self.sock.accept()[0]
            except OSError:
                return
            with c, contextlib.suppress(OSError):
                url = c.recv(65536).split()[1].decode()
                text = json.dumps(self.spoilt(self.answer.get(url.partition("?")[0], {}))).encode()
                c.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                          b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(text) + text)

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        path().unlink()


@pytest.mark.long
def test_a_keeper_that_talks_nonsense(flow, tmp_path):
    """Commands say something, or fail; none dies of it."""
    name = show("lab")["machines"][0]["name"]
    vmlan("fwd", f"lab/{name}", "add", "127.0.0.1:0:22", "from=127.0.0.0/8")
    vmlan("link", name, "to", "delay=1ms")
    kinds = ("network", "forwards", "flows", "macs", "leases", "stats", "captures", "why",
             f"machines/{name}/link")
    more = {"why": f"?from={name}&to=host&port=80"}
    truth = {f"/v1/{k}": json.loads(request("GET", f"/v1/{k}" + more.get(k, ""))[2])
             for k in kinds}
    conf = tmp_path / "vmlan" / "lab.conf"
    conf.parent.mkdir()
    conf.write_text("[network]\nmtu=1400\n[forward]\nport = 0:22\nfrom = 10.0.0.0/8\n")
    env = dict(os.environ, XDG_CONFIG_HOME=str(tmp_path))
    real = path().with_name("kept")
    path().rename(real)
    liar = Liar(truth)
    try:
        for seed in range(40 if FULL else 4):
            for words in (["ls"], ["show", "lab"], ["show", "--netdevs", "lab"],
                          ["show", "--svg", "lab"], ["leases"], ["leases", "lab"],
                          ["flows", "lab"], ["macs", "lab"], ["stats", "lab"],
                          ["fwd", "lab", "ls"], ["cap", "lab", "ls"], ["link", name],
                          ["connect", "0", f"lab/{name}", "22"],
                          ["why", name, "host:80"], ["apply", "--dry-run", "lab"],
                          ["complete", "fwd", "lab", "rm", ""]):
                liar.rng = random.Random(f"{seed} {words}")
                r = subprocess.run([VMLAN, *words], capture_output=True, env=env, timeout=60,
                                   stdin=subprocess.DEVNULL)
                assert r.returncode in range(7), (seed, words, r)
    finally:
        liar.close()
        real.rename(path())


@pytest.mark.root  # another user
def test_another_user(flow):
    """A thousand of his connections, where the folder lets him in: he gets no word, and holds
    no place."""
    sock = path()
    for p in (RUNDIR, sock.parent.parent, sock.parent, sock):
        p.chmod(0o777 if p == sock else 0o755)
    code = ("import socket,sys\nall=[]\n"
            "for i in range(1000):\n"
            "  s=socket.socket(socket.AF_UNIX); s.settimeout(60); all.append(s)\n"
            "  s.connect(sys.argv[1])\n"
            "  try: s.sendall(b'PUT /v1/network/kept HTTP/1.1\\r\\nHost: x\\r\\n"
            "Content-Length: 14\\r\\n\\r\\n{\"kept\":false}')\n"
            "  except OSError: pass\n"
            "print('all', flush=True); sys.stdin.readline()\n"
            "for s in all:\n"
            "  try: got=s.recv(9)\n"
            "  except OSError: got=b''\n"
            "  assert got == b'', got\n"
            "print('none')\n")
    p = popen("setpriv", "--reuid=65534", "--clear-groups", PYTHON, "-c", code, str(sock),
              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "all\n"
    flow.goes_on()
    assert show("lab")["kept"] is True and n_fds() < 60
    assert p.communicate("\n", timeout=60)[0] == "none\n"
