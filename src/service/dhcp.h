/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The DHCP server of the gateway (RFC 2131, 2132, 3397), for any number of
 * machines.  Called by the gateway with each datagram to port 67; answers
 * through the lan.  One worker's thread.
 */
#ifndef SERVICE_DHCP_H
#define SERVICE_DHCP_H

#include "service/dhcp_options.h"
#include "service/lease.h"
#include "service/probe.h"
#include "service/service.h"
#include "wire/packet.h"

enum {
	DHCP_SEARCH_NAMES = 8,
	/* How long who can do without IPv4, and asks whether it may (RFC 8925),
	 * does, before it asks again. */
	DHCP_IPV6_ONLY_SECONDS = 1800,
};

/* What clients are told besides their address. Copied. */
struct dhcp_config {
	struct lease_pool pool;
	uint32_t lease_s;      /* DHCP_FOREVER; 0: LEASE_SECONDS */
	const struct dhcp_rules *rules; /* borrowed; NULL: there are none */
	struct probes *probes; /* borrowed; NULL: nobody is asked */
	unsigned n_kept;       /* the pool's first addresses, for
				* dhcp_keep() */
	const char *hostname;  /* "" = none, as the next */
	const char *domain;
	const char *search[DHCP_SEARCH_NAMES];
	unsigned n_search;
	addr router; /* unspecified: the gateway */
	bool hides_router, hides_dns; /* options 3 and 6 are left out */
	addr nameserver; /* unspecified: the gateway's */
};

/* A lease was confirmed: ip belongs to m. May be NULL. */
typedef void (*dhcp_bound_fn)(void *arg, const addr *ip, mac m);

struct dhcp;

/* env is borrowed. 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int
dhcp_new(const struct service_env *env, const struct dhcp_config *c,
	 dhcp_bound_fn bound, void *arg, struct dhcp **dp);
struct dhcp *dhcp_free(struct dhcp *d);
/* An address of the pool, of either family, that no client may get. */
void dhcp_reserve(struct dhcp *d, const addr *ip);
/* A kept address, named in either family, is for the client with this MAC and
 * no other; zero: for nobody. */
void dhcp_keep(struct dhcp *d, const addr *ip, mac m);
/* The rules have one more reservation, of this number: its place is its
 * client's from now on, in both families.  Called before anybody has a lease.
 * False: it has no place in either. */
bool dhcp_reserved(struct dhcp *d, unsigned number);
/* Seconds of a lease; DHCP_FOREVER. */
uint32_t dhcp_lease_seconds(const struct dhcp *d);
/* The number of the reservation of a lease's client, of either family, as far
 * as the lease says who that is; 0: it has none. */
uint16_t dhcp_rule_of(const struct dhcp *d, const struct lease *l);
/* payload: of a UDP datagram to port 67, checksum verified. */
void dhcp_input(struct dhcp *d, const struct packet *pkt,
		const uint8_t *payload, size_t len);
/* Leases held by either family, as of the last message. */
unsigned dhcp_n_leases(const struct dhcp *d);
/* Answers that were sent. */
uint64_t dhcp_n_answers(const struct dhcp *d);
/* The table, whose twin is DHCPv6's; borrowed. */
struct lease_table *dhcp_leases_of(struct dhcp *d);

#endif
