# SPDX-License-Identifier: BSD-3-Clause
"""smb=: a real smbclient in a guest, smbd on the host."""
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

import world
from world import VMLAN, sh

SHARE = pathlib.Path("/run/share")
SECRET = pathlib.Path("/run/secret")
PY = "/usr/bin/python3"
# Connections that are open until one is refused: how many, when it has so many;
# all are closed when its input is.
FLOOD = (
    "import socket,sys\n"
    "held=[]\n"
    "try:\n"
    "    while len(held) < 300: held.append(socket.create_connection((sys.argv[1],int(sys.argv[2])),30))\n"
    "except ConnectionRefusedError: pass\n"
    "print(len(held),flush=True); sys.stdin.read()\n")
SERVER6 = "fec0::4"
GUEST6 = "fec0::100"


@pytest.fixture
def share():
    for d in (SHARE, SECRET):
        shutil.rmtree(d, ignore_errors=True)
        d.mkdir()
    pathlib.Path("/run/got").unlink(missing_ok=True)
    (SHARE / "hello").write_text("from the host\n")
    (SECRET / "key").write_text("nobody's\n")
    SECRET.chmod(0o700)
    yield SHARE
    for d in (SHARE, SECRET):
        shutil.rmtree(d)


def smb(g, *commands, server="10.0.2.4", name="qemu", port=445, check=True):
    """What smbclient says, without a password."""
    r = g.sh("smbclient", "-N", "-I", server, "-p", str(port), f"//VMLAN/{name}",
             "-c", "; ".join(commands), check=False)
    assert not check or r.returncode == 0, r
    return r.stdout + r.stderr


def addresses(g, ip="10.0.2.15"):
    world.no_waiting(g.ns, g.ifname)
    g.static(ip)
    g.sh("ip", "addr", "add", f"{GUEST6}/64", "dev", g.ifname, "nodad")


def running(word):
    """Pids of those processes that have not ended, by /proc: of all namespaces
    below."""
    found = []
    for p in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            name, state = re.search(r"\((.*)\) (.)", (p / "stat").read_text()).groups()
            if word not in name:
                continue
            if state != "Z":
                found.append(int(p.name))
            else:  # an orphan's parent is the first process, which may be we
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(int(p.name), 0)
        except OSError:
            pass  # it has ended
    return found


def nothing_left():
    return not running("smbd") and not running("samba-dcerpcd") and not running("vmlan-cell")


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_both_ways(w, share):
    """List, read, write, rename, remove; 100 MiB there and back; by either
    port and family."""
    g = w.guest()
    big, back = pathlib.Path("/run/big"), pathlib.Path("/run/back")
    with world.Vmlan([f"user,smb={share}", g.netdev()]) as v:
        assert "guest forward tcp 10.0.2.4:445 -> smb:/run/share" in v.log()
        addresses(g)
        for server, port in (("10.0.2.4", 445), ("10.0.2.4", 139), (SERVER6, 445), (SERVER6, 139)):
            assert re.search(r"^  hello +N? +14 ", smb(g, "ls", server=server, port=port), re.M)
        smb(g, "get hello /run/got", "mkdir d", "cd d", "put /run/got new", "rename new newer")
        assert pathlib.Path("/run/got").read_text() == "from the host\n"
        assert (share / "d" / "newer").read_text() == "from the host\n"
        assert (share / "d" / "newer").stat().st_mode & 0o777 == 0o644
        smb(g, "cd d", "del newer", "cd ..", "rmdir d")
        assert sorted(p.name for p in share.iterdir()) == ["hello"]
        big.write_bytes(os.urandom(1 << 20) * 100)
        try:
            smb(g, "put /run/big big", "get big /run/back")
            assert digest(share / "big") == digest(big) == digest(back)
        finally:
            big.unlink()
            back.unlink(missing_ok=True)
        world.wait_for("smbd ends with its connection", lambda: not running("smbd"))
    world.wait_for("nothing is left", nothing_left)


def test_nothing_but_the_folder(w, share):
    """No link leads out, no other share is there, nothing of the host is seen,
    and no port of the host's is open."""
    (share / "out").symlink_to(SECRET / "key")
    (share / "dir").symlink_to(SECRET)
    (share / "etc").symlink_to("/etc")
    (share / "up").symlink_to("../secret/key")
    (share / "inside").symlink_to("hello")
    g = w.guest()
    ports = sh("ss", "-Hltn").stdout
    with world.Vmlan([f"user,smb={share}", g.netdev()]):
        addresses(g)
        for name in ("out", "dir/key", "etc/passwd", "up", "../secret/key", "dir/../../secret/key"):
            said = smb(g, f"get {name} /run/got", check=False)
            assert "NT_STATUS_" in said and not os.path.exists("/run/got"), (name, said)
        smb(g, "get inside /run/got")
        assert pathlib.Path("/run/got").read_text() == "from the host\n"
        os.unlink("/run/got")
        # what smbd itself could: the host's other folders are not there
        holder, = running("vmlan-cell")
        r = sh("nsenter", "-t", str(holder), "-U", "--preserve-credentials", "-m", "ls", "-A",
               "/run", "/etc", check=False)
        assert "secret" not in r.stdout and "shadow" not in r.stdout and "passwd" in r.stdout, r
        said = g.sh("smbclient", "-N", "-g", "-L", "10.0.2.4", check=False).stdout
        assert [l for l in said.splitlines() if "|" in l] == [
            "Disk|qemu|", "IPC|IPC$|IPC Service (vmlan)"]
        for name in ("print$", "homes", "root", "share", "state", "C$"):
            assert "NT_STATUS_BAD_NETWORK_NAME" in smb(g, "ls", name=name, check=False)
        assert sh("ss", "-Hltn").stdout == ports
    world.wait_for("nothing is left", nothing_left)


def test_only_reading(w, share):
    g = w.guest()
    opts = (f"user,smb={share},smb-readonly=on,smbserver=10.0.2.9,ipv6-smbserver=fec0::9,"
            "restrict=on")
    with world.Vmlan([opts, g.netdev()]):
        addresses(g)
        for server in ("10.0.2.9", "fec0::9"):
            assert "NT_STATUS_" in smb(g, "put /proc/version v", server=server, check=False)
            assert "NT_STATUS_" in smb(g, "del hello", server=server, check=False)
            smb(g, "get hello /run/got", server=server)
        os.unlink("/run/got")
    assert [p.name for p in share.iterdir()] == ["hello"]


def refused(text):
    r = sh(VMLAN, "join", f"user,{text}", check=False)
    said, = r.stderr.splitlines()
    return r.returncode, said


def test_errors(w, share):
    """One line: object, cause, remedy."""
    assert refused("smb=/run/nowhere") == (
        4, "vmlan: error: user: smb=/run/nowhere: there is no such folder")
    assert refused("smb=/run/share/hello") == (
        2, "vmlan: error: user: smb=/run/share/hello: this is no folder")
    assert refused(f"smb={share},smbserver=10.0.2.2") == (
        2, "vmlan: error: user: Conflicting/invalid smbserver address (smbserver=10.0.2.2)")
    sh("mount", "--bind", "/dev/null", "/usr/sbin/smbd")
    try:
        assert refused(f"smb={share}") == (
            1, f"vmlan: error: user: smb={share}: there is no smbd on this host, install the package samba")
    finally:
        sh("umount", "/usr/sbin/smbd")
    r = sh("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", VMLAN, "join",
           f"user,smb={SECRET}", check=False) if world.HOST_ROOT else None
    if r:  # root's folder is closed to others
        assert (r.returncode, r.stderr) == (
            6, f"vmlan: error: user: smb={SECRET}: Permission denied\n")


def test_many_connections(w, share):
    """One guest cannot have all the programs there are; another one is served,
    and the first again when it has let go."""
    a, b = w.guest(), w.guest()
    with world.Vmlan([f"user,smb={share}", a.netdev(), b.netdev()]) as v:
        addresses(a)
        b.static("10.0.2.16")
        # Opens connections until one is refused.
        flood = a.popen(PY, "-c", FLOOD, "10.0.2.4", "445", stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE, text=True)
        n = int(flood.stdout.readline())
        assert 100 <= n <= 128, v.log()
        assert "hello" in smb(b, "ls")
        flood.stdin.close()
        flood.wait()
        world.wait_for("the flood's smbd end", lambda: not running("smbd"))
        assert "hello" in smb(a, "ls")
        assert "which is refused" in v.log()


@pytest.mark.parametrize("net", ["natnet", "hostonly", "internal,dhcp=on"])
def test_modes(w, share, net, monkeypatch):
    """In a network of its own: the same folder to all its machines; a keeper
    that is killed leaves nothing, and its next one serves again."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run")
    mode, *keys = net.split(",")
    sh(VMLAN, "up", "-q", "lab", mode, *keys, *(["exec=on"] if keys else []), f"smb={share}")
    try:
        def ls(server):
            return sh(VMLAN, "exec", "lab", "--", "smbclient", "-N", "-I", server, "//VMLAN/qemu",
                      "-c", "ls", check=False).stdout
        o = json.loads(sh(VMLAN, "show", "--json", "lab").stdout)
        nets = [s["net"].rsplit("/")[0] for s in o["subnets"]]
        servers = [nets[0].rsplit(".", 1)[0] + ".4", nets[1] + "4"]
        for server in servers:
            assert "hello" in ls(server)
        os.kill(o["keeper"], signal.SIGKILL)
        world.wait_for("nothing is left of smb", nothing_left)
        for server in servers:
            assert "hello" in ls(server)
    finally:
        sh(VMLAN, "down", "-q", "lab")
    world.wait_for("nothing is left", nothing_left)
    assert not pathlib.Path("/run/vmlan/lab").exists()


def test_kills(w, share):
    """Whoever is killed, a guest is served again; nothing stays behind."""
    g = w.guest()
    with world.Vmlan([f"user,smb={share}", g.netdev()]) as v:
        addresses(g)
        holder, = running("vmlan-cell")
        with g.popen("smbclient", "-N", "-I", "10.0.2.4", "//VMLAN/qemu", stdin=subprocess.PIPE,
                     stdout=subprocess.DEVNULL) as c:
            first, *_ = world.wait_for("smbd", lambda: running("smbd"))
            # a SYN that is on its way would find the next engine
            world.wait_for("the connection", lambda: g.sh("ss", "-Htn", "state", "established").stdout)
            os.kill(v.engine(), signal.SIGKILL)
            world.wait_for("its smbd goes with the engine", lambda: not running("smbd"))
            c.kill()
        world.wait_for("another engine", lambda: v.engine())
        world.wait_for("is served again", lambda: "hello" in smb(g, "ls", check=False))
        os.kill(holder, signal.SIGKILL)
        world.wait_for("is served again", lambda: "hello" in smb(g, "ls", check=False))
        assert running("vmlan-cell") != [holder]
        p = g.popen("smbclient", "-N", "-I", "10.0.2.4", "//VMLAN/qemu", stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL)
        world.wait_for("smbd", lambda: running("smbd"))
        v.proc.kill()
        v.proc.wait()
        world.wait_for("all end with the keeper", nothing_left)
        p.kill()
        p.wait()
        v.close = lambda: None
