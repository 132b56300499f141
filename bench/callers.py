#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Calls of every kind to a network's control socket, so many in so many seconds,
beside clients that only hold it up. Alone (a line of JSON is its result):

    callers.py SOCKET [calls=N] [forwards=N] [captures=N] [secs=S] [hold-ms=N]
               [vmlan=PATH network=NAME] [learn=FILE]

It says "ready" and begins when it gets a line. secs=0: as fast as they are
answered. A capture is a `vmlan cap` that is ended hold-ms after its begin, or by the next. What
was answered goes to learn=FILE, and

    callers.py placebo SOCKET FILE

answers with that, of whichever network: what the caller itself costs.
"""
import contextlib
import itertools
import json
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time

FIELDS = {"calls": 1000, "forwards": 0, "captures": 0, "secs": 0.0, "hold-ms": 20,
          "vmlan": "", "network": "", "learn": "", "machine": "calls-main"}


class Wrong(Exception):
    """An answer that should have been another one."""


def request(method, url, body=None, more=""):
    text = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    return (f"{method} {url} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}"
            f"Content-Length: {len(text)}\r\n\r\n").encode() + text


def dial(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    s.connect(path)
    return s


def exchange(path, text):
    """What comes back on a connection of its own, until it ends."""
    with dial(path) as s:
        s.sendall(text)
        got = b""
        while more := s.recv(65536):
            got += more
    return got


def split(answer):
    """Status and body."""
    head, _, rest = answer.partition(b"\r\n\r\n")
    return int(head.split(None, 2)[1]), rest


def kind_of(text):
    """A request as answers to it are learned: which object it is about is no
    matter; what is wrong with it is."""
    head, _, body = text.partition(b"\r\n\r\n")
    method, url = head.decode("latin-1").split()[:2]
    kind = method + " " + re.sub(r"/(\d+|calls-[^/?]*)(?=/|$|\?)", "/*", url)
    return f"{kind} {len(body)}" if body[:1] != b"{" or len(body) < 2 else kind


class Calls:
    """One network's control socket. Each call is answered as it should be, or
    Wrong is raised."""

    def __init__(self, path, machine):
        self.path, self.machine = path, machine
        self.times = {}      # by kind: those of each call, in ns
        self.last_ns = 0
        self.learned = {}    # by kind_of()
        self.n_captures = 0
        self.left = ""       # the machine that there is
        table = json.loads(self.raw("GET", "/v1")[1])
        self.table = {f"{r['method']} {r['path']}": r for r in table["requests"]}
        self.round = itertools.count()

    def raw(self, method, url, body=None):
        text = request(method, url, body)
        began = time.monotonic_ns()
        try:
            got = exchange(self.path, text)
        except OSError as e:
            raise Wrong(f"{self.path}: {method} {url}: {type(e).__name__}: {e}") from e
        self.last_ns = time.monotonic_ns() - began
        if not got:
            raise Wrong(f"{self.path}: {method} {url}: closed without an answer")
        self.learned[kind_of(text)] = got.decode("latin-1")
        return split(got)

    def ask(self, kind, url=None, body=None, status=200):
        """A call of a kind ("GET /v1"): its answer, as text."""
        method, path = kind.split()
        got, text = self.raw(method, url or path, body)
        if got != status:
            raise Wrong(f"{method} {url or path}: {got}, not {status}: {text[:200]!r}")
        self.times.setdefault(kind, []).append(self.last_ns)
        return text

    def json(self, *words, **more):
        return json.loads(self.ask(*words, **more))

    # ---- every kind ----

    def plain(self):
        """Those that only tell, and need no word for it."""
        for kind, r in self.table.items():
            needs = [q for q in r.get("query", []) if not q.get("optional")]
            if kind.startswith("GET ") and "{" not in kind and not needs:
                url = "/v1/events?follow=0&since=now" if kind == "GET /v1/events" else None
                yield lambda k=kind, u=url: self.ask(k, u)

    def with_machine(self):
        """The others, on a machine that comes and goes."""
        name = f"calls-{next(self.round)}"
        at = f"/v1/machines/{name}"
        made = {}

        def attach():
            self.ask("POST /v1/machines", body={"name": name, "pid": os.getpid(), "mac": "auto"},
                     status=201)
            self.left = at

        def add():
            body = {"spec": "0:22", "machine": name}
            made["fwd"], = self.json("POST /v1/forwards", body=body, status=201)["forwards"]

        def expose(what):
            body = {"local": "127.0.0.1:" + made["fwd"]["bound"][0]["host"].rpartition(":")[2],
                    "remote": "10.0.2.15:22", "protocol": "udp"}
            self.ask("POST /services/forwarder/" + what, body=body)

        def spoil(**body):
            self.ask("PUT /v1/machines/{name}/link", at + "/link", body)

        def keep(n):
            body = {"machine": self.machine, "memory": n, **({"snaplen": 96} if n else {})}
            self.ask("PUT /v1/captures/kept", body=body)

        yield attach
        yield lambda: self.ask("PUT /v1/machines/{name}/user-data", at + "/user-data",
                               b"#cloud-config\n")
        yield lambda: self.ask("PUT /v1/machines/{name}/meta-data", at + "/meta-data",
                               b"instance-id: 1\n")
        yield lambda: self.ask("PUT /v1/machines/{name}/life", at + "/life", {"pid": os.getpid()})
        yield lambda: spoil(to={"loss": "1%", "delay": "2ms"}, seed=7)
        yield lambda: self.ask("GET /v1/machines/{name}/link", at + "/link")
        yield lambda: self.ask("GET /v1/why", f"/v1/why?from={self.machine}&to=internet&port=443")
        yield lambda: spoil(up=False)
        yield lambda: spoil(reset=True)
        yield add
        yield lambda: expose("expose")
        yield lambda: expose("unexpose")
        yield lambda: self.ask("DELETE /v1/forwards/{name}", f"/v1/forwards/{made['fwd']['id']}")
        yield lambda: keep(1 << 20)
        yield lambda: keep(0)
        yield lambda: self.ask("PUT /v1/network/kept", body={"kept": True})
        yield self.detach

    def detach(self):
        self.ask("DELETE /v1/machines/{name}", self.left)
        self.left = ""

    def tidy(self):
        """What the last round left, as it was cut; uncounted."""
        if self.left:
            self.raw("DELETE", self.left)
            self.raw("PUT", "/v1/captures/kept", {"machine": self.machine, "memory": 0})

    def refused(self):
        """What nobody should ask."""
        for method, url, body, status in (
                ("GET", "/v1/nothing", None, 404), ("PUT", "/v1/network/kept", b"{", 400),
                ("POST", "/v1/network", None, 405), ("GET", "/v2/network", None, 404),
                ("DELETE", "/v1/machines/nobody", None, 404),
                ("PUT", "/v1/network/kept", b"x" * 70000, 413)):
            yield lambda m=method, u=url, b=body, s=status: self.ask(f"{m} {u}", body=b, status=s)

    def every(self):
        """One call after the other, of every kind in turn, without an end."""
        while True:
            yield from self.plain()
            yield from self.with_machine()
            yield from self.refused()

    def unasked(self):
        """Kinds in the network's table that there was no call of."""
        return sorted(set(self.table) - set(self.times))

    # ---- what comes and goes ----

    def forwards(self):
        """Adds one, removes it, and so on."""
        for proto in itertools.cycle(("", "/udp")):
            yield from self.forward("0:22" + proto)

    def forward(self, spec):
        got = {}
        yield lambda: got.update(self.json("POST /v1/forwards", body={"spec": spec}, status=201))
        yield lambda: self.ask("DELETE /v1/forwards/{name}",
                               f"/v1/forwards/{got['forwards'][0]['id']}")


class Captures:
    """Runs of `vmlan cap`, one at a time."""

    def __init__(self, calls, vmlan, network):
        self.calls, self.words, self.now = calls, [vmlan, "cap", network], None
        if network == "":  # the placebo: a program that does nothing for as long
            self.words = ["sleep", "100"]

    def begin(self):
        self.end()
        more = ["-w", "/dev/null"] if len(self.words) > 2 else []
        self.now = subprocess.Popen([*self.words, *more], stderr=subprocess.PIPE,
                                    stdin=subprocess.DEVNULL)
    def end(self):
        """The one that runs ends."""
        if not self.now:
            return
        self.now.send_signal(signal.SIGINT)
        said = self.now.communicate(timeout=30)[1].decode()
        if self.words[0] != "sleep" and self.now.returncode not in (0, -signal.SIGINT):
            raise Wrong(f"vmlan cap: {self.now.returncode}: {said}")
        self.calls.n_captures += 1
        self.now = None

    def close(self):
        if self.now:
            self.now.kill()
            self.now.wait()


def schedule(calls, captures, o):
    """(second, what to do), in order."""
    kinds = [(calls.every(), o["calls"]), (calls.forwards(), 2 * o["forwards"]),
             (itertools.repeat(captures.begin), o["captures"])]
    todo = [(o["secs"] * (i + 0.5) / n, k, what) for k, (each, n) in enumerate(kinds)
            for i, what in enumerate(itertools.islice(each, n))]
    todo += [(at + o["hold-ms"] / 1e3, k, captures.end) for at, k, _ in todo if k == 2]
    return [(at, what) for at, _, what in sorted(todo, key=lambda t: t[:2])]


@contextlib.contextmanager
def hostile(path):
    """Meanwhile there are clients that ask half, drip, or read nothing, and one
    that follows the events and does not read them either."""
    some = []
    try:
        for text in (b"", b"G", b"PUT /v1/network/kept HTTP/1.1\r\nContent-Length: 10\r\n\r\n{",
                     request("GET", "/v1").replace(b"close", b"keep-alive") * 50,
                     b"GET /v1/events HTTP/1.0\r\n\r\n") * 8:
            s = dial(path)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            s.setblocking(False)
            some.append(s)
            with contextlib.suppress(OSError):
                s.send(text)
        yield
    finally:
        for s in some:
            s.close()


def run(calls, o):
    """All that o asks for; what there is to tell of it."""
    captures = Captures(calls, o["vmlan"], o["network"])
    todo = schedule(calls, captures, o)
    late = 0.0
    began = time.monotonic()
    try:
        with hostile(calls.path):
            for at, what in todo:
                left = began + min(at, o["secs"]) - time.monotonic()
                if left > 0:
                    time.sleep(left)
                late = max(late, -left)
                what()
            captures.end()
    finally:
        captures.close()
        calls.tidy()
    took = time.monotonic() - began
    times = sorted(itertools.chain([0], *calls.times.values()))
    means = {k: sum(t) / len(t) / 1e3 for k, t in calls.times.items()}
    if o["captures"] and calls.n_captures != o["captures"]:
        raise Wrong(f"{calls.n_captures} captures, not {o['captures']}")
    return {"calls": sum(map(len, calls.times.values())), "secs": took,
            "captures": calls.n_captures,
            "p50_us": times[len(times) // 2] / 1e3, "p99_us": times[len(times) * 99 // 100] / 1e3,
            "max_us": times[-1] / 1e3, "late_ms": late * 1e3 if o["secs"] else 0.0,
            "dear": sorted(means.items(), key=lambda m: -m[1])[:12],
            "unasked": [k for k in calls.unasked() if "POST /v1/captures" != k]}


# ---- the placebo ----

def placebo(path, learned):
    """Answers what is asked with what was learned."""
    with open(learned, encoding="ascii") as f:
        answers = {k: v.encode("latin-1") for k, v in json.load(f).items()}
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen(1000)
    ready = selectors.DefaultSelector()
    ready.register(server, selectors.EVENT_READ)
    asked = {}
    print("ready", flush=True)
    while True:
        for key, _ in ready.select():
            if key.fileobj is server:
                c = server.accept()[0]
                ready.register(c, selectors.EVENT_READ)
                asked[c] = b""
            elif hears(key.fileobj, asked, answers):
                ready.unregister(key.fileobj)
                asked.pop(key.fileobj)
                key.fileobj.close()


def hears(c, asked, answers):
    """What a client says; True: it is answered, or has gone."""
    more = c.recv(1 << 17)
    asked[c] += more
    n = re.search(rb"Content-Length: (\d+)\r\n\r\n", asked[c])
    if not more or not n or b"keep-alive" in asked[c]:
        return not more
    if len(asked[c]) < asked[c].index(b"\r\n\r\n") + 4 + int(n.group(1)):
        return False
    with contextlib.suppress(OSError):
        c.sendall(answers[kind_of(asked[c])])
    return True


def main():
    if sys.argv[1] == "placebo":
        placebo(*sys.argv[2:])
    o = dict(FIELDS)
    for word in sys.argv[2:]:
        k, _, v = word.partition("=")
        o[k] = type(FIELDS[k])(v)
    calls = Calls(sys.argv[1], o["machine"])
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        got = run(calls, o)
    except (Wrong, OSError, subprocess.SubprocessError) as e:
        sys.exit(f"callers: {type(e).__name__}: {e}")
    if o["learn"]:
        with open(o["learn"], "w", encoding="ascii") as f:
            json.dump(calls.learned, f)
    print(json.dumps(got), flush=True)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
