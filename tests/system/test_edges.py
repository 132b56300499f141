# SPDX-License-Identifier: BSD-3-Clause
"""TCP at its edges, with a kernel at either end: shut windows, both ends closing
at once, ports used again, floods, keepalives, urgent bytes, a new engine."""
import ast
import errno
import os
import pathlib
import signal

import pytest

import world
from world import INET_IP, XFER, popen, sh, stop, wait_for

AGENT = str(pathlib.Path(__file__).resolve().parent / "agent.py")
PORT = 5600

# What both ends know: bytes that depend on their place, and their sum.
KNOWN = """
def pattern(at, n):
    return bytes((x * 7 + (x >> 8) * 13) & 255 for x in range(at, at + n))
block = pattern(0, 65536)
def pour(s, n):
    "Sends what the socket takes at once, from byte n on; where it stopped."
    s.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            n += s.send(block[n % 65536:])
    s.settimeout(30)
    return n
def take(s, n):
    got = b""
    while len(got) < n and (more := s.recv(n - len(got))):
        got += more
    return got
def drain(s):
    "Reads to the end: how much, and whether it is what was poured."
    n, good = 0, True
    while got := s.recv(65536):
        at = n % 65536
        good &= got == (block + block)[at:at + len(got)]
        n += len(got)
    return n, good
"""


class Agent:
    def __init__(self, ns):
        self.proc = popen("/usr/bin/python3", AGENT, ns=ns, stdin=-1, stdout=-1,
                          text=True)
        self.do(KNOWN)

    def tell(self, code):
        self.proc.stdin.write(repr(code) + "\n")
        self.proc.stdin.flush()

    def told(self):
        return ast.literal_eval(self.proc.stdout.readline())

    def ask(self, code):
        """("ok", value), ("os", errno), ("late", None)."""
        self.tell(code)
        return self.told()

    def do(self, code):
        how, value = self.ask(code)
        assert how == "ok", (code, how, value)
        return value

    def close(self):
        self.proc.stdin.close()
        self.proc.stdout.close()
        stop(self.proc, signal.SIGKILL)


@pytest.fixture
def net(w):
    """(world, guest, vmlan, agent of the guest, agent of the internet)."""
    g = w.guest()
    agents = []
    with world.Vmlan(["user", g.netdev()]) as v:
        try:
            g.static()
            agents += [Agent(g.ns), Agent("inet")]
            agents[1].do(f"l = create_server(('', {PORT}), backlog=64); l.settimeout(30)")
            yield w, g, v, *agents
        finally:
            for a in agents:
                a.close()


def connect(here, there):
    """A connection: s in the guest, c at the server."""
    here.do(f"s = create_connection(('{INET_IP}', {PORT}), 30)")
    there.do("c = l.accept()[0]; c.settimeout(30)")


def pour_until(agent, name, what, cond):
    """Sends all that is taken until the condition holds; how much it was."""
    n = 0

    def look():
        nonlocal n
        n = agent.do(f"pour({name}, {n})")
        return cond()

    wait_for(what, look)
    return n


def test_guests_window_shut(net):
    _, g, _, here, there = net

    def goes():
        late, shut = (g.counter(f"TcpExtTCP{x}") for x in ("Timeouts", "ToZeroWindowAdv"))
        connect(here, there)
        n = pour_until(there, "c", "the guest's window shut",
                       lambda: g.counter("TcpExtTCPToZeroWindowAdv") > shut)
        there.do("c.shutdown(SHUT_WR)")
        assert here.do("drain(s)") == (n, True)
        return g.counter("TcpExtTCPTimeouts") == late
    wait_for("all of it without a timeout", goes)  # a busy host is late


def test_hosts_window_shut(net):
    _, g, _, here, there = net

    def goes():
        late, asked = (g.counter(f"TcpExtTCP{x}") for x in ("Timeouts", "WinProbe"))
        connect(here, there)
        n = pour_until(here, "s", "the guest asked for room",
                       lambda: g.counter("TcpExtTCPWinProbe") > asked + 1)
        here.do("s.shutdown(SHUT_WR)")
        assert there.do("drain(c)") == (n, True)
        return g.counter("TcpExtTCPTimeouts") == late
    wait_for("all of it without a timeout", goes)


def test_both_close_at_once(net):
    _, _, _, here, there = net
    for _ in range(50):
        connect(here, there)
        for a, s in ((here, "s"), (there, "c")):
            a.tell(f"{s}.sendall(b'last'), {s}.shutdown(SHUT_WR)")
        for a, s in ((here, "s"), (there, "c")):
            assert a.told()[0] == "ok"
            assert a.do(f"(take({s}, 10), {s}.close())")[0] == b"last"


def test_port_used_again_at_once(net):
    """The server closes first, so the old connection waits with us."""
    _, _, _, here, there = net
    there.do("""
def one():
    c = l.accept()[0]
    c.recv(1)
    c.sendall(b'y')
    c.close()
def many(n):
    for _ in range(n):
        one()
""")
    here.do("""
def one():
    s = socket()
    s.settimeout(30)
    s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    s.bind(('', 45000))
    # until the last ACK has come, it is not ours again
    while s.connect_ex(('%s', %d)) == errno.EADDRNOTAVAIL:
        pass
    s.sendall(b'x')
    got = take(s, 9)
    s.close()
    return got
""" % (INET_IP, PORT))
    there.tell("many(30)")
    assert here.do("[one() for _ in range(30)]") == [b"y"] * 30
    assert there.told() == ("ok", None)


def test_keepalive_sees_that_the_server_is_gone(net):
    _, _, _, here, there = net
    name = pathlib.Path("/proc/sys/net/ipv4/tcp_keepalive_probes")
    old = name.read_text()
    name.write_text("2\n")
    try:
        connect(here, there)
        here.do("s.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1);"
                "s.setsockopt(IPPROTO_TCP, TCP_KEEPIDLE, 3)")
        sh("ip", "route", "add", "blackhole", "192.0.2.2/32", ns="inet")
        assert here.ask("s.settimeout(60) or s.recv(1)") == ("os", errno.ECONNRESET)
    finally:
        sh("ip", "route", "del", "blackhole", "192.0.2.2/32", ns="inet", check=False)
        name.write_text(old)


def urgent(one, s, other, c):
    """A byte out of band from one end to the other, in the middle of others."""
    one.do(f"({s}.sendall(b'abc'), {s}.send(b'!', MSG_OOB), {s}.sendall(b'def'))")
    assert other.do(f"bool(select.select([], [], [{c}], 30)[2])")
    assert other.do(f"{c}.recv(1, MSG_OOB)") == b"!"
    assert other.do(f"take({c}, 3)") == b"abc"
    assert other.do(f"take({c}, 3)") == b"def"


def test_urgent_bytes(net):
    _, _, _, here, there = net
    connect(here, there)
    for _ in range(3):
        urgent(here, "s", there, "c")
        urgent(there, "c", here, "s")
        # much has come down: its bytes wait in the socket from now on
        here.tell("len(take(s, 1 << 20))")
        there.do("c.sendall(bytes(1 << 20))")
        assert here.told() == ("ok", 1 << 20)
    # inline, as telnet's programs read it
    here.do("s.setsockopt(SOL_SOCKET, SO_OOBINLINE, 1)")
    there.do("(c.sendall(b'abc'), c.send(b'!', MSG_OOB), c.sendall(b'def'))")
    assert here.do("bool(select.select([], [], [s], 30)[2])")
    assert here.do("s.recv(7)") == b"abc"
    assert here.do("take(s, 4)") == b"!def"


def test_flood_of_half_open_connections(w):
    """One machine's attempts that nobody answers cost the others nothing, and
    the engine no more than a bounded number of sockets."""
    a, b = w.guest(), w.guest()
    w.serve(world.XFER, "echo", "5002", port=5002)
    with world.Vmlan(["user", a.netdev(), b.netdev()]) as v:
        a.static("10.0.2.15")
        b.static("10.0.2.16")
        flood = Agent(a.ns)
        try:
            flood.do("""
crowd = [socket() for _ in range(3000)]
for i, x in enumerate(crowd):
    x.setblocking(False)
    x.connect_ex(('203.0.113.99', 1 + i))
""")
            for _ in range(3):
                out = b.sh(XFER, "crr", INET_IP, "5002", "20", "1").stdout.split()
                assert out[:2] == ["20", "0"], out
            log = sh("ss", "-Htn", "state", "syn-sent", "dst", "203.0.113.99").stdout
            assert 0 < len(log.splitlines()) <= 1024
        finally:
            flood.close()
        assert v.engine()


def test_unknown_after_a_new_start(net):
    """The engine is another one: what it knows nothing of it refuses, so that
    the guest's program hears of it and can begin again."""
    _, _, v, here, there = net
    connect(here, there)
    here.do("s.sendall(b'x')")
    assert there.do("c.recv(1)") == b"x"
    old = v.engine()
    os.kill(old, signal.SIGKILL)
    wait_for("another engine", lambda: v.engine() not in (None, old))
    assert there.ask("c.recv(1)") in (("ok", b""), ("os", errno.ECONNRESET))
    assert here.ask("s.send(b'y') and s.recv(1)") == ("os", errno.ECONNRESET)
    connect(here, there)
    here.do("s.sendall(b'z')")
    assert there.do("c.recv(1)") == b"z"
