# SPDX-License-Identifier: BSD-3-Clause
"""A real machine in QEMU, its processor emulated: slow, so its figures only
show that the ways that namespaces take are those of machines, and what a
page's worth of traffic costs the engine there.

The image is that of the system tests (tests/guest/make); it fetches a page and
sends 32 MiB, and we are the other end.
"""
import contextlib
import os
import pathlib
import shutil
import socket
import threading
import time

import lab
from lab import SERVER, Failed, Process
from peers import Running

MIB = 1 << 20
SIZE = 32 * MIB
BOOT = 90  # seconds for a guest to do all it has to
IMAGE = pathlib.Path(os.environ.get(
    "VMLAN_GUEST", pathlib.Path(__file__).resolve().parent.parent / "build-guest"))

VHOST = ("-object", "memory-backend-memfd,id=m,size=256M,share=on",
         "-machine", "memory-backend=m", "-chardev", "socket,id=c,path={0}",
         # Without MSI-X: some QEMU with an emulated processor end over it.
         "-netdev", "vhost-user,id=n,chardev=c",
         "-device", "virtio-net-pci,netdev=n,vectors=0")
STREAM = ("-netdev", "stream,id=n,server=off,addr.type=unix,addr.path={0}",
          "-device", "virtio-net-pci,netdev=n")
USER = ("-netdev", "user,id=n", "-device", "virtio-net-pci,netdev=n")


class End(threading.Thread):
    """The other end of one connection: how long the bytes took, and the
    engine's time on a processor meanwhile."""

    def __init__(self, talk, cpu):
        super().__init__(daemon=True)
        self.talk, self.cpu = talk, cpu
        self.secs = self.cpu_s = None
        self.listener = socket.create_server((SERVER, 0))
        self.listener.settimeout(BOOT)
        self.port = self.listener.getsockname()[1]

    def run(self):
        with contextlib.suppress(OSError):
            s = self.listener.accept()[0]
            with s:
                begin, cpu = time.monotonic(), self.cpu()
                moved = self.talk(s)
                if moved >= SIZE:
                    self.secs = time.monotonic() - begin
                    self.cpu_s = self.cpu() - cpu

    def figures(self, name):
        self.join(1)
        self.listener.close()
        if self.secs is None:
            return {}
        return {f"{name}_gbit_s": SIZE * 8e-9 / self.secs,
                f"{name}_cpu_s_gib": self.cpu_s * (1 << 30) / SIZE}


def give_page(s):
    """Answers a request with SIZE bytes."""
    s.recv(65536)
    s.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\npage\n" % (SIZE + 5))
    for _ in range(SIZE // MIB):
        s.sendall(bytes(MIB))
    s.shutdown(socket.SHUT_WR)
    while s.recv(65536):
        pass
    return SIZE


def take_all(s):
    got = 0
    into = bytearray(MIB)
    while n := s.recv_into(into):
        got += n
    return got


def image(lab_):
    """The guest's files where the peers' tree sees them too."""
    for name in ("vmlinuz", "initrd"):
        if not (IMAGE / name).exists():
            raise Failed(f"no guest image: tests/guest/make {IMAGE}")
        if not (lab.RUN / name).exists():
            shutil.copy(IMAGE / name, lab.RUN / name)


def command(qemu, words, orders):
    return [qemu, "-accel", "tcg", "-cpu", "max", "-m", "256", "-display", "none",
            "-monitor", "none", "-serial", "stdio", "-no-reboot",
            "-kernel", str(lab.RUN / "vmlinuz"), "-initrd", str(lab.RUN / "initrd"),
            "-append", "console=ttyS0 quiet panic=-1 no_timer_check " + orders, *words]


def boot(lab_, words, cpu):
    """Runs a guest to its end; the figures of both directions."""
    image(lab_)
    qemu = lab_.find("qemu-system-x86_64")
    if not qemu:
        raise Failed("qemu-system-x86_64 is not installed")
    page, sink = End(give_page, cpu), End(take_all, cpu)
    page.start()
    sink.start()
    p = Process(command(qemu[0], words, f"page=http://{SERVER}:{page.port}/ "
                        f"up={SERVER}:{sink.port}"), mnt=qemu[1], read=True)
    said = ""
    try:
        end = time.monotonic() + BOOT
        while (line := p.line(max(0.1, end - time.monotonic()))) is not None:
            said = line if "guest:" in line else said
            if "guest: done" in line:
                break
    finally:
        p.stop()
    got = {**page.figures("down"), **sink.figures("up")}
    if not got:
        raise Failed(f"the guest moved nothing; it said: {said.strip() or p.name}")
    return got


def machine(cell):
    """One peer's socket, a guest of its own at it."""
    peer = cell.peer
    if peer.name == "QEMU user":
        got = boot(cell.lab, USER, lambda: 0)
        # Its NAT is in the process that emulates the processor.
        return {k: v for k, v in got.items() if "cpu" not in k}
    ns = cell.lab.guest()
    try:
        r = Running(peer, cell.lab, ns, cell.s, front=False)
        words = [w.format(r.sock) for w in (VHOST if peer.link == "vhost" else STREAM)]
        pids = r.pids()
        try:
            return boot(cell.lab, words, lambda: lab.cpu_ns(pids) / 1e9)
        finally:
            r.stop()
    finally:
        ns.close()
