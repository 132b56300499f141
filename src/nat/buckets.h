/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The directory of flows: which worker has the flows of a bucket.
 *
 * All flows of one hash are one worker's, so that no two workers touch the
 * same connection.  Any worker that sees a packet, or accepts a connection,
 * asks; a bucket that nobody has is claimed by who asks first.  Its owner
 * counts its flows there in an array of its own and frees the bucket with the
 * last one.  The hash takes both directions of a flow for the same, and has a
 * random key, so that a guest cannot aim for one bucket or worker.
 *
 * There are as many buckets as flows (NAT_FLOWS_MAX): were there fewer, a guest
 * with very many would have nearly all buckets, and what is others' would go by
 * its workers.
 *
 * The directory is one byte for each bucket, which the workers share and seldom
 * write; there is no lock.  An answer other than oneself may be old at once:
 * the packet is sent there, and who gets it asks again.
 *
 *	        hold: compare and swap
 *	  free ------------------------> worker w	count 1
 *	   ^                              |   ^ |
 *	   |   the last release           |   +-+  hold, release: its count
 *	   +------------------------------+
 */
#ifndef NAT_BUCKETS_H
#define NAT_BUCKETS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
	BUCKETS_N = 1 << 18,
	BUCKETS_WORKERS = 254, /* numbers from 0 to this less 1 */
};

/* Shared by the workers. */
struct buckets;

/* One worker's part in it; the worker's own. */
struct bucket_holds {
	struct buckets *b; /* borrowed */
	uint32_t *n;       /* owned, BUCKETS_N: flows it has there */
	uint8_t me;
};

#define BUCKET_HOLDS_NULL ((struct bucket_holds){0})

/* All free, under a new key. 0 or -ENOMEM. */
MUST_USE int buckets_new(struct buckets **bp);
/* Nobody asks any more. */
struct buckets *buckets_free(struct buckets *b);

/* The bucket of the flow between x and y, whichever is named first.  A mapping
 * for any remote end (flow.h) names it as all zero. */
uint32_t buckets_of(const struct buckets *b, uint8_t proto,
		    const struct endpoint *x, const struct endpoint *y);
/* For fragments, of which only the first tells the ports: the same for all of
 * one datagram (RFC 791 3.2, RFC 8200 4.5: there without proto), a number to be
 * divided among the workers. */
uint32_t buckets_fragment(const struct buckets *b, uint8_t proto,
			  const addr *source, const addr *destination,
			  uint32_t id);
/* True with the owner's number in *workerp, or false: it is free.  Any
 * thread. */
MUST_USE bool buckets_owner(const struct buckets *b, uint32_t bucket,
			    unsigned *workerp);

/* Of worker `me`. 0 or -ENOMEM. */
MUST_USE int bucket_holds_init(struct bucket_holds *h, struct buckets *b,
			       unsigned me);
/* Frees the buckets it has; accepts BUCKET_HOLDS_NULL. */
void bucket_holds_deinit(struct bucket_holds *h);
/* One more flow in the bucket, which is or becomes the caller's: true.  False:
 * it is *ownerp's (another's), and nothing was counted.  What another did with
 * its flows there before it freed the bucket is over, and seen. */
MUST_USE bool bucket_hold(struct bucket_holds *h, uint32_t bucket,
			  unsigned *ownerp);
/* That flow is over.  The last frees the bucket. */
void bucket_release(struct bucket_holds *h, uint32_t bucket);

#endif
