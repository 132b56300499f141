# SPDX-License-Identifier: BSD-3-Clause
"""Real DHCPv6 clients in a guest's namespace (see world.py): each is asked for
what it got, in its own words made equal:

    address    those that are no link's own
    dns        name servers
    search     search domains
    lifetime   of the default route by IPv6, in seconds, as the kernel counts it
    mtu        of IPv6 on the interface
"""
import os
import pathlib
import re
import subprocess

from world import HERE, popen, sh, stop, wait_for

SCRIPT = str(HERE / "lease.sh")


def kernel(g):
    """What the guest's own kernel knows."""
    got = {"address": [], "lifetime": None}
    for line in g.sh("ip", "-6", "-o", "addr", "show", "dev", g.ifname).stdout.splitlines():
        if "scope link" not in line and "tentative" not in line:
            got["address"].append(line.split()[3].split("/")[0])
    routes = g.sh("ip", "-6", "route", "show", "default").stdout
    m = re.search(r"^default via (\S+) .*?(?:expires (\d+)sec|$)", routes, re.M)
    if m:
        got["router"] = m[1]
        got["lifetime"] = int(m[2]) if m[2] else None
    got["mtu"] = int(g.sh("cat", f"/proc/sys/net/ipv6/conf/{g.ifname}/mtu").stdout)
    return got


def link_is_ready(g):
    """Whether its link's own address is known to be nobody else's."""
    out = g.sh("ip", "-6", "-o", "addr", "show", "dev", g.ifname, "scope", "link").stdout
    return "fe80::" in out and "tentative" not in out


def slaac(g):
    """The kernel's own: link up, and what comes of it."""
    g.sh("ip", "link", "set", g.ifname, "up")
    wait_for("an address by an advertisement", lambda: kernel(g)["address"], 20)
    wait_for("a default route", lambda: "router" in kernel(g), 20)
    return kernel(g)


def read(path):
    """The last lease that lease.sh wrote down."""
    return dict(l.split("=", 1) for l in pathlib.Path(path).read_text().splitlines() if "=" in l)


def words(text):
    return [w.rstrip(".") for w in text.split()]


def dhclient(g, *more):
    """Stateful; with "-S" stateless."""
    g.sh("ip", "link", "set", g.ifname, "up")
    wait_for("the link's address", lambda: link_is_ready(g), 20)
    out = pathlib.Path(f"/run/{g.ns}.dhclient")
    out.unlink(missing_ok=True)
    g.sh("dhclient", "-6", *more, "-1", "-v", "-sf", SCRIPT, "-e", f"LEASE_OUT={out}",
         "-cf", "/dev/null", "-lf", f"/run/{g.ns}.leases", "-pf", f"/run/{g.ns}.pid", g.ifname,
         timeout=60)
    wait_for("the script", out.exists)
    lease = read(out)
    return {"address": lease.get("new_ip6_address"), "dns": words(lease["new_dhcp6_name_servers"]),
            "search": words(lease.get("new_dhcp6_domain_search", "")), "reason": lease["reason"]}


def dhclient_end(g, how="-r"):
    """Gives the address back (-r), or only ends it (-x)."""
    g.sh("dhclient", "-6", how, "-v", "-sf", SCRIPT, "-e", "LEASE_OUT=/dev/null", "-cf",
         "/dev/null", "-lf", f"/run/{g.ns}.leases", "-pf", f"/run/{g.ns}.pid", g.ifname)


# Whoever would give up root's rights for a user of this namespace, which may have
# one only, finds that this user is root, or that there is none.
PREPARED = """
mount --bind "$1" /etc/passwd && mount --bind "$2" /etc/group && shift 2 &&
mount -t tmpfs none /var/lib && exec "$@"
"""


class Prepared:
    """A daemon in the guest's namespace, with users as it likes them."""

    def __init__(self, g, users, *argv, before="", env=None):
        passwd, group = pathlib.Path(f"/run/{g.ns}.passwd"), pathlib.Path(f"/run/{g.ns}.group")
        passwd.write_text("root:x:0:0::/root:/bin/sh\n" + "".join(
            f"{u}:x:0:0::/:/bin/sh\n" for u in users))
        group.write_text("root:x:0:\n" + "".join(f"{u}:x:0:\n" for u in users))
        self.log = open(f"/run/{g.ns}.log", "w+", encoding="utf-8")
        self.proc = popen("unshare", "--mount", "sh", "-c", before + PREPARED, "sh", str(passwd),
                          str(group), *argv, ns=g.ns, stdout=self.log, stderr=subprocess.STDOUT,
                          env=dict(os.environ, **(env or {})))

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        stop(self.proc)
        if kind:
            print(self.said())
        self.log.close()


DHCPCD = """
duid
option domain_name_servers, domain_name, domain_search
option dhcp6_name_servers, dhcp6_domain_search
require dhcp_server_identifier
slaac hwaddr
noipv6rs
noarp
interface {ifname}
    ipv6rs
    ia_na 1
"""


def dhcpcd(g):
    """Runs on; with it ends what it set up."""
    conf, out = pathlib.Path(f"/run/{g.ns}.dhcpcd.conf"), pathlib.Path(f"/run/{g.ns}.dhcpcd")
    conf.write_text(DHCPCD.format(ifname=g.ifname))
    out.unlink(missing_ok=True)
    return Prepared(g, (), "dhcpcd", "-B", "-d", "-f", str(conf), "-c", SCRIPT, "-e",
                    f"LEASE_OUT={out}", g.ifname), out


def dhcpcd_told(out):
    """All that its script was told, under one name each."""
    if not out.exists():
        return {}
    return {re.sub(r"^nd\d+_", "nd_", k): v for k, v in read(out).items()}


# Without udev, whose part is played by a /sys that nobody can write to.
NETWORKD = """
mount -t sysfs none /sys -o ro 2>/dev/null || mount -o remount,ro,bind /sys
mount -t tmpfs none /run/systemd 2>/dev/null || {
    mkdir -p /run/systemd && mount -t tmpfs none /run/systemd; }
mkdir -p /run/systemd/network /run/systemd/netif/links /run/systemd/netif/leases
cp "$NETWORK" /run/systemd/network/10.network
chmod -R a+rX /run/systemd
"""
NETWORK = """[Match]
Name={ifname}
[Network]
DHCP=yes
IPv6AcceptRA=yes
LinkLocalAddressing=ipv6
[IPv6AcceptRA]
UseDomains=yes
UseMTU=yes
[DHCPv4]
UseDomains=yes
[DHCPv6]
UseDomains=yes
"""


def networkd(g):
    conf = pathlib.Path(f"/run/{g.ns}.network")
    conf.write_text(NETWORK.format(ifname=g.ifname))
    return Prepared(g, ("systemd-network", "messagebus"), "/lib/systemd/systemd-networkd",
                    before=NETWORKD, env={"NETWORK": str(conf), "SYSTEMD_LOG_LEVEL": "debug",
                                          "SYSTEMD_LOG_TARGET": "console"})


def networkd_told(g, daemon):
    """What it wrote down of the link, by the words of its own file."""
    index = g.sh("cat", f"/sys/class/net/{g.ifname}/ifindex").stdout.strip()
    r = sh("nsenter", "-t", str(daemon.proc.pid), "-m", "cat",
           f"/run/systemd/netif/links/{index}", check=False)
    return dict(l.split("=", 1) for l in r.stdout.splitlines() if "=" in l)
