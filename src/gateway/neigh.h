/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which MAC a guest's address has: learned from what guests send, asked for
 * by ARP (RFC 826) when a connection from outside comes first.  Used by the
 * gateway; one worker's thread.
 *
 * A fixed table with one place per hash of the address: of two guests that
 * fall together the one that spoke last is known and the other is asked for
 * again.
 */
#ifndef GATEWAY_NEIGH_H
#define GATEWAY_NEIGH_H

#include "base/hash.h"
#include "nat/env.h"

enum {
	NEIGH_PLACES = 1024,
	NEIGH_ASKS_PER_SECOND = 4, /* ARP requests for one place */
};

struct neigh_place {
	addr ip;
	mac mac;           /* zero: not known */
	uint64_t asked_ns; /* when the last request went out; 0 = never */
};

struct neigh {
	struct hash_key key;
	struct neigh_place place[NEIGH_PLACES];
};

void neigh_init(struct neigh *n);
/* ip, found valid, has sent from m. */
void neigh_learn(struct neigh *n, const addr *ip, mac m);
/* False: not known; a request is out, unless one was sent just now. */
bool neigh_find(struct neigh *n, const struct nat_env *env, const addr *ip,
		mac *macp);
/* The same without a question: another guest's place stays its own. */
bool neigh_known(struct neigh *n, const addr *ip, mac *macp);

#endif
