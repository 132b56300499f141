/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Timer wheel: any number of timers at O(1) to arm and disarm.
 *
 * Hierarchical, ticks of 2^20 ns (about 1 ms); a timer never fires early and
 * at most one tick late.  Time is a parameter (CLOCK_MONOTONIC nanoseconds in
 * the engine, a virtual clock in tests).  One wheel belongs to one thread.
 */
#ifndef BASE_TIMER_H
#define BASE_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct timer;

/* Called by timer_wheel_run() with the timer disarmed; it may re-arm itself,
 * arm or disarm any other, and free the object that holds it. */
typedef void (*timer_fn)(struct timer *t, uint64_t now_ns);

/* Lives inside its owner's object; the owner disarms it before it dies. */
struct timer {
	struct list link;     /* unlinked while disarmed */
	uint64_t deadline_ns; /* valid while armed */
	timer_fn fn;
};

enum {
	TIMER_TICK_SHIFT = 20,
	TIMER_LEVELS = 6,    /* 6 bits each: 2^36 ticks, about 2 years */
	TIMER_LEVEL_BITS = 6,
	TIMER_SLOTS = 1 << TIMER_LEVEL_BITS,
};

struct timer_wheel {
	struct list slot[TIMER_LEVELS][TIMER_SLOTS];
	uint64_t used[TIMER_LEVELS]; /* bit per slot that may be non-empty */
	uint64_t tick;		     /* all ticks before this one have run */
	unsigned n_armed;
};

/* An empty wheel that starts at now_ns. */
void timer_wheel_init(struct timer_wheel *w, uint64_t now_ns);
/* Prepares a disarmed timer that will call fn. */
void timer_init(struct timer *t, timer_fn fn);
static inline bool timer_is_armed(const struct timer *t)
{
	return !list_empty(&t->link);
}
/* Arms (or re-arms) t; a deadline in the past fires at the next run. */
void timer_arm(struct timer_wheel *w, struct timer *t, uint64_t deadline_ns);
/* Disarms t; nothing happens if it is not armed. */
void timer_disarm(struct timer_wheel *w, struct timer *t);
/* When timer_wheel_run() should be called next (never later than the
 * earliest deadline plus a tick), UINT64_MAX if nothing is armed. */
uint64_t timer_wheel_next(const struct timer_wheel *w);
/* Fires all timers due at now_ns, in order of their ticks. */
void timer_wheel_run(struct timer_wheel *w, uint64_t now_ns);

#endif
