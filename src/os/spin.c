/* SPDX-License-Identifier: BSD-3-Clause */
/* When to look before sleeping; see spin.h. */
#include "os/spin.h"

void spin_init(struct spin *s, bool is_off)
{
	*s = (struct spin){.is_off = is_off, .doubt = SPIN_DOUBT_MIN};
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
	if (s->is_on || s->is_off || s->wait > 0 ||
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

void spin_round(struct spin *s, const struct spin_round *r)
{
	unsigned before = s->last;

	if (!r->sides)
		return;
	s->last = (uint8_t)r->sides;
	if (s->wait > 0)
		s->wait--;
	if (r->has_looked && s->is_on)
		judge(s, r->waited_ns);
	if (r->is_opening)
		s->opening = SPIN_OPENING;
	else if (s->opening > 0)
		s->opening--;
	if (r->moved > SPIN_MOVED || r->waited_ns > SPIN_QUICK_NS)
		lose(s, SPIN_OTHER);
	else if (r->sides + before == (SPIN_NEAR | SPIN_FAR))
		win(s);
	else /* an ACK on its own, say */
		lose(s, 1);
}
