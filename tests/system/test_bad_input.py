# SPDX-License-Identifier: BSD-3-Clause
"""Mistakes: one clear line each, the right exit code, nothing left behind."""
import os
import socket

import pytest

import world
from world import VMLAN, sh

JOIN = """
usr
user,type=tap
user,id=n,id=m
user,hostfw=tcp::1-:2
user,foo=1
user,net=1,net=2
user,restrict=maybe
user,restrict=on,dns=10.0.3.3
user,guestfwd=tcp::80
user,guestfwd=udp::80-cmd:cat
user,guestfwd=tcp::80-stdio
user,guestfwd=tcp::80-cmd:
user,guestfwd=tcp::80-cmd:'cat
user,guestfwd=tcp::80-unix:x
user,guestfwd=tcp::80-tcp:22
user,guestfwd=tcp:10.0.3.1:80-cmd:cat
user,guestfwd=tcp:10.0.2.3:53-cmd:cat
user,guestfwd=tcp::80-cmd:cat,guestfwd=tcp::80-cmd:dd
user,hostfwd=tcp::2222-10.0.2.4:22,guestfwd=tcp::80-cmd:cat
user,hostfwd=unix:x-:22
user,hostfwd=unix:-:22
user,hostfwd=unix:/run/x-:0
user,hostfwd=unix:/run/x-10.9.9.9:22
user,hostfwd=tcp:127.0.0.1:2222-10.0.2.255:22
user,hostfwd=udp:127.0.0.1:2222-10.0.2.0:22
user,hostfwd=tcp:127.0.0.1:2222-10.0.2.3:53
user,mtu=67
user,mtu=65521
user,mtu=jumbo
user,restrict=
user,restrict=on,restrict=off
user,restrict=services,dns=10.0.3.3
user,guestfwd=tcp:10.0.2.255:80-cmd:cat
user,guestfwd=tcp:10.0.2.15:80-cmd:cat
user,guestfwd=tcp::0-cmd:cat
user,guestfwd=tcp::80-tcp:127.0.0.1:0
user,guestfwd=tcp::80-tcp:127.0.0.1:99999
user,guestfwd=tcp::80-tcp:127.0.0.1:-5
{"type":"user","restrict":"yes"}
{"type":"user","mtu":"1500"}
{"type":"user","guestfwd":"tcp::80-cmd:cat"}
{"type":"user","guestfwd":[{"str":"tcp::80"}]}
user,tftp=
user,tftp=/x,bootfile=
user,tftp-server-name=
user,ipv4=off,ipv6=off
user,hostfwd
user,net=10.0.2.0/33
user,net=abc
user,host=10.0.3.2
user,dns=10.0.2.2
user,dhcpstart=10.0.3.1
user,domainname=
user,hostfwd=tcp::2222-:22x
user,hostfwd=tcp::2222-10.9.9.9:22
user,hostfwd=tcp::99999-:22
user,hostfwd=icmp::1-:1
{"type":"user","id":"n","hostfwd":"x"}
{"type":"user"
{"type":"stream","id":"n","addr":{}}
{"type":"tap","queues":"many"}
tap,queues=x
tap,queues=0
tap,queues=1025
tap,fd=3,fds=3:4
tap,fd=3,ifname=x
tap,vnet_hdr=maybe
tap,br=br0
tap,helper=
bridge,br=
bridge,br=a/b
bridge,helper=
bridge,vnet_hdr=on
hostif,addr=10.0.0.1
hostif,addr=10.0.0.0/8
hostif,ifname=
hostif,mtu=9
hostif,forward=maybe
macvtap
macvtap,if=
macvtap,if=eth0,mode=source
macvtap,if=eth0,mac=ff:ff:ff:ff:ff:ff
macvtap,if=eth0,queues=2
packet
packet,if=a/b
packet,if=eth0,translate=maybe
packet,if=eth0,mac=52:54:00:12:34:56
hostif,mac=ff:ff:ff:ff:ff:ff
af-xdp
af-xdp,ifname=
af-xdp,ifname=lo,mode=copy
af-xdp,ifname=lo,queues=0
af-xdp,ifname=lo,queues=61
af-xdp,ifname=lo,start-queue=-1
af-xdp,ifname=lo,inhibit=on
af-xdp,ifname=lo,sock-fds=3
af-xdp,ifname=lo,inhibit=on,sock-fds=3:4
hubport
hubport,hubid=0,netdev=nobody
stream
stream,addr.type=inet,addr.host=a
stream,server=on,reconnect-ms=5,addr.type=unix,addr.path=x
stream,to=5
stream,addr.type=fd,addr.str=99
dgram
dgram,local.type=inet,local.host=a,local.port=1
netns,path=/x,pid=5
vde,sock=/x[]
vde,sock=/x,max=1
socket
socket,listen=1234
socket,listen=:99999
socket,listen=::1:5
socket,listen=:1,connect=a:2
socket,listen=:1,localaddr=1.2.3.4
socket,listen=:1,reconnect-ms=5
socket,connect=a:0
socket,connect=a:1,max=1
socket,mcast=10.0.0.1:5
socket,mcast=230.0.0.1:5,localaddr=x
socket,udp=1.2.3.4:5
socket,udp=1.2.3.4:5,localaddr=6
socket,fd=x
socket,fd=99
socket,fd=0
socket,connect=a
socket,connect=a:b
socket,mcast=230.0.0.1:0
socket,mcast=230.0.0.1:5,connect=a:1
{"type":"socket","listen":5}
l2tpv3,src=a,dst=b
vhost-user,chardev=c
passt,param=--debug
passt,interface=eth0
passt,tcp-ports=all
passt,tcp-ports=22,tcp=off
passt,address=192.0.2.7,gateway=192.0.9.1
passt,freebind=on
user,tcp=off,hostfwd=tcp::2222-:22
user,host-loopback=10.0.2.3
tap,vhostfd=3,vhost=off
tap,fds=3:4,vhostfds=5
netmap,ifname=vale0:1
vhost-vdpa,vhostdev=/dev/vhost-vdpa-0
vmnet-shared
vxlan
""".strip().splitlines()

RUN = [
    ["-p", "[::1:80:80"], ["-p", "[::1]80:80"], ["-p", "::1:80:80"], ["-p", "80/sctp"], ["-p", "65536"], ["-p", "22-80:32"],
    ["-p", "80,80:81"], ["-p", ""], ["-p", "a:b"], ["-p", "0.0.0.256:80:80"],
    ["--nic", "e1000,mac=x"], ["--nic", "nosuch"], ["--nic", "e1000,mac=01:00:00:00:00:01"],
    ["--net", "bridged,colour=red"], ["--net", "hostonly"], ["--net", "nosuch"], ["--net", "none", "-p", "80:80"],
    ["--net", "none", "--nic", "e1000"],
    ["-nic", "usr"], ["-nic", "e1000"], ["-nic", "user,model=nosuch"],
    ["-nic", "user,mac=x"], ["-nic", "none,model=e1000"], ["-nic", "none", "--net", "nat"],
    ["-nic", "user", "-nic", "user"], ["-nic", "user", "-net", "user"],
    ["-nic", "user", "--net", "nat"], ["-nic", "socket,listen=:1", "-p", "80:80"],
    ["-net", "none", "-p", "80:80"], ["-net", "hubport,hubid=1"], ["-net", "nic,name=x"],
    ["-net", "nic,netdev=u"], ["-net", "nic", "-net", "nic"], ["-net", ""],
    ["-net", "nic,model=e1000", "--nic", "rtl8139"], ["-nic"],
    ["--name", "../x"], ["--name", ""], ["--nosuch"], ["-p"],
]


def one_line(r, code):
    err = r.stderr.splitlines()
    assert r.returncode == code, (r.returncode, r.stderr)
    assert len(err) == 1 and err[0].startswith("vmlan: error: "), r.stderr
    assert len(err[0]) > 25 and r.stdout == ""
    return err[0]


def vmlan(*args, **kw):
    return sh(VMLAN, *args, check=False, timeout=30, **kw)


@pytest.mark.parametrize("netdev", JOIN)
def test_netdev(netdev):
    one_line(vmlan("join", netdev), 2)


@pytest.mark.parametrize("args", RUN, ids=" ".join)
def test_run(args):
    one_line(vmlan("run", *args, "--", "qemu-system-x86_64", "-nographic"), 2)


def test_command_lines():
    for args in ([], ["nosuch"], ["join"], ["join", "--nosuch"], ["nic"],
                 ["join", "--ready-fd", "77", "user"], ["join", "--ready-fd", "x", "user"],
                 ["run"], ["run", "--"], ["run", "--", "sh", "-c", "true"],
                 ["run", "-p", "80:80", "--", "qemu-system-x86_64", "-nic", "user"],
                 ["run", "-p", "80:80", "-p", "80:81", "--", "qemu-system-x86_64"]):
        one_line(vmlan(*args), 2)
    one_line(vmlan("join", "user", env=dict(os.environ, VMLAN_DENY="x")), 2)
    for workers in ("", "0", "17", "x", "2 ", "-1"):
        one_line(vmlan("join", "user", env=dict(os.environ, VMLAN_WORKERS=workers)), 2)
    one_line(vmlan("join", "hubport,hubid=0", "hubport,hubid=0"), 2)
    one_line(vmlan("join", "user,id=a", "user,id=a"), 2)
    for args in (["-nic", "none"], ["-net", "none"], ["-net", "nic,netdev=u"], ["-net"],
                 ["-nic", "user,mode=x"], ["-net", '{"type":"user"}'],
                 ["-net", "user,id=u", "-net", "user,id=u"]):
        one_line(vmlan("join", *args), 2)


def test_busy_port_names_its_holder():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        port = s.getsockname()[1]
        line = one_line(vmlan("join", f"user,hostfwd=tcp:127.0.0.1:{port}-:22"), 5)
        assert f"pid {os.getpid()}" in line and str(port) in line
        line = one_line(vmlan("run", "-p", f"{port}:22", "--", "sh", "-c", "{socket}"), 5)
        assert f"pid {os.getpid()}" in line
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        line = one_line(vmlan("join", f"user,hostfwd=udp:127.0.0.1:{port}-:22"), 5)
        assert f"pid {os.getpid()}" in line


def test_things_that_are_not_there():
    one_line(vmlan("join", "user", "stream,addr.type=unix,addr.path=/run/nobody"), 1)
    one_line(vmlan("join", "netns,path=/run/netns/nosuch"), 4)
    one_line(vmlan("join", "netns,pid=4194303"), 4)
    one_line(vmlan("join", "user", "tap,ifname=x,script=/nosuch"), 1)
    with open("/run/file", "w"):
        pass
    one_line(vmlan("join", "user", "stream,server=on,addr.type=unix,addr.path=/run/file"), 5)
    one_line(vmlan("join", "user,hostfwd=tcp:203.0.113.9:80-:80"), 2)
    one_line(vmlan("join", "user,hostfwd=unix:/run/nosuch/x-:22"), 1)
    one_line(vmlan("join", "user,hostfwd=unix:/run/file-:22"), 5)
    for text in ("listen=192.0.2.77:1234", "udp=1.2.3.4:5,localaddr=192.0.2.77:1234"):
        assert "no such address" in one_line(vmlan("join", f"socket,{text}"), 1)
    assert "number" in one_line(vmlan("join", "user,guestfwd=tcp::80-tcp:127.0.0.1:nosuch"), 1)
    assert "reconnect-ms" in one_line(vmlan("join", "socket,connect=127.0.0.1:1"), 1)
    assert "x" not in sh("ip", "-o", "link").stdout.split()


def test_who_has_failed_was_never_ready():
    """A client whose peer is not there, by join and by up."""
    for peer in ("unix,addr.path=/run/nobody", "inet,addr.host=127.0.0.1,addr.port=1"):
        one_line(vmlan("join", "--ready-fd", "1", "user", f"stream,addr.type={peer}"), 1)
        line = one_line(vmlan("up", "lab", "generic", f"netdev=stream,addr.type={peer}"), 1)
        assert "cannot connect" in line
        assert vmlan("ls").stdout == ""


def test_given_twice():
    """The second is refused, the first does not stay behind."""
    for text in ("user,hostfwd=tcp:127.0.0.1:2222-:22,hostfwd=tcp:127.0.0.1:2222-:23",
                 "user,hostfwd=unix:/run/x-:22,hostfwd=unix:/run/x-:23"):
        one_line(vmlan("join", text), 5)
    assert not os.path.exists("/run/x")
    assert ":2222 " not in sh("ss", "-Hltn").stdout


def test_low_port_without_privilege():
    r = sh("setpriv", "--bounding-set=-all", "--inh-caps=-all", VMLAN, "join",
           "user,hostfwd=tcp:127.0.0.1:81-:80", check=False) if os.environ.get("ROOTLESS") \
        else sh("unshare", "--user", VMLAN, "join", "user,hostfwd=tcp:127.0.0.1:81-:80",
                check=False)
    line = one_line(r, 6)
    assert "ip_unprivileged_port_start" in line


def test_help_is_no_error():
    for args in (["--help"], ["join", "--help"], ["run", "--help"], ["nic", "list"],
                 ["--version"], ["join", "help"], ["join", "tap,help"], ["join", "user,help"]):
        r = vmlan(*args)
        assert r.returncode == 0 and r.stdout and not r.stderr, args
