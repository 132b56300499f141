/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options of passt, and what becomes of each in user (passt.c): as in
 * QEMU, which hands them to passt(1), but for what is said.
 */
#include "grammar/kind_priv.h"

#define NO_OUTBOUND                                                            \
	REFUSED(NULL, "connections leave the way that the host's routes say; " \
		      "the nearest is a rule of ip-rule(8) for the user that " \
		      "vmlan runs as")
#define OWN_PROCESS                                                            \
	NO_EFFECT("no process is started: the gateway is built in")
#define IN_BOTH                                                                \
	DIFFERS("as hostfwd=, several in passt's spelling, "                   \
		"[ADDRESS/]PORTS[:PORTS],..; exclusions (~), all, auto, an "   \
		"address of the guest and interfaces (%) are refused")

const struct netdev_option netdev_passt_options[] = {
	OPT("path", OPT_STR, "passt", "program", OWN_PROCESS),
	OPT("quiet", OPT_BOOL, "on", "print errors only", OWN_PROCESS),
	OPT("vhost-user", OPT_BOOL, "off", "vhost-user, not stream",
	    NO_EFFECT("machines come by netdevs of their own, and may by "
		      "vhost-user")),
	OPT("mtu", OPT_INT, NULL, "MTU given to the guest",
	    DIFFERS("user's mtu=, 576 to 65520; not given, or 0, 1500 where "
		    "passt has 65520 and tells nothing")),
	OPT("address", OPT_STR, NULL, "address given to the guest",
	    DIFFERS("the first one leased, and the network that it is in; of "
		    "IPv6 one whose last group is 1 or 4 to fe and the only "
		    "one behind the prefix")),
	OPT("netmask", OPT_STR, NULL, "mask given to the guest",
	    DIFFERS("without address= it is that of 10.0.2.0")),
	OPT("mac", OPT_STR, NULL, "MAC address of the gateway",
	    DIFFERS("not given, made of its address as by user, not "
		    "9a:55:9a:55:9a:55")),
	OPT("gateway", OPT_STR, NULL, "gateway given to the guest",
	    DIFFERS("in the guest's network; not given, its second address or "
		    "the first that is free. Of IPv6 it is fe80::2")),
	OPT("interface", OPT_STR, NULL, "interface addresses are taken from",
	    REFUSED(NULL, "no address is taken from the host; give address= "
			  "and gateway=, or join the guest to that network: "
			  "bridge, macvtap or packet")),
	OPT("outbound", OPT_STR, NULL, "own address to send from", NO_OUTBOUND),
	OPT("outbound-if4", OPT_STR, NULL, "interface to send IPv4 from",
	    NO_OUTBOUND),
	OPT("outbound-if6", OPT_STR, NULL, "interface to send IPv6 from",
	    NO_OUTBOUND),
	OPT("dns", OPT_STR, NULL, "name server given to the guest",
	    DIFFERS("user's nameserver=; not given, the gateway's own, which "
		    "asks the host's")),
	OPT("search", OPT_LIST, NULL, "domain to search for short names",
	    DIFFERS("user's dnssearch=; not given, none and not the host's")),
	OPT("fqdn", OPT_STR, NULL, "full name given to the guest",
	    DIFFERS("as user's hostname= and domainname=, by DHCP's options "
		    "12 and 15 and not by 81 and DHCPv6's 39")),
	OPT("dhcp-dns", OPT_BOOL, "on", "name servers by DHCP"),
	OPT("dhcp-search", OPT_BOOL, "on", "search list by DHCP"),
	OPT("map-host-loopback", OPT_STR, NULL, "address of host loopback"),
	OPT("map-guest-addr", OPT_STR, NULL, "address of the guest itself",
	    REFUSED("none",
		    "the guest has none of the host's addresses, so it reaches "
		    "the host by these; its loopback is map-host-loopback=")),
	OPT("dns-forward", OPT_STR, NULL, "address of the name server",
	    DIFFERS("user's dns= and ipv6-dns=; port 53 alone, and guests are "
		    "told of it")),
	OPT("dns-host", OPT_STR, NULL, "resolver of the host to ask",
	    DIFFERS("user's resolver=; not given, all of the host's and not "
		    "the first")),
	OPT("tcp", OPT_BOOL, "on", "TCP"),
	OPT("udp", OPT_BOOL, "on", "UDP"),
	OPT("icmp", OPT_BOOL, "on", "ICMP"),
	OPT("dhcp", OPT_BOOL, "on", "DHCP server"),
	OPT("ndp", OPT_BOOL, "on", "neighbour discovery"),
	OPT("dhcpv6", OPT_BOOL, "on", "DHCPv6 server"),
	OPT("ra", OPT_BOOL, "on", "router advertisements"),
	OPT("freebind", OPT_BOOL, "off", "bind addresses the host lacks",
	    REFUSED("off", "ports are bound at the start, to addresses that "
			   "the host has; without an address in tcp-ports= "
			   "they are bound to those that it will have, too")),
	OPT("ipv4", OPT_BOOL, "on", "IPv4"),
	OPT("ipv6", OPT_BOOL, "on", "IPv6",
	    DIFFERS("on also where the host has none")),
	OPT("tcp-ports", OPT_LIST, NULL, "TCP ports to forward", IN_BOTH),
	OPT("udp-ports", OPT_LIST, NULL, "UDP ports to forward", IN_BOTH),
	OPT("param", OPT_LIST, NULL, "argument passed on as it is",
	    REFUSED(NULL, "there is no process to pass arguments to; say it "
			  "by the keys of passt or user")),
	END,
};
