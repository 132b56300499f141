/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The directory of flows; see buckets.h.  Called by every worker for what it
 * cannot find among its own flows.
 *
 * A claim loads what the last owner stored when it freed the bucket (acquire,
 * release): the sockets it had for those flows are closed by then.
 */
#include "nat/buckets.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nat/env.h"

struct buckets {
	/* never written again */
	struct hash_key key;
	/* any worker: rw; 0: free, else the owner's number + 1 */
	_Alignas(64) _Atomic uint8_t owner[BUCKETS_N];
};

_Static_assert((int)BUCKETS_N >= (int)NAT_FLOWS_MAX, "a bucket for each flow");

int buckets_new(struct buckets **bp)
{
	struct buckets *b = aligned_alloc(_Alignof(struct buckets), sizeof(*b));

	if (!b)
		return -ENOMEM;
	memset(b, 0, sizeof(*b));
	b->key = hash_key_new();
	*bp = b;
	return 0;
}

struct buckets *buckets_free(struct buckets *b)
{
	free(b);
	return NULL;
}

uint32_t buckets_of(const struct buckets *b, uint8_t proto,
		    const struct endpoint *x, const struct endpoint *y)
{
	uint8_t bytes[2 * ENDPOINT_BYTES + 1], *p = bytes;
	uint8_t second[ENDPOINT_BYTES];

	p = endpoint_put(p, x);
	endpoint_put(second, y);
	memcpy(p, second, sizeof(second));
	/* The greater one goes last. */
	if (memcmp(bytes, second, sizeof(second)) > 0) {
		memcpy(p, bytes, sizeof(second));
		memcpy(bytes, second, sizeof(second));
	}
	bytes[2 * ENDPOINT_BYTES] = proto;
	return (uint32_t)hash_bytes(&b->key, bytes, sizeof(bytes)) &
	       (BUCKETS_N - 1);
}

uint32_t buckets_fragment(const struct buckets *b, uint8_t proto,
			  const addr *source, const addr *destination,
			  uint32_t id)
{
	uint8_t bytes[2 * sizeof(addr) + 1 + sizeof(id)], *p = bytes;

	memcpy(p, source->b, sizeof(source->b));
	p += sizeof(source->b);
	memcpy(p, destination->b, sizeof(destination->b));
	p += sizeof(destination->b);
	/* Of IPv6 it may differ between one's fragments: RFC 8200 4.5. */
	*p++ = addr_is_v4(source) ? proto : 0;
	memcpy(p, &id, sizeof(id));
	return (uint32_t)hash_bytes(&b->key, bytes, sizeof(bytes));
}

bool buckets_owner(const struct buckets *b, uint32_t bucket, unsigned *workerp)
{
	uint8_t owner =
		atomic_load_explicit(&b->owner[bucket], memory_order_relaxed);

	if (!owner)
		return false;
	*workerp = owner - 1u;
	return true;
}

int bucket_holds_init(struct bucket_holds *h, struct buckets *b, unsigned me)
{
	assert(me < BUCKETS_WORKERS);
	*h = (struct bucket_holds){.b = b, .me = (uint8_t)me};
	h->n = calloc(BUCKETS_N, sizeof(*h->n));
	return h->n ? 0 : -ENOMEM;
}

static void free_bucket(struct bucket_holds *h, uint32_t bucket)
{
	atomic_store_explicit(&h->b->owner[bucket], 0, memory_order_release);
}

void bucket_holds_deinit(struct bucket_holds *h)
{
	for (uint32_t i = 0; h->n && i < BUCKETS_N; i++) {
		if (h->n[i])
			free_bucket(h, i);
	}
	free(h->n);
	*h = BUCKET_HOLDS_NULL;
}

bool bucket_hold(struct bucket_holds *h, uint32_t bucket, unsigned *ownerp)
{
	uint8_t owner = 0;

	if (h->n[bucket] == 0 &&
	    !atomic_compare_exchange_strong_explicit(
		    &h->b->owner[bucket], &owner, (uint8_t)(h->me + 1u),
		    memory_order_acq_rel, memory_order_relaxed)) {
		*ownerp = owner - 1u;
		return false;
	}
	h->n[bucket]++;
	return true;
}

void bucket_release(struct bucket_holds *h, uint32_t bucket)
{
	assert(h->n[bucket] > 0);
	if (--h->n[bucket] == 0)
		free_bucket(h, bucket);
}
