/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory for bytes that wait: chunks from one slab for all flows, found by
 * sequence number.  Called by tcp_up.c and tcp_source.c; one worker's thread.
 */
#include <assert.h>

#include "nat/tcp_priv.h"

static inline unsigned slot_of(uint32_t seq)
{
	return seq >> TCP_CHUNK_SHIFT & (TCP_CHUNKS - 1);
}

/* Bytes from seq to the end of its chunk. */
static inline uint32_t chunk_left(uint32_t seq)
{
	return TCP_CHUNK - (seq & (TCP_CHUNK - 1));
}

/* One that never acknowledges leaves some for others. */
static bool chunk_new(struct tcp *t, struct tcp_store *s, unsigned slot)
{
	struct quota *q = &t->share->chunks[s->use];
	unsigned n_free = quota_free(q, t->max_chunks[s->use]);

	if (!quota_has_room(q, s->payer, n_free))
		return false;
	s->chunk[slot] = slab_alloc_raw(&t->chunk_slab);
	if (!s->chunk[slot])
		return false;
	s->n_chunks++;
	quota_take(q, s->payer);
	return true;
}

/* Gives back what a crowd has used, unless the next one is there already. */
void tcp_store_trim(struct timer *timer, uint64_t now_ns)
{
	struct tcp *t = container_of(timer, struct tcp, trim);

	(void)now_ns;
	if (t->chunk_slab.n_used == 0)
		slab_trim(&t->chunk_slab);
}

static void chunk_free(struct tcp *t, struct tcp_store *s, unsigned slot)
{
	if (!s->chunk[slot])
		return;
	slab_free(&t->chunk_slab, s->chunk[slot]);
	s->chunk[slot] = NULL;
	s->n_chunks--;
	quota_give(&t->share->chunks[s->use], s->payer);
	if (t->chunk_slab.n_used == 0 &&
	    t->chunk_slab.n_fresh > TCP_CHUNKS_KEPT &&
	    !timer_is_armed(&t->trim))
		timer_arm(t->env->wheel, &t->trim, tcp_now(t) + TCP_TRIM_NS);
}

uint32_t tcp_store_reserve(struct tcp_flow *f, struct tcp_store **sp,
			   enum tcp_pool_use use, uint32_t from, uint32_t len)
{
	struct tcp *t = f->tcp;
	struct tcp_store *s = *sp;
	uint32_t done = 0;

	if (!s) {
		s = slab_alloc(&t->store_slab);
		if (!s)
			return 0;
		s->use = (uint8_t)use;
		s->payer = f->flow.payer;
		*sp = s;
	}
	while (done < len) {
		unsigned slot = slot_of(from + done);

		if (!s->chunk[slot] && !chunk_new(t, s, slot))
			break;
		done += chunk_left(from + done);
	}
	if (s->n_chunks == 0)
		tcp_store_free(t, sp);
	return tcp_min(done, len);
}

unsigned tcp_store_iov(const struct tcp_store *s, uint32_t seq,
		       uint32_t *lenp, struct iovec *iov, unsigned max)
{
	uint32_t left = *lenp;
	unsigned n = 0;

	while (left > 0 && n < max) {
		uint8_t *chunk = s->chunk[slot_of(seq)];
		uint32_t now = tcp_min(chunk_left(seq), left);

		assert(chunk);
		iov[n].iov_base = chunk + (seq & (TCP_CHUNK - 1));
		iov[n].iov_len = now;
		n++;
		seq += now;
		left -= now;
	}
	*lenp -= left;
	return n;
}

uint32_t tcp_store_write(struct tcp_flow *f, uint32_t seq,
			 const struct iovec *iov, uint32_t skip, uint32_t len)
{
	uint32_t left;

	len = tcp_store_reserve(f, &f->up, TCP_USE_UP, seq, len);
	for (left = len; left > 0; iov++) {
		const uint8_t *from = iov->iov_base;
		uint32_t have = (uint32_t)iov->iov_len;

		if (skip >= have) {
			skip -= have;
			continue;
		}
		from += skip;
		have = tcp_min(have - skip, left);
		skip = 0;
		left -= have;
		while (have > 0) {
			uint32_t now = tcp_min(chunk_left(seq), have);

			memcpy(f->up->chunk[slot_of(seq)] +
				       (seq & (TCP_CHUNK - 1)),
			       from, now);
			seq += now;
			from += now;
			have -= now;
		}
	}
	return len;
}

void tcp_store_release(struct tcp *t, struct tcp_store *s, uint32_t from,
		       uint32_t to)
{
	if (!s)
		return;
	while (from >> TCP_CHUNK_SHIFT != to >> TCP_CHUNK_SHIFT) {
		chunk_free(t, s, slot_of(from));
		from += chunk_left(from);
	}
}

void tcp_store_free(struct tcp *t, struct tcp_store **sp)
{
	struct tcp_store *s = *sp;

	if (!s)
		return;
	for (unsigned i = 0; s->n_chunks > 0 && i < TCP_CHUNKS; i++)
		chunk_free(t, s, i);
	slab_free(&t->store_slab, s);
	*sp = NULL;
}

bool tcp_range_add(struct tcp_range *r, unsigned *np, unsigned max,
		   struct tcp_range add)
{
	unsigned n = *np;
	unsigned first = 0, last;

	while (first < n && seq_lt(r[first].to, add.from))
		first++;
	last = first; /* one past the ranges that add touches */
	while (last < n && seq_leq(r[last].from, add.to)) {
		if (seq_lt(r[last].from, add.from))
			add.from = r[last].from;
		if (seq_gt(r[last].to, add.to))
			add.to = r[last].to;
		last++;
	}
	if (last == first && n == max)
		return false;
	memmove(&r[first + 1], &r[last], (n - last) * sizeof(*r));
	r[first] = add;
	*np = n + 1 - (last - first);
	return true;
}
