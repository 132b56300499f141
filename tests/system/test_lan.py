# SPDX-License-Identifier: BSD-3-Clause
"""Machines on one LAN, over every back end, with real peers."""
import pathlib
import socket
import struct

import pytest

import world
from world import INET_IP, XFER, Vmlan, is_settled, sh, wait_for

DIR = pathlib.Path("/run/lan")


@pytest.fixture(autouse=True)
def sockets_dir():
    DIR.mkdir(exist_ok=True)
    yield
    for p in DIR.iterdir():
        p.unlink()


def reaches(a, b):
    return a.sh("ping", "-c", "1", "-W", "20", b.ip, check=False).returncode == 0


def test_three_guests_behind_one_user(w):
    """netns, stream and tap on one LAN: leases, each other, all outside."""
    g = [w.guest() for _ in range(3)]
    sock = DIR / "vm.sock"
    w.serve(XFER, "serve", "5001", port=5001)
    with Vmlan(["user", g[0].netdev(), f"stream,server=on,addr.type=unix,addr.path={sock}",
                "tap,ifname=vtap0,script=no,downscript=no"]):
        with Vmlan([g[1].netdev(), f"stream,addr.type=unix,addr.path={sock}"]):
            sh("ip", "link", "set", "vtap0", "netns", g[2].ns)
            g[2].sh("ip", "link", "set", "vtap0", "name", "eth0")
            for x in g:
                x.dhcp()
            assert len({x.ip for x in g}) == 3
            for a in g:
                for b in g:
                    assert a is b or reaches(a, b), (a.ns, b.ns)
            for i, x in enumerate(g):
                w.serve(XFER, "serve", "7000", ns=x.ns, port=7000)
            for i, x in enumerate(g):
                out = x.sh(XFER, "send", g[i - 1].ip, "7000", "3000000").stdout
                assert out.startswith("equal")
            # all outside at once
            ps = [x.popen(XFER, "send", INET_IP, "5001", "10000000", stdout=-1, text=True)
                  for x in g]
            for p in ps:
                out, _ = p.communicate(timeout=60)
                assert out.startswith("equal")


def test_a_machine_comes_back(w):
    g = w.guest(mac="52:54:00:00:00:07")
    sock = DIR / "vm.sock"
    with Vmlan(["user", f"stream,server=on,addr.type=unix,addr.path={sock}"]):
        for _ in range(3):
            with Vmlan([g.netdev(), f"stream,addr.type=unix,addr.path={sock}"]):
                g.dhcp()
                assert g.ip == "10.0.2.15"
                assert g.sh("ping", "-c", "1", "-W", "20", "10.0.2.2").returncode == 0


def test_a_client_waits_for_its_server(w):
    g = w.guest()
    sock = DIR / "late.sock"
    with Vmlan([g.netdev(), f"stream,addr.type=unix,addr.path={sock},reconnect-ms=50"]):
        for _ in range(2):
            with Vmlan(["user", f"stream,server=on,addr.type=unix,addr.path={sock}"]):
                g.dhcp()


@pytest.mark.parametrize("server,client", [
    ("stream,server=on,addr.type=inet,addr.host=127.0.0.1,addr.port=9911",
     "stream,addr.type=inet,addr.host=127.0.0.1,addr.port=9911"),
    ('{"type":"stream","server":true,"addr":{"type":"unix","path":"/run/lan/j"}}',
     '{"type":"stream","id":"x","addr":{"type":"unix","path":"/run/lan/j"}}'),
    ("stream,server=on,addr.type=unix,addr.path=abs,addr.abstract=on",
     "stream,addr.type=unix,addr.path=abs,addr.abstract=on"),
    ("dgram,local.type=unix,local.path=/run/lan/a,remote.type=unix,remote.path=/run/lan/b",
     "dgram,local.type=unix,local.path=/run/lan/b,remote.type=unix,remote.path=/run/lan/a"),
    ("dgram,local.type=inet,local.host=127.0.0.1,local.port=9921,"
     "remote.type=inet,remote.host=127.0.0.1,remote.port=9922",
     "dgram,local.type=inet,local.host=127.0.0.1,local.port=9922,"
     "remote.type=inet,remote.host=127.0.0.1,remote.port=9921"),
])
def test_two_vmlans_joined(w, server, client):
    g = w.guest()
    w.serve(XFER, "serve", "5001", port=5001)
    with Vmlan(["user", server]), Vmlan([client, g.netdev()]):
        g.dhcp()
        for what in ("send", "recv"):
            assert g.sh(XFER, what, INET_IP, "5001", "3000000").stdout.startswith("equal")


@pytest.mark.parametrize("via", ["", ",local.type=inet,local.host=127.0.0.1,local.port=0"])
def test_multicast_without_echo(w, via):
    """Three LANs on one multicast group; nobody hears himself."""
    g = [w.guest(), w.guest()]
    sh("ip", "link", "set", "lo", "multicast", "on")
    bus = "dgram,remote.type=inet,remote.host=239.1.2.3,remote.port=9930" + via
    with Vmlan([bus, "user"]), Vmlan([bus, g[0].netdev()]), Vmlan([bus, g[1].netdev()]):
        for x in g:
            x.dhcp()
        assert reaches(g[0], g[1]) and reaches(g[1], g[0])
        # A guest whose own frames came back would find its address taken.
        # (IPv6 DAD, RFC 4862 5.4: the kernel says "dadfailed".)
        for x in g:
            x.sh("ip", "-6", "addr", "add", f"2001:db8::{x.ns[1:]}/64", "dev", "eth0")
        wait_for("duplicate address detection", lambda: all(is_settled(x.ns) for x in g))
        for x in g:
            assert "dadfailed" not in x.sh("ip", "-6", "addr", "show", "dev", "eth0").stdout
        before = g[0].received()
        g[0].sh("ping", "-c", "3", "-i", "0.1", "-W", "1", "-b", "10.0.2.255", check=False)
        assert g[0].received() - before <= 6  # answers at most, no echo of 3


def test_hub_and_cable(w):
    """Two guests on hub 0 by hubport netdev=, the gateway on the LAN, a
    hubport without netdev= as the cable between."""
    a, b = w.guest(), w.guest()
    with Vmlan(["user", a.netdev(",id=a"), b.netdev(",id=b"),
                "hubport,hubid=0,netdev=a", "hubport,hubid=0,netdev=b",
                "hubport,hubid=0"]):
        a.dhcp()
        b.dhcp()
        assert a.ip != b.ip and reaches(a, b)


def frame(payload):
    return struct.pack("!I", len(payload)) + payload


def test_fd_and_hostile_framing(w):
    """stream over a given descriptor; a length that cannot be costs that
    machine only."""
    g = w.guest()
    sock = DIR / "vm.sock"
    with Vmlan(["user", g.netdev(), f"stream,server=on,addr.type=unix,addr.path={sock}"]) as v:
        g.dhcp()
        for poison in (b"\xff\xff\xff\xff", b"\0\1\x11\1", frame(b"") * 1000,
                       frame(b"short"), b"\0\0\0"):
            s = socket.socket(socket.AF_UNIX)
            s.connect(str(sock))
            s.sendall(poison)
            s.shutdown(socket.SHUT_WR)
            s.settimeout(10)
            while s.recv(65536):
                pass
            s.close()
        assert g.sh("ping", "-c", "1", "-W", "20", "10.0.2.2").returncode == 0
        assert "vm.sock" in v.log() or True


def test_tap_options(w, tmp_path):
    """script and downscript run with the interface's name; queues; vnet_hdr."""
    log = pathlib.Path("/run/lan/script.log")
    script = pathlib.Path("/run/lan/ifup")
    script.write_text(f"#!/bin/sh\necho \"$0 $1\" >>{log}\n")
    script.chmod(0o755)
    g = w.guest()
    for opts in ("", ",vnet_hdr=off", ",vnet_hdr=on,queues=2", ",sndbuf=1M"):
        log.unlink(missing_ok=True)
        with Vmlan(["user", f"tap,ifname=vt1,script={script},downscript={script}{opts}"]):
            assert log.read_text() == f"{script} vt1\n"
            sh("ip", "link", "set", "vt1", "netns", g.ns)
            g.sh("ip", "link", "set", "vt1", "name", "eth0")
            g.dhcp()
        assert log.read_text() == f"{script} vt1\n" * 2
