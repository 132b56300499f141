/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A ring from one worker to another; see mail.h.
 *
 * Positions count bytes since the beginning and never go back; position modulo
 * the ring's length is the place.  A record lies in one piece: the mapping is
 * longer than the ring by the longest one, so that the last of a lap may reach
 * beyond.  While it is there nothing else can: what the next lap ends with has
 * room only when the reader has passed where this one begins, so all of it.
 *
 * To begin anew the writer skips the rest of a lap.  It may when the reader has
 * given everything back: then nobody reads skip_from and skip_to, until the
 * next head is out.
 * #syscalls: mmap munmap
 */
#include "worker/mail.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	RECORD_ALIGN = 32,
	SENDERS = 64, /* places; those that share one share its part */
};

/* Ahead of each message; its words follow, then the frame's bytes. */
struct record {
	uint32_t frame_len;
	uint32_t id[MAIL_IDS];
	struct frame_offload off;
	uint16_t kind;
	uint8_t n_words;
};

_Static_assert(sizeof(struct record) == RECORD_ALIGN, "no byte is wasted");

enum {
	RECORD_MAX = sizeof(struct record) + 8 * MAIL_WORDS + FRAME_MAX +
		     RECORD_ALIGN,
};

/* What a sender has put into the last quarter. */
struct mail_share {
	uint32_t crowd; /* in this one */
	uint32_t bytes;
};

struct mail {
	/* never written again */
	uint8_t *ring; /* owned mapping of len + RECORD_MAX */
	uint64_t len;  /* a power of two */
	struct mail_config c;

	/* the writer's own */
	_Alignas(MEM_APART) uint64_t at; /* the next record's position */
	uint64_t published;
	uint64_t floor; /* all before it is free, whatever tail says */
	uint64_t tail_seen;
	struct mail *next_unpublished;
	struct mail *next_starved;
	bool is_unpublished; /* in the box's lists */
	bool is_starved;
	bool is_crowded; /* more than 3/4 was used when last looked */
	uint32_t crowd;  /* how often that began */
	struct mail_share share[SENDERS];

	/* writer: rw, reader: ro */
	_Alignas(MEM_APART) _Atomic uint64_t head;
	uint64_t skip_from; /* a reader that is there .. */
	uint64_t skip_to;   /* .. goes on here; behind head's order */
	_Atomic uint32_t wants_room;

	/* the reader's own */
	_Alignas(MEM_APART) uint64_t pos; /* of the next record */
	uint64_t head_seen;
	uint64_t released;

	/* reader: rw, writer: ro */
	_Alignas(MEM_APART) _Atomic uint64_t tail;
};

int mail_new(const struct mail_config *c, struct mail **mp)
{
	struct mail *m = aligned_alloc(_Alignof(struct mail), sizeof(*m));
	void *ring;

	if (!m)
		return -ENOMEM;
	*m = (struct mail){.c = *c, .len = c->bytes ? c->bytes : MAIL_BYTES};
	assert(m->len >= MAIL_BYTES_MIN && !(m->len & (m->len - 1)));
	ring = mmap(NULL, m->len + RECORD_MAX, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ring == MAP_FAILED) {
		free(m);
		return -ENOMEM;
	}
	m->ring = ring;
	*mp = m;
	return 0;
}

struct mail *mail_free(struct mail *m)
{
	if (!m)
		return NULL;
	munmap(m->ring, m->len + RECORD_MAX);
	free(m);
	return NULL;
}

unsigned mail_from(const struct mail *m)
{
	return m->c.from;
}

unsigned mail_to(const struct mail *m)
{
	return m->c.to;
}

static struct record *record_at(const struct mail *m, uint64_t pos)
{
	return (struct record *)(void *)(m->ring + (pos & (m->len - 1)));
}

/* Bytes of a record with these, all in all. */
static uint64_t record_len(unsigned n_words, uint32_t frame_len)
{
	uint64_t len = sizeof(struct record) + 8 * n_words + frame_len;

	return (len + RECORD_ALIGN - 1) & ~(uint64_t)(RECORD_ALIGN - 1);
}

/* ---- the writer ---- */

/* Bytes that the reader has not given back, as far as is known. */
static uint64_t used(const struct mail *m)
{
	uint64_t from = m->tail_seen > m->floor ? m->tail_seen : m->floor;

	return m->at - from;
}

/* Looks how far the reader is; begins anew if it has everything. */
static void look_at_tail(struct mail *m)
{
	m->tail_seen = atomic_load_explicit(&m->tail, memory_order_acquire);
	if (m->tail_seen != m->at || !(m->at & (m->len - 1)))
		return;
	/* What is published is read and given back, and nothing is unpublished:
	 * tail never passes head. */
	m->skip_from = m->at;
	m->at = (m->at | (m->len - 1)) + 1; /* the next lap */
	m->skip_to = m->at;
	m->floor = m->at;
	m->published = m->at;
}

static void publish(struct mail *m)
{
	m->published = m->at;
	atomic_store(&m->head, m->at);
	bell_ring(m->c.reader);
}

static bool has_room(const struct mail *m, uint64_t len)
{
	return len <= m->len - used(m);
}

/* Room for a record, and `spare` bytes are left behind it; NULL: there is
 * none. */
static struct record *reserve(struct mail *m, uint64_t len, uint64_t spare)
{
	/* The first of a round. */
	if (m->at == m->published)
		look_at_tail(m);
	if (!has_room(m, len + spare)) {
		m->tail_seen =
			atomic_load_explicit(&m->tail, memory_order_acquire);
		if (!has_room(m, len + spare))
			return NULL;
	}
	return record_at(m, m->at);
}

/* True if who may have len bytes of the room that there is. */
static bool may_have(struct mail *m, uint32_t who, uint64_t len)
{
	struct mail_share *s = &m->share[who % SENDERS];

	if (used(m) + len > m->len / 4 * 3)
		m->tail_seen =
			atomic_load_explicit(&m->tail, memory_order_acquire);
	if (used(m) + len <= m->len / 4 * 3) {
		m->is_crowded = false;
		return true;
	}
	m->crowd += !m->is_crowded;
	m->is_crowded = true;
	if (!who)
		return true;
	if (s->crowd != m->crowd)
		*s = (struct mail_share){.crowd = m->crowd};
	if (s->bytes + len > m->len / MAIL_SENDER_PART)
		return false;
	s->bytes += (uint32_t)len;
	return true;
}

/* The record is written. */
static void commit(struct mail *m, uint64_t len)
{
	m->at += len;
	if (!m->is_unpublished) {
		m->is_unpublished = true;
		m->next_unpublished = m->c.box->unpublished;
		m->c.box->unpublished = m;
	}
	if (m->at - m->published >= m->len / 4)
		publish(m);
}

static void write_record(struct record *r, const struct mail_cell *c,
			 const struct frame *f)
{
	uint8_t *words = (uint8_t *)(r + 1);

	assert(c->n_words <= MAIL_WORDS);
	r->kind = c->kind;
	r->n_words = c->n_words;
	memcpy(r->id, c->id, sizeof(r->id));
	memcpy(words, c->word, 8 * (size_t)c->n_words);
	r->frame_len = f ? f->len : 0;
	if (!f)
		return;
	r->off = f->off;
	/* It has f->len bytes, as every frame on a lan. */
	(void)frame_copy(f, 0, f->len, words + 8 * (size_t)c->n_words);
}

uint64_t mail_frames(struct mail *m, const struct mail_cell *c,
		     const struct batch *b, uint64_t mask)
{
	uint64_t went = 0;

	for (; mask; mask &= mask - 1) {
		const struct frame *f = &b->f[__builtin_ctzll(mask)];
		uint64_t len = record_len(c->n_words, f->len);
		struct record *r;

		assert(f->len <= FRAME_MAX);
		r = reserve(m, len, m->len / MAIL_NEWS_PART);
		if (!r || !may_have(m, c->who, len)) {
			drop(m->c.drops, DROP_MAIL_FULL);
			continue;
		}
		write_record(r, c, f);
		commit(m, len);
		went |= mask & -mask;
	}
	return went;
}

bool mail_post(struct mail *m, const struct mail_cell *c)
{
	uint64_t len = record_len(c->n_words, 0);
	struct record *r = reserve(m, len, 0);

	if (r) {
		write_record(r, c, NULL);
		commit(m, len);
		return true;
	}
	if (!m->is_starved) {
		m->is_starved = true;
		m->next_starved = m->c.box->starved;
		m->c.box->starved = m;
		/* Before the last look that outbox_has_room() takes. */
		atomic_store(&m->wants_room, 1);
	}
	return false;
}

void outbox_publish(struct outbox *o)
{
	struct mail *m;

	while ((m = o->unpublished)) {
		o->unpublished = m->next_unpublished;
		m->is_unpublished = false;
		if (m->at != m->published)
			publish(m);
	}
}

static bool is_roomy(const struct mail *m, memory_order order)
{
	uint64_t tail = atomic_load_explicit(&m->tail, order);

	if (tail < m->floor)
		tail = m->floor;
	return m->at - tail <= m->len / 2;
}

bool outbox_has_room(const struct outbox *o, bool is_last)
{
	memory_order order =
		is_last ? memory_order_seq_cst : memory_order_relaxed;

	for (const struct mail *m = o->starved; m; m = m->next_starved) {
		if (is_roomy(m, order))
			return true;
	}
	return false;
}

struct mail *outbox_roomy(struct outbox *o)
{
	for (struct mail **at = &o->starved; *at; at = &(*at)->next_starved) {
		struct mail *m = *at;

		if (!is_roomy(m, memory_order_acquire))
			continue;
		*at = m->next_starved;
		m->is_starved = false;
		atomic_store_explicit(&m->wants_room, 0, memory_order_relaxed);
		return m;
	}
	return NULL;
}

/* ---- the reader ---- */

bool mail_is_waiting(const struct mail *m, bool is_last)
{
	/* m->pos is ours: what was taken and not yet released is not waiting.
	 * Behind a skip there is always a record. */
	return m->pos !=
	       (is_last ? atomic_load(&m->head)
			: atomic_load_explicit(&m->head, memory_order_relaxed));
}

bool mail_next(struct mail *m, struct mail_cell *c, struct frame *f)
{
	const struct record *r;
	const uint8_t *words;

	if (m->pos == m->head_seen) {
		m->head_seen =
			atomic_load_explicit(&m->head, memory_order_acquire);
		if (m->pos == m->head_seen)
			return false;
		if (m->pos == m->skip_from)
			m->pos = m->skip_to;
	}
	r = record_at(m, m->pos);
	words = (const uint8_t *)(r + 1);
	*c = (struct mail_cell){.kind = r->kind, .n_words = r->n_words};
	memcpy(c->id, r->id, sizeof(c->id));
	memcpy(c->word, words, 8 * (size_t)r->n_words);
	*f = frame_flat(words + 8 * (size_t)r->n_words, r->frame_len);
	f->off = r->off;
	m->pos += record_len(r->n_words, r->frame_len);
	return true;
}

void mail_release(struct mail *m)
{
	if (m->released == m->pos)
		return;
	m->released = m->pos;
	atomic_store(&m->tail, m->pos);
	if (atomic_load(&m->wants_room))
		bell_ring(m->c.writer);
}
