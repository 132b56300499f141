/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The option tables of all kinds: names, types and defaults are QEMU's
 * (11.1), the help is ours.  Read by the parser, the help and the man page.
 */
#include "grammar/kind.h"

/* Name, type, default, help, then .flags and .accepts if any. */
#define OPT(n, t, d, h, ...)                                                   \
	{                                                                      \
		.name = (n), .type = (t), .deflt = (d), .help = (h),           \
		__VA_ARGS__                                                    \
	}
#define REQUIRED    .flags = OPT_F_REQUIRED
#define EXTENSION   .flags = OPT_F_EXTENSION
#define LATER(only) .flags = OPT_F_LATER, .accepts = (only)
#define END                                                                    \
	{                                                                      \
		.name = NULL                                                   \
	}

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
	       "inet, unix, fd or vsock", REQUIRED),
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
	       REQUIRED),
	MEMBER(VSOCK, "cid", OPT_STR, NULL, "context id", REQUIRED),
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
	    "class"),
	OPT("ip", OPT_STR, NULL, "old spelling of net=ADDRESS/24"),
	OPT("host", OPT_STR, NULL,
	    "address of the gateway, second of the network (10.0.2.2)"),
	OPT("dns", OPT_STR, NULL,
	    "address of the name server, third of the network (10.0.2.3)"),
	OPT("dhcpstart", OPT_STR, NULL,
	    "first address leased, 15th of the network (10.0.2.15)"),
	OPT("router", OPT_STR, NULL,
	    "address of another router of the network, which DHCP names in "
	    "place of this gateway",
	    EXTENSION),
	OPT("hostname", OPT_STR, NULL, "name given to the guest by DHCP"),
	OPT("domainname", OPT_STR, NULL, "domain given to the guest by DHCP"),
	OPT("dnssearch", OPT_LIST, NULL, "domain to search for short names"),
	OPT("mtu", OPT_U32, "1500",
	    "largest IP packet of the network in bytes, 576 to 65520; given to "
	    "the guest by DHCP",
	    EXTENSION),
	OPT("hostfwd", OPT_LIST, NULL,
	    "port of the host forwarded to a guest: "
	    "[tcp|udp]:[HOSTADDR]:HOSTPORT-[GUESTADDR]:GUESTPORT or "
	    "unix:PATH-[GUESTADDR]:GUESTPORT"),
	OPT("restrict", OPT_BOOL, "off",
	    "no way out, except by guestfwd= and in answer to hostfwd=; ours: "
	    "services keeps the name server",
	    .also = "services"),
	OPT("multicast", OPT_BOOL, "off",
	    "multicast groups pass to and from the host's network, mDNS and "
	    "SSDP among them",
	    EXTENSION),
	OPT("ipv6-net", OPT_STR, "fec0::/64",
	    "IPv6 prefix of the guests and its length, 64 if not given: with "
	    "another guests cannot choose addresses themselves (SLAAC)"),
	OPT("ipv6-prefix", OPT_STR, "fec0::",
	    "IPv6 prefix without its length, in place of ipv6-net"),
	OPT("ipv6-prefixlen", OPT_INT, "64",
	    "length of ipv6-prefix, 1 to 126; 0 is 64"),
	OPT("ipv6-host", OPT_STR, NULL,
	    "IPv6 address of the gateway, second of the network (fec0::2)"),
	OPT("ipv6-dns", OPT_STR, NULL,
	    "IPv6 address of the name server, third of the network (fec0::3)"),
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
	OPT("tftp", OPT_STR, NULL, "folder served by TFTP", LATER(NULL)),
	OPT("bootfile", OPT_STR, NULL, "name of the boot file", LATER(NULL)),
	OPT("tftp-server-name", OPT_STR, NULL, "TFTP server named by DHCP",
	    LATER(NULL)),
	OPT("smb", OPT_STR, NULL, "folder served by SMB", LATER(NULL)),
	OPT("smbserver", OPT_STR, NULL, "address of the SMB server",
	    LATER(NULL)),
	OPT("guestfwd", OPT_LIST, NULL,
	    "address in the network whose connections go to a program or "
	    "socket: [tcp]:[SERVER]:PORT-TARGET, where TARGET is "
	    "cmd:COMMAND, tcp:HOST:PORT or unix:PATH"),
	END,
};

static const struct netdev_option tap_options[] = {
	OPT("ifname", OPT_STR, NULL,
	    "name of the interface, made if it does not exist (tap%d)"),
	OPT("fd", OPT_STR, NULL, "descriptor of an attached tap"),
	OPT("fds", OPT_STR, NULL, "descriptors of its queues, N:N:.."),
	OPT("script", OPT_STR, "/etc/qemu-ifup",
	    "program run with the interface's name, no = none"),
	OPT("downscript", OPT_STR, "/etc/qemu-ifdown",
	    "program run at the end, no = none"),
	OPT("vnet_hdr", OPT_BOOL, NULL,
	    "offload header; not given: if the kernel can"),
	OPT("queues", OPT_U32, "1", "number of queues"),
	OPT("sndbuf", OPT_SIZE, "0", "send buffer in bytes, 0 = unlimited"),
	OPT("helper", OPT_STR, NULL, "program that opens the tap"),
	OPT("br", OPT_STR, "br0", "bridge for the helper"),
	OPT("vhost", OPT_BOOL, "off", "kernel's vhost-net", LATER("off")),
	OPT("vhostfd", OPT_STR, NULL, "descriptor of vhost-net", LATER(NULL)),
	OPT("vhostfds", OPT_STR, NULL, "descriptors of vhost-net, N:N:..",
	    LATER(NULL)),
	OPT("vhostforce", OPT_BOOL, "off", "vhost without MSI-X", LATER("off")),
	OPT("poll-us", OPT_U32, "0", "microseconds vhost polls", LATER("0")),
	END,
};

static const struct netdev_option bridge_options[] = {
	OPT("br", OPT_STR, "br0", "name of the bridge"),
	OPT("helper", OPT_STR, "/usr/lib/qemu/qemu-bridge-helper",
	    "program that opens the tap; not given: asked where the right to "
	    "make one is missing"),
	END,
};

static const struct netdev_option socket_options[] = {
	OPT("fd", OPT_STR, NULL, "descriptor of a socket"),
	OPT("listen", OPT_STR, NULL, "[HOST]:PORT of a TCP server"),
	OPT("connect", OPT_STR, NULL, "HOST:PORT of a TCP client"),
	OPT("mcast", OPT_STR, NULL, "GROUP:PORT of a UDP multicast bus"),
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
	OPT("addr", OPT_SOCKADDR, NULL, "where to listen or connect", REQUIRED),
	OPT("server", OPT_BOOL, "off", "listen rather than connect"),
	OPT("reconnect-ms", OPT_U32, "0",
	    "client: milliseconds between attempts, 0 = only one"),
	OPT("max", OPT_U32, "0",
	    "server: machines at a time, 0 = any number, 1 = as QEMU",
	    EXTENSION),
	END,
};

static const struct netdev_option dgram_options[] = {
	OPT("local", OPT_SOCKADDR, NULL, "own address"),
	OPT("remote", OPT_SOCKADDR, NULL, "where to send"),
	END,
};

static const struct netdev_option vde_options[] = {
	OPT("sock", OPT_STR, NULL, "folder of the VDE switch"),
	OPT("port", OPT_U16, "0", "port of the switch, 0 = any"),
	OPT("group", OPT_STR, NULL, "group that owns our socket"),
	OPT("mode", OPT_U16, "0700", "permissions of our socket"),
	END,
};

static const struct netdev_option hubport_options[] = {
	OPT("hubid", OPT_INT, NULL, "number of the hub", REQUIRED),
	OPT("netdev", OPT_STR, NULL,
	    "id of the netdev to join to the hub; not given: the LAN"),
	END,
};

static const struct netdev_option l2tpv3_options[] = {
	OPT("src", OPT_STR, NULL, "own address", REQUIRED),
	OPT("dst", OPT_STR, NULL, "address of the peer", REQUIRED),
	OPT("udp", OPT_BOOL, "off", "in UDP, not in IP protocol 115"),
	OPT("srcport", OPT_STR, NULL, "own UDP port"),
	OPT("dstport", OPT_STR, NULL, "UDP port of the peer"),
	OPT("ipv6", OPT_BOOL, "off", "over IPv6"),
	OPT("txsession", OPT_U32, NULL, "session we send", REQUIRED),
	OPT("rxsession", OPT_U32, NULL, "session we expect (txsession)"),
	OPT("txcookie", OPT_U64, NULL, "cookie we send"),
	OPT("rxcookie", OPT_U64, NULL, "cookie we expect"),
	OPT("cookie64", OPT_BOOL, "off", "cookies of 64 bits, not 32"),
	OPT("counter", OPT_BOOL, "off", "sequence numbers"),
	OPT("pincounter", OPT_BOOL, "off", "the sequence number stays 0"),
	OPT("offset", OPT_U32, "0", "bytes between header and frame"),
	END,
};

static const struct netdev_option vhost_user_options[] = {
	OPT("chardev", OPT_STR, NULL, "QEMU's chardev; here: path="),
	OPT("path", OPT_STR, NULL, "path of the socket", EXTENSION),
	OPT("fd", OPT_STR, NULL, "descriptor of a connected socket", EXTENSION),
	OPT("server", OPT_BOOL, "off", "listen rather than connect", EXTENSION),
	OPT("reconnect-ms", OPT_U32, "0",
	    "client: try again that long after the peer went, 0 = never",
	    EXTENSION),
	OPT("queues", OPT_U32, "1", "number of queue pairs", LATER("1")),
	OPT("vhostforce", OPT_BOOL, "off", "without effect"),
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
	OPT("queues", OPT_INT, "1", "number of queues"),
	OPT("start-queue", OPT_INT, "0", "first queue"),
	OPT("inhibit", OPT_BOOL, "off", "load no XDP program"),
	OPT("sock-fds", OPT_STR, NULL, "descriptors of XDP sockets, N:N:.."),
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

static const struct netdev_option passt_options[] = {
	OPT("path", OPT_STR, "passt", "program"),
	OPT("quiet", OPT_BOOL, "on", "print errors only"),
	OPT("vhost-user", OPT_BOOL, "off", "vhost-user, not stream"),
	OPT("mtu", OPT_INT, NULL, "MTU given to the guest"),
	OPT("address", OPT_STR, NULL, "address given to the guest"),
	OPT("netmask", OPT_STR, NULL, "mask given to the guest"),
	OPT("mac", OPT_STR, NULL, "MAC address of the gateway"),
	OPT("gateway", OPT_STR, NULL, "gateway given to the guest"),
	OPT("interface", OPT_STR, NULL, "interface addresses are taken from"),
	OPT("outbound", OPT_STR, NULL, "own address to send from"),
	OPT("outbound-if4", OPT_STR, NULL, "interface to send IPv4 from"),
	OPT("outbound-if6", OPT_STR, NULL, "interface to send IPv6 from"),
	OPT("dns", OPT_STR, NULL, "name server given to the guest"),
	OPT("search", OPT_LIST, NULL, "domain to search for short names"),
	OPT("fqdn", OPT_STR, NULL, "full name given to the guest"),
	OPT("dhcp-dns", OPT_BOOL, "on", "name servers by DHCP"),
	OPT("dhcp-search", OPT_BOOL, "on", "search list by DHCP"),
	OPT("map-host-loopback", OPT_STR, NULL, "address of host loopback"),
	OPT("map-guest-addr", OPT_STR, NULL, "address of the guest itself"),
	OPT("dns-forward", OPT_STR, NULL, "address of the name server"),
	OPT("dns-host", OPT_STR, NULL, "resolver of the host to ask"),
	OPT("tcp", OPT_BOOL, "on", "TCP"),
	OPT("udp", OPT_BOOL, "on", "UDP"),
	OPT("icmp", OPT_BOOL, "on", "ICMP"),
	OPT("dhcp", OPT_BOOL, "on", "DHCP server"),
	OPT("ndp", OPT_BOOL, "on", "neighbour discovery"),
	OPT("dhcpv6", OPT_BOOL, "on", "DHCPv6 server"),
	OPT("ra", OPT_BOOL, "on", "router advertisements"),
	OPT("freebind", OPT_BOOL, "off", "bind addresses the host lacks"),
	OPT("ipv4", OPT_BOOL, "on", "IPv4"),
	OPT("ipv6", OPT_BOOL, "on", "IPv6"),
	OPT("tcp-ports", OPT_LIST, NULL, "TCP ports to forward"),
	OPT("udp-ports", OPT_LIST, NULL, "UDP ports to forward"),
	OPT("param", OPT_LIST, NULL, "argument passed on as it is"),
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
	OPT("vni", OPT_U32, NULL, "network identifier",
	    .flags = OPT_F_REQUIRED | OPT_F_EXTENSION),
	OPT("remote", OPT_STR, NULL, "address of the peer or group", EXTENSION),
	OPT("local", OPT_STR, NULL, "own address", EXTENSION),
	OPT("port", OPT_U16, "4789", "UDP port", EXTENSION),
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

#define MACOS "this kind is of macOS; here use user or tap"

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
		.help = "a port of a VDE switch",
		.not_built = "the LAN itself is a switch; other programs can "
			     "join it by stream or dgram",
		.options = vde_options,
	},
	{
		.name = "l2tpv3",
		.help = "an L2TPv3 tunnel",
		.not_built = "between two hosts dgram carries frames in UDP",
		.options = l2tpv3_options,
	},
	{
		.name = "vhost-user",
		.help = "the guest's virtio rings in shared memory",
		.is_built = true,
		.options = vhost_user_options,
	},
	{
		.name = "vhost-vdpa",
		.help = "a vhost-vdpa device",
		.not_built = "tap is the nearest that works",
		.options = vhost_vdpa_options,
	},
	{
		.name = "af-xdp",
		.help = "an interface of the host by AF_XDP",
		.not_built = "tap is the nearest that works",
		.options = af_xdp_options,
	},
	{
		.name = "netmap",
		.help = "a netmap port or VALE switch",
		.is_foreign = true,
		.not_built = "netmap is of FreeBSD; here use tap or stream",
		.options = netmap_options,
	},
	{
		.name = "vmnet-host",
		.help = "macOS: a network of the host and its guests",
		.is_foreign = true,
		.not_built = MACOS,
		.options = vmnet_host_options,
	},
	{
		.name = "vmnet-shared",
		.help = "macOS: a network with NAT",
		.is_foreign = true,
		.not_built = MACOS,
		.options = vmnet_shared_options,
	},
	{
		.name = "vmnet-bridged",
		.help = "macOS: a bridge to an interface",
		.is_foreign = true,
		.not_built = MACOS,
		.options = vmnet_bridged_options,
	},
	{
		.name = "passt",
		.help = "a passt process as gateway",
		.not_built = "user is the gateway built in",
		.options = passt_options,
	},
	{
		.name = "vxlan",
		.help = "a VXLAN tunnel",
		.is_extension = true,
		.not_built = "between two hosts dgram carries frames in UDP",
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
		.options = nic_options,
	},
	{
		.name = "none",
		.help = "no network",
		.is_foreign = true,
		.not_built = "leave the netdev out",
		.options = none_options,
	},
	{.name = NULL},
};
