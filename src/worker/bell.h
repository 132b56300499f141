/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's door bell: others ring it when they have left something in memory
 * for it, and that costs a system call only if it sleeps.
 *
 *	who leaves something		the worker
 *
 *	stores it	(seq_cst)	bell_sleeps()	(stores, seq_cst)
 *	bell_ring()	(loads, s.c.)	looks again	(loads, seq_cst)
 *					sleeps on fd
 *					bell_woke()
 *
 * All four are in one order that both agree on.  So if the worker's look comes
 * before the store and finds nothing, the ring comes after bell_sleeps() and
 * sees it: nobody sleeps while something lies there.
 */
#ifndef WORKER_BELL_H
#define WORKER_BELL_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/mem.h"

struct bell {
	/* the worker: rw; others: ro, and cleared by who rings */
	_Alignas(MEM_APART) _Atomic uint32_t is_asleep;
	/* owned eventfd; edge-triggered in the worker's loop and never read:
	 * each ring is an edge */
	_Alignas(MEM_APART) int fd;
};

/* 0 or a negative errno. */
MUST_USE int bell_init(struct bell *b);
/* Nobody rings any more.  A zeroed bell whose fd is -1 is accepted. */
void bell_deinit(struct bell *b);

/* The worker is about to sleep. */
static inline void bell_sleeps(struct bell *b)
{
	atomic_store(&b->is_asleep, 1);
}

/* It does not, or not any more: rings would be for nothing.  Written only if
 * it is news, since the others have the line in their caches. */
static inline void bell_woke(struct bell *b)
{
	if (atomic_load_explicit(&b->is_asleep, memory_order_relaxed))
		atomic_store_explicit(&b->is_asleep, 0, memory_order_relaxed);
}

/* Wakes it if it sleeps.  Any thread. */
void bell_ring(struct bell *b);

#endif
