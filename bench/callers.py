# SPDX-License-Identifier: BSD-3-Clause
"""Calls of every kind to a network's control socket, and clients that only hold
it up: asked from here (run), or written down as a plan that bench-calls runs
beside traffic and takes little of the processors for (Plan). What was answered
here is what bench-calls answers as a placebo, to whichever network's plan."""
import contextlib
import itertools
import json
import os
import re
import socket
import time

FIELDS = {"calls": 1000, "forwards": 0, "captures": 0, "secs": 0.0, "hold_ms": 20}


class Wrong(ValueError):
    """An answer that should have been another one."""


def encoded(body):
    return b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()


def request(method, url, body=None, more=""):
    text = encoded(body)
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
    kind = method + " " + re.sub(r"/(\d+|@id\d+@|calls-[^/?]*)(?=/|$|\?)", "/*", url)
    return f"{kind} {len(body)}" if body[:1] != b"{" or len(body) < 2 else kind


class Calls:
    """One network's control socket. Each call is answered as it should be, or
    Wrong is raised."""

    def __init__(self, path, machine):
        self.path, self.machine = path, machine
        self.times = {}      # by kind: those of each call, in ns
        self.last_ns = 0
        self.learned = {}    # by kind_of()
        self.left = ""       # the machine that there is
        table = json.loads(split(exchange(path, request("GET", "/v1")))[1])
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
        return sorted(set(self.table) - set(self.times) - {"POST /v1/captures"})

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


def schedule(calls, o, begin=None, end=None):
    """(second, what to do), in order; begin and end are a capture's."""
    kinds = [(calls.every(), o["calls"]), (calls.forwards(), 2 * o["forwards"]),
             (itertools.repeat(begin), o["captures"])]
    todo = [(o["secs"] * (i + 0.5) / n, k, what) for k, (each, n) in enumerate(kinds)
            for i, what in enumerate(itertools.islice(each, n))]
    todo += [(min(at + o["hold_ms"] / 1e3, o["secs"]), k, end) for at, k, _ in todo if k == 2]
    return [(at, what) for at, _, what in sorted(todo, key=lambda t: t[:2])]


class Plan(Calls):
    """What would be asked, written down; kinds are those there is a placebo's
    answer for. What only an answer tells has a mark in its place."""

    def __init__(self, path, machine, kinds):
        super().__init__(path, machine)
        self.kinds, self.steps, self.at_ns, self.slots = kinds, [], 0, 0

    def step(self, *words, body=None):
        more = b"" if body is None else body
        self.steps.append(" ".join(map(str, words)).encode() + b"\n" + more)

    def call(self, method, url, body, status, slot=-1):
        kind = kind_of(request(method, url, body))
        if kind not in self.kinds:
            raise Wrong(f"{kind}: never asked before")
        body = encoded(body)
        self.step("call", self.at_ns, status, slot, self.kinds.index(kind), method, url,
                  len(body), body=body)

    def raw(self, method, url, body=None):
        self.call(method, url, body, 0)

    def ask(self, kind, url=None, body=None, status=200, slot=-1):
        method, path = kind.split()
        self.times.setdefault(kind, []).append(0)
        self.call(method, url or path, body, status, slot)

    def json(self, *words, **more):
        n, self.slots = self.slots, self.slots + 1
        self.ask(*words, **more, slot=n)
        return {"forwards": [{"id": f"@id{n}@", "bound": [{"host": f":@port{n}@"}]}]}

    def write(self, path, o):
        """A file for bench-calls."""
        for text in HOSTILE:
            self.step("hold", len(text), body=text)
        for at, what in schedule(self, o, lambda: self.step("cap", self.at_ns),
                                 lambda: self.step("end", self.at_ns)):
            self.at_ns = int(at * 1e9)
            what()
        self.tidy()
        path.write_bytes(b"\n".join(self.steps) + b"\n")


def write_answers(path, learned):
    """A file for bench-calls' placebo: its kinds, in order."""
    texts = [v.encode("latin-1") for v in learned.values()]
    path.write_bytes(b"".join(b"%d\n%b" % (len(t), t) for t in texts))
    return list(learned)


HOSTILE = (b"", b"G", b"PUT /v1/network/kept HTTP/1.1\r\nContent-Length: 10\r\n\r\n{",
           request("GET", "/v1").replace(b"close", b"keep-alive") * 50,
           b"GET /v1/events HTTP/1.0\r\n\r\n") * 8


@contextlib.contextmanager
def hostile(path):
    """Meanwhile there are clients that ask half, drip, or read nothing, and one
    that follows the events and does not read them either."""
    some = []
    try:
        for text in HOSTILE:
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
    """All that o asks for, one after the other; what there is to tell of it."""
    try:
        with hostile(calls.path):
            for _, what in schedule(calls, o):
                what()
    finally:
        calls.tidy()
    return {"calls": sum(map(len, calls.times.values())), "unasked": calls.unasked()}
