# SPDX-License-Identifier: BSD-3-Clause
"""vmlan run: exit status, signals, plain words, forwards, QEMU itself."""
import os
import pathlib
import signal
import socket
import subprocess

import pytest

import qemu
import world
from world import VMLAN, popen, sh, stop, wait_for


@pytest.fixture(autouse=True)
def rundir(monkeypatch):
    d = pathlib.Path("/run/xdg-run")
    d.mkdir(exist_ok=True)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(d))
    yield d
    left = d / "vmlan"
    wait_for("its end", lambda: not left.exists() or not list(left.iterdir()), 30)


def run(*args, **kw):
    return sh(VMLAN, "run", *args, check=False, timeout=60, **kw)


def sh_vmm(script):
    return ("--", "sh", "-c", script + " # {socket}")


def test_exit_status_is_passed_on():
    assert run(*sh_vmm("exit 0")).returncode == 0
    r = run(*sh_vmm("exit 3"))
    assert r.returncode == 3 and "sh ended with status 3" in r.stderr
    r = run(*sh_vmm("kill -SEGV $$"))
    assert r.returncode == 139 and "killed by signal 11" in r.stderr


def test_vmm_that_cannot_start():
    r = run("--", "/nosuch/vmm", "{socket}")
    assert r.returncode == 127 and "not found" in r.stderr
    r = run("--", "qemu-system-nosuch")
    assert r.returncode == 127
    r = run("--", "/etc/passwd", "{socket}")
    assert r.returncode == 126 and "cannot be executed" in r.stderr
    fake = pathlib.Path("/run/qemu-system-x86_64")
    fake.write_text("#!/bin/sh\necho hello\n")
    fake.chmod(0o755)
    r = run("--", str(fake))
    assert r.returncode == 126 and "version" in r.stderr
    fake.write_text("#!/bin/sh\necho QEMU emulator version 6.2.0\n")
    r = run("--", str(fake))
    assert r.returncode == 125 and "7.2" in r.stderr


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_signals_are_passed_on(sig):
    name = sig.name[3:]
    p = popen(VMLAN, "run", "--", "sh", "-c",
              f"trap 'echo got; exit 5' {name}; echo up; while :; do sleep 0.05; done # {{socket}}",
              stdout=subprocess.PIPE, text=True)
    assert p.stdout.readline() == "up\n"
    p.send_signal(sig)
    assert p.stdout.readline() == "got\n"
    assert p.wait(10) == 5


def plain_signals():
    for sig in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(sig, signal.SIG_DFL)


def test_interrupt_by_kill_is_passed_on():
    p = popen(VMLAN, "run", "--", "sh", "-c",
              "trap 'exit 5' INT; echo up; while :; do sleep 0.05; done # {socket}",
              stdout=subprocess.PIPE, text=True, preexec_fn=plain_signals)
    try:
        assert p.stdout.readline() == "up\n"
        p.send_signal(signal.SIGINT)
        assert p.wait(10) == 5
    finally:
        stop(p, signal.SIGTERM)


def test_what_is_ignored_stays_ignored():
    """As a shell's background job: the terminal's ^C is not for it."""
    p = popen(VMLAN, "run", "--", "sh", "-c", "echo up; read x; exit 6 # {socket}",
              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
              preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    assert p.stdout.readline() == "up\n"
    os.killpg(p.pid, signal.SIGINT)
    p.communicate("\n", timeout=10)
    assert p.returncode == 6


def test_started_with_sigchld_ignored():
    r = run(*sh_vmm("exit 3"),
            preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    assert r.returncode == 3


def test_started_without_standard_descriptors():
    """No socket of ours becomes descriptor 2 and is given the log."""
    def close_all():
        for fd in range(3):
            os.close(fd)
    p = popen(VMLAN, "join", "-v", "user", preexec_fn=close_all)
    try:
        wait_for("an engine", lambda: world.engine_of(p.pid))
        for fd in range(3):
            assert os.readlink(f"/proc/{p.pid}/fd/{fd}") == "/dev/null"
    finally:
        assert stop(p) == 0


def test_nobody_waits_for_ready():
    """A warning, not an end by SIGPIPE."""
    r, w = os.pipe()
    os.close(r)
    p = popen(VMLAN, "join", "--ready-fd", str(w), "user", pass_fds=(w,),
              stderr=subprocess.PIPE, text=True)
    os.close(w)
    assert "nobody reads" in p.stderr.readline()
    assert stop(p) == 0
    p.stderr.close()


def test_stdin_is_the_vmms():
    r = run("--", "sh", "-c", "cat # {socket}", input="words\n")
    assert r.stdout == "words\n"


def test_what_was_bound_is_told():
    r = run("-p", "2231:22", "-p", "127.0.0.1:2232:80/udp", "-p", "2240-2241:90-91",
            *sh_vmm("true"))
    for line in ("forward tcp 127.0.0.1:2231 and [::1]:2231 -> 10.0.2.15:22",
                 "forward udp 127.0.0.1:2232 -> 10.0.2.15:80",
                 "forward tcp 127.0.0.1:2240 and [::1]:2240 -> 10.0.2.15:90",
                 "forward tcp 127.0.0.1:2241 and [::1]:2241 -> 10.0.2.15:91"):
        assert f"{line}\n" in r.stderr, r.stderr
    assert r.stderr.count("forward") == 4
    assert "-> 10.0.2.15:22" in run("-p", "tcp::2233-:22", *sh_vmm("true")).stderr


QEMU_ARGS = "printf '%s\\n' \"$@\""


def fake_qemu(version, rundir):
    """A program called as QEMU that prints its arguments."""
    p = pathlib.Path("/run/fake/qemu-system-x86_64")
    p.parent.mkdir(exist_ok=True)
    p.write_text("#!/bin/sh\n[ \"$1\" = --version ] && { echo 'QEMU emulator version "
                 f"{version}'; exit; }}\n{QEMU_ARGS}\n")
    p.chmod(0o755)
    return str(p)


def test_what_qemu_is_given(rundir):
    sock = f"{rundir}/vmlan/nat-web/vm.sock"
    out = run("--name", "web", "--", fake_qemu("7.2.22", rundir), "-m", "1G").stdout.split()
    mac = out[-1].split("mac=")[1]
    assert out[:2] == ["-m", "1G"]
    assert out[2:5] == ["-netdev", f"stream,id=vmlan0,addr.type=unix,addr.path={sock},server=on",
                        "-device"]
    assert out[5].startswith("virtio-net-pci,netdev=vmlan0,mac=52:54:00:")
    # a QEMU that can reconnect is the client; the MAC is the machine's own
    out = run("--name", "web", "--", fake_qemu("9.2.0", rundir)).stdout.split()
    assert f"stream,id=vmlan0,addr.type=unix,addr.path={sock},server=off,reconnect-ms=1000" in out
    assert out[-1].endswith(mac)
    out = run("--", fake_qemu("9.2.0", rundir), "-name", "db").stdout
    assert "nat-db/vm.sock" in out and mac not in out
    out = run("--nic", "e1000,mac=02:00:00:00:00:07", "--", fake_qemu("9.2.0", rundir)).stdout
    assert "e1000,netdev=vmlan0,mac=02:00:00:00:00:07" in out


@pytest.mark.parametrize("version, words, why", [
    ("9.2.0", ["-m", "1G"], ""),
    ("7.2.22", ["-m", "size=2G,slots=2,maxmem=4G", "-enable-kvm"], ""),
    ("7.2.22", ["-m", "1G"], "with KVM only"),
    ("9.2.0", [], "(-m)"),
    ("9.2.0", ["-m", "1G", "-numa", "node"], "its memory itself"),
])
def test_vhost_user_where_it_can_be(rundir, version, words, why):
    r = run("--name", "web", "--", fake_qemu(version, rundir), *words)
    out = r.stdout.split()
    if why:
        assert "network by stream: " in r.stderr and why in r.stderr
        assert "vhost-user" not in r.stdout
        return
    assert "network by vhost-user" in r.stderr
    size = "1G" if "1G" in words else "2G"
    again = "reconnect-ms=1000" if version >= "9" else "reconnect=1"
    assert out[len(words):-1] == [
        "-object", f"memory-backend-memfd,id=vmlan-ram,share=on,size={size}",
        "-machine", "memory-backend=vmlan-ram",
        "-chardev", f"socket,id=vmlan0,path={rundir}/vmlan/nat-web/vm.sock,{again}",
        "-netdev", "vhost-user,id=vmlan0,chardev=vmlan0", "-device"]
    r = run("--nic", "e1000", "--", fake_qemu(version, rundir), *words)
    assert "no virtqueues" in r.stderr and "-object" not in r.stdout


def test_several_queues(rundir):
    """As many on either side, and an interrupt for each ring."""
    q, memory = fake_qemu("9.2.0", rundir), ["-m", "1G"]
    out = run("--nic", "virtio,queues=4", "--", q, *memory).stdout.split()
    assert "vhost-user,id=vmlan0,chardev=vmlan0,queues=4" in out
    assert out[-1].startswith("virtio-net-pci,netdev=vmlan0,mac=")
    assert out[-1].endswith(",mq=on,vectors=10")
    out = run("--nic", "virtio-net-device,queues=2", "--", q, *memory).stdout.split()
    assert out[-1].endswith(",mq=on")
    r = run("--nic", "virtio,queues=4", "--", q)
    assert r.returncode == 125
    assert "queues=4 of --nic needs vhost-user: the command line tells no memory" in r.stderr
    r = run("--nic", "virtio,queues=4", "--", "/bin/true", "{socket}")
    assert r.returncode == 2
    assert "queues=4 of --nic is for QEMU, which /bin/true is not" in r.stderr


def test_daemon_does_not_hold_the_output(rundir):
    q = pathlib.Path(fake_qemu("9.2.0", rundir))
    vm = ("import os,socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1])\n"
          "print('up', flush=True)\n"
          "if os.fork(): sys.exit()\n"
          "open('/run/daemon.pid', 'w').write(str(os.getpid())); [os.close(i) for i in range(3)]\n"
          "s.recv(1)")
    q.write_text("#!/bin/sh\n[ \"$1\" = --version ] && { echo 'QEMU emulator version 9.2.0'; exit; }\n"
                 f"exec /usr/bin/python3 -c \"{vm}\" {rundir}/vmlan/nat-bg/vm.sock\n")
    try:
        r = subprocess.run([VMLAN, "run", "--name", "bg", "--", str(q), "-daemonize"],
                           stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=20)
        assert r.returncode == 0 and r.stdout == b"up\n"
    finally:
        pid = int(pathlib.Path("/run/daemon.pid").read_text())
        os.kill(pid, signal.SIGTERM)
    d = rundir / "vmlan"
    wait_for("the keeper's end", lambda: not d.exists() or not list(d.iterdir()))


def test_own_network_is_left_alone(rundir):
    q = fake_qemu("7.2.22", rundir)
    for own in (["-nic", "none"], ["-netdev", "user,id=x"], ["-net", "none"]):
        r = run("--", q, *own)
        assert r.stdout.split() == own
        assert "left alone" in r.stderr
    r = run("--net", "none", "--", q)
    assert r.stdout.split() == ["-nic", "none"]


def test_two_machines_of_one_name(rundir):
    hold = popen(VMLAN, "run", "-q", "--name", "twin", "--", "sh", "-c",
                 "echo {socket}; read x", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert "nat-twin/" in hold.stdout.readline()
    r = run("--name", "twin", "--", "sh", "-c", "echo {socket}")
    assert "nat-twin-2/" in r.stdout
    hold.communicate("\n", timeout=10)


def test_ready_and_sd_notify(w):
    path = "/run/notify.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(path)
        s.settimeout(10)
        with world.Vmlan(["user"], env={"NOTIFY_SOCKET": path}):
            assert s.recv(100) == b"READY=1"
    os.unlink(path)


@pytest.mark.qemu
@pytest.mark.parametrize("model", ["virtio", "e1000", "rtl8139"] if world.FULL else ["e1000"])
def test_ipxe_gets_a_lease(model):
    p = popen(VMLAN, "run", "--nic", model, "--name", "pxe", "--", "qemu-system-x86_64",
              "-M", "pc", "-accel", "tcg", "-nographic", "-boot", "n", "-no-reboot", "-m", "64",
              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    seen = b""
    os.set_blocking(p.stdout.fileno(), False)
    try:
        def leased():
            nonlocal seen
            seen += p.stdout.read() or b""
            return b"net0: 10.0.2.15/255.255.255.0 gw 10.0.2.2" in seen
        wait_for("a lease", leased, 120)
    finally:
        stop(p)
