# SPDX-License-Identifier: BSD-3-Clause
"""What only IPv6 has: advertisements, addresses made of them, DHCPv6, and
neighbours who are asked by ICMP."""
import contextlib
import pathlib
import time

import ra
import world
from columns import TWO
from family import IP6
from rows import row
from scene import No, expect

SCRIPT = world.HERE / "lease.sh"
CONF = "/proc/sys/net/ipv6/conf/eth0"


def six(key, title, **more):
    return row(key, title, families=(IP6,), **more)


def until(s, what, why):
    """Waits, with the scene's patience, for something to be there."""
    end = time.monotonic() + max(s.patience, 2)
    while time.monotonic() < end:
        got = what()
        if got:
            return got
        time.sleep(0.02)
    raise No(why)


def advertisement(s):
    sock, index = s.guest.raw(s.f.icmp), s.guest.index("eth0")
    ra.prepare(sock, index)
    return ra.ask(sock, index, s.patience)


def addresses(net, *words):
    return [line.split()[3].split("/")[0] for line in
            net.run("ip", "-6", "-o", "addr", "show", "dev", "eth0", *words).splitlines()]


@contextlib.contextmanager
def without_address(s):
    """A machine that has just come up: its address and its way are to be found."""
    s.guest.ip("route flush default", f"addr del {s.f.guest}/{s.f.bits} dev eth0")
    s.guest.sysctl("net/ipv6/conf/eth0/accept_ra", 2)
    try:
        yield
    finally:
        s.guest.sysctl("net/ipv6/conf/eth0/accept_ra", 0)
        s.guest.run("ip", "-6", "addr", "flush", "dev", "eth0", "scope", "global")
        s.guest.run("ip", "-6", "addr", "flush", "dev", "eth0", "scope", "site")
        s.guest.run("ip", "-6", "route", "flush", "default")
        s.guest.ip(f"addr replace {s.f.guest}/{s.f.bits} dev eth0",
                   f"route replace default via {s.f.gateway}")
        s.guest.settle()


@six("slaac", "An address and a way out by advertisements (SLAAC)", needs="ra",
     group="Services")
def slaac(s):
    with without_address(s):
        advertisement(s)  # its kernel hears what comes of the question
        until(s, lambda: [a for a in addresses(s.guest, "dynamic") if a.startswith(s.f.net)],
              "no address comes")
        until(s, lambda: "proto ra" in s.guest.run("ip", "-6", "route", "show", "default"),
              "no way comes")
        s.guest.settle()
        s.both_ways(*s.connect())


@six("ra-dns", "Advertisements name the name server", needs="ra", group="Services")
def ra_dns(s):
    got = advertisement(s)["dns"]
    expect(got in ([s.f.dns], [s.f.inet]), f"it is {got}")


@six("ra-mtu", "Advertisements tell the MTU", needs="ra", group="Services")
def ra_mtu(s):
    got = advertisement(s).get("mtu")
    expect(got == 1500, f"it is {got}")


@six("dhcp", "A lease by DHCPv6, with a name server", needs="dhcp", group="Services")
def dhcp(s):
    told = pathlib.Path(f"/run/{s.guest.name}.lease6")
    told.unlink(missing_ok=True)
    files = [f"/run/{s.guest.name}.{what}" for what in ("leases", "pid")]
    out = s.guest.run("timeout", str(int(s.patience) + 3), "dhclient", "-6", "-1", "-d",
                      "-sf", str(SCRIPT), "-e", f"LEASE_OUT={told}", "-cf", "/dev/null",
                      "-lf", files[0], "-pf", files[1], "eth0")
    expect(told.exists(), out.strip().split("\n")[-1])
    lease = dict(l.split("=", 1) for l in told.read_text().splitlines())
    expect(lease.get("new_ip6_address", "").startswith(s.f.net) and
           lease.get("new_dhcp6_name_servers") in (s.f.dns, s.f.inet), f"the lease is {lease}")


@contextlib.contextmanager
def asking_first(net):
    """Duplicate addresses are looked for."""
    net.sysctl("net/ipv6/conf/eth0/accept_dad", 1)
    try:
        yield
    finally:
        net.sysctl("net/ipv6/conf/eth0/accept_dad", 0)


def duplicate(s, net, ip):
    with asking_first(net):
        net.ip(f"addr add {ip}/{s.f.bits} dev eth0")
        try:
            until(s, lambda: ip not in addresses(net, "tentative") or
                  ip in addresses(net, "dadfailed"), "it is never known")
            expect(ip in addresses(net, "dadfailed"), "it is said to be free")
        finally:
            net.ip(f"addr del {ip}/{s.f.bits} dev eth0")


@six("dad-gateway", "A guest that takes the gateway's address is told (DAD)")
def dad_gateway(s):
    duplicate(s, s.guest, s.f.gateway)


@six("dad-guest", "A guest that takes another's address is told (DAD)", needs="several", want=TWO)
def dad_guest(s):
    s.other.ip(f"addr replace {s.f.inside(77)}/{s.f.bits} dev eth0")
    s.other.settle()
    duplicate(s, s.guest, s.f.inside(77))


@six("dad-free", "An address that nobody has is free (DAD)")
def dad_free(s):
    ip = s.f.inside(78)
    with asking_first(s.guest):
        s.guest.ip(f"addr add {ip}/{s.f.bits} dev eth0")
        try:
            until(s, lambda: ip not in addresses(s.guest, "tentative"), "it is never known")
            expect(ip not in addresses(s.guest, "dadfailed"), "somebody claims it")
        finally:
            s.guest.ip(f"addr del {ip}/{s.f.bits} dev eth0")


@six("nud", "The gateway confirms that it is there (NUD)")
def nud(s):
    def state():
        return s.guest.run("ip", "-6", "neigh", "show", s.f.gateway, "dev", "eth0")

    s.guest.run("ping", "-n", "-c", "1", "-W", str(s.patience), s.f.gateway)
    found = state().split()
    expect("lladdr" in found, "it is not found at all")
    mac = found[found.index("lladdr") + 1]
    s.guest.ip(f"neigh replace {s.f.gateway} lladdr {mac} dev eth0 nud probe")
    until(s, lambda: "PROBE" not in state(), "it is never known")
    expect("REACHABLE" in state(), "it does not answer")
