# SPDX-License-Identifier: BSD-3-Clause
"""Mode internal against a guest that tries.

        a (tries), b      machines of internal:in
        host              up0, vm-lab of a hostonly network, and br0
        inet

a sends all it can think of; b is there to show that it was sent. None of it
may come by on any interface of the host's, and nobody but b may answer.
"""
import contextlib

import pytest

from test_modes import Machine, names, rundir, vmlan  # noqa: F401
from test_uplink import mac_of
from world import HOST_IP, INET_IP, process, sh

PYTHON = "/usr/bin/python3"
MARK = "tries-to-get-out"

# A line for each frame that carries the mark, on all interfaces of the
# namespace, until it is ended; "end" for the last one.
EAR = f"""
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
print("ready", flush=True)
while True:
    f, a = s.recvfrom(65535)
    if b"{MARK}" in f:
        print(a[0], f[12:14].hex(), f.split(b"{MARK}")[1][:40].rstrip(b"\\0").decode(), flush=True)
"""

# Sends all, then asks who has the IP of b; prints the MACs of all whose
# frames came meanwhile.
TRY = f"""
import socket, struct, sys
from scapy.all import (ARP, BOOTP, DHCP, Dot1Q, Ether, ICMP, ICMPv6EchoRequest,
                       ICMPv6ND_NS, ICMPv6ND_RS, IP, IPv6, Raw, TCP, UDP)
mine, b_ip, b_mac, host_mac, ips, lls = sys.argv[1:7]
ips, lls = ips.split(), lls.split()
ALL, NOBODY = "ff:ff:ff:ff:ff:ff", "52:54:00:99:99:99"
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
s.bind(("eth0", 0))
n = 0

def send(what, f):
    global n
    n += 1
    s.send((bytes(f) + ("{MARK} " + what).encode()).ljust(60, b"\\0"))

macs = dict(own=mine, hosts=host_mac, nobodys=NOBODY)
tags = dict(untagged=lambda f: f, vlan0=lambda f: Ether(src=f.src, dst=f.dst) / Dot1Q(vlan=0) / f.payload,
            vlan1=lambda f: Ether(src=f.src, dst=f.dst) / Dot1Q(vlan=1) / f.payload,
            vlan42=lambda f: Ether(src=f.src, dst=f.dst) / Dot1Q(vlan=42) / f.payload,
            twice=lambda f: Ether(src=f.src, dst=f.dst) / Dot1Q(vlan=1) / Dot1Q(vlan=1) / f.payload)
for whose, src in macs.items():
    for tag, put in tags.items():
        for to in (ALL, host_mac):
            e = Ether(src=src, dst=to)
            name = f"{{whose}} {{tag}}"
            for ip in ips:
                send(f"{{name}} arp", put(e / ARP(hwsrc=src, psrc="10.0.2.15", pdst=ip)))
                for me in ("10.0.2.15", ips[0], "127.0.0.1", b_ip):
                    send(f"{{name}} ping", put(e / IP(src=me, dst=ip) / ICMP()))
                send(f"{{name}} tcp", put(e / IP(src="10.0.2.15", dst=ip) / TCP(dport=7000, flags="S")))
                send(f"{{name}} udp", put(e / IP(src="10.0.2.15", dst=ip) / UDP(dport=7001)))
            send(f"{{name}} gratuitous", put(e / ARP(op=2, hwsrc=src, psrc=ips[0], pdst=ips[0])))
            send(f"{{name}} dhcp", put(e / IP(src="0.0.0.0", dst="255.255.255.255") /
                 UDP(sport=68, dport=67) / BOOTP(chaddr=bytes.fromhex(src.replace(":", "")), flags=0x8000) /
                 DHCP(options=[("message-type", "discover"), "end"])))
            for ll in lls:
                six = IPv6(src="fe80::1234", dst=ll)
                send(f"{{name}} nd", put(e / six / ICMPv6ND_NS(tgt=ll)))
                send(f"{{name}} ping6", put(e / six / ICMPv6EchoRequest()))
                send(f"{{name}} tcp6", put(e / six / TCP(dport=7000, flags="S")))
            six = IPv6(src="fe80::1234", dst="ff02::1", hlim=255)
            send(f"{{name}} all6", put(e / six / ICMPv6EchoRequest()))
            send(f"{{name}} rs", put(e / IPv6(src="fe80::1234", dst="ff02::2", hlim=255) / ICMPv6ND_RS()))
            send(f"{{name}} dhcp6", put(e / IPv6(src="fe80::1234", dst="ff02::1:2") /
                 UDP(sport=546, dport=547) / Raw(bytes([1, 0, 0, 1]))))
    for to in ("01:80:c2:00:00:00", "01:80:c2:00:00:0e", "01:80:c2:00:00:03", "33:33:00:00:00:01"):
        send(f"{{whose}} link", Ether(src=src, dst=to, type=0x88b5) / Raw(b""))
# Whoever answers has answered when the last one is answered.
last = bytes(Ether(src=mine, dst=b_mac) / ARP(hwsrc=mine, psrc="10.0.2.15", pdst=b_ip))
s.send((last + b"{MARK} end").ljust(60, b"\\0"))
who = set()
s.settimeout(30)
while True:
    f, a = s.recvfrom(65535)
    if a[2] == socket.PACKET_OUTGOING:
        continue
    who.add(f[6:12].hex(":"))
    if f[12:14] == b"\\x08\\x06" and f[20:22] == b"\\0\\2" and f[0:6].hex(":") == mine:
        break
print(n, *sorted(who))
"""


@pytest.fixture
def host(w):
    """A host with all that a guest could want to reach."""
    sh("ip", "link", "add", "br0", "type", "bridge")
    sh("ip", "addr", "add", "10.0.2.2/24", "dev", "br0")
    sh("ip", "link", "set", "br0", "up")
    vmlan("up", "-q", "lab", "hostonly")
    yield w
    vmlan("down", "lab")
    sh("ip", "link", "del", "br0")


@contextlib.contextmanager
def ear_in(ns):
    with process(PYTHON, "-c", EAR, ns=ns, stdout=-1, text=True) as p:
        assert p.stdout.readline() == "ready\n"
        yield p
        p.kill()
        p.stdout.close()


def link_locals():
    return [l.split()[3].split("/")[0] for l in
            sh("ip", "-o", "-6", "addr", "show", "scope", "link").stdout.splitlines()]


def heard(p, ns):
    """What an ear has heard before this call."""
    sh(PYTHON, "-c", "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)"
       f".sendto(b'{MARK} stop', ('127.0.0.1', 9))", ns=ns)
    found = []
    for line in p.stdout:
        if line.split()[-1] == "stop":
            return found
        found.append(line)
    raise AssertionError("the ear has died")


@pytest.mark.parametrize("options", ["", ",dhcp=on"])
def test_internal_holds(host, options):
    a_mac, b_mac = "52:54:00:00:00:0a", "52:54:00:00:00:0b"
    with ear_in(None) as of_host, ear_in("inet") as of_inet, \
            Machine(host, "a", "--net", f"internal:in{options}", mac=a_mac) as a, \
            Machine(host, "b", "--net", "internal:in", mac=b_mac) as b, \
            ear_in("b") as of_b:
        a.guest.sh("ip", "link", "set", "eth0", "up")
        b.static("10.0.2.77")
        host_mac = mac_of("up0")
        ips = [HOST_IP, INET_IP, "127.0.0.1", "10.0.2.2", "10.0.2.3", "192.168.56.1"]
        out = a.guest.sh(PYTHON, "-c", TRY, a_mac, "10.0.2.77", b_mac, host_mac,
                         " ".join(ips), " ".join(link_locals()), timeout=120).stdout.split()
        # b has got it all (the broadcasts at least), so it was sent.
        for line in of_b.stdout:
            if line.split()[-1] == "end":
                break
        else:
            raise AssertionError("b has not got it")
        # b answers as it likes; nobody else but the network's own DHCP.
        answered = set(out[1:]) - {b_mac}
        assert not options or len(answered) <= 1, answered
        assert options or not answered, answered
        assert int(out[0]) > 1000
        assert heard(of_host, None) == [] and heard(of_inet, "inet") == []
    assert names() == ["lab"]
