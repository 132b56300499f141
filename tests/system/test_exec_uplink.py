# SPDX-License-Identifier: BSD-3-Clause
"""Programs of the host as machines of the host's own networks: `vmlan exec` and
`vmlan ssh` on bridged and hostonly.

        program         in a namespace that vmlan exec makes
        |
      [network] -- br0, lan0 or vm-lab -- host
                   |
                   lan (of test_uplink.py, with a DHCP server)
"""
import subprocess

import pytest

from test_exec import end, user  # noqa: F401
from test_modes import PYTHON, rundir, show, vmlan  # noqa: F401
from test_ssh import Machine, keys, machine, ssh  # noqa: F401
from test_uplink import LAN_IP, br0, lan, links, one_mac  # noqa: F401
from world import HERE, HOST_IP, INET_IP, popen, wait_for

ROOT = pytest.mark.parametrize("user", ["root"], indirect=True)
LEASE = "ip -4 -br addr show eth0 && ip route && cat /etc/resolv.conf"


def run(net, *args, **kw):
    return vmlan("exec", net, "--", *args, **kw)


@pytest.mark.parametrize("options", ["bridge=br0", "if=lan0", "if=lan0,via=packet",
                                     "if=lan0,translate=on"])
def test_bridged(w, lan, options, request):  # noqa: F811
    """An address of the LAN's own server, and the LAN in reach."""
    if options.startswith("bridge="):
        request.getfixturevalue("br0")
    if "translate" in options:
        request.getfixturevalue("one_mac")
    before = links()
    vmlan("up", "home", "bridged", *options.split(","))
    r = run("home", "sh", "-c", LEASE)
    assert r.stdout.split()[2].startswith("192.168.77."), r.stdout
    assert r.stderr == "" and f"default via {LAN_IP} dev eth0" in r.stdout
    run("home", "ping", "-c", "1", "-W", "20", LAN_IP)
    assert show("home")["machines"] == []
    vmlan("down", "home")
    wait_for("the network's end", lambda: links() == before)


def test_hostonly(w, user):  # noqa: F811
    """The host, if its root made the network, other programs and nobody else."""
    user.vmlan("up", "-q", "lab", "hostonly")
    p = user.popen("exec", "--name", "p", "lab", "--", "sh", "-c", LEASE + "; exec sleep 1000")
    ip = p.stdout.readline().split()[2].split("/")[0]
    assert ip.startswith("192.168.56.")
    assert "default" not in p.stdout.readline()

    def pinged(ip):
        return user.exec("lab", "--", "sh", "-c", f"ping -c 1 -W 2 {ip} >/dev/null; echo $?"
                         ).stdout == "0\n"
    assert pinged(ip) and pinged("192.168.56.1") == user.is_root
    assert not pinged(INET_IP) and not pinged(HOST_IP)
    end(p)


def test_ssh_hostonly(w, user, machine):  # noqa: F811
    user.vmlan("up", "-q", "lab", "hostonly")
    a = machine("a", "hostonly:lab").serve()
    a.guest.dhcp()
    assert ssh(user, "a", "echo $SSH_CONNECTION").stdout.split()[2] == a.guest.ip


@ROOT
def test_ssh_bridged(w, user, br0, machine):  # noqa: F811
    """The lease is the LAN's: the machine is found by what it says."""
    user.vmlan("up", "-q", "lab", "bridged", "bridge=br0")
    a = machine("a", "bridged:lab").serve()
    a.guest.dhcp()
    a.guest.sh("ping", "-c", "1", "-W", "20", LAN_IP)
    wait_for("its address", lambda: a.guest.ip in user.machines("lab")[0]["addresses"])
    assert ssh(user, "a", "echo $SSH_CONNECTION").stdout.split()[2] == a.guest.ip


@ROOT
def test_the_lease_is_renewed(w, lan, user):  # noqa: F811
    """For as long as the program runs; of the server that gave it."""
    user.vmlan("up", "-q", "lab", "generic", "netdev=hostif,ifname=h0,addr=10.77.0.1/24")
    with popen(PYTHON, str(HERE / "dhcp_server.py"), "h0", "10.77.0", "2",
               stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout.readline() == "up\n"
        p = user.popen("exec", "lab", "--", "sh", "-c", "echo up; exec cat", stdin=subprocess.PIPE)
        assert p.stdout.readline() == "up\n"
        said = [server.stdout.readline() for _ in range(5)]
        assert said == ["discover\n", "request\n"] + ["renew 10.77.0.50\n"] * 3
        out, err = p.communicate("end\n", timeout=20)
        assert out == "end\n" and err == "" and p.returncode == 0
        server.kill()
