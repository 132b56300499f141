# SPDX-License-Identifier: BSD-3-Clause
"""The console of our VDE switch: what people and programs type at, on a socket
and on standard input, beside vde_switch itself."""
import contextlib
import os
import pty
import re
import select
import stat
import struct
import subprocess

import pytest
from test_vde import ABOUT, Console, Plug, answer, folder, frame  # noqa: F401
from world import VMLAN, Vmlan, process, sh, wait_for


def seen(tty, what):
    """Reads until that is there."""
    got = b""

    def more():
        nonlocal got
        if select.select([tty], [], [], 0)[0]:
            got += os.read(tty, 4096)
        return what in got
    wait_for(f"{what} at a terminal", more)


def test_console(folder):
    d, mgmt = folder / "sw", folder / "mgmt"
    with Vmlan([f"vde,server=on,sock={d},mgmt={mgmt}"]) as v:
        assert stat.S_IMODE(mgmt.stat().st_mode) == 0o600
        with Console(mgmt) as c, Plug(d, folder / "p") as p:
            assert c.greeting.startswith("VDE switch V.")
            assert c("version").endswith(".\n1000 Success\n")
            assert f"ctl dir {d}\n" in c("ds/showinfo")
            assert f"mgmt {mgmt} perm 0600" in c("showinfo")
            out = c("port/print")
            assert "Port 0001" in out and ABOUT.decode() in out
            assert c("fstp/print") == "1038 Function not implemented\n"
            assert c("x" * 1000) == "1007 Argument list too long\n"
            mac = bytes([2, 0, 0, 0, 7, 7])
            # it tells who it is, as each kernel does
            p.data.send(b"\xff" * 6 + mac + b"\x08\x06" +
                        struct.pack("!HHBBH6s4s6s4s", 1, 0x800, 6, 4, 1, mac,
                                    b"\x0a\0\0\x05", b"", b"\x0a\0\0\x05") + bytes(18))
            wait_for("its MAC", lambda: "02:00:00:00:07:07 VLAN 0000 to port: 001" in
                     c("hash/print"))
            c.s.sendall(b"port/print\nversion\nlogout\n")
            text = c.read(b"9999 END OF SESSION")
            assert text.count("1000 Success") == 2 and c.s.recv(1) == b""
            with Console(mgmt) as other:
                number = re.search(r"endpoint ID (\d+)", other("port/print"))[1]
                assert other(f"port/epclose 1 {number}") == "1000 Success\n"
                assert p.ctl.recv(1) == b""
        # the programs that people type at
        for program, end in (("unixterm", b"\n"), ("vdeterm", b"\r")):
            tty, theirs = pty.openpty()
            with process(program, str(mgmt), stdin=theirs, stdout=theirs, stderr=theirs):
                os.close(theirs)
                seen(tty, b": " if program == "vdeterm" else b"vde$ ")
                os.write(tty, b"ds/showinfo" + end)
                seen(tty, f"ctl dir {d}".encode())
            os.close(tty)
        with Console(mgmt) as c:
            c.s.sendall(b"shutdown\n")
            assert v.proc.wait(30) == 0
    assert not d.exists() and not mgmt.exists()


def in_foreground(d, program=VMLAN):
    """What is typed for a switch with its console on standard input."""
    if program == VMLAN:
        return (VMLAN, "join", f"vde,server=on,sock={d},mgmt=-")
    return (program, "--sock", str(d), "--dirmode", "0700", "--hub")


@pytest.mark.parametrize("program", [VMLAN, "vde_switch"], ids=["vmlan", "vde_switch"])
@pytest.mark.parametrize("stdin", ["pty", "pipe"])
def test_console_of_a_driver(folder, program, stdin):
    """As the driver of NixOS's tests starts its switch, on a terminal in older
    versions, and knows that it is there."""
    d = folder / "sw"
    master, slave = pty.openpty()
    with process(*in_foreground(d, program), stdin=slave if stdin == "pty" else subprocess.PIPE,
                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1) as p, \
            open(master, "w") as tty, open(slave):
        to = tty if stdin == "pty" else p.stdin
        to.write("showinfo\n")
        to.flush()
        got = answer(p.stdout)
        assert got[0] == "0000 DATA END WITH '.'\n" and got[1].startswith("VDE switch V."), got
        assert got[-2] == ".\n" and (d / "ctl").exists()
        with Plug(d, folder / "p") as plug, Plug(d, folder / "q") as other:
            to.write("port/print\n")
            to.flush()
            assert "".join(answer(p.stdout)).count(ABOUT.decode()) == 2
            tagged = frame(b"\xff" * 6, bytes([2, 0, 0, 0, 0, 1]), b"") + bytes(4)
            tagged = tagged[:12] + b"\x81\0\0\5" + tagged[12:]
            other.data.settimeout(0.2)

            def passes():  # an engine may just be told of the plugs
                plug.data.send(tagged)
                with contextlib.suppress(TimeoutError):
                    return other.data.recv(2000) == tagged
            wait_for("a tagged frame", passes)
        if stdin == "pipe":
            to.close()
        else:
            p.terminate()
        p.wait(30)
        assert not (d / "ctl").exists()
        if program == VMLAN:
            assert p.returncode == 0
            assert ("end of the console's input" in p.stderr.read()) == (stdin == "pipe")
        p.stdout.close()
        p.stderr.close()


def test_console_at_a_terminal(folder):
    """Somebody types; the window closes."""
    d = folder / "sw"
    for goes in (False, True):
        tty, theirs = pty.openpty()
        with process(*in_foreground(d), stdin=theirs, stdout=theirs,
                     stderr=subprocess.DEVNULL) as p:
            os.close(theirs)
            os.write(tty, b"no/such\n")
            seen(tty, b"1038 Function not implemented\r\n\r\nvde$ ")
            os.write(tty, b"logout\n")
            seen(tty, b"vde$ ")
            os.write(tty, f"{'x' * 1000}\n".encode())
            seen(tty, b"1007 Argument list too long")
            if not goes:
                os.write(tty, b"shutdown\n")
                assert p.wait(30) == 0
            os.close(tty)
            assert p.wait(30) == 0
        assert not d.exists()


def test_console_of_a_file(folder):
    """Lines that are there from the start, or come in pieces; answers that
    nobody reads for a while hold nobody up."""
    d = folder / "sw"
    with open(folder / "in", "w+") as commands, open(folder / "out", "w+") as out:
        commands.write("ds/showinfo\n" * 50 + "version")  # with no line end
        commands.seek(0)
        with process(*in_foreground(d), stdin=commands, stdout=out,
                     stderr=subprocess.DEVNULL) as p:
            assert p.wait(30) == 0
        out.seek(0)
        text = out.read()
        assert text.count("1000 Success\n") == 51 and text.count(f"ctl dir {d}\n") == 50
        assert "vde$" not in text
    assert not d.exists()
    with process(*in_foreground(d), stdin=subprocess.DEVNULL) as p:
        assert p.wait(30) == 0
    with process(*in_foreground(d), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
        for piece in ("ver", "sion\nver", "sion\n"):
            p.stdin.write(piece)
            p.stdin.flush()
        answer(p.stdout)
        answer(p.stdout)
        wait_for("a full pipe", lambda: not goes(p.stdin, "help\n" * 500))
        with Plug(d, folder / "p") as plug:
            assert plug.answer
        os.set_blocking(p.stdin.fileno(), True)
        p.stdin.close()
        text = p.stdout.read()
        assert text.count("1000 Success\n") > 20
        assert p.wait(30) == 0
        p.stdout.close()
    # whose answers nobody reads at all may go on typing
    with process(*in_foreground(d), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as p:
        p.stdin.write("version\n")
        p.stdin.flush()
        answer(p.stdout)
        p.stdout.close()
        p.stdin.write("version\nport/create 5\nshutdown\n")
        p.stdin.flush()
        assert p.wait(30) == 0
        p.stdin.close()


def goes(pipe, text):
    """True if it can be written without waiting."""
    os.set_blocking(pipe.fileno(), False)
    with contextlib.suppress(BlockingIOError):
        return os.write(pipe.fileno(), text.encode()) == len(text)
    return False


def test_console_of_one(folder):
    """Standard input is one netdev's, in the foreground."""
    one, two = (f"vde,server=on,sock={folder}/{x},mgmt=-" for x in "ab")
    r = sh(VMLAN, "join", "-q", f"{one},id=sw", two, check=False)
    assert r.returncode == 2 and r.stderr.count("\n") == 1 and r.stdout == ""
    assert "mgmt=- is sw's already; name a socket by mgmt=PATH" in r.stderr
    env = dict(os.environ, XDG_RUNTIME_DIR=str(folder), HOME=str(folder))
    for args in (("up", "plugs", "generic", f"netdev={one}"),
                 ("run", "--net", f"generic,netdev={one.replace(',', ',,')}", "--", "true",
                      "{socket}")):
        r = sh(VMLAN, *args, env=env, check=False)
        assert r.returncode == 2 and r.stderr.count("\n") == 1, r
        assert "mgmt=- is for vmlan join" in r.stderr
    assert not (folder / "a").exists()
