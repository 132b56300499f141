# SPDX-License-Identifier: BSD-3-Clause
"""Named networks and their modes: who sees whom, by traffic.

        a, b                    machines: kernel guests in namespaces, plugged
        |  |                    in by `vmlan run --net MODE ... -- vmlan join`
      [network] -- host -- inet (the world of world.py)

The VMM is a `vmlan join` that patches the guest's tap to the socket it was
given: to the network it is a machine like any other.
"""
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

import qemu
import world
from reach import ASK, Server, sees  # noqa: F401
from world import HOST_IP, INET_IP, VMLAN, is_dead, one_netdev, popen, sh, soon, stop, wait_for

PYTHON = "/usr/bin/python3"
RUNDIR = pathlib.Path("/run/xdg-modes")


@pytest.fixture(autouse=True)
def rundir(monkeypatch):
    RUNDIR.mkdir(exist_ok=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(RUNDIR))
    yield
    d = RUNDIR / "vmlan"
    # a keeper gives its engine 2 s
    left = [] if soon(lambda: not networks(d), 30) else networks(d)
    for net in left:
        sh(VMLAN, "down", "-q", net, check=False)
    wait_for("all networks to end", lambda: not networks(d))
    assert left == []


def networks(d):
    """Their folders; the lock of settings is no network's."""
    return [p.name for p in d.iterdir() if p.name[0] != "."] if d.exists() else []


def vmlan(*args, code=0, **kw):
    r = sh(VMLAN, *args, check=False, timeout=60, **kw)
    assert r.returncode == code, (args, r.returncode, r.stdout, r.stderr)
    return r


def one_line(code, *args):
    r = vmlan(*args, code=code)
    lines = r.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("vmlan: error: "), r.stderr
    assert r.stdout == ""
    return lines[0]


def show(name):
    return json.loads(vmlan("show", "--json", name).stdout)


def names():
    return [n["name"] for n in json.loads(vmlan("ls", "--json").stdout)]


def control(name):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(str(RUNDIR / "vmlan" / name / "control"))
    return s


def ask(name, text):
    """Bytes to a control socket: what comes back until it is closed."""
    with control(name) as s:
        s.sendall(text)
        got = b""
        while True:
            more = s.recv(65536)
            if not more:
                return got
            got += more


def get(path):
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()


class Machine:
    """A kernel guest on the networks of `vmlan run` with these options."""

    def __init__(self, w, name, *options, nets=1, mac=None):
        self.guest = w.guest(name, mac)
        if mac:
            options += ("--nic", f"virtio,mac={mac}")
        cables = []
        for i in range(nets):
            place = "{socket}" if i == 0 else f"{{socket{i + 1}}}"
            # each card is a LAN of its own: a hub for each
            own = f",mac={mac}" if mac else ""
            cables += [f"netns,id=n{i},path={self.guest.path()},ifname=eth{i}{own}",
                       f"stream,id=s{i},addr.type=unix,addr.path={place},reconnect-ms=50",
                       f"hubport,hubid={i},netdev=n{i}", f"hubport,hubid={i},netdev=s{i}"]
        self.proc = popen(VMLAN, "run", "-q", "--name", name, *options, "--",
                          VMLAN, "join", "-q", *cables)
        for i in range(nets):
            wait_for(f"eth{i} of {name}", lambda: self.guest.sh(
                "ip", "link", "show", f"eth{i}", check=False).returncode == 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        stop(self.proc)

    def static(self, ip, ifname="eth0"):
        self.guest.sh("ip", "addr", "add", f"{ip}/24", "dev", ifname)
        self.guest.sh("ip", "link", "set", ifname, "up")
        return ip


@pytest.fixture
def lan(w):
    """Somebody in the internet who tries to get in: he has a route by us."""
    sh("ip", "route", "add", "10.0.0.0/8", "via", HOST_IP, ns="inet")
    pathlib.Path("/proc/sys/net/ipv4/ip_forward").write_text("1\n")
    with Server("inet"), Server(None, HOST_IP):
        yield w


def is_natnet(a, b):
    """Who sees whom there."""
    with Server("a"), Server("b"):
        table = {
            "a sees b": sees("a", b.guest.ip, arp="eth0"),
            "b sees a": sees("b", a.guest.ip, arp="eth0"),
            "a sees the internet": sees("a", INET_IP),
            "b sees the internet": sees("b", INET_IP),
            "the internet sees a": sees("inet", a.guest.ip),
            "the host sees a": sees(None, a.guest.ip),
        }
    assert table == {
        "a sees b": "y", "b sees a": "y", "a sees the internet": "y",
        "b sees the internet": "y", "the internet sees a": "n", "the host sees a": "n"}


def test_natnet(lan):
    with Machine(lan, "a", "--net", "natnet:lab") as a, \
            Machine(lan, "b", "--net", "natnet:lab") as b:
        a.guest.dhcp()
        b.guest.dhcp()
        assert a.guest.ip != b.guest.ip
        is_natnet(a, b)
        o = show("lab")
        assert o["mode"] == "natnet" and [m["name"] for m in o["machines"]] == ["a", "b"]
        assert all(m["connected"] for m in o["machines"])
    assert names() == []


def test_nat(lan):
    with Machine(lan, "a") as a, Machine(lan, "b", "--net", "nat") as b:
        a.guest.dhcp()
        b.guest.dhcp()
        assert sorted(names()) == ["nat-a", "nat-b"]
        # each its own LAN: the other is not at any address
        b.guest.sh("ip", "addr", "add", "10.0.2.77/24", "dev", "eth0")
        with Server("b"):
            table = {
                "a sees b": sees("a", "10.0.2.77", arp="eth0"),
                "a sees the internet": sees("a", INET_IP),
                "b sees the internet": sees("b", INET_IP),
                "the internet sees b": sees("inet", "10.0.2.77"),
                "the host sees b": sees(None, "10.0.2.77"),
            }
        assert table == {
            "a sees b": "n", "a sees the internet": "y", "b sees the internet": "y",
            "the internet sees b": "n", "the host sees b": "n"}


def test_internal(lan):
    with Machine(lan, "a", "--net", "internal:in") as a, \
            Machine(lan, "b", "--net", "internal:in") as b:
        a.static("10.0.2.15")
        b.static("10.0.2.16")
        for m in (a, b):
            m.guest.sh("ip", "route", "add", "default", "via", "10.0.2.2")
        with Server("a"), Server("b"):
            table = {
                "a sees b": sees("a", "10.0.2.16", arp="eth0"),
                "b sees a": sees("b", "10.0.2.15", arp="eth0"),
                "a sees the host": sees("a", HOST_IP),
                "a sees a gateway": sees("a", "10.0.2.2", arp="eth0"),
                "a sees the internet": sees("a", INET_IP),
                "the internet sees a": sees("inet", "10.0.2.15"),
                "the host sees a": sees(None, "10.0.2.15"),
            }
        assert table == {
            "a sees b": "y", "b sees a": "y", "a sees the host": "n", "a sees a gateway": "n",
            "a sees the internet": "n", "the internet sees a": "n", "the host sees a": "n"}
        assert show("in")["netdevs"] == []
        r = a.guest.sh("udhcpc", "-i", "eth0", "-n", "-q", "-t", "2", "-T", "1", "-s", "/bin/true",
                       check=False)
        assert r.returncode != 0


def test_internal_with_dhcp(lan):
    with Machine(lan, "a", "--net", "internal:in,dhcp=on") as a, \
            Machine(lan, "b", "--net", "internal:in") as b:
        a.guest.dhcp()
        b.guest.dhcp()
        # (the name server knows the machines alone: test_names.py)
        assert "router" not in a.guest.lease and a.guest.lease["dns"] == "10.0.2.3"
        for m in (a, b):
            m.guest.sh("ip", "route", "replace", "default", "via", "10.0.2.2")
        with Server("a"), Server("b"):
            assert sees("a", b.guest.ip, arp="eth0") == "y"
            assert sees("a", INET_IP) == "n"
            assert sees("a", HOST_IP) == "n"
            assert sees("inet", a.guest.ip) == "n"
        # no way to the host's loopback by the server's address either
        with Server(None, "127.0.0.1"):
            for p in ("tcp", "udp"):
                assert sh(PYTHON, "-c", ASK, "10.0.2.2", p, "2", ns="a").stdout == "no\n"


def test_generic(lan):
    """The uplink is a cable to a neighbour, who is one of the LAN."""
    far = lan.guest("far")
    uplink = f"netns,,path={far.path()},,ifname=eth0"
    with Machine(lan, "a", "--net", f"generic:wan,netdev={uplink}") as a, \
            Machine(lan, "b", "--net", "generic:wan") as b:
        a.static("10.9.0.1")
        b.static("10.9.0.2")
        far.sh("ip", "addr", "add", "10.9.0.3/24", "dev", "eth0")
        far.sh("ip", "link", "set", "eth0", "up")
        with Server("a"), Server("b"), Server("far"):
            assert sees("a", "10.9.0.2", arp="eth0") == "y"
            assert sees("a", "10.9.0.3", arp="eth0") == "y"
            assert sees("far", "10.9.0.2", arp="eth0") == "y"
        assert vmlan("show", "--netdevs", "wan").stdout == \
            uplink.replace(",,", ",") + "\n"


def test_none(w):
    r = vmlan("run", "--net", "none", "--", "sh", "-c", f"{VMLAN} ls --json")
    assert r.stdout == "[]\n"


def test_several_cards(w):
    """One machine as the router between two networks, its places in order."""
    with Machine(w, "r", "--net", "natnet:one", "--net", "internal:two", nets=2) as r, \
            Machine(w, "c", "--net", "internal:two") as c:
        r.guest.dhcp()
        r.static("10.7.0.1", "eth1")
        c.static("10.7.0.2")
        r.guest.sh("ping", "-c", "1", "-W", "20", INET_IP)
        r.guest.sh("ping", "-c", "1", "-W", "20", "10.7.0.2")
        assert names() == ["one", "two"]


WHO = """
import socket, sys, threading
u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u.bind(("0.0.0.0", 53))
t = socket.create_server(("0.0.0.0", 80))
print("up", flush=True)
def udp():
    while True:
        u.sendto(sys.argv[1].encode(), u.recvfrom(100)[1])
threading.Thread(target=udp, daemon=True).start()
while True:
    c = t.accept()[0]
    c.sendall(sys.argv[1].encode())
    c.close()
"""


def who(kind, port):
    """Who answers at a port of the host."""
    with socket.socket(socket.AF_INET, kind) as s:
        s.settimeout(10)
        try:
            s.connect(("127.0.0.1", port))
            if kind == socket.SOCK_DGRAM:
                s.send(b"x")
            return s.recv(100).decode()
        except ConnectionError:
            return None


def test_natnet_forwards(lan):
    """Each machine's ports lead to that machine, also by another engine."""
    with Machine(lan, "a", "--net", "natnet:lab", "-p", "2222:80", mac="52:54:00:00:00:0a") as a:
        with Machine(lan, "b", "--net", "natnet:lab", "-p", "2223:80", "-p", "2223:53/udp",
                     mac="52:54:00:00:00:0b") as b, \
                Machine(lan, "c", "--net", "natnet:lab") as c, \
                world.process(PYTHON, "-c", WHO, "a", ns="a", stdout=subprocess.PIPE) as pa, \
                world.process(PYTHON, "-c", WHO, "b", ns="b", stdout=subprocess.PIPE) as pb:
            for p in (pa, pb):
                p.stdout.readline()
                p.stdout.close()
            c.guest.dhcp()  # first, and yet no address of theirs is his
            b.guest.dhcp()
            a.guest.dhcp()
            assert (a.guest.ip, b.guest.ip) == ("10.0.2.15", "10.0.2.16")
            assert c.guest.ip == "10.0.2.115"
            assert [m.get("address") for m in show("lab")["machines"]] == \
                ["10.0.2.15", "10.0.2.16", None]
            engine = show("lab")["engine"]
            for i in range(2):
                assert who(socket.SOCK_STREAM, 2222) == "a"
                assert who(socket.SOCK_STREAM, 2223) == "b"
                assert who(socket.SOCK_DGRAM, 2223) == "b"
                if i == 0:
                    os.kill(engine, signal.SIGKILL)
                    wait_for("another engine", lambda: show("lab")["engine"] not in (0, engine))
                    wait_for("all on it", lambda: all(
                        m["connected"] for m in show("lab")["machines"]))
                    b.guest.dhcp()
                    assert b.guest.ip == "10.0.2.16"
            line = one_line(5, "run", "--net", "natnet:lab", "--nic", "virtio,mac=52:54:00:00:00:0d",
                            "-p", "2230:1", "-p", "2223:80", "--", "sh", "-c", "{socket}")
            assert "2223" in line
            assert ":2230 " not in sh("ss", "-Hltn").stdout
            assert len(show("lab")["machines"]) == 3
        assert who(socket.SOCK_STREAM, 2223) is None
        assert [(f["host"], f["machine"]) for f in show("lab")["forwards"]] == \
            [("127.0.0.1:2222", "a"), ("[::1]:2222", "a")]
        assert "mac=" in one_line(2, "run", "--net", "natnet:lab", "-p", "2231:80", "--", "sh", "-c",
                                  "{socket}")
        r = vmlan("run", "--net", "natnet:lab", "-p", "tcp::2231-10.0.2.15:80", "--", "sh", "-c",
                  ": {socket}")
        assert "forward tcp 127.0.0.1:2231 and [::1]:2231 -> 10.0.2.15:80\n" in r.stderr
        one_line(2, "run", "--net", "natnet:lab", "-p", "tcp::2231-10.9.9.9:80", "--", "sh", "-c",
                 "{socket}")


def test_up_and_down(w):
    line = vmlan("up", "lab").stderr
    assert "lab is up: natnet" in line
    assert names() == ["lab"]
    o = show("lab")
    assert o["kept"] and o["serving"] and o["machines"] == []
    netdev = one_netdev(o, "10.0.2.0/24")
    assert vmlan("show", "--netdevs", "lab").stdout == netdev + "\n"
    assert f"subnet   {o['subnets'][1]['net']}, gateway " in vmlan("show", "lab").stdout
    assert re.search(r"^lab +natnet +up +0$", vmlan("ls").stdout, re.M)
    assert "mode     natnet" in vmlan("show", "lab").stdout
    assert "runs already" in vmlan("up", "lab", "natnet").stderr
    with Machine(w, "a", "--net", "natnet:lab") as a:
        a.guest.dhcp()
        assert "has 1 machine" in vmlan("down", "lab").stderr
        a.guest.sh("ping", "-c", "1", "-W", "20", INET_IP)
        assert show("lab")["kept"] is False
        vmlan("up", "lab")
    assert names() == ["lab"]
    vmlan("down", "lab")
    assert names() == []
    one_line(3, "down", "lab")


def test_options_reach_the_gateway(w):
    vmlan("up", "lab", "natnet", "net=192.168.77.0/24", "dnssearch=a.test", "dnssearch=b.test")
    assert show("lab")["options"] == ["net=192.168.77.0/24", "dnssearch=a.test", "dnssearch=b.test"]
    with Machine(w, "a", "--net", "natnet:lab,net=192.168.77.0/24") as a:
        a.guest.dhcp()
        assert a.guest.ip == "192.168.77.115"  # its MAC is not known
        assert a.guest.lease["search"] == "a.test b.test"
    vmlan("down", "lab")


def test_subnet_that_the_host_uses(w):
    sh("ip", "route", "add", "10.0.2.128/25", "via", INET_IP)
    try:
        r = vmlan("up", "lab", "natnet")
        assert "10.0.3.0/24, for the host has a route to 10.0.2.128/25" in r.stderr
        one_netdev(show("lab"), "10.0.3.0/24")
        assert "10.0.2.128/25" in one_line(5, "up", "lab2", "natnet", "net=10.0.2.0/24")
        assert "10.0.2.128/25" in one_line(
            5, "run", "--net", "natnet:lab3,net=10.0.0.0/16", "--", "sh", "-c", "{socket}")
        vmlan("down", "lab")
    finally:
        sh("ip", "route", "del", "10.0.2.128/25")


def test_bad_words():
    for args in (["up"], ["up", "nat"], ["up", "lab", "nat"], ["up", "lab", "none"],
                 ["up", "lab", "wifi"], ["up", "lab", "natnet", "colour=red"],
                 ["up", "lab", "natnet", "net=x"], ["up", "lab", "bridged"],
                 ["up", "../lab", "natnet"], ["up", "lab", "natnet", "internal"],
                 ["up", "lab", "generic"], ["up", "lab", "--nosuch"], ["down"], ["down", "nat"],
                 ["down", "a", "b"], ["show"], ["show", "natnet"], ["show", "a", "b"],
                 ["show", "--nosuch", "a"], ["ls", "x"], ["show", "a/b"]):
        one_line(2, *args)
    for args in (["--net", "natnet"], ["--net", "natnet:"], ["--net", "natnet:nat"],
                 ["--net", "nat:lab"], ["--net", "none:lab"], ["--net", "internal:x,mtu=900"],
                 ["--net", "internal:x", "-p", "80:80"], ["--net", "none", "--net", "nat"],
                 ["--net", "nat", "--nic", "e1000", "--nic", "e1000"]):
        one_line(2, "run", *args, "--", "sh", "-c", "{socket}")
    assert "{socket2}" in one_line(2, "run", "--net", "nat", "--net", "nat", "--", "sh", "-c",
                                   "{socket}")
    one_line(3, "show", "lab")
    assert names() == []


def test_name_taken(w):
    vmlan("up", "lab", "internal")
    assert "is internal, not natnet" in one_line(5, "up", "lab", "natnet")
    one_line(5, "run", "--net", "natnet:lab", "--", "sh", "-c", "{socket}")
    assert "without dhcp=on" in one_line(5, "up", "lab", "internal", "dhcp=on")
    assert show("lab")["mode"] == "internal"
    vmlan("down", "lab")


def test_two_users_of_one_name(w):
    """Folders are each user's own."""
    other = dict(os.environ, XDG_RUNTIME_DIR="/run/xdg-other")
    pathlib.Path("/run/xdg-other").mkdir(exist_ok=True)
    vmlan("up", "lab", "natnet")
    vmlan("up", "lab", "internal", env=other)
    assert show("lab")["mode"] == "natnet"
    assert json.loads(vmlan("show", "--json", "lab", env=other).stdout)["mode"] == "internal"
    vmlan("down", "lab", env=other)
    assert names() == ["lab"]
    vmlan("down", "lab")


@pytest.mark.long
def test_two_in_one_instant(w):
    """One makes the network, the other joins it; the last to leave ends it."""
    tell = "import os,sys; print(sys.argv[1], flush=True); sys.stdin.read()"
    for i in range(50 if world.FULL or not world.SANITIZED else 10):
        ps = [popen(VMLAN, "run", "-q", "--net", "natnet:lab", "--name", n, "--", PYTHON, "-c", tell,
                    "{socket}", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, text=True) for n in ("a", "b")]
        sockets = {p.stdout.readline() for p in ps}
        assert len(sockets) == 2 and all("/vmlan/lab/" in s for s in sockets), sockets
        o = show("lab")
        assert sorted(m["name"] for m in o["machines"]) == ["a", "b"]
        for p in ps:
            assert p.communicate("", timeout=30)[1] == "" and p.returncode == 0
        assert names() == []


def test_one_comes_while_the_other_leaves(w):
    """A network that ends is not joined."""
    for i in range(20):
        first = popen(VMLAN, "run", "-q", "--net", "natnet:lab", "--", "sh", "-c",
                      ": {socket}; read x; :", stdin=subprocess.PIPE)
        wait_for("it", lambda: "lab" in names())
        first.stdin.close()
        r = vmlan("run", "-q", "--net", "natnet:lab", "--name", "second", "--", "sh", "-c",
                  f": {{socket}}; {VMLAN} show --json lab")
        assert "second" in [m["name"] for m in json.loads(r.stdout)["machines"]]
        assert first.wait(20) == 0


def test_engine_killed(lan):
    """The keeper starts another; all machines are on it again."""
    with Machine(lan, "a", "--net", "natnet:lab") as a, \
            Machine(lan, "b", "--net", "natnet:lab") as b:
        a.guest.dhcp()
        b.guest.dhcp()
        for i in range(3):
            engine = show("lab")["engine"]
            os.kill(engine, signal.SIGKILL)
            wait_for("another engine", lambda: show("lab")["engine"] not in (0, engine))
            wait_for("both on it", lambda: all(m["connected"] for m in show("lab")["machines"]))
            wait_for("traffic", lambda: a.guest.sh(
                "ping", "-c", "1", "-W", "1", b.guest.ip, check=False).returncode == 0)
        assert "killed by signal 9" in (RUNDIR / "vmlan/lab/log").read_text()


def kill_keeper(name):
    """Its engine is left alone with the machines: what it was before, as far
    as it is written down, which it is once a second."""
    o = show(name)
    heard = {ip for m in o["machines"] for ip in m["addresses"]}
    state = RUNDIR / "vmlan" / name / "state"
    wait_for("its state", lambda: all(f'"{ip}"' in state.read_text() for ip in heard))
    os.kill(o["keeper"], signal.SIGKILL)
    wait_for("the keeper's end", lambda: is_dead(o["keeper"]))
    return o


def test_keeper_killed(lan):
    """The machines keep their network; the next command gives it another
    keeper, and all is as it was."""
    with Machine(lan, "a", "--net", "natnet:lab,dnssearch=x.test", "-p", "2222:7000",
                 mac="52:54:00:00:00:0a") as a, \
            Machine(lan, "b", "--net", "natnet:lab", mac="52:54:00:00:00:0b") as b:
        b.guest.dhcp()
        a.guest.dhcp()
        o = kill_keeper("lab")
        a.guest.sh("ping", "-c", "1", "-W", "20", b.guest.ip)
        r = vmlan("ls", "--json")
        assert r.stderr.splitlines() == ["vmlan: warning: the keeper of network lab was killed; "
                                         "it has another one now"]
        assert [n["name"] for n in json.loads(r.stdout)] == ["lab"]
        assert is_dead(o["engine"])
        wait_for("all on it", lambda: all(m["connected"] for m in show("lab")["machines"]))
        now = show("lab")
        same = ("name", "mode", "options", "kept", "netdevs", "forwards", "machines", "folder")
        for m in now["machines"] + o["machines"]:
            del m["addresses"]  # they are heard anew
        assert {k: now[k] for k in same} == {k: o[k] for k in same}
        wait_for("traffic", lambda: a.guest.sh(
            "ping", "-c", "1", "-W", "1", b.guest.ip, check=False).returncode == 0)
        a.guest.dhcp()
        assert a.guest.ip == "10.0.2.15"
        with Server("a"):
            s = socket.create_connection(("127.0.0.1", 2222), timeout=10)
            s.send(b"x")
            assert s.recv(100) == b"tcp x"
            s.close()
        with Machine(lan, "c", "--net", "natnet:lab") as c:
            c.guest.dhcp()
            c.guest.sh("ping", "-c", "1", "-W", "20", b.guest.ip)
    assert names() == []


def test_keeper_killed_and_no_library(lan, tmp_path):
    """For as long as there cannot be another keeper nothing is taken away."""
    (tmp_path / "libmicrohttpd.so.12").write_text("no library\n")
    without = {**os.environ, "LD_LIBRARY_PATH": str(tmp_path)}
    with Machine(lan, "a", "--net", "internal:lab") as a, \
            Machine(lan, "b", "--net", "internal:lab") as b:
        a.static("10.1.1.1")
        to = b.static("10.1.1.2")
        o = kill_keeper("lab")
        for _ in range(2):
            r = vmlan("ls", env=without)
            assert "cannot have another one yet" in r.stderr and "libmicrohttpd" in r.stderr, r
        a.guest.sh("ping", "-c", "1", "-W", "20", to)
        assert not is_dead(o["engine"])
        assert "another one now" in vmlan("ls").stderr
        wait_for("all on it", lambda: all(m["connected"] for m in show("lab")["machines"]))
        a.guest.sh("ping", "-c", "1", "-W", "20", to)
    assert names() == []


def test_keeper_of_a_private_network_killed(lan):
    """A machine's own LAN gets another keeper as well, and still ends with its
    machine."""
    with Machine(lan, "a", "-p", "2222:7000", mac="52:54:00:00:00:0a") as a, Server("a"):
        a.guest.dhcp()
        wait_for("its address is told", lambda: show("nat-a")["machines"][0]["addresses"])
        o = kill_keeper("nat-a")
        a.guest.sh("ping", "-c", "1", "-W", "20", INET_IP)
        assert "nat-a was killed; it has another one now" in vmlan("ls").stderr
        assert is_dead(o["engine"])
        wait_for("it is on it", lambda: show("nat-a")["machines"][0]["connected"])
        now = show("nat-a")
        # its kernel takes addresses of IPv6, and speaks from them, when it likes
        known, knows = (x["machines"][0].pop("addresses") for x in (o, now))
        assert {ip for ip in known if ":" not in ip} <= {*knows}
        same = ("name", "mode", "options", "kept", "netdevs", "forwards", "machines", "folder")
        assert {k: now[k] for k in same} == {k: o[k] for k in same}
        wait_for("traffic", lambda: a.guest.sh(
            "ping", "-c", "1", "-W", "1", INET_IP, check=False).returncode == 0)
        with socket.create_connection(("127.0.0.1", 2222), timeout=10) as s:
            s.send(b"x")
            assert s.recv(100) == b"tcp x"
        kill_keeper("nat-a")
        assert names() == ["nat-a"]
    assert names() == [] and networks(RUNDIR / "vmlan") == []


def test_keeper_and_engine_killed(lan):
    with Machine(lan, "a", "--net", "natnet:lab") as a:
        a.guest.dhcp()
        o = kill_keeper("lab")
        try:
            os.kill(o["engine"], signal.SIGKILL)
        except ProcessLookupError:
            pass
        with Machine(lan, "b", "--net", "natnet:lab") as b:
            b.guest.dhcp()
            wait_for("both on it", lambda: [m["connected"] for m in show("lab")["machines"]]
                     == [True, True])
            wait_for("traffic", lambda: b.guest.sh(
                "ping", "-c", "1", "-W", "1", a.guest.ip, check=False).returncode == 0)


def test_keeper_of_a_kept_network_killed(w):
    vmlan("up", "lab", "natnet", "net=10.44.0.0/24")
    o = kill_keeper("lab")
    wait_for("the engine's end", lambda: is_dead(o["engine"]))
    one_netdev(show("lab"), "10.44.0.0/24")
    assert show("lab")["kept"]
    vmlan("down", "lab")


def test_keeper_killed_whom_nobody_needs(lan):
    """Keeper, and then the last machine's VMM: nothing is left to revive."""
    m = Machine(lan, "a", "--net", "natnet:lab")
    o = kill_keeper("lab")
    os.kill(m.proc.pid, signal.SIGKILL)
    m.proc.wait()
    vmm = o["machines"][0]["pid"]
    os.kill(vmm, signal.SIGKILL)
    wait_for("the end of both", lambda: is_dead(o["engine"]) and is_dead(vmm))
    r = vmlan("ls", "--json")
    assert r.stdout == "[]\n" and r.stderr == ""


def test_keeper_killed_at_random(w):
    """While machines come and go: the next command finds it whole or gone."""
    for i in range(10):
        vmlan("up", "-q", "lab")
        ps = [popen(VMLAN, "run", "-q", "--net", "natnet:lab", "--name", n, "--", "sh", "-c",
                    ": {socket}; sleep 0.1", stderr=subprocess.DEVNULL) for n in "abc"]
        time.sleep(0.03 * i)
        kill_keeper("lab")
        for p in ps:
            p.wait(30)
        o = show("lab")
        assert o["mode"] == "natnet" and o["kept"]
        wait_for("machines to leave", lambda: show("lab")["machines"] == [])
        vmlan("down", "lab")
        assert names() == []


def test_machine_leaves_a_running_network(lan):
    vmlan("up", "lab", "natnet")
    with Machine(lan, "a", "--net", "natnet:lab") as a:
        a.guest.dhcp()
        with Machine(lan, "b", "--net", "natnet:lab") as b:
            b.guest.dhcp()
            a.guest.sh("ping", "-c", "1", "-W", "20", b.guest.ip)
        assert [m["name"] for m in show("lab")["machines"]] == ["a"]
        # what was b's is free again, and a goes on
        with Machine(lan, "c", "--net", "natnet:lab") as c:
            assert [m["socket"].rsplit("/", 1)[1] for m in show("lab")["machines"]] == \
                ["vm.sock", "vm-2.sock"]
            c.guest.dhcp()
            a.guest.sh("ping", "-c", "1", "-W", "20", c.guest.ip)
    vmlan("down", "lab")


def test_machine_is_unplugged_by_request(w):
    with Machine(w, "a", "--net", "natnet:lab") as a:
        a.guest.dhcp()
        ask("lab", b"DELETE /v1/machines/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        wait_for("the network's end", lambda: names() == [])
        assert a.guest.sh("ping", "-c", "1", "-W", "1", "10.0.2.2", check=False).returncode


@pytest.mark.qemu
def test_two_real_machines(w):
    """Two QEMUs on one network: different addresses, one gateway."""
    vmlan("up", "lab")
    q = [qemu.Qemu(["--name", n, "--net", "natnet:lab"], qemu.words()) for n in ("one", "two")]
    try:
        wait_for("both on it", lambda: [m["connected"] for m in show("lab")["machines"]]
                 == [True, True], 60)
        assert len({m["mac"] for m in show("lab")["machines"]}) == 2
        leases = {m.until("lease").split("/")[0].split()[0] for m in q}
        assert len(leases) == 2
    finally:
        for m in q:
            m.close()
    vmlan("down", "lab")


# ---- the control socket ----

def test_control_by_curl(w):
    vmlan("up", "lab")
    r = sh("curl", "-s", "--max-time", "20", "--unix-socket", str(RUNDIR / "vmlan/lab/control"),
           "http://vmlan/v1/network")
    assert json.loads(r.stdout)["name"] == "lab"
    vmlan("down", "lab")


@pytest.mark.parametrize("request_line,status", [
    (b"GET /v1/nothing HTTP/1.1", 404), (b"POST /v1/network HTTP/1.1", 405),
    (b"GET /v1/machines/x HTTP/1.1", 405), (b"PUT /v1/machines HTTP/1.1", 405),
    (b"POST /v1/machines HTTP/1.1", 400), (b"PUT /v1/network/kept HTTP/1.1", 400),
    (b"GET /v1/network", 400), (b"\x00\xff", 400)])
def test_control_refuses(request_line, status):
    vmlan("up", "lab", "internal")
    with control("lab") as s:
        s.sendall(request_line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = s.recv(65536)
        # what is no HTTP at all may be answered by closing
        assert answer.startswith(b"HTTP/1.1 %d" % status) or not answer, answer
    assert show("lab")["name"] == "lab"
    vmlan("down", "lab")


def test_control_bounds():
    """Clients that never read, never end or come in crowds hold nobody up."""
    vmlan("up", "lab", "internal")
    mute = control("lab")
    mute.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    mute.sendall(get("/v1/network").replace(b"close", b"keep-alive") * 50)
    half = control("lab")
    half.sendall(b"POST /v1/machines HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    long = b"PUT /v1/network/kept HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" \
        b"Content-Length: 200000\r\n\r\n" + b"x" * 200000
    assert b"too long" in ask("lab", long)
    assert show("lab")["name"] == "lab"
    crowd = [control("lab") for i in range(29)]
    assert show("lab")["name"] == "lab"
    late = [control("lab") for i in range(20)]  # these wait for the first to go
    for s in crowd:
        s.close()
    assert show("lab")["name"] == "lab"
    for s in (mute, half, *late):
        s.close()
    vmlan("down", "lab")


def test_control_attach_refuses():
    vmlan("up", "lab", "internal")

    def post(o):
        body = json.dumps(o).encode()
        return ask("lab", b"POST /v1/machines HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                   b"Content-Length: %d\r\n\r\n" % len(body) + body)
    assert b"there is no process" in post({"name": "a", "pid": 4194303})
    assert b"must be" in post({"name": "../a", "pid": 1})
    assert show("lab")["machines"] == []
    vmlan("down", "lab")


@pytest.mark.root  # another user
def test_control_is_the_owners():
    """Another user gets no word, even where the folder lets him in."""
    vmlan("up", "lab", "internal")
    path = RUNDIR / "vmlan/lab/control"
    for p in (RUNDIR, path.parent.parent, path.parent, path):
        p.chmod(0o777 if p == path else 0o755)
    code = ("import socket,sys; s=socket.socket(socket.AF_UNIX); s.settimeout(20)\n"
            "s.connect(sys.argv[1])\n"
            "try: s.sendall(b'GET /v1/network HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'); print(s.recv(9))\n"
            "except OSError: print(b'')\n")
    r = sh("setpriv", "--reuid=65534", "--clear-groups", PYTHON, "-c", code, str(path))
    assert r.stdout == "b''\n"
    assert show("lab")["name"] == "lab"
    vmlan("down", "lab")


def test_starter_killed_before_the_machine(w):
    """A run that dies at any moment leaves no network behind."""
    for i in range(10):
        p = popen(VMLAN, "run", "-q", "--net", "natnet:lab", "--", "sh", "-c",
                  ": {socket}; exec sleep 100", start_new_session=True)
        time.sleep(0.02 * i)
        os.killpg(p.pid, signal.SIGKILL)
        p.wait()
        wait_for("its end", lambda: names() == [])
