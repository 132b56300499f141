/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options of `user`, resolved to addresses and names with QEMU's
 * defaults and checks.  Called by the keeper before it starts the engine.
 */
#ifndef GRAMMAR_USER_OPTS_H
#define GRAMMAR_USER_OPTS_H

#include "base/addr.h"
#include "base/serving.h"
#include "base/subnet.h"
#include "grammar/dhcp_rules.h"
#include "grammar/guestfwd.h"
#include "grammar/netdev_spec.h"
#include "grammar/port_spec.h"

enum {
	USER_NAME_LEN = 256, /* a DNS name with NUL */
	USER_SEARCH_MAX = 8, /* entries of dnssearch= */
	USER_GUESTFWDS_MAX = 64,
	USER_SMB_MAX = 4, /* of smb=: two ports in two families */
	USER_BOOTFILE_MAX = 127, /* bytes, as DHCP's field has */
	USER_DNS_SERVERS_MAX = 32,
	USER_LEASES = 16,    /* leases QEMU's pool has */
	USER_FOLLOW_LEN = 64, /* of a prefix that follows the host's */
	USER_MTU_MIN = 576,  /* RFC 791: what every host takes */
	USER_MTU_MIN6 = 1280, /* RFC 8200: and every one of IPv6 */
	USER_MTU_MAX = 65520, /* what a virtio card can say */
};

/* A resolver of the network's own. */
struct user_dns_server {
	char domain[USER_NAME_LEN]; /* that it is for; "" = all names */
	struct endpoint ep;
};

struct user_opts {
	struct subnet v4, v6; /* filled in, be they off */
	addr dhcp_start4;
	addr router4;			/* unspecified: v4.gw */
	addr router6;			/* unspecified: the gateway */
	uint32_t mtu;			/* bytes of an IP packet */
	char hostname[USER_NAME_LEN];	/* "" = not given */
	char domainname[USER_NAME_LEN]; /* "" = not given */
	char dnssearch[USER_SEARCH_MAX][USER_NAME_LEN];
	unsigned n_dnssearch;
	char zone[USER_NAME_LEN]; /* of the machines' names; "" = none */
	struct port_rule *hostfwds; /* owned; in the order given */
	unsigned n_hostfwds;
	struct guestfwd_rule *guestfwds; /* owned; server is set; those of
					  * smb= are the last */
	unsigned n_guestfwds;
	struct user_dns_server *dns_servers; /* owned; in the order given */
	unsigned n_dns_servers;
	bool follows_host; /* v6 moves along with a prefix of the host's */
	bool nat64; /* IPv4 for guests of IPv6 */
	bool is_restricted; /* no way out but guestfwds */
	bool has_multicast; /* groups pass to and from the host's network */
	bool keeps_services; /* restricted, but for the name server */
	struct serving serving;
	struct dhcp_said dhcp;
	/* Network boot; borrowed from the spec, NULL: not given. */
	const char *tftp; /* folder */
	const char *bootfile;
	const char *tftp_server_name;
};

#define USER_OPTS_NULL ((struct user_opts){.hostfwds = NULL})

/* spec is of kind `user`.  On success *o is the caller's (user_opts_deinit);
 * on failure *o is USER_OPTS_NULL and *e has one line (EXIT_USAGE). */
MUST_USE int netdev_user_resolve(const struct netdev_spec *spec,
				 struct user_opts *o, struct error *e);
/* The same, with room for that many leases at least behind dhcpstart= (where
 * the network has it), which is USER_LEASES above. */
MUST_USE int netdev_user_resolve_for(const struct netdev_spec *spec,
				     unsigned n_leases, struct user_opts *o,
				     struct error *e);
/* The fourth address of a network, where QEMU's servers are. */
addr user_opts_server(const struct subnet *s);
/* True if a connection to r's server is somebody's already. */
bool user_opts_is_taken(const struct user_opts *o,
			const struct guestfwd_rule *r);
/* True for an address of its networks that a machine can have: neither a
 * network's own (of all its routers, RFC 4291 2.6.1) nor its broadcast. */
bool user_opts_has(const struct user_opts *o, const addr *ip);
/* The same of one of them. */
bool user_subnet_has(const struct subnet *s, const addr *ip);
void user_opts_deinit(struct user_opts *o);

#endif
