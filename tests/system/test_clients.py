# SPDX-License-Identifier: BSD-3-Clause
"""What real clients do with both families beyond their first lease (test_ip6.py
has that): renewals, what is declined and given back, prefixes, boot programs of
other cards; and which family a machine's own resolver prefers.

        host  :  user   g0  10.0.2.0/24; fec0::/64, or a ULA
"""
import errno
import pathlib
import re
import signal

import pytest

import clients6
import pxe
import world
from test_ip6 import DNS, LINK, NET, SEARCH, USER, agents, net, place, vmlan  # noqa: F401
from world import HERE, WEB_IP, WEB_IP6, js, wait_for

MAN = HERE.parent.parent / "man" / "vmlan.1.scd"
CONF = pathlib.Path("/run/dhclient4.conf")
ALL4 = ("subnet-mask, broadcast-address, routers, domain-name, domain-name-servers, "
        "domain-search, host-name, interface-mtu")


def test_dhclient_of_ip4(net):
    _, g, _ = net
    CONF.write_text(f"timeout 20;\nrequest {ALL4};\n")
    out = pathlib.Path(f"/run/{g.ns}.dhclient4")
    g.sh("dhclient", "-4", "-1", "-v", "-sf", clients6.SCRIPT, "-e", f"LEASE_OUT={out}", "-cf",
         str(CONF), "-lf", "/run/dhclient4.leases", "-pf", "/run/dhclient4.pid", "eth0")
    lease = clients6.read(out)
    want = {"ip_address": "10.0.2.15", "subnet_mask": "255.255.255.0",
            "broadcast_address": "10.0.2.255", "routers": "10.0.2.2",
            "domain_name": "dom.test", "domain_name_servers": "10.0.2.3",
            "interface_mtu": "1400", "dhcp_lease_time": "86400",
            "dhcp_server_identifier": "10.0.2.2"}
    assert {k: lease.get("new_" + k) for k in want} == want
    assert clients6.words(lease["new_domain_search"]) == ["a.test", "b.a.test"]
    g.sh("dhclient", "-4", "-r", "-sf", "/bin/true", "-lf", "/run/dhclient4.leases", "-pf",
         "/run/dhclient4.pid", "eth0")


def reasons(out):
    return re.findall(r"^reason=(\S+)", out.read_text(), re.M) if out.exists() else []


def test_dhcpcd_renews_and_rebinds(net):
    """Both families, each by its own words; the addresses stay."""
    _, g, _ = net
    g.sh("ip", "link", "set", "eth0", "up")
    daemon, out = clients6.dhcpcd(g)
    with daemon:
        wait_for("leases", lambda: {"BOUND", "BOUND6"} <= set(reasons(out)), 40)
        had = clients6.dhcpcd_told(out)
        for sig, want in ((signal.SIGUSR1, {"RENEW", "RENEW6"}),
                          (signal.SIGHUP, {"REBOOT6", "REBIND6", "BOUND6", "RENEW6"})):
            before = len(reasons(out))
            daemon.proc.send_signal(sig)
            wait_for(f"{want}", lambda: want & set(reasons(out)[before:]), 40)
        now = clients6.dhcpcd_told(out)
        for k in ("new_dhcp6_ia_na1_ia_addr1", "new_ip_address"):
            assert now[k] == had[k]


def test_a_prefix_is_refused_and_an_address_given(net):
    _, g, _ = net
    assert clients6.dhclient(g, "-N", "-P")["address"].startswith(NET)
    clients6.dhclient_end(g)


@pytest.mark.qemu
@pytest.mark.parametrize("card", ["e1000", "rtl8139", "virtio-net-pci"])
def test_ipxe_is_told(place, card):
    """By the boot program's own shell: all that it asks for, by both families."""
    sock = "/run/ipxe.sock"
    with vmlan(USER, f"stream,server=on,addr.type=unix,addr.path={sock}"), \
            pxe.Pxe(["-netdev", f"stream,id=n,addr.type=unix,addr.path={sock}", "-device",
                     f"{card},netdev=n"], has_keys=True) as vm:
        vm.until("Ctrl-B for the iPXE")
        vm.type("\x02")
        vm.until("iPXE> $")
        assert " ok\n" in vm.ask("dhcp net0")
        routes = vm.ask("route")
        assert "net0: 10.0.2.15/255.255.255.0 gw 10.0.2.2\n" in routes
        assert f"net0: {NET}f/64 gw {LINK}\n" in routes
        for what, told in (("dhcp/dns", "10.0.2.3"), ("dhcp/domain", "dom.test"),
                           ("dhcp/mtu", "1400"), ("dhcpv6/dns6", DNS),
                           ("dhcpv6/dnssl", "a.test b.a.test dom.test")):
            assert f" = {told}\n" in vm.ask(f"show net0.{what}")


# ---- which family is first ----

ORDER = """
import socket
print(*[a[4][0] for a in socket.getaddrinfo("both.x", 80, type=socket.SOCK_STREAM)])
"""
# The machine's own files, in a mount namespace of this program.
ASK = """
mount --bind /run/resolv-gai.conf /etc/resolv.conf && mount --bind /run/nss.conf \\
    /etc/nsswitch.conf && mount --bind "$1" /etc/gai.conf && exec /usr/bin/python3 -c "$2"
"""


def labels():
    """What the manual tells to write down."""
    return re.findall(r"^\t?(label \S+ \d+)", MAN.read_text(), re.M)


@pytest.mark.skipif(not pathlib.Path("/etc/gai.conf").exists(), reason="no gai.conf")
@pytest.mark.parametrize("prefix, first", [("fd00:1:2:3::", (4, 6)), ("fec0::", (4, 4)),
                                           ("2001:db8:77:1::", (6, 6))])
def test_the_family_of_names(place, prefix, first):
    """By glibc as it is, and as vmlan(1) says to tell it."""
    g = place.guest()
    pathlib.Path("/run/resolv-gai.conf").write_text("nameserver 10.0.2.3\n")
    pathlib.Path("/run/nss.conf").write_text("hosts: dns\n")
    files = [pathlib.Path("/run/gai.none"), pathlib.Path("/run/gai.conf")]
    files[0].write_text("")
    files[1].write_text("\n".join(labels()) + "\n")
    assert len(labels()) == 8
    with vmlan(f"{USER},ipv6-net={prefix}/64", g.netdev()):
        clients6.slaac(g)
        g.dhcp()
        for file, family in zip(files, first):
            got = g.sh("unshare", "--mount", "sh", "-c", ASK, "sh", str(file), ORDER).stdout.split()
            assert got == [WEB_IP, WEB_IP6][::1 if family == 4 else -1], (file, got)


def test_a_client_of_the_link_is_refused(place, agents):
    """By what it had sent, to the address that it had asked."""
    g = place.guest()
    own = next(a["local"] for l in js("-6", "addr", "show", "dev", "up0", "scope", "link")
               for a in l.get("addr_info", []) if "local" in a)
    with vmlan("user,hostfwd=udp:[::]:2223-[fec0::f]:23", g.netdev()):
        g.sh("ip", "link", "set", "eth0", "up")
        g.sh("ip", "addr", "add", "fec0::f/64", "dev", "eth0", "nodad")
        a = agents("inet")
        a.do("s = socket(AF_INET6, SOCK_DGRAM); s.settimeout(1)")
        a.do(f"s.connect(({own!r}, 2223, 0, if_nametoindex('eth0')))")

        def is_told():
            a.ask("s.send(b'x')")
            return a.ask("s.recv(9)") == ("os", errno.ECONNREFUSED)

        wait_for("a refusal", is_told, 20)
