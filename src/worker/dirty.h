/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which of so many places changed and is to be told of: each once, that which
 * has waited longest first.  However often a place changes meanwhile, it costs
 * no more.  One thread.
 */
#ifndef WORKER_DIRTY_H
#define WORKER_DIRTY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

struct dirty {
	uint32_t *ring; /* owned, max */
	bool *is_in;    /* owned, max */
	unsigned max, first, n;
};

/* Places 0 to max - 1, none of them in.  0 or -ENOMEM. */
MUST_USE int dirty_init(struct dirty *d, unsigned max);
/* A zeroed one is accepted. */
void dirty_deinit(struct dirty *d);
void dirty_put(struct dirty *d, unsigned i);
/* The next one, which stays in; false: there is none. */
bool dirty_first(const struct dirty *d, unsigned *ip);
/* It is told. */
void dirty_pop(struct dirty *d);

#endif
