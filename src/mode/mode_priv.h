/* SPDX-License-Identifier: BSD-3-Clause */
/* What the recipes share; each is a file of its mode's name. */
#ifndef MODE_MODE_PRIV_H
#define MODE_MODE_PRIV_H

#include "mode/mode.h"

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
/* The host's route into net, or NULL. */
const struct prefix *mode_route_into(const struct mode_host *h,
				     const struct prefix *net);

/* The interface made for the network: ifname=, or one made of the network's
 * name, which may be longer than an interface's.  buf is room for that. */
const char *mode_ifname(const struct mode_spec *s, char *buf, size_t room);

/* The netdev user with those of its keys that s gives, on a subnet that the
 * host has no route into; more, ",KEY=VALUE..", is appended to it and replaces
 * what s gives of those keys. */
MUST_USE int mode_gateway(const struct mode_spec *s, const struct mode_host *h,
			  const char *more, struct mode_netdevs *n,
			  struct error *e);
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
	{.key = "hostname", .help = "name given to the machines by DHCP"},    \
	{.key = "domainname", .help = "domain given to the machines"},        \
	{.key = "dnssearch", .help = "domain to search for short names; may " \
				     "be given again", .is_list = true},       \
	{.key = "mtu", .help = "bytes of an IP packet, given to the machines"}

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
