# SPDX-License-Identifier: BSD-3-Clause
"""Groups and broadcasts between the machines of each mode, of both families: who
sees the other hears what is for all or for a group that he has joined."""
import contextlib
import os
import subprocess

import pytest

from test_modes import PYTHON, Machine, rundir  # noqa: F401
from world import popen, sh, wait_for

MODES = ["natnet:lab", "natnet:lab,backend=kernel", "hostonly:lab", "internal:lab",
         "internal:lab,dhcp=on", "bridged:lab,bridge=br0"]
ALL = {"broadcast", "239.77.0.1", "ff02::77", "ff05::77"}

LISTEN = """
import select, socket, struct
card = socket.if_nametoindex("eth0")
u4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u4.bind(("", 7100))
u4.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
              struct.pack("=4s4si", socket.inet_aton("239.77.0.1"), bytes(4), card))
u6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
u6.bind(("::", 7100))
for group in ("ff02::77", "ff05::77"):
    u6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                  socket.inet_pton(socket.AF_INET6, group) + struct.pack("=i", card))
print("up", flush=True)
while True:
    for s in select.select([u4, u6], [], [])[0]:
        print(s.recv(100).decode(), flush=True)
"""

# Until it is ended.
SPEAK = """
import contextlib, socket, struct, time
card = socket.if_nametoindex("eth0")
u4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
u4.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
u4.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
u4.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
u6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
while True:
    with contextlib.suppress(OSError):
        u4.sendto(b"broadcast", ("255.255.255.255", 7100))
        u4.sendto(b"239.77.0.1", ("239.77.0.1", 7100))
        for group in ("ff02::77", "ff05::77"):
            u6.sendto(group.encode(), (group, 7100, 0, card))
    time.sleep(0.1)
"""


@pytest.fixture
def br0(w):
    sh("ip", "link", "add", "br0", "type", "bridge")
    sh("ip", "link", "set", "br0", "up")
    yield
    sh("ip", "link", "del", "br0")


@contextlib.contextmanager
def listener(name):
    p = popen(PYTHON, "-c", LISTEN, ns=name, stdout=subprocess.PIPE)
    assert p.stdout.readline() == b"up\n"
    os.set_blocking(p.stdout.fileno(), False)
    heard = set()

    def look():
        heard.update(l.decode().strip() for l in p.stdout.readlines())
        return heard
    try:
        yield look
    finally:
        p.kill()
        p.wait()
        p.stdout.close()


@contextlib.contextmanager
def speaker(name):
    p = popen(PYTHON, "-c", SPEAK, ns=name)
    try:
        yield
    finally:
        p.kill()
        p.wait()


def machines(w, *nets):
    for name, ip, net in zip("ab", ("10.77.0.1", "10.77.0.2"), nets, strict=True):
        m = Machine(w, name, "--net", net)
        m.guest.sh("ip", "addr", "add", f"{ip}/24", "dev", "eth0")
        m.guest.sh("ip", "link", "set", "eth0", "up")
        m.guest.sh("ip", "route", "add", "224.0.0.0/4", "dev", "eth0")
        yield m


@pytest.mark.parametrize("net", MODES)
def test_all_hear(w, br0, net):
    a, b = machines(w, net, net)
    with a, b:
        for one, other in ("ab", "ba"):
            with listener(one) as heard, speaker(other):
                wait_for(f"all of {ALL}", lambda: heard() == ALL, 20)


def test_of_another_lan_nobody_hears(w):
    """nat: what one's neighbour hears the other does not."""
    a, b = machines(w, "nat", "nat")
    with a, b, listener("a") as heard, speaker("b"):
        b.guest.sh("ping", "-c", "2", "-W", "5", "10.0.2.2", check=False)
        assert heard() == set()
