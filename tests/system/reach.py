# SPDX-License-Identifier: BSD-3-Clause
"""Who reaches whom, by ping, TCP and UDP of either family."""
import subprocess

import world
from world import popen, sh

PYTHON = "/usr/bin/python3"

SERVE = """
import socket, sys, threading
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
t = socket.create_server((sys.argv[1], 7000), family=family)
u = socket.socket(family, socket.SOCK_DGRAM)
if family == socket.AF_INET6:
    u.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
u.bind((sys.argv[1], 7001))
print("up", flush=True)
def tcp():
    while True:
        c = t.accept()[0]
        c.sendall(b"tcp " + c.recv(100))
        c.close()
threading.Thread(target=tcp, daemon=True).start()
while True:
    d, a = u.recvfrom(100)
    u.sendto(b"udp " + d, a)
"""

ASK = """
import socket, sys
try:
    if sys.argv[2] == "tcp":
        s = socket.create_connection((sys.argv[1], 7000), timeout=float(sys.argv[3]))
    else:
        to = socket.getaddrinfo(sys.argv[1], 7001)[0]
        s = socket.socket(to[0], socket.SOCK_DGRAM)
        s.settimeout(float(sys.argv[3]))
        s.connect(to[4])
    s.send(b"hello")
    print(s.recv(100).decode())
except OSError:
    print("no")
"""


class Server:
    def __init__(self, ns, ip="0.0.0.0"):
        self.p = popen(PYTHON, "-c", SERVE, ip, ns=ns, stdout=subprocess.PIPE, text=True)
        assert self.p.stdout.readline() == "up\n"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.p.kill()
        self.p.wait()
        self.p.stdout.close()


def sees(ns, ip, arp=None):
    """Which of ping, TCP and UDP reach ip from ns (None: the host), as "y" or
    "n" if they agree; arp: the interface on which its MAC must be known."""
    # A busy host may answer one of them too late: then there is time.
    for wait, patience in (("1", "5" if world.SANITIZED else "2"), ("20", "30")):
        got = {}
        pings = popen("ping", "-c", "3", "-i", "0.3", "-W", wait, ip, ns=ns,
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        asks = {p: popen(PYTHON, "-c", ASK, ip, p, patience, ns=ns, stdout=subprocess.PIPE,
                         text=True) for p in ("tcp", "udp")}
        for p, proc in asks.items():
            got[p] = proc.communicate(timeout=60)[0] == f"{p} hello\n"
        got["ping"] = pings.wait(60) == 0
        if arp:
            got["arp"] = "lladdr" in sh("ip", "neigh", "show", ip, "dev", arp, ns=ns).stdout
        if len(set(got.values())) == 1:
            break
    assert len(set(got.values())) == 1, got
    return "y" if got["ping"] else "n"
