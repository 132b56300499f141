/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The timer wheel; see timer.h.  Level l has 64 slots of 64^l ticks.  A timer
 * sits in the lowest level whose slots still tell its tick from the current
 * one; when the current tick enters a slot of a higher level, that slot's
 * timers are placed again, one level or more further down.
 */
#include "base/timer.h"

enum {
	SLOT_MASK = TIMER_SLOTS - 1,
	ALL_BITS = TIMER_LEVELS * TIMER_LEVEL_BITS,
};

void timer_wheel_init(struct timer_wheel *w, uint64_t now_ns)
{
	for (unsigned l = 0; l < TIMER_LEVELS; l++) {
		for (unsigned s = 0; s < TIMER_SLOTS; s++)
			list_init(&w->slot[l][s]);
		w->used[l] = 0;
	}
	w->tick = now_ns >> TIMER_TICK_SHIFT;
	w->n_armed = 0;
}

void timer_init(struct timer *t, timer_fn fn)
{
	list_init(&t->link);
	t->deadline_ns = 0;
	t->fn = fn;
}

/* The tick at which t is due: never before its deadline. */
static uint64_t due_tick(const struct timer *t)
{
	const uint64_t part = (UINT64_C(1) << TIMER_TICK_SHIFT) - 1;
	uint64_t tick = t->deadline_ns >> TIMER_TICK_SHIFT;

	return tick + ((t->deadline_ns & part) != 0);
}

static void place(struct timer_wheel *w, struct timer *t)
{
	uint64_t tick = due_tick(t);
	uint64_t diff;
	unsigned level = 0, slot;

	if (tick < w->tick)
		tick = w->tick;
	if (tick - w->tick >= UINT64_C(1) << ALL_BITS)
		tick = w->tick + (UINT64_C(1) << ALL_BITS) - 1;
	diff = tick ^ w->tick;
	while (level < TIMER_LEVELS - 1 &&
	       diff >> ((level + 1) * TIMER_LEVEL_BITS))
		level++;
	slot = (unsigned)(tick >> (level * TIMER_LEVEL_BITS)) & SLOT_MASK;
	list_add_tail(&w->slot[level][slot], &t->link);
	w->used[level] |= UINT64_C(1) << slot;
}

void timer_arm(struct timer_wheel *w, struct timer *t, uint64_t deadline_ns)
{
	timer_disarm(w, t);
	t->deadline_ns = deadline_ns;
	place(w, t);
	w->n_armed++;
}

void timer_disarm(struct timer_wheel *w, struct timer *t)
{
	if (!timer_is_armed(t))
		return;
	list_del(&t->link); /* used[] is a hint: cleared when looked at */
	w->n_armed--;
}

/* First slot >= from with its used bit set, or TIMER_SLOTS. */
static unsigned next_slot(uint64_t used, unsigned from)
{
	uint64_t rest = from < TIMER_SLOTS ? used >> from : 0;

	if (!rest)
		return TIMER_SLOTS;
	return from + (unsigned)__builtin_ctzll(rest);
}

/* The next tick at which something fires or moves down; false if none. */
static bool next_tick(const struct timer_wheel *w, uint64_t *tickp)
{
	for (unsigned l = 0; l < TIMER_LEVELS; l++) {
		unsigned shift = l * TIMER_LEVEL_BITS;
		unsigned here = (unsigned)(w->tick >> shift) & SLOT_MASK;
		/* Above level 0 the current slot has been placed again. */
		unsigned slot = next_slot(w->used[l], l ? here + 1 : here);

		if (slot < TIMER_SLOTS) {
			uint64_t base = w->tick >> shift >> TIMER_LEVEL_BITS;

			*tickp = (base << TIMER_LEVEL_BITS | slot) << shift;
			return true;
		}
	}
	/* Ticks wrap past the top level's last slot. */
	if (w->used[TIMER_LEVELS - 1]) {
		*tickp = ((w->tick >> ALL_BITS) + 1) << ALL_BITS;
		return true;
	}
	return false;
}

uint64_t timer_wheel_next(const struct timer_wheel *w)
{
	uint64_t tick;

	if (!w->n_armed || !next_tick(w, &tick))
		return UINT64_MAX;
	return tick << TIMER_TICK_SHIFT;
}

/* Moves to tick, placing again what its slots above level 0 hold. */
static void enter_tick(struct timer_wheel *w, uint64_t tick)
{
	uint64_t changed = w->tick ^ tick;

	w->tick = tick;
	for (unsigned l = TIMER_LEVELS - 1; l > 0; l--) {
		unsigned shift = l * TIMER_LEVEL_BITS;
		unsigned slot = (unsigned)(tick >> shift) & SLOT_MASK;
		struct list *head = &w->slot[l][slot];
		struct list moving;

		if (!(changed >> shift))
			continue;
		list_init(&moving);
		list_splice(&moving, head);
		w->used[l] &= ~(UINT64_C(1) << slot);
		while (!list_empty(&moving)) {
			struct timer *t = container_of(moving.next,
						       struct timer, link);

			list_del(&t->link);
			place(w, t);
		}
	}
}

static void fire_tick(struct timer_wheel *w, uint64_t now_ns)
{
	unsigned slot = (unsigned)w->tick & SLOT_MASK;
	struct list due;

	list_init(&due);
	list_splice(&due, &w->slot[0][slot]);
	w->used[0] &= ~(UINT64_C(1) << slot);
	/* This tick is over: what is armed now for the past is for the next. */
	enter_tick(w, w->tick + 1);
	while (!list_empty(&due)) {
		struct timer *t = container_of(due.next, struct timer, link);

		list_del(&t->link);
		w->n_armed--;
		t->fn(t, now_ns);
	}
}

void timer_wheel_run(struct timer_wheel *w, uint64_t now_ns)
{
	uint64_t last = now_ns >> TIMER_TICK_SHIFT;
	uint64_t tick;

	while (w->tick <= last) {
		if (!w->n_armed || !next_tick(w, &tick) || tick > last) {
			enter_tick(w, last + 1);
			return;
		}
		if (tick != w->tick)
			enter_tick(w, tick);
		fire_tick(w, now_ns);
	}
}
