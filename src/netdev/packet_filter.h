/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which MACs are behind a packet port, and the kernel's filter made of them:
 * groups, and what is for one of them.  So the kernel shows us neither the
 * host's own conversations nor what promiscuity brings besides.  Called by
 * packet.c on the lan's worker.
 */
#ifndef NETDEV_PACKET_FILTER_H
#define NETDEV_PACKET_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "netdev/fair.h"

enum {
	PACKET_MACS_MAX = 64,
	PACKET_FILTER_MAX = 8 + 5 * PACKET_MACS_MAX, /* instructions */
};

struct packet_macs {
	struct packet_mac {
		mac mac;
		struct fair_place place;
	} e[PACKET_MACS_MAX];
	uint32_t from; /* port of the lan by which what is seen next came */
	unsigned n;
	unsigned last; /* the one that was looked for last */
	mac host;      /* the interface's own: nobody behind us has it */
};

/* m sent; true if it is new and the filter is to be made again.  With all
 * places taken fairly by machines that spoke in the last half minute it is
 * not. */
bool packet_macs_saw(struct packet_macs *s, mac m, uint64_t now_ns);
/* Writes the filter; returns the number of instructions. */
unsigned packet_macs_filter(const struct packet_macs *s,
			    struct sock_filter f[static PACKET_FILTER_MAX]);

#endif
