# SPDX-License-Identifier: BSD-3-Clause
"""`vmlan ssh`: a machine without a forwarded port, by the system's ssh.

        vmlan ssh       its own machine, made by vmlan exec
        |
      [network] -- host -- inet (the world of world.py)
        |
        a, b            machines, with a server on port 22

Each test runs as the root of the world and as an ordinary user of it.  The
client is OpenSSH's, the server Dropbear, whose package starts none on the host;
it runs as the user who is its only one, for whom it needs no right.
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

import pytest

from test_exec import (ORDINARY, RUNDIR, User, end, lab, user)  # noqa: F401
from test_modes import PYTHON
from world import VMLAN, is_dead, popen, sh, stop, wait_for

DIR = pathlib.Path("/run/ssh")
CONFIG = f"""
IdentityFile {DIR}/key
IdentitiesOnly yes
UserKnownHostsFile {DIR}/known
GlobalKnownHostsFile /dev/null
StrictHostKeyChecking accept-new
BatchMode yes
ConnectTimeout 1
LogLevel ERROR
"""

@pytest.fixture
def keys():
    """Keys, and an account whose shell takes commands."""
    DIR.mkdir(exist_ok=True)
    if not (DIR / "key").exists():
        sh("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(DIR / "key"))
        sh("dropbearkey", "-t", "ed25519", "-f", str(DIR / "host"))
    (DIR / ".ssh").mkdir(mode=0o700, exist_ok=True)
    (DIR / ".ssh" / "authorized_keys").write_text((DIR / "key.pub").read_text())
    (DIR / ".ssh" / "authorized_keys").chmod(0o600)
    (DIR / "config").write_text(CONFIG)
    (DIR / "known").write_text("")
    passwd = DIR / "passwd"
    passwd.write_text(pathlib.Path("/etc/passwd").read_text() +
                      f"tester:x:1000:1000::{DIR}:/bin/sh\n")
    sh("mount", "--bind", str(passwd), "/etc/passwd")
    yield
    sh("umount", "/etc/passwd")


class Machine:
    """A kernel guest that the network's owner has plugged in."""

    def __init__(self, w, user, name, net, options=(), word="", guest=None):
        """options: more of run's; word: what the VMM says of its arguments."""
        self.name = name
        self.guest = guest or w.guest(name)
        self.sock = RUNDIR / f"{name}.sock"
        self.vmm = user.popen("run", "-q", "--name", name, "--net", net, *options, "--", "sh", "-c",
                              f"ln -s {{socket}} {self.sock}; echo up {word}; exec sleep 1000")
        up, *self.said = self.vmm.stdout.readline().split()
        assert up == "up"
        self.cable = popen(VMLAN, "join", "-q", self.guest.netdev(),
                           f"stream,addr.type=unix,addr.path={self.sock},reconnect-ms=50")
        self.server = None
        wait_for("eth0", lambda: self.guest.sh("ip", "link", "show", "eth0",
                                               check=False).returncode == 0, 30)

    def serve(self, port=22):
        """An SSH server, as the user of the account."""
        self.guest.sh("sysctl", "-q", "net.ipv4.ip_unprivileged_port_start=0")
        self.server = self.guest.popen(*ORDINARY, "/usr/sbin/dropbear", "-F", "-E", "-m", "-p",
                                       str(port), "-r", str(DIR / "host"), "-P", "",
                                       stderr=subprocess.DEVNULL)
        return self

    def up(self):
        self.guest.sh("ip", "link", "set", "eth0", "up")

    def close(self):
        if self.server:
            self.server.terminate()
            self.server.wait()
        stop(self.cable)
        stop(self.vmm)
        end(self.vmm)
        self.sock.unlink()


@pytest.fixture
def machine(w, user, keys):  # noqa: F811
    made = []

    def make(name, net):
        made.append(Machine(w, user, name, net))
        return made[-1]
    yield make
    for m in made:
        m.close()


def words(*args, wait="20"):
    return ("ssh", "--wait", wait, "-F", str(DIR / "config"), "-l", "tester", *args)


def ssh(user, *args, code=0, **kw):  # noqa: F811
    return user.vmlan(*words(*args), code=code, **kw)


def test_a_command(lab, machine):  # noqa: F811
    """What it says, its exit status, its name long and short, and its key."""
    a = machine("a", "natnet:lab").serve()
    a.guest.dhcp()
    r = ssh(lab, "lab/a", "echo $SSH_CONNECTION; cat; exit 7", code=7, input="typed\n")
    to, *rest = r.stdout.split()[2:]
    assert to in lab.machines("lab")[0]["addresses"] and rest == ["22", "typed"]
    assert not to.startswith("fe80:")
    assert r.stderr == ""
    assert [l.split()[0] for l in (DIR / "known").read_text().splitlines()] == ["lab/a"]
    assert ssh(lab, "a", "echo", "$HOME").stdout == f"{DIR}\n"
    assert ssh(lab, "-v", "tester@a", "--", "true").returncode == 0
    # whatever the way to other hosts is like
    ssh(lab, "-o", "ProxyUseFdpass=yes", "-o", "ProxyCommand=false", "a", "true")
    assert [m["name"] for m in lab.machines("lab")] == ["a"]
    # another machine in its place is another key
    key = (DIR / "key.pub").read_text().split()
    (DIR / "known").write_text(f"lab/a {key[0]} {key[1]}\n")
    assert "verification failed" in ssh(lab, "lab/a", "true", code=255).stderr


def test_it_waits(lab, machine):  # noqa: F811
    """For an address, and for the server; it says so."""
    a = machine("a", "natnet:lab")
    p = lab.popen(*words("a", "echo here", wait="60"))
    # which it may have given itself, of its link
    line = p.stderr.readline()
    assert re.fullmatch(r"vmlan: waiting for lab/a \((its address is not known|fe80:.*)\)\n", line)
    a.guest.dhcp()
    # when it has asked for its neighbour
    while "refuses" not in line:
        line = p.stderr.readline()
    assert re.fullmatch(r"vmlan: waiting for lab/a \([0-9a-f.:]+ port 22 refuses\)\n", line)
    a.serve()
    assert p.stdout.read() == "here\n"
    assert p.wait(30) == 0
    end(p)


def test_it_gives_up(lab, machine):  # noqa: F811
    a = machine("a", "natnet:lab")
    a.guest.dhcp()
    r = lab.vmlan(*words("a", "true", wait="0"), code=255)
    assert re.search(r"ssh: lab/a does not answer \([0-9a-f.:]+ port 22 refuses\)", r.stderr)
    p = lab.popen(*words("a", "true", wait="60"))
    assert "refuses" in p.stderr.readline()
    stop(a.cable)  # the machine stays while its cable has a peer
    stop(a.vmm)
    assert "lab/a has ended" in p.stderr.read()
    assert p.wait(30) == 255
    end(p)


def test_names(lab, machine):  # noqa: F811
    lab.vmlan("up", "-q", "in", "internal", "exec=on")
    machine("a", "natnet:lab")
    machine("b", "natnet:lab")
    a = machine("c", "internal:in")
    for code, vm, said in (
            (4, "x", "no machine x runs; there are in/c, lab/a, lab/b"),
            (4, "lab/x", "no machine x runs; there are lab/a, lab/b"),
            (3, "nowhere/a", "no network nowhere is running"),
            (2, "../a", "cannot be a network's name"), (2, "natnet/a", "is a mode"), (2, "lab/", "is no machine's name"),
            (2, "/a", "is no machine's name"), (2, "a@", "is no machine's name")):
        r = lab.vmlan("ssh", vm, code=code)
        assert len(r.stderr.splitlines()) == 1 and r.stderr.startswith("vmlan: error: ssh: "), r.stderr
        assert said in r.stderr
    a.name = "a"
    q = lab.popen("exec", "--name", "a", "in", "--", "sh", "-c", "echo up; exec sleep 1000")
    assert q.stdout.readline() == "up\n"
    r = lab.vmlan("ssh", "a", code=4)
    assert "which a? There are in/a, lab/a; name one of them" in r.stderr
    end(q)
    for args in ((), ("--wait",), ("--wait", "x", "a"), ("--wait=-1", "a"), ("--fast", "a"),
                 ("-l", "root"), ("--",)):
        assert len(lab.vmlan("ssh", *args, code=2).stderr.splitlines()) == 1
    assert lab.vmlan("ssh", "--help").stdout.startswith("usage: vmlan ssh")


def test_internal(user, machine):  # noqa: F811
    """Refused, unless the network was started so; then without any DHCP, by
    the addresses that machines have of themselves."""
    user.vmlan("up", "-q", "in", "internal")
    machine("a", "internal:in").up()
    assert "exec=on" in user.vmlan("ssh", "a", code=125).stderr
    assert [m["name"] for m in user.machines("in")] == ["a"]
    user.vmlan("down", "in")


def test_without_dhcp(user, machine):  # noqa: F811
    user.vmlan("up", "-q", "in", "internal", "exec=on")
    a = machine("a", "internal:in").serve()
    a.up()
    r = ssh(user, "a", "echo $SSH_CONNECTION")
    assert r.stdout.startswith("fe80::")
    # or by an address of one's own
    a.guest.sh("ip", "addr", "add", "10.9.9.1/24", "dev", "eth0")
    a.guest.sh("ip", "-6", "addr", "flush", "dev", "eth0")
    a.guest.sh("ping", "-c", "1", "-W", "1", "10.9.9.77", check=False)
    wait_for("the address", lambda: "10.9.9.1" in user.machines("in")[0]["addresses"])
    r = user.vmlan("ssh", "ip=10.9.9.2/24", *words("a", "echo $SSH_CONNECTION")[1:])
    assert r.stdout.split()[0] == "10.9.9.2" and r.stdout.split()[2] == "10.9.9.1"


def test_much(lab, machine):  # noqa: F811
    """Both ways, to the last byte."""
    a = machine("a", "natnet:lab").serve()
    a.guest.dhcp()
    much = os.urandom(1 << 20) * 24
    p = subprocess.run(lab.args(VMLAN, *words("a", "cat; echo end")), input=much,
                       stdout=subprocess.PIPE, timeout=120, check=True)
    assert hashlib.sha256(p.stdout).digest() == hashlib.sha256(much + b"end\n").digest()


def test_it_ends_with_ssh(lab, machine):  # noqa: F811
    """Whatever ended that: nobody waits for the machine any more."""
    machine("a", "natnet:lab")
    for sig in (signal.SIGTERM, signal.SIGKILL):
        p = lab.popen(*words("a", "true", wait="86400"))
        said = p.stderr.readline()
        assert "waiting for lab/a" in said, said
        p.send_signal(sig)
        p.wait()
        wait_for("the end of its machine", lambda: len(lab.machines("lab")) == 1)
        end(p)


def wait_written(ip):
    """The keeper has written down, for the next one, where the machine is."""
    wait_for("the record", lambda: ip in (RUNDIR / "vmlan/lab/state").read_text())


def test_two_at_once_after_a_kill(lab, machine):  # noqa: F811
    """One gives the network its keeper back, the other waits for that."""
    a = machine("a", "natnet:lab").serve()
    a.guest.dhcp()
    wait_written(a.guest.ip)
    for _ in range(5):
        o = json.loads(lab.vmlan("show", "--json", "lab").stdout)
        os.kill(o["keeper"], signal.SIGKILL)
        wait_for("its end", lambda: is_dead(o["keeper"]))
        two = [lab.popen(*words("a", "true")) for _ in range(2)]
        for p in two:
            said = p.stderr.read()
            assert p.wait(30) == 0, said
            end(p)


@pytest.mark.parametrize("whose", [("engine",), ("keeper",), ("keeper", "engine")])
def test_after_a_kill(whose, lab, machine):  # noqa: F811
    """The machine has said where it is, and does not say it again."""
    a = machine("a", "natnet:lab").serve()
    a.guest.dhcp()
    # one that says nothing of itself: no IPv6, and no questions
    gone = a.guest.sh("sysctl", "-q", "net.ipv6.conf.eth0.disable_ipv6=1", check=False)
    assert gone.returncode == 0
    wait_for("its address", lambda: a.guest.ip in lab.machines("lab")[0]["addresses"])
    wait_written(a.guest.ip)
    o = json.loads(lab.vmlan("show", "--json", "lab").stdout)
    for who in whose:
        os.kill(o[who], signal.SIGKILL)
    wait_for("its end", lambda: is_dead(o[whose[0]]))
    lab.vmlan("ls")
    wait_for("the machine again", lambda: lab.machines("lab")[0]["connected"])
    assert a.guest.ip in lab.machines("lab")[0]["addresses"]
    ssh(lab, "a", "true")


TO_THE_END = """
import socket
s = socket.create_server(('', 7000))
print('up', flush=True)
c = s.accept()[0]
n = 0
while True:
    d = c.recv(65536)
    if not d:
        break
    n += len(d)
c.sendall(b'%d bytes' % n)
"""


def test_half_close(w, lab, machine):  # noqa: F811
    """The end of what is sent reaches the machine, and its answer us."""
    a = machine("a", "natnet:lab")
    a.guest.dhcp()
    w.serve(PYTHON, "-c", TO_THE_END, ns="a", port=7000)
    r = lab.exec("lab", "--", VMLAN, "connect", "20", "lab/a", "7000", input="x" * 300000)
    assert r.stdout == "300000 bytes"


def test_addresses(lab, machine):  # noqa: F811
    """What show says of a machine."""
    a = machine("a", "natnet:lab")
    # its kernel gives itself one for its link, sooner or later
    assert not [ip for ip in lab.machines("lab")[0]["addresses"] if not ip.startswith("fe80:")]
    a.guest.dhcp()
    wait_for("its address", lambda: a.guest.ip in lab.machines("lab")[0]["addresses"])
    m = lab.machines("lab")[0]
    link = json.loads(a.guest.sh("ip", "-j", "link", "show", "eth0").stdout)[0]
    assert m["mac"] == link["address"]
    assert f"{link['address']}, " in lab.vmlan("show", "lab").stdout
    assert a.guest.ip in lab.vmlan("show", "lab").stdout
    # one that it gives itself, and one of the gateway's, which is not its own
    for ip in ("10.0.2.77", "10.0.2.2"):
        a.guest.sh("arping", "-c", "1", "-w", "1", "-U", "-I", "eth0", ip, check=False) \
            if shutil.which("arping") else a.guest.sh("ip", "addr", "add", f"{ip}/24", "dev", "eth0")
    a.guest.sh("ping", "-c", "1", "-W", "1", "-I", "10.0.2.77", "10.0.2.78", check=False)
    wait_for("the other one", lambda: "10.0.2.77" in lab.machines("lab")[0]["addresses"])
    assert "10.0.2.2" not in lab.machines("lab")[0]["addresses"]


def test_the_hosts_addresses(user, machine):  # noqa: F811
    """A machine that says it has one is not sought at the host."""
    user.vmlan("up", "-q", "home", "hostonly")
    host = [l.split("addr=")[1].split(",")[0] for l in user.vmlan("show", "home").stdout.split()
            if l.startswith("hostif,")]
    a = machine("a", "hostonly:home")
    a.guest.dhcp()
    net = a.guest.ip.rsplit(".", 1)[0]
    mine = f"{net}.77"
    for i, ip in enumerate((*host, f"{net}.2/24", f"{net}.3/24", f"{mine}/24")):
        a.guest.sh("ip", "addr", "add", ip, "dev", "eth0")
        # by which it asks for the other's MAC
        a.guest.sh("ping", "-c", "1", "-W", "1", "-I", ip.split("/")[0], f"{net}.{90 + i}",
                   check=False)
    assert bool(host) == user.is_root
    got = wait_for("its own", lambda: (lambda l: mine in l and l)(
        user.machines("home")[0]["addresses"]))
    assert not {*(ip.split("/")[0] for ip in host), f"{net}.2", f"{net}.3"} & {*got}, got
    user.vmlan("down", "home")


FAKE = "#!/bin/sh\nfor i; do printf '%s\\n' \"$i\"; done\nexit 9\n"


def test_what_ssh_is_told(lab, machine, tmp_path):  # noqa: F811
    """Its own options go before and behind the machine's name as they are."""
    machine("a", "natnet:lab")
    fake = DIR / "bin"
    fake.mkdir(exist_ok=True)
    (fake / "ssh").write_text(FAKE)
    (fake / "ssh").chmod(0o755)
    env = dict(os.environ, PATH=f"{fake}:{os.environ['PATH']}")
    r = lab.vmlan("ssh", "-vl", "me", "-p2222", "-t", "--", "you@a", "-x", "cmd", code=9, env=env)
    lines = r.stdout.splitlines()
    assert lines[0] == "-o"
    assert lines[1] == (f"ProxyCommand='{VMLAN}' 'exec' '--name' 'ssh-a' 'lab' 'ip=dhcp' '--' "
                        f"'{VMLAN}' 'connect' '60' 'lab/a' %p")
    assert lines[2] == "-oProxyUseFdpass=no"
    assert lines[3:] == ["-vl", "me", "-p2222", "-t", "-o", "HostKeyAlias=lab/a",
                         "-oConnectTimeout=120", "--", "you@a+lab", "-x", "cmd"]
    r = lab.vmlan("ssh", "--wait=5", "ip=10.0.2.9/24'%", "lab/a", code=9, env=env)
    lines = r.stdout.splitlines()
    assert "'ip=10.0.2.9/24'\\''%%'" in lines[1] and "'5'" in lines[1]
    assert lines[3:] == ["-o", "HostKeyAlias=lab/a", "-oConnectTimeout=65", "a+lab"]
    (fake / "ssh").write_text("nothing")
    (fake / "ssh").chmod(0o755)
    env["PATH"] = str(fake)
    (fake / "ssh").unlink()
    (fake / "nsenter").unlink(missing_ok=True)
    (fake / "nsenter").symlink_to(shutil.which("nsenter"))
    assert "not found" in lab.vmlan("ssh", "a", code=127, env=env).stderr
    (fake / "ssh").write_text("nothing")
    assert "cannot be executed" in lab.vmlan("ssh", "a", code=126, env=env).stderr
