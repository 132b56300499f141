# SPDX-License-Identifier: BSD-3-Clause
"""IPv6 as a user writes and sees it: subnets, prefixes, ports of both loopback
addresses.

      machine a -- natnet:lab -- host -- inet (the world of world.py)
"""
import os
import re
import socket
import subprocess

import clients6
import world
from test_modes import Machine, PYTHON, WHO, lan, names, one_line, rundir, show, vmlan  # noqa: F401
from world import VMLAN, sh, wait_for


def prefix(name):
    """The IPv6 network of one that runs, and that it is of its own making."""
    net = show(name)["subnets"][1]["net"]
    assert re.fullmatch(r"fd[0-9a-f:]+::/64", net)
    return net


def test_a_prefix_of_its_own(w):
    def made(name):
        r = vmlan("up", name, "natnet")
        assert "is up" in r.stderr and "warning" not in r.stderr
        net = prefix(name)
        vmlan("down", name)
        wait_for("its end", lambda: name not in names())
        return net

    first = made("lab")
    assert first == made("lab") != made("lab2")
    # in the way of the host's own route, it moves
    sh("ip", "-6", "route", "add", first, "dev", "lo")
    try:
        assert made("lab") != first
        assert first in one_line(5, "up", "lab", "natnet", f"ipv6-net={first}")
    finally:
        sh("ip", "-6", "route", "del", first, "dev", "lo")
    assert made("lab") == first


def test_families_that_are_off(w):
    vmlan("up", "lab", "natnet", "ipv6=off")
    assert [s["net"] for s in show("lab")["subnets"]] == ["10.0.2.0/24"]
    vmlan("down", "lab")
    vmlan("up", "lab", "natnet", "ipv4=off", "ipv6-net=fd01:2::/64")
    o = show("lab")
    assert o["subnets"] == [{"net": "fd01:2::/64", "gateway": "fd01:2::2", "dns": "fd01:2::3"}]
    assert o["netdevs"] == ["user,ipv4=off,ipv6-net=fd01:2::/64"]
    assert "subnet   fd01:2::/64, gateway fd01:2::2, name server fd01:2::3\n" in \
        vmlan("show", "lab").stdout
    vmlan("down", "lab")
    assert "IPv4 and IPv6 disabled" in one_line(2, "up", "lab", "natnet", "ipv4=off", "ipv6=off")


def test_the_hosts_prefix(w):
    assert "bridged" in one_line(5, "up", "lab", "natnet", "prefix=host")
    sh("ip", "-6", "route", "add", "unreachable", "2001:db8:77::/48", "dev", "lo")
    try:
        vmlan("up", "lab", "natnet", "prefix=host")
        assert re.fullmatch(r"2001:db8:77:[0-9a-f]+::/64", show("lab")["subnets"][1]["net"])
        vmlan("down", "lab")
    finally:
        sh("ip", "-6", "route", "del", "unreachable", "2001:db8:77::/48", "dev", "lo")


def answer(ip, port):
    """What comes from a port of the host; None: nobody listens."""
    try:
        with socket.create_connection((ip, port), timeout=10) as s:
            return s.recv(100).decode()
    except ConnectionRefusedError:
        return None


def test_a_port_of_both_families(lan):
    """-p without an address listens at both loopback addresses, and the guest
    hears of its clients of either by its own family."""
    with Machine(lan, "a", "--net", "natnet:lab", "-p", "2222:80", "-p", "[::1]:2223:80",
                 "-p", "127.0.0.1:2224:80", mac="52:54:00:00:00:0a") as a, \
            world.process(PYTHON, "-c", WHO, "a", ns="a", stdout=subprocess.PIPE) as p:
        p.stdout.readline()
        p.stdout.close()
        a.guest.dhcp()
        assert [f["host"] for f in show("lab")["forwards"]] == \
            ["127.0.0.1:2222", "[::1]:2222", "[::1]:2223", "127.0.0.1:2224"]
        # localhost is one thing to a person
        assert [l for l in vmlan("show", "lab").stdout.splitlines() if l.startswith("forward")] == [
            "forward  tcp 127.0.0.1:2222 and [::1]:2222 -> 10.0.2.15:80",
            "forward  tcp [::1]:2223 -> 10.0.2.15:80", "forward  tcp 127.0.0.1:2224 -> 10.0.2.15:80"]
        for port, v4, v6 in ((2222, "a", "a"), (2223, None, "a"), (2224, "a", None)):
            assert (answer("127.0.0.1", port), answer("::1", port)) == (v4, v6)


def test_a_port_that_is_taken_in_one_family(w):
    """Neither is forwarded, and who has it is told, not who has the other."""
    with socket.socket(socket.AF_INET6) as other:
        other.bind(("::1", 0))
        other.listen()
        port = other.getsockname()[1]
        vmm = ["--", "sh", "-c", ": {socket}"]
        line = one_line(5, "run", "-p", f"{port}:80", *vmm)
        assert f"[::1]:{port}: the port is held by python3 (pid {os.getpid()})" in line, line
        vmlan("up", "lab", "natnet")
        line = one_line(5, "run", "--net", "natnet:lab", "--nic", "virtio,mac=52:54:00:00:00:0d",
                        "-p", f"{port}:80", *vmm)
        assert f"(pid {os.getpid()})" in line
        assert show("lab")["forwards"] == []
        assert f"127.0.0.1:{port} " not in sh("ss", "-Hltn").stdout
        vmlan("down", "lab")
        # of that family only it is free
        assert "forward" in vmlan("run", "-p", f"127.0.0.1:{port}:80", *vmm).stderr


def test_a_host_without_ipv6(w):
    """What was not asked for by name is left out in silence."""
    vmm = ["--", "sh", "-c", ": {socket}; ss -Hltn"]
    off = ["unshare", "--net", "sh", "-c", "ip link set lo up; ip -6 addr flush dev lo; exec \"$@\"",
           "sh"]
    r = sh(*off, VMLAN, "run", "-p", "2222:80", *vmm, check=False)
    assert r.returncode == 0 and "127.0.0.1:2222" in r.stdout and "[::1]" not in r.stdout
    assert "warning" not in r.stderr and r.stderr.count("forward") == 1
    r = sh(*off, VMLAN, "run", "-p", "[::1]:2222:80", *vmm, check=False)
    assert r.returncode == 2 and "this host has no such address" in r.stderr


NO_IPV6 = """
ip link set lo up
for i in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 > $i; done
exec "$@"
"""


def test_a_host_that_turned_ipv6_off(w):
    """IPv4 is as ever there: a network with the host on it is no error."""
    off = ["unshare", "--net", "sh", "-c", NO_IPV6, "sh"]
    look = f": {{socket}}; {VMLAN} show h; ip addr show vm-h"
    r = sh(*off, VMLAN, "run", "--net", "hostonly:h", "--", "sh", "-c", look, check=False)
    assert r.returncode == 0, r.stderr
    assert "the host is 192.168.56.1/24 on it, without IPv6" in r.stderr
    # what machines are told: nobody routes or answers for names
    assert "subnet   192.168.56.0/24, no gateway\n" in r.stdout
    assert "addr=192.168.56.1/24\n" in r.stdout and "inet 192.168.56.1/24" in r.stdout
    r = sh(*off, VMLAN, "join", "hostif,ifname=vm-h,addr=fd00::1/64", check=False)
    assert r.returncode == 2 and "this host has IPv6 turned off" in r.stderr


def test_networks_of_one_machine(w):
    """Each has a prefix of its own, also of one with several cards."""
    r = vmlan("run", "--name", "a", "--net", "nat", "--net", "nat", "--", "sh", "-c",
              f": {{socket}} {{socket2}}; {VMLAN} show nat-a; {VMLAN} show nat-a-2")
    first, second = re.findall(r"^subnet   (fd.*?::/64)", r.stdout, re.M)
    assert first != second
    r = vmlan("run", "--name", "a", "--net", "nat", "--", "sh", "-c",
              f": {{socket}}; {VMLAN} show nat-a")
    assert re.findall(r"^subnet   (fd.*?::/64)", r.stdout, re.M) == [first]


def test_forwards_to_guests_of_ipv6(w):
    """Their addresses are judged as those of IPv4 are."""
    for text in ("fec0::2", "fec0::3", "fec0::", "fd00::9"):
        assert "no guest of this network can have" in one_line(
            2, "join", f"user,hostfwd=tcp:[::1]:2222-[{text}]:80")
    assert "to guest address fec0::f, but IPv6 is off" in one_line(
        2, "join", "user,ipv6=off,hostfwd=tcp::2222-[fec0::f]:80")


HELLO6 = """
import socket
t = socket.create_server(("::", 80), family=socket.AF_INET6)
print("up", flush=True)
while True:
    with t.accept()[0] as c:
        c.sendall(b"g")
"""


def test_a_guest_that_is_not_named(w):
    """It is the first that DHCPv6 leases, where IPv4 is off; a machine of a
    network whose MAC is known has a place of its own."""
    g = w.guest()
    opts = "user,ipv4=off,hostfwd=tcp:127.0.0.1:2222-:80,hostfwd=tcp:[::1]:2222-:80"
    with world.Vmlan([opts, g.netdev()]), \
            world.process(PYTHON, "-c", HELLO6, ns=g.ns, stdout=subprocess.PIPE) as p:
        p.stdout.readline()
        p.stdout.close()
        assert clients6.dhclient(g)["address"] == "fec0::f"
        wait_for("the lease", lambda: "fec0::f" in clients6.kernel(g)["address"], 20)
        assert (answer("127.0.0.1", 2222), answer("::1", 2222)) == ("g", "g")
        clients6.dhclient_end(g)
    vmlan("up", "lab", "natnet", "ipv4=off", "ipv6-net=fd01:2::/64")
    r = vmlan("run", "--net", "natnet:lab", "--nic", "e1000,mac=52:54:00:00:00:0a", "-p",
              "2222:80", "--", "sh", "-c", f": {{socket}}; {VMLAN} show lab")
    assert "127.0.0.1:2222" in r.stdout and "[fd01:2::f]:80" in r.stdout
    vmlan("down", "lab")
