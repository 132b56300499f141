/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper hears of machines' addresses (lan/heard.h): now and then, and
 * all that a machine has at that moment.  What changes faster is no news.
 * Worker 0's thread.
 */
#include <string.h>

#include "base/mem.h"
#include "engine/engine_priv.h"

#define HEARD_TELL_NS UINT64_C(100000000)

static void on_tell(struct timer *t, uint64_t now_ns)
{
	struct engine *e = container_of(t, struct engine, heard_timer);

	(void)now_ns;
	list_each(it, &e->netdevs) {
		struct engine_news *s =
			&container_of(it, struct engine_netdev, link)->news;

		s->owes_heard |= s->has_heard;
		s->owes_leases |= s->has_leases;
		s->has_heard = s->has_leases = false;
	}
	if (!e->is_behind)
		engine_news_tell(e);
}

void engine_heard_init(struct engine *e)
{
	timer_init(&e->heard_timer, on_tell);
}

void engine_heard_stop(struct engine *e)
{
	if (timer_is_armed(&e->heard_timer))
		timer_disarm(loop_wheel(e->worker->loop), &e->heard_timer);
}

void engine_heard(void *arg, struct port *p)
{
	struct engine *e = arg;
	struct engine_netdev *n = engine_netdev_find(e, p->id);

	if (n && e->sock >= 0)
		engine_heard_later(e, &n->news.has_heard);
}

void engine_heard_later(struct engine *e, bool *noted)
{
	struct loop *loop = e->worker->loop;

	*noted = true;
	if (!timer_is_armed(&e->heard_timer))
		timer_arm(loop_wheel(loop), &e->heard_timer,
			  *loop_now(loop) + HEARD_TELL_NS);
}

static void put_port(struct msg_heard *m, const struct port *p)
{
	if (!mac_is_zero(p->last_mac))
		m->mac = p->last_mac;
	for (unsigned i = 0; i < p->n_heard && m->n < ENGINE_HEARD_MAX; i++)
		m->ip[m->n++] = p->heard[i];
}

int engine_heard_tell(struct engine *e, const struct engine_netdev *n)
{
	union engine_msg m = {.heard = {.port = n->id}};

	list_each(at, &e->lans) {
		const struct engine_lan *l =
			container_of(at, struct engine_lan, link);

		list_each(it, lan_ports(l->lan)) {
			const struct port *p =
				container_of(it, struct port, link_all);

			if (p->id == n->id)
				put_port(&m.heard, p);
		}
	}
	return engine_tell(e, &m, ENGINE_MSG_HEARD);
}
