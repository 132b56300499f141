/* SPDX-License-Identifier: BSD-3-Clause */
/* Lanes and the legs of ports; see lanes.h.  Worker 0. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "worker/lanes_priv.h"
#include "worker/mail_leg.h"

enum { BUCKETS = 64 }; /* at first */

/* ---- the table of ports ---- */

struct lanes_port *lanes_find(const struct lanes_net *n, uint32_t serial)
{
	struct lanes_port *r = n->bucket[serial & n->mask];

	while (r && r->serial != serial)
		r = r->next;
	return r;
}

static void table_put(struct lanes_port **bucket, uint32_t mask,
		      struct lanes_port *r)
{
	struct lanes_port **at = &bucket[r->serial & mask];

	r->next = *at;
	*at = r;
}

/* Without memory the chains grow longer. */
static void table_grow(struct lanes_net *n)
{
	uint32_t mask = n->mask * 2 + 1;
	struct lanes_port **bucket = calloc((size_t)mask + 1, sizeof(*bucket));

	if (!bucket)
		return;
	list_each(it, &n->ports)
		table_put(bucket, mask,
			  container_of(it, struct lanes_port, link));
	free(n->bucket);
	n->bucket = bucket;
	n->mask = mask;
}

static void table_add(struct lanes_net *n, struct lanes_port *r)
{
	if (n->n_ports > n->mask)
		table_grow(n);
	table_put(n->bucket, n->mask, r);
	list_add_tail(&n->ports, &r->link);
	n->n_ports++;
}

static void table_del(struct lanes_net *n, struct lanes_port *r)
{
	struct lanes_port **at = &n->bucket[r->serial & n->mask];

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	list_del(&r->link);
	n->n_ports--;
}

/* ---- legs ---- */

static bool has_queue(const struct lanes_port *r, unsigned i)
{
	return r->leg[i].port && r->leg[i].port != r->leg[i].mail;
}

/* Mail legs share the queues that there are. */
static void aim(struct lanes_net *n, struct lanes_port *r)
{
	unsigned with[TEAM_MAX], n_with = 0;

	for (unsigned i = 0; i < n->lanes->n; i++) {
		if (i == 0 || has_queue(r, i))
			with[n_with++] = i;
	}
	for (unsigned i = 1; i < n->lanes->n; i++) {
		unsigned to = with[i % n_with];

		if (r->leg[i].mail && !has_queue(r, i))
			mail_leg_aim(r->leg[i].mail,
				     team_mail(n->lanes->team, i, to));
	}
}

static void stats_add(struct port_stats *sum, const struct port_stats *s)
{
	sum->rx_frames += s->rx_frames;
	sum->rx_bytes += s->rx_bytes;
	sum->tx_frames += s->tx_frames;
	sum->tx_bytes += s->tx_bytes;
	sum->rx_drops += s->rx_drops;
	sum->tx_drops += s->tx_drops;
}

/* What went through r's port on all workers; in a pause. */
static void sum_up(const struct lanes_net *n, const struct lanes_port *r,
		   struct port_stats *sum)
{
	*sum = r->port->stats;
	stats_add(sum, &r->past);
	for (unsigned i = 1; i < n->lanes->n; i++) {
		if (has_queue(r, i))
			stats_add(sum, &r->leg[i].port->stats);
		/* What it sent is counted where it arrived. */
		if (r->leg[i].mail)
			sum->tx_drops += r->leg[i].mail->stats.tx_drops;
	}
}

static void leg_sync(struct lanes_leg *s, const struct port *p)
{
	lane_leg_sync(s->port, p);
	if (s->port != s->mail)
		return;
	s->port->caps.lossy = true;
	s->port->tap = 0; /* it is seen where it arrives */
}

/* The leg on lane i is this one now, or none. */
static void leg_change(struct lanes_net *n, struct lanes_port *r, unsigned i,
		       struct port *leg)
{
	struct lanes_leg *s = &r->leg[i];
	struct port *old = s->port;

	if (old == leg)
		return;
	s->port = leg;
	s->fault = FAULT_NONE;
	if (leg) {
		lane_leg_add(n->lane[i].lan, leg, r->port);
		leg_sync(s, r->port);
	}
	if (old) {
		lane_leg_moved(n->lane[i].lan, old, leg);
		lan_port_del(old);
	}
	if (old && old != s->mail) {
		stats_add(&r->past, &old->stats);
		old->stats = (struct port_stats){0}; /* it may come again */
	}
}

static void port_free(struct lanes_net *n, struct lanes_port *r)
{
	for (unsigned i = 1; i < n->lanes->n; i++) {
		struct port *mail = r->leg[i].mail;

		leg_change(n, r, i, NULL);
		if (mail)
			mail->ops->close(mail);
	}
	free(r);
}

/* ---- what worker 0's lan tells (lan_watch) ---- */

static void port_added(void *arg, struct port *p)
{
	struct lanes_net *n = arg;
	unsigned n_legs = n->lanes->n;
	struct lanes_port *r =
		calloc(1, sizeof(*r) + n_legs * sizeof(r->leg[0]));

	if (!r)
		return;
	r->port = p;
	r->serial = p->serial;
	r->is_up = port_is_up(p);
	list_init(&r->link);
	r->leg[0].port = p;
	team_pause(n->lanes->team);
	table_add(n, r);
	for (unsigned i = 1; i < n_legs; i++) {
		r->leg[i].mail = mail_leg_new(n->number);
		leg_change(n, r, i, r->leg[i].mail);
	}
	aim(n, r);
	team_resume(n->lanes->team);
}

static void port_removed(void *arg, struct port *p)
{
	struct lanes_net *n = arg;
	struct lanes_port *r = lanes_find(n, p->serial);
	struct port_stats sum;

	if (!r)
		return;
	team_pause(n->lanes->team);
	sum_up(n, r, &sum);
	p->stats = sum; /* for who asks the port itself, at its end */
	table_del(n, r);
	port_free(n, r);
	team_resume(n->lanes->team);
}

static void port_changed(void *arg, struct port *p)
{
	struct lanes_net *n = arg;
	struct lanes_port *r = lanes_find(n, p->serial);
	bool stays_up;

	if (!r)
		return;
	team_pause(n->lanes->team);
	stays_up = r->is_up && port_is_up(p);
	r->is_up = port_is_up(p);
	for (unsigned i = 1; i < n->lanes->n; i++) {
		struct lanes_leg *s = &r->leg[i];

		if (!s->port)
			continue;
		leg_sync(s, p);
		/* A fault that is on its way here is of the peer that is
		 * there still, or of one that is not. */
		if (stays_up)
			s->port->fault = s->fault;
		else
			s->fault = FAULT_NONE;
	}
	team_resume(n->lanes->team);
}

/* ---- networks ---- */

static int lane_init(struct lanes_net *n, unsigned i, uint64_t tell_ns)
{
	struct lanes_lane *l = &n->lane[i];
	struct worker *w = team_worker(n->lanes->team, i);
	struct lane_config lc = {.punt = lanes_punt,
				 .used = lanes_used,
				 .arg = l,
				 .tell_ns = tell_ns ? tell_ns : LANES_TELL_NS};
	struct lan_config c = {
		.name = lan_name(n->lan),
		.fdb_max = lan_mac_slots(n->lan),
		.wheel = loop_wheel(w->loop),
		.now_ns = loop_now(w->loop),
		.talk = loop_talk(w->loop),
		.drops = w->drops,
		.log = w->log,
		.events = {.fault = lanes_fault, .arg = l},
		.lane = &lc,
	};
	int r;

	l->net = n;
	l->me = i;
	r = dirty_init(&l->dirty, c.fdb_max);
	return r < 0 ? r : lan_new(&c, &l->lan);
}

/* In a pause, or before anybody knows it. */
static void net_free(struct lanes_net *n)
{
	list_each_safe(it, &n->ports) {
		struct lanes_port *r =
			container_of(it, struct lanes_port, link);

		table_del(n, r);
		port_free(n, r);
	}
	timer_disarm(n->wheel, &n->timer);
	for (unsigned i = 1; n->lane && i < n->lanes->n; i++) {
		lan_free(n->lane[i].lan);
		dirty_deinit(&n->lane[i].dirty);
	}
	free(n->lane);
	free(n->bucket);
	free(n);
}

static int net_make(struct lanes *l, struct lan *lan, uint64_t tell_ns,
		    struct lanes_net **np)
{
	struct lanes_net *n = calloc(1, sizeof(*n));
	int r = 0;

	if (!n)
		return -ENOMEM;
	n->lanes = l;
	n->lan = lan;
	n->number = l->n_nets;
	n->mask = BUCKETS - 1;
	n->wheel = loop_wheel(team_worker(l->team, 0)->loop);
	list_init(&n->ports);
	timer_init(&n->timer, lanes_news_fire);
	*np = n;
	n->bucket = calloc(BUCKETS, sizeof(struct lanes_port *));
	n->lane = mem_apart(l->n, sizeof(struct lanes_lane));
	if (!n->bucket || !n->lane) {
		free(n->lane);
		n->lane = NULL;
		return -ENOMEM;
	}
	for (unsigned i = 1; i < l->n && r == 0; i++)
		r = lane_init(n, i, tell_ns);
	return r;
}

/* All know n from now on. */
static int net_publish(struct lanes *l, struct lanes_net *n)
{
	const struct lan_watch w = {
		.added = port_added,
		.removed = port_removed,
		.changed = port_changed,
		.mac = lanes_mac_changed,
		.arg = n,
	};
	struct lanes_net **net =
		realloc(l->net, (l->n_nets + 1) * sizeof(struct lanes_net *));

	if (!net)
		return -ENOMEM;
	l->net = net;
	if (l->n > 1 && lan_watch(n->lan, &w) < 0)
		return -ENOMEM;
	l->net[l->n_nets++] = n;
	if (l->n == 1) /* nobody to tell anything */
		return 0;
	list_each(it, lan_ports(n->lan))
		port_added(n, container_of(it, struct port, link_all));
	return 0;
}

int lanes_net_new(struct lanes *l, struct lan *lan, uint64_t tell_ns,
		  struct lanes_net **np)
{
	struct lanes_net *n = NULL;
	int r;

	team_pause(l->team);
	r = net_make(l, lan, tell_ns, &n);
	if (r == 0)
		r = net_publish(l, n);
	if (r == 0)
		*np = n;
	else if (n)
		net_free(n);
	team_resume(l->team);
	return r;
}

struct lanes_net *lanes_net_free(struct lanes_net *n)
{
	struct team *t;

	if (!n)
		return NULL;
	t = n->lanes->team;
	team_pause(t);
	n->lanes->net[n->number] = NULL;
	lan_unwatch(n->lan);
	net_free(n);
	team_resume(t);
	return NULL;
}

struct lan *lanes_lane(const struct lanes_net *n, unsigned i)
{
	return n->lane[i].lan;
}

int lanes_leg_set(struct lanes_net *n, struct port *p, unsigned i,
		  struct port *leg)
{
	struct lanes_port *r = lanes_find(n, p->serial);

	assert(i >= 1 && i < n->lanes->n);
	if (!r)
		return leg ? -ENOMEM : 0;
	team_pause(n->lanes->team);
	if (!r->leg[i].port)
		lanes_mac_all(n, i); /* what is behind p was left out */
	leg_change(n, r, i, leg ? leg : r->leg[i].mail);
	aim(n, r);
	team_resume(n->lanes->team);
	return 0;
}

void lanes_port_stats(struct lanes_net *n, const struct port *p,
		      struct port_stats *sum)
{
	const struct lanes_port *r = lanes_find(n, p->serial);

	*sum = p->stats;
	if (!r)
		return;
	team_pause(n->lanes->team);
	sum_up(n, r, sum);
	team_resume(n->lanes->team);
}

int lanes_new(struct team *t, struct lanes **lp)
{
	struct lanes *l = calloc(1, sizeof(*l));
	unsigned n = team_size(t);

	if (!l)
		return -ENOMEM;
	l->team = t;
	l->n = n;
	l->intake = mem_apart(n, sizeof(struct lanes_intake));
	if (!l->intake) {
		free(l);
		return -ENOMEM;
	}
	*lp = l;
	return 0;
}

struct lanes *lanes_free(struct lanes *l)
{
	if (!l)
		return NULL;
	for (uint32_t i = 0; i < l->n_nets; i++)
		assert(!l->net[i]);
	free(l->net);
	free(l->intake);
	free(l);
	return NULL;
}
