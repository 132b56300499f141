/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lane's copy of worker 0's MAC table (lane.h): of each place in that one,
 * what the last news said is there.
 *
 * The places are the other table's (fdb_slot()), so that news of one place may
 * be delayed and merged, and come in any order with those of others: nothing
 * has to be looked for, nothing can be too much.  An address may stand in two
 * places until the news of the older one have come; the newer one is found.
 * port.n_known of a leg counts the places that it is in.
 *
 * Used by lane.c on the lane's thread, or in a pause.
 */
#ifndef LAN_FDB_COPY_H
#define LAN_FDB_COPY_H

#include <stdint.h>

#include "base/addr.h"
#include "base/hash.h"
#include "base/mem.h"
#include "lan/port.h"

struct fdb_copy_entry {
	uint64_t key;
	struct port *port; /* borrowed; NULL: nothing is here */
	uint64_t told_ns;  /* when worker 0 knew last that it is used */
	uint32_t next;     /* place + 1 of the next one in the chain */
};

struct fdb_copy {
	struct fdb_copy_entry *entry; /* owned, max */
	uint32_t *bucket;             /* owned; place + 1, or 0 */
	unsigned bucket_mask;
	unsigned max;
	struct hash_key key;
};

/* 0 or -ENOMEM. */
MUST_USE int fdb_copy_init(struct fdb_copy *t, unsigned max);
/* A zeroed one is accepted. */
void fdb_copy_deinit(struct fdb_copy *t);
/* In that place is m behind p now; p NULL: nothing is. */
void fdb_copy_set(struct fdb_copy *t, unsigned slot, mac m, struct port *p,
		  uint64_t now_ns);
/* Where m is, or NULL. */
struct fdb_copy_entry *fdb_copy_find(const struct fdb_copy *t, mac m);
/* What was behind old is behind p now; p NULL: is forgotten. */
void fdb_copy_replace(struct fdb_copy *t, const struct port *old,
		      struct port *p);

#endif
