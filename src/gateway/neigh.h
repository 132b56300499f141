/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which MAC a guest's address has: learned from what guests send, asked for
 * by ARP (RFC 826) or a neighbour solicitation (RFC 4861 7.2) when a
 * connection from outside comes first, and again when it comes after a long
 * silence (7.3).  Used by the gateway; one worker's thread.
 *
 * A fixed table: the hash of an address names NEIGH_WAYS places, any of which
 * is its own.  A machine has as many addresses as it likes, in IPv6 a whole
 * network's (RFC 6583).  So where all places are taken, the one that goes is
 * of the port of the lan that has most of them, the caller's own if others
 * have no fewer: by which port he comes nobody can choose (lan_ingress).  Who
 * is forgotten all the same is asked for again.
 */
#ifndef GATEWAY_NEIGH_H
#define GATEWAY_NEIGH_H

#include "base/hash.h"
#include "nat/env.h"

enum {
	NEIGH_WAYS = 8,
	NEIGH_SETS = 128,
	NEIGH_ASKS_PER_SECOND = 4, /* questions for one place */
	NEIGH_REACHABLE_SECONDS = 30, /* without a word, and it is asked .. */
	NEIGH_PROBES = 3, /* .. so often, one a second, where it was */
};

struct neigh_place {
	addr ip;	   /* unspecified: the place is free */
	mac mac;           /* zero: not known */
	uint8_t n_probes;  /* unanswered since heard_ns */
	uint32_t from;	   /* by which port of the lan it came; 0: by none */
	uint64_t heard_ns; /* when it spoke last, of a known one */
	uint64_t asked_ns; /* when the last question went out; 0 = never */
};

struct neigh {
	struct hash_key key;
	struct neigh_place place[NEIGH_SETS][NEIGH_WAYS];
};

void neigh_init(struct neigh *n);
/* ip, found valid, has sent from m, by a port of the lan. */
void neigh_learn(struct neigh *n, const addr *ip, mac m, uint32_t from,
		 uint64_t now_ns);
/* False: not known; a question is out, unless one was sent just now. */
bool neigh_find(struct neigh *n, const struct nat_env *env, const addr *ip,
		mac *macp);
/* The same without a question: another guest's place stays its own. */
bool neigh_known(struct neigh *n, const addr *ip, mac *macp);

#endif
