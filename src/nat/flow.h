/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Flows: what udp, icmp and tcp have in common, and the table that finds
 * them.  One table per protocol part; one worker's thread.
 *
 * A struct flow is embedded in the part's own object:
 *
 *	struct udp_flow { struct flow flow; ... };
 *
 * and found back with container_of().  The table owns nothing but its bucket
 * array: the part allocates (from a slab), fills proto, guest and remote,
 * calls flow_add(), and calls flow_del() before it frees.
 *
 * The key is (proto, guest, remote).  A mapping that does not depend on the
 * remote end (RFC 4787 4.1: UDP, ping) leaves remote all zero.  Keys are
 * hashed under a random key, so a guest cannot aim for one bucket.  The bucket
 * array has its final size from the start (untouched pages cost nothing), so
 * no insertion ever pauses to grow it.
 *
 * Quota
 * -----
 * A guest may hold as many flows as are still free:
 *
 *	may add  <=>  n_flows(guest) < n_max - n
 *
 * so the first guest can take half of the table, the next one half of the
 * rest, and none can take all.  Guests are told apart by the hash of their
 * address, modulo FLOW_QUOTAS: two that fall together share one quota.
 */
#ifndef NAT_FLOW_H
#define NAT_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/hash.h"
#include "base/host.h"
#include "base/list.h"
#include "base/timer.h"

enum { FLOW_QUOTAS = 1024 };

struct flow {
	/* the key, set by the part before flow_add(), constant until
	 * flow_del() */
	struct endpoint guest;  /* as the guest names itself */
	struct endpoint remote; /* as the guest names it; zero: any */
	uint8_t proto;          /* IPPROTO_* */

	mac guest_mac;         /* where frames to the guest go */
	struct host_sock sock; /* the host's end; the part opens and closes */
	struct timer timer;    /* the part's */

	/* the table's */
	struct list link;   /* in table->all */
	struct flow *chain; /* next in the bucket */
	uint32_t hash;
	uint16_t quota; /* index of the guest's quota */
};

struct flow_key {
	struct endpoint guest;
	struct endpoint remote;
	uint8_t proto;
};

struct flow_table {
	struct flow **bucket; /* owned, mask + 1 of them */
	uint32_t mask;
	unsigned n; /* flows in the table */
	unsigned n_max;
	struct flow *last; /* found last: bulk hits it without hashing */
	struct hash_key key;
	struct list all; /* oldest first; the part may reorder it */
	unsigned n_quota[FLOW_QUOTAS];
};

/* An empty table for at most n_max flows. 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int flow_table_init(struct flow_table *t,
							unsigned n_max);
/* Releases the array; the flows were deleted before. Zeroed t is accepted. */
void flow_table_deinit(struct flow_table *t);

/* The flow of exactly this key, or NULL. */
struct flow *flow_find(struct flow_table *t, const struct flow_key *key);
/* Puts f in; its key must not be in the table yet. False: the table is full
 * or the guest has used its quota (DROP_FLOW_TABLE_FULL). */
__attribute__((warn_unused_result)) bool flow_add(struct flow_table *t,
						  struct flow *f);
/* Takes f out. */
void flow_del(struct flow_table *t, struct flow *f);

#endif
