/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The DHCPv6 server of the gateway (RFC 8415), with addresses and without, for
 * any number of machines.  Called by the gateway with each datagram to port
 * 547; answers through the lan.  It shares the pool with DHCPv4: a machine has
 * the same place in both (lease.h).  No prefixes and no temporary addresses are
 * given, nothing is relayed and no reply is authenticated.  One worker's
 * thread.
 */
#ifndef SERVICE_DHCP6_H
#define SERVICE_DHCP6_H

#include "service/dhcp_options.h"
#include "service/lease.h"
#include "service/probe.h"
#include "service/service.h"
#include "wire/packet.h"

enum { DHCP6_SEARCH_NAMES = 8 };

/* What clients are told besides their address. Copied. */
struct dhcp6_config {
	uint32_t lease_s; /* DHCP_FOREVER; 0: LEASE_SECONDS */
	const struct dhcp_rules *rules; /* borrowed; NULL: there are none */
	struct probes *probes; /* borrowed; NULL: nobody is asked */
	const char *domain; /* "" = none; the last of the search */
	const char *search[DHCP6_SEARCH_NAMES];
	unsigned n_search;
	bool hides_dns; /* option 23 is left out */
	addr nameserver; /* unspecified: the gateway's */
	bool moves;	/* clients ask often whether their address is still
			 * the network's */
};

/* A lease was confirmed: ip belongs to m. May be NULL. */
typedef void (*dhcp6_bound_fn)(void *arg, const addr *ip, mac m);

struct dhcp6;

/* env and leases, DHCPv4's table (dhcp_leases_of()), are borrowed. 0 or
 * -ENOMEM. */
__attribute__((warn_unused_result)) int
dhcp6_new(const struct service_env *env, const struct dhcp6_config *c,
	  struct lease_table *leases, dhcp6_bound_fn bound, void *arg,
	  struct dhcp6 **dp);
/* The network is another, env->v6 says which: each client gets its place in
 * that one, and hears that the address of before is nothing any more. */
void dhcp6_moved(struct dhcp6 *d);
struct dhcp6 *dhcp6_free(struct dhcp6 *d);
/* payload: of a UDP datagram to port 547, checksum verified. */
void dhcp6_input(struct dhcp6 *d, const struct packet *pkt,
		 const uint8_t *payload, size_t len);

/* Answers that were sent. */
uint64_t dhcp6_n_answers(const struct dhcp6 *d);

#endif
