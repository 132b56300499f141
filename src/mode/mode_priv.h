/* SPDX-License-Identifier: BSD-3-Clause */
/* What the recipes share; each is a file of its mode's name. */
#ifndef MODE_MODE_PRIV_H
#define MODE_MODE_PRIV_H

#include "mode/mode.h"

/* The key of m that text, which is len bytes, names; NULL: it has none such. */
const struct mode_key *mode_key_find(const struct mode *m, const char *text,
				     size_t len);
/* Appends a netdev; text is owned by n, NULL: there was no memory for it. */
MUST_USE int mode_netdev_add(struct mode_netdevs *n, char *text,
			     struct error *e);

struct mode_pair {
	const char *key;   /* NULL ends a list */
	const char *value; /* NULL: left out */
};

/* "KIND,KEY=VALUE..", commas in values doubled; the caller frees.  NULL: no
 * memory. */
char *mode_text(const char *kind, const struct mode_pair *pairs);
/* ",OPTION", likewise. */
void mode_put_key(FILE *f, const char *option);
/* 0 if key is one of the two words, or not given; else -1 with *e
 * (EXIT_USAGE). */
MUST_USE int mode_check(const struct mode_spec *s, const char *key,
			const char *one, const char *other, struct error *e);
/* The host's route into net, or NULL. */
const struct prefix *mode_route_into(const struct mode_host *h,
				     const struct prefix *net);

/* The IPv6 network that a gateway of s has. */
struct mode_net6 {
	struct prefix net;
	bool is_on;
	bool follows; /* it is of a prefix of the host's */
};
MUST_USE int mode_net6(const struct mode_spec *s, const struct mode_host *h,
		       struct mode_net6 *n, struct error *e);
/* Its host-th address, 0: its own, with the length; returns buf. */
const char *mode_net6_text(const struct mode_net6 *n, unsigned host,
			   char buf[static PREFIX_STRLEN]);

/* The interface made for the network: ifname=, or one made of the network's
 * name, which may be longer than an interface's.  buf is room for that. */
const char *mode_ifname(const struct mode_spec *s, char *buf, size_t room);

/* The netdev user with those of its keys that s gives, on a subnet that the
 * host has no route into; more, ",KEY=VALUE..", is appended to it and replaces
 * what s gives of those keys. */
MUST_USE int mode_gateway(const struct mode_spec *s, const struct mode_host *h,
			  const char *more, struct mode_netdevs *n,
			  struct error *e);
/* Those of its DHCP servers that go to user as they are. */
#define MODE_DHCP_KEYS                                                         \
	{.key = "dhcpend", .help = "last address leased"},		       \
	{.key = "lease", .help = "seconds of a lease, or infinite (86400)"},   \
	{.key = "reserve", .help = "an address that is one machine's: WHO/"    \
				   "ADDRESS[/ADDRESS6][/NAME]; may be given "  \
				   "again", .is_list = true},		       \
	{.key = "dhcp-option", .help = "an option that machines are told: "    \
				       "[WHO/]NAME:VALUE; may be given again", \
	 .is_list = true},						       \
	{.key = "route", .help = "a route that machines are told of, PREFIX/"  \
				 "LENGTH/VIA; may be given again",	       \
	 .is_list = true},						       \
	{.key = "ntp-server", .help = "a time server that machines are told "  \
				      "of; may be given again",		       \
	 .is_list = true}
/* The keys of gateway, for a table. */
#define MODE_GATEWAY_KEYS                                                      \
	{.key = "net", .help = "network and mask, 10.0.2.0/24 or another that "\
			       "the host has no route into"},                  \
	{.key = "host", .help = "address of the gateway, second of the "      \
				"network"},                                    \
	{.key = "dns", .help = "address of the name server, third of the "    \
			       "network"},                                     \
	{.key = "dhcpstart", .help = "first address leased, 15th of the "     \
				     "network"},                               \
	MODE_DHCP_KEYS,						       \
	{.key = "hostname", .help = "name given to the machines by DHCP"},    \
	{.key = "domainname", .help = "domain given to the machines"},        \
	{.key = "dnssearch", .help = "domain to search for short names; may " \
				     "be given again", .is_list = true},       \
	{.key = "dns-server", .help = "resolver to ask, [DOMAIN/]ADDRESS"     \
				      "[:PORT]; may be given again",	       \
	 .is_list = true},						       \
	{.key = "zone", .help = "zone in which the machines find each other " \
				"by name; off: none (vm.lan)"},	       \
	{.key = "mtu", .help = "bytes of an IP packet, given to the "	       \
			       "machines"},				       \
	{.key = "ipv4", .help = "off: no IPv4 (on)"},			       \
	{.key = "ipv6", .help = "off: no IPv6 (on)"},			       \
	{.key = "prefix", .help = "host: a part of the host's own IPv6 "       \
				  "prefix, where it has one shorter than "     \
				  "/64; ula: one of the network's own (ula)"}, \
	{.key = "ipv6-net", .help = "IPv6 prefix of the network"},	       \
	{.key = "ipv6-host", .help = "IPv6 address of the gateway, second of " \
				     "the network"},			       \
	{.key = "ipv6-dns", .help = "IPv6 address of the name server, third "  \
				    "of the network"}
/* What a gateway serves, wherever it leads. */
#define MODE_SERVICE_KEYS                                                      \
	{.key = "tftp", .help = "folder whose files the machines read by "     \
				"TFTP, and boot from"},			       \
	{.key = "bootfile", .help = "name of the boot file, or of a folder "   \
				    "in tftp= with one for each "	       \
				    "architecture"},			       \
	{.key = "tftp-server-name", .help = "another TFTP server, told by "    \
					    "DHCP"},			       \
	{.key = "ntp", .help = "on: the gateway tells the time (off)"},	       \
	{.key = "smb", .help = "folder served by SMB, as the share qemu"},     \
	{.key = "smbserver", .help = "address of the SMB server, fourth of "  \
				     "the network"},			       \
	{.key = "ipv6-smbserver", .help = "IPv6 address of the SMB server, "  \
					  "fourth of the network"},	       \
	{.key = "smb-readonly", .help = "on: machines only read that folder " \
					"(off)"}
/* Those of one that leads out. */
#define MODE_NAT_KEYS                                                          \
	{.key = "multicast", .help = "on: multicast groups pass to and from "  \
				     "the host's network"},		       \
	{.key = "nat64", .help = "on: machines with IPv6 alone reach IPv4 "    \
				 "(off)"}

extern const struct mode_key mode_no_keys[];
extern const struct mode_key mode_nat_keys[];
extern const struct mode_key mode_natnet_keys[];
extern const struct mode_key mode_bridged_keys[];
extern const struct mode_key mode_hostonly_keys[];
extern const struct mode_key mode_internal_keys[];
extern const struct mode_key mode_generic_keys[];

int mode_none(const struct mode_spec *s, const struct mode_host *h,
	      struct mode_netdevs *n, struct error *e);
int mode_nat(const struct mode_spec *s, const struct mode_host *h,
	     struct mode_netdevs *n, struct error *e);
int mode_natnet(const struct mode_spec *s, const struct mode_host *h,
		struct mode_netdevs *n, struct error *e);
int mode_bridged(const struct mode_spec *s, const struct mode_host *h,
		 struct mode_netdevs *n, struct error *e);
int mode_hostonly(const struct mode_spec *s, const struct mode_host *h,
		  struct mode_netdevs *n, struct error *e);
int mode_internal(const struct mode_spec *s, const struct mode_host *h,
		  struct mode_netdevs *n, struct error *e);
int mode_generic(const struct mode_spec *s, const struct mode_host *h,
		 struct mode_netdevs *n, struct error *e);

#endif
