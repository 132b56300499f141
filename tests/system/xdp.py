# SPDX-License-Identifier: BSD-3-Clause
"""What an administrator does for af-xdp with inhibit=on, by bpf(2): a map of
sockets, a program that leads an interface's frames to them, a name for the map.
Everything goes with the descriptors, but for the name."""
import ctypes
import os
import platform
import socket
import struct

AF_XDP = 44
SOL_XDP, XDP_RX_RING, XDP_TX_RING, XDP_UMEM_REG = 283, 2, 3, 4
XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING = 5, 6
MAP_CREATE, MAP_UPDATE, PROG_LOAD, OBJ_PIN, LINK_CREATE = 0, 2, 5, 6, 28
XSKMAP, PROG_XDP, ATTACH_XDP = 17, 6, 37
SKB, DRV = 1 << 1, 1 << 2
NUMBER = {"x86_64": 321, "aarch64": 280}[platform.machine()]
libc = ctypes.CDLL(None, use_errno=True)


def bpf(cmd, fmt, *values):
    attr = ctypes.create_string_buffer(struct.pack(fmt, *values), 128)
    r = libc.syscall(NUMBER, cmd, attr, ctypes.sizeof(attr))
    if r < 0:
        raise OSError(ctypes.get_errno(), f"bpf({cmd})")
    return r


def address(buf):
    return ctypes.addressof(buf)


def insn(code, regs=0, off=0, imm=0):
    return struct.pack("<BBhi", code, regs, off, imm)


def map_new(entries):
    return bpf(MAP_CREATE, "<IIII", XSKMAP, 4, 4, entries)


def map_put(m, index, fd):
    key, value = ctypes.c_uint32(index), ctypes.c_uint32(fd)
    bpf(MAP_UPDATE, "<IxxxxQQQ", m, address(key), address(value), 0)


def pin(fd, path):
    name = ctypes.create_string_buffer(path.encode())
    bpf(OBJ_PIN, "<QI", address(name), fd)


def attach(m, ifname, flags=SKB, first=0):
    """Frames of queue q go to the socket at first + q."""
    code = b"".join([
        insn(0x61, 0x12, 16),                       # r2 = ctx->rx_queue_index
        insn(0x07, 0x02, 0, first),                 # r2 += first
        insn(0x18, 0x11, 0, m), insn(0),            # r1 = map
        insn(0xb7, 0x03, 0, 2),                     # r3 = XDP_PASS
        insn(0x85, 0, 0, 51), insn(0x95)])          # redirect_map, exit
    text, licence = ctypes.create_string_buffer(code), ctypes.create_string_buffer(b"BSD")
    prog = bpf(PROG_LOAD, "<IIQQIIQII16sII", PROG_XDP, len(code) // 8, address(text),
               address(licence), 0, 0, 0, 0, 0, b"", 0, ATTACH_XDP)
    try:
        return bpf(LINK_CREATE, "<IIII", prog, socket.if_nametoindex(ifname), ATTACH_XDP, flags)
    finally:
        os.close(prog)


def sock():
    """One that is not bound."""
    return socket.socket(AF_XDP, socket.SOCK_RAW)


def busy_sock(ifname, queue=0):
    """One that has the queue."""
    s = sock()
    area = libc.mmap
    area.restype, area.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_size_t] + \
        [ctypes.c_int] * 3 + [ctypes.c_long]
    at = area(None, 1 << 20, 3, 0x22, -1, 0)
    s.setsockopt(SOL_XDP, XDP_UMEM_REG, struct.pack("<QQIIII", at, 1 << 20, 4096, 0, 0, 0))
    for ring in (XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING, XDP_TX_RING):
        s.setsockopt(SOL_XDP, ring, struct.pack("<i", 64))
    # Python knows no addresses of this family.
    a = struct.pack("<HHIII", AF_XDP, 0, socket.if_nametoindex(ifname), queue, 0)
    if libc.bind(s.fileno(), a, len(a)) < 0:
        raise OSError(ctypes.get_errno(), "bind")
    return s
