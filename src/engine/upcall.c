/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What lans and ports tell of themselves: news for the keeper.  Called from
 * the data path's edge on worker 0's thread: noted, or said, and no more.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "engine/engine_priv.h"

/* err: 0, or the port is shut after a fault. */
static void tell_event(struct engine *e, uint32_t port, const char *text,
		       int err)
{
	union engine_msg m = {0};

	m.failed.port = port;
	m.failed.err = err;
	snprintf(m.failed.text, sizeof(m.failed.text), "%s", text);
	engine_tell(e, &m, ENGINE_MSG_EVENT);
}

bool engine_is_machine(const struct port *p)
{
	return !p->caps.is_uplink && strcmp(p->ops->kind, "user") != 0 &&
	       strcmp(p->ops->kind, "hostif") != 0;
}

static void on_link(void *arg, struct port *p, bool up)
{
	struct engine *e = arg;
	struct engine_netdev *n = engine_netdev_find(e, p->id);

	if (!engine_is_machine(p))
		return;
	if (up)
		e->n_machines++;
	else if (e->n_machines)
		e->n_machines--;
	if (n)
		engine_news_machine(e, n, p->name, up);
	if (up)
		engine_cable_port(e, p);
	if (!up && e->sock < 0 && !e->n_machines)
		loop_stop(e->worker->loop);
}

static void on_fault(void *arg, struct port *p, enum port_fault why,
		     const char *text)
{
	char line[ENGINE_TEXT_LEN];

	(void)why; /* the text says it */
	snprintf(line, sizeof(line), "%s: %s", p->name, text);
	tell_event(arg, p->id, line, EIO);
}

static void on_mac_clash(void *arg, mac m, struct port *a, struct port *b,
			 const mac *alias)
{
	char line[ENGINE_TEXT_LEN];
	char known[MAC_STRLEN];
	char text[MAC_STRLEN];

	if (alias)
		snprintf(line, sizeof(line),
			 "%s and %s use the same MAC %s; the second goes by %s "
			 "here; give it its own (mac=)",
			 a->name, b->name, mac_format(m, text),
			 mac_format(*alias, known));
	else
		snprintf(line, sizeof(line),
			 "%s and %s use the same MAC %s; give one of them "
			 "another (mac=)",
			 a->name, b->name, mac_format(m, text));
	tell_event(arg, a->id, line, 0);
}

static void on_want_fd(void *arg, struct port *p)
{
	struct engine_netdev *n = engine_netdev_find(arg, p->id);

	if (n)
		engine_news_want_fd(arg, n);
}

static int on_want_leg(void *arg, struct port *p, unsigned i, mac m,
		       bool is_open)
{
	union engine_msg msg = {.leg = {
					.port = p->id,
					.leg = i,
					.mac = m,
					.is_open = is_open,
				}};

	return engine_tell(arg, &msg, ENGINE_MSG_LEG_WANT);
}

static int on_neighbour(void *arg, struct port *p, const addr *ip, mac m,
			bool is_here)
{
	union engine_msg msg = {.neighbour = {
					.port = p->id,
					.ip = *ip,
					.mac = m,
					.is_here = is_here,
				}};

	return engine_tell(arg, &msg, ENGINE_MSG_NEIGHBOUR);
}

static void on_settled(void *arg, struct port *p, int r)
{
	struct engine *e = arg;
	struct engine_netdev *n = engine_netdev_find(e, p->id);
	struct msg_failed failed = {.port = p->id,
				    .order = ENGINE_MSG_AF_XDP_ADD,
				    .err = -r};

	snprintf(failed.text, sizeof(failed.text), "%s", strerror(-r));
	if (r < 0)
		engine_news_failed(e, &failed);
	if (n)
		engine_unsettled(e, n, false);
	if (n && r < 0)
		engine_netdev_drop(e, n); /* as if its order had failed */
}

struct lan_events engine_lan_events(struct engine *e)
{
	return (struct lan_events){
		.link = on_link,
		.fault = on_fault,
		.mac_clash = on_mac_clash,
		.heard = engine_heard,
		.arg = e,
	};
}

void engine_env_upcalls(struct engine *e, struct netdev_env *env)
{
	env->want_fd = on_want_fd;
	env->want_leg = on_want_leg;
	env->neighbour = on_neighbour;
	env->settled = on_settled;
	env->arg = e;
}
