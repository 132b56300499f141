/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cables that are pulled or spoilt (vmlan link).  What holds of a netdev is
 * kept here, for its machine may come later, and come again: each time with a
 * port of its own.  Worker 0's thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine_priv.h"

struct engine_cable {
	struct list link; /* in engine.cables */
	struct msg_cable m;
};

static struct engine_cable *find(struct engine *e, uint32_t id)
{
	list_each(it, &e->cables) {
		struct engine_cable *c =
			container_of(it, struct engine_cable, link);

		if (c->m.port == id)
			return c;
	}
	return NULL;
}

void engine_cable_forget(struct engine *e, uint32_t id)
{
	struct engine_cable *c = find(e, id);

	if (!c)
		return;
	list_del(&c->link);
	free(c);
}

static int put_on(struct port *p, const struct msg_cable *m)
{
	int r = lan_port_spoil(p, &m->set, m->restarts);

	lan_port_admin(p, !m->is_pulled);
	return r;
}

void engine_cable_port(struct engine *e, struct port *p)
{
	const struct engine_cable *c = find(e, p->id);

	if (!c || p->cable || !p->admin_up)
		return; /* it has what it is to have */
	if (put_on(p, &c->m) < 0)
		log_warn(&e->log,
			 "%s: out of memory: its cable is not spoilt", p->name);
}

static int keep(struct engine *e, const struct msg_cable *m)
{
	struct engine_cable *c = find(e, m->port);

	if (!m->is_pulled && impair_set_is_none(&m->set)) {
		engine_cable_forget(e, m->port);
		return 0;
	}
	if (!c) {
		c = calloc(1, sizeof(*c));
		if (!c)
			return -ENOMEM;
		list_init(&c->link);
		list_add_tail(&e->cables, &c->link);
	}
	c->m = *m;
	return 0;
}

/* One of a netdev that has gone meanwhile is no failure. */
int engine_order_cable(struct engine *e, const struct msg_cable *m)
{
	int r;

	if (!engine_netdev_find(e, m->port))
		return 0;
	r = keep(e, m);
	list_each(it, &e->lans) {
		struct engine_lan *l =
			container_of(it, struct engine_lan, link);

		list_each(jt, lan_ports(l->lan)) {
			struct port *p = container_of(jt, struct port,
						      link_all);

			if (p->id == m->port && engine_is_machine(p) && r == 0)
				r = put_on(p, m);
		}
	}
	return r;
}
