/* SPDX-License-Identifier: BSD-3-Clause */
/* When to look before sleeping; see spin.h. */
#include "os/spin.h"

#include <stdatomic.h>
#include <stddef.h>

void spin_init(struct spin *s, unsigned cpus)
{
	*s = (struct spin){.most = cpus - 1, .doubt = SPIN_DOUBT_MIN};
}

void spin_share(struct spin *s, struct spin_looks *looks)
{
	s->looks = looks;
}

/* As many connections have come to other loops since as may look at a time. */
static bool is_others_turn(const struct spin *s)
{
	return s->looks && s->opening > 0 &&
	       atomic_load_explicit(&s->looks->opened, memory_order_relaxed) -
			       s->opened >=
		       s->most;
}

bool spin_begin(struct spin *s)
{
	if (is_others_turn(s))
		return false;
	if (s->looks) /* nothing else is told by the number */
		s->look = atomic_fetch_add_explicit(&s->looks->n, 1,
						    memory_order_relaxed);
	return s->most > 0;
}

bool spin_goes_on(const struct spin *s)
{
	return !s->looks ||
	       atomic_load_explicit(&s->looks->n, memory_order_relaxed) -
			       s->look <=
		       s->most;
}

static void stop(struct spin *s)
{
	s->is_on = false;
	s->credit = 0;
}

static void lose(struct spin *s, unsigned n)
{
	s->credit -= s->credit < n ? s->credit : n;
	if (s->credit == 0)
		stop(s);
}

static void win(struct spin *s)
{
	if (s->credit < SPIN_CREDIT_MAX)
		s->credit++;
	if (s->is_on || s->most == 0 || s->wait > 0 ||
	    s->credit < SPIN_CREDIT_ON)
		return;
	s->is_on = true;
	s->trial = SPIN_TRIAL;
	s->mean_ns = SPIN_WORTH_NS;
}

/* A look took ns.  When enough have been seen, are they worth it? */
static void judge(struct spin *s, uint64_t ns)
{
	uint32_t now = ns < SPIN_NS ? (uint32_t)ns : SPIN_NS;

	s->mean_ns = s->mean_ns - s->mean_ns / 16 + now / 16;
	if (s->trial > 0) {
		s->trial--;
		return;
	}
	if (s->mean_ns <= SPIN_WORTH_NS) {
		s->doubt = SPIN_DOUBT_MIN;
		return;
	}
	stop(s);
	s->wait = s->doubt;
	if (s->doubt < SPIN_DOUBT_MAX)
		s->doubt *= 2;
}

void spin_failed(struct spin *s)
{
	lose(s, SPIN_FAILURE);
	if (s->is_on)
		judge(s, SPIN_NS);
}

/* The machine that spoke before the last one does again. */
static bool answers(struct spin *s, const struct talk *t)
{
	const void *last = s->who[0], *before = s->who[1];

	if (!t->who)
		return false;
	s->who[1] = last;
	s->who[0] = t->is_several ? NULL : t->who;
	return s->who[0] && s->who[0] == before && last && last != before;
}

static void note_opening(struct spin *s)
{
	s->opening = SPIN_OPENING;
	if (s->looks)
		s->opened = atomic_fetch_add_explicit(&s->looks->opened, 1,
						      memory_order_relaxed) +
			    1;
}

void spin_round(struct spin *s, const struct spin_round *r)
{
	unsigned before = s->last;
	bool is_answer;

	if (!r->sides)
		return;
	is_answer = answers(s, &r->talk);
	s->last = (uint8_t)r->sides;
	if (s->wait > 0)
		s->wait--;
	if (r->has_looked && s->is_on)
		judge(s, r->waited_ns);
	if (r->is_opening)
		note_opening(s);
	else if (s->opening > 0)
		s->opening--;
	if (r->moved > SPIN_MOVED || r->waited_ns > SPIN_QUICK_NS)
		lose(s, SPIN_OTHER);
	else if (r->sides + before == (SPIN_NEAR | SPIN_FAR))
		win(s);
	else if (r->talk.bytes > SPIN_MOVED)
		lose(s, SPIN_OTHER);
	else if (is_answer && r->sides == SPIN_NEAR)
		win(s);
	else /* an ACK on its own, say */
		lose(s, 1);
}
