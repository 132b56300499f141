# SPDX-License-Identifier: BSD-3-Clause
"""A machine that is nothing but QEMU's firmware: the boot program in the
card's ROM (iPXE) asks for a lease, which the serial line tells, in seconds."""
import os
import re
import select
import subprocess
import time

import world

LEASE = re.compile(r"net0: (\d+\.\d+\.\d+\.\d+)/(\S+) gw (\S+)\n")
ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]|\x1b\[\?[0-9;]*[A-Za-z]")


class Pxe:
    """QEMU with these words for its network, starting from the network."""

    def __init__(self, words, fds=(), run=None, has_keys=False):
        """run: the options of a `vmlan run` around it; has_keys: for type()."""
        wrap = [] if run is None else [world.VMLAN, "run", *run, "--"]
        self.proc = subprocess.Popen(
            [*wrap, "qemu-system-x86_64", "-accel", "tcg", "-m", "64", "-nographic",
             "-no-reboot", "-boot", "n", *words],
            stdin=subprocess.PIPE if has_keys else subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, pass_fds=fds)
        self.raw = ""

    def text(self):
        return re.sub(r"[\b\r]", "", ESCAPE.sub("", self.raw))

    def until(self, pattern, seconds=90):
        """Reads on until the machine has printed this."""
        end = time.monotonic() + seconds
        fd = self.proc.stdout.fileno()
        while True:
            m = re.search(pattern, self.text())
            if m:
                return m
            left = end - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                raise AssertionError(f"never printed {pattern}:\n{self.text()}")
            more = os.read(fd, 4096)
            if not more:
                raise AssertionError(f"ended before {pattern}:\n{self.text()}")
            self.raw += more.decode(errors="replace")

    def type(self, text):
        """On its keyboard, whose buffer is small: each key when the one before is
        on the screen. What it printed before is forgotten."""
        self.raw = ""
        for i, c in enumerate(text):
            os.write(self.proc.stdin.fileno(), c.encode())
            if c.isprintable():
                self.until(re.escape(text[:i + 1]) + "$")

    def ask(self, command):
        """What iPXE's shell answers."""
        self.type(command + "\n")
        self.until("iPXE> $")
        return self.text()

    def lease(self, seconds=90):
        """The address it got; what it printed goes into the test's log."""
        m = self.until(LEASE, seconds)
        print(self.text())
        assert m.group(2) == "255.255.255.0" and m.group(3) == "10.0.2.2"
        return m.group(1)

    def close(self):
        world.end(self.proc)
        if self.proc.stdin:
            self.proc.stdin.close()

    def __enter__(self):
        return self

    def __exit__(self, *rest):
        self.close()
