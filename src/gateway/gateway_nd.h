/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The gateway as a neighbour and a router of IPv6 (RFC 4861): it answers who
 * asks for its addresses, learns its guests', and says what the network is and
 * whether there is a way out by it.  Called by gateway.c and gateway_input.c;
 * the worker's thread.
 */
#ifndef GATEWAY_GATEWAY_ND_H
#define GATEWAY_GATEWAY_ND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/timer.h"
#include "nat/env.h"
#include "wire/nd.h"

struct gateway;
struct packet;
struct frame;

enum {
	/* Advertisements to all are seconds apart (RFC 4861 6.2.1), .. */
	GATEWAY_RA_MIN_SECONDS = 200,
	GATEWAY_RA_MAX_SECONDS = 600,
	/* .. the first ones less, also those after a change, for one may be
	 * lost (6.2.4, 10), .. */
	GATEWAY_RA_FIRST_SECONDS = 16,
	GATEWAY_RA_FIRST = 3,
	/* .. and where something has changed this at least (RFC 6275 7.5 has
	 * less). */
	GATEWAY_RA_AGAIN_MS = 300,
	GATEWAY_RA_LIFETIME_SECONDS = 1800, /* of router, DNS and search list */
	/* of the prefix: RFC 4861 6.2.1 */
	GATEWAY_RA_VALID_SECONDS = 30 * 24 * 3600,
	GATEWAY_RA_PREFERRED_SECONDS = 7 * 24 * 3600,
	/* of one that the network had before: no guest takes less (RFC 4862
	 * 5.5.3) */
	GATEWAY_RA_WAS_SECONDS = 2 * 3600,
	/* for how long guests may have addresses there, by DHCPv6 too */
	GATEWAY_WAS_SECONDS = 24 * 3600,
};

struct gateway_nd {
	struct timer timer; /* the next advertisement to all */
	struct hash_key key; /* when that is nobody can tell before */
	uint64_t n_sent;     /* to all */
	uint64_t n_same;     /* of them since what they say changed */
	uint64_t sent_ns;    /* the last of them */
	uint64_t was_ns[NAT_WAS_MAX]; /* when nat.was6 ceased to be it */
	/* domainname and dnssearch, as dns_name_emit() */
	uint8_t search[ND_SEARCH_MAX];
	size_t search_len;
};

void gateway_nd_init(struct gateway *gw);
/* The first word to the guests; nothing where IPv6 is off. */
void gateway_nd_start(struct gateway *gw);
/* The last one, if there was a first: no way out by us any more. */
void gateway_nd_stop(struct gateway *gw);
/* True if guests find a way out by us in IPv6: the host has one, or one in
 * IPv4 that they reach by NAT64. */
bool gateway_is_way6(const struct gateway *gw);
/* What we say has changed: the guests hear it now. */
void gateway_nd_changed(struct gateway *gw);
/* Networks of before that nobody has an address of any more are forgotten. */
void gateway_move_expire(struct gateway *gw);
/* A packet of a family that is served; false: it is none of this protocol. */
bool gateway_nd_input(struct gateway *gw, const struct packet *pkt,
		      const struct frame *f);

#endif
