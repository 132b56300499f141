# SPDX-License-Identifier: BSD-3-Clause
"""The files that machines boot from, by HTTP inside of the network.

        g  -- user,tftp=DIR (vmlan join) -- host

http://<name server>/boot/PATH is DIR/PATH, and nothing beside it.  What else
that server says, and what it takes from hostile guests, is in test_cloud.py.
"""
import hashlib
import os
import re
import socket
import subprocess

import pytest

import world
from test_modes import PYTHON
from world import Vmlan, wait_for

URL = "http://10.0.2.3/boot/"
URL6 = "http://[fec0::3]/boot/"
BIG = 1 << 30


@pytest.fixture
def folder(tmp_path):
    d = tmp_path / "boot"
    (d / "sub").mkdir(parents=True)
    os.chmod(tmp_path, 0o755)
    (tmp_path / "out.txt").write_text("secret")
    (d / "data").write_bytes(os.urandom(3 << 20))
    (d / "empty").write_bytes(b"")
    (d / "sub" / "a b%.efi").write_text("deep")
    (d / "in").symlink_to("sub/a b%.efi")
    (d / "out").symlink_to("../out.txt")
    (d / "outdir").symlink_to("..")
    (d / "absolute").symlink_to(d / "data")
    (d / "loop").symlink_to("loop")
    (d / "magic").symlink_to("/proc/self/fd/0")
    os.mkfifo(d / "fifo")
    s = socket.socket(socket.AF_UNIX)
    here = os.open(d, os.O_PATH)
    s.bind(f"/proc/self/fd/{here}/sock")
    s.close()
    os.close(here)
    with open(d / "big", "wb") as f:
        f.truncate(BIG)
        f.seek(BIG - 4)
        f.write(b"last")
    return d


@pytest.fixture
def g(w):
    guest = w.guest("g0")
    return guest


def curl(g, url, *options, code=0):
    r = g.sh("curl", "-sS", "-m", "30", "--path-as-is", *options, url, check=False)
    assert r.returncode == code, (r.returncode, r.stdout, r.stderr)
    return r.stdout


def status(g, url, *options):
    return int(curl(g, url, "-o", "/dev/null", "-w", "%{http_code}", *options))


def sha256(g, url, options=""):
    return g.sh("sh", "-c", f"curl -sS {options} '{url}' | sha256sum", timeout=120).stdout.split()[0]


def has_ip6(g):
    a = g.sh("ip", "-6", "addr", "show", "dev", "eth0").stdout
    return "fec0:" in a and "tentative" not in a


def memory(pid):
    """The most that the process ever had, in KiB."""
    return int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{pid}/status").read())[1])


@pytest.mark.long
def test_files(g, folder):
    """Whole, in parts and once more, by either family."""
    data = (folder / "data").read_bytes()
    with Vmlan([f"user,tftp={folder},ipv6=on,ipv4=on", g.netdev()]) as v:
        g.dhcp()
        wait_for("an address of IPv6", lambda: has_ip6(g))
        for url in (URL, URL6):
            assert sha256(g, url + "data") == hashlib.sha256(data).hexdigest()
            assert curl(g, url + "sub/a%20b%25.efi") == curl(g, url + "in") == "deep"
            assert curl(g, url + "empty") == "" and status(g, url + "empty") == 200
        head = curl(g, URL + "sub/a%20b%25.efi", "-I").lower()
        assert "content-type: application/efi\n" in head and "content-length: 4\n" in head
        assert sha256(g, URL + "data", "-r 1000000-1999999") == hashlib.sha256(
            data[1000000:2000000]).hexdigest()
        # beyond 2^29, and nothing of it is in anybody's memory
        assert curl(g, URL + "big", "-r", f"{BIG - 4}-") == "last"
        had = memory(v.proc.pid)
        size = BIG if world.FULL else 64 << 20
        assert sha256(g, URL + "big", f"-r {BIG - size}-") == hashlib.sha256(
            bytes(size - 4) + b"last").hexdigest()
        assert memory(v.proc.pid) - had < 8192
        if not world.FULL:
            return
        # cut short while it is sent: the client sees that, when nothing comes any more
        slow = g.popen("curl", "-sS", "--limit-rate", "20M", "-o", "/dev/null", URL + "big",
                       stderr=subprocess.PIPE, text=True)
        try:
            wait_for("it to come", lambda: "ESTAB" in g.sh("ss", "-tn").stdout)
            os.truncate(folder / "big", 10)
            assert slow.wait(120) == 18
        finally:
            slow.kill()
            slow.wait()
            slow.stderr.close()


def test_no_way_out(g, folder):
    with Vmlan([f"user,tftp={folder}", g.netdev()]):
        g.dhcp()
        for path in ("../out.txt", "..%2fout.txt", "%2e%2e/out.txt", "sub/../../out.txt", "/etc/passwd",
                     "%2fetc%2fpasswd", "out", "outdir/out.txt", "outdir", "absolute", "loop", "magic",
                     "nobody", "data/", "data/x", "data%00", "big%00x", "a" * 255, "a" * 2000, "%"):
            assert status(g, URL + path) in (400, 404), path
        for path in ("", "sub", "sub/", ".", "fifo", "sock", "//"):
            assert status(g, URL + path) in (403, 404), path
        assert status(g, "http://10.0.2.3/data") == 404
        assert status(g, "http://10.0.2.3/cloud/user-data") == 404
        assert status(g, URL + "sub/../data") == status(g, URL + "/data") == 200


CROWD = r"""
import socket, sys
socks = []
for i in range(int(sys.argv[1])):
    s = socket.create_connection(("10.0.2.3", 80), 20)
    s.sendall(b"GET /boot/big HTTP/1.1\r\nHost: x\r\n\r\n")
    assert s.recv(12) == b"HTTP/1.1 200"
    socks.append(s)
print("reads", flush=True)
sys.stdin.readline()
"""


def test_who_does_not_read(g, w, folder):
    """Files that nobody reads wait; who reads gets his."""
    other = w.guest("g1")
    with Vmlan([f"user,tftp={folder}", g.netdev(), other.netdev()]) as v:
        g.dhcp()
        other.dhcp()
        had = memory(v.proc.pid)
        crowd = g.popen(PYTHON, "-c", CROWD, "100", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                        text=True)
        try:
            assert crowd.stdout.readline() == "reads\n"
            assert sha256(other, URL + "data") == hashlib.sha256(
                (folder / "data").read_bytes()).hexdigest()
        finally:
            crowd.kill()
            crowd.wait()
            crowd.stdin.close()
            crowd.stdout.close()
        # a connection's own, and no more
        assert memory(v.proc.pid) - had < 100 * 64 + 8192


