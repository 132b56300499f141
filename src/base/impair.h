/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a cable does to the frames that pass it in one direction, as somebody
 * asked for it (vmlan link).  Values only; all zero is a cable as it should be.
 */
#ifndef BASE_IMPAIR_H
#define BASE_IMPAIR_H

#include <stdbool.h>
#include <stdint.h>

enum {
	IMPAIR_ALL = 1000000000, /* of so many frames each one */
	IMPAIR_BURST_MIN = 2 * 1514, /* bytes, where none were asked for */
};

#define IMPAIR_DELAY_MAX_NS (UINT64_C(60) * 1000000000)
#define IMPAIR_RATE_MIN	    UINT64_C(1000)
#define IMPAIR_RATE_MAX	    UINT64_C(1000000000000)
#define IMPAIR_BURST_MAX    UINT64_C(1000000000)

struct impair {
	uint64_t delay_ns;
	uint64_t jitter_ns;  /* <= delay_ns: that much more or less */
	uint32_t loss, corrupt, duplicate, reorder; /* of IMPAIR_ALL */
	uint64_t rate;	     /* bits per second of the frames' bytes, from the
			      * Ethernet header on, no FCS; 0: any */
	uint64_t burst;	     /* bytes that pass at once; 0: as by default */
};

/* The two directions of a machine's cable. */
enum impair_way {
	IMPAIR_TO,   /* what the machine gets */
	IMPAIR_FROM, /* what it sends */
	IMPAIR_WAYS
};

struct impair_set {
	struct impair way[IMPAIR_WAYS];
	uint64_t seed; /* of all that is left to chance */
};

static inline bool impair_is_none(const struct impair *i)
{
	return !i->delay_ns && !i->loss && !i->corrupt && !i->duplicate &&
	       !i->reorder && !i->rate;
}

static inline bool impair_set_is_none(const struct impair_set *s)
{
	return impair_is_none(&s->way[IMPAIR_TO]) &&
	       impair_is_none(&s->way[IMPAIR_FROM]);
}

static inline bool impair_is_same(const struct impair *a,
				  const struct impair *b)
{
	return a->delay_ns == b->delay_ns && a->jitter_ns == b->jitter_ns &&
	       a->loss == b->loss && a->corrupt == b->corrupt &&
	       a->duplicate == b->duplicate && a->reorder == b->reorder &&
	       a->rate == b->rate && a->burst == b->burst;
}

static inline bool impair_set_is_same(const struct impair_set *a,
				      const struct impair_set *b)
{
	return a->seed == b->seed &&
	       impair_is_same(&a->way[IMPAIR_TO], &b->way[IMPAIR_TO]) &&
	       impair_is_same(&a->way[IMPAIR_FROM], &b->way[IMPAIR_FROM]);
}

/* Its values are those that a cable counts with. */
static inline bool impair_is_valid(const struct impair *i)
{
	return i->delay_ns <= IMPAIR_DELAY_MAX_NS &&
	       i->jitter_ns <= i->delay_ns && i->loss <= IMPAIR_ALL &&
	       i->corrupt <= IMPAIR_ALL && i->duplicate <= IMPAIR_ALL &&
	       i->reorder <= IMPAIR_ALL && i->burst <= IMPAIR_BURST_MAX &&
	       (!i->rate || (i->rate >= IMPAIR_RATE_MIN &&
			     i->rate <= IMPAIR_RATE_MAX));
}

static inline bool impair_set_is_valid(const struct impair_set *s)
{
	return impair_is_valid(&s->way[IMPAIR_TO]) &&
	       impair_is_valid(&s->way[IMPAIR_FROM]);
}

/* Bytes that pass at once where there is a rate: what was asked for, else 10
 * ms of it. */
static inline uint64_t impair_burst(const struct impair *i)
{
	uint64_t n = i->rate / 800;

	if (i->burst)
		return i->burst;
	return n < IMPAIR_BURST_MIN ? IMPAIR_BURST_MIN : n;
}

#endif
