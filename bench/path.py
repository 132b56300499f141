# SPDX-License-Identifier: BSD-3-Clause
"""A long way between the engines' place and a server of its own:

    world  198.51.100.2 --- tests/tools/delay --- 198.51.100.1  away

The program in the middle keeps every frame for half of the round trip, and
lets no more than RATE through. Sockets at both ends may have buffers as long
a way needs; nothing is lost.
"""
import os

import lab
from lab import Failed, Process

SERVER = "198.51.100.1"
WORLD = "198.51.100.2"
RATE = 2000          # Mbit/s, each direction
BUFFER = 192 << 20   # tcp_rmem and tcp_wmem, the most


class Way:
    """One way, and the server at its end; made anew for each cell, so that
    nothing that a kernel has learned of it stays."""

    def __init__(self, lab_, ms, cc):
        self.away = lab.Namespace("away")
        self.delay = self.server = None
        try:
            self.delay = Process(
                [str(lab_.build / "tests" / "delay"), "-", "way0", "/run/netns/away",
                 "way0", str(ms / 2), str(RATE)], read=True)
            if self.delay.line(5) != "ready\n":
                raise Failed(f"no way: {self.delay.said()}")
            for ns, own in ((None, WORLD), ("away", SERVER)):
                lab.ip(ns, "link set way0 txqueuelen 8192 up", f"addr add {own}/24 dev way0",
                       f"route replace 198.51.100.0/24 dev way0 congctl {cc}")
            self.settings(None)
            self.settings(self.away.fd)
            self.server = lab_.server(self.away, f"cc={cc}")
        except BaseException:
            self.close()
            raise

    @staticmethod
    def settings(fd):
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            if fd is not None:
                lab.setns(fd, lab.CLONE_NEWNET)
            lab.sysctl("net.ipv4.tcp_no_metrics_save", "1")
            lab.sysctl("net.ipv4.tcp_rmem", f"4096 131072 {BUFFER}")
            lab.sysctl("net.ipv4.tcp_wmem", f"4096 16384 {BUFFER}")
        finally:
            lab.setns(home, lab.CLONE_NEWNET)
            os.close(home)

    def close(self):
        """Ends it; what was lost on it, which is nothing."""
        if self.server:
            self.server.stop()
        told = self.delay.stop() if self.delay else ""
        self.away.close()
        return int(told.split()[2]) if " lost" in told else None
