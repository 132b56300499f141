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
 * remote end (RFC 4787 4.1: UDP, ping) leaves remote all zero, or zero in the
 * family that the host's end has.  Keys are
 * hashed under a random key, so a guest cannot aim for one bucket.  The bucket
 * array has its final size from the start (untouched pages cost nothing), so
 * no insertion ever pauses to grow it.
 *
 * How many flows a guest may hold: quota.h.
 *
 * Where several workers carry flows, each has tables of its own, and those of
 * one part are joined: they count their flows together, hash alike, and hold
 * the bucket of each flow in the directory (buckets.h), so that what comes for
 * it finds its worker.  Whoever adds a flow holds the bucket already, for as
 * long as that takes; a flow whose bucket is another worker's all the same
 * holds none, and is found by those only who come to its worker anyhow.
 */
#ifndef NAT_FLOW_H
#define NAT_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/flow_seen.h"
#include "base/hash.h"
#include "base/host.h"
#include "base/list.h"
#include "base/timer.h"
#include "nat/buckets.h"
#include "nat/quota.h"

struct flow {
	/* the key, set by the part before flow_add(), constant until
	 * flow_del() */
	struct endpoint guest;  /* as the guest names itself */
	struct endpoint remote; /* as the guest names it; zero: any */
	uint8_t proto;          /* IPPROTO_* */

	mac guest_mac;         /* where frames to the guest go */
	struct host_sock sock; /* the host's end; the part opens and closes */
	struct timer timer;    /* the part's */
	uint64_t born_ns;      /* the part's: when it began */

	/* the table's */
	struct list link;   /* in table->all */
	struct flow *chain; /* next in the bucket */
	uint32_t hash;
	struct quota_payer payer;
	uint32_t held; /* bucket that it holds, + 1; 0: none */
};

struct flow_key {
	struct endpoint guest;
	struct endpoint remote;
	uint8_t proto;
};

/* What joined tables have in common. */
struct flow_share {
	struct hash_key key;
	struct quota quota;
};

struct flow_table {
	struct flow **bucket; /* owned, mask + 1 of them */
	uint32_t mask;
	unsigned n; /* flows in the table */
	unsigned n_max;
	struct flow *last; /* found last: bulk hits it without hashing */
	struct hash_key key;
	struct list all; /* oldest first; the part may reorder it */
	struct quota *quota; /* own, or borrowed of a share */
	struct quota own;
	struct bucket_holds *holds; /* borrowed; NULL: one worker */
};

/* An empty table for at most n_max flows. 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int flow_table_init(struct flow_table *t,
							unsigned n_max);
/* For tables of several workers to share. */
void flow_share_init(struct flow_share *s);
/* t, empty, is one of those: s and h, its worker's, are borrowed. */
void flow_table_join(struct flow_table *t, struct flow_share *s,
		     struct bucket_holds *h);
/* Releases the array; the flows were deleted before. Zeroed t is accepted. */
void flow_table_deinit(struct flow_table *t);

/* The flow of exactly this key, or NULL. */
struct flow *flow_find(struct flow_table *t, const struct flow_key *key);
/* Puts f in; its key must not be in the table yet.  port is the number of the
 * one that its guest began it by (lan_payer()), 0: it comes to the guest.
 * False: the table is full or the guest has used its quota
 * (DROP_FLOW_TABLE_FULL). */
__attribute__((warn_unused_result)) bool
flow_add(struct flow_table *t, struct flow *f, uint32_t port);
/* Takes f out. */
void flow_del(struct flow_table *t, struct flow *f);

typedef void (*flow_fn)(void *arg, const struct flow *f);
/* Calls fn for some flows, max at most: those of the chains from number `from`
 * on.  Where the next ones begin; 0: there are no more.  Who is there all the
 * while is told of once; fn may not change t. */
uint32_t flow_walk(const struct flow_table *t, uint32_t from, unsigned max,
		   flow_fn fn, void *arg);
/* f's place in r, for which there is one, with what all flows have filled in;
 * used_ns: when it was used last. */
struct flow_seen *flow_show(struct flow_room *r, const struct flow *f,
			    uint64_t used_ns);

#endif
