# SPDX-License-Identifier: BSD-3-Clause
"""A terminal with a program on it: what it draws is a screen of text."""
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time

import pyte


class Terminal:
    """The program has the terminal as its own; its standard error is ours."""

    def __init__(self, *argv, rows=30, columns=110, term="linux", cwd=None):
        self.ours, self.theirs = pty.openpty()
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.size(rows, columns)
        self.before = termios.tcgetattr(self.theirs)
        self.proc = subprocess.Popen(
            argv, stdin=self.theirs, stdout=self.theirs, stderr=subprocess.PIPE, text=True,
            env=dict(os.environ, TERM=term), cwd=cwd, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.communicate()
        os.close(self.ours)
        os.close(self.theirs)

    def size(self, rows, columns):
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def resize(self, rows, columns):
        """The kernel tells the terminal's own foreground group."""
        self.size(rows, columns)
        os.kill(self.proc.pid, signal.SIGWINCH)

    def read(self, seconds):
        if not select.select([self.ours], [], [], seconds)[0]:
            return False
        data = os.read(self.ours, 65536)
        self.raw += data
        self.stream.feed(data)
        return True

    def keys(self, text):
        os.write(self.ours, text.encode())

    def text(self):
        return "\n".join(line.rstrip() for line in self.screen.display)

    def line(self, start):
        """The line that begins so, without blanks before it."""
        return next((x for x in self.text().splitlines() if x.strip().startswith(start)), "")

    def shows(self, what, seconds=60):
        """Waits until it is shown: a text, or what a function finds in it."""
        find = what if callable(what) else lambda t: what in t
        end = time.monotonic() + seconds
        while not find(self.text()):
            assert time.monotonic() < end, f"never shown: {what}\n{self.text()}"
            self.read(0.1)
        return self.text()

    def end(self, seconds=60):
        """Waits for the program's end: its status and standard error."""
        end = time.monotonic() + seconds
        while self.proc.poll() is None:
            assert time.monotonic() < end, f"it does not end\n{self.text()}"
            self.read(0.05)
        while self.read(0):
            pass
        return self.proc.returncode, self.proc.stderr.read()
