# SPDX-License-Identifier: BSD-3-Clause
"""A Linux guest in QEMU under `vmlan run`, for the tests and the quickstart.

The guest is what tests/guest/make leaves; it tells what its network did in
lines "guest: WORD TEXT" on its serial line (tests/guest/init).
"""
import os
import pathlib
import re
import select
import subprocess
import time

import world

IMAGE = pathlib.Path(os.environ.get(
    "VMLAN_GUEST", world.HERE.parent.parent / "build-guest"))
# The same with a kernel that knows all cards (tests/guest/make FOLDER amd64).
IMAGE_FULL = IMAGE.with_name(IMAGE.name + "-full")
LINE = re.compile(r"guest: (\S+) ?(.*)")


def words(**orders):
    """The guest's orders (see tests/guest/init), on its kernel's command
    line. It does not test its timer, which panics where the host is busy."""
    return " ".join(["console=ttyS0 quiet panic=-1 no_timer_check"] +
                    [f"{k}={v}" for k, v in orders.items()])


def command(append, image=IMAGE):
    """QEMU's command line, without any word of a network. TCG: it runs
    anywhere, and the guest is up in seconds."""
    return ["qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-m", "256",
            "-display", "none", "-monitor", "none", "-serial", "stdio",
            "-no-reboot", "-kernel", str(image / "vmlinuz"),
            "-initrd", str(image / "initrd"), "-append", append]


class Qemu:
    """A running `vmlan run [options] -- qemu ...`, or, without options (None),
    QEMU alone with more words of its own."""

    def __init__(self, options, append, env=None, more=(), image=IMAGE):
        run = [] if options is None else [world.VMLAN, "run", *options, "--"]
        self.proc = subprocess.Popen(
            [*run, *command(append, image), *more],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, env=dict(os.environ, **(env or {})))
        self.text = ""
        self.at = 0

    def lines(self, seconds=120):
        """Gives the output line by line until it ends."""
        end = time.monotonic() + seconds
        fd = self.proc.stdout.fileno()
        while True:
            if "\n" in self.text[self.at:]:
                stop = self.text.index("\n", self.at)
                line = self.text[self.at:stop].strip("\r")
                self.at = stop + 1
                yield line
                continue
            left = end - time.monotonic()
            if left <= 0 or not select.select([fd], [], [], left)[0]:
                raise AssertionError(f"no word for too long:\n{self.text}")
            more = os.read(fd, 4096)
            if not more:
                return
            self.text += more.decode(errors="replace")

    def told(self, line):
        """(word, text) if the guest said something, else None."""
        m = LINE.search(line)
        return (m.group(1), m.group(2)) if m else None

    def until(self, word, seconds=120):
        """Reads on until the guest has said this word: its text."""
        for line in self.lines(seconds):
            said = self.told(line)
            if said and said[0] == word:
                return said[1]
        raise AssertionError(f"the guest never said {word}:\n{self.text}")

    def rest(self, seconds=120):
        """Everything to the end; the exit status."""
        for _ in self.lines(seconds):
            pass
        return self.proc.wait(30)

    def close(self):
        world.end(self.proc)
