# SPDX-License-Identifier: BSD-3-Clause
"""Machines with one MAC on one LAN: each gets a lease, both work, one line
says what to do.

        inet -- host: vmlan join user stream,server=on
                        |  stream          |  stream
                      g0 52:54:00:12:34:56   g1, the same
"""
import json
import pathlib
import re
import socket

import pytest
import clients6
import pxe
import qemu
from world import INET_IP, WEB_IP, XFER, Vmlan, sysctl, wait_for

# What QEMU gives to every machine that is told no other.
MAC = "52:54:00:12:34:56"
SOCK = "/run/mac.sock"
SERVER = f"stream,server=on,addr.type=unix,addr.path={SOCK}"
CLIENT = f"stream,addr.type=unix,addr.path={SOCK}"
WARNING = re.compile(rf"(\S+) and (\S+) use the same MAC {MAC}; the second goes by "
                     r"(0e:76:\S+) here; give it its own \(mac=\)")


@pytest.fixture(autouse=True)
def no_old_socket():
    yield
    pathlib.Path(SOCK).unlink(missing_ok=True)


def warned(vmlan):
    """The warning's two ports and the second one's other name; once said."""
    said = WARNING.findall(vmlan.log())
    assert len(said) == 1, vmlan.log()
    assert said[0][0] != said[0][1]
    assert vmlan.log().count("same MAC") == 1, vmlan.log()
    return said[0]


def pings(a, ip):
    return a.sh("ping", "-c", "2", "-i", "0.2", "-W", "20", ip, check=False).returncode == 0


def neighbour(g, ip):
    m = re.search(r"lladdr (\S+)", g.sh("ip", "neigh", "show", ip, "dev", g.ifname).stdout)
    return m and m.group(1)


def hush(g):
    """It says nothing of its own accord. (What one machine floods before the
    other's first word would let the other's own vmlan find out first.)"""
    g.sh("sysctl", "-qw", f"net.ipv6.conf.{g.ifname}.disable_ipv6=1")


def both_send_outside(w, guests):
    w.serve(XFER, "serve", "5001", port=5001)
    for what in ("send", "recv"):
        ps = [x.popen(XFER, what, INET_IP, "5001", "20000000", stdout=-1, text=True)
              for x in guests]
        for p in ps:
            out, _ = p.communicate(timeout=60)
            assert out.startswith("equal")


def test_two_guests_with_one_mac(w):
    a, b = w.guest(mac=MAC), w.guest(mac=MAC)
    with Vmlan(["user", SERVER]) as v, Vmlan([a.netdev(), CLIENT]) as va:
        hush(a)
        a.dhcp()
        with Vmlan([b.netdev(), CLIENT]) as vb:
            b.dhcp()
            assert {a.ip, b.ip} == {"10.0.2.15", "10.0.2.16"}
            alias = warned(v)[2]
            assert pings(a, b.ip) and pings(b, a.ip)
            # Neither sees its own address as the other's.
            assert neighbour(a, b.ip) == neighbour(b, a.ip) == alias
            both_send_outside(w, [a, b])
            for x, y in ((a, b), (b, a)):
                server = w.serve(XFER, "serve", "7000", ns=y.ns, port=7000)
                out = x.sh(XFER, "send", y.ip, "7000", "3000000").stdout
                assert out.startswith("equal")
                server.kill()
            warned(v)
            for inner in (va, vb):
                assert "same MAC" not in inner.log()


def test_the_lease_is_kept(w):
    """Asked again, renewed by a client anew, and after the second machine has
    been away."""
    a, b = w.guest(mac=MAC), w.guest(mac=MAC)
    with Vmlan(["user", SERVER]), Vmlan([a.netdev(), CLIENT]):
        hush(a)
        a.dhcp()
        for _ in range(2):
            with Vmlan([b.netdev(), CLIENT]):
                b.dhcp()
                assert (a.ip, b.ip) == ("10.0.2.15", "10.0.2.16")
                a.dhcp()
                assert a.ip == "10.0.2.15"
                assert pings(a, b.ip) and pings(b, "10.0.2.2")
        assert pings(a, "10.0.2.2")


def test_leases_of_ip6(w):
    """By DUIDs that are made of the MAC, as those of many clients are."""
    a, b = w.guest(mac=MAC), w.guest(mac=MAC)
    for g in (a, b):  # addresses of the link that are not made of it
        sysctl(g.ns, "net/ipv6/conf/default/addr_gen_mode", 3)
    with Vmlan(["user,domainname=dom.test", a.netdev(), b.netdev()]) as v:
        got = {clients6.dhclient(g, "-D", "LL")["address"] for g in (a, b)}
        assert got == {"fec0::f", "fec0::10"}
        assert v.log().count("same MAC") == 1
        for g in (a, b):
            clients6.dhclient_end(g, "-x")


def test_without_dhcp(w):
    """Addresses set by hand: the switch finds out when both have spoken."""
    a, b = w.guest(mac=MAC), w.guest(mac=MAC)
    with Vmlan(["user", a.netdev(), b.netdev()]) as v:
        for g, ip in ((a, "10.0.2.100"), (b, "10.0.2.101")):
            hush(g)
            g.static(ip)

        def all_works():
            return (pings(a, "10.0.2.2") and pings(b, "10.0.2.2") and
                    pings(a, b.ip) and pings(b, a.ip))

        wait_for("both work", all_works, 60)
        both_send_outside(w, [a, b])
        warned(v)


@pytest.mark.qemu
def test_qemu_default_mac(w):
    """Two machines of QEMU's own making, which nobody gave a MAC: their
    firmware gets both a lease."""
    net = ["-netdev", f"stream,id=n0,addr.type=unix,addr.path={SOCK}",
           "-device", "virtio-net-pci,netdev=n0"]
    with Vmlan(["user", SERVER]) as v:
        with pxe.Pxe(net) as a:
            first = a.lease()
            with pxe.Pxe(net) as b:
                assert {first, b.lease()} == {"10.0.2.15", "10.0.2.16"}
                for x in (a, b):
                    assert MAC in x.text()
                warned(v)


def ask(port):
    """What the machine behind this forwarded port has to say."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as s:
        s.sendall(b"hello\n")
        s.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: s.recv(4096), b"")).decode()


@pytest.mark.qemu
def test_linux_with_qemu_default_mac(w):
    """The same with Linux: both get a lease, fetch a page, and are reached,
    each while the other runs."""
    w.python("web_server.py", "a page", port=80)
    net = ("-netdev", f"stream,id=n0,addr.type=unix,addr.path={SOCK}",
           "-device", "virtio-net-pci,netdev=n0")
    words = qemu.words(ping="10.0.2.2", page=f"http://{WEB_IP}/", port=22)
    forwards = "".join(f",hostfwd=tcp:127.0.0.1:{p}-10.0.2.{p - 9000}:22" for p in (9015, 9016))
    vms = []
    with Vmlan([f"user{forwards}", SERVER]) as v:
        try:
            vms = [qemu.Qemu(None, words, more=net) for _ in range(2)]
            ports = set()
            for vm in vms:
                assert vm.until("mac") == MAC
                ports.add(9000 + int(re.match(r"10\.0\.2\.(\d+)/24", vm.until("lease"))[1]))
                assert vm.until("page").endswith("a page")
                assert "answered 3 of 3" in vm.until("ping")
                assert vm.until("port") == "22 waits"
            assert ports == {9015, 9016}
            for port in ports:
                assert ask(port).startswith("hello from Linux")
            for vm in vms:
                assert vm.until("port") == "22 heard: hello"
                assert vm.rest() == 0
            warned(v)
        finally:
            for vm in vms:
                vm.close()
                print(vm.text)


class Qmp:
    """QEMU's own control socket."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        wait_for("QEMU's control socket", lambda: self.sock.connect_ex(path) == 0)
        self.file = self.sock.makefile("rw")
        self.file.readline()  # greeting
        self.ask("qmp_capabilities")

    def ask(self, what, **words):
        self.file.write(json.dumps({"execute": what, "arguments": words}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "event" not in answer:
                return answer["return"]

    def migrate(self, uri):
        self.ask("migrate", uri=uri)
        wait_for("the end of the migration",
                 lambda: self.ask("query-migrate").get("status") == "completed", 60)


@pytest.mark.qemu
def test_a_migrated_machine_is_the_same(w):
    """It moves from one QEMU to another, both of which stay connected: its
    MAC and its address are where it is, and nobody is warned."""
    def machine(name, *more):
        return qemu.Qemu(None, qemu.words(port=22), more=(
            "-netdev", f"stream,id=n0,addr.type=unix,addr.path={SOCK}",
            "-device", "virtio-net-pci,netdev=n0",
            "-qmp", f"unix:/run/mac.{name},server=on,wait=off", *more))

    vms = []
    with Vmlan(["user,hostfwd=tcp:127.0.0.1:9015-10.0.2.15:22", SERVER]) as v:
        try:
            vms.append(machine("from"))
            assert vms[0].until("port") == "22 waits"
            vms.append(machine("to", "-incoming", "unix:/run/mac.way"))
            wait_for("who takes it in", pathlib.Path("/run/mac.way").exists)
            Qmp("/run/mac.from").migrate("unix:/run/mac.way")
            assert ask(9015).startswith("hello from Linux")
            assert vms[1].until("port") == "22 heard: hello"
            assert vms[1].rest() == 0
            assert "same MAC" not in v.log()
        finally:
            for vm in vms:
                vm.close()
                print(vm.text)
            for name in ("from", "to", "way"):
                pathlib.Path(f"/run/mac.{name}").unlink(missing_ok=True)
