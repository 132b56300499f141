# SPDX-License-Identifier: BSD-3-Clause
"""Uplinks: the networks that the host itself is on, and those it makes.

        lan   192.168.77.1/24, dnsmasq's DHCP        (a neighbour and the router)
          | veth
        host  lan0, or br0 with lan0 on it           (vmlan runs here)
          : bridge, macvtap, packet
        g0    a guest: its lease is the LAN's own
"""
import contextlib
import os
import pathlib
import re
import select
import shutil
import subprocess

import pytest

import qemu
import world
from world import VMLAN, XFER, Vmlan, popen, process, sh, wait_for

LAN_IP = "192.168.77.1"
BYTES = 32 << 20
HELPER = "/usr/lib/qemu/qemu-bridge-helper"
# Without the right to make interfaces.
NO_ADMIN = ("setpriv", "--inh-caps=-net_admin", "--bounding-set=-net_admin")

# As root the test has all users, else only its own.

# Says "ready"; then prints a line for each frame from the MAC given that
# passes the interface, as tcpdump sees it.
SEEN = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind((sys.argv[1], 0))
want = bytes.fromhex(sys.argv[2].replace(":", ""))
print("ready", flush=True)
while True:
    f = s.recv(65535)
    if f[6:12] == want:
        print(f[12:14].hex(), flush=True)
"""


class Lan:
    """The network that the host's interface lan0 leads to."""

    def __init__(self):
        sh("ip", "netns", "add", "lan")
        sh("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "eth0",
           "netns", "lan")
        sh("ip", "link", "set", "lan0", "up")
        sh("ip", "addr", "add", f"{LAN_IP}/24", "dev", "eth0", ns="lan")
        sh("ip", "link", "set", "eth0", "up", ns="lan")
        sh("ip", "link", "set", "lo", "up", ns="lan")
        self.dhcp = popen("dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--no-hosts",
                          "--no-resolv", "--port=0", "--interface=eth0", "--bind-interfaces",
                          "--dhcp-range=192.168.77.50,192.168.77.99,255.255.255.0,1h",
                          "--dhcp-authoritative", "--no-ping", "--user=root", "--group=root",
                          "--dhcp-leasefile=/run/dnsmasq.leases", "--pid-file=", "--log-dhcp",
                          ns="lan", stderr=-1, text=True)
        for line in self.dhcp.stderr:
            if "sockets bound exclusively to interface eth0" in line:
                break
        else:
            raise AssertionError("dnsmasq did not start")

    def close(self):
        self.dhcp.kill()
        self.dhcp.wait()
        self.dhcp.stderr.close()
        pathlib.Path("/run/dnsmasq.leases").unlink(missing_ok=True)
        sh("ip", "link", "del", "lan0", check=False)
        sh("ip", "netns", "del", "lan")


@pytest.fixture
def lan(w):
    it = Lan()
    yield it
    it.close()


@pytest.fixture
def br0(lan):
    sh("ip", "link", "add", "br0", "type", "bridge")
    sh("ip", "link", "set", "lan0", "master", "br0")
    sh("ip", "link", "set", "br0", "up")
    yield "br0"
    sh("ip", "link", "del", "br0")


def links():
    return sorted(re.findall(r"^\d+: ([^:@]+)", sh("ip", "-o", "link").stdout, re.M))


def mac_of(ifname, ns=None):
    return re.search(r"link/ether (\S+)", sh("ip", "link", "show", ifname, ns=ns).stdout)[1]


def error(code, *netdevs, **kw):
    """vmlan join says one line, ends with that code, and leaves nothing."""
    before = links()
    r = sh(VMLAN, "join", *netdevs, check=False, timeout=30, **kw)
    lines = r.stderr.splitlines()
    assert r.returncode == code and len(lines) == 1, (r.returncode, r.stderr)
    assert lines[0].startswith("vmlan: error: "), lines
    assert links() == before
    return lines[0]


def moves(w, g, peer_ns, peer_ip):
    """32 MiB each way between the guest and the peer, byte for byte."""
    w.serve(XFER, "serve", "5001", ns=peer_ns, port=5001)
    for what in ("send", "recv"):
        out = g.sh(XFER, what, peer_ip, "5001", str(BYTES), timeout=120).stdout
        assert out.startswith("equal"), (what, out)


def pings(a, ip, ns=None):
    sh("ping", "-c", "2", "-i", "0.2", "-W", "5", ip, ns=ns or a.ns)


def meets(a, ip, ns=None):
    """The first contact may be lost: a host answers once it has a route, and
    cards are told of a machine when it has spoken."""
    wait_for(f"an answer of {ip}", lambda: sh(
        "ping", "-c", "1", "-W", "1", ip, ns=ns or a.ns, check=False).returncode == 0, seconds=30)


def is_on_the_lan(w, g, seen_as=None):
    """The guest has a lease of the LAN's own, is seen as itself on the host's
    interface, and reaches and is reached."""
    mac = mac_of("eth0", g.ns)
    with process("/usr/bin/python3", "-c", SEEN, "lan0", seen_as or mac, stdout=-1,
                 text=True) as seen:
        assert seen.stdout.readline() == "ready\n"
        g.dhcp()
        assert g.ip.startswith("192.168.77."), g.ip
        assert g.lease["serverid"] == LAN_IP
        assert f"{mac} {g.ip} " in pathlib.Path("/run/dnsmasq.leases").read_text()
        pings(g, LAN_IP)
        pings(None, g.ip, ns="lan")
        for line in seen.stdout:
            if line == "0800\n":
                break
        else:
            raise AssertionError("no IPv4 of the guest's on the host's interface")
    moves(w, g, "lan", LAN_IP)


# ---- bridge ----


def test_bridge(w, br0):
    g = w.guest()
    before = links()
    with Vmlan(["bridge", g.netdev()]):
        assert len(links()) == len(before) + 1
        is_on_the_lan(w, g)
    assert links() == before


@contextlib.contextmanager
def etc_qemu(text):
    """An /etc that is the host's but for the ACL file."""
    etc, real = pathlib.Path("/run/etc"), pathlib.Path("/run/etc.real")
    for p in (etc, real):
        p.mkdir()
    sh("mount", "--rbind", "/etc", str(real))
    for p in os.listdir("/etc"):
        if p != "qemu":
            (etc / p).symlink_to(real / p)
    (etc / "qemu").mkdir()
    (etc / "qemu" / "bridge.conf").write_text(text)
    sh("mount", "--bind", str(etc), "/etc")
    try:
        yield
    finally:
        sh("umount", "/etc")
        sh("umount", "-l", str(real))
        shutil.rmtree(etc)
        real.rmdir()


@pytest.mark.skipif(not os.path.exists(HELPER), reason="no qemu-bridge-helper")
def test_qemus_helper_and_its_acl(w, br0):
    g = w.guest()
    before = links()
    netdev = f"bridge,br=br0,helper={HELPER}"
    with etc_qemu("allow br0\n"):
        for uplink in (netdev, f"tap,helper={HELPER},br=br0"):
            with Vmlan([uplink, g.netdev()]):
                assert len(links()) == len(before) + 1
                g.dhcp()
                pings(g, LAN_IP)
    with etc_qemu("deny br0\nallow all\n"):
        said = error(6, netdev)
        assert "access denied by acl file" in said
        assert "/etc/qemu/bridge.conf needs the line 'allow br0'" in said
    assert links() == before


@pytest.mark.skipif(not os.path.exists(HELPER), reason="no qemu-bridge-helper")
def test_no_root_asks_the_helper(w, br0):
    """Who may not make a tap asks the helper, which may not here either."""
    with etc_qemu("allow br0\n"):
        said = subprocess.run([*NO_ADMIN, VMLAN, "join", "bridge"], capture_output=True,
                              text=True, timeout=30)
    assert said.returncode == 6 and len(said.stderr.splitlines()) == 1, said.stderr
    assert HELPER in said.stderr and "Operation not permitted" in said.stderr


@pytest.fixture
def public_tun():
    """As on a desktop: any user may open it."""
    node = pathlib.Path("/run/tun")
    os.mknod(node, 0o20666, os.stat("/dev/net/tun").st_rdev)
    node.chmod(0o666)
    sh("mount", "--bind", str(node), "/dev/net/tun")
    yield
    sh("umount", "/dev/net/tun")
    node.unlink()


@pytest.mark.root
@pytest.mark.skipif(not os.path.exists(HELPER), reason="no qemu-bridge-helper")
def test_an_ordinary_user_gets_the_bridge(w, br0, request):
    """The helper is setuid root, and nobody else has any right."""
    request.getfixturevalue("public_tun")
    g = w.guest()
    helper = pathlib.Path("/run/helper")
    shutil.copy(HELPER, helper)
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    wire = "stream,addr.type=inet,addr.host=127.0.0.1,addr.port=7777"
    try:
        with etc_qemu("allow br0\n"):
            r = subprocess.run([*nobody, VMLAN, "join", f"bridge,helper={helper}"],
                               capture_output=True, text=True, timeout=30)
            assert r.returncode == 6 and f"chmod u+s it" in r.stderr, r.stderr
            helper.chmod(0o4755)
            with Vmlan([f"bridge,helper={helper}", wire + ",server=on"], wrap=nobody), \
                    Vmlan([wire, g.netdev()]):
                is_on_the_lan(w, g)
    finally:
        helper.unlink()


def test_bridge_mistakes(w, lan):
    assert "there is no interface 'br0'" in error(4, "bridge")
    assert "there is no interface 'nosuch'" in error(4, "bridge,br=nosuch")
    assert "is no bridge" in error(1, "bridge,br=lan0")
    sh("ip", "link", "add", "br0", "type", "bridge")
    try:
        assert "ip link set br0 up" in error(1, "bridge")
        sh("ip", "link", "set", "br0", "up")
        assert "cannot be run" in error(1, "bridge,helper=/nonexistent/helper")
        assert "says: no" in error(6, "bridge,helper=echo no >&2; exit 1; :")
    finally:
        sh("ip", "link", "del", "br0")


# ---- macvtap ----


needs_root = pytest.mark.root  # a macvtap's device is the host's root's


@needs_root
@pytest.mark.parametrize("mode", ["bridge", "vepa", "private", "passthru"])
def test_macvtap(w, lan, mode):
    """Several machines, whose MACs nobody knew before, behind one card."""
    g = [w.guest() for _ in range(3)]
    before = links()
    lower = mac_of("lan0")
    with Vmlan([f"macvtap,if=lan0,mode={mode}", *(x.netdev() for x in g)]):
        assert links() == before  # in a namespace of their own
        is_on_the_lan(w, g[0])
        for x in g[1:]:
            x.dhcp()
            pings(x, LAN_IP)
            pings(None, x.ip, ns="lan")
            pings(x, g[0].ip)
        pings(g[0], LAN_IP)
    assert mac_of("lan0") == lower
    # What it was made of is gone at once: the card can be had alone.
    with Vmlan(["macvtap,if=lan0,mode=passthru", g[1].netdev()]):
        g[1].dhcp()


@needs_root
def test_macvtap_speaks_ipv6(w, lan):
    """Neighbours are found by multicast."""
    g = w.guest()
    sh("ip", "addr", "add", "fd77::1/64", "dev", "eth0", "nodad", ns="lan")
    with Vmlan(["macvtap,if=lan0", g.netdev()]):
        g.sh("ip", "addr", "add", "fd77::2/64", "dev", "eth0", "nodad")
        g.sh("ip", "link", "set", "eth0", "up")
        pings(g, "fd77::1")
        sh("ip", "neigh", "flush", "dev", "eth0", ns="lan")
        pings(None, "fd77::2", ns="lan")


@needs_root
def test_macvtap_of_a_mac(w, lan):
    """mac= is there from the start: one who never spoke is reached."""
    mac = "52:54:00:12:34:77"
    g = w.guest(mac=mac)
    sh("ip", "neigh", "add", "192.168.77.9", "lladdr", mac, "dev", "eth0", ns="lan")
    with Vmlan([f"macvtap,if=lan0,mac={mac}", g.netdev()]):
        g.sh("ip", "addr", "add", "192.168.77.9/24", "dev", "eth0")
        g.sh("ip", "neigh", "add", LAN_IP, "lladdr",
             mac_of("eth0", "lan"), "dev", "eth0")
        g.sh("ip", "link", "set", "eth0", "up")
        pings(None, "192.168.77.9", ns="lan")


@needs_root
def test_macvtaps_of_two_networks(w, lan):
    """In the mode bridge machines of one card reach each other, in private not."""
    for mode, works in (("bridge", True), ("private", False)):
        a, b = w.guest(), w.guest()
        with Vmlan([f"macvtap,if=lan0,mode={mode}", a.netdev()]), \
                Vmlan([f"macvtap,if=lan0,mode={mode}", b.netdev()]):
            a.dhcp()
            b.dhcp()
            r = a.sh("ping", "-c", "1", "-W", "5" if works else "1", b.ip, check=False)
            assert (r.returncode == 0) == works, mode


@needs_root
def test_macvtap_outlives_its_engine(w, lan):
    g = [w.guest() for _ in range(2)]
    with Vmlan(["macvtap,if=lan0", *(x.netdev() for x in g)]) as v:
        for x in g:
            x.dhcp()
        old = v.engine()
        os.kill(old, 9)
        wait_for("another engine", lambda: v.engine() not in (None, old))
        for x in g:
            pings(x, LAN_IP)


@needs_root
def test_macvtap_leaves_nothing_after_a_kill(w, lan):
    g = w.guest()
    v = Vmlan(["macvtap,if=lan0", g.netdev()])
    g.dhcp()
    v.proc.kill()
    v.proc.wait()
    v.err.close()
    # A card that belongs to a macvtap can join no bridge.
    sh("ip", "link", "add", "br0", "type", "bridge")
    wait_for("the card is free", lambda: sh("ip", "link", "set", "lan0", "master", "br0",
                                            check=False).returncode == 0)
    sh("ip", "link", "del", "br0")


@needs_root
def test_macvtap_tells_that_its_interface_is_gone(w, lan):
    g = w.guest()
    with Vmlan(["macvtap,if=lan0", g.netdev()]) as v:
        g.dhcp()
        sh("ip", "link", "del", "lan0")
        wait_for("the end is told", lambda: "the interface was removed" in v.log())


@needs_root
def test_more_machines_than_macvtaps(w, lan):
    """One that invents MACs takes none from those who speak."""
    g = w.guest()
    liar = w.guest()
    with Vmlan(["macvtap,if=lan0", g.netdev(), liar.netdev()]):
        g.dhcp()
        liar.sh("ip", "link", "set", "eth0", "up")
        liar.sh("/usr/bin/python3", "-c", """
import socket, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("eth0", 0))
for i in range(300):
    s.send(b"\\xff" * 6 + b"\\x52\\x54\\0\\xaa" + i.to_bytes(2, "big") + b"\\x88\\xb5" + bytes(46))
    time.sleep(0.005)
""")
        pings(g, LAN_IP)
        sh("ip", "neigh", "flush", "dev", "eth0", ns="lan")
        pings(None, g.ip, ns="lan")


def test_macvtap_mistakes(w, lan):
    assert "there is no interface 'nosuch'" in error(4, "macvtap,if=nosuch")
    assert "no Ethernet interface" in error(1, "macvtap,if=lo")
    r = subprocess.run([*NO_ADMIN, VMLAN, "join", "macvtap,if=lan0"], capture_output=True,
                       text=True, timeout=30)
    assert r.returncode == 6 and len(r.stderr.splitlines()) == 1, r.stderr
    if not world.HOST_ROOT:
        assert "root of the host" in error(6, "macvtap,if=lan0")
        return
    sh("ip", "link", "set", "lan0", "down")
    assert "ip link set lan0 up" in error(1, "macvtap,if=lan0")
    sh("ip", "link", "set", "lan0", "up")
    sh("ip", "link", "add", "br0", "type", "bridge")
    sh("ip", "link", "set", "lan0", "master", "br0")
    try:
        assert "lan0 is a part of br0" in error(5, "macvtap,if=lan0")
    finally:
        sh("ip", "link", "del", "br0")
    with Vmlan(["macvtap,if=lan0,mode=passthru", "user"]):
        assert "lan0 is taken" in error(5, "macvtap,if=lan0")
    lower = mac_of("lan0")
    assert f"{lower} is in use" in error(5, f"macvtap,if=lan0,mac={lower}")


# ---- packet ----


def test_packet(w, lan):
    """Several machines behind one card, which stays the host's."""
    g = [w.guest() for _ in range(3)]
    before = links()
    sh("ip", "addr", "add", "192.168.77.2/24", "dev", "lan0")
    with Vmlan(["packet,if=lan0", *(x.netdev() for x in g)]):
        assert links() == before
        assert "promiscuity 1" in sh("ip", "-d", "link", "show", "lan0").stdout
        is_on_the_lan(w, g[0])
        for x in g[1:]:
            x.dhcp()
            pings(x, LAN_IP)
            pings(None, x.ip, ns="lan")
            pings(x, g[0].ip)
        pings(g[0], LAN_IP)
        # The host's own conversations go on, and are no machine's business.
        seen = g[0].received()
        sh("ping", "-q", "-c", "200", "-i", "0.002", LAN_IP)
        assert g[0].received() - seen < 100  # what new cards say of themselves
    assert "promiscuity 0" in sh("ip", "-d", "link", "show", "lan0").stdout


def test_packet_speaks_ipv6(w, lan):
    g = w.guest()
    sh("ip", "addr", "add", "fd77::1/64", "dev", "eth0", "nodad", ns="lan")
    with Vmlan(["packet,if=lan0", g.netdev()]):
        g.sh("ip", "addr", "add", "fd77::2/64", "dev", "eth0", "nodad")
        g.sh("ip", "link", "set", "eth0", "up")
        pings(g, "fd77::1")
        sh("ip", "neigh", "flush", "dev", "eth0", ns="lan")
        pings(None, "fd77::2", ns="lan")


def test_packets_of_two_networks(w, lan):
    a, b = w.guest(), w.guest()
    with Vmlan(["packet,if=lan0", a.netdev()]), Vmlan(["packet,if=lan0", b.netdev()]):
        a.dhcp()
        b.dhcp()
        pings(a, b.ip)
        pings(b, a.ip)


@pytest.mark.takes("vnet_hdr")
def test_great_frames_cross_packet_whole(w, lan):
    """Both ways they are not cut between the guest's kernel and the LAN's."""
    g = w.guest()
    with Vmlan(["packet,if=lan0", g.netdev()]):
        g.dhcp()
        w.serve(XFER, "serve", "5001", ns="lan", port=5001)
        for what, counter in (("send", "tx"), ("recv", "rx")):
            before = g.sh("cat", f"/sys/class/net/eth0/statistics/{counter}_packets").stdout
            out = g.sh(XFER, what, LAN_IP, "5001", str(BYTES), timeout=120).stdout
            assert out.startswith("equal"), (what, out)
            after = g.sh("cat", f"/sys/class/net/eth0/statistics/{counter}_packets").stdout
            assert BYTES / (int(after) - int(before)) > 5000, what


@pytest.fixture
def one_mac(lan):
    """As an access point: the LAN takes no other MAC than lan0's from there."""
    mac = mac_of("lan0")
    sh("nft", "-f", "-", ns="lan", input=f"""
table netdev t {{
	chain c {{
		type filter hook ingress device eth0 priority 0;
		ether saddr != {mac} counter drop;
	}}
}}
""")
    yield mac
    seen = sh("nft", "list", "table", "netdev", "t", ns="lan").stdout
    sh("nft", "delete", "table", "netdev", "t", ns="lan")
    assert "counter packets 0 " in seen, seen


def test_translate(w, lan, one_mac):
    """Several machines, each with its own lease, behind the host's MAC."""
    g = [w.guest() for _ in range(3)]
    sh("ip", "addr", "add", "192.168.77.2/24", "dev", "lan0")
    with Vmlan(["packet,if=lan0,translate=on", *(x.netdev() for x in g)]):
        assert "promiscuity 0" in sh("ip", "-d", "link", "show", "lan0").stdout
        is_on_the_lan(w, g[0], seen_as=one_mac)
        for x in g[1:]:
            x.dhcp()
            pings(x, LAN_IP)
            pings(None, x.ip, ns="lan")
            pings(x, g[0].ip)
        assert len({x.ip for x in g}) == 3
        # Found again by who forgot it, and the host is the host's.
        sh("ip", "neigh", "flush", "dev", "eth0", ns="lan")
        for ip in (g[1].ip, g[2].ip, "192.168.77.2"):
            pings(None, ip, ns="lan")
        assert sh("ip", "neigh", "show", g[1].ip, ns="lan").stdout.split()[4] == one_mac


def test_translate_ipv6(w, lan, one_mac):
    g = [w.guest() for _ in range(2)]
    sh("ip", "addr", "add", "fd77::1/64", "dev", "eth0", "nodad", ns="lan")
    with Vmlan(["packet,if=lan0,translate=on", *(x.netdev() for x in g)]):
        for i, x in enumerate(g):
            x.sh("ip", "addr", "add", f"fd77::1{i}/64", "dev", "eth0", "nodad")
            x.sh("ip", "link", "set", "eth0", "up")
            pings(x, "fd77::1")
        sh("ip", "neigh", "flush", "dev", "eth0", ns="lan")
        for i in range(2):
            pings(None, f"fd77::1{i}", ns="lan")


def test_translate_leaves_the_hosts_address_alone(w, lan, one_mac):
    """A guest that takes it hears nothing that is for the host."""
    g = w.guest()
    sh("ip", "addr", "add", "192.168.77.2/24", "dev", "lan0")
    with Vmlan(["packet,if=lan0,translate=on", g.netdev()]):
        g.sh("ip", "addr", "add", "192.168.77.2/24", "dev", "eth0")
        g.sh("ip", "link", "set", "eth0", "up")
        g.sh("busybox", "arping", "-A", "-c", "2", "-I", "eth0", "192.168.77.2")
        seen = g.received()
        sh("ping", "-q", "-c", "200", "-i", "0.002", "192.168.77.2", ns="lan")
        assert g.received() - seen < 20
        # The same for one that the host gets later.
        g.sh("ip", "addr", "add", "192.168.77.3/24", "dev", "eth0")
        g.sh("busybox", "arping", "-A", "-c", "2", "-I", "eth0", "192.168.77.3")
        pings(None, "192.168.77.3", ns="lan")
        sh("ip", "addr", "add", "192.168.77.3/24", "dev", "lan0")

        def is_the_hosts():
            seen = g.received()
            sh("ping", "-q", "-c", "10", "-i", "0.002", "192.168.77.3", ns="lan")
            return g.received() - seen < 10

        wait_for("the host's address to be the host's", is_the_hosts)


# ---- the end ----


def host_state():
    flags = sh("ip", "-d", "link", "show", "lan0").stdout
    addresses = sh("ip", "-o", "addr").stdout.replace(" tentative", "")
    return links(), addresses, re.search(r"promiscuity \d+", flags)[0], \
        re.search(r"allmulti \d+", flags)[0]


@pytest.mark.parametrize("uplink", ["bridge", "hostif,addr=192.168.56.1/24", "packet,if=lan0",
                                    "packet,if=lan0,translate=on",
                                    pytest.param("macvtap,if=lan0", marks=pytest.mark.root)])
def test_a_kill_leaves_nothing(w, br0, uplink):
    """Not even for a moment that somebody would have to clean up after."""
    world.settle("br0", "lan0")
    if "lan0" in uplink:
        sh("ip", "link", "set", "lan0", "nomaster")
    before = host_state()
    g = w.guest()
    v = Vmlan([uplink, g.netdev()])
    assert host_state() != before
    v.proc.kill()
    v.proc.wait()
    v.err.close()
    wait_for("all to be as before", lambda: host_state() == before)


# ---- real guests ----


@pytest.mark.long
@pytest.mark.skipif(not (qemu.IMAGE / "vmlinuz").exists(), reason="no guest image")
@pytest.mark.parametrize("uplink", [
    "bridge,br=br0", "packet,if=lan0,translate=on", "packet,if=lan0",
    pytest.param("macvtap,if=lan0", marks=needs_root)][:None if world.FULL else 2])
def test_guest(w, lan, uplink, request, monkeypatch):
    """vmlan run puts QEMU's guest on the LAN, and ends with it."""
    if uplink.startswith("bridge"):
        request.getfixturevalue("br0")
    run = pathlib.Path("/run/xdg-run")
    run.mkdir(exist_ok=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(run))
    vm = qemu.Qemu(["-nic", f"{uplink},model=virtio"], qemu.words(ping=LAN_IP, port=22))
    try:
        mac = vm.until("mac")
        ip = re.search(r"192\.168\.77\.\d+", vm.until("lease"))[0]
        assert f"{mac} {ip} " in pathlib.Path("/run/dnsmasq.leases").read_text()
        assert "answered 3 of 3" in vm.until("ping")
        vm.until("port")
        sh("/usr/bin/python3", "-c", f"""
import socket
s = socket.create_connection(("{ip}", 22), 30)
s.sendall(b"hello from the LAN\\n")
s.shutdown(socket.SHUT_WR)
assert b"in the guest" in s.makefile("rb").read()
""", ns="lan")
        assert vm.until("port") == "22 heard: hello from the LAN"
        assert vm.rest() == 0
    finally:
        vm.close()
    wait_for("the network's end", lambda: not list((run / "vmlan").glob("[!.]*")))


# A frame with a VLAN tag from one end, and what the other end gets.
TAGGED = """
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
s.bind(("eth0", 0))
s.setsockopt(263, 8, 1)
if sys.argv[1] == "send":
    s.send(b"\\xff" * 6 + b"\\2\\0\\0\\0\\0\\7" + b"\\x81\\0\\0\\x2a\\x88\\xb5" + b"vlan" * 12)
else:
    print("ready", flush=True)
    while True:
        f, aux, _, _ = s.recvmsg(2000, 200)
        if b"vlanvlan" in f and f[6:12] == b"\\2\\0\\0\\0\\0\\7":
            break
    status = int.from_bytes(aux[0][2][:4], "little")
    tci = int.from_bytes(aux[0][2][16:18], "little")
    print(f[12:14].hex(), bool(status & 16), tci)
"""


@pytest.mark.parametrize("uplink", ["packet,if=lan0", pytest.param("macvtap,if=lan0", marks=needs_root)])
@pytest.mark.parametrize("way", ["in", "out"])
def test_vlan_tags_cross(w, lan, uplink, way):
    g = w.guest()
    with Vmlan([uplink, g.netdev()]):
        g.sh("ip", "link", "set", "eth0", "up")
        src, dst = ("lan", g.ns) if way == "in" else (g.ns, "lan")
        with process("/usr/bin/python3", "-c", TAGGED, "recv", ns=dst, stdout=-1, text=True) as p:
            assert p.stdout.readline() == "ready\n"

            def heard():  # one is lost while the macvtap gets the guest's MAC
                sh("/usr/bin/python3", "-c", TAGGED, "send", ns=src)
                return select.select([p.stdout], (), (), 0.5)[0]

            wait_for("it", heard)
            assert p.stdout.readline() == "88b5 True 42\n"


def test_packet_follows_its_interface(w, lan):
    g = w.guest()
    with Vmlan(["packet,if=lan0", g.netdev()]) as v:
        g.dhcp()
        sh("ip", "link", "set", "lan0", "down")
        sh("ip", "link", "set", "lan0", "up")
        # Its carrier is looked for twice a second.
        wait_for("frames again", lambda: not g.sh("ping", "-c", "1", "-W", "1", LAN_IP,
                                                  check=False).returncode)
        sh("ip", "link", "del", "lan0")
        wait_for("the end is told", lambda: "the interface was removed" in v.log())


def test_packet_outlives_its_engine(w, lan):
    g = w.guest()
    with Vmlan(["packet,if=lan0", g.netdev()]) as v:
        g.dhcp()
        old = v.engine()
        os.kill(old, 9)
        wait_for("another engine", lambda: v.engine() not in (None, old))
        pings(g, LAN_IP)


def test_packet_mistakes(w, lan):
    assert "there is no interface 'nosuch'" in error(4, "packet,if=nosuch")
    assert "no Ethernet interface" in error(1, "packet,if=lo")
    sh("ip", "link", "set", "lan0", "down")
    assert "ip link set lan0 up" in error(1, "packet,if=lan0")
    sh("ip", "link", "set", "lan0", "up")
    r = subprocess.run(["setpriv", "--inh-caps=-net_raw", "--bounding-set=-net_raw", VMLAN, "join",
                        "packet,if=lan0"], capture_output=True, text=True, timeout=30)
    assert r.returncode == 6 and "CAP_NET_RAW" in r.stderr, r.stderr
    assert len(r.stderr.splitlines()) == 1


# ---- hostif ----


def test_hostif(w):
    """The host has an address on the LAN, and both reach the other."""
    g = w.guest()
    before = links()
    with Vmlan(["hostif,ifname=vmlan0,addr=192.168.56.1/24,addr=fd56::1/64", g.netdev()]):
        assert links() == sorted(before + ["vmlan0"])
        g.sh("ip", "addr", "add", "192.168.56.9/24", "dev", "eth0")
        g.sh("ip", "addr", "add", "fd56::9/64", "dev", "eth0", "nodad")
        g.sh("ip", "link", "set", "eth0", "up")
        pings(g, "192.168.56.1")
        pings(g, "fd56::1")
        sh("ping", "-c", "2", "-i", "0.2", "-W", "5", "192.168.56.9")
        moves(w, g, None, "192.168.56.1")
    assert links() == before


def test_hostif_mistakes(w):
    assert "up0 already" in error(5, "hostif,ifname=up0,addr=192.168.56.1/24")
    r = subprocess.run([*NO_ADMIN, VMLAN, "join", "hostif,addr=192.168.56.1/24"],
                       capture_output=True, text=True, timeout=30)
    assert r.returncode == 6 and len(r.stderr.splitlines()) == 1, r.stderr
