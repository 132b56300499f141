/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a packet would go (vmlan why): the ports of the machines, the switch,
 * and the gateway say it.  One look at each, between batches; worker 0's
 * thread.
 */
#include <stdio.h>

#include "engine/engine_priv.h"

/* The port of a machine's netdev; NULL: none, for nobody is connected. */
static struct port *port_of(struct engine *e, uint32_t id)
{
	list_each(it, &e->lans) {
		struct engine_lan *l =
			container_of(it, struct engine_lan, link);

		list_each(jt, lan_ports(l->lan)) {
			struct port *p =
				container_of(jt, struct port, link_all);

			if (p->id == id)
				return p;
		}
	}
	return NULL;
}

static enum why_port state_of(const struct port *p)
{
	if (!p)
		return WHY_PORT_ALONE;
	if (port_is_up(p))
		return WHY_PORT_UP;
	if (p->fault)
		return WHY_PORT_FAULT;
	return p->admin_up ? WHY_PORT_ALONE : WHY_PORT_PULLED;
}

static void put_port(struct why_trail *t, unsigned side, const struct port *p)
{
	enum why_port state = state_of(p);
	struct why_step *s = why_put(
		t, WHY_PORT, state == WHY_PORT_UP ? WHY_YES : WHY_NO);

	s->side = (uint8_t)side;
	s->err = (int32_t)state;
	if (p)
		snprintf(s->text, sizeof(s->text), "%s", p->name);
}

/* Between two machines of one lan. */
static void put_exit(struct why_trail *t, struct port *from, struct port *to,
		     mac dst)
{
	struct lan_path path = {.port = NULL};
	struct why_step *s;

	if (!mac_is_zero(dst))
		lan_path(from, dst, &path);
	s = why_put(t, WHY_EXIT, path.port == to ? WHY_YES : WHY_UNKNOWN);
	if (path.port)
		snprintf(s->text, sizeof(s->text), "%s", path.port->name);
}

static void put_gateway(struct engine *e, const struct msg_why_ask *m,
			struct why_trail *t)
{
	struct gateway *gw = engine_gateway_find(e, m->gateway);
	const struct gateway_why q = {
		.from = m->src,
		.from_mac = m->from_mac,
		.to = m->dst,
		.proto = m->proto,
		.name = m->name,
		.only_name = m->only_name,
		.is_host = m->is_host,
		.is_inward = m->is_inward,
	};

	if (gw)
		gateway_why(gw, &q, t);
}

int engine_order_why(struct engine *e, const struct msg_why_ask *m)
{
	struct port *from = m->from ? port_of(e, m->from) : NULL;
	struct port *to = m->to ? port_of(e, m->to) : NULL;
	union engine_msg a = {.why = {.cookie = m->cookie}};
	struct why_trail *t = &a.why.trail;

	if (m->from)
		put_port(t, 0, from);
	if (m->to)
		put_port(t, 1, to);
	if (from && to && from->lan == to->lan)
		put_exit(t, from, to, m->to_mac);
	put_gateway(e, m, t);
	/* Who asked waits no longer than he likes. */
	(void)engine_tell(e, &a, ENGINE_MSG_WHY);
	return 0;
}
