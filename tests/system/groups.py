# SPDX-License-Identifier: BSD-3-Clause
"""What a machine does with multicast groups, for the agents (agent.py) of
test_multicast.py: each is a program that runs in a guest's namespace."""
import struct

KNOWN = """
import struct
import time

IF = if_nametoindex("eth0")


def member(group, port=7000, ifname="eth0"):
    s = socket(AF_INET6 if ":" in group else AF_INET, SOCK_DGRAM)
    s.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
    n = if_nametoindex(ifname)
    if ":" in group:
        s.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, 1)
        s.bind((group, port, 0, n if group.startswith("ff02") else 0))
        s.setsockopt(IPPROTO_IPV6, IPV6_JOIN_GROUP,
                     inet_pton(AF_INET6, group) + struct.pack("@i", n))
    else:
        s.bind((group, port))
        s.setsockopt(IPPROTO_IP, IP_ADD_MEMBERSHIP,
                     inet_aton(group) + inet_aton("0.0.0.0") + struct.pack("@i", n))
    s.settimeout(5)
    return s


def quit(s, group, ifname="eth0"):
    n = struct.pack("@i", if_nametoindex(ifname))
    if ":" in group:
        s.setsockopt(IPPROTO_IPV6, IPV6_LEAVE_GROUP, inet_pton(AF_INET6, group) + n)
    else:
        s.setsockopt(IPPROTO_IP, IP_DROP_MEMBERSHIP,
                     inet_aton(group) + inet_aton("0.0.0.0") + n)
    s.close()


def sender(group, ifname="eth0", hops=4):
    n = if_nametoindex(ifname)
    s = socket(AF_INET6 if ":" in group else AF_INET, SOCK_DGRAM)
    if ":" in group:
        s.setsockopt(IPPROTO_IPV6, IPV6_MULTICAST_IF, n)
        s.setsockopt(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops)
        s.setsockopt(IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0)
    else:
        s.setsockopt(IPPROTO_IP, IP_MULTICAST_IF, struct.pack("@4s4si", bytes(4), bytes(4), n))
        s.setsockopt(IPPROTO_IP, IP_MULTICAST_TTL, hops)
        s.setsockopt(IPPROTO_IP, IP_MULTICAST_LOOP, 0)
    s.settimeout(5)
    return s


def insist(s, data, to):
    for left in range(50, -1, -1):
        try:
            s.sendto(data, to)
            return
        except OSError:  # for a moment, when an address or a route of its kernel's changes
            if not left:
                raise
            time.sleep(0.02)


def to_group(text, group, port=7000):
    with sender(group) as s:
        insist(s, text.encode(), (group, port))


def speaks(s, group, ifname="eth0", hops=255):
    # A member that sends to its group as well, from the group's port.
    n = if_nametoindex(ifname)
    if ":" in group:
        s.setsockopt(IPPROTO_IPV6, IPV6_MULTICAST_IF, n)
        s.setsockopt(IPPROTO_IPV6, IPV6_MULTICAST_HOPS, hops)
        s.setsockopt(IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1)
    else:
        s.setsockopt(IPPROTO_IP, IP_MULTICAST_IF, struct.pack("@4s4si", bytes(4), bytes(4), n))
        s.setsockopt(IPPROTO_IP, IP_MULTICAST_TTL, hops)
        s.setsockopt(IPPROTO_IP, 12, 1)  # IP_RECVTTL
    return s


def no_loop(s):
    v6 = s.family == AF_INET6
    s.setsockopt(IPPROTO_IPV6 if v6 else IPPROTO_IP,
                 IPV6_MULTICAST_LOOP if v6 else IP_MULTICAST_LOOP, 0)


def answer(text, ip, port):
    # To one machine, of the link or from elsewhere.
    with socket(AF_INET6 if ":" in ip else AF_INET, SOCK_DGRAM) as s:
        s.sendto(text.encode(), (ip, port, 0, IF) if ip.startswith("fe80") else (ip, port))


def heard(s):
    # (text, address, port, hop limit)
    data, more, _, who = s.recvmsg(2000, 200)
    hops = [struct.unpack("@i", d)[0] for level, kind, d in more
            if (level, kind) in ((IPPROTO_IP, IP_TTL), (IPPROTO_IPV6, IPV6_HOPLIMIT))]
    return data.decode(), who[0].split("%")[0], who[1], hops[0]


def to_all(text, port=7000):
    with socket(AF_INET, SOCK_DGRAM) as s:
        s.setsockopt(SOL_SOCKET, SO_BROADCAST, 1)
        s.sendto(text.encode(), ("255.255.255.255", port))


def say_raw(frame):
    with socket(AF_PACKET, SOCK_RAW) as s:
        s.bind(("eth0", 0))
        s.send(frame)


# All frames that come, also those that no program wants.
wire = socket(AF_PACKET, SOCK_RAW, htons(3))
wire.bind(("eth0", 3))
wire.setsockopt(263, 23, 1)  # PACKET_IGNORE_OUTGOING
wire.settimeout(5)


def forget():
    # What came until now counts no more.
    wire.setblocking(False)
    try:
        while True:
            wire.recv(65536)
    except BlockingIOError:
        wire.settimeout(5)


def hears(s, text):
    # What was said before may still be there.
    end = time.monotonic() + 5
    while time.monotonic() < end:
        if s.recv(100) == text.encode():
            return True
    return False


def seen_until(end):
    seen = []
    while True:
        frame = wire.recv(65536)
        seen.append(frame)
        if end.encode() in frame:
            return seen
"""


def checksum(b):
    if len(b) % 2:
        b += b"\0"
    s = sum(struct.unpack(f">{len(b) // 2}H", b))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return struct.pack(">H", ~s & 0xffff)


def query(family, mac, last):
    """A general query that is to be answered within a second, from the link's
    address that ends in last."""
    mac = bytes.fromhex(mac.replace(":", ""))
    if family == 4:
        m = b"\x11\x0a\0\0" + bytes(4) + b"\2\x7d\0\0"
        m = m[:2] + checksum(m) + m[4:]
        h = struct.pack(">BBHHHBBH", 0x46, 0xc0, 24 + len(m), 0, 0, 1, 2, 0)
        h += bytes([10, 0, 2, last, 224, 0, 0, 1]) + b"\x94\4\0\0"
        return (bytes.fromhex("01005e000001") + mac + b"\x08\0" +
                h[:10] + checksum(h) + h[12:] + m)
    src = bytes.fromhex("fe80") + bytes(13) + bytes([last])
    dst = bytes.fromhex("ff02") + bytes(13) + b"\1"
    m = b"\x82\0\0\0\x03\xe8\0\0" + bytes(16) + b"\2\x7d\0\0"
    m = m[:2] + checksum(src + dst + struct.pack(">II", len(m), 58) + m) + m[4:]
    h = struct.pack(">IHBB", 6 << 28, 8 + len(m), 0, 1) + src + dst
    return (bytes.fromhex("333300000001") + mac + b"\x86\xdd" + h +
            b"\x3a\0\5\2\0\0\1\0" + m)
