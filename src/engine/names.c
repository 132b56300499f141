/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Orders about names.  What the machines of a network are called, for the zones
 * of its gateways (service/zone.h): the names that the keeper gave, and the
 * walk over all who are here; and resolvers.  Worker 0's thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine_priv.h"

/* Where the entry of that port is, or would be. */
static unsigned place_of(const struct engine *e, uint32_t port)
{
	unsigned lo = 0, hi = e->n_named;

	while (lo < hi) {
		unsigned at = lo + (hi - lo) / 2;

		if (e->named[at].port < port)
			lo = at + 1;
		else
			hi = at;
	}
	return lo;
}

static const struct msg_named *find(const struct engine *e, uint32_t port)
{
	unsigned at = place_of(e, port);

	return at < e->n_named && e->named[at].port == port ? &e->named[at]
							     : NULL;
}

int engine_order_named(struct engine *e, const struct msg_named *m)
{
	unsigned at = place_of(e, m->port);
	struct msg_named *more;

	if (find(e, m->port)) {
		e->named[at] = *m;
		return 0;
	}
	more = reallocarray(e->named, e->n_named + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	e->named = more;
	memmove(more + at + 1, more + at,
		(e->n_named - at) * sizeof(*more));
	more[at] = *m;
	e->n_named++;
	return 0;
}

int engine_order_dns_server(struct engine *e, const struct msg_dns_server *m)
{
	struct gateway *gw = engine_gateway_find(e, m->port);

	return gw ? gateway_dns_server(gw, m->domain, &m->ep) : -EINVAL;
}

void engine_unnamed(struct engine *e, uint32_t id)
{
	unsigned at = place_of(e, id);

	if (!find(e, id))
		return;
	e->n_named--;
	memmove(e->named + at, e->named + at + 1,
		(e->n_named - at) * sizeof(*e->named));
	if (e->n_named)
		return;
	free(e->named);
	e->named = NULL;
}

static struct engine_lan *lan_of(struct engine *e, const struct lan *lan)
{
	list_each(it, &e->lans) {
		struct engine_lan *l =
			container_of(it, struct engine_lan, link);

		if (l->lan == lan)
			return l;
	}
	return NULL;
}

/* The lans at both ends of a cable are one network; true if that is news. */
static bool spread(struct engine *e, const struct engine_netdev *cable)
{
	struct engine_lan *a = lan_of(e, cable->cable[0]->lan);
	struct engine_lan *b = lan_of(e, cable->cable[1]->lan);

	if (!a || !b || a->is_near == b->is_near ||
	    !port_is_up(cable->cable[0]) || !port_is_up(cable->cable[1]))
		return false;
	a->is_near = b->is_near = true;
	return true;
}

/* Marks the lans that one is on from the gateway's. */
static void mark_near(struct engine *e, const struct lan *own)
{
	bool is_news;

	list_each(it, &e->lans) {
		struct engine_lan *l =
			container_of(it, struct engine_lan, link);

		l->is_near = l->lan == own;
	}
	do {
		is_news = false;
		list_each(jt, &e->netdevs) {
			const struct engine_netdev *n = container_of(
				jt, struct engine_netdev, link);

			if (n->role == ROLE_CABLE)
				is_news |= spread(e, n);
		}
	} while (is_news);
}

/* The next lan of the network behind l, the first if that is NULL. */
static struct engine_lan *near_after(struct engine *e, struct engine_lan *l)
{
	struct list *it = l ? l->link.next : e->lans.next;

	for (; it != &e->lans; it = it->next) {
		l = container_of(it, struct engine_lan, link);
		if (l->is_near)
			return l;
	}
	return NULL;
}

/* The next port, on whatever lan. */
static struct port *next_port(struct engine *e, struct zone_walk *w)
{
	struct engine_lan *l = w->lan;
	struct port *p = w->port;

	while (l) {
		struct list *ports = lan_ports(l->lan);
		struct list *it = p ? p->link_all.next : ports->next;

		if (it != ports) {
			w->port = container_of(it, struct port, link_all);
			return w->port;
		}
		l = near_after(e, l);
		w->lan = l;
		w->port = p = NULL;
	}
	return NULL;
}

/* The first port of a netdev has its name, others have a number behind. */
static void describe(const struct engine *e, const struct port *p,
		     const struct lan *own, struct zone_machine *m)
{
	const struct msg_named *n = find(e, p->id);

	*m = (struct zone_machine){
		.key = p,
		.mac = p->last_mac,
		.serial = p->lan == own ? p->serial : 0,
		.is_one = p->n_macs <= 1,
		.is_uplink = p->caps.is_uplink,
		.ip = p->heard,
		.n_ip = p->n_heard,
	};
	if (!n || strcmp(p->name, n->name) != 0)
		return;
	m->name = n->name;
	m->before = n->ip;
	m->n_before = n->n;
	if (mac_is_zero(m->mac))
		m->mac = n->mac;
}

/* A cable to another of our lans is no uplink: who is there is walked over. */
static bool is_shown(struct engine *e, const struct port *p)
{
	const struct engine_netdev *n;

	if (!port_is_up(p) || p->caps.is_ours)
		return false;
	if (!p->caps.is_uplink)
		return engine_is_machine(p);
	n = engine_netdev_find(e, p->id);
	return n && n->role != ROLE_CABLE;
}

bool engine_next_machine(void *arg, uint32_t id, struct zone_walk *w,
			 struct zone_machine *m)
{
	struct engine *e = arg;
	const struct engine_netdev *gw = engine_netdev_find(e, id);
	const struct lan *own = gw ? gateway_port(gw->gateway)->lan : NULL;
	struct port *p;

	if (!own)
		return false;
	if (!w->lan) {
		mark_near(e, own);
		w->lan = near_after(e, NULL);
	}
	while ((p = next_port(e, w))) {
		if (!is_shown(e, p))
			continue;
		describe(e, p, own, m);
		return true;
	}
	return false;
}
