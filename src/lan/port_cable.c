/* SPDX-License-Identifier: BSD-3-Clause */
/* The cable of a port, see port_cable.h. */
#include "lan/port_cable.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "lan/cable.h"
#include "lan/gso.h"
#include "lan/lan_priv.h"

/* What has found its exit full holds up all that the peer sends, as hold.h
 * allows it for one exit; what the peer itself has no room for, nobody else. */
#define STALL_FROM_NS HOLD_NS
#define STALL_TO_NS   (10 * HOLD_NS)

struct port_cable {
	struct port *port;
	const struct port_ops *ops; /* the kind's */
	struct port_caps caps;	    /* the kind's */
	struct port_ops spoilt;	    /* what the lan calls */
	struct cable *to, *from;    /* owned; NULL: that way is as it was */
	bool has_slot;		    /* we took the port a waiter's place */
	/* Where the pieces go of what the peer left to be cut. */
	struct port mouth;
	struct port_ops mouth_ops;
};

/* ---- who looks on ---- */

/* Frames that leave a cable are none of the batch that the lan carries. */
static struct tap_batch *tap_begin(struct lan *lan)
{
	struct tap_batch *outer = lan->tapped;

	lan->tapped = NULL;
	if (lan->tap)
		lan->tap->begin(lan->tap->arg);
	return outer;
}

static void tap_end(struct lan *lan, struct tap_batch *outer)
{
	if (lan->tap)
		lan->tap->end(lan->tap->arg);
	lan->tapped = outer;
}

static void tell_lost(struct port *p, bool is_exit, const struct frame *f,
		      enum drop_reason why)
{
	struct lan *lan = p->lan;
	struct tap_batch *outer;
	struct batch b;

	if (!lan->tap)
		return;
	b.n = 1; /* the array is filled as far as it is used */
	b.f[0] = *f;
	outer = tap_begin(lan);
	tap_lost(lan, p, is_exit, &b, 1, why);
	tap_end(lan, outer);
}

static void lost_to(void *arg, const struct frame *f, enum drop_reason why)
{
	tell_lost(((struct port_cable *)arg)->port, true, f, why);
}

static void lost_from(void *arg, const struct frame *f, enum drop_reason why)
{
	tell_lost(((struct port_cable *)arg)->port, false, f, why);
}

/* ---- towards the peer ---- */

static uint64_t spoilt_send(struct port *p, const struct batch *b,
			    uint64_t mask)
{
	cable_put(p->cable->to, b, mask);
	return mask; /* ours now */
}

/* What arrives at the peer's end. */
static uint64_t out_to(void *arg, const struct batch *b, bool keeps)
{
	struct port_cable *k = arg;
	struct port *p = k->port;
	uint64_t left = batch_mask(b);
	bool can_wait = keeps && k->ops->want_room && !k->caps.lossy;
	enum drop_reason why = DROP_PORT_FULL;
	struct lan *lan = p->lan;
	struct tap_batch *outer = tap_begin(lan);

	lan->busy++;
	if (port_is_up(p))
		left &= ~k->ops->send(p, b, left);
	can_wait = can_wait && port_is_up(p);
	if (!port_is_up(p))
		why = p->fault ? DROP_PORT_FAULT : DROP_LINK_DOWN;
	else if (left && can_wait)
		lan_ask_room(p);
	if (left && !can_wait) {
		unsigned n = (unsigned)__builtin_popcountll(left);

		drop_n(lan->drops, why, n);
		p->stats.tx_drops += n;
		tap_lost(lan, p, true, b, left, why);
		left = 0;
	}
	lan->busy--;
	tap_end(lan, outer);
	return left;
}

/* ---- from the peer ---- */

static uint64_t mouth_send(struct port *mouth, const struct batch *b,
			   uint64_t mask)
{
	struct port_cable *k = container_of(mouth, struct port_cable, mouth);

	cable_put(k->from, b, mask);
	return mask;
}

/* Those that are no frames on a wire yet. */
static uint64_t unfinished(const struct batch *b)
{
	uint64_t mask = 0;

	for (unsigned i = 0; i < b->n; i++)
		mask |= (uint64_t)(gso_need(&b->f[i].off) != 0) << i;
	return mask;
}

void port_cable_in(struct port *p, const struct batch *b)
{
	struct port_cable *k = p->cable;
	uint64_t soft = unfinished(b);

	if (soft)
		(void)gso_send(&k->mouth, p->lan->drops, b, batch_mask(b),
			       soft, NULL); /* it takes all */
	else
		cable_put(k->from, b, batch_mask(b));
}

static uint64_t out_from(void *arg, const struct batch *b, bool keeps)
{
	struct port_cable *k = arg;
	struct lan *lan = k->port->lan;
	struct tap_batch *outer = tap_begin(lan);
	uint64_t back = lan_carry_cabled(k->port, b, keeps);

	tap_end(lan, outer);
	return back;
}

/* An exit that refused what we carried to it can take more. */
static void spoilt_room(struct port *p, struct port *other)
{
	struct port_cable *k = p->cable;

	if (k->from)
		cable_room(k->from);
	if (k->ops->room)
		k->ops->room(p, other);
}

/* ---- what the lan tells ---- */

void port_cable_room(struct port *p)
{
	if (p->cable->to)
		cable_room(p->cable->to);
}

void port_cable_down(struct port *p)
{
	struct port_cable *k = p->cable;

	if (k->to)
		cable_clear(k->to, DROP_LINK_DOWN);
	if (k->from)
		cable_clear(k->from, DROP_LINK_DOWN_IN);
}

/* What the lan is to believe of p. */
static void caps_apply(struct port_cable *k)
{
	k->port->caps = k->caps;
	if (!k->to)
		return;
	k->port->caps.offload = 0;
	k->port->caps.lossy = true;
}

void port_cable_caps(struct port *p, const struct port_caps *caps)
{
	p->cable->caps = *caps;
	caps_apply(p->cable);
}

const struct port_caps *port_cable_own_caps(const struct port *p)
{
	return &p->cable->caps;
}

/* ---- life ---- */

static int way_set(struct port_cable *k, enum impair_way way,
		   const struct impair_set *s, bool restarts)
{
	struct port *p = k->port;
	struct cable **cp = way == IMPAIR_TO ? &k->to : &k->from;
	const struct impair *set = &s->way[way];
	const struct cable_config c = {
		.wheel = p->lan->wheel,
		.now_ns = p->lan->now_ns,
		.read_ns = p->lan->read_ns,
		.drops = p->lan->drops,
		.n_lost = way == IMPAIR_TO ? &p->stats.tx_drops
					   : &p->stats.rx_drops,
		.out = way == IMPAIR_TO ? out_to : out_from,
		.lost = way == IMPAIR_TO ? lost_to : lost_from,
		.arg = k,
		.stream = way,
		.stall_ns = way == IMPAIR_TO ? STALL_TO_NS : STALL_FROM_NS,
	};
	int r;

	if (impair_is_none(set))
		return 0; /* way_end() */
	r = *cp ? 0 : cable_new(&c, cp);
	return r < 0 ? r : cable_set(*cp, set, s->seed, restarts);
}

/* That way is as it should be again: what is under way arrives. */
static void way_end(struct cable **cp)
{
	if (*cp)
		cable_flush(*cp);
	*cp = cable_free(*cp);
}

/* The lan's view of p and of its hooks, as its cable is now. */
static void hooks_apply(struct port_cable *k)
{
	struct port *p = k->port;

	k->spoilt = *k->ops;
	k->spoilt.room = spoilt_room;
	if (k->to) {
		k->spoilt.send = spoilt_send;
		k->spoilt.lend = NULL;
		k->spoilt.give = NULL;
	}
	p->ops = &k->spoilt;
	p->alias_use &= (uint8_t)~ALIAS_USE_CABLE;
	if (k->from)
		p->alias_use |= ALIAS_USE_CABLE;
	caps_apply(k);
}

/* p is the kind's again. */
static void take_off(struct port_cable *k)
{
	struct port *p = k->port;

	if (k->has_slot)
		lan_waiter_give(p->lan, p);
	p->ops = k->ops;
	p->caps = k->caps;
	p->alias_use &= (uint8_t)~ALIAS_USE_CABLE;
	p->cable = NULL;
	free(k);
}

static struct port_cable *put_on(struct port *p)
{
	struct port_cable *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->port = p;
	k->ops = p->ops;
	k->caps = p->caps;
	k->mouth_ops = (struct port_ops){.kind = "cable", .send = mouth_send};
	k->mouth = (struct port){.ops = &k->mouth_ops,
				 .lan = p->lan,
				 .carrier = true,
				 .admin_up = true};
	k->has_slot = !p->ops->room;
	if (k->has_slot)
		p->wait_slot = lan_waiter_take(p->lan, p);
	p->cable = k;
	return k;
}

int lan_port_spoil(struct port *p, const struct impair_set *s, bool restarts)
{
	struct port_cable *k = p->cable;
	int r;

	assert(p->lan && !p->lan->lane && !p->lent);
	if (!k && impair_set_is_none(s))
		return 0;
	if (!k)
		k = put_on(p);
	if (!k)
		return -ENOMEM;
	r = way_set(k, IMPAIR_TO, s, restarts);
	if (r == 0)
		r = way_set(k, IMPAIR_FROM, s, restarts);
	if (impair_is_none(&s->way[IMPAIR_TO]))
		way_end(&k->to);
	if (impair_is_none(&s->way[IMPAIR_FROM]))
		way_end(&k->from);
	if (k->to || k->from)
		hooks_apply(k);
	else
		take_off(k);
	lan_port_news(p);
	lan_wake_later(p); /* who waits for room asks anew */
	return r;
}

void port_cable_cut(struct port *p)
{
	struct port_cable *k = p->cable;

	if (!k)
		return;
	k->to = cable_free(k->to);
	k->from = cable_free(k->from);
	take_off(k);
}
