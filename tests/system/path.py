# SPDX-License-Identifier: BSD-3-Clause
"""A path of routers behind the host, for what ICMP has to tell:

    host 192.0.2.2 (vmlan)
      |
    inet 192.0.2.1, 10.9.1.1      hop 2 of a guest (the gateway is hop 1)
      |  the link's MTU can be lowered: narrow()
    r2   10.9.1.2, 10.9.2.1       hop 3
      |
    r3   10.9.2.2, 10.9.3.1       hop 4
      |
    end  10.9.3.2                 hop 5

With IPv6 (join6) the same by 2001:db8:9:1::1 and so on.
"""
from world import INET_IP, INET_IP6, no_waiting, sh, sysctl

HOPS = ["10.0.2.2", INET_IP, "10.9.1.2", "10.9.2.2"]
END = "10.9.3.2"
HOPS6 = ["fec0::2", INET_IP6, "2001:db8:9:1::2", "2001:db8:9:2::2"]
END6 = "2001:db8:9:3::2"
NAMES = ["inet", "r2", "r3", "end"]


class Path:
    def __init__(self):
        for name in NAMES[1:]:
            sh("ip", "netns", "add", name)
            sh("ip", "link", "set", "lo", "up", ns=name)
        for i in range(1, len(NAMES)):
            a, b = NAMES[i - 1], NAMES[i]
            sh("ip", "link", "add", f"d{i}", "type", "veth", "peer", "name",
               f"u{i}", "netns", b, ns=a)
            for ns, dev, last in ((a, f"d{i}", 1), (b, f"u{i}", 2)):
                sh("ip", "addr", "add", f"10.9.{i}.{last}/24", "dev", dev, ns=ns)
                sh("ip", "link", "set", dev, "up", ns=ns)
        for i, name in enumerate(NAMES):
            # Linux tells one such thing a second to one host, ours is many
            self.set(name, "net/ipv4/icmp_ratelimit", 0)
            self.set(name, "net/ipv4/icmp_msgs_per_sec", 100000)
            if i:
                sh("ip", "route", "add", "default", "via", f"10.9.{i}.1", ns=name)
            if i < len(NAMES) - 1:
                self.set(name, "net/ipv4/ip_forward", 1)
                sh("ip", "route", "add", "10.9.0.0/16", "via", f"10.9.{i + 1}.2",
                   ns=name)

    def join6(self):
        """The path is one of IPv6 as well."""
        for i in range(1, len(NAMES)):
            for ns, dev, last in ((NAMES[i - 1], f"d{i}", 1), (NAMES[i], f"u{i}", 2)):
                no_waiting(ns, dev)
                sh("ip", "addr", "add", f"2001:db8:9:{i}::{last}/64", "dev", dev, "nodad", ns=ns)
        for i, name in enumerate(NAMES):
            self.set(name, "net/ipv6/icmp/ratelimit", 0)
            if i:
                sh("ip", "-6", "route", "add", "default", "via", f"2001:db8:9:{i}::1", ns=name)
            if i < len(NAMES) - 1:
                self.set(name, "net/ipv6/conf/all/forwarding", 1)
                sh("ip", "-6", "route", "add", "2001:db8:9::/48", "via",
                   f"2001:db8:9:{i + 1}::2", ns=name)

    @staticmethod
    def set(ns, name, value):
        sysctl(ns, name, value)

    @staticmethod
    def narrow(mtu, link=2):
        """The link behind r2 (or another one) carries less."""
        sh("ip", "link", "set", f"d{link}", "mtu", str(mtu), ns=NAMES[link - 1])
        sh("ip", "link", "set", f"u{link}", "mtu", str(mtu), ns=NAMES[link])

    @staticmethod
    def reject(dst, kind):
        """r3 answers everything to dst with an unreachable of that kind."""
        sh("ip", "route", "replace", kind, dst, ns="r3")

    def close(self):
        for name in NAMES[1:]:
            sh("ip", "netns", "del", name, check=False)
        sh("sh", "-c", "ip route flush 10.9.0.0/16; ip link del d1", ns="inet",
           check=False)
        # what the host has learned about the path
        sh("ip", "route", "flush", "cache", check=False)
        sh("ip", "-6", "route", "flush", "cache", check=False)
