# SPDX-License-Identifier: BSD-3-Clause
"""The place where bench/run measures: namespaces, processes, and a watch over
what else the machine does.

    world   192.0.2.1 on an interface of its own; engines and the server
    gN      a machine: its kernel's TCP behind the engine under measurement
    router, far   only for the kernel's NAT: gN -veth- router -veth- far
    bridge  only for the kernel's bridge: gN -veth or tap- bridge

`bench/run` starts itself again inside (enter); the process outside stays, as
the only one that sees the rest of the machine, and answers questions.
"""
import ctypes
import fcntl
import json
import os
import pathlib
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

SERVER = "192.0.2.1"
RUN = pathlib.Path("/run/vmlan-bench")
INSIDE = "VMLAN_BENCH_WATCH"
CLONE_NEWNS = 0x20000
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """A peer or a program did not do what was asked: one line."""


# ---- outside ----

# Any user may open the tap device of these namespaces, as udev has it.
SETUP = """
set -e
if [ "$(id -u)" = 0 ] && [ -c /dev/net/tun ]; then
    mount -t tmpfs none /mnt
    mknod /mnt/tun c 10 200
    chmod 666 /mnt/tun
    mount --bind /mnt/tun /dev/net/tun
    umount -l /mnt
fi
exec unshare --user --map-root-user --net --mount --pid --fork --mount-proc \\
    --kill-child sh -c 'mount -t tmpfs none /run &&
    mkdir -m 755 -p /run/netns /run/vmlan-bench && exec "$@"' sh "$@"
"""


def enter(argv):
    """Runs argv inside and returns its exit status, answering its questions
    meanwhile."""
    ours, theirs = socket.socketpair()
    try:
        most = 1 << 20 if os.geteuid() == 0 else resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    except (ValueError, OSError):
        pass
    root = ["unshare", "--mount"] if os.geteuid() == 0 else []
    child = subprocess.Popen([*root, "sh", "-c", SETUP, "sh", *argv],
                             pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL,
                             env=dict(os.environ, **{INSIDE: str(theirs.fileno())}))
    theirs.close()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    watch = Watch(child.pid)
    try:
        for line in ours.makefile("r"):
            word, *rest = line.split()
            answer = watch.foreign() if word == "foreign" else watch.calls(*rest)
            ours.sendall((json.dumps(answer) + "\n").encode())
        return child.wait()
    except KeyboardInterrupt:
        return 130
    finally:
        child.kill()
        child.wait()


def stat_fields(pid):
    """/proc/PID/stat from the third field on."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


class Watch:
    """What the machine does besides us."""

    def __init__(self, child):
        self.child = child
        self.tick = os.sysconf("SC_CLK_TCK")

    def ours(self):
        """All processes that descend from our child, and we."""
        parent = {}
        for p in pathlib.Path("/proc").iterdir():
            if p.name.isdigit():
                try:
                    parent[int(p.name)] = int(stat_fields(p.name)[1])
                except OSError:
                    pass
        known = {os.getpid(), self.child}
        while True:
            more = {p for p, up in parent.items() if up in known} - known
            if not more:
                return known, parent
            known |= more

    def foreign(self):
        """Processor seconds of all processes that are neither the kernel's
        nor ours (with those of their children that have ended), and those
        that a hypervisor took."""
        known, parent = self.ours()
        spent = 0
        for pid, up in parent.items():
            if pid in known or pid == 2 or up == 2:
                continue
            try:
                spent += sum(int(x) for x in stat_fields(pid)[11:15])
            except OSError:
                pass
        steal = int(pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[8])
        return [spent / self.tick, steal / self.tick]

    def calls(self, secs, *inside):
        """System calls of those processes (numbers as seen inside) over a
        while, or None where that cannot be counted cheaply."""
        pids = []
        for pid in self.ours()[0]:
            try:
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            ns = [l for l in status.split("\n") if l.startswith("NSpid:")][0].split()
            if len(ns) > 2 and ns[2] in inside:
                pids.append(str(pid))
        if not pids or not shutil.which("perf"):
            return None
        done = subprocess.run(
            ["perf", "stat", "-x", ";", "-e", "raw_syscalls:sys_enter",
             "-p", ",".join(pids), "--", "sleep", secs],
            capture_output=True, text=True, check=False)
        first = done.stderr.strip().split("\n")[-1].split(";")[0]
        return int(first) if done.returncode == 0 and first.isdigit() else None


# ---- inside ----

class Asker:
    """The inner end of the watch."""

    def __init__(self):
        self.sock = socket.socket(fileno=int(os.environ.pop(INSIDE)))
        self.lines = self.sock.makefile("r")

    def ask(self, *words):
        self.sock.sendall((" ".join(map(str, words)) + "\n").encode())
        return json.loads(self.lines.readline())

    def start(self, *words):
        self.sock.sendall((" ".join(map(str, words)) + "\n").encode())

    def answer(self):
        return json.loads(self.lines.readline())


def sh(*args, data=None, check=True):
    done = subprocess.run(args, input=data, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise Failed(f"{' '.join(args)}: {done.stderr.strip()}")
    return done.stdout


def ip(ns, *lines):
    """Runs lines of ip(8) in a namespace (None: in the world)."""
    at = ("-n", ns) if ns else ()
    sh("ip", *at, "-batch", "-", data="\n".join(lines) + "\n")


def sysctl(name, value):
    try:
        pathlib.Path("/proc/sys/" + name.replace(".", "/")).write_text(value)
    except OSError:
        pass  # an older kernel, or one that allows it only at boot


def setns(fd, kind):
    if libc.setns(fd, kind):
        raise OSError(ctypes.get_errno(), "setns")


class Namespace:
    """A network namespace that is entered by descriptor."""

    def __init__(self, name):
        self.name = name
        sh("ip", "netns", "add", name)
        self.fd = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        try:
            setns(self.fd, CLONE_NEWNET)
            # The kernel's own chatter is no part of a measurement.
            sysctl("net.ipv6.conf.all.disable_ipv6", "1")
            sysctl("net.ipv6.conf.default.disable_ipv6", "1")
            sysctl("net.ipv4.tcp_no_metrics_save", "1")
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        finally:
            setns(home, CLONE_NEWNET)
            os.close(home)
        ip(name, "link set lo up")

    def flags(self, ifname):
        """Of an interface, None where there is none of that name."""
        try:
            got = fcntl.ioctl(self.sock, 0x8913, struct.pack("16s16x", ifname.encode()))
        except OSError:
            return None
        return struct.unpack_from("h", got, 16)[0]

    def is_up(self, ifname):
        """Whether an interface is there, up and running."""
        flags = self.flags(ifname)
        return flags is not None and flags & 0x41 == 0x41

    def close(self):
        self.sock.close()
        os.close(self.fd)
        sh("ip", "netns", "del", self.name, check=False)


class Process:
    """A program in a network namespace and, for peers from a tree of their
    own, in that tree; what it says on stderr goes to a file."""

    def __init__(self, argv, net=None, mnt=None, fds=(), read=False, write=False):
        self.name = os.path.basename(argv[0])
        self.err = tempfile.TemporaryFile("w+", dir=RUN)
        r, w = os.pipe()

        def before():
            # A shell ignores these in what it runs in its background.
            for sig in (signal.SIGINT, signal.SIGQUIT):
                signal.signal(sig, signal.SIG_DFL)
            if net is not None:
                setns(net, CLONE_NEWNET)
            if mnt is not None:
                setns(mnt, CLONE_NEWNS)
            os.write(w, struct.pack("q", time.monotonic_ns()))

        self.popen = subprocess.Popen(
            argv, pass_fds=fds, preexec_fn=before, stderr=self.err,
            stdin=subprocess.PIPE if write else subprocess.DEVNULL,
            stdout=subprocess.PIPE if read else self.err)
        os.close(w)
        self.began_ns = struct.unpack("q", os.read(r, 8))[0]
        os.close(r)
        self.pid = self.popen.pid

    def said(self):
        self.err.seek(0)
        lines = [l for l in self.err.read().split("\n") if l.strip()]
        return lines[-1][:300] if lines else "nothing"

    def ended(self):
        return self.popen.poll() is not None

    def line(self, seconds):
        """The next line of its output, None when there is none in time."""
        fd = self.popen.stdout.fileno()
        end = time.monotonic() + seconds
        text = b""
        while not text.endswith(b"\n"):
            left = end - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                return None
            more = os.read(fd, 65536)
            if not more:
                return None
            text += more
        return text.decode(errors="replace")

    def stop(self, patience=3):
        """Ends it; what was left of its output."""
        if not self.ended():
            self.popen.terminate()
        if self.popen.stdin:
            self.popen.stdin.close()
            self.popen.stdin = None
        try:
            out = self.popen.communicate(timeout=patience)[0]
        except subprocess.TimeoutExpired:
            self.popen.kill()
            out = self.popen.communicate()[0]
        self.err.close()
        return (out or b"").decode(errors="replace")


def descendants(pid):
    """A process and all below it that have not ended."""
    found = [pid]
    for p in found:
        try:
            kids = pathlib.Path(f"/proc/{p}/task/{p}/children").read_text()
            found += [int(k) for k in kids.split() if stat_fields(k)[0] != "Z"]
        except OSError:
            continue
    return found


def cpu_ns(pids):
    """Time on a processor, all threads."""
    total = 0
    for pid in pids:
        for task in pathlib.Path(f"/proc/{pid}/task").glob("*/schedstat"):
            try:
                total += int(task.read_text().split()[0])
            except OSError:
                pass
    return total


def memory_kib(pids):
    """Peak and present resident memory, without what is shared with the
    guest, and the proportional share of it all."""
    got = {"peak": 0, "rss": 0, "own": 0, "pss": 0}
    for pid in pids:
        try:
            status = dict(l.split(":", 1) for l in
                          pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())
            rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        if "VmRSS" not in status:
            continue
        kib = {k: int(status[k].split()[0]) for k in
               ("VmHWM", "VmRSS", "RssAnon", "RssFile")}
        got["peak"] += kib["VmHWM"]
        got["rss"] += kib["VmRSS"]
        got["own"] += kib["RssAnon"] + kib["RssFile"]
        got["pss"] += int(rollup.split("Pss:")[1].split()[0])
    return got


def machine_s():
    """Seconds the processors have worked since boot, whoever for."""
    f = [int(x) for x in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return (f[0] + f[1] + f[2] + f[5] + f[6]) / os.sysconf("SC_CLK_TCK")


def listens(path, pid="self"):
    """Whether somebody listens at a unix socket, without touching it; one is
    seen only where it was made."""
    for line in pathlib.Path(f"/proc/{pid}/net/unix").read_text().splitlines():
        f = line.split()
        if f[-1] == str(path) and f[3] == "00010000":
            return True
    return False


def listens_tcp(pid, port):
    """Whether somebody listens at a port, where a process is."""
    for table in ("tcp", "tcp6"):
        with open(f"/proc/{pid}/net/{table}", encoding="ascii") as f:
            if any(f":{port:04X} " in l and l.split()[3] == "0A" for l in f):
                return True
    return False


class Lab:
    """The world: made once, its interfaces and the server's processes."""

    def __init__(self, build, peers):
        self.build = pathlib.Path(build)
        self.peers = pathlib.Path(peers)
        self.asker = Asker()
        self.n_guests = 0
        self.mnt = None
        self.holder = None
        ip(None, "link set lo up")
        self.neighbour = Namespace("neighbour")
        # Some peers want an interface with a route out; nobody is there.
        ip(None, "link add up0 mtu 65520 type veth peer name up1 netns neighbour",
           f"addr add {SERVER}/24 dev up0", "link set up0 up",
           "route add default via 192.0.2.254")
        ip("neighbour", "link set up1 up")
        # The engines' own sockets use cubic, whatever the machine's choice.
        ip(None, f"route replace table local local {SERVER} dev up0 proto kernel "
           f"scope host src {SERVER} congctl cubic")
        for name in ("all", "default", "up0", "lo"):
            sysctl(f"net.ipv6.conf.{name}.disable_ipv6", "1")
        sysctl("net.ipv4.ip_local_port_range", "10000 65000")
        sysctl("net.ipv4.ping_group_range", "0 0")
        self.far = None
        self.servers = {}
        if (self.peers / "usr").is_dir():
            self.open_peers()

    def open_peers(self):
        """A mount namespace whose root is the peers' own tree."""
        script = ("mount --rbind \"$1\" \"$1\" && "
                  "for d in proc dev sys run; do mount --rbind /$d \"$1/$d\"; done && "
                  "cd \"$1\" && pivot_root . mnt && umount -l /mnt && "
                  "echo ready && exec sleep infinity")
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "slave", "sh", "-c", script, "sh",
             str(self.peers)],
            stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        if self.holder.stdout.readline() != b"ready\n":
            raise Failed(f"cannot make a root of {self.peers}")
        self.mnt = os.open(f"/proc/{self.holder.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)

    def find(self, program):
        """(path, mount namespace or None) of a peer's program, or None. One that
        no PATH leads to is given with its folder."""
        here = shutil.which(program)
        for folder in [""] if program.startswith("/") else ["/usr/bin", "/usr/sbin"]:
            path = f"{folder}/{program}" if folder else program
            if self.mnt is not None and (self.peers / path[1:]).exists():
                return path, self.mnt
        return (here, None) if here else None

    def tool(self, name):
        path = self.build / "bench" / name
        if not path.exists():
            raise Failed(f"{path} is missing: meson setup -Dbench=true, ninja")
        return str(path)

    def guest(self):
        self.n_guests += 1
        return Namespace(f"g{self.n_guests}")

    def open_far(self):
        """The server's place behind the kernel's NAT."""
        self.far = Namespace("far")
        self.router = Namespace("router")
        ip("far", "link add eth0 mtu 65520 type veth peer name out netns router",
           f"addr add {SERVER}/24 dev eth0", "link set eth0 up")
        ip("router", "addr add 192.0.2.2/24 dev out", "link set out mtu 65520 up")
        home = os.open("/proc/self/ns/net", os.O_RDONLY)
        setns(self.router.fd, CLONE_NEWNET)
        try:
            sysctl("net.ipv4.ip_forward", "1")
            sh("nft", "-f", "-", data="table ip nat { chain out { type nat hook "
               "postrouting priority 100; oifname \"out\" masquerade; }; }\n")
        finally:
            setns(home, CLONE_NEWNET)
            os.close(home)

    def serve(self, far=False):
        """Sees to it that the server runs."""
        old = self.servers.get(far)
        if old and not old.ended():
            return
        if far and not self.far:
            self.open_far()
        self.servers[far] = self.server(self.far if far else None)

    def server(self, ns, *words):
        """A server that listens, in a namespace or (None) in the world."""
        new = Process([self.tool("bench-load"), "serve", *words], net=ns.fd if ns else None)
        end = time.monotonic() + 5
        while time.monotonic() < end and not new.ended():
            if listens_tcp(new.pid, 7000):
                return new
            time.sleep(0.005)
        why = new.said()
        new.stop()
        raise Failed(f"the server does not listen: {why}")

    def close(self):
        for p in self.servers.values():
            p.stop()
        if self.holder:
            self.holder.kill()
            self.holder.wait()
