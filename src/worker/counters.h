/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an engine's workers count, in memory that the keeper can read at any
 * time: nobody is asked, so nobody is held up. The keeper makes it, and hands
 * it to each engine that it starts, which goes on where the last one was.
 * Behind it is a room in which the engine shows what it is asked for
 * (control/look.h).
 *
 * The engine may write anything there. The keeper believes it no more than that
 * it is a number, and the memory cannot be taken away below it: its length is
 * sealed (os/memfd.h), and to give pages back is no call of the engine's
 * (os/sandbox.c).
 */
#ifndef WORKER_COUNTERS_H
#define WORKER_COUNTERS_H

#include "base/mem.h"
#include "lan/drop.h"

enum {
	COUNTERS_WORKERS = 16, /* of an engine, at most: a slot for each */
	COUNTERS_LINE = 64,   /* bytes: no two workers share a cache line */
	COUNTERS_ROOM = 1 << 16, /* bytes of that room */
};

/* worker: rw, keeper: ro relaxed */
struct counters_slot {
	_Alignas(COUNTERS_LINE) struct drops drops;
};

struct counters {
	int fd; /* owned; -1: not ours to hand out */
	struct counters_slot *slots; /* owned mapping, one for each worker .. */
	void *room; /* .. and in it, behind them: COUNTERS_ROOM bytes */
};

#define COUNTERS_NULL ((struct counters){.fd = -1})

/* The keeper's: makes them, all 0, and maps them to read only. 0 or a negative
 * errno, *c is then untouched. */
MUST_USE int counters_open(struct counters *c);
/* The engine's: maps those of fd, which stays the caller's, to count there. The
 * same. */
MUST_USE int counters_map(int fd, struct counters *c);
/* Of COUNTERS_NULL as well. */
void counters_close(struct counters *c);

/* What all workers have lost for this reason. */
uint64_t counters_drops(const struct counters *c, enum drop_reason why);

#endif
