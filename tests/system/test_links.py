# SPDX-License-Identifier: BSD-3-Clause
"""Each form of QEMU's socket, stream and dgram between QEMU and vmlan, both
sides in both roles.

    g0 -- vmlan A ==form== hub in a QEMU without a machine ==form== vmlan B -- user

A QEMU of -machine none has no guest, but its hub carries frames between its
netdevs: A's guest gets its lease through it, and bytes both ways.  Multicast
is another matter: QEMU hears itself there and would repeat what it hears for
ever; a real machine stands in, its firmware asking for a lease.
"""
import contextlib
import pathlib
import socket
import subprocess

import pytest
import pxe
import world
from world import INET_IP, XFER, Vmlan, is_settled, sh, wait_for

DIR = pathlib.Path("/run/links")

# QEMU's form, ours; {n} is 1 for A's link and 2 for B's.
FORMS = {
    "socket-listen": ("socket,listen=127.0.0.1:1410{n}",
                      "socket,connect=127.0.0.1:1410{n},reconnect-ms=50"),
    "socket-listen-any": ("socket,listen=:1411{n}",
                          "socket,connect=localhost:1411{n},reconnect-ms=50"),
    "socket-connect": ("socket,connect=127.0.0.1:1412{n}", "socket,listen=127.0.0.1:1412{n}"),
    "socket-connect-max": ("socket,connect=localhost:1413{n}", "socket,listen=:1413{n},max=1"),
    "socket-udp": ("socket,udp=127.0.0.1:1414{n},localaddr=127.0.0.1:1415{n}",
                   "socket,udp=127.0.0.1:1415{n},localaddr=127.0.0.1:1414{n}"),
    "socket-to-stream": ("socket,connect=127.0.0.1:1416{n}",
                         "stream,server=on,addr.type=inet,addr.host=127.0.0.1,"
                         "addr.port=1416{n}"),
    "stream-to-socket": ("stream,addr.type=inet,addr.host=127.0.0.1,addr.port=1417{n}",
                         "socket,listen=127.0.0.1:1417{n}"),
    "socket-udp-to-dgram": ("socket,udp=127.0.0.1:1418{n},localaddr=127.0.0.1:1419{n}",
                            "dgram,local.type=inet,local.host=127.0.0.1,local.port=1418{n},"
                            "remote.type=inet,remote.host=127.0.0.1,remote.port=1419{n}"),
    "stream-server": ("stream,server=on,addr.type=inet,addr.host=127.0.0.1,addr.port=1420{n}",
                      "stream,addr.type=inet,addr.host=127.0.0.1,addr.port=1420{n},"
                      "reconnect-ms=50"),
    "stream-client": ("stream,addr.type=inet,addr.host=127.0.0.1,addr.port=1421{n}",
                      "stream,server=on,addr.type=inet,addr.host=127.0.0.1,addr.port=1421{n}"),
    "stream-unix-server": ("stream,server=on,addr.type=unix,addr.path=/run/links/s{n}",
                           "stream,addr.type=unix,addr.path=/run/links/s{n},reconnect-ms=50"),
    "stream-unix-client": ("stream,addr.type=unix,addr.path=/run/links/c{n}",
                           "stream,server=on,addr.type=unix,addr.path=/run/links/c{n}"),
    "dgram-inet": ("dgram,local.type=inet,local.host=127.0.0.1,local.port=1422{n},"
                   "remote.type=inet,remote.host=127.0.0.1,remote.port=1423{n}",
                   "dgram,local.type=inet,local.host=127.0.0.1,local.port=1423{n},"
                   "remote.type=inet,remote.host=127.0.0.1,remote.port=1422{n}"),
    "dgram-unix": ("dgram,local.type=unix,local.path=/run/links/q{n},"
                   "remote.type=unix,remote.path=/run/links/v{n}",
                   "dgram,local.type=unix,local.path=/run/links/v{n},"
                   "remote.type=unix,remote.path=/run/links/q{n}"),
}
# Descriptors: {fd} is one end of a pair of this type.
FD_FORMS = {
    "socket-fd-stream": ("socket,fd={fd}", "socket,fd={fd}", socket.SOCK_STREAM),
    "socket-fd-dgram": ("socket,fd={fd}", "socket,fd={fd}", socket.SOCK_DGRAM),
    "stream-fd": ("stream,addr.type=fd,addr.str={fd}", "stream,addr.type=fd,addr.str={fd}",
                  socket.SOCK_STREAM),
    "dgram-fd": ("dgram,local.type=fd,local.str={fd}", "dgram,local.type=fd,local.str={fd}",
                 socket.SOCK_DGRAM),
}


@pytest.fixture(autouse=True)
def sockets_dir():
    DIR.mkdir(exist_ok=True)
    yield
    for p in DIR.iterdir():
        p.unlink()


@contextlib.contextmanager
def hub(*netdevs, fds=()):
    """A QEMU with these netdevs on a hub and no machine; it runs when its
    monitor answers."""
    words = []
    for i, n in enumerate(netdevs):
        kind, rest = n.split(",", 1)
        words += ["-netdev", f"{kind},id=n{i},{rest}",
                  "-netdev", f"hubport,hubid=1,id=h{i},netdev=n{i}"]
    p = subprocess.Popen(["qemu-system-x86_64", "-machine", "none", "-nodefaults",
                          "-display", "none", "-monitor", "stdio", *words],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, pass_fds=fds)
    try:
        yield p
    finally:
        p.kill()
        p.wait()
        p.stdout.close()
        p.stdin.close()


def carry(w, guest):
    w.serve(XFER, "serve", "5001", port=5001)
    guest.dhcp()
    assert guest.ip == "10.0.2.15"
    for what in ("send", "recv"):
        assert guest.sh(XFER, what, INET_IP, "5001", "3000000").stdout.startswith("equal")


@pytest.mark.parametrize("form", FORMS)
def test_form(w, form):
    g = w.guest()
    theirs, ours = FORMS[form]
    with Vmlan([g.netdev(), ours.format(n=1)]), Vmlan(["user", ours.format(n=2)]), \
            hub(theirs.format(n=1), theirs.format(n=2)):
        carry(w, g)


@pytest.mark.parametrize("form", FD_FORMS)
def test_descriptor(w, form):
    g = w.guest()
    theirs, ours, kind = FD_FORMS[form]
    a, b = socket.socketpair(socket.AF_UNIX, kind), socket.socketpair(socket.AF_UNIX, kind)
    us, them = (a[0].fileno(), b[0].fileno()), (a[1].fileno(), b[1].fileno())
    with Vmlan([g.netdev(), ours.format(fd=us[0])], fds=us[:1]), \
            Vmlan(["user", ours.format(fd=us[1])], fds=us[1:]), \
            hub(*(theirs.format(fd=f) for f in them), fds=them):
        for s in a + b:
            s.close()
        carry(w, g)


def test_listening_descriptor(w):
    """socket,fd= of a listener is a server of many machines."""
    g = [w.guest(), w.guest()]
    with socket.create_server(("127.0.0.1", 0)) as s:
        to = f"socket,connect=127.0.0.1:{s.getsockname()[1]}"
        with Vmlan(["user", f"socket,fd={s.fileno()}"], fds=(s.fileno(),)), \
                Vmlan([g[0].netdev(), to]), Vmlan([g[1].netdev(), to]):
            for x in g:
                x.dhcp()
            assert {x.ip for x in g} == {"10.0.2.15", "10.0.2.16"}


@pytest.mark.qemu
@pytest.mark.parametrize("theirs,ours", [
    ("socket,id=n,mcast=239.1.2.4:14300", "socket,mcast=239.1.2.4:14300"),
    *([] if not world.FULL else [
        ("socket,id=n,mcast=239.1.2.4:14301,localaddr=127.0.0.1",
         "socket,mcast=239.1.2.4:14301,localaddr=127.0.0.1"),
        ("dgram,id=n,remote.type=inet,remote.host=239.1.2.4,remote.port=14302",
         "socket,mcast=239.1.2.4:14302"),
        ("dgram,id=n,remote.type=inet,remote.host=239.1.2.4,remote.port=14303",
         "dgram,remote.type=inet,remote.host=239.1.2.4,remote.port=14303"),
        ("socket,id=n,mcast=239.1.2.4:14304",
         "dgram,remote.type=inet,remote.host=239.1.2.4,remote.port=14304")]),
])
def test_multicast(w, theirs, ours):
    """A QEMU and two vmlans on one group."""
    sh("ip", "link", "set", "lo", "multicast", "on")
    g = w.guest(mac="52:54:00:00:00:99")
    with Vmlan(["user", ours]), Vmlan([g.netdev(), ours]), \
            pxe.Pxe(["-netdev", theirs, "-device", "virtio-net-pci,netdev=n"]) as vm:
        g.dhcp()
        assert vm.lease() != g.ip


def test_descriptor_of_a_group(w):
    """socket,fd= of a group's socket: made anew, for a shared one would lose
    datagrams to its other holders; nobody hears himself."""
    sh("ip", "link", "set", "lo", "multicast", "on")
    g = [w.guest(), w.guest()]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        s.bind(("239.1.2.5", 14310))
        fd = s.fileno()
        with Vmlan(["user", "socket,mcast=239.1.2.5:14310"]), \
                Vmlan([g[0].netdev(), f"socket,fd={fd}"], fds=(fd,)), \
                Vmlan([g[1].netdev(), f"socket,fd={fd}"], fds=(fd,)):
            for x in g:
                x.dhcp()
                x.sh("ip", "-6", "addr", "add", f"2001:db8::{x.ns[1:]}/64", "dev", "eth0")
            assert g[0].ip != g[1].ip
            wait_for("duplicate address detection", lambda: all(is_settled(x.ns) for x in g))
            for x in g:
                assert "dadfailed" not in x.sh("ip", "-6", "addr", "show", "dev", "eth0").stdout


def test_a_client_that_finds_nobody(w):
    r = sh(world.VMLAN, "join", "user", "socket,connect=127.0.0.1:14399", check=False)
    assert r.returncode == 1 and "reconnect-ms=" in r.stderr, r.stderr


if world.FULL:  # half a minute of firmware
    @pytest.mark.long
    def test_net_is_hub_0(w):
        """-net lands on hub 0, which -net nic joins to the LAN; a stranger's QEMU
        with -net finds the others there."""
        g = w.guest()
        to = "127.0.0.1:14401"
        with Vmlan(["-net", "nic,model=e1000", "-net", "user", "--net", f"socket,listen={to}",
                    "-netdev", g.netdev()]) as v, \
                pxe.Pxe(["-net", "nic,model=e1000", "-net", f"socket,connect={to}"]) as vm:
            g.dhcp()
            assert {g.ip, vm.lease()} == {"10.0.2.15", "10.0.2.16"}
            assert "hub 0 with no nics" not in v.log()
        # without the cable the LAN is another
        with Vmlan(["-net", "user", "-net", f"socket,listen={to}", g.netdev()]) as v, \
                pxe.Pxe(["-nic", f"socket,model=e1000,connect={to}"]) as vm:
            assert vm.lease() == "10.0.2.15"
            assert g.received() == 0
            assert "hub 0 with no nics" in v.log()


@pytest.mark.qemu
def test_nic_is_on_the_lan(w):
    g = w.guest()
    to = "127.0.0.1:14402"
    with Vmlan(["-nic", "user,model=e1000,mac=52:54:00:00:00:01,hostname=vm",
                "-nic", f"socket,listen={to}", "-nic", "none", g.netdev()]), \
            pxe.Pxe(["-nic", f"socket,model=e1000,connect={to}"]) as vm:
        g.dhcp()
        assert {g.ip, vm.lease()} == {"10.0.2.15", "10.0.2.16"}


@pytest.mark.qemu
@pytest.mark.parametrize("options,card", [
    (["-nic", "user,model=e1000,mac=52:54:00:00:00:0a"], "52:54:00:00:00:0a using 82540em"),
    (["-net", "nic,model=rtl8139,macaddr=52:54:00:00:00:0b,addr=7", "-net", "user"],
     "52:54:00:00:00:0b using rtl8139 on 0000:00:07.0"),
    *([] if not world.FULL else [
        (["--nic", "user,net=10.0.2.0/24"], "using virtio-net")]),
])
def test_run_takes_them(w, options, card):
    with pxe.Pxe([], run=options) as vm:
        assert vm.lease() == "10.0.2.15"
        assert card in vm.text()


if world.FULL:  # half a minute of firmware
    @pytest.mark.long
    def test_run_on_a_socket(w):
        """The machine's LAN is what -net says; no gateway of its own."""
        to = "127.0.0.1:14403"
        with Vmlan(["user,net=10.0.2.0/24,dhcpstart=10.0.2.44", f"socket,listen={to}"]), \
                pxe.Pxe([], run=["-net", "nic", "-net", f"socket,connect={to}"]) as vm:
            assert vm.lease() == "10.0.2.44"


@pytest.mark.qemu
def test_run_forwards_by_nic(w):
    """-p and hostfwd= go to the same netdev."""
    with pxe.Pxe([], run=["-p", "14404:22", "-nic", "user,model=e1000,"
                          "hostfwd=tcp:127.0.0.1:14405-:23"]) as vm:
        vm.lease()
        bound = sh("ss", "-Hltn").stdout
        assert "127.0.0.1:14404 " in bound and "127.0.0.1:14405 " in bound


@pytest.mark.parametrize("option", ["-nic", "-net"])
def test_run_none(w, option):
    """No keeper, so nothing is put in {socket}'s place."""
    r = sh(world.VMLAN, "run", option, "none", "--", "echo", "{socket}")
    assert r.stdout == "{socket}\n"
