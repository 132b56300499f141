/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The option tables of all kinds: names, types and defaults are QEMU's
 * (11.1), the help is ours.  Read by the parser, the help and the man page.
 */
#include "grammar/kind_priv.h"

#define FD_NUMBER "a number; names of QMP's getfd are not known"

#define INET  (1u << SOCK_ADDR_INET)
#define UNIX  (1u << SOCK_ADDR_UNIX)
#define FD    (1u << SOCK_ADDR_FD)
#define VSOCK (1u << SOCK_ADDR_VSOCK)

#define MEMBER(where, ...)                                                     \
	{                                                                      \
		.types = (where), .opt = OPT(__VA_ARGS__)                      \
	}

const char *const sock_addr_type_names[SOCK_ADDR_N_TYPES] = {
	[SOCK_ADDR_INET] = "inet",
	[SOCK_ADDR_UNIX] = "unix",
	[SOCK_ADDR_FD] = "fd",
	[SOCK_ADDR_VSOCK] = "vsock",
};

const struct netdev_sockaddr_option netdev_sockaddr_options[] = {
	MEMBER(INET | UNIX | FD | VSOCK, "type", OPT_STR, NULL,
	       "inet, unix, fd or vsock",
	       .flags = OPT_F_REQUIRED | OPT_F_DIFFERS,
	       .does = "vsock is refused: not built"),
	MEMBER(INET, "host", OPT_STR, NULL, "name or address", REQUIRED),
	MEMBER(INET | VSOCK, "port", OPT_STR, NULL, "number or service name",
	       REQUIRED),
	MEMBER(INET, "to", OPT_U16, NULL, "server: last port to try"),
	MEMBER(INET, "numeric", OPT_BOOL, "off", "look no names up"),
	MEMBER(INET, "ipv4", OPT_BOOL, NULL, "use IPv4, or do not"),
	MEMBER(INET, "ipv6", OPT_BOOL, NULL, "use IPv6, or do not"),
	MEMBER(INET, "keep-alive", OPT_BOOL, NULL, "TCP keep-alive probes"),
	MEMBER(INET, "keep-alive-count", OPT_U32, "0",
	       "probes before giving up, 0 = the kernel's default"),
	MEMBER(INET, "keep-alive-idle", OPT_U32, "0",
	       "seconds before the first probe, 0 = the kernel's default"),
	MEMBER(INET, "keep-alive-interval", OPT_U32, "0",
	       "seconds between probes, 0 = the kernel's default"),
	MEMBER(INET, "mptcp", OPT_BOOL, "off", "multipath TCP"),
	MEMBER(UNIX, "path", OPT_STR, NULL, "path of the socket", REQUIRED),
	MEMBER(UNIX, "abstract", OPT_BOOL, "off", "name without a file"),
	MEMBER(UNIX, "tight", OPT_BOOL, "on",
	       "abstract: the name is as long as typed, not padded"),
	MEMBER(FD, "str", OPT_STR, NULL, "number of an open descriptor",
	       .flags = OPT_F_REQUIRED | OPT_F_DIFFERS, .does = FD_NUMBER),
	MEMBER(VSOCK, "cid", OPT_STR, NULL, "context id",
	       .flags = OPT_F_REQUIRED | OPT_F_REFUSED,
	       .does = "addresses of type vsock are not built"),
	{.opt = END},
};

static const struct netdev_option none_options[] = {END};

static const struct netdev_option nic_options[] = {
	OPT("netdev", OPT_STR, NULL, "netdev to plug the card into"),
	OPT("macaddr", OPT_STR, NULL, "MAC address"),
	OPT("model", OPT_STR, NULL, "model of the card"),
	OPT("addr", OPT_STR, NULL, "PCI address"),
	OPT("vectors", OPT_U32, NULL, "number of MSI-X vectors"),
	END,
};

static const struct netdev_option user_options[] = {
	OPT("ipv4", OPT_BOOL, "on",
	    "IPv4; on alone turns IPv6 off, as QEMU does"),
	OPT("ipv6", OPT_BOOL, "on",
	    "IPv6; on alone turns IPv4 off, as QEMU does"),
	OPT("net", OPT_STR, "10.0.2.0/24",
	    "network and mask of the guests; without a mask, that of the "
	    "class",
	    DIFFERS("a mask with holes and a network that is multicast, "
		    "reserved or loopback are refused")),
	OPT("ip", OPT_STR, NULL, "old spelling of net=ADDRESS/24",
	    DIFFERS("refused together with net=")),
	OPT("host", OPT_STR, NULL,
	    "address of the gateway, second of the network (10.0.2.2)",
	    DIFFERS("the network's own and its broadcast address are "
		    "refused")),
	OPT("dns", OPT_STR, NULL,
	    "address of the name server, third of the network (10.0.2.3)",
	    DIFFERS("the network's own and its broadcast address are refused; "
		    "where a resolver of the host does not answer the next is "
		    "asked, of either family")),
	OPT("dhcpstart", OPT_STR, NULL,
	    "first address leased, 15th of the network (10.0.2.15)",
	    DIFFERS("leases go on to the end of the network, and not for 16 "
		    "only; where these do not fit it is refused")),
	OPT("dhcpend", OPT_STR, NULL,
	    "last address leased; not given: the network's last", EXTENSION),
	OPT("lease", OPT_STR, NULL,
	    "seconds of a lease, 60 at least, or infinite (86400)", EXTENSION),
	OPT("reserve", OPT_LIST, NULL,
	    "an address that is one machine's, and what it is told to be "
	    "called: WHO/ADDRESS[/ADDRESS6][/NAME], where WHO is a MAC, "
	    "id:HEX (its client identifier), duid:HEX or name:HOST; it may be "
	    "before dhcpstart or behind dhcpend",
	    EXTENSION),
	OPT("dhcp-option", OPT_LIST, NULL,
	    "an option for all machines or one: [WHO/]NAME:VALUE or "
	    "[WHO/]NUMBER:VALUE, WHO as of reserve; those of DHCPv6 are "
	    "option6:NAME:VALUE; several values are parted by +, and by "
	    "number a value may begin with its type: ip:, text:, u8:, u16:, "
	    "u32: or hex:; without a value the option is not told at all",
	    EXTENSION),
	OPT("route", OPT_LIST, NULL,
	    "a route that machines are told of, PREFIX/LENGTH/VIA (IPv4)",
	    EXTENSION),
	OPT("ntp-server", OPT_LIST, NULL,
	    "address of a time server that machines are told of", EXTENSION),
	OPT("router", OPT_STR, NULL,
	    "address of another router of the network, which DHCP names in "
	    "place of this gateway",
	    EXTENSION),
	OPT("hostname", OPT_STR, NULL, "name given to the guest by DHCP",
	    DIFFERS("whole, where QEMU cuts it after 32 characters; it has to "
		    "be a name of DNS")),
	OPT("domainname", OPT_STR, NULL, "domain given to the guest by DHCP",
	    DIFFERS("told in IPv6 too; it has to be a name of DNS")),
	OPT("dnssearch", OPT_LIST, NULL, "domain to search for short names",
	    DIFFERS("told in IPv6 too; at most eight, names of DNS")),
	OPT("mtu", OPT_U32, "1500",
	    "largest IP packet of the network in bytes, 576 to 65520; given to "
	    "the guest by DHCP",
	    EXTENSION),
	OPT("hostfwd", OPT_LIST, NULL,
	    "port of the host forwarded to a guest: "
	    "[tcp|udp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT or "
	    "unix:PATH-[GUESTADDR]:GUESTPORT",
	    DIFFERS("addresses of IPv6 in brackets and localhost are taken "
		    "too; an empty host port and anything behind the guest "
		    "port are refused")),
	OPT("restrict", OPT_BOOL, "off",
	    "no way out, except by guestfwd= and in answer to hostfwd=; ours: "
	    "services keeps the name server",
	    .also = "services",
	    DIFFERS("no router is advertised in IPv6 either, and DHCPv6 "
		    "goes on")),
	OPT("multicast", OPT_BOOL, "off",
	    "multicast groups pass to and from the host's network, mDNS and "
	    "SSDP among them",
	    EXTENSION),
	OPT("ipv6-net", OPT_STR, "fec0::/64",
	    "IPv6 prefix of the guests and its length, 64 if not given: with "
	    "another guests cannot choose addresses themselves (SLAAC)",
	    DIFFERS("DHCPv6 leases addresses of it too; a prefix that is "
		    "multicast, reserved, loopback or of the link is "
		    "refused")),
	OPT("ipv6-prefix", OPT_STR, "fec0::",
	    "IPv6 prefix without its length, in place of ipv6-net"),
	OPT("ipv6-prefixlen", OPT_INT, "64",
	    "length of ipv6-prefix, 1 to 126; 0 is 64"),
	OPT("ipv6-host", OPT_STR, NULL,
	    "IPv6 address of the gateway, second of the network (fec0::2)",
	    DIFFERS("it alone leads to the host's loopback, and not every "
		    "address of the network")),
	OPT("ipv6-dns", OPT_STR, NULL,
	    "IPv6 address of the name server, third of the network (fec0::3)",
	    DIFFERS("refused if it is ipv6-host=; it works where the host has "
		    "resolvers of IPv4 only")),
	OPT("ipv6-follow", OPT_BOOL, "off",
	    "ipv6-net= is a /64 of a prefix of the host's, and is replaced by "
	    "one of another when the host has that instead",
	    EXTENSION),
	OPT("ipv6-router", OPT_STR, NULL,
	    "address of the link of another router of the network, which is "
	    "advertised in place of this gateway (fe80::1)",
	    EXTENSION),
	OPT("nat64", OPT_BOOL, "off",
	    "guests with IPv6 alone reach IPv4: by addresses in 64:ff9b::/96 "
	    "(NAT64), which the name server makes (DNS64)",
	    EXTENSION),
	OPT("dhcp", OPT_BOOL, "on", "a DHCP server", EXTENSION),
	OPT("dhcpv6", OPT_BOOL, "on", "a DHCPv6 server", EXTENSION),
	OPT("ra", OPT_BOOL, "on",
	    "router advertisements, by which guests of IPv6 choose their "
	    "address and find the way out",
	    EXTENSION),
	OPT("ndp", OPT_BOOL, "on",
	    "neighbour discovery, without which no guest finds the gateway in "
	    "IPv6 by itself; off: no router advertisements either",
	    EXTENSION),
	OPT("tcp", OPT_BOOL, "on", "TCP; off: dropped without a word",
	    EXTENSION),
	OPT("udp", OPT_BOOL, "on",
	    "UDP, the name server's too; off: dropped without a word",
	    EXTENSION),
	OPT("icmp", OPT_BOOL, "on", "ping; off: dropped without a word",
	    EXTENSION),
	OPT("mac", OPT_STR, NULL,
	    "MAC address of the gateway (52:55 and its IPv4 address)",
	    EXTENSION),
	OPT("nameserver", OPT_STR, NULL,
	    "address of another name server, which guests are told of in place "
	    "of this gateway's; none: of no name server",
	    EXTENSION),
	OPT("resolver", OPT_STR, NULL,
	    "address of the resolver that the gateway's name server asks, in "
	    "place of those that the host has in /etc/resolv.conf",
	    EXTENSION),
	OPT("ntp", OPT_BOOL, "off",
	    "the gateway tells the time, by NTP, and DHCP tells guests so",
	    EXTENSION),
	OPT("dns-server", OPT_LIST, NULL,
	    "[DOMAIN/]ADDRESS[:PORT]: resolver that the gateway's name server "
	    "asks for names in DOMAIN; without one for all other names, in "
	    "place of the host's",
	    EXTENSION),
	OPT("zone", OPT_STR, "vm.lan",
	    "zone in which the name server knows the machines by their names, "
	    "told as domain where none is given; off: none. Under restrict=on "
	    "only if given, and then the name server knows nothing else",
	    EXTENSION),
	OPT("host-loopback", OPT_STR, NULL,
	    "address that leads to the host's loopback, in place of the "
	    "gateway's (host, ipv6-host); off: none does",
	    EXTENSION),
	OPT("tftp", OPT_STR, NULL,
	    "folder whose files guests read by TFTP, at the gateway's address",
	    DIFFERS("looked at when the network starts; a link that leads out "
		    "is refused; the window option is answered; blocks are as "
		    "long as fits the network's packets; IPv6 too under "
		    "restrict=; without bootfile= guests are told of a boot "
		    "program of their architecture")),
	OPT("bootfile", OPT_STR, NULL,
	    "name of the boot file that DHCP tells, or its URL",
	    DIFFERS("a folder in that of tftp= has the boot programs of all "
		    "architectures")),
	OPT("tftp-server-name", OPT_STR, NULL,
	    "TFTP server that DHCP tells, in place of the gateway",
	    DIFFERS("told in IPv6 too")),
	OPT("smb", OPT_STR, NULL,
	    "folder served by SMB, as the share qemu, to guests without a "
	    "password",
	    DIFFERS("smbd has no sight of the host but that folder, and of "
		    "IPv6 an address as well")),
	OPT("smbserver", OPT_STR, NULL,
	    "address of the SMB server (4th of the network)"),
	OPT("ipv6-smbserver", OPT_STR, NULL,
	    "IPv6 address of the SMB server (4th of the network)", EXTENSION),
	OPT("smb-readonly", OPT_BOOL, "off", "guests may only read the folder",
	    EXTENSION),
	OPT("guestfwd", OPT_LIST, NULL,
	    "address in the network whose connections go to a program or "
	    "socket: [tcp]:[SERVER]:PORT-TARGET, where TARGET is "
	    "cmd:COMMAND, tcp:HOST:PORT or unix:PATH",
	    DIFFERS("of QEMU's character devices there are tcp: and unix:, "
		    "and each connection has one of its own")),
	END,
};

#define NO_VHOST                                                               \
	NO_EFFECT("with a warning: the kernel's vhost-net is not used, vmlan " \
		  "carries the frames itself")
#define NO_VHOSTFD                                                             \
	NO_EFFECT("with a warning, as vhost; the descriptor stays as it is")

static const struct netdev_option tap_options[] = {
	OPT("ifname", OPT_STR, NULL,
	    "name of the interface, made if it does not exist (tap%d)",
	    DIFFERS("longer than 15 characters it is refused, QEMU cuts it")),
	OPT("fd", OPT_STR, NULL, "descriptor of an attached tap",
	    DIFFERS(FD_NUMBER)),
	OPT("fds", OPT_STR, NULL, "descriptors of its queues, N:N:..",
	    DIFFERS(FD_NUMBER)),
	OPT("script", OPT_STR, "/etc/qemu-ifup",
	    "program run with the interface's name, no = none",
	    DIFFERS("not given, QEMU's own is run where it exists")),
	OPT("downscript", OPT_STR, "/etc/qemu-ifdown",
	    "program run at the end, no = none",
	    DIFFERS("not given, QEMU's own is run where it exists")),
	OPT("vnet_hdr", OPT_BOOL, NULL,
	    "offload header; not given: if the kernel can"),
	OPT("queues", OPT_U32, "1", "number of queues",
	    DIFFERS("at most 64")),
	OPT("sndbuf", OPT_SIZE, "0", "send buffer in bytes, 0 = unlimited"),
	OPT("helper", OPT_STR, NULL, "program that opens the tap"),
	OPT("br", OPT_STR, "br0", "bridge for the helper",
	    DIFFERS("refused without helper=, where QEMU takes no notice")),
	OPT("vhost", OPT_BOOL, "off", "kernel's vhost-net", NO_VHOST),
	OPT("vhostfd", OPT_STR, NULL, "descriptor of vhost-net", NO_VHOSTFD),
	OPT("vhostfds", OPT_STR, NULL, "descriptors of vhost-net, N:N:..",
	    NO_VHOSTFD),
	OPT("vhostforce", OPT_BOOL, "off", "vhost without MSI-X", NO_VHOST),
	OPT("poll-us", OPT_U32, "0", "microseconds vhost polls", NO_VHOST),
	END,
};

static const struct netdev_option bridge_options[] = {
	OPT("br", OPT_STR, "br0", "name of the bridge"),
	OPT("helper", OPT_STR, "/usr/lib/qemu/qemu-bridge-helper",
	    "program that opens the tap; not given: asked where the right to "
	    "make one is missing",
	    DIFFERS("QEMU always asks it")),
	END,
};

static const struct netdev_option socket_options[] = {
	OPT("fd", OPT_STR, NULL, "descriptor of a socket",
	    DIFFERS(FD_NUMBER "; it may listen, too")),
	OPT("listen", OPT_STR, NULL, "[HOST]:PORT of a TCP server",
	    DIFFERS("any number of machines, each a port of its own; a port "
		    "above 65535 is refused")),
	OPT("connect", OPT_STR, NULL, "HOST:PORT of a TCP client",
	    DIFFERS("a refusal is told, and with reconnect-ms= it is tried "
		    "again")),
	OPT("mcast", OPT_STR, NULL, "GROUP:PORT of a UDP multicast bus",
	    DIFFERS("what it sent itself it does not hear")),
	OPT("udp", OPT_STR, NULL, "HOST:PORT to send UDP to"),
	OPT("localaddr", OPT_STR, NULL,
	    "mcast: address of the interface; udp: HOST:PORT to bind"),
	OPT("reconnect-ms", OPT_U32, "0",
	    "connect: milliseconds between attempts, 0 = only one", EXTENSION),
	OPT("max", OPT_U32, "0",
	    "listen: machines at a time, 0 = any number, 1 = as QEMU",
	    EXTENSION),
	END,
};

static const struct netdev_option stream_options[] = {
	OPT("addr", OPT_SOCKADDR, NULL, "where to listen or connect",
	    .flags = OPT_F_REQUIRED | OPT_F_DIFFERS,
	    .does = "an address that cannot be had is told and ends the "
		    "command; QEMU shows it in info network"),
	OPT("server", OPT_BOOL, "off", "listen rather than connect",
	    DIFFERS("any number of machines, each a port of its own")),
	OPT("reconnect-ms", OPT_U32, "0",
	    "client: milliseconds between attempts, 0 = only one"),
	OPT("max", OPT_U32, "0",
	    "server: machines at a time, 0 = any number, 1 = as QEMU",
	    EXTENSION),
	END,
};

static const struct netdev_option dgram_options[] = {
	OPT("local", OPT_SOCKADDR, NULL, "own address",
	    DIFFERS("IPv6 too")),
	OPT("remote", OPT_SOCKADDR, NULL, "where to send",
	    DIFFERS("IPv6 too; of a group it does not hear what it sent "
		    "itself")),
	END,
};

static const struct netdev_option vde_options[] = {
	OPT("sock", OPT_STR, NULL,
	    "folder of the VDE switch; not given: the user's standard switch, "
	    "else /var/run/vde.ctl, else /tmp/vde.ctl; a server's: "
	    "/var/run/vde.ctl for root, /tmp/vde.ctl for others",
	    .flags = OPT_F_DIFFERS,
	    .does = "libvdeplug's other plug-ins (vxvde://, slirp:// ..) are "
		    "refused"),
	OPT("port", OPT_U16, "0", "client: port of the switch, 0 = any"),
	OPT("group", OPT_STR, NULL, "group that owns our sockets"),
	OPT("mode", OPT_U16, "0700", "permissions of our sockets"),
	OPT("server", OPT_BOOL, "off",
	    "be the switch that others plug into, rather than plug into one",
	    EXTENSION),
	OPT("max", OPT_U32, "0", "server: plugs at a time, 0 = any number",
	    EXTENSION),
	OPT("mgmt", OPT_STR, NULL,
	    "server: path of the socket of its console, for vdeterm and "
	    "unixterm; - is standard input and output (join)",
	    EXTENSION),
	END,
};

static const struct netdev_option hubport_options[] = {
	OPT("hubid", OPT_INT, NULL, "number of the hub", REQUIRED),
	OPT("netdev", OPT_STR, NULL,
	    "id of the netdev to join to the hub; not given: the LAN",
	    DIFFERS("not given, the hub is joined to the LAN and not to a "
		    "card")),
	END,
};

static const struct netdev_option l2tpv3_options[] = {
	OPT("src", OPT_STR, NULL, "own address", REQUIRED),
	OPT("dst", OPT_STR, NULL, "address of the peer", REQUIRED),
	OPT("udp", OPT_BOOL, "off",
	    "in UDP; off: in IP protocol 115, which takes CAP_NET_RAW"),
	OPT("srcport", OPT_STR, NULL, "own UDP port; required with udp=on",
	    DIFFERS("refused without udp=on, where QEMU takes no notice")),
	OPT("dstport", OPT_STR, NULL,
	    "UDP port of the peer; required with udp=on",
	    DIFFERS("refused without udp=on, where QEMU takes no notice")),
	OPT("ipv6", OPT_BOOL, NULL,
	    "over IPv6, or not; not given: as src and dst are written, of "
	    "names IPv4 first",
	    DIFFERS("not given, QEMU's is off")),
	OPT("txsession", OPT_U32, NULL, "session we send", REQUIRED),
	OPT("rxsession", OPT_U32, NULL, "session we expect (txsession)"),
	OPT("txcookie", OPT_U64, NULL, "cookie we send"),
	OPT("rxcookie", OPT_U64, NULL, "cookie we expect"),
	OPT("cookie64", OPT_BOOL, "off", "cookies of 64 bits, not 32",
	    DIFFERS("off is off, which QEMU takes for on; it is needed for "
		    "cookies of more than 32 bits")),
	OPT("counter", OPT_BOOL, "off",
	    "4 bytes more, of a sequence number: Linux's default L2-specific "
	    "sublayer",
	    DIFFERS("of 24 bits (RFC 3931 4.6), QEMU's has 32")),
	OPT("pincounter", OPT_BOOL, "off", "the sequence number stays 0"),
	OPT("offset", OPT_U32, "0",
	    "bytes between header and frame, at most 256",
	    DIFFERS("zeros are sent, and not what is in memory")),
	END,
};

static const struct netdev_option vhost_user_options[] = {
	OPT("chardev", OPT_STR, NULL, "QEMU's chardev; here: path=",
	    REFUSED(NULL, "names an object inside QEMU; name its socket "
			  "instead: path=")),
	OPT("path", OPT_STR, NULL, "path of the socket", EXTENSION),
	OPT("fd", OPT_STR, NULL, "descriptor of a connected socket", EXTENSION),
	OPT("server", OPT_BOOL, "off", "listen rather than connect", EXTENSION),
	OPT("reconnect-ms", OPT_U32, "0",
	    "client: try again that long after the peer went, 0 = never",
	    EXTENSION),
	OPT("queues", OPT_U32, "1",
	    "queue pairs a guest may have; one with fewer works, too",
	    DIFFERS("at most 16")),
	OPT("vhostforce", OPT_BOOL, "off", "without effect",
	    NO_EFFECT("as in QEMU")),
	END,
};

static const struct netdev_option vhost_vdpa_options[] = {
	OPT("vhostdev", OPT_STR, NULL, "path of the vhost-vdpa device"),
	OPT("vhostfd", OPT_STR, NULL, "descriptor of the device"),
	OPT("queues", OPT_U32, NULL, "number of queue pairs"),
	OPT("x-svq", OPT_BOOL, "off", "shadow virtqueue"),
	END,
};

static const struct netdev_option af_xdp_options[] = {
	OPT("ifname", OPT_STR, NULL, "interface of the host", REQUIRED),
	OPT("mode", OPT_STR, NULL, "native or skb; not given: try both"),
	OPT("force-copy", OPT_BOOL, "off", "never zero-copy"),
	OPT("queues", OPT_INT, "1", "number of queues",
	    DIFFERS("at most 60")),
	OPT("start-queue", OPT_INT, "0", "first queue",
	    DIFFERS("a negative one is refused, QEMU takes it for 0")),
	OPT("inhibit", OPT_BOOL, "off", "load no XDP program"),
	OPT("sock-fds", OPT_STR, NULL, "descriptors of XDP sockets, N:N:..",
	    DIFFERS(FD_NUMBER)),
	OPT("map-path", OPT_STR, NULL, "path of a pinned xskmap"),
	OPT("map-start-index", OPT_INT, "0", "first index in the map"),
	END,
};

static const struct netdev_option netmap_options[] = {
	OPT("ifname", OPT_STR, NULL, "netmap port or valeX:Y", REQUIRED),
	OPT("devname", OPT_STR, "/dev/netmap", "netmap device"),
	END,
};

static const struct netdev_option vmnet_host_options[] = {
	OPT("start-address", OPT_STR, NULL, "first address of DHCP"),
	OPT("end-address", OPT_STR, NULL, "last address of DHCP"),
	OPT("subnet-mask", OPT_STR, NULL, "mask of the network"),
	OPT("isolated", OPT_BOOL, "off", "guests do not see each other"),
	OPT("net-uuid", OPT_STR, NULL, "name of an isolated network"),
	END,
};

static const struct netdev_option vmnet_shared_options[] = {
	OPT("start-address", OPT_STR, NULL, "first address of DHCP"),
	OPT("end-address", OPT_STR, NULL, "last address of DHCP"),
	OPT("subnet-mask", OPT_STR, NULL, "mask of the network"),
	OPT("isolated", OPT_BOOL, "off", "guests do not see each other"),
	OPT("nat66-prefix", OPT_STR, NULL, "IPv6 prefix of the guests"),
	END,
};

static const struct netdev_option vmnet_bridged_options[] = {
	OPT("ifname", OPT_STR, NULL, "interface of the host", REQUIRED),
	OPT("isolated", OPT_BOOL, "off", "guests do not see each other"),
	END,
};

static const struct netdev_option netns_options[] = {
	OPT("path", OPT_STR, NULL, "file of the namespace", EXTENSION),
	OPT("pid", OPT_U32, NULL, "process whose namespace it is", EXTENSION),
	OPT("ifname", OPT_STR, "eth0", "name of the interface made in it",
	    EXTENSION),
	OPT("queues", OPT_U32, "1", "number of queues", EXTENSION),
	OPT("vnet_hdr", OPT_BOOL, NULL,
	    "offload header; not given: if the kernel can", EXTENSION),
	OPT("mac", OPT_STR, NULL, "MAC address of the interface", EXTENSION),
	END,
};

static const struct netdev_option hostif_options[] = {
	OPT("ifname", OPT_STR, "vmlan0", "name of the interface made",
	    EXTENSION),
	OPT("addr", OPT_LIST, NULL,
	    "address of the host on it, and the length of its network: "
	    "192.168.56.1/24",
	    EXTENSION),
	OPT("if", OPT_STR, NULL,
	    "or no address of its own: the host is reached by those it has on "
	    "this network card, which macvtap or packet shares",
	    EXTENSION),
	OPT("mac", OPT_STR, NULL, "MAC address of the interface", EXTENSION),
	OPT("mtu", OPT_U32, "1500", "largest IP packet in bytes, 68 to 65521",
	    EXTENSION),
	OPT("forward", OPT_BOOL, "off",
	    "the host may be a router for the LAN, if it is one; not: only "
	    "its addresses here are reached and heard",
	    EXTENSION),
	END,
};

static const struct netdev_option router_options[] = {
	OPT("br", OPT_STR, "vmlan0", "name of the bridge made", EXTENSION),
	OPT("addr", OPT_LIST, NULL,
	    "address of the host on it, and the length of its network: "
	    "10.0.2.2/24; may be given again, for the other family",
	    .flags = OPT_F_REQUIRED | OPT_F_EXTENSION),
	OPT("mtu", OPT_U32, "1500", "largest IP packet in bytes, 68 to 65521",
	    EXTENSION),
	END,
};

static const struct netdev_option vxlan_options[] = {
	OPT("vni", OPT_U32, NULL, "network identifier, at most 16777215",
	    .flags = OPT_F_REQUIRED | OPT_F_EXTENSION),
	OPT("remote", OPT_LIST, NULL,
	    "address of a peer; may be given again, all get what is for all",
	    .flags = OPT_F_REQUIRED | OPT_F_EXTENSION),
	OPT("local", OPT_STR, NULL,
	    "own address; not given: any, each peer sees the one that the "
	    "host's routes choose",
	    EXTENSION),
	OPT("port", OPT_U16, "4789", "UDP port, own and of the peers",
	    EXTENSION),
	OPT("learning", OPT_BOOL, "on",
	    "which machine is behind which peer is learned; off: all peers "
	    "get everything",
	    EXTENSION),
	OPT("ageing", OPT_U32, "300",
	    "seconds for which it is remembered of a silent machine",
	    EXTENSION),
	OPT("ttl", OPT_U16, "0", "hop limit, 0 = the host's default",
	    EXTENSION),
	OPT("df", OPT_STR, "unset",
	    "set: what is longer than the way's MTU is lost; unset: it goes in "
	    "fragments",
	    EXTENSION),
	END,
};

static const struct netdev_option macvtap_options[] = {
	OPT("if", OPT_STR, NULL, "interface of the host",
	    .flags = OPT_F_REQUIRED | OPT_F_EXTENSION),
	OPT("mode", OPT_STR, "bridge", "bridge, vepa, private or passthru",
	    EXTENSION),
	OPT("mac", OPT_STR, NULL,
	    "MAC address of the first machine; not given: as it comes",
	    EXTENSION),
	OPT("queues", OPT_U32, "1", "number of queues",
	    .flags = OPT_F_EXTENSION | OPT_F_LATER, .accepts = "1"),
	END,
};

static const struct netdev_option packet_options[] = {
	OPT("if", OPT_STR, NULL, "interface of the host",
	    .flags = OPT_F_REQUIRED | OPT_F_EXTENSION),
	OPT("translate", OPT_BOOL, "off",
	    "all machines have the interface's MAC to its network, as Wi-Fi "
	    "wants it",
	    EXTENSION),
	END,
};

#define MACOS "this kind is of macOS; "

const struct netdev_kind netdev_kinds[] = {
	{
		.name = "user",
		.help = "gateway to the host's network: NAT, DHCP, DNS",
		.is_built = true,
		.options = user_options,
	},
	{
		.name = "stream",
		.help = "frames over a TCP or unix stream socket",
		.is_built = true,
		.is_modern = true,
		.options = stream_options,
	},
	{
		.name = "dgram",
		.help = "frames over UDP, multicast or a unix datagram socket",
		.is_built = true,
		.is_modern = true,
		.options = dgram_options,
	},
	{
		.name = "tap",
		.help = "a tap interface of the host",
		.is_built = true,
		.options = tap_options,
	},
	{
		.name = "hubport",
		.help = "a cable to a hub, which repeats every frame",
		.is_built = true,
		.options = hubport_options,
	},
	{
		.name = "netns",
		.help = "a tap made inside a network namespace",
		.is_extension = true,
		.is_built = true,
		.options = netns_options,
	},
	{
		.name = "hostif",
		.help = "an interface of the host, made with its addresses",
		.is_extension = true,
		.is_built = true,
		.options = hostif_options,
	},
	{
		.name = "router",
		.help = "a bridge of the host, made with a NAT in its kernel",
		.is_extension = true,
		.is_built = true,
		.options = router_options,
	},
	{
		.name = "socket",
		.help = "the older form of stream and dgram, IPv4 only",
		.is_built = true,
		.options = socket_options,
	},
	{
		.name = "bridge",
		.help = "a bridge of the host, by a tap that is made on it",
		.is_built = true,
		.options = bridge_options,
	},
	{
		.name = "vde",
		.help = "a port of a VDE switch, or such a switch",
		.does = "a switch that has gone is plugged into again when it "
			"is back",
		.is_built = true,
		.options = vde_options,
	},
	{
		.name = "l2tpv3",
		.help = "an L2TPv3 tunnel, in UDP or IP",
		.is_built = true,
		.options = l2tpv3_options,
	},
	{
		.name = "vhost-user",
		.help = "the guest's virtio rings in shared memory",
		.is_built = true,
		.does = "vmlan is the back end that QEMU's netdev of this name "
			"speaks to; a socket is named and no chardev",
		.options = vhost_user_options,
	},
	{
		.name = "vhost-vdpa",
		.help = "a vhost-vdpa device",
		.is_foreign = true,
		.not_built = "such a device works in the guest's own memory, "
			     "so it is its VMM's; bound to virtio_vdpa it is "
			     "an interface of the host: macvtap,if= or "
			     "packet,if=",
		.options = vhost_vdpa_options,
	},
	{
		.name = "af-xdp",
		.help = "an interface of the host by AF_XDP",
		.is_built = true,
		.does = "the interface is promiscuous meanwhile; one with a "
			"program of somebody else's, or a queue with a socket, "
			"is refused",
		.options = af_xdp_options,
	},
	{
		.name = "netmap",
		.help = "a netmap port or VALE switch",
		.is_foreign = true,
		.not_built = "netmap is of FreeBSD; here packet,if= has an "
			     "interface, stream and dgram are for what a VALE "
			     "switch joins",
		.options = netmap_options,
	},
	{
		.name = "vmnet-host",
		.help = "macOS: a network of the host and its guests",
		.is_foreign = true,
		.not_built = MACOS "here hostif,addr= is a network of the "
				   "host and its guests",
		.options = vmnet_host_options,
	},
	{
		.name = "vmnet-shared",
		.help = "macOS: a network with NAT",
		.is_foreign = true,
		.not_built = MACOS "here user is a network with NAT",
		.options = vmnet_shared_options,
	},
	{
		.name = "vmnet-bridged",
		.help = "macOS: a bridge to an interface",
		.is_foreign = true,
		.not_built = MACOS "here bridge,br=, macvtap,if= and "
				   "packet,if= lead to an interface",
		.options = vmnet_bridged_options,
	},
	{
		.name = "passt",
		.help = "user in the words of passt",
		.is_built = true,
		.does = "no process of that name is started: the gateway built "
			"in does what the options mean. Not given, they are "
			"user's: 10.0.2.0/24 and fec0::/64, and not the host's "
			"own addresses",
		.options = netdev_passt_options,
	},
	{
		.name = "vxlan",
		.help = "a VXLAN tunnel to one peer or several",
		.is_extension = true,
		.is_built = true,
		.options = vxlan_options,
	},
	{
		.name = "macvtap",
		.help = "a network card of the host, shared by macvtaps",
		.is_extension = true,
		.is_built = true,
		.options = macvtap_options,
	},
	{
		.name = "packet",
		.help = "an interface of the host, by a packet socket",
		.is_extension = true,
		.is_built = true,
		.options = packet_options,
	},
	{
		.name = "nic",
		.help = "the guest's card, only with -net",
		.is_foreign = true,
		.not_built = "a card is the guest's end of the cable: "
			     "vmlan run --nic MODEL",
		.does = "behind -net it is the card, on hub 0 or with netdev=",
		.options = nic_options,
	},
	{
		.name = "none",
		.help = "no network",
		.is_foreign = true,
		.not_built = "leave the netdev out",
		.does = "behind -nic and -net it is no network",
		.options = none_options,
	},
	{.name = NULL},
};
