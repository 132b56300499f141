/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The legs of the port kind `macvtap` (tap_priv.h).
 *
 * The kernel gives a macvtap the frames for its own MAC and for groups.  So
 * each MAC that sends by this port gets a macvtap: the first one takes leg 0,
 * for the others the keeper makes more, when they first send.  Until it has
 * (some ms), and beyond TAP_LEGS_MAX machines, their frames leave by leg 0,
 * and only answers to all reach them.  A leg whose machine has been silent
 * longest, and for FAIR_IDLE_NS, is given to a new one: a guest that invents
 * MACs takes nobody's who speaks, and keeps none from who has fewer (fair.h).
 *
 * Groups are heard at leg 0 alone.  In the mode `bridge` the kernel shows what
 * one leg sends to all at the others: what comes from a MAC of ours is ours.
 *
 * One question is with the keeper at a time, asked from the loop.  One that the
 * kernel refused is asked again: the macvtap that an ended engine had for that
 * MAC may live a little longer than it.
 */
#include "netdev/tap_priv.h"

#include <errno.h>
#include <stdlib.h>

#include "base/list.h"

#define LEG_AGAIN_NS	UINT64_C(5000000000) /* an answer that never came */
#define LEG_WAIT_NS	UINT64_C(1000000000) /* after the first refusal .. */
#define LEG_WAIT_MAX_NS UINT64_C(64000000000) /* .. doubled up to this */

enum { AT_SOURCE = 6 };

/* The question; its MAC will ask again. */
static void forget(struct tap_legs *l)
{
	if (l->asked < TAP_LEGS_MAX)
		l->leg[l->asked].state = LEG_FREE;
	l->asked = TAP_LEGS_MAX;
}

static void ask(struct loop_work *w)
{
	struct tap_legs *l = container_of(w, struct tap_legs, ask);
	struct tap *t = l->tap;
	unsigned i = l->asked;

	if (i < TAP_LEGS_MAX &&
	    t->env->want_leg(t->env->arg, &t->part[0]->port, i,
			     l->leg[i].mac,
			     t->part[0]->queue[i].io.fd >= 0) < 0)
		forget(l);
}

struct tap_legs *tap_legs_new(struct tap *t, mac first)
{
	struct tap_legs *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->tap = t;
	l->asked = TAP_LEGS_MAX;
	loop_work_init(&l->ask, ask);
	if (!mac_is_zero(first))
		l->leg[0] = (struct leg){.state = LEG_UP, .mac = first};
	return l;
}

struct tap_legs *tap_legs_free(struct tap_legs *l)
{
	if (l)
		loop_undefer(l->tap->env->loop, &l->ask);
	free(l);
	return NULL;
}

/* TAP_LEGS_MAX: none. */
static unsigned find(const struct tap_legs *l, mac m)
{
	for (unsigned k = 0; k < TAP_LEGS_MAX; k++) {
		unsigned i = (l->last + k) % TAP_LEGS_MAX;

		if (l->leg[i].state != LEG_FREE && mac_eq(l->leg[i].mac, m))
			return i;
	}
	return TAP_LEGS_MAX;
}

/* A free leg, or one that has been silent for long, or of who has most;
 * TAP_LEGS_MAX: all are in use. */
static unsigned choose(const struct tap_legs *l, uint32_t from, uint64_t now)
{
	for (unsigned i = 0; i < TAP_LEGS_MAX; i++) {
		if (l->leg[i].state == LEG_FREE)
			return i;
	}
	return fair_choose(&l->leg[0].place, sizeof(l->leg[0]), TAP_LEGS_MAX,
			   from, now);
}

static bool is_asking(const struct tap_legs *l, uint64_t now)
{
	return l->asked < TAP_LEGS_MAX && now - l->asked_ns < LEG_AGAIN_NS;
}

static void ask_leg(struct tap_legs *l, unsigned i, uint64_t now)
{
	l->asked = i;
	l->asked_ns = now;
	loop_defer(l->tap->env->loop, &l->ask);
}

static void ask_for(struct tap *t, mac m)
{
	struct tap_legs *l = t->legs;
	uint64_t now = *loop_now(t->env->loop);
	uint32_t from = lan_ingress(t->env->lan);
	unsigned i;

	if (mac_is_group(m) || mac_is_zero(m) || is_asking(l, now))
		return;
	forget(l);
	i = choose(l, from, now);
	if (i == TAP_LEGS_MAX)
		return;
	l->leg[i] = (struct leg){
		.state = LEG_ASKED,
		.mac = m,
		.place = {now, from},
	};
	ask_leg(l, i, now);
}

/* For leg i, which is not up. */
static void ask_again(struct tap_legs *l, unsigned i, uint64_t now)
{
	struct leg *leg = &l->leg[i];

	if (now < leg->again_ns || is_asking(l, now))
		return;
	if (l->asked != i)
		forget(l);
	leg->state = LEG_ASKED;
	ask_leg(l, i, now);
}

struct tap_queue *tap_legs_out(struct tap *t, const struct frame *f)
{
	struct tap_legs *l = t->legs;
	mac m = mac_bytes(f->hdr + AT_SOURCE);
	uint64_t now = *loop_now(t->env->loop);
	struct tap_queue *queue = t->part[0]->queue;
	unsigned i = find(l, m);

	if (i == TAP_LEGS_MAX) {
		ask_for(t, m);
		return &queue[0];
	}
	l->last = i;
	l->leg[i].place.used_ns = now;
	if (l->leg[i].state == LEG_UP)
		return &queue[i];
	ask_again(l, i, now);
	return &queue[0];
}

bool tap_legs_in(struct tap *t, const struct tap_queue *q,
		 const struct frame *f)
{
	bool is_group = f->hdr[0] & 1;

	if (is_group && q != &t->part[0]->queue[0])
		return false; /* leg 0 has it, too */
	if (find(t->legs, mac_bytes(f->hdr + AT_SOURCE)) == TAP_LEGS_MAX)
		return true;
	if (is_group)
		drop(t->env->drops, DROP_SELF_ECHO);
	return false;
}

static void leg_refused(struct leg *leg, uint64_t now)
{
	leg->state = LEG_REFUSED;
	leg->wait_ns = leg->wait_ns == 0		 ? LEG_WAIT_NS
		       : leg->wait_ns < LEG_WAIT_MAX_NS ? leg->wait_ns * 2
							: LEG_WAIT_MAX_NS;
	leg->again_ns = now + leg->wait_ns;
}

int netdev_macvtap_leg(struct port *p, unsigned i, mac m, int fd, bool ok)
{
	struct tap_part *s = container_of(p, struct tap_part, port);
	struct tap *t = s->tap;
	struct tap_legs *l = t->legs;
	int r = 0;

	if (!l || i >= TAP_LEGS_MAX || l->asked != i ||
	    !mac_eq(l->leg[i].mac, m))
		return -EINVAL;
	if (ok && (fd >= 0) == (s->queue[i].io.fd >= 0))
		return -EINVAL;
	if (fd >= 0)
		r = tap_queue_add(s, i, fd);
	l->asked = TAP_LEGS_MAX;
	if (ok && r == 0) {
		l->leg[i].state = LEG_UP;
		l->leg[i].wait_ns = l->leg[i].again_ns = 0;
	} else {
		leg_refused(&l->leg[i], *loop_now(t->env->loop));
	}
	return r;
}
