/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Parts of a bounded thing that all guests share: flows, half-open connections,
 * chunks of memory.  Used by flow and tcp; one worker's thread, or, of what
 * workers share, any of theirs.
 *
 * A guest may hold as many parts as are still free, and all guests of one port
 * of the lan three times as many:
 *
 *	may take  <=>  n(guest) < n_free  and  n(port) < 3 n_free
 *
 * so the first guest can take half, the next one half of the rest, and none can
 * take all; nor can a machine that has many addresses (in IPv6 a network full),
 * for it has one port (base/quota.h).  What comes to a guest, which it cannot
 * make happen, counts for the guest only.
 *
 * Guests are told apart by the hash of their address, ports by their number,
 * each modulo QUOTA_PLACES: two that fall together share.
 *
 * Workers that share a bounded thing count together, so that a guest has with
 * all of them no more than with one.  They look and take in two steps, so each
 * other worker may have taken one more in between, and no more than one.
 */
#ifndef NAT_QUOTA_H
#define NAT_QUOTA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/quota.h"

enum {
	QUOTA_PLACES = 1024,
	QUOTA_NO_PORT = QUOTA_PLACES, /* no port pays */
};

/* Who holds a part. */
struct quota_payer {
	uint16_t guest; /* place of the guest */
	uint16_t port;	/* of its port, or QUOTA_NO_PORT */
};

/* The parts held; all zero: none, and they are one worker's.  Nothing else is
 * ordered by these counts. */
struct quota {
	bool is_shared; /* by workers; set before any part is held */
	_Atomic unsigned n; /* of all guests */
	_Atomic unsigned n_guest[QUOTA_PLACES];
	_Atomic unsigned n_port[QUOTA_PLACES + 1];
};

static inline unsigned quota_load(const _Atomic unsigned *p)
{
	return atomic_load_explicit(p, memory_order_relaxed);
}

/* How many of n_max parts are free. */
static inline unsigned quota_free(const struct quota *q, unsigned n_max)
{
	unsigned n = quota_load(&q->n);

	return n < n_max ? n_max - n : 0;
}

/* Whoever has this hash of an address; what it began came by the port of this
 * number (lan_payer()), 0: it did not begin it. */
static inline struct quota_payer quota_payer(uint64_t hash, uint32_t port)
{
	return (struct quota_payer){
		.guest = (uint16_t)(hash % QUOTA_PLACES),
		.port = (uint16_t)(port ? port % QUOTA_PLACES
					: QUOTA_NO_PORT)};
}

static inline bool quota_has_room(const struct quota *q, struct quota_payer p,
				  unsigned n_free)
{
	if (quota_load(&q->n_guest[p.guest]) >= n_free)
		return false;
	return p.port == QUOTA_NO_PORT ||
	       quota_port_has_room(quota_load(&q->n_port[p.port]), n_free);
}

/* One's own count needs no instruction that locks the others out. */
static inline void quota_count(const struct quota *q, _Atomic unsigned *p,
			       unsigned n)
{
	if (q->is_shared)
		atomic_fetch_add_explicit(p, n, memory_order_relaxed);
	else
		atomic_store_explicit(p, quota_load(p) + n,
				      memory_order_relaxed);
}

static inline void quota_take(struct quota *q, struct quota_payer p)
{
	quota_count(q, &q->n, 1);
	quota_count(q, &q->n_guest[p.guest], 1);
	quota_count(q, &q->n_port[p.port], 1);
}

static inline void quota_give(struct quota *q, struct quota_payer p)
{
	quota_count(q, &q->n, -1u);
	quota_count(q, &q->n_guest[p.guest], -1u);
	quota_count(q, &q->n_port[p.port], -1u);
}

#endif
