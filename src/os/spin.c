/* SPDX-License-Identifier: BSD-3-Clause */
/* When to look before sleeping; see spin.h. */
#include "os/spin.h"

void spin_init(struct spin *s, bool is_off)
{
	*s = (struct spin){.is_off = is_off};
}

static void lose(struct spin *s, unsigned n)
{
	s->credit -= s->credit < n ? s->credit : n;
	if (s->credit == 0)
		s->is_on = false;
}

static void win(struct spin *s)
{
	if (s->credit < SPIN_CREDIT_MAX)
		s->credit++;
	if (s->credit >= SPIN_CREDIT_ON && !s->is_off)
		s->is_on = true;
}

void spin_failed(struct spin *s)
{
	lose(s, SPIN_FAILURE);
}

void spin_round(struct spin *s, const struct spin_round *r)
{
	unsigned before = s->last;

	if (!r->sides)
		return;
	s->last = (uint8_t)r->sides;
	if (r->moved > SPIN_MOVED || r->waited_ns > SPIN_QUICK_NS)
		lose(s, SPIN_OTHER);
	else if (r->sides + before == (SPIN_NEAR | SPIN_FAR))
		win(s);
	else /* an ACK on its own, say */
		lose(s, 1);
}
