# SPDX-License-Identifier: BSD-3-Clause
"""Machines without a kernel: each is a cable (stream) of a running network, and
asks for its leases itself, by DHCPv4 and DHCPv6.  Any number in one process."""
import http.client
import json
import os
import select
import socket
import struct
import time

COOKIE = b"\x63\x82\x53\x63"


class Control(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("vmlan", timeout=60)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


def ask(path, method, url, body=None):
    c = Control(path)
    c.request(method, url, json.dumps(body) if body is not None else None)
    r = c.getresponse()
    o = json.loads(r.read())
    c.close()
    assert r.status < 300, (url, o)
    return o


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    s = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return ~s & 0xffff


def udp4(mac, src, dst, sport, dport, data, to=b"\xff" * 6):
    u = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(u), 0, 0, 64, 17, 0,
                     socket.inet_aton(src), socket.inet_aton(dst))
    ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
    return to + mac + b"\x08\x00" + ip + u


def udp6(mac, src, dst, sport, dport, data):
    src, dst = (socket.inet_pton(socket.AF_INET6, a) for a in (src, dst))
    n = 8 + len(data)
    head = struct.pack("!HHHH", sport, dport, n, 0)
    s = checksum(src + dst + struct.pack("!II", n, 17) + head + data) or 0xffff
    head = struct.pack("!HHHH", sport, dport, n, s)
    to = b"\x33\x33" + dst[-4:]
    return to + mac + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, n, 17, 255) + src + dst + head + data


def link_local(mac):
    b = bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
    return socket.inet_ntop(socket.AF_INET6, b"\xfe\x80" + bytes(6) + b)


def option4(code, value):
    return bytes([code, len(value)]) + value


def options4(data):
    got = {}
    while data and data[0] != 255:
        if data[0] == 0:
            data = data[1:]
            continue
        got[data[0]] = got.get(data[0], b"") + data[2:2 + data[1]]
        data = data[2 + data[1]:]
    return got


def option6(code, value):
    return struct.pack("!HH", code, len(value)) + value


def options6(data):
    while len(data) >= 4:
        code, n = struct.unpack("!HH", data[:4])
        yield code, data[4:4 + n]
        data = data[4 + n:]


class Raw:
    def __init__(self, number, name):
        self.name = name
        self.mac = bytes([0x52, 0x54, 0, 1, number >> 8, number & 0xff])
        self.sock = None
        self.buf = b""
        self.ip4 = self.ip6 = None
        self.server6 = None
        self.nak = False

    def mac_text(self):
        return ":".join(f"{b:02x}" for b in self.mac)

    def attach(self, control, knows_mac=True):
        body = {"name": self.name, "pid": os.getpid()}
        if knows_mac:
            body["mac"] = self.mac_text()
        self.path = ask(control, "POST", "/v1/machines", body)["socket"]

    def plug(self):
        self.unplug()
        s = socket.socket(socket.AF_UNIX)
        s.connect(self.path)
        s.setblocking(False)
        self.sock, self.buf = s, b""

    def unplug(self):
        if self.sock:
            self.sock.close()
        self.sock = None

    def send(self, frame):
        self.sock.sendall(struct.pack("!I", len(frame)) + frame)

    def say4(self, kind, **more):
        """kind: 1 DISCOVER, 3 REQUEST, 7 RELEASE, 4 DECLINE."""
        opts = option4(53, bytes([kind])) + option4(12, self.name.encode())
        if more.get("want"):
            opts += option4(50, socket.inet_aton(more["want"]))
        if more.get("server"):
            opts += option4(54, more["server"])
        ciaddr = socket.inet_aton(more.get("ciaddr", "0.0.0.0"))
        msg = (struct.pack("!BBBBIHH", 1, 1, 6, 0, 0x1234, 0, 0) + ciaddr + bytes(12) + self.mac +
               bytes(10 + 192) + COOKIE + opts + b"\xff")
        self.send(udp4(self.mac, more.get("ciaddr", "0.0.0.0"), "255.255.255.255", 68, 67, msg))

    def say6(self, kind, ip=None):
        """kind: 1 SOLICIT, 3 REQUEST, 6 REBIND."""
        ia = struct.pack("!III", 7, 0, 0)
        if ip:
            ia += option6(5, socket.inet_pton(socket.AF_INET6, ip) + bytes(8))
        labels = bytes([len(self.name)]) + self.name.encode()
        opts = (option6(1, b"\0\3\0\1" + self.mac) + option6(3, ia) + option6(8, b"\0\0") +
                option6(39, b"\0" + labels))
        if kind == 3:
            opts += option6(2, self.server6)
        self.send(udp6(self.mac, link_local(self.mac), "ff02::1:2", 546, 547,
                       bytes([kind, 0, 0, 9]) + opts))

    def frames(self):
        while True:
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                break
            if not data:
                raise ConnectionResetError(self.name)
            self.buf += data
        while len(self.buf) >= 4:
            n = struct.unpack("!I", self.buf[:4])[0]
            if len(self.buf) < 4 + n:
                break
            frame, self.buf = self.buf[4:4 + n], self.buf[4 + n:]
            yield frame

    def on_frame(self, f):
        if f[12:14] == b"\x08\x00" and f[23] == 17 and f[36:38] == b"\x00\x44":
            self.on_dhcp4(f[42:])
        elif f[12:14] == b"\x86\xdd" and f[20] == 17 and f[56:58] == b"\x02\x22":
            self.on_dhcp6(f[62:])

    def on_dhcp4(self, m):
        if m[28:34] != self.mac:
            return
        opts = options4(m[240:])
        ip = socket.inet_ntoa(m[16:20])
        kind = opts[53][0]
        if kind == 2:
            self.say4(3, want=ip, server=opts[54])
        elif kind == 5:
            self.ip4 = ip
            self.opts = opts
        elif kind == 6:
            self.nak = True

    def on_dhcp6(self, m):
        ip = None
        for code, value in options6(m[4:]):
            if code == 1 and value != b"\0\3\0\1" + self.mac:
                return
            if code == 2:
                self.server6 = value
            if code == 3:
                for c, v in options6(value[12:]):
                    if c == 5 and any(v[20:24]):
                        ip = socket.inet_ntop(socket.AF_INET6, v[:16])
        if m[0] == 2 and ip:
            self.say6(3, ip)
        elif m[0] == 7 and ip:
            self.ip6 = ip


def pump(machines, done, again=None, seconds=60):
    """Takes what comes until done(m) of all; again(m) is said once a second of
    those that are not."""
    end = time.monotonic() + seconds
    said = time.monotonic()
    by_fd = {m.sock.fileno(): m for m in machines}
    while not all(done(m) for m in machines):
        left = [m.name for m in machines if not done(m)]
        assert time.monotonic() < end, f"{len(left)} wait: {left[:5]}"
        ready, _, _ = select.select(list(by_fd), [], [], 0.2)
        for fd in ready:
            for f in by_fd[fd].frames():
                by_fd[fd].on_frame(f)
        if again and time.monotonic() > said + 1:
            said = time.monotonic()
            for m in machines:
                if not done(m):
                    again(m)


def lease_all(machines, families=(4, 6)):
    """Each gets what it has not yet, of new."""
    def start(m):
        if 4 in families and not m.ip4:
            m.say4(1)
        if 6 in families and not m.ip6:
            m.say6(1)

    for m in machines:
        start(m)
    pump(machines, lambda m: (m.ip4 or 4 not in families) and (m.ip6 or 6 not in families), start)


def renew_all(machines):
    """Each asks for what it has, as after its own restart; what it got."""
    had = {m.name: (m.ip4, m.ip6) for m in machines}

    def start(m):
        if not m.ip4 and not m.nak:
            m.say4(3, want=had[m.name][0])
        if not m.ip6:
            m.say6(6, had[m.name][1])

    for m in machines:
        m.ip4 = m.ip6 = None
        m.nak = False
        start(m)
    pump(machines, lambda m: (m.ip4 or m.nak) and m.ip6, start)
    return had
