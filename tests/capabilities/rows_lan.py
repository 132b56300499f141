# SPDX-License-Identifier: BSD-3-Clause
"""Leases, machines among themselves, forwards, the host; and what a NAT made
of sockets cannot do."""
import pathlib
import socket
import struct

import family
import world
from columns import FORWARDS, JUMBO, RESTRICTED, SERVED, SILENT, TWINS, TWO
from rows import row
from rows_icmp import carried, ping
from scene import No, at, expect

SCRIPT = world.HERE / "udhcpc.sh"


@row("dhcp", "A lease by DHCP, with a router", needs="dhcp", group="Services",
     families=(family.IP4,))
def dhcp(s):
    told = pathlib.Path(f"/run/{s.guest.name}.lease")
    told.unlink(missing_ok=True)
    out = s.guest.run("env", f"LEASE_OUT={told}", "udhcpc", "-i", "eth0", "-n", "-q", "-f",
                      "-t", "3", "-T", "1", "-s", str(SCRIPT))
    expect(told.exists(), out.strip().split("\n")[-1])
    lease = dict(l.split("=", 1) for l in told.read_text().splitlines())
    expect(lease["ip"] == s.f.guest and lease.get("router", "").split()[:1] == [s.f.gateway],
           f"the lease is {lease}")


@row("guestfwd", "An address inside is a program of the host (guestfwd)", needs="guestfwd",
     want=SERVED, group="Services")
def guestfwd(s):
    for _ in range(2):
        c = s.guest.tcp()
        c.connect((s.f.service, 8080))
        got = b""
        while not got.endswith(b"\n"):
            more = c.recv(100)
            expect(more, f"it says {got}")
            got += more
        expect(got == b"hello\n", f"it says {got}")


@row("restrict", "A restricted guest is reached by forwards and reaches nothing",
     needs="restrict", want=RESTRICTED, group="Services")
def restrict(s):
    forward_tcp(s)
    servers = [s.end.listen(5001), s.inet.udp(6001), s.host.listen(5002, s.f.loopback)]
    patience, s.patience = s.patience, 1
    for ip, port in ((s.f.end, 5001), (s.f.gateway, 5002)):
        try:
            s.guest.tcp().connect((ip, port))
        except OSError:
            continue
        raise No(f"it reaches {ip}")
    s.guest.udp().sendto(b"x", (s.f.inet, 6001))
    out = s.guest.run("ping", "-n", "-c", "1", "-W", "1", s.f.inet)
    expect("0 received" in out, "ping goes out")
    servers[1].settimeout(0.2)
    try:
        servers[1].recv(10)
        raise No("datagrams go out")
    except TimeoutError:
        s.patience = patience


# ---- machines among themselves ----

@row("lan-ping", "Guests ping each other", needs="several", want=TWO)
def lan_ping(s):
    ping(s, s.f.other, 1400)


@row("lan-tcp", "Guests connect to each other", needs="several", want=TWO)
def lan_tcp(s):
    c, p = s.connect(s.other, s.f.other, 5001)
    s.both_ways(c, p)
    expect(p.getpeername()[0] == s.f.guest, "by another address")


def group(s, sender, receiver, to):
    u = sender.udp()
    u.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    u.sendto(b"all", (to, 6001))
    got, who = receiver.recvfrom(10)
    expect(got == b"all" and who[0] == s.f.guest, f"{got} from {who}")


@row("lan-broadcast", "Guests hear each other's broadcasts", needs="several", want=TWO,
     families=(family.IP4,))
def lan_broadcast(s):
    group(s, s.guest, s.other.udp(6001), "255.255.255.255")


@row("lan-multicast", "Guests hear each other's multicast", needs="several", want=TWO)
def lan_multicast(s):
    receiver = s.other.udp(6001)
    if s.f.level == socket.IPPROTO_IP:
        receiver.setsockopt(s.f.level, socket.IP_ADD_MEMBERSHIP,
                            s.f.packed(s.f.group) + s.f.packed(s.f.other))
    else:
        receiver.setsockopt(s.f.level, socket.IPV6_JOIN_GROUP,
                            s.f.packed(s.f.group) + struct.pack("=I", s.other.index("eth0")))
    group(s, s.guest, receiver, s.f.group)


@row("lan-out", "Each of two guests has its own connections outside", needs="several",
     want=TWO)
def lan_out(s):
    """Even from the same port to the same server."""
    listener = s.end.listen(5001)
    ends = []
    for net in (s.guest, s.other):
        c = net.tcp()
        c.bind((s.f.any, 5678))
        c.connect((s.f.end, 5001))
        ends.append((c, s.accept(listener)))
    for c, p in ends:
        s.both_ways(c, p, 1000)


@row("twins", "Two guests with one MAC both hear what is sent to them", needs="several",
     want=TWINS)
def twins(s):
    """Whoever spoke last."""
    nets, server = (s.guest, s.other), s.end.udp(6001)
    for _ in range(3):  # it may have to be found out that they are two
        for net in nets:
            net.run("ping", "-n", "-c", "1", "-W", "1", s.f.gateway)
    ends = []
    for net in nets:
        u = net.udp()
        u.sendto(b"here", (s.f.end, 6001))
        ends.append((u, server.recvfrom(10)[1]))
    for i in range(5):
        for u, who in ends:
            server.sendto(b"%d" % i, who)
        for u, _ in ends:
            expect(u.recv(10) == b"%d" % i, "another's datagram arrives")


@row("jumbo", "A network of MTU 65520: a ping of 60,000 bytes uncut, connections outside",
     needs="jumbo", want=JUMBO)
def jumbo(s):
    ping(s, s.f.gateway, 60000, "-M", "do")
    s.both_ways(*s.connect())


@row("spoof", "A guest cannot send from an address outside the network")
def spoof(s):
    server = s.end.udp(6001)
    s.guest.ip(f"addr replace {s.f.stranger} dev lo")
    try:
        for ip in (s.f.stranger, s.f.guest):
            s.guest.udp(ip=ip).sendto(ip.encode(), (s.f.end, 6001))
    finally:
        s.guest.ip(f"addr del {s.f.stranger} dev lo")
    expect(server.recv(100) == s.f.guest.encode(), "its datagram arrives")


# ---- forwards ----

def forward_tcp(s, ip=None, client=None):
    listener, c = s.guest.listen(22), (client or s.inet).tcp()
    c.connect((ip or s.f.host, 2222))
    p = s.accept(listener)
    s.both_ways(c, p)
    return c, p


def forward_udp(s):
    server, u = s.guest.udp(23), s.inet.udp()
    u.sendto(b"question", (s.f.host, 2223))
    got, who = server.recvfrom(100)
    expect(got == b"question", f"{got} arrives")
    server.sendto(b"answer", who)
    got, by = u.recvfrom(100)
    expect((got, at(by)) == (b"answer", (s.f.host, 2223)), "another answer comes")
    return u, at(who)


@row("forward-tcp", "A port of the host is the guest's (TCP)", needs="forwards", want=FORWARDS,
     group="Forwards")
def ask_forward_tcp(s):
    forward_tcp(s)


@row("forward-udp", "A port of the host is the guest's (UDP)", needs="forwards", want=FORWARDS,
     group="Forwards")
def ask_forward_udp(s):
    forward_udp(s)


@row("forward-silent", "The first datagram reaches a guest that has said nothing yet",
     needs="forwards", want=SILENT, group="Forwards")
def forward_silent(s):
    server = s.guest.udp(26)
    s.inet.udp().sendto(b"first", (s.f.host, 2226))
    expect(server.recv(100) == b"first", "another datagram arrives")


@row("source-tcp", "The guest sees the client's own address and port (TCP)",
     needs="forwards", want=FORWARDS, group="Forwards")
def source_tcp(s):
    c, p = forward_tcp(s)
    expect(at(p.getpeername()) == (s.f.inet, c.getsockname()[1]),
           f"it sees {p.getpeername()}")


@row("source-udp", "The guest sees the client's own address and port (UDP)",
     needs="forwards", want=FORWARDS, group="Forwards")
def source_udp(s):
    u, who = forward_udp(s)
    expect(who == (s.f.inet, u.getsockname()[1]), f"it sees {who}")


@row("forward-closed", "A forward to a closed port is refused to the client",
     needs="forwards", want=FORWARDS, group="Forwards")
def forward_closed(s):
    c = s.inet.tcp()
    try:
        c.connect((s.f.host, 2224))
        got = c.recv(1)
    except (ConnectionRefusedError, ConnectionResetError):
        return
    raise No("it ends" if not got else "somebody answers")


@row("forward-udp-closed", "A forward to a closed UDP port is refused to the client "
     "(where the engine is root)", needs="forwards", want=FORWARDS, group="Forwards")
def forward_udp_closed(s):
    u = s.inet.udp()
    u.setsockopt(s.f.level, s.f.recverr, 1)
    u.sendto(b"x", (s.f.host, 2225))
    got = s.errors_of(u)
    expect(got[:2] == (s.f.unreachable, s.f.no_port), f"{got} comes")


@row("forward-loopback", "A client on the host's loopback reaches it too",
     needs="forwards", want=FORWARDS, group="Forwards")
def forward_loopback(s):
    forward_tcp(s, s.f.loopback, s.host)


@row("hairpin", "A guest reaches its own forward by the host's address",
     needs="forwards", want=FORWARDS, group="Forwards")
def hairpin(s):
    forward_tcp(s, s.f.host, s.guest)


# ---- the host ----

@row("host-address", "The host at its own address", group="Forwards")
def host_address(s):
    s.both_ways(*s.connect(s.host, s.f.host))


@row("host-loopback", "The host's loopback at the gateway's address", group="Forwards")
def host_loopback(s):
    listener, c = s.host.listen(5001, s.f.loopback), s.guest.tcp()
    c.connect((s.f.gateway, 5001))
    s.both_ways(c, s.accept(listener))


# ---- what sockets cannot do ----

BEYOND = "What a NAT made of sockets cannot do"


@row("beyond-dscp", "DSCP of connections to the guest", group=BEYOND,
     why_not="a TCP socket does not tell the marks of what it receives")
def beyond_dscp(s):
    raw = s.guest.raw(socket.IPPROTO_TCP)
    c, p = s.connect()
    p.setsockopt(s.f.level, s.f.tos, 0xb8)
    p.send(b"hello")
    expect(c.recv(5) == b"hello", "no data")
    while True:
        marks, _, seen = s.f.raw_packet(raw)
        if len(seen) - (seen[12] >> 4) * 4 == 5:
            break
    expect(marks == 0xb8, f"{marks} arrives")


@row("beyond-ecn", "ECN of connections, end to end", group=BEYOND,
     why_not="each side has a connection of its own, and the marks end with it")
def beyond_ecn(s):
    for net in (s.guest, s.end):
        net.sysctl("net/ipv4/tcp_ecn", 1)
    raw = s.end.raw(socket.IPPROTO_TCP)
    s.connect()
    expect(s.f.raw_packet(raw)[2][13] & 0xc2 == 0xc2, "the SYN does not ask for it")


# How they are asked for, sent, and told; the router's alert, and one that is for
# nobody.
IP_RECVOPTS = 6
OPTIONS = {family.IP4.name: (IP_RECVOPTS, socket.IP_OPTIONS, b"\x94\x04\0\0"),
           family.IP6.name: (socket.IPV6_RECVDSTOPTS, socket.IPV6_DSTOPTS,
                             b"\0\0\x1e\4abcd")}


@row("beyond-options", "{f.name} options", group=BEYOND,
     why_not="dropped by name (`ip_options`), as many routers do")
def beyond_options(s):
    ask, put, options = OPTIONS[s.f.name]
    server, u = s.end.udp(6001), s.guest.udp()
    server.setsockopt(s.f.level, ask, 1)
    u.setsockopt(s.f.level, put, options)
    u.sendto(b"x", (s.f.end, 6001))
    _, anc, _, _ = server.recvmsg(10, 512)
    expect(any(what in (ask, put) for _, what, _ in anc), "they are taken off")


@row("beyond-gre", "GRE carried", group=BEYOND,
     why_not="other protocols need a privilege that vmlan does without; the guest is told")
def beyond_gre(s):
    expect(carried(s, 47), "protocol unreachable")
