# SPDX-License-Identifier: BSD-3-Clause
"""`vmlan top` on a terminal: of a network that runs, and of a keeper that is
made up, which is slow, ends, and tells what we want."""
import contextlib
import fcntl
import json
import os
import re
import signal
import socketserver
import termios
import threading
import time
from http.server import BaseHTTPRequestHandler

import pytest

import world
from terminal import Terminal
from test_leases import kill_engine
from test_modes import RUNDIR, one_line, rundir, show, vmlan  # noqa: F401
from world import INET_IP, VMLAN, popen, process, sh, stop, wait_for


@contextlib.contextmanager
def network(*machines):
    """A LAN with these programs on it."""
    vmlan("up", "-q", "lab", "natnet")
    procs = [popen(VMLAN, "exec", "--name", m, "lab", "ip=none", "--", "sleep", "600")
             for m in machines]
    try:
        wait_for("machines", lambda: len(show("lab")["machines"]) == len(machines))
        yield
    finally:
        for p in procs:
            stop(p)
        sh(VMLAN, "down", "-q", "lab", check=False)


def is_restored(t):
    """Its modes, and its cursor."""
    return termios.tcgetattr(t.theirs) == t.before and \
        t.raw.rfind(b"\x1b[?25h") > t.raw.rfind(b"\x1b[?25l") > 0


def selected(t):
    """The machine in the line that is drawn in reverse."""
    for y in range(t.screen.lines - 1):
        if t.screen.buffer[y][2].reverse:
            return t.screen.display[y].split()[0]
    return None


def test_keys(w, tmp_path):
    """Each does what it says, on the network itself."""
    with network("web", "db"), Terminal(VMLAN, "top", "--interval", "200ms", cwd=tmp_path) as t:
        t.shows("network lab  natnet, up, 2 machines")
        t.shows("q quit  ? help")
        t.shows(lambda s: re.search(r"^  web .* up +[\d.]+ \w*bit/s", s, re.M))
        t.keys("s")
        t.shows("  by from it")
        t.keys("<<")
        t.shows("  by name")
        t.shows(lambda s: 0 < s.find("\n  db ") < s.find("\n  web "))
        t.keys("\x1b[A\x1b[A")
        t.shows(lambda s: selected(t) == "db")
        t.keys("\x1b[B")
        t.shows(lambda s: selected(t) == "web")
        t.keys("/DBx\x7f")
        t.shows("show only: DB_")
        t.shows(lambda s: "\n  db " in s and "\n  web " not in s)
        t.keys("\r")
        t.shows("only 'DB'")
        t.keys("c")
        t.shows("no machine is selected")
        t.keys("\x1b")
        t.shows("\n  web ")
        t.keys("?")
        t.shows("this\n")
        t.keys("x")
        t.shows("TALKER")

        t.keys("c")
        t.shows("capturing web into lab-web-")
        t.shows("\nC web ")
        file, = wait_for("the file", lambda: list(tmp_path.glob("lab-web-*.pcapng")))
        wait_for("the capture", lambda: json.loads(sh(
            "curl", "-s", "--unix-socket", RUNDIR / "vmlan" / "lab" / "control",
            "http://x/v1/captures").stdout)["captures"])
        t.keys("c")
        t.shows(lambda s: re.search(r"pcapng: \d+ frames of lab/web", s))
        t.shows("\n  web ")
        assert "Capture file" not in sh("tshark", "-r", file).stderr

        t.keys("l")
        t.shows("pull the cable of web? y/n")
        t.keys("n")
        t.shows("q quit")
        assert "cable" not in show("lab")["machines"][0]
        t.keys("l")
        t.shows("pull the cable of web? y/n")
        vmlan("link", "web", "down")  # by another: what is said yes to stays the same
        t.shows(lambda s: " pulled " in t.line("web"))
        t.keys("y")
        t.shows("the cable of web is pulled")
        assert [m["cable"]["up"] for m in show("lab")["machines"] if "cable" in m] == [False]
        t.keys("l")
        t.shows("plug web in again? y/n")
        t.keys("y")
        t.shows(lambda s: " up " in t.line("web"))
        assert not [m for m in show("lab")["machines"] if "cable" in m]

        t.keys(" ")
        for rows, columns in ((12, 60), (3, 20), (1, 1), (50, 200)):
            t.resize(rows, columns)
            t.shows(lambda s: s.splitlines()[-1].startswith("q quit  ? help"[:columns]))
        t.shows("network lab  natnet")
        t.keys("q")
        assert t.end() == (0, "")
        assert is_restored(t)


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGHUP, "\x03"])
def test_ends(w, tmp_path, by):
    """By a signal the terminal is as it was, and a capture is whole."""
    with network("web"), Terminal(VMLAN, "top", "lab", term="vt100", cwd=tmp_path) as t:
        before = t.before
        t.shows("\n  web ")
        t.keys("c")
        t.shows("\nC web ")
        file, = wait_for("the file", lambda: [f for f in tmp_path.glob("*.pcapng")
                                              if f.stat().st_size])
        if isinstance(by, str):
            t.keys(by)
        else:
            t.proc.send_signal(by)
        code, said = t.end()
        assert code == 0 and re.fullmatch(r"vmlan: lab-web-.*: \d+ frames of lab/web\n", said), said
        assert termios.tcgetattr(t.theirs) == before
        assert sh("tshark", "-r", file).returncode == 0


def test_no_terminal(w):
    """One line, and what there is for it."""
    with network("web"):
        one_line(2, "top", "lab")
        one_line(2, "top", "lab", "other")
        one_line(2, "top", "--interval", "5", "lab")
        one_line(3, "top", "--once", "other")
        with Terminal(VMLAN, "top", term="no-such-terminal") as t:
            code, said = t.end()
            assert code == 2 and len(said.splitlines()) == 1, said
            assert "TERM=no-such-terminal" in said
            assert termios.tcgetattr(t.theirs) == t.before
        r = vmlan("top", "--once", "--interval", "100ms")
        assert r.stdout.startswith("network lab  natnet, up, 1 machine,") and "\n  web " in r.stdout
        vmlan("up", "-q", "second", "internal")
        try:
            assert "lab, second" in one_line(4, "top", "--once")
        finally:
            vmlan("down", "-q", "second")
    one_line(3, "top", "--once")


def test_engine_killed(w):
    """It is said, and goes on."""
    with network("web"), Terminal(VMLAN, "top", "--interval", "100ms", "lab") as t:
        t.shows("from machines")
        kill_engine()
        t.shows("the engine of lab was started again")
        t.shows("from machines")
        sh(VMLAN, "down", "-q", "lab", check=False)
        t.keys("q")
        assert t.end()[0] == 0


def test_who_talks(w):
    """What is asked of a real keeper is what it answers."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(process("socat", "-u", "TCP-LISTEN:7000", "/dev/null", ns="inet"))
        wait_for("the server", lambda: ":7000" in sh("ss", "-Hltn", ns="inet").stdout)
        vmlan("up", "-q", "lab", "natnet")
        stack.callback(sh, VMLAN, "down", "-q", "lab", check=False)
        stack.enter_context(process(VMLAN, "exec", "--name", "web", "lab", "--", "socat", "-u",
                                    "/dev/zero", f"TCP:{INET_IP}:7000"))

        def shown(line):
            t = vmlan("top", "--once", "--interval", "300ms").stdout
            return t if re.search(line, t, re.M) else None

        rate = r" +\d+(\.\d+)? [kMG]bit/s"
        flow = rf"^  web +tcp  10\.0\.2\.15:\d+ +-> {re.escape(INET_IP)}:7000{rate} +0 bit/s"
        # the first of both looks may have come before its port was there
        wait_for("the flow", lambda: re.search(rf"^  web +up{rate} ", shown(flow) or "", re.M), 20)


# ---- a keeper that is made up ----

class Keeper:
    """Answers by a table of paths; what is in `late` is answered when it is no
    more."""

    def __init__(self):
        self.answers = {}
        self.asked = []
        self.late = set()
        keeper = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                keeper.asked.append(self.path)
                while self.path in keeper.late:
                    time.sleep(0.01)
                o = keeper.answers.get(self.path, {"error": "there is none", "code": 4})
                text = json.dumps(o() if callable(o) else o).encode()
                with contextlib.suppress(OSError):
                    self.wfile.write(b"HTTP/1.1 %d x\r\nContent-Length: %d\r\n\r\n" % (
                        404 if "error" in json.loads(text) else 200, len(text)) + text)

            def address_string(self):
                return "somebody"

            def log_message(self, *_):
                pass

        self.Handler = Handler

    def __enter__(self):
        self.dir = RUNDIR / "vmlan" / "lab"
        self.dir.mkdir(parents=True)
        for d in (RUNDIR / "vmlan", self.dir):
            d.chmod(0o700)
        self.lock = open(self.dir / "lock", "w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.start()
        return self

    def start(self):
        class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
            daemon_threads = True

        self.server = Server(str(self.dir / "control"), self.Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        (self.dir / "control").unlink()

    def __exit__(self, *_):
        self.late.clear()
        self.stop()
        self.lock.close()
        (self.dir / "lock").unlink()
        self.dir.rmdir()


def made_up(k):
    """A machine that sends 1 MB/s by two flows."""
    began = time.monotonic()

    def ms():
        return int((time.monotonic() - began) * 1000) + 5000

    def flow(guest, peer, share, **more):
        return dict({"proto": "tcp", "machine": "web", "guest": guest, "peer": peer,
                     "direction": "out", "state": "established", "age-ms": ms(), "idle-ms": 0,
                     "sent-bytes": ms() * share, "received-bytes": 7, "rtt-us": 1500}, **more)

    k.answers = {
        "/v1/network": {"name": "lab", "mode": "natnet", "serving": True, "kept": True,
                        "engine": 41, "machines": [
                            {"name": "web", "connected": True, "addresses": ["10.0.2.15"]}]},
        "/v1/stats": lambda: {"network": "lab", "uptime-ms": ms(), "drops": [
            {"name": "X", "text": "the \x1b[2Jpeer was \N{SNOWMAN}", "count": ms() // 100}],
            "ports": [{"name": "m0", "machine": "web", "kind": "stream", "connected": True,
                       "up": True, "rx-bytes": ms() * 1000, "rx-frames": ms()}]},
        "/v1/flows": lambda: {"more": False, "flows": [
            flow("10.0.2.15:1", "192.0.2.1:443", 250, name="slow.example"),
            flow("10.0.2.15:2", "192.0.2.9:80", 750)]},
    }


def test_talkers(w):
    """By their rates, with the peers' names; and what names might do to a
    terminal they do not."""
    with Keeper() as k:
        made_up(k)
        with Terminal(VMLAN, "top", "--interval", "100ms", "lab", columns=130) as t:
            t.shows("SENT")
            t.shows(lambda s: re.search(r"^  web .* up +8\.0\d Mbit/s +1\.00 k ", s, re.M)
                    or re.search(r"^  web .* up +(7\.9|8\.0)\d* Mbit/s", s, re.M))
            t.shows(lambda s: re.search(
                r"tcp  10\.0\.2\.15:2 +-> 192\.0\.2\.9:80 +[56]\.\d\d Mbit/s +0 bit/s +1\.50 ms "
                r"established\n.* 10\.0\.2\.15:1 +-> slow\.example:443 +[12]\.\d\d Mbit/s", s))
            t.shows("the ?[2Jpeer was ???")
            t.keys("/slow\r")
            t.shows(lambda s: "192.0.2.9" not in s and "slow.example" in s)
            t.keys("q")
            assert t.end() == (0, "")


def test_slow(w):
    """An answer that does not come keeps no key waiting, and is asked for once."""
    with Keeper() as k:
        made_up(k)
        with Terminal(VMLAN, "top", "--interval", "100ms", "lab") as t:
            t.shows("\n  web ")
            k.late.add("/v1/stats")
            late = lambda s: int((re.findall(r"no answer for (\d+) s", s) or [0])[0])  # noqa: E731
            first = late(t.shows(late))
            n = len(k.asked)
            t.keys("s")
            t.shows("by from it")
            t.keys("?")
            t.shows("plug it in")
            t.keys("x")
            t.shows(lambda s: late(s) > first)
            assert len(k.asked) == n
            k.late.clear()
            t.shows("from machines")
            t.keys("q")
            assert t.end()[0] == 0
        # One that is waited for keeps it from ending neither.
        k.late.add("/v1/flows")
        with Terminal(VMLAN, "top", "--interval", "100ms", "lab") as t:
            t.shows("network lab")
            t.keys("q")
            assert t.end() == (0, "")


def test_network_ends(w):
    """It waits for the next one, whose counters begin anew."""
    with Keeper() as k:
        made_up(k)
        with Terminal(VMLAN, "top", "--interval", "100ms", "lab") as t:
            t.shows("\n  web ")
            k.stop()
            t.shows(lambda s: "network lab does not run any more; it is waited for" in s
                    and "\n  web " not in s)
            k.answers["/v1/network"]["engine"] = 42
            k.answers["/v1/flows"] = {"error": "there is nothing at this path", "code": 4}
            k.start()
            t.shows("\n  web ")
            t.shows("of flows nothing is told")
            k.answers["/v1/stats"] = {"error": "the engine is silent", "code": 1}
            t.shows("the engine is silent")
            k.answers["/v1/network"]["engine"] = 43
            k.answers["/v1/stats"] = {"ports": [], "drops": []}
            t.shows("the engine of lab was started again")
            os.kill(t.proc.pid, signal.SIGTERM)
            assert t.end() == (0, "")
            assert is_restored(t)
