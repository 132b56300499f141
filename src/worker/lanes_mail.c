/* SPDX-License-Identifier: BSD-3-Clause */
/* What goes between the lanes of a network; see lanes.h. */
#include <stdio.h>
#include <string.h>

#include "worker/lanes_priv.h"

/* ---- worker 0: news of its MAC table ---- */

static void news_soon(struct lanes_net *n)
{
	if (!timer_is_armed(&n->timer))
		timer_arm(n->wheel, &n->timer, n->news_ns);
}

void lanes_mac_changed(void *arg, unsigned slot)
{
	struct lanes_net *n = arg;

	for (unsigned i = 1; i < n->lanes->n; i++)
		dirty_put(&n->lane[i].dirty, slot);
	news_soon(n);
}

void lanes_mac_all(struct lanes_net *n, unsigned i)
{
	mac m;

	for (unsigned slot = 0; slot < lan_mac_slots(n->lan); slot++) {
		if (lan_mac_slot(n->lan, slot, &m))
			dirty_put(&n->lane[i].dirty, slot);
	}
	news_soon(n);
}

/* True if there are more that could go later. */
static bool news_send(struct lanes_net *n, unsigned i)
{
	struct mail *to = team_mail(n->lanes->team, 0, i);
	struct dirty *d = &n->lane[i].dirty;
	unsigned slot;

	for (unsigned k = 0; dirty_first(d, &slot); k++) {
		struct mail_cell c = {.kind = LANES_MAC,
				      .id = {n->number, slot}};
		const struct port *p;
		mac m;

		if (k == LANES_NEWS)
			return true;
		p = lan_mac_slot(n->lan, slot, &m);
		if (p) {
			c.id[2] = p->serial;
			c.n_words = 1;
			c.word[0] = mac_key(m);
		}
		if (!mail_post(to, &c))
			return false; /* lanes_room() */
		dirty_pop(d);
	}
	return false;
}

void lanes_news_fire(struct timer *t, uint64_t now_ns)
{
	struct lanes_net *n = container_of(t, struct lanes_net, timer);
	bool has_more = false;

	n->news_ns = now_ns + LANES_NEWS_NS;
	for (unsigned i = 1; i < n->lanes->n; i++)
		has_more |= news_send(n, i);
	if (has_more)
		news_soon(n);
}

/* ---- a lane, to worker 0 ---- */

static struct mail *to_first(const struct lanes_lane *l)
{
	return team_mail(l->net->lanes->team, l->me, 0);
}

uint64_t lanes_punt(void *arg, struct port *from, const struct batch *b,
		    uint64_t mask)
{
	const struct lanes_lane *l = arg;
	const struct mail_cell c = {.kind = LANES_PUNT,
				    .who = from->serial,
				    .id = {l->net->number, from->serial}};

	return mail_frames(to_first(l), &c, b, mask);
}

void lanes_used(void *arg, struct port *p, mac m)
{
	const struct lanes_lane *l = arg;
	const struct mail_cell c = {.kind = LANES_USED,
				    .id = {l->net->number, p->serial},
				    .n_words = 1,
				    .word = {mac_key(m)}};

	/* Without room it is told in the next interval. */
	(void)!mail_post(to_first(l), &c);
}

static void fault_tell(struct lanes_lane *l, const struct lanes_port *r,
		       struct lanes_leg *s)
{
	const struct mail_cell c = {.kind = LANES_FAULT,
				    .id = {l->net->number, r->serial}};

	s->is_told = mail_post(to_first(l), &c);
	l->has_untold |= !s->is_told;
}

void lanes_fault(void *arg, struct port *leg, enum port_fault why,
		 const char *text)
{
	struct lanes_lane *l = arg;
	struct lanes_port *r = lanes_find(l->net, leg->serial);
	struct lanes_leg *s;

	if (!r)
		return;
	s = &r->leg[l->me];
	s->fault = (uint8_t)why;
	snprintf(s->text, sizeof(s->text), "%s", text);
	fault_tell(l, r, s);
}

static void faults_retry(struct lanes_lane *l)
{
	l->has_untold = false;
	list_each(it, &l->net->ports) {
		struct lanes_port *r =
			container_of(it, struct lanes_port, link);
		struct lanes_leg *s = &r->leg[l->me];

		if (s->fault && !s->is_told)
			fault_tell(l, r, s);
	}
}

void lanes_room(struct lanes *l, unsigned me, struct mail *m)
{
	for (uint32_t i = 0; i < l->n_nets; i++) {
		struct lanes_net *n = l->net[i];

		if (!n)
			continue;
		if (me == 0)
			news_soon(n);
		else if (mail_to(m) == 0 && n->lane[me].has_untold)
			faults_retry(&n->lane[me]);
	}
}

uint64_t lanes_send(const struct lanes_net *n, unsigned me, unsigned to,
		    uint32_t serial, const struct batch *b, uint64_t mask)
{
	const struct lan *lan = me ? n->lane[me].lan : n->lan;
	const struct mail_cell c = {
		.kind = LANES_SEND,
		.who = lan_ingress(lan),
		.id = {n->number, serial, lan_ingress(lan)},
	};

	return mail_frames(team_mail(n->lanes->team, me, to), &c, b, mask);
}

/* ---- what comes ---- */

static void lose(struct lanes *l, unsigned me, enum drop_reason why,
		 const struct batch *b)
{
	drop_n(team_worker(l->team, me)->drops, why, b->n);
}

/* As if they had come in by the port here. */
static void take_punted(struct lanes *l, const struct lanes_net *n,
			const struct lanes_intake *in)
{
	const struct lanes_port *from = lanes_find(n, in->cell.id[1]);

	if (from)
		(void)lan_input(from->port, &in->b, false); /* it counts */
	else
		lose(l, 0, DROP_LINK_DOWN_IN, &in->b);
}

static void take_sent(struct lanes *l, unsigned me, const struct lanes_net *n,
		      const struct lanes_intake *in)
{
	const struct lanes_port *exit = lanes_find(n, in->cell.id[1]);
	const struct lanes_port *from = lanes_find(n, in->cell.id[2]);

	if (!exit || !exit->leg[me].port)
		lose(l, me, DROP_LINK_DOWN, &in->b);
	else if (!from)
		lose(l, me, DROP_LINK_DOWN_IN, &in->b);
	else
		lan_output(exit->leg[me].port, from->leg[me].port, &in->b);
}

void lanes_taken(struct lanes *l, unsigned me)
{
	struct lanes_intake *in = &l->intake[me];
	const struct lanes_net *n;

	if (in->b.n == 0)
		return;
	n = l->net[in->cell.id[0]];
	if (!n)
		lose(l, me, DROP_LINK_DOWN, &in->b);
	else if (in->cell.kind == LANES_PUNT)
		take_punted(l, n, in);
	else
		take_sent(l, me, n, in);
	in->b.n = 0;
}

static void take_frame(struct lanes *l, unsigned me, const struct mail_cell *c,
		       const struct frame *f)
{
	struct lanes_intake *in = &l->intake[me];

	if (in->b.n == FRAME_BATCH || in->cell.kind != c->kind ||
	    memcmp(in->cell.id, c->id, sizeof(c->id)) != 0)
		lanes_taken(l, me);
	in->cell = *c;
	in->b.f[in->b.n++] = *f;
}

static void take_mac(struct lanes_net *n, unsigned me,
		     const struct mail_cell *c)
{
	const struct lanes_port *r = lanes_find(n, c->id[2]);

	lane_mac(n->lane[me].lan, c->id[1], mac_of_key(c->word[0]),
		 r ? r->leg[me].port : NULL);
}

static void take_used(struct lanes_net *n, const struct mail_cell *c)
{
	const struct lanes_port *r = lanes_find(n, c->id[1]);

	if (r)
		lan_mac_used(n->lan, r->port, mac_of_key(c->word[0]));
}

/* A port whose peer is another by now, or that has gone, has none there. */
static void take_fault(struct lanes_net *n, unsigned from,
		       const struct mail_cell *c)
{
	struct lanes_port *r = lanes_find(n, c->id[1]);
	struct lanes_leg *s;
	enum port_fault why;

	if (!r)
		return;
	team_pause(n->lanes->team);
	s = &r->leg[from];
	why = s->fault;
	s->fault = FAULT_NONE;
	if (why != FAULT_NONE)
		port_fault(r->port, why, "%s", s->text);
	team_resume(n->lanes->team);
}

void lanes_take(struct lanes *l, unsigned me, unsigned from,
		const struct mail_cell *c, const struct frame *f)
{
	struct lanes_net *n;

	if (c->kind == LANES_PUNT || c->kind == LANES_SEND) {
		take_frame(l, me, c, f);
		return;
	}
	n = l->net[c->id[0]];
	if (!n)
		return;
	/* In order with what was carried. */
	lanes_taken(l, me);
	if (c->kind == LANES_MAC)
		take_mac(n, me, c);
	else if (c->kind == LANES_USED)
		take_used(n, c);
	else if (c->kind == LANES_FAULT)
		take_fault(n, from, c);
}
