# SPDX-License-Identifier: BSD-3-Clause
"""The netdev passt, which is user in other words, and what both can leave
out or replace, by real traffic."""
import socket
import threading

import pytest

from world import INET_IP, Vmlan, sh, wait_for

PY = "/usr/bin/python3"
# Says what it was sent, in capitals.
SERVE = (
    "import socket,sys\n"
    "s=socket.create_server((sys.argv[1],int(sys.argv[2])))\n"
    "while True:\n"
    "    c,_=s.accept(); c.sendall(c.recv(100).upper()); c.close()\n")
ASK = (
    "import socket,sys\n"
    "s=socket.create_connection((sys.argv[1],int(sys.argv[2])),30)\n"
    "s.sendall(b'hello'); print(s.recv(100).decode())\n")


def ask(ip, port, ns=None):
    """The answer, or the last line of why there is none."""
    r = sh(PY, "-c", ASK, ip, str(port), ns=ns, check=False)
    return (r.stdout or r.stderr).strip().splitlines()[-1]


def ping(g, ip, wait=20):
    return g.sh("ping", "-c", "1", "-W", str(wait), ip, check=False).returncode == 0


@pytest.fixture
def local():
    """A server at the host's loopback: its port."""
    with socket.create_server(("127.0.0.1", 0)) as s:
        def run():
            while True:
                try:
                    c, _ = s.accept()
                except OSError:
                    return
                with c:
                    c.sendall(c.recv(100).upper())
        threading.Thread(target=run, daemon=True).start()
        yield s.getsockname()[1]
        s.shutdown(socket.SHUT_RDWR)


def test_lease_and_forwards(w):
    """What the guest is told, the gateway's MAC, ports in passt's spelling."""
    w.serve(PY, "-c", SERVE, INET_IP, "80", port=80)
    g = w.guest()
    netdev = ("passt,path=/nosuch,quiet=off,vhost-user=on,mtu=1400,address=10.9.1.250/24,"
              "gateway=10.9.1.1,dns=192.0.2.53,search=a.test,search=b.test,fqdn=vm.lab.test,"
              "mac=52:54:00:ab:cd:ef,tcp-ports=2222:22,tcp-ports=2300-2301,"
              "udp-ports=127.0.0.1/2053:53")
    with Vmlan([netdev, g.netdev()]) as v:
        g.dhcp()
        assert {k: g.lease[k] for k in ("ip", "mask", "router", "dns", "mtu", "hostname",
                                        "domain", "search")} == {
            "ip": "10.9.1.250", "mask": "24", "router": "10.9.1.1", "dns": "192.0.2.53",
            "mtu": "1400", "hostname": "vm", "domain": "lab.test", "search": "a.test b.test"}
        assert ping(g, "10.9.1.1")
        assert "52:54:00:ab:cd:ef" in g.sh("ip", "neigh", "show", "10.9.1.1").stdout
        assert ask(INET_IP, 80, ns=g.ns) == "HELLO"
        w.serve(PY, "-c", SERVE, "0.0.0.0", "22", ns=g.ns, port=22)
        w.serve(PY, "-c", SERVE, "0.0.0.0", "2301", ns=g.ns, port=2301)
        for ip in ("127.0.0.1", "::1"):  # all addresses, of both families
            assert ask(ip, 2222) == ask(ip, 2301) == "HELLO"
        assert "127.0.0.1:2053 " in sh("ss", "-Hlun").stdout
        log = v.log()
        assert "forward tcp 0.0.0.0:2222" in log and "forward tcp [::]:2222" in log


def test_the_loopback_has_another_address(w, local):
    g = w.guest()
    with Vmlan(["passt,map-host-loopback=10.0.2.9", g.netdev()]):
        g.dhcp()
        assert ask("10.0.2.9", local, ns=g.ns) == "HELLO"
        assert "refused" in ask("10.0.2.2", local, ns=g.ns)
        assert ping(g, "10.0.2.9")


def test_the_loopback_has_none(w, local):
    g = w.guest()
    with Vmlan(["passt,map-host-loopback=none", g.netdev()]):
        g.dhcp()
        assert "refused" in ask("10.0.2.2", local, ns=g.ns)


def test_protocols_are_off(w):
    """A guest that has its address from elsewhere; TCP alone is carried."""
    w.serve(PY, "-c", SERVE, INET_IP, "80", port=80)
    g = w.guest()
    with Vmlan(["passt,dhcp=off,udp=off,icmp=off,ipv6=off", g.netdev()]):
        wait_for("the interface", lambda: g.sh("ip", "link", "show", "eth0",
                                               check=False).returncode == 0)
        g.sh("ip", "link", "set", "eth0", "up")
        r = g.sh("udhcpc", "-i", "eth0", "-n", "-q", "-t", "1", "-T", "1", "-s", "/bin/true",
                 check=False)
        assert "no lease" in r.stdout + r.stderr
        g.static()
        assert ask(INET_IP, 80, ns=g.ns) == "HELLO"
        assert not ping(g, INET_IP, 2)
