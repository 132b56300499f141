# SPDX-License-Identifier: BSD-3-Clause
"""A small world of network namespaces for the system tests.

        inet  192.0.2.1/24, 203.0.113.80/32           (plays the internet)
          | veth
        host  192.0.2.2/24, default via 192.0.2.1     (vmlan runs here)
          : tap made by vmlan inside the guest's namespace, or a stream
        g0, g1 ...                                    (kernel guests)

Everything lives in namespaces that the run made itself: as root in a network
and a mount namespace, as an ordinary user in a user namespace besides
(run_in_world re-executes the test run there).  All of it goes away with the
last process.
"""
import contextlib
import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("VMLAN_BUILD", HERE.parent.parent / "build"))
VMLAN = str(BUILD / "src" / "vmlan")
XFER = str(BUILD / "tests" / "xfer")
LOSSY = str(BUILD / "tests" / "lossy")
FULL = os.environ.get("VMLAN_FULL") == "1"
# No user namespace: all users are there.
HOST_ROOT = "4294967295" in pathlib.Path("/proc/self/uid_map").read_text()
INET_IP = "192.0.2.1"
WEB_IP = "203.0.113.80"
HOST_IP = "192.0.2.2"
# By World.join6().
INET_IP6 = "2001:db8::1"
WEB_IP6 = "2001:db8:80::80"
HOST_IP6 = "2001:db8::2"
INSIDE = "VMLAN_TEST_WORLD"
# A sanitizer's build is several times slower.
SANITIZED = b"__asan_init" in pathlib.Path(VMLAN).read_bytes() if pathlib.Path(VMLAN).exists() else False


def enter_world():
    """Re-executes this process inside fresh namespaces (once)."""
    if os.environ.get(INSIDE):
        return
    import sys

    env = dict(os.environ, **{INSIDE: "1"})
    # A pid namespace besides: when the run ends, by whatever way, all of
    # its processes end with it.
    cmd = ["unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc",
           "--kill-child"]
    if os.geteuid() != 0:
        cmd += ["--user", "--map-root-user"]
    setup = (
        "mount -t tmpfs none /run && mkdir -p /run/netns && "
        "ip link set lo up && exec \"$@\""
    )
    os.execvpe(cmd[0], cmd + ["sh", "-c", setup, "sh", sys.executable] + sys.argv, env)


def placed(log):
    """An engine in its sandbox cannot tell where in the program a sanitizer's words
    are, so that is done here."""
    at = dict.fromkeys(re.findall(r"vmlan\+(0x[0-9a-f]+)\)", log))
    if at and shutil.which("addr2line"):
        lines = sh("addr2line", "-fspe", VMLAN, *at).stdout.splitlines()
        for where, line in zip(at, lines):
            log = log.replace(f"vmlan+{where})", f"vmlan+{where}) {line}")
    return log


def sh(*args, check=True, ns=None, timeout=60, **kw):
    if ns:
        args = ("ip", "netns", "exec", ns) + args
    return subprocess.run(args, check=check, capture_output=True, text=True,
                          timeout=timeout, **kw)


def sysctl(ns, name, value):
    sh("sh", "-c", f'echo "$1" > /proc/sys/{name}', "sh", str(value), ns=ns)


def no_waiting(ns, dev):
    """Whether its IPv6 addresses are somebody else's nobody asks first."""
    sysctl(ns, f"net/ipv6/conf/{dev}/accept_dad", 0)
    # its own address of the link anew, which routers need to ask for neighbours
    sysctl(ns, f"net/ipv6/conf/{dev}/addr_gen_mode", 1)
    sh("ip", "-6", "addr", "flush", "dev", dev, "scope", "link", ns=ns)
    sysctl(ns, f"net/ipv6/conf/{dev}/addr_gen_mode", 0)


def popen(*args, ns=None, **kw):
    if ns:
        args = ("ip", "netns", "exec", ns) + args
    return subprocess.Popen(args, **kw)


def wait_for(what, cond, seconds=60):
    """Waits for a condition of the outside world (a socket, a process). As long
    as it takes to ask for it others may have the processor, and the longer the
    less it is asked: what has lasted may last a quarter more."""
    first = time.monotonic()
    while (began := time.monotonic()) < first + seconds:
        r = cond()
        if r:
            return r
        now = time.monotonic()
        time.sleep(max(min(now - began, 0.1), min((now - first) / 4, 0.25), 0.01))
    raise AssertionError(f"never happened: {what}")


def soon(cond, seconds=2):
    """True if what may be about to happen does."""
    with contextlib.suppress(AssertionError):
        return wait_for("it", cond, seconds)
    return False


def js(*args, ns=None):
    """What ip tells, by its JSON."""
    return json.loads(sh("ip", "-j", *args, ns=ns).stdout or "[]")


def is_settled(ns=None):
    """No address is being asked for, and each has its route, which the kernel
    adds a moment after it has told of the address."""
    of = [(l["flags"], a) for l in js("addr", ns=ns) for a in l.get("addr_info", [])]
    local = {r["dst"] for r in js("-6", "route", "show", "table", "local", ns=ns)}
    return not any(a.get("tentative") for _, a in of) and all(
        a["local"] in local for flags, a in of if a["family"] == "inet6" and "LOWER_UP" in flags)


def settle(*links):
    """The same, and these have a carrier."""
    def has_carrier(link):
        flags = js("link", "show", link)[0]["flags"]
        return "LOWER_UP" in flags and "NO-CARRIER" not in flags  # told a moment later
    wait_for("carriers", lambda: all(has_carrier(l) for l in links))
    try:
        # Each is asked for by the kernel's own threads, which a busy host starves.
        wait_for("addresses that are sure", is_settled, seconds=30)
    except AssertionError as e:
        raise AssertionError(f"{e}: {js('addr')}") from e


def one_netdev(o, net):
    """The only netdev of a network with a gateway, on this subnet and an IPv6
    one of its own."""
    netdev, = o["netdevs"]
    (v4, v6), prefix = o["subnets"], o["subnets"][1]["net"]
    assert v4["net"] == net
    assert re.fullmatch(r"fd[0-9a-f:]+::/64", prefix)
    assert sorted(netdev.split(",")) == sorted(["user", f"net={net}", f"ipv6-net={prefix}"])
    assert (v6["gateway"], v6["dns"]) == (prefix[:-3] + "2", prefix[:-3] + "3")
    return netdev


def stop(proc, sig=signal.SIGTERM, timeout=60):
    if proc.poll() is None:
        proc.send_signal(sig)
    try:
        return proc.wait(timeout)
    except subprocess.TimeoutExpired:
        proc.kill()
        proc.wait()
        raise


def end(proc):
    """Ends it for good, however it takes it, and closes what it said."""
    try:
        stop(proc)
    except subprocess.TimeoutExpired:
        pass
    proc.stdout.close()


def pid_depth(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return len(re.search(r"^NSpid:(.*)$", status, re.M)[1].split())


def is_dead(pid):
    """It has ended, be it waited for or not."""
    try:
        return "Z" in pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return True


def engine_of(keeper):
    """Pid of a keeper's engine, None while it has none."""
    try:
        depth = pid_depth(keeper)
        children = pathlib.Path(f"/proc/{keeper}/task/{keeper}/children").read_text()
    except OSError:
        return None
    for child in children.split():
        try:
            # Others are in one, too: the cell of smb= and what runs there.
            comm = pathlib.Path(f"/proc/{child}/comm").read_text()
            if pid_depth(child) > depth and comm == "vmlan-engine\n":
                return int(child)
        except OSError:
            pass  # it has ended
    return None


# What VMLAN_DENY takes from vmlan, as the kernel of some host would.
DENIED = os.environ.get("VMLAN_DENY", "").split(",")


class Vmlan:
    """A running `vmlan join`."""

    def __init__(self, netdevs, env=None, ns=None, wrap=(), fds=()):
        r, w = os.pipe()
        os.set_inheritable(w, True)
        self.err = tempfile.TemporaryFile("w+")
        args = tuple(wrap) + (VMLAN, "join", "-v", "--ready-fd", str(w), *netdevs)
        self.proc = popen(*args, ns=ns, pass_fds=(w, *fds), stderr=self.err,
                          env=dict(os.environ, **(env or {})))
        os.close(w)
        ready, _, _ = select.select([r], [], [], 60)
        text = os.read(r, 100) if ready else b""
        os.close(r)
        if text != b"ready\n":
            self.proc.kill()
            self.proc.wait()
            raise AssertionError("vmlan join was not ready: " + self.log())

    def log(self):
        self.err.seek(0)
        return placed(self.err.read())

    def engine(self):
        """Pid of the engine: the keeper's child in a pid namespace of its own
        (LeakSanitizer's tracer, at the keeper's end, is in the keeper's)."""
        return engine_of(self.proc.pid)

    def close(self):
        rc = stop(self.proc)
        log = self.log()
        self.err.close()
        assert rc == 0, f"vmlan join ended with {rc}: {log}"
        for word in ("ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer"):
            assert word not in log, log

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        if kind:
            self.proc.kill()
            self.proc.wait()
            print(self.log())
            self.err.close()
        else:
            self.close()


class Guest:
    """A namespace that plays a machine: its kernel is the guest's."""

    def __init__(self, name, mac=None):
        self.ns = name
        self.ifname = "eth0"
        self.mac = mac
        self.ip = None
        for left in pathlib.Path("/run").glob(f"{name}.*"):  # by one of this name
            left.unlink()
        sh("ip", "netns", "add", name)
        sh("ip", "link", "set", "lo", "up", ns=name)

    def path(self):
        return f"/run/netns/{self.ns}"

    def netdev(self, extra=""):
        mac = f",mac={self.mac}" if self.mac else ""
        return f"netns,path={self.path()},ifname={self.ifname}{mac}{extra}"

    def sh(self, *args, **kw):
        return sh(*args, ns=self.ns, **kw)

    def popen(self, *args, **kw):
        return popen(*args, ns=self.ns, **kw)

    def dhcp(self, hostname="guest"):
        """Asks for a lease as a real machine does; returns the address. It asks
        each second, as often as a cable that a busy host plugs in late may take."""
        script = HERE / "udhcpc.sh"
        self.sh("ip", "link", "set", self.ifname, "up")
        out = self.sh("udhcpc", "-i", self.ifname, "-n", "-q", "-t", "30",
                      "-T", "1", "-s", str(script), "-x", f"hostname:{hostname}",
                      "-O", "search", "-O", "mtu",
                      env=dict(os.environ, LEASE_OUT=f"/run/{self.ns}.lease"))
        lease = dict(l.split("=", 1) for l in
                     pathlib.Path(f"/run/{self.ns}.lease").read_text().splitlines()
                     if "=" in l)
        self.ip = lease["ip"]
        self.lease = lease
        return out

    def static(self, ip="10.0.2.15", gw="10.0.2.2"):
        self.sh("ip", "addr", "add", f"{ip}/24", "dev", self.ifname)
        self.sh("ip", "link", "set", self.ifname, "up")
        self.sh("ip", "route", "add", "default", "via", gw)
        self.ip = ip

    def counter(self, name):
        """A counter of the guest's own kernel (nstat)."""
        out = self.sh("nstat", "-asz", name).stdout
        for line in out.splitlines():
            f = line.split()
            if f and f[0] == name:
                return int(f[1])
        raise AssertionError(f"no counter {name}")

    def received(self):
        """Frames that came in by the guest's interface."""
        return int(self.sh("cat", f"/sys/class/net/{self.ifname}/statistics/rx_packets").stdout)

    def close(self):
        sh("ip", "netns", "del", self.ns, check=False)


@contextlib.contextmanager
def process(*args, ns=None, **kw):
    p = popen(*args, ns=ns, **kw)
    try:
        yield p
    finally:
        if p.poll() is None:
            p.kill()
        p.wait()


class World:
    def __init__(self):
        self.guests = []
        self.servers = []
        sh("ip", "netns", "add", "inet")
        sh("ip", "link", "add", "up0", "type", "veth", "peer", "name", "eth0",
           "netns", "inet")
        sh("ip", "addr", "add", f"{HOST_IP}/24", "dev", "up0")
        sh("ip", "link", "set", "up0", "up")
        sh("ip", "link", "set", "lo", "up", ns="inet")
        sh("ip", "addr", "add", f"{INET_IP}/24", "dev", "eth0", ns="inet")
        sh("ip", "addr", "add", f"{WEB_IP}/32", "dev", "lo", ns="inet")
        sh("ip", "link", "set", "eth0", "up", ns="inet")
        sh("ip", "route", "add", "default", "via", INET_IP)
        pathlib.Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 0\n")

    def join6(self):
        """IPv6 for the host and the internet."""
        for ns, dev, ip in (("inet", "lo", f"{WEB_IP6}/128"), ("inet", "eth0", f"{INET_IP6}/64"),
                            (None, "up0", f"{HOST_IP6}/64")):
            no_waiting(ns, dev)
            sh("ip", "addr", "add", ip, "dev", dev, "nodad", ns=ns)
        sh("ip", "-6", "route", "add", "default", "via", INET_IP6)

    def guest(self, name=None, mac=None):
        g = Guest(name or f"g{len(self.guests)}", mac)
        self.guests.append(g)
        return g

    def serve(self, *args, ns="inet", port=None, proto="tcp"):
        """Starts a server; waits until its port is bound."""
        p = popen(*args, ns=ns)
        self.servers.append(p)
        if port:
            flag = "-ltn" if proto == "tcp" else "-lun"
            wait_for(f"{args[0]} on port {port}", lambda: f":{port} " in
                     sh("ss", "-H", flag, ns=ns).stdout + sh("ss", "-H", flag[:-1] + "n6",
                                                           ns=ns, check=False).stdout)
        return p

    def python(self, name, *args, ns="inet", port=None, proto="tcp"):
        return self.serve("/usr/bin/python3", str(HERE / name), *args, ns=ns,
                          port=port, proto=proto)

    def close(self):
        for p in self.servers:
            if p.poll() is None:
                p.kill()
            p.wait()
        for g in self.guests:
            g.close()
        sh("ip", "link", "del", "up0", check=False)
        sh("ip", "netns", "del", "inet", check=False)
