# SPDX-License-Identifier: BSD-3-Clause
"""Network boot: TFTP with real clients and a hostile one, and what DHCP tells
machines to boot."""
import hashlib
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import subprocess

import pytest
import qemu

import world
from test_modes import rundir, show, vmlan  # noqa: F401
from world import VMLAN, process, sh, wait_for

PYTHON = "/usr/bin/python3"
ROOT = pathlib.Path("/run/tftp")
V4, V6 = "10.0.2.2", "fec0::2"


@pytest.fixture
def root(w):
    """The folder that is served, beside one file that is not."""
    sh("rm", "-rf", str(ROOT))
    ROOT.joinpath("sub").mkdir(parents=True)
    ROOT.chmod(0o755)
    ROOT.parent.joinpath("secret").write_text("secret")
    yield ROOT
    sh("rm", "-rf", str(ROOT), "/run/secret")


def put(name, size):
    text = random.Random(size).randbytes(size)
    ROOT.joinpath(name).write_bytes(text)
    return hashlib.sha256(text).hexdigest()


@pytest.fixture
def net(w, root):
    """A guest with a lease of either family, behind a gateway with TFTP."""
    g = w.guest()
    with world.Vmlan([f"user,tftp={ROOT}", g.netdev()]) as v:
        lease(g)
        yield w, g, v


def lease(g):
    world.no_waiting(g.ns, g.ifname)
    g.dhcp()
    wait_for("an address of IPv6", lambda: "fec0:" in
             g.sh("ip", "-6", "addr", "show", "dev", "eth0", "scope", "global").stdout
             or "fec0:" in g.sh("ip", "-6", "addr", "show", "dev", "eth0").stdout)


def client(g, server, *args, **kw):
    return g.sh(PYTHON, str(world.HERE / "tftp_client.py"), server, *map(str, args), **kw)


def fetched(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


# ---- real clients ----

@pytest.mark.parametrize("server", [V4, V6])
def test_tftp_hpa(net, server):
    _, g, _ = net
    for size in (0, 1, 511, 512, 513, 100000):
        want = put("a", size)
        g.sh("tftp", "-m", "binary", server, "-c", "get", "/a", "/run/got")
        assert fetched("/run/got") == want
    # its own mode is netascii, which changes what is in a file
    out = g.sh("tftp", server, "-c", "get", "a", "/run/got").stdout
    assert "Unsupported transfer mode" in out
    out = g.sh("tftp", "-m", "binary", server, "-c", "get", "none", "/run/got").stdout
    assert "Error code 1: File not found" in out
    out = g.sh("tftp", "-m", "binary", server, "-c", "put", "/run/got", "new").stdout
    assert "Error code 2" in out and not ROOT.joinpath("new").exists()


@pytest.mark.parametrize("server", [V4, f"[{V6}]"])
def test_curl(net, server):
    _, g, _ = net
    want = put("sub/b", 300000)
    for size in (512, 1428, 1468, 65464):
        g.sh("curl", "-s", "--fail", "--tftp-blksize", str(size), "-o", "/run/got",
             f"tftp://{server}/sub/b")
        assert fetched("/run/got") == want


def test_busybox_and_atftp(net):
    _, g, _ = net
    want = put("c", 200000)
    g.sh("busybox", "tftp", "-g", "-b", "1400", "-l", "/run/got", "-r", "c", V4)
    assert fetched("/run/got") == want
    for server in (V4, V6):
        g.sh("atftp", "--option", "blksize 1024", "--option", "tsize 0", "--option", "timeout 2",
             "--option", "windowsize 8", "-g", "-r", "c", "-l", "/run/got", server)
        assert fetched("/run/got") == want


@pytest.mark.parametrize("server", [V4, V6])
def test_windows(net, server):
    _, g, _ = net
    want = put("d", 3000000)
    most = 1468 if server == V4 else 1448
    out = client(g, server, "get", "d", "blksize=9000", "windowsize=64", "tsize=0").stdout
    assert out == (f"{{'blksize': {most}, 'tsize': 3000000, 'windowsize': 32}} "
                   f"{want} 3000000\n")


@pytest.mark.long
@pytest.mark.parametrize("server", [V4, V6] if world.FULL else [V6])
def test_losses(net, server):
    _, g, _ = net
    want = put("d", 60000)
    out = client(g, server, "get", "d", "blksize=1400", "windowsize=16", "loss=5").stdout
    assert out.endswith(f"{want} 60000\n")


def test_more_blocks_than_numbers(net):
    _, g, _ = net
    want = put("e", 65536 * 8 + 100)
    assert client(g, V4, "get", "e", "blksize=8", "windowsize=32").stdout.endswith(
        f"{want} {65536 * 8 + 100}\n")


def test_a_file_that_is_not_in_memory(w, tmp_path):
    """Read from the disk while it is sent."""
    text = random.Random(5).randbytes(8 << 20)
    file = tmp_path / "big"
    file.write_bytes(text)
    with open(file, "rb") as f:
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    g = w.guest()
    with world.Vmlan([f"user,tftp={tmp_path}", g.netdev()]):
        g.dhcp()
        out = client(g, V4, "get", "big", "blksize=1468", "windowsize=32").stdout
        assert out.endswith(f"{hashlib.sha256(text).hexdigest()} {8 << 20}\n")


# ---- what is not served ----

def test_nothing_outside_is_met(net):
    _, g, _ = net
    put("inside", 100)
    for name, to in (("link", "inside"), ("sub/up", "../inside"), ("out", "../secret"),
                     ("far", "/etc/passwd"), ("etc", "/etc"), ("null", "/dev/null"),
                     ("magic", "/proc/self/root"), ("loop", "loop"), ("dots", "..")):
        os.symlink(to, ROOT / name)
    os.mkfifo(ROOT / "fifo")
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(ROOT / "socket"))
    if world.HOST_ROOT:
        os.mknod(ROOT / "device", 0o20666, os.makedev(1, 5))  # /dev/zero has no end
    else:
        ROOT.joinpath("device").mkdir()
    s.close()
    wanted = {
        "inside": 100, "/inside": 100, "//inside": 100, "\\inside": 100, "link": 100,
        "sub/up": 100, "./inside": 100,
        "../secret": 2, "/../secret": 2, "sub/../../secret": 2, "sub/../inside": 2,
        "..\\secret": 2, "sub\\..\\..\\secret": 2, "/etc/passwd": 1, "/run/secret": 1,
        "out": 1, "far": 1, "etc/passwd": 1, "null": 1, "magic/etc/passwd": 1, "loop": 1,
        "dots/secret": 1, "dots": 1, "fifo": 2, "socket": 2, "device": 2, "sub": 2, "sub/": 2,
        ".": 2, "/": 2, "none": 1, "inside/x": 1, "x" * 300: 1, "x" * 511: 1, "x" * 512: 4,
        "a/" * 200 + "b": 1, "%2e%2e/secret": 1, "\xff": 1, "inside\n": 1,
    }
    names = [n.encode("latin-1") for n in wanted] + [b""]
    out = client(g, V4, "try", input=repr(names)).stdout.splitlines()
    told = [l if l.isdigit() else int(l.split(",")[0][1:]) for l in out]
    assert dict(zip([*wanted, ""], map(int, told))) == {**wanted, "": 4}


def test_a_file_without_permission(net):
    w, g, v = net
    put("closed", 100)
    ROOT.joinpath("closed").chmod(0)
    out = client(g, V4, "try", input="[b'closed']").stdout
    # whoever is root in a namespace of his own may read what is his
    assert out in ("(2, 'Access violation')\n", "100\n")


def test_half_open_transfers(w, root):
    """One guest begins ten thousand; another one is served meanwhile."""
    a, b = w.guest(), w.guest()
    n = 10000
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(n + 200, hard), hard))
    want = put("f", 400000)
    put("little", 600)
    with world.Vmlan([f"user,tftp={ROOT}", a.netdev(), b.netdev()]) as v:
        a.dhcp()
        b.dhcp()
        with process(PYTHON, str(world.HERE / "tftp_client.py"), V4, "flood", str(n), "little",
                     ns=a.ns, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
            for _ in range(3):
                assert client(b, V4, "get", "f", "blksize=1468").stdout.endswith(
                    f"{want} 400000\n")
            data, error, nothing = map(int, p.stdout.readline().split())
            files = len(os.listdir(f"/proc/{v.engine()}/fd"))
            p.communicate()
        # three quarters of 256 for one guest, and some that were over again
        assert 32 <= data and error and data + error + nothing == n
        assert files < 256 + 60
        assert client(b, V4, "get", "f").stdout.endswith(f"{want} 400000\n")
        assert v.proc.poll() is None


def test_restrict_lets_it_through(w, root):
    g = w.guest()
    want = put("a", 5000)
    with world.Vmlan([f"user,tftp={ROOT},restrict=on", g.netdev()]):
        lease(g)
        for server in (V4, V6):
            assert client(g, server, "get", "a").stdout.endswith(f"{want} 5000\n")
        g.sh("ip", "route", "add", "default", "via", V4, check=False)
        assert g.sh("ping", "-c", "1", "-W", "1", world.INET_IP, check=False).returncode


def test_without_a_folder_port_69_is_the_hosts(w):
    g = w.guest()
    with world.Vmlan(["user", g.netdev()]), socket.socket(type=socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 69))
        g.dhcp()
        with g.popen("busybox", "tftp", "-g", "-l", "/run/got", "-r", "x", V4,
                     stderr=subprocess.DEVNULL) as p:
            s.settimeout(10)
            assert s.recv(100).startswith(b"\0\1x\0octet\0")
            p.kill()


def test_engine_killed(net):
    _, g, v = net
    want = put("a", 50000)
    assert client(g, V4, "get", "a").stdout.endswith(f"{want} 50000\n")
    old = v.engine()
    os.kill(old, signal.SIGKILL)
    wait_for("another engine", lambda: v.engine() not in (None, old))
    assert client(g, V4, "get", "a").stdout.endswith(f"{want} 50000\n")


def one_line(text, code):
    r = sh(VMLAN, "join", text, "stream,server=on,addr.type=unix,addr.path=/run/wire",
           check=False)
    assert r.returncode == code and len(r.stderr.splitlines()) == 1, r
    return r.stderr.strip()


def test_folders_that_are_none(root):
    put("file", 1)
    assert one_line("user,tftp=/run/gone", 4).endswith(
        "user: tftp=/run/gone: there is no such folder")
    assert one_line(f"user,tftp={ROOT}/file", 2).endswith(f"tftp={ROOT}/file is no folder")
    assert "cannot be empty" in one_line("user,tftp=", 2)
    assert "cannot exceed 127 bytes" in one_line(f"user,bootfile={'x' * 128}", 2)
    assert "cannot exceed 255 bytes" in one_line(f"user,tftp-server-name={'x' * 256}", 2)


# ---- what DHCP tells ----

# Prints siaddr, file, and the options 66, 67, 60 of the offer; and the URL and
# vendor class of DHCPv6's answer.
ASK = r"""
import socket, struct, sys
arch, vendor, user = int(sys.argv[1]), sys.argv[2].encode(), sys.argv[3].encode()
mac = bytes.fromhex(open("/sys/class/net/eth0/address").read().replace(":", ""))

def options(form, *those):
    return b"".join(struct.pack(form, c, len(v)) + v for c, v in those if v is not None)

def unpacked(form, b):
    n = struct.calcsize(form)
    while len(b) > n and b[0] != 255:
        code, size = struct.unpack(form, b[:n])
        yield code, b[n:n + size]
        b = b[n + size:]

def ask(family, here, there, message):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
    s.settimeout(10)
    s.bind(here)
    s.sendto(message, there)
    return s.recv(2000)

def text(b):
    return b.rstrip(b"\0").decode() or "-"

words = struct.pack("!H", arch) if arch >= 0 else None
b = ask(socket.AF_INET, ("", 68), ("255.255.255.255", 67),
        struct.pack("!4BIHH16s16s192sI", 1, 1, 6, 0, 7, 0, 0x8000, b"", mac, b"", 0x63825363) +
        options("!BB", (53, b"\1"), (55, bytes([1, 3, 66, 67, 60])), (93, words),
                (60, vendor or None), (77, user or None)) + b"\xff")
told = dict(unpacked("!BB", b[240:]))
print(socket.inet_ntoa(b[20:24]), text(b[108:236]), *(text(told.get(o, b"")) for o in (66, 67, 60)))
b = ask(socket.AF_INET6, ("::", 546), ("ff02::1:2", 547, 0, socket.if_nametoindex("eth0")),
        b"\x0b\0\0\x09" + options("!HH", (1, b"\0\3\0\1" + mac), (6, bytes([0, 59])),
            (61, words),
            (16, struct.pack("!IH", 343, len(vendor)) + vendor if vendor else None),
            (15, struct.pack("!H", len(user)) + user if user else None)))
told = dict(unpacked("!HH", b[4:]))
print(text(told.get(59, b"")), text(told.get(16, b"")[6:]))
"""


def told(g, arch=-1, vendor="", user=""):
    return g.sh(PYTHON, "-c", ASK, str(arch), vendor, user).stdout.split()


def test_boot_programs_by_architecture(net):
    _, g, v = net
    assert told(g, 7) == [V4, "-", "-", "-", "-", "-", "-"]
    # files that come while it runs
    for name in ("undionly.kpxe", "grubx64.efi", "boot.ipxe"):
        put(name, 10)
    wait_for("the new files", lambda: told(g, 7)[1] == "grubx64.efi")
    assert told(g, 7) == [V4, "grubx64.efi", "-", "grubx64.efi", "-",
                          f"tftp://[{V6}]/grubx64.efi", "-"]
    assert told(g, 0)[1] == "undionly.kpxe"
    assert told(g, 0, "PXEClient", "iPXE")[1] == "boot.ipxe"
    assert told(g, 11)[1] == "-"
    assert told(g)[1] == "-"
    ROOT.joinpath("grubx64.efi").unlink()
    wait_for("what is left", lambda: told(g, 7)[1] == "-")


def test_boot_file_for_all(w, root):
    g = w.guest()
    put("grubx64.efi", 10)
    options = f"user,tftp={ROOT},bootfile=/my/loader,tftp-server-name=192.0.2.9"
    with world.Vmlan([options, g.netdev()]):
        lease(g)
        assert told(g, 7) == told(g) == ["192.0.2.9", "/my/loader", "192.0.2.9", "/my/loader",
                                         "-", f"tftp://[{V6}]/my/loader", "-"]
    with world.Vmlan(["user,bootfile=http://boot.test/x.efi", g.netdev()]):
        lease(g)
        url = "http://boot.test/x.efi"
        assert told(g) == [V4, url, "-", url, "HTTPClient", url, "HTTPClient"]


def test_boot_file_names_a_folder(w, root):
    g = w.guest()
    put("grubx64.efi", 10)
    put("sub/bootx64.efi", 10)
    with world.Vmlan([f"user,tftp={ROOT},bootfile=sub/", g.netdev()]) as v:
        lease(g)
        assert told(g, 7)[1] == "sub/bootx64.efi"
        assert f"tftp {ROOT}, boot files UEFI x64: bootx64.efi" in v.log()
        put("sub/pxelinux.0", 10)
        wait_for("a file in the folder's folder", lambda: told(g, 0)[1] == "sub/pxelinux.0")


@pytest.mark.parametrize("more", ["", ",restrict=on"])
def test_the_folder_by_http(w, root, more):
    g = w.guest()
    want = put("sub/grubx64.efi", 300000)
    with world.Vmlan([f"user,tftp={ROOT},bootfile=sub{more}", g.netdev()]):
        lease(g)
        answer = told(g, 16, "HTTPClient:Arch:00016:UNDI:003001")
        urls = ["http://10.0.2.3/boot/sub/grubx64.efi", "http://[fec0::3]/boot/sub/grubx64.efi"]
        assert answer == [V4, urls[0], "-", urls[0], "HTTPClient", urls[1], "HTTPClient"]
        for url in urls:
            g.sh("curl", "-s", "--fail", "-o", "/run/got", url)
            assert fetched("/run/got") == want


# ---- modes ----

KERNEL = pytest.param(["natnet", "backend=kernel"], marks=pytest.mark.root, id="kernel")


@pytest.mark.parametrize("mode", [["natnet"], ["hostonly"], ["internal", "dhcp=on", "exec=on"],
                                  KERNEL], ids=lambda m: m[0])
def test_modes_serve_it(root, rundir, mode):
    want = put("sub/b", 50000)
    vmlan("up", "lab", *mode, f"tftp={ROOT}", "bootfile=sub")
    user = next(n for n in show("lab")["netdevs"] if n.startswith("user,"))
    keys = dict(k.split("=", 1) for k in user.split(",")[1:])
    v4 = keys.get("host") or keys["net"].rsplit(".", 1)[0] + ".2"
    v6 = keys.get("ipv6-host") or keys["ipv6-net"].split("/")[0] + "2"
    for server in (v4, f"[{v6}]"):
        vmlan("exec", "lab", "--", "curl", "-s", "--fail", "-o", "/run/got",
              f"tftp://{server}/sub/b")
        assert fetched("/run/got") == want
    vmlan("down", "lab")


# ---- machines ----

class Booting(qemu.Qemu):
    """A machine that has nothing but its card, under `vmlan run`."""

    def __init__(self, run, *words, memory=256):
        self.proc = subprocess.Popen(
            [VMLAN, "run", *run, "--", "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max",
             "-m", str(memory), "-display", "none", "-monitor", "none", "-serial", "stdio",
             "-no-reboot", *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.text = ""
        self.at = 0


HTTP = "http://10.0.2.3/boot/"


def put_linux(kernel="", initrd=""):
    """The test guest's kernel, and the script by which iPXE starts it: from where
    it is itself, or by a URL."""
    for name in ("vmlinuz", "initrd"):
        shutil.copy(qemu.IMAGE / name, ROOT)
    ROOT.joinpath("boot.ipxe").write_text(
        f"#!ipxe\nkernel {kernel}vmlinuz initrd=initrd {qemu.words()}\n"
        f"initrd {initrd}initrd\nboot\n")


def linux_comes_up(*args, **kw):
    vm = Booting(*args, **kw)
    try:
        assert vm.until("lease", 240).startswith("10.0.2.15/24, router 10.0.2.2")
        assert vm.rest(240) == 0
    finally:
        vm.close()
    assert not re.search("AddressSanitizer|runtime error:", vm.text), vm.text
    return vm.text


@pytest.mark.qemu
def test_ipxe_boots_linux(root):
    """BIOS: the kernel by TFTP, the rest by HTTP."""
    put_linux(initrd=HTTP)
    linux_comes_up(["--pxe", str(ROOT)])


def test_pxe_needs_a_network_with_a_server(root):
    def refused(*args):
        r = sh(VMLAN, "run", "--pxe", str(ROOT), *args, "--", "true", "{socket}", check=False)
        assert r.returncode == 2 and len(r.stderr.splitlines()) == 1, r
        return r.stderr

    assert "no --net is nat, natnet, hostonly or internal" in refused("--net", "bridged,bridge=br0")
    assert "there is none" in refused("--net", "none")
    assert "tftp= is given twice" in refused("--net", "nat,tftp=/run")
    assert f"user,tftp={ROOT}" in refused("-nic", "user")
    assert "without dhcp=on there is no server" in refused("--net", "internal:in")


if world.FULL:
    OVMF = pathlib.Path("/usr/share/OVMF")

    def uefi(folder):
        """Its own boot of the network, without the card's ROM, which is iPXE."""
        shutil.copy(OVMF / "OVMF_VARS.fd", folder)
        return ["-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}/OVMF_CODE.fd",
                "-drive", f"if=pflash,format=raw,file={folder}/OVMF_VARS.fd",
                "-global", "virtio-net-pci.romfile="]

    def without_pxe(*versions):
        return [w for v in versions
                for w in ("-fw_cfg", f"name=opt/org.tianocore/IPv{v}PXESupport,string=n")]

    @pytest.mark.qemu
    @pytest.mark.parametrize("base", ["", HTTP])
    def test_ipxe_boots_linux_by_one(root, base):
        put_linux(base, base)
        linux_comes_up(["--pxe", str(ROOT)])

    @pytest.mark.qemu
    def test_uefi_boots_linux_over_tftp(root, tmp_path):
        """PXE of OVMF loads iPXE, which loads the rest."""
        put_linux()
        shutil.copy("/usr/lib/ipxe/ipxe.efi", ROOT)
        text = linux_comes_up(["--pxe", str(ROOT)], *uefi(tmp_path), memory=512)
        assert "Start PXE over IPv4" in text and "ipxe.efi" in text, text

    @pytest.mark.qemu
    def test_uefi_boots_linux_over_http(root, tmp_path):
        """HTTP boot of OVMF, which is told not to try PXE."""
        put_linux()
        shutil.copy("/usr/lib/ipxe/ipxe.efi", ROOT)
        text = linux_comes_up(["--pxe", str(ROOT)], *uefi(tmp_path), *without_pxe(4, 6),
                              memory=512)
        assert "Start PXE" not in text and "Start HTTP Boot over IPv4" in text, text
        assert "http://10.0.2.3/boot/ipxe.efi" in text, text

    @pytest.mark.qemu
    @pytest.mark.parametrize("how", ["PXE", "HTTP Boot"])
    def test_uefi_boots_over_ipv6(root, tmp_path, how):
        """On a network without IPv4, for which HTTP boot waits a minute all the
        same: iPXE, which says so."""
        shutil.copy("/usr/lib/ipxe/ipxe.efi", ROOT)
        vm = Booting(["--net", "nat,ipv4=off", "--pxe", str(ROOT)], *uefi(tmp_path),
                     *without_pxe(4, *([] if how == "PXE" else [6])), memory=512)
        try:
            next(l for l in vm.lines(300) if "iPXE initialising devices" in l)
            file = "NBP filename is ipxe.efi" if how == "PXE" else "::3]/boot/ipxe.efi"
            assert f"Start {how} over IPv6" in vm.text and file in vm.text, vm.text
        finally:
            vm.close()
