# SPDX-License-Identifier: BSD-3-Clause
"""Leases, machines among themselves, forwards, the host; and what a NAT made
of sockets cannot do."""
import pathlib
import socket

import world
from columns import FORWARDS, JUMBO, RESTRICTED, SERVED, SILENT, TWINS, TWO
from rows import row
from rows_icmp import carried, ping
from scene import (END, GATEWAY, GUEST, HOST_IP, INET_IP, IP_RECVERR, IP_RECVOPTS, OTHER,
                   SERVICE, No, expect)

SCRIPT = world.HERE / "udhcpc.sh"


@row("dhcp", "A lease by DHCP, with a router", needs="dhcp", group="Services")
def dhcp(s):
    told = pathlib.Path(f"/run/{s.guest.name}.lease")
    told.unlink(missing_ok=True)
    out = s.guest.run("env", f"LEASE_OUT={told}", "udhcpc", "-i", "eth0", "-n", "-q", "-f",
                      "-t", "3", "-T", "1", "-s", str(SCRIPT))
    expect(told.exists(), out.strip().split("\n")[-1])
    lease = dict(l.split("=", 1) for l in told.read_text().splitlines())
    expect(lease["ip"] == GUEST and lease.get("router", "").split()[:1] == [GATEWAY],
           f"the lease is {lease}")


@row("guestfwd", "An address inside is a program of the host (guestfwd)", needs="guestfwd",
     want=SERVED, group="Services")
def guestfwd(s):
    for _ in range(2):
        c = s.guest.tcp()
        c.connect((SERVICE, 8080))
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
    servers = [s.end.listen(5001), s.inet.udp(6001), s.host.listen(5002, "127.0.0.1")]
    patience, s.patience = s.patience, 1
    for ip, port in ((END, 5001), (GATEWAY, 5002)):
        try:
            s.guest.tcp().connect((ip, port))
        except OSError:
            continue
        raise No(f"it reaches {ip}")
    s.guest.udp().sendto(b"x", (INET_IP, 6001))
    out = s.guest.run("ping", "-n", "-c", "1", "-W", "1", INET_IP)
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
    ping(s, OTHER, 1400)


@row("lan-tcp", "Guests connect to each other", needs="several", want=TWO)
def lan_tcp(s):
    c, p = s.connect(s.other, OTHER, 5001)
    s.both_ways(c, p)
    expect(p.getpeername()[0] == GUEST, "by another address")


def group(s, sender, receiver, to):
    u = sender.udp()
    u.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    u.sendto(b"all", (to, 6001))
    got, who = receiver.recvfrom(10)
    expect(got == b"all" and who[0] == GUEST, f"{got} from {who}")


@row("lan-broadcast", "Guests hear each other's broadcasts", needs="several", want=TWO)
def lan_broadcast(s):
    group(s, s.guest, s.other.udp(6001), "255.255.255.255")


@row("lan-multicast", "Guests hear each other's multicast", needs="several", want=TWO)
def lan_multicast(s):
    receiver = s.other.udp(6001)
    receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                        socket.inet_aton("239.1.2.3") + socket.inet_aton(OTHER))
    group(s, s.guest, receiver, "239.1.2.3")


@row("lan-out", "Each of two guests has its own connections outside", needs="several",
     want=TWO)
def lan_out(s):
    """Even from the same port to the same server."""
    listener = s.end.listen(5001)
    ends = []
    for net in (s.guest, s.other):
        c = net.tcp()
        c.bind(("0.0.0.0", 5678))
        c.connect((END, 5001))
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
            net.run("ping", "-n", "-c", "1", "-W", "1", GATEWAY)
    ends = []
    for net in nets:
        u = net.udp()
        u.sendto(b"here", (END, 6001))
        ends.append((u, server.recvfrom(10)[1]))
    for i in range(5):
        for u, who in ends:
            server.sendto(b"%d" % i, who)
        for u, _ in ends:
            expect(u.recv(10) == b"%d" % i, "another's datagram arrives")


@row("jumbo", "A network of MTU 65520: a ping of 60,000 bytes uncut, connections outside",
     needs="jumbo", want=JUMBO)
def jumbo(s):
    ping(s, GATEWAY, 60000, "-M", "do")
    s.both_ways(*s.connect())


@row("spoof", "A guest cannot send from an address outside the network")
def spoof(s):
    server = s.end.udp(6001)
    s.guest.ip("addr replace 10.77.7.7/32 dev lo")
    for ip in ("10.77.7.7", GUEST):
        s.guest.udp(ip=ip).sendto(ip.encode(), (END, 6001))
    expect(server.recv(100) == GUEST.encode(), "its datagram arrives")


# ---- forwards ----

def forward_tcp(s, ip=HOST_IP, client=None):
    listener, c = s.guest.listen(22), (client or s.inet).tcp()
    c.connect((ip, 2222))
    p = s.accept(listener)
    s.both_ways(c, p)
    return c, p


def forward_udp(s):
    server, u = s.guest.udp(23), s.inet.udp()
    u.sendto(b"question", (HOST_IP, 2223))
    got, who = server.recvfrom(100)
    expect(got == b"question", f"{got} arrives")
    server.sendto(b"answer", who)
    expect(u.recvfrom(100) == (b"answer", (HOST_IP, 2223)), "another answer comes")
    return u, who


@row("forward-tcp", "A port of the host is the guest's (TCP)", want=FORWARDS,
     group="Forwards")
def ask_forward_tcp(s):
    forward_tcp(s)


@row("forward-udp", "A port of the host is the guest's (UDP)", want=FORWARDS,
     group="Forwards")
def ask_forward_udp(s):
    forward_udp(s)


@row("forward-silent", "The first datagram reaches a guest that has said nothing yet",
     want=SILENT, group="Forwards")
def forward_silent(s):
    server = s.guest.udp(26)
    s.inet.udp().sendto(b"first", (HOST_IP, 2226))
    expect(server.recv(100) == b"first", "another datagram arrives")


@row("source-tcp", "The guest sees the client's own address and port (TCP)",
     want=FORWARDS, group="Forwards")
def source_tcp(s):
    c, p = forward_tcp(s)
    expect(p.getpeername() == (INET_IP, c.getsockname()[1]),
           f"it sees {p.getpeername()}")


@row("source-udp", "The guest sees the client's own address and port (UDP)",
     want=FORWARDS, group="Forwards")
def source_udp(s):
    u, who = forward_udp(s)
    expect(who == (INET_IP, u.getsockname()[1]), f"it sees {who}")


@row("forward-closed", "A forward to a closed port is refused to the client",
     want=FORWARDS, group="Forwards")
def forward_closed(s):
    c = s.inet.tcp()
    try:
        c.connect((HOST_IP, 2224))
        got = c.recv(1)
    except (ConnectionRefusedError, ConnectionResetError):
        return
    raise No("it ends" if not got else "somebody answers")


@row("forward-udp-closed", "A forward to a closed UDP port is refused to the client "
     "(where the engine is root)", want=FORWARDS, group="Forwards")
def forward_udp_closed(s):
    u = s.inet.udp()
    u.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    u.sendto(b"x", (HOST_IP, 2225))
    got = s.errors_of(u)
    expect(got[:2] == (3, 3), f"{got} comes")


@row("forward-loopback", "A client on the host's loopback reaches it too",
     want=FORWARDS, group="Forwards")
def forward_loopback(s):
    forward_tcp(s, "127.0.0.1", s.host)


@row("hairpin", "A guest reaches its own forward by the host's address",
     want=FORWARDS, group="Forwards")
def hairpin(s):
    forward_tcp(s, HOST_IP, s.guest)


# ---- the host ----

@row("host-address", "The host at its own address", group="Forwards")
def host_address(s):
    s.both_ways(*s.connect(s.host, HOST_IP))


@row("host-loopback", "The host's loopback at the gateway's address", group="Forwards")
def host_loopback(s):
    listener, c = s.host.listen(5001, "127.0.0.1"), s.guest.tcp()
    c.connect((GATEWAY, 5001))
    s.both_ways(c, s.accept(listener))


# ---- what sockets cannot do ----

BEYOND = "What a NAT made of sockets cannot do"


@row("beyond-dscp", "DSCP of connections to the guest", group=BEYOND,
     why_not="a TCP socket does not tell the marks of what it receives")
def beyond_dscp(s):
    raw = s.guest.raw(socket.IPPROTO_TCP)
    c, p = s.connect()
    p.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, 0xb8)
    p.send(b"hello")
    expect(c.recv(5) == b"hello", "no data")
    while True:
        seen = raw.recv(65535)
        if len(seen) - 20 - (seen[32] >> 4) * 4 == 5:
            break
    expect(seen[1] == 0xb8, f"{seen[1]} arrives")


@row("beyond-ecn", "ECN of connections, end to end", group=BEYOND,
     why_not="each side has a connection of its own, and the marks end with it")
def beyond_ecn(s):
    for net in (s.guest, s.end):
        net.sysctl("net/ipv4/tcp_ecn", 1)
    raw = s.end.raw(socket.IPPROTO_TCP)
    s.connect()
    expect(raw.recv(65535)[33] & 0xc2 == 0xc2, "the SYN does not ask for it")


@row("beyond-options", "IPv4 options", group=BEYOND,
     why_not="dropped by name (`ip_options`), as many routers do")
def beyond_options(s):
    server, u = s.end.udp(6001), s.guest.udp()
    server.setsockopt(socket.IPPROTO_IP, IP_RECVOPTS, 1)
    u.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, b"\x94\x04\0\0")  # router alert
    u.sendto(b"x", (END, 6001))
    _, anc, _, _ = server.recvmsg(10, 512)
    expect(any(what == socket.IP_OPTIONS or what == IP_RECVOPTS for _, what, _ in anc),
           "they are taken off")


@row("beyond-gre", "GRE carried", group=BEYOND,
     why_not="other protocols need a privilege that vmlan does without; the guest is told")
def beyond_gre(s):
    expect(carried(s, 47), "protocol unreachable")
