# SPDX-License-Identifier: BSD-3-Clause
"""Each netdev string of QEMU's own documentation (tests/qemu/strings.tsv) is
built by vmlan join, or refused with the line that stands beside it.

A row is an option, its string, what comes of it ("ok" or the line), and what
has to be there: bridges, addresses, peers, files.  Paths are below Q, where
the test makes what they name; src/grammar/qemu_strings_test.c has them as
they are.
"""
import contextlib
import fcntl
import os
import pathlib
import re
import socket
import subprocess

import pytest

import world
from world import VMLAN, Vmlan, process, sh, wait_for

ROWS = [l.split("\t") for l in (world.HERE.parent / "qemu" / "strings.tsv").read_text()
        .splitlines() if not l.startswith("#")]
Q = pathlib.Path("/run/q")
# Files that a string names; the abstract names of sockets and URLs have none.
PATH = re.compile(r"(?<==)(?=~?/(etc|path|srv|usr|tmp|passt|dev)\b)")
# What QEMU asks of a bridge helper: a tap on the bridge, by descriptor.
HELPER = """#!/usr/bin/python3
import array, fcntl, os, socket, struct, subprocess, sys
o = dict(a[2:].split("=", 1) for a in sys.argv[1:] if "=" in a)
tap = os.open("/dev/net/tun", os.O_RDWR)
name = fcntl.ioctl(tap, 0x400454ca, struct.pack("16sH22x", b"qh%d", 0x5002))[:16].rstrip(b"\\0")
subprocess.run(["ip", "link", "set", name, "master", o["br"], "up"], check=True)
with socket.socket(fileno=int(o["fd"])) as s:
    s.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [tap]))])
"""
SCRIPT = "#!/bin/sh\nip link set \"$1\" up\n"


def placed(text):
    """With its paths below Q."""
    return PATH.sub(str(Q) + "/", text).replace(f"{Q}//", f"{Q}/").replace(f"{Q}/~", f"{Q}/home")


def kind(text):
    m = re.match(r'\{"type":"([^"]*)"|(?:type=)?([^,]*)', text)
    return m.group(1) or m.group(2)


def put(path, text):
    path = pathlib.Path(placed("=" + path)[1:])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def link(stack, *args):
    sh("ip", "link", "add", *args)
    stack.callback(sh, "ip", "link", "del", args[0], check=False)


def listen(stack, family, where):
    s = stack.enter_context(socket.socket(family))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(where)
    s.listen()


def need_fd(stack, number, kind_of):
    """vmlan as it is to be run, with a descriptor of this number."""
    types = {"stream": socket.SOCK_STREAM, "dgram": socket.SOCK_DGRAM}
    pair = socket.socketpair(socket.AF_UNIX, types[kind_of])
    for s in pair:
        stack.enter_context(s)
    high = fcntl.fcntl(pair[0], fcntl.F_DUPFD, 100)
    stack.callback(os.close, high)
    return ("bash", "-c", f'exec "$0" "$@" {number}<&{high} {high}<&-'), (high,)


def need(stack, words):
    """Makes what a row needs; how vmlan is run, and what it is given besides."""
    wrap, fds, also = (), (), []
    for word in words:
        what, value = word.split(":", 1)
        if what == "bridge":
            link(stack, value, "type", "bridge")
            sh("ip", "link", "set", value, "up")
        elif what == "xdp":
            link(stack, value, "type", "veth", "peer", "name", f"{value}p")
            sh("ip", "link", "set", value, "up")
        elif what == "addr":
            sh("ip", "addr", "add", f"{value}/32", "dev", "up0")
        elif what == "tcp":
            listen(stack, socket.AF_INET, ("127.0.0.1", int(value)))
        elif what == "unix":
            path = pathlib.Path(placed("=" + value)[1:])
            path.parent.mkdir(parents=True, exist_ok=True)
            listen(stack, socket.AF_UNIX, str(path))
        elif what == "helper":
            put(value, HELPER)
        elif what == "script":
            put(value, SCRIPT)
        elif what == "folder":
            if not value.startswith("/"):
                wrap, value = ("env", "-C", str(Q)), f"{Q}/{value}"
            pathlib.Path(placed("=" + value)[1:]).mkdir(parents=True)
        elif what == "vde":
            path = placed("=" + value)[1:]
            pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(process("vde_switch", "-sock", path, stdin=subprocess.PIPE,
                                        stdout=subprocess.DEVNULL))
            wait_for("the switch", pathlib.Path(path, "ctl").exists)
        elif what == "fd":
            wrap, fds = need_fd(stack, *value.split(":"))
        elif what == "also":
            also.append(value)
        elif what == "beside":
            also.insert(0, value)
        else:
            raise AssertionError(word)
    return wrap, fds, also


@pytest.fixture
def place(w):
    """The world, an empty Q, and one that closes what a row needs."""
    sh("rm", "-rf", str(Q))
    Q.joinpath("tmp").mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        yield stack
    sh("rm", "-rf", str(Q))


def rows(is_built):
    """Those of the list; a program of XDP is loaded by the host's root only."""
    for r in ROWS:
        if (r[2] == "ok") == is_built:
            marks = [pytest.mark.root] if kind(r[1]) == "af-xdp" else []
            yield pytest.param(r, id=f"{r[0]}-{r[1][:60]}", marks=marks)


def one_line(*args):
    r = sh(VMLAN, "join", *args, check=False)
    assert (r.returncode, r.stdout, len(r.stderr.splitlines())) == (2, "", 1), r
    return r.stderr.removeprefix("vmlan: error: ").rstrip("\n")


@pytest.mark.parametrize("row", rows(is_built=True))
def test_each_is_built(place, row):
    option, text, _, *words = row
    wrap, fds, also = need(place, " ".join(words).split())
    args = [f"-{option}", placed(text), *also]
    if text == "none":
        assert "netdev" in one_line(*args)  # there is nothing to join
        return
    wire = f"stream,server=on,addr.type=unix,addr.path={Q}/wire"
    with Vmlan([*args, wire], wrap=wrap, fds=fds) as v:
        assert "error" not in v.log(), v.log()


@pytest.mark.parametrize("row", rows(is_built=False))
def test_each_is_refused(row):
    assert one_line(f"-{row[0]}", row[1]) == row[2]
