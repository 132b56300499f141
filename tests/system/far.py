# SPDX-License-Identifier: BSD-3-Clause
"""A server that is far from the host, for TCP that fills a long way:

    host 198.51.100.2 --- tests/tools/delay --- 198.51.100.1 far

All that either side sends is kept for half of the round trip; sockets at both
ends may have buffers as long as that needs. The guests know nothing of it.
"""
import pathlib
import select

from world import BUILD, popen, sh

FAR = "198.51.100.1"
HERE = "198.51.100.2"
DELAY = str(BUILD / "tests" / "delay")
BUFFER = 64 << 20
SETTINGS = {"tcp_rmem": f"4096 131072 {BUFFER}", "tcp_wmem": f"4096 16384 {BUFFER}",
            "tcp_no_metrics_save": "1"}


class Far:
    def __init__(self, rtt_ms, cc="cubic"):
        sh("ip", "netns", "add", "far")
        sh("ip", "link", "set", "lo", "up", ns="far")
        self.delay = popen(DELAY, "-", "way0", "/run/netns/far", "way0",
                           str(rtt_ms / 2), stdout=-1, text=True)
        ready, _, _ = select.select([self.delay.stdout], [], [], 30)
        assert ready and self.delay.stdout.readline() == "ready\n"
        self.old = self.settings(None, SETTINGS)
        self.settings("far", SETTINGS)
        for ns, own in ((None, HERE), ("far", FAR)):
            sh("ip", "link", "set", "way0", "txqueuelen", "8192", "up", ns=ns)
            sh("ip", "addr", "add", f"{own}/24", "dev", "way0", ns=ns)
            sh("ip", "route", "replace", "198.51.100.0/24", "dev", "way0",
               "congctl", cc, ns=ns)

    @staticmethod
    def settings(ns, values):
        """Sets them; what they were."""
        old = {}
        for name, value in values.items():
            path = f"/proc/sys/net/ipv4/{name}"
            if ns is None:
                old[name] = pathlib.Path(path).read_text()
            sh("sh", "-c", f'echo "$1" > {path}', "sh", value.strip(), ns=ns)
        return old

    def close(self):
        """Ends it; nothing was lost by the way itself."""
        self.settings(None, self.old)
        self.delay.terminate()
        out, _ = self.delay.communicate(timeout=10)
        sh("ip", "netns", "del", "far")
        assert out.endswith(" 0 lost\n"), out
