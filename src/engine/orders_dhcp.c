/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper's messages that are about DHCP; see orders.c, which calls this.
 */
#include <errno.h>

#include "engine/engine_priv.h"

int engine_order_dhcp(struct engine *e, const union engine_msg *m)
{
	struct gateway *gw = engine_gateway_find(e, m->port.port);

	if (!gw)
		return -EINVAL;
	switch ((int)m->head.type) {
	case ENGINE_MSG_DHCP_OPTION:
		return gateway_dhcp_option(gw, &m->dhcp_option.option);
	case ENGINE_MSG_DHCP_RESERVE:
		return gateway_dhcp_reserve(gw, &m->dhcp_reserve.reservation);
	case ENGINE_MSG_LEASE_KEEP:
		gateway_lease_keep(gw, &m->lease_keep.ip, m->lease_keep.mac);
		return 0;
	case ENGINE_MSG_LEASE_ADD:
		/* One that is none here is no failure. */
		gateway_lease_restore(gw, &m->lease.lease, m->lease.left_s);
		return 0;
	}
	return -EPROTO;
}

static bool may_be_urgent(const struct engine *e, struct engine_news *s)
{
	uint64_t now = *loop_now(e->worker->loop);

	if (now - s->urgent_ns >= UINT64_C(1000000000)) {
		s->urgent_ns = now;
		s->n_urgent = 0;
	}
	return s->n_urgent++ < ENGINE_LEASES_URGENT;
}

void engine_leases_changed(void *arg, uint32_t id, bool is_urgent)
{
	struct engine *e = arg;
	struct engine_netdev *n = engine_netdev_find(e, id);

	if (!n || e->sock < 0)
		return;
	if (is_urgent && may_be_urgent(e, &n->news))
		engine_news_leases(e, n);
	else
		engine_heard_later(e, &n->news.has_leases);
}

struct telling {
	struct engine *e;
	uint32_t port;
};

static int tell_lease(void *arg, const struct dhcp_lease *l, uint32_t left_s)
{
	const struct telling *t = arg;
	union engine_msg m = {.lease = {.port = t->port,
					.left_s = left_s,
					.lease = *l}};

	return engine_tell(t->e, &m, ENGINE_MSG_LEASE);
}

int engine_leases_tell(struct engine *e, const struct engine_netdev *n)
{
	struct telling t = {.e = e, .port = n->id};

	return n->role == ROLE_GATEWAY
		       ? gateway_lease_news(n->gateway, tell_lease, &t)
		       : 0;
}
