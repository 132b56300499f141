# SPDX-License-Identifier: BSD-3-Clause
"""The gateway: leases, names, ping, UDP, TCP, forwards, by real traffic."""
import os
import pathlib

import pytest

import world
from world import INET_IP, WEB_IP, XFER, sh, wait_for

RESOLV = pathlib.Path("/run/resolv.conf")


@pytest.fixture
def net(w):
    """A guest behind `user`, with a resolver outside."""
    RESOLV.write_text(f"nameserver {INET_IP}\n")
    w.python("dns_server.py", port=53, proto="udp")
    g = w.guest()
    opts = ("user,hostname=me,domainname=dom.test,dnssearch=a.test,"
            "dnssearch=b.a.test,hostfwd=tcp:127.0.0.1:2222-:22,"
            "hostfwd=udp:127.0.0.1:2223-:23,hostfwd=tcp::2224-:22")
    with world.Vmlan([opts, g.netdev()],
                     env={"VMLAN_RESOLV_CONF": str(RESOLV)}) as v:
        g.dhcp()
        yield w, g, v


def ping(g, ip, count=2, patience=20):
    return g.sh("ping", "-c", str(count), "-i", "0.2", "-W", str(patience), ip,
                check=False).returncode == 0


def dig(g, *args):
    return g.sh("dig", "+tries=1", "+time=20", "+short", "@10.0.2.3", *args,
                check=False).stdout.strip()


def test_lease_has_all_that_was_asked(net):
    _, g, _ = net
    assert g.lease == {
        "ip": "10.0.2.15", "mask": "24", "router": "10.0.2.2",
        "dns": "10.0.2.3", "serverid": "10.0.2.2", "lease": "86400",
        "broadcast": "10.0.2.255", "mtu": "1500", "hostname": "me",
        "domain": "dom.test", "search": "a.test b.a.test"}


def test_renew_release_and_dhclient(net):
    w, g, _ = net
    g.dhcp()  # a client that starts anew gets its address again
    assert g.ip == "10.0.2.15"
    conf = "/run/dhclient.conf"
    pathlib.Path(conf).write_text("timeout 10;\n")
    pathlib.Path("/run/dhclient.sh").write_text(
        "#!/bin/sh\n[ -n \"$new_ip_address\" ] && echo $reason $new_ip_address >>/run/dhclient.out\nexit 0\n")
    os.chmod("/run/dhclient.sh", 0o755)
    common = ("-sf", "/run/dhclient.sh", "-cf", conf, "-lf", "/run/dhclient.leases",
              "-pf", "/run/dhclient.pid", "eth0")
    g.sh("ip", "addr", "flush", "dev", "eth0")
    g.sh("dhclient", "-1", "-v", *common)
    assert pathlib.Path("/run/dhclient.out").read_text().split()[1] == "10.0.2.15"
    g.sh("dhclient", "-r", *common)


def test_ping(net):
    _, g, _ = net
    assert ping(g, "10.0.2.2") and ping(g, "10.0.2.3")
    can_ask = "ping" not in world.DENIED
    patience = 20 if can_ask else 2
    for ip in (INET_IP, WEB_IP):
        assert ping(g, ip, patience=patience) == can_ask
    # nobody there: no answer is made up
    out = g.sh("ping", "-c", "1", "-W", "1", "192.0.2.77", check=False).stdout
    assert "1 received" not in out and " 0 received" in out


def test_names(net):
    _, g, _ = net
    assert dig(g, "www.example.org") == WEB_IP
    assert dig(g, "+tcp", "www.example.org") == WEB_IP
    assert "x" * 255 in dig(g, "TXT", "big.test")  # truncated, then TCP


def test_resolv_conf_is_followed(net):
    w, g, _ = net
    sh("ip", "addr", "add", "192.0.2.3/24", "dev", "up0")
    try:
        RESOLV.write_text("nameserver 192.0.2.3\n")  # nobody answers there
        def fails():
            return "SERVFAIL" in g.sh("dig", "+tries=1", "+time=8", "@10.0.2.3",
                                      "x.test", check=False).stdout
        world.wait_for("SERVFAIL from a resolver that refuses", fails)
        RESOLV.write_text(f"nameserver 192.0.2.3\nnameserver {INET_IP}\n")
        world.wait_for("the second resolver", lambda: dig(g, "y.test") == WEB_IP)
        RESOLV.unlink()  # none at all: 127.0.0.1 is tried, refused
        world.wait_for("SERVFAIL without a resolver", fails)
    finally:
        sh("ip", "addr", "del", "192.0.2.3/24", "dev", "up0")


def test_gateway_is_the_hosts_loopback(net):
    w, g, _ = net
    w.serve(XFER, "serve", "5005", ns=None, port=5005)
    assert g.sh(XFER, "send", "10.0.2.2", "5005", "1000000").stdout.startswith("equal")


def syn_retrans(g):
    lines = [l.split() for l in g.sh("cat", "/proc/net/netstat").stdout.splitlines()
             if l.startswith("TcpExt:")]
    return int(lines[1][lines[0].index("TCPSynRetrans")])


def test_closed_port_is_refused_at_once(net):
    _, g, _ = net

    def at_once():
        before = syn_retrans(g)
        r = g.sh(XFER, "send", INET_IP, "5999", "1", check=False)
        assert "Connection refused" in r.stderr
        return syn_retrans(g) == before
    wait_for("an answer to the first SYN", at_once)
    r = g.sh(XFER, "send", "10.0.2.2", "5999", "1", check=False)
    assert "Connection refused" in r.stderr


def test_half_close_both_ways(net):
    w, g, _ = net
    w.serve(XFER, "serve", "5001", port=5001)
    w.serve(XFER, "serve", "22", ns=g.ns, port=22)
    # 'send' half-closes, then reads the answer; 'recv' sees the server's
    # half-close and closes afterwards.
    for who, ip, port in ((g.ns, INET_IP, "5001"), (None, "127.0.0.1", "2222")):
        for what in ("send", "recv"):
            out = sh(XFER, what, ip, port, "300000", ns=who).stdout
            assert out.startswith("equal"), (who, what, out)


UDP_ECHO = (
    "import socket,sys\n"
    "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
    "s.bind(('0.0.0.0',int(sys.argv[1])))\n"
    "while True:\n"
    "    d,a=s.recvfrom(65535)\n"
    "    s.sendto(a[0].encode()+b' '+d,a)\n")
UDP_ASK = (
    "import socket,sys\n"
    "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
    "s.settimeout(30)\n"
    "s.connect((sys.argv[1],int(sys.argv[2])))\n"
    "s.send(b'q'*int(sys.argv[3]))\n"
    "try: d=s.recv(65535); print(d.split()[0].decode(), len(d.split()[1]))\n"
    "except ConnectionRefusedError: print('refused')\n")
PY = "/usr/bin/python3"


def test_udp_both_ways(net):
    w, g, _ = net
    w.serve(PY, "-c", UDP_ECHO, "6001", port=6001, proto="udp")
    w.serve(PY, "-c", UDP_ECHO, "23", ns=g.ns, port=23, proto="udp")
    for size in ("1", "1400", "1472"):
        out = g.sh(PY, "-c", UDP_ASK, INET_IP, "6001", size).stdout.split()
        assert out == [world.HOST_IP, size]
    assert g.sh(PY, "-c", UDP_ASK, INET_IP, "6999", "1").stdout.strip() == "refused"
    # forwarded: a loopback client appears as the gateway
    out = sh(PY, "-c", UDP_ASK, "127.0.0.1", "2223", "100").stdout.split()
    assert out == ["10.0.2.2", "100"]


@pytest.mark.parametrize("mtu", [1280, 9000, 65520])
def test_mtu_of_the_network(w, mtu):
    """Told by DHCP, used both ways, and nothing longer comes."""
    g = w.guest()
    w.serve(XFER, "serve", "5001", port=5001)
    with world.Vmlan([f"user,mtu={mtu}", g.netdev()]):
        g.dhcp()
        assert g.lease["mtu"] == str(mtu)
        assert f"mtu {mtu} " in g.sh("ip", "link", "show", "dev", "eth0").stdout
        size = str(mtu - 28)
        assert "1 received" in g.sh("ping", "-c", "1", "-M", "do", "-s", size,
                                    "10.0.2.2").stdout
        for what in ("send", "recv"):
            def goes(what=what):
                had = g.counter("TcpExtTCPTimeouts")
                assert g.sh(XFER, what, INET_IP, "5001", "20000000",
                            timeout=60).stdout.startswith("equal")
                return g.counter("TcpExtTCPTimeouts") == had
            world.wait_for(f"{what} without a timeout", goes)  # a busy host stands still


TCP_WHO = (
    "import socket\n"
    "s=socket.socket(); s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)\n"
    "s.bind(('0.0.0.0',22)); s.listen()\n"
    "while True:\n"
    "    c,a=s.accept(); c.sendall(a[0].encode()); c.close()\n")
TCP_ASK = (
    "import socket,sys\n"
    "s=socket.create_connection((sys.argv[1],int(sys.argv[2])),30)\n"
    "print(s.recv(100).decode())\n")


def test_forwards_show_the_client(net):
    w, g, _ = net
    w.serve(PY, "-c", TCP_WHO, ns=g.ns, port=22)
    assert sh(PY, "-c", TCP_ASK, "127.0.0.1", "2222").stdout.strip() == "10.0.2.2"
    assert sh(PY, "-c", TCP_ASK, world.HOST_IP, "2224", ns="inet").stdout.strip() == INET_IP


def test_forward_to_a_closed_port_ends(net):
    _, g, _ = net
    r = sh(PY, "-c", TCP_ASK, "127.0.0.1", "2222", check=False)
    assert r.returncode != 0 or r.stdout.strip() == ""


@pytest.mark.parametrize("deny", ["peek_off", "ping", "gso", "vnet_hdr"])
def test_kernels_that_lack_something(w, deny):
    g = w.guest()
    w.serve(XFER, "serve", "5001", port=5001)
    with world.Vmlan(["user", g.netdev()], env={"VMLAN_DENY": deny}) as v:
        g.dhcp()
        for what in ("send", "recv"):
            assert g.sh(XFER, what, INET_IP, "5001", "5000000").stdout.startswith("equal")
        assert ping(g, INET_IP, 1, 2 if deny == "ping" else 20) == (deny != "ping")
        assert ("ping" in v.log().replace("ping_group_range", "ping")) or deny != "ping"
