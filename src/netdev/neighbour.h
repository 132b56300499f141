/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who has which address: ARP and IPv6's neighbour discovery (RFC 826, 4861),
 * as far as both say the same.  Stateless; called by beside.c.
 */
#ifndef NETDEV_NEIGHBOUR_H
#define NETDEV_NEIGHBOUR_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/cursor.h"
#include "lan/frame.h"

struct neighbour {
	addr from;  /* who says that this is his; unspecified: nobody does */
	mac mac;    /* the sender's */
	addr asked; /* whose MAC is asked for; unspecified: nobody's */
	addr reply; /* where the answer goes to; unspecified: to all */
};

enum { NEIGHBOUR_LEN = 86 }; /* longest frame that is made below */

/* False: f is neither, or malformed, or speaks for another MAC than its
 * own. */
bool neighbour_parse(const struct frame *f, struct neighbour *np);
/* The frame by which own answers n, who asked for its address. */
void neighbour_answer(struct wr *w, const struct neighbour *n, mac own);
/* The frame by which own, whose address is from, asks the machine with MAC to
 * whether ip is still its own. */
void neighbour_ask(struct wr *w, mac own, const addr *from, mac to,
		   const addr *ip);

#endif
