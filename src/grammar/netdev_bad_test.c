/* SPDX-License-Identifier: BSD-3-Clause */
/* Netdev strings that are refused, and the exact words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grammar/netdev_spec.h"

/* A text and the one line it is answered with. */
struct bad {
	const char *text, *line;
};

static const struct bad bad_netdevs[] = {
	{"", "Parameter 'type' is missing"},
	{"usr", "Parameter 'type' does not accept value 'usr'; the nearest "
		"is 'user', 'help' lists all"},
	{"id=n0", "Parameter 'type' is missing"},
	{"user,id=1n",
	 "user: Parameter 'id' expects an identifier (a letter, then "
	 "letters, digits, '-', '.', '_'), not '1n'"},
	{"user,id=",
	 "user: Parameter 'id' expects an identifier (a letter, then "
	 "letters, digits, '-', '.', '_'), not ''"},
	{"user,id=a b",
	 "user: Parameter 'id' expects an identifier (a letter, then "
	 "letters, digits, '-', '.', '_'), not 'a b'"},
	{"user,id=n,id=m", "user: Parameter 'id' is given twice"},
	{"user,type=tap", "user: Parameter 'type' is given twice"},
	{"vde,sock=",
	 "vde: Parameter 'sock' may not be empty"},
	{"vde,sock=vde://",
	 "vde: Parameter 'sock' may not be empty"},
	{"vde,sock=vxvde://239.1.2.3",
	 "vde: sock=vxvde://239.1.2.3 is no switch, but another plug-in of "
	 "libvdeplug; name a folder, and use another netdev for the rest "
	 "(help lists them)"},
	{"vde,sock=/x[]",
	 "vde: sock=/x[] is a cable between two programs, with no switch; use "
	 "dgram"},
	{"vde,sock=/x[5",
	 "vde: Parameter 'sock' expects a folder, or FOLDER[PORT], not "
	 "'/x[5'"},
	{"vde,sock=/x[70000]",
	 "vde: Parameter 'sock' expects a folder, or FOLDER[PORT], not "
	 "'/x[70000]'"},
	{"vde,sock=/x[5],port=6",
	 "vde: sock= names port 5 and port= another"},
	{"vde,sock=/x,mode=01777",
	 "vde: Parameter 'mode' expects permissions, 0700 for example, at "
	 "most 0777"},
	{"vde,sock=/x,group=", "vde: Parameter 'group' may not be empty"},
	{"vde,sock=/x,port=65536",
	 "vde: Parameter 'port' expects uint16_t"},
	{"vde,sock=/x,server=on,port=1",
	 "vde: port= is a client's; who plugs in chooses"},
	{"vde,sock=/x,max=1",
	 "vde: max= and mgmt= are only valid with server=on"},
	{"vde,sock=/x,mgmt=/y",
	 "vde: max= and mgmt= are only valid with server=on"},
	{"vde,sock=/x,server=on,mgmt=",
	 "vde: Parameter 'mgmt' may not be empty"},
	{"vhost-user,chardev=c",
	 "vhost-user: chardev= names an object inside QEMU; name its "
	 "socket instead: path="},
	{"vhost-user,server=on",
	 "vhost-user: one of path= and fd= is required"},
	{"vhost-user,path=/x,fd=3",
	 "vhost-user: one of path= and fd= is required"},
	{"vhost-user,path=", "vhost-user: Parameter 'path' may not be empty"},
	{"vhost-user,path=/x,queues=0",
	 "vhost-user: number of queues must be in range [1, 16]"},
	{"vhost-user,path=/x,queues=17",
	 "vhost-user: number of queues must be in range [1, 16]"},
	{"vhost-user,path=/x,queues=-1",
	 "vhost-user: Parameter 'queues' expects a uint64 value, not '-1'"},
	{"vhost-user,path=/x,server=on,reconnect-ms=5",
	 "vhost-user: 'reconnect-ms' is for a client with path="},
	{"nic", "nic: network backend 'nic' is not compiled into this "
		"binary; a card is the guest's end of the cable: vmlan run "
		"--nic MODEL"},
	{"none", "none: network backend 'none' is not compiled into this "
		 "binary; leave the netdev out"},
	/* its keys are not judged, for none can be had */
	{"vmnet-host,start-address=192.168.9.1,isolated=on",
	 "vmnet-host: network backend 'vmnet-host' is not compiled into this "
	 "binary; this kind is of macOS; here hostif,addr= is a network of "
	 "the host and its guests"},
	{"vmnet-shared,nat66-prefix=fd00::",
	 "vmnet-shared: network backend 'vmnet-shared' is not compiled into "
	 "this binary; this kind is of macOS; here user is a network with "
	 "NAT"},
	{"vmnet-bridged,ifname=en0",
	 "vmnet-bridged: network backend 'vmnet-bridged' is not compiled into "
	 "this binary; this kind is of macOS; here bridge,br=, macvtap,if= "
	 "and packet,if= lead to an interface"},
	{"netmap,ifname=vale0:1,devname=/dev/netmap",
	 "netmap: network backend 'netmap' is not compiled into this binary; "
	 "netmap is of FreeBSD; here packet,if= has an interface, stream and "
	 "dgram are for what a VALE switch joins"},
	{"vhost-vdpa,vhostdev=/dev/vhost-vdpa-0,x-svq=on",
	 "vhost-vdpa: network backend 'vhost-vdpa' is not compiled into this "
	 "binary; such a device works in the guest's own memory, so it is its "
	 "VMM's; bound to virtio_vdpa it is an interface of the host: "
	 "macvtap,if= or packet,if="},
	{"user,hostfw=tcp::1-:2",
	 "user: Invalid parameter 'hostfw'; did you mean 'hostfwd'?"},
	{"user,foo=1", "user: Invalid parameter 'foo'; the nearest is 'id', "
		       "'user,help' lists all"},
	{"user,mfr-id=5",
	 "user: Invalid parameter 'mfr-id'; the nearest is 'id', "
	 "'user,help' lists all"},
	{"user,=x", "user: Invalid parameter ''; the nearest is 'id', "
		    "'user,help' lists all"},
	{"user,net=1,net=2", "user: Parameter 'net' is given twice"},
	{"user,restrict=SERVICES",
	 "user: Parameter 'restrict' expects 'on', 'services' or 'off', "
	 "not 'SERVICES'"},
	{"user,ipv6=services",
	 "user: Parameter 'ipv6' expects 'on' or 'off', not 'services'"},
	{"user,nofoo", "user: Invalid parameter 'nofoo'; the nearest is 'net', "
		       "'user,help' lists all"},
	{"user,hostfwd", "user: Expected '=' after parameter 'hostfwd'"},
	{"user,ipv6-prefixlen=x",
	 "user: Parameter 'ipv6-prefixlen' expects an int64 value, not 'x'"},
	{"user,ipv4=off,ipv6=off", "user: IPv4 and IPv6 disabled"},
	{"user,ipv4=off,net=10.0.0.0/8",
	 "user: IPv4 disabled but netmask/host/dns provided"},
	{"user,ipv6=on,dns=10.0.2.3",
	 "user: IPv4 disabled but netmask/host/dns provided"},
	{"user,ipv6=off,ipv6-prefix=fd00::",
	 "user: IPv6 disabled but prefix/host6/dns6 provided"},
	{"user,ipv4=on,ipv6-host=fe80::1",
	 "user: IPv6 disabled but prefix/host6/dns6 provided"},
	{"user,restrict=maybe",
	 "user: Parameter 'restrict' expects 'on', 'services' or 'off', "
	 "not 'maybe'"},
	{"{\"type\":\"user\",\"id\":\"n\",\"hostfwd\":\"x\"}",
	 "user: Invalid parameter type for 'hostfwd', expected: array"},
	{"{\"type\":\"user\",\"id\":\"n\",\"hostfwd\":[\"x\"]}",
	 "user: Invalid parameter type for 'hostfwd[0]', expected: "
	 "object"},
	{"{\"type\":\"user\",\"id\":\"n\","
	 "\"hostfwd\":[{\"st\":\"x\"}]}",
	 "user: Parameter 'hostfwd[0].str' is missing"},
	{"{\"type\":\"user\",\"id\":\"n\",\"hostfwd\":[{\"str\":5}]}",
	 "user: Invalid parameter type for 'hostfwd[0].str', "
	 "expected: string"},
	{"{\"type\":\"user\",\"id\":\"n\","
	 "\"hostfwd\":[{\"str\":\"a\",\"x\":1}]}",
	 "user: Parameter 'hostfwd[0].x' is unexpected, only "
	 "'hostfwd[0].str' is known"},
	{"{\"type\":\"user\",\"id\":\"n\",\"restrict\":\"on\"}",
	 "user: Invalid parameter type for 'restrict', expected: "
	 "boolean"},
	{"{\"type\":\"hubport\",\"id\":\"n\",\"hubid\":\"1\"}",
	 "hubport: Invalid parameter type for 'hubid', expected: "
	 "integer"},
	{"{\"type\":\"hubport\",\"id\":\"n\",\"hubid\":1.5}",
	 "hubport: Invalid parameter type for 'hubid', expected: "
	 "integer"},
	{"{\"type\":\"hubport\",\"id\":\"n\",\"hubid\":3000000000}",
	 "hubport: Parameter 'hubid' expects int32_t"},
	{"{\"type\":\"tap\",\"queues\":-1}",
	 "tap: Parameter 'queues' expects uint32_t"},
	{"{\"type\":\"stream\",\"id\":\"n\",\"addr\":\"x\"}",
	 "stream: Invalid parameter type for 'addr', expected: object"},
	{"{\"type\":\"stream\",\"id\":\"n\",\"addr\":{}}",
	 "stream: Parameter 'addr.type' is missing"},
	{"{\"type\":\"stream\",\"id\":\"n\","
	 "\"addr\":{\"type\":\"unix\",\"path\":\"/x\",\"foo\":\"x\"}}",
	 "stream: Parameter 'addr.foo' is unexpected; did you mean "
	 "'addr.to'?"},
	{"{\"type\":\"stream\",\"id\":\"n\","
	 "\"addr\":{\"type\":\"inet\",\"host\":\"a\",\"port\":5}}",
	 "stream: Invalid parameter type for 'addr.port', expected: "
	 "string"},
	{"{\"type\":\"stream\",\"id\":\"n\",\"addr.type\":\"inet\"}",
	 "stream: Parameter 'addr.type' is unexpected; in JSON it is "
	 "a member of an object"},
	{"{\"type\":\"user\",\"id\":\"n\",\"foo\":1}",
	 "user: Parameter 'foo' is unexpected; the nearest is 'id', "
	 "'user,help' lists all"},
	{"{\"id\":\"n\"}", "Parameter 'type' is missing"},
	{"{\"type\":5,\"id\":\"n\"}",
	 "Invalid parameter type for 'type', expected: string"},
	{"{\"type\":\"usr\",\"id\":\"n\"}",
	 "Parameter 'type' does not accept value 'usr'; the nearest "
	 "is 'user', 'help' lists all"},
	{"{\"type\":\"user\"",
	 "JSON parse error, '}' expected near end of file (column 14)"},
	{"{\"type\":\"user\",\"net\":\"a\",\"net\":\"b\"}",
	 "JSON parse error, duplicate object key near '\"net\"' "
	 "(column 30)"},
	{"{\"type\":\"user\",\"a\":[[[[[[[[[]]]]]]]]]}",
	 "JSON parse error, nested more than 8 deep"},
	{"{\"type\":\"user\"} x",
	 "JSON parse error, end of file expected near 'x' (column 17)"},
	{"{\"type\":\"user\",\"net\":null}",
	 "user: Invalid parameter type for 'net', expected: string"},
	{"{}", "Parameter 'type' is missing"},
	{"[]", "Parameter 'type' does not accept value '[]'; the nearest "
	       "is 'tap', 'help' lists all"},
	{"tap,queues=x",
	 "tap: Parameter 'queues' expects a uint64 value, not 'x'"},
	{"tap,queues=-1",
	 "tap: Parameter 'queues' expects a uint64 value, not '-1'"},
	{"tap,queues=4294967296", "tap: Parameter 'queues' expects uint32_t"},
	{"tap,queues=0", "tap: queues must be greater than zero"},
	{"tap,queues=1025", "tap: queues exceeds maximum 1024"},
	{"tap,queues=08",
	 "tap: Parameter 'queues' expects a uint64 value, not '08'"},
	{"tap,sndbuf=1x",
	 "tap: Parameter 'sndbuf' expects a size value, not '1x'"},
	{"tap,sndbuf=1T",
	 "tap: Parameter 'sndbuf' expects at most 2147483647 bytes"},
	{"tap,sndbuf=", "tap: Parameter 'sndbuf' expects a size value, not ''"},
	{"tap,vnet_hdr=maybe",
	 "tap: Parameter 'vnet_hdr' expects 'on' or 'off', not "
	 "'maybe'"},
	{"tap,fd=abc",
	 "tap: Invalid file descriptor number 'abc' (fd=; names of "
	 "QMP's getfd are not known here)"},
	{"tap,fd=3,fds=3:4",
	 "tap: queues=, helper=, fds= and fd= are mutual exclusive"},
	{"tap,fd=3,ifname=x",
	 "tap: ifname=, script=, downscript=, vnet_hdr= are invalid "
	 "with fd=/fds=/helper="},
	{"tap,fds=3:x",
	 "tap: Invalid file descriptor number 'x' (fds=; names of "
	 "QMP's getfd are not known here)"},
	{"tap,fds=3::4",
	 "tap: Invalid file descriptor number '' (fds=; names of "
	 "QMP's getfd are not known here)"},
	{"tap,ifname=abcdefghijklmnop",
	 "tap: Parameter 'ifname' expects at most 15 characters, not "
	 "'abcdefghijklmnop'"},
	{"tap,ifname=",
	 "tap: Parameter 'ifname' expects the name of an interface, "
	 "not ''"},
	{"tap,ifname=a/b",
	 "tap: Parameter 'ifname' expects the name of an interface, "
	 "not 'a/b'"},
	{"tap,vhostfd=3,vhost=off",
	 "tap: vhostfd(s)= is not valid without vhost"},
	{"tap,vhostfds=3:4,queues=2,vhost=off",
	 "tap: vhostfd(s)= is not valid without vhost"},
	{"tap,fds=3:4,vhostfds=5", "tap: expected 2 socket fds, got 1"},
	{"tap,fds=3:4,vhostfd=5", "tap: expected 2 socket fds, got 1"},
	{"tap,queues=2,vhostfds=3:4:5", "tap: expected 2 socket fds, got 3"},
	{"tap,vhostfd=3,vhostfds=4",
	 "tap: vhostfd= and vhostfds= are mutual exclusive"},
	{"tap,vhostfd=vh",
	 "tap: Invalid file descriptor number 'vh' (vhostfd=; names of QMP's "
	 "getfd are not known here)"},
	{"tap,vhostfds=3:vh,queues=2",
	 "tap: Invalid file descriptor number 'vh' (vhostfds=; names of QMP's "
	 "getfd are not known here)"},
	{"tap,poll-us=x",
	 "tap: Parameter 'poll-us' expects a uint64 value, not 'x'"},
	{"tap,vhostforce=maybe",
	 "tap: Parameter 'vhostforce' expects 'on' or 'off', not 'maybe'"},
	{"tap,br=br1", "tap: br= is for helper=; bridge,br=br1 puts a tap on a "
		       "bridge"},
	{"tap,helper=", "tap: Parameter 'helper' may not be empty"},
	{"tap,helper=/x,br=a/b",
	 "tap: Parameter 'br' expects the name of an interface, not 'a/b'"},
	{"bridge,br=", "bridge: Parameter 'br' expects the name of an "
		       "interface, not ''"},
	{"bridge,br=abcdefghijklmnop",
	 "bridge: Parameter 'br' expects at most 15 characters, not "
	 "'abcdefghijklmnop'"},
	{"bridge,helper=", "bridge: Parameter 'helper' may not be empty"},
	{"bridge,queues=2", "bridge: Invalid parameter 'queues'; the nearest "
			    "is 'helper', 'bridge,help' lists all"},
	{"macvtap", "macvtap: Parameter 'if' is missing"},
	{"macvtap,if=", "macvtap: Parameter 'if' expects the name of an "
			"interface, not ''"},
	{"macvtap,if=a/b", "macvtap: Parameter 'if' expects the name of an "
			   "interface, not 'a/b'"},
	{"macvtap,if=eth0,mode=source",
	 "macvtap: Parameter 'mode' expects bridge, vepa, private or passthru, "
	 "not 'source'"},
	{"macvtap,if=eth0,mac=01:00:5e:00:00:01",
	 "macvtap: NIC cannot have multicast MAC address "
	 "(mac=01:00:5e:00:00:01)"},
	{"macvtap,if=eth0,queues=2",
	 "macvtap: Parameter 'queues' is not built yet; only queues=1 is "
	 "accepted, not '2'"},
	{"packet", "packet: Parameter 'if' is missing"},
	{"packet,if=a:b", "packet: Parameter 'if' expects the name of an "
			  "interface, not 'a:b'"},
	{"af-xdp", "af-xdp: Parameter 'ifname' is missing"},
	{"af-xdp,ifname=a/b", "af-xdp: Parameter 'ifname' expects the name of "
			      "an interface, not 'a/b'"},
	{"af-xdp,ifname=eth0,mode=zero",
	 "af-xdp: Parameter 'mode' does not accept value 'zero'; it is native "
	 "or skb"},
	{"af-xdp,ifname=eth0,queues=0",
	 "af-xdp: invalid number of queues (0) for 'eth0'"},
	{"af-xdp,ifname=eth0,queues=-1",
	 "af-xdp: invalid number of queues (-1) for 'eth0'"},
	{"af-xdp,ifname=eth0,queues=1025",
	 "af-xdp: queues exceeds maximum 1024"},
	{"af-xdp,ifname=eth0,start-queue=-1",
	 "af-xdp: Parameter 'start-queue' expects 0 to 65535"},
	{"af-xdp,ifname=eth0,start-queue=65536",
	 "af-xdp: Parameter 'start-queue' expects 0 to 65535"},
	{"af-xdp,ifname=eth0,inhibit=on",
	 "af-xdp: 'inhibit=on' requires 'sock-fds' or 'map-path'"},
	{"af-xdp,ifname=eth0,sock-fds=3",
	 "af-xdp: 'sock-fds' and 'map-path' require 'inhibit=on'"},
	{"af-xdp,ifname=eth0,inhibit=off,map-path=/m",
	 "af-xdp: 'sock-fds' and 'map-path' require 'inhibit=on'"},
	{"af-xdp,ifname=eth0,inhibit=on,sock-fds=3,map-path=/m",
	 "af-xdp: 'sock-fds' and 'map-path' are mutually exclusive"},
	{"af-xdp,ifname=eth0,map-start-index=1",
	 "af-xdp: 'map-start-index' requires 'map-path'"},
	{"af-xdp,ifname=eth0,inhibit=on,map-path=/m,map-start-index=-1",
	 "af-xdp: 'map-start-index' cannot be negative"},
	{"af-xdp,ifname=eth0,inhibit=on,map-path=",
	 "af-xdp: Parameter 'map-path' may not be empty"},
	{"af-xdp,ifname=eth0,inhibit=on,sock-fds=3:4",
	 "af-xdp: expected 1 socket fds, got 2"},
	{"af-xdp,ifname=eth0,inhibit=on,queues=2,sock-fds=3",
	 "af-xdp: expected 2 socket fds, got 1"},
	{"af-xdp,ifname=eth0,inhibit=on,sock-fds=x",
	 "af-xdp: Invalid file descriptor number 'x' (sock-fds=; names of "
	 "QMP's getfd are not known here)"},
	{"hostif,addr=10.0.0.1",
	 "hostif: Parameter 'addr' expects an address of the host and the "
	 "length of its network (192.168.56.1/24), not '10.0.0.1'"},
	{"hostif,addr=10.0.0.0/24",
	 "hostif: Parameter 'addr' expects an address of the host and the "
	 "length of its network (192.168.56.1/24), not '10.0.0.0/24'"},
	{"hostif,addr=10.0.0.1/24,addr=10.0.0.255/24",
	 "hostif: Parameter 'addr' expects an address of the host and the "
	 "length of its network (192.168.56.1/24), not '10.0.0.255/24'"},
	{"hostif,addr=10.0.0.1/33",
	 "hostif: Parameter 'addr' expects an address of the host and the "
	 "length of its network (192.168.56.1/24), not '10.0.0.1/33'"},
	{"hostif,addr=fd00::1/0",
	 "hostif: Parameter 'addr' expects an address of the host and the "
	 "length of its network (192.168.56.1/24), not 'fd00::1/0'"},
	{"hostif,ifname=a b", "hostif: Parameter 'ifname' expects the name of "
			      "an interface, not 'a b'"},
	{"hostif,"
	 "addr=10.0.0.1/24,addr=10.0.0.2/24,addr=10.0.0.3/24,addr=10.0"
	 ".0.4/24,addr=10.0.0.5/24,addr=10.0.0.6/24,addr=10.0.0.7/24,a"
	 "ddr=10.0.0.8/24,addr=10.0.0.9/24,addr=10.0.0.10/24,addr=10.0"
	 ".0.11/24,addr=10.0.0.12/24,addr=10.0.0.13/24,addr=10.0.0.14/"
	 "24,addr=10.0.0.15/24,addr=10.0.0.16/24,addr=10.0.0.17/24",
	 "hostif: Parameter 'addr' is given more than 16 times"},
	{"hostif,if=a:b", "hostif: Parameter 'if' expects the name of an "
			  "interface, not 'a:b'"},
	{"hostif,if=eth0,addr=10.0.0.1/24",
	 "hostif: if= is for the host's addresses on that card: leave addr= "
	 "and forward= out"},
	{"hostif,if=eth0,forward=on",
	 "hostif: if= is for the host's addresses on that card: leave addr= "
	 "and forward= out"},
	{"hostif,mtu=67", "hostif: Parameter 'mtu' expects 68 to 65521"},
	{"hostif,mac=01:00:00:00:00:01",
	 "hostif: NIC cannot have multicast MAC address "
	 "(mac=01:00:00:00:00:01)"},
	{"router", "router: Parameter 'addr' is missing"},
	{"router,addr=10.0.2.2",
	 "router: Parameter 'addr' expects an address of the host and the "
	 "length of its network (10.0.2.2/24), not '10.0.2.2'"},
	{"router,addr=fe80::1/64",
	 "router: Parameter 'addr' expects an address of the host and the "
	 "length of its network (10.0.2.2/24), not 'fe80::1/64'"},
	{"router,addr=10.0.2.2/31",
	 "router: Parameter 'addr' expects an address of the host and the "
	 "length of its network (10.0.2.2/24), not '10.0.2.2/31'"},
	{"router,addr=10.0.2.2/24,addr=fd00::1/64,addr=fd01::1/64",
	 "router: Parameter 'addr' is given twice for one family (fd01::1/64)"},
	{"router,addr=10.0.2.2/24,br=a*",
	 "router: Parameter 'br' expects letters, digits, '_', '.' and '-', "
	 "not 'a*'"},
	{"router,addr=10.0.2.2/24,br=",
	 "router: Parameter 'br' expects the name of an interface, not ''"},
	{"router,addr=10.0.2.2/24,mtu=67",
	 "router: Parameter 'mtu' expects 68 to 65521"},
	{"hostif,mac=x", "hostif: invalid syntax for ethernet address 'x' "
			 "(mac=)"},
	{"tap,ifname", "tap: Expected '=' after parameter 'ifname'"},
	{"hubport", "hubport: Parameter 'hubid' is missing"},
	{"hubport,hubid=99999999999",
	 "hubport: Parameter 'hubid' expects int32_t"},
	{"hubport,hubid=z",
	 "hubport: Parameter 'hubid' expects an int64 value, not 'z'"},
	{"stream", "stream: Parameter 'addr' is missing"},
	{"stream,addr.type=foo",
	 "stream: Parameter 'addr.type' does not accept value 'foo'; "
	 "it is inet, unix or fd"},
	{"stream,addr.host=1", "stream: Parameter 'addr.type' is missing"},
	{"stream,addr.type=inet,addr.host=a",
	 "stream: Parameter 'addr.port' is missing"},
	{"stream,addr.type=inet,addr.host=a,addr.port=99999",
	 "stream: Parameter 'addr.port' expects a number of at most "
	 "65535 or the name of a service, not '99999'"},
	{"stream,addr.type=inet,addr.host=a,addr.port=ssh,"
	 "addr.numeric=on",
	 "stream: Parameter 'addr.port' expects a number of at most "
	 "65535, not 'ssh'"},
	{"stream,addr.type=inet,addr.host=,addr.port=1",
	 "stream: Parameter 'addr.host' may not be empty, it names "
	 "the peer"},
	{"stream,server=x,addr.type=fd,addr.str=1",
	 "stream: Parameter 'server' expects 'on' or 'off', not 'x'"},
	{"stream,server,addr.type=fd,addr.str=1",
	 "stream: Expected '=' after parameter 'server'"},
	{"stream,addr.type,addr.str=1",
	 "stream: Expected '=' after parameter 'addr.type'"},
	{"stream,addr.type=fd,addr.str=abc",
	 "stream: Invalid file descriptor number 'abc' (addr.str=; "
	 "names of QMP's getfd are not known here)"},
	{"stream,addr.type=unix,addr.path=/x,addr.host=1",
	 "stream: Parameter 'addr.host' is unexpected with "
	 "addr.type=unix"},
	{"stream,addr.type=unix,addr.path=",
	 "stream: Parameter 'addr.path' may not be empty"},
	{"stream,addr.type=unix,"
	 "addr.path=/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "aaaaaaaaaaaaaaaa",
	 "stream: UNIX socket path "
	 "'/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	 "aaaaaaa' is too long (addr.path, at most 107 bytes)"},
	{"stream,addr.type=unix,addr.pat=/x",
	 "stream: Parameter 'addr.pat' is unexpected; did you mean "
	 "'addr.path'?"},
	{"stream,addr.type=inet,addr.host=a,addr.port=1,addr.to=99999",
	 "stream: Parameter 'addr.to' expects uint16_t"},
	{"stream,addr.type=inet,addr.host=a,addr.port=1,addr.to=9",
	 "stream: Parameter 'addr.to' is for a server, which this is "
	 "not"},
	{"stream,server=on,addr.type=inet,addr.host=a,addr.port=10,"
	 "addr.to=9",
	 "stream: Parameter 'addr.to' expects a port not below "
	 "addr.port"},
	{"stream,addr.type=inet,addr.host=a,addr.port=1,"
	 "addr.ipv4=off,addr.ipv6=off",
	 "stream: Cannot disable IPv4 and IPv6 at same time "
	 "(addr.ipv4, addr.ipv6)"},
	{"stream,addr=x",
	 "stream: Invalid parameter type for 'addr', expected: "
	 "object (addr.type=, ..)"},
	{"stream,addr..x=1",
	 "stream: Parameter 'addr..x' is unexpected; did you mean "
	 "'addr.to'?"},
	{"stream,server=on,reconnect-ms=5,addr.type=unix,addr.path=x",
	 "stream: 'reconnect-ms' option is incompatible with socket "
	 "in server mode"},
	{"stream,reconnect=5,addr.type=unix,addr.path=x",
	 "stream: Parameter 'reconnect' is unexpected; did you mean "
	 "'reconnect-ms'?"},
	{"stream,max=1,addr.type=unix,addr.path=x",
	 "stream: Parameter 'max' is only valid with server=on"},
	{"stream,addr.type=vsock,addr.cid=1,addr.port=2",
	 "stream: Parameter 'addr.type=vsock' is not built yet; "
	 "inet, unix and fd are"},
	{"stream,to=5", "stream: Parameter 'to' is unexpected; did you mean "
			"'addr.to'?"},
	{"dgram", "dgram: dgram requires local= parameter"},
	{"dgram,local.type=inet,local.host=a,local.port=1",
	 "dgram: type=inet or type=unix requires remote parameter"},
	{"dgram,local.type=fd,local.str=5,remote.type=inet,"
	 "remote.host=1.2.3.4,remote.port=1",
	 "dgram: don't set remote with local.fd"},
	{"dgram,remote.type=inet,remote.host=1.2.3.4,remote.port=1",
	 "dgram: dgram requires local= parameter"},
	{"dgram,remote.type=inet,remote.host=230.0.0.1,remote.port=1,"
	 "local.type=inet,local.host=1.1.1.1",
	 "dgram: Parameter 'local.port' is missing"},
	{"dgram,remote.type=inet,remote.host=230.0.0.1,remote.port=1,"
	 "local.type=unix,local.path=x",
	 "dgram: only support inet or fd type for local"},
	{"dgram,remote.type=unix,remote.path=a,local.type=inet,"
	 "local.host=1.1.1.1,local.port=5",
	 "dgram: remote and local types must be the same"},
	{"netns", "netns: exactly one of path= and pid= is required"},
	{"netns,path=/x,pid=5",
	 "netns: exactly one of path= and pid= is required"},
	{"netns,pid=0",
	 "netns: Parameter 'pid' expects the number of a process"},
	{"netns,pid=5,mac=01:00:5e:00:00:01",
	 "netns: NIC cannot have multicast MAC address "
	 "(mac=01:00:5e:00:00:01)"},
	{"netns,pid=5,mac=zz",
	 "netns: invalid syntax for ethernet address 'zz' (mac=)"},
	{",user", "Parameter 'type' does not accept value ''; the nearest is "
		  "'tap', 'help' lists all"},
	{"user,,net=10.0.0.0/8",
	 "Parameter 'type' does not accept value "
	 "'user,net=10.0.0.0/8'; the nearest is 'user', 'help' lists "
	 "all"},
	{"USER", "Parameter 'type' does not accept value 'USER'; the nearest "
		 "is 'user', 'help' lists all"},
	{"stream,=x", "stream: Invalid parameter ''; the nearest is 'id', "
		      "'stream,help' lists all"},
	{"stream,addr.=x",
	 "stream: Parameter 'addr.' is unexpected; did you mean "
	 "'addr.to'?"},
	{"stream,.type=x",
	 "stream: Parameter '.type' is unexpected; the nearest is "
	 "'addr.type', 'stream,help' lists all"},
	{"tap,fds=", "tap: Invalid file descriptor number '' (fds=; names of "
		     "QMP's getfd are not known here)"},
	{"tap,fd=-1", "tap: Invalid file descriptor number '-1' (fd=; names of "
		      "QMP's getfd are not known here)"},
	{"tap,fd=9999999999",
	 "tap: Invalid file descriptor number '9999999999' (fd=; "
	 "names of QMP's getfd are not known here)"},
	{"netns,path=", "netns: Parameter 'path' may not be empty"},
	{"netns,pid=1,ifname=abcdefghijklmnopq",
	 "netns: Parameter 'ifname' expects at most 15 characters, "
	 "not 'abcdefghijklmnopq'"},
	{"netns,pid=1,queues=0", "netns: queues must be greater than zero"},
	{"user,id", "user: Expected '=' after parameter 'id'"},
	{"dgram,local.type=inet,local.host=a,local.port=1,"
	 "remote.type=inet,remote.host=,remote.port=1",
	 "dgram: Parameter 'remote.host' may not be empty, it names "
	 "the peer"},
	{"dgram,remote.type=inet,remote.host=230.0.0.1,remote.port=0",
	 "dgram: Parameter 'remote.port' may not be 0, it names the "
	 "peer"},
	{"{\"type\":\"tap\",\"sndbuf\":\"1M\"}",
	 "tap: Invalid parameter type for 'sndbuf', expected: integer"},
	{"{\"type\":\"user\",\"id\":5}",
	 "user: Invalid parameter type for 'id', expected: string"},
	{"{\"type\":\"user\",\"id\":\"5\"}",
	 "user: Parameter 'id' expects an identifier (a letter, then "
	 "letters, digits, '-', '.', '_'), not '5'"},
	{"{\"type\":\"stream\",\"addr\":{\"type\":\"inet\","
	 "\"host\":\"h\",\"port\":\"1\",\"ipv4\":\"on\"}}",
	 "stream: Invalid parameter type for 'addr.ipv4', expected: "
	 "boolean"},
	{"{\"type\":\"stream\",\"addr\":{\"type\":\"inet\","
	 "\"host\":\"h\",\"port\":\"1\",\"to\":70000}}",
	 "stream: Parameter 'addr.to' expects uint16_t"},
	{"{\"type\":\"netmap\",\"bogus\":[1]}",
	 "netmap: network backend 'netmap' is not compiled into this "
	 "binary; netmap is of FreeBSD; here packet,if= has an interface, "
	 "stream and dgram are for what a VALE switch joins"},
	{"{\"type\":\"user\",}",
	 "JSON parse error, string or '}' expected near '}' (column "
	 "16)"},
};

static void test_bad_netdevs(void **state)
{
	for (size_t i = 0; i < array_len(bad_netdevs); i++) {
		const struct bad *b = &bad_netdevs[i];
		struct netdev_spec *s = NULL;
		struct error e = ERROR_NULL;

		if (netdev_parse(b->text, &s, &e) >= 0)
			fail_msg("accepted: %s", b->text);
		assert_null(s);
		assert_int_equal(e.code, EXIT_USAGE);
		assert_string_equal(e.text, b->line);
	}
}

/* What a terminal could take as a command, or JSON as no text. */
static void test_quotes_are_harmless(void **state)
{
	struct netdev_spec *s = NULL;
	struct error e = ERROR_NULL;

	assert_true(netdev_parse("user,a\nb\033[2Jc=1", &s, &e) < 0);
	assert_string_equal(e.text,
			    "user: Invalid parameter 'a?b?[2Jc'; the nearest "
			    "is 'mac', 'user,help' lists all");
	e = ERROR_NULL;
	assert_true(netdev_parse("\xff\xc3\xa4\xc3", &s, &e) < 0);
	assert_non_null(strstr(e.text, "value '?\xc3\xa4?';"));
}

static void test_long_values_are_cut(void **state)
{
	struct netdev_spec *s = NULL;
	struct error e = ERROR_NULL;
	char text[4000] = "tap,queues=";

	memset(text + strlen(text), 'x', sizeof(text) - 1 - strlen(text));
	text[sizeof(text) - 1] = '\0';
	assert_true(netdev_parse(text, &s, &e) < 0);
	assert_true(strlen(e.text) < 300);
	assert_non_null(strstr(e.text, "xxx..'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_netdevs),
		cmocka_unit_test(test_quotes_are_harmless),
		cmocka_unit_test(test_long_values_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
