/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Places in a table of what guests send, all of which one guest could take by
 * inventing.  When all are taken, one whose owner has been silent for long is
 * given away; and who has few may take one from the port of the lan that has
 * most, for by which port he comes nobody can choose (lan_ingress).
 */
#ifndef NETDEV_FAIR_H
#define NETDEV_FAIR_H

#include <stddef.h>
#include <stdint.h>

#define FAIR_IDLE_NS UINT64_C(30000000000)

enum { FAIR_PLACES_MAX = 255 };

/* Part of each entry. */
struct fair_place {
	uint64_t used_ns; /* its owner sent last */
	uint32_t from;	  /* .. and first by this port of the lan */
};

/* Which of n places, all taken, that lie stride bytes apart, goes to one that
 * comes by the port from; n: none. */
unsigned fair_choose(const struct fair_place *first, size_t stride, unsigned n,
		     uint32_t from, uint64_t now_ns);

#endif
