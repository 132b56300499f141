/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The MAC table: which port a machine was last seen behind.
 *
 * Every operation is O(1).  Hash buckets are keyed, so a guest cannot aim for
 * one chain.  The table is bounded; when it is full the port with most entries
 * gives up the one it has not seen longest (the idea is Open vSwitch's), so
 * that one machine inventing addresses pushes out only its own.
 *
 * Called by lan.c on the worker's thread.  Entries are private to fdb.c.
 */
#ifndef LAN_FDB_H
#define LAN_FDB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/slab.h"
#include "base/timer.h"
#include "lan/port.h"

struct fdb_entry;

/* The place of that number (fdb_slot()) holds something else now. */
typedef void (*fdb_slot_fn)(void *arg, unsigned slot);

struct fdb {
	struct slab slab;	     /* of struct fdb_entry */
	struct fdb_entry **bucket;   /* owned; n_buckets chains */
	struct list *by_count;	     /* owned; [i]: ports with i entries */
	unsigned bucket_mask;	     /* n_buckets - 1 */
	unsigned n;		     /* entries, <= max */
	unsigned max;
	unsigned n_most;	     /* largest n_macs of any port */
	struct hash_key key;
	struct list by_age;	     /* all entries, longest unseen first */
	uint64_t age_ns;	     /* an entry unseen so long is forgotten,
				      * but of a port that is_ours */
	struct timer_wheel *wheel;   /* borrowed */
	struct timer age_timer;	     /* armed while there are entries */
	struct fdb_entry **by_slot;  /* owned, max; NULL: nobody watches */
	fdb_slot_fn changed;	     /* of who watches; he notes it */
	void *changed_arg;
};

enum fdb_result {
	FDB_SAME,	/* known behind this port */
	FDB_ADDED,
	FDB_MOVED,	/* was behind another port */
	FDB_MOVED_BACK, /* and had come from this one within FDB_BACK_NS */
};

#define FDB_BACK_NS    (UINT64_C(10) * 1000000000)
#define FDB_REFRESH_NS (UINT64_C(1) * 1000000000)

/* An empty table of at most max entries. 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int
fdb_init(struct fdb *t, unsigned max, uint64_t age_ns,
	 struct timer_wheel *wheel);
/* All ports must have been flushed. */
void fdb_deinit(struct fdb *t);

/* Prepares the fields of p that belong to the table. */
void fdb_port_init(struct port *p);
/* The port m is behind, or NULL. */
struct port *fdb_find(const struct fdb *t, mac m);
/* m was seen behind p now; the port it was seen behind before is stored at
 * fromp when the result is FDB_MOVED or FDB_MOVED_BACK. */
enum fdb_result fdb_learn(struct fdb *t, mac m, struct port *p,
			  uint64_t now_ns, struct port **fromp);
/* m is p's, wherever it was seen: no move, and none it can come back from. */
void fdb_put(struct fdb *t, mac m, struct port *p, uint64_t now_ns);
/* The address p used last is in use, though no frame of it was seen.  If p has
 * none any more, because another port used it meanwhile, it comes back. */
void fdb_touch(struct fdb *t, struct port *p, uint64_t now_ns);
/* m was seen behind p by another worker, which knew it to be there: nothing is
 * learned if it no longer is. */
void fdb_used(struct fdb *t, mac m, struct port *p, uint64_t now_ns);
/* Forgets all addresses behind p. */
void fdb_flush(struct fdb *t, struct port *p);

typedef void (*fdb_fn)(void *arg, mac m, struct port *p, uint64_t seen_ns);
/* Calls fn for each entry, longest unseen first; fn may not change t. */
void fdb_each(const struct fdb *t, fdb_fn fn, void *arg);

/* The same for some: those of the chains from number `from` on, as many as have
 * max entries together.  Where the next ones begin; 0: there are no more.  Who
 * is there all the while is told of once. */
unsigned fdb_walk(const struct fdb *t, unsigned from, unsigned max, fdb_fn fn,
		  void *arg);

/* Every entry has a place, 0 to max - 1, for its life.  From now on fn is
 * called when another address, or none, is in a place, or it moves to another
 * port; and for each one that is there already.  0 or -ENOMEM. */
__attribute__((warn_unused_result)) int fdb_watch(struct fdb *t, fdb_slot_fn fn,
						  void *arg);
void fdb_unwatch(struct fdb *t);
/* While it is watched: the port *mp is behind in that place; NULL: it is
 * empty. */
struct port *fdb_slot(const struct fdb *t, unsigned slot, mac *mp);

#endif
