/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine's workers: their number is the first order's, and does not change.
 * With one there are no threads and no lanes, and nothing is asked here on the
 * way of a frame.
 */
#include <errno.h>
#include <stdlib.h>

#include "engine/engine_priv.h"

enum { MAIL_PER_ROUND = 1024 }; /* messages of one sender */

_Static_assert((int)ENGINE_WORKERS_MAX == (int)TEAM_MAX &&
		       (int)ENGINE_WORKERS_MAX == (int)COUNTERS_WORKERS,
	       "one bound");

/* Any worker. */
static void on_mail(void *arg, unsigned me, struct mail *m)
{
	struct engine *e = arg;
	struct mail_cell c;
	struct frame f;

	for (unsigned i = 0; i < MAIL_PER_ROUND && mail_next(m, &c, &f); i++) {
		if (c.kind == ENGINE_MAIL_LOOK)
			engine_look_mail(e, me);
		else
			lanes_take(e->lanes, me, mail_from(m), &c, &f);
	}
	lanes_taken(e->lanes, me);
}

static void on_room(void *arg, unsigned me, struct mail *m)
{
	struct engine *e = arg;

	lanes_room(e->lanes, me, m);
	engine_look_room(e, me);
}

int engine_workers_start(struct engine *e, unsigned n,
			 const struct host_sock_limits *limits)
{
	static const struct team_ops ops = {.mail = on_mail, .room = on_room};
	const struct team_config c = {
		.n = n,
		.log = &e->log,
		.limits = limits,
		.slots = e->counters.slots,
		.ops = &ops,
		.arg = e,
	};
	struct error err = ERROR_NULL;
	int r = team_new(&c, &e->team, &err);

	if (r < 0) {
		log_error(&e->log, "engine: %s", err.text);
		return r;
	}
	e->worker = team_worker(e->team, 0);
	return n > 1 ? lanes_new(e->team, &e->lanes) : 0;
}

void engine_workers_stop(struct engine *e)
{
	/* The threads first: they hold nothing of a lan by now. */
	e->team = e->team ? team_free(e->team) : NULL;
	e->lanes = lanes_free(e->lanes);
	e->worker = NULL;
}

static struct lanes_net *net_of(struct engine *e, const struct port *p)
{
	list_each(it, &e->lans) {
		struct engine_lan *l =
			container_of(it, struct engine_lan, link);

		if (l->lan == p->lan)
			return l->net;
	}
	return NULL;
}

void engine_port_stats(void *arg, const struct port *p, struct port_stats *sum)
{
	struct lanes_net *net = net_of(arg, p);

	*sum = p->stats;
	if (net)
		lanes_port_stats(net, p, sum);
}

static void on_pause(void *arg)
{
	struct engine *e = arg;

	team_pause(e->team);
}

static void on_resume(void *arg)
{
	struct engine *e = arg;

	team_resume(e->team);
}

static int on_leg(void *arg, struct port *p, unsigned worker, struct port *leg)
{
	struct lanes_net *net = net_of(arg, p);

	return net ? lanes_leg_set(net, p, worker, leg) : -ENOENT;
}

/* Any worker. */
static uint64_t on_gateway_mail(void *arg, const struct port *p, unsigned me,
				unsigned to, const struct batch *b,
				uint64_t mask)
{
	struct engine_lan *l = arg;

	return lanes_send(l->net, me, to, p->serial, b, mask);
}

int engine_lan_workers(struct engine *e, struct engine_lan *l)
{
	unsigned n = team_size(e->team) - 1;
	int r;

	if (!n)
		return 0;
	l->workers = calloc(n, sizeof(*l->workers));
	l->gateway_workers = calloc(n, sizeof(*l->gateway_workers));
	if (!l->workers || !l->gateway_workers)
		return -ENOMEM;
	r = lanes_net_new(e->lanes, l->lan, 0, &l->net);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < n; i++) {
		struct worker *w = team_worker(e->team, i + 1);
		struct lan *lane = lanes_lane(l->net, i + 1);

		l->workers[i] = (struct netdev_worker){
			.loop = w->loop,
			.lane = lane,
			.drops = w->drops,
			.log = w->log,
		};
		l->gateway_workers[i] = (struct gateway_worker){
			.host = w->host,
			.wheel = loop_wheel(w->loop),
			.now_ns = loop_now(w->loop),
			.lane = lane,
			.drops = w->drops,
			.log = w->log,
		};
	}
	l->env.workers = l->workers;
	l->env.n_workers = n;
	l->env.pause = on_pause;
	l->env.resume = on_resume;
	l->env.leg = on_leg;
	return 0;
}

void engine_lan_alone(struct engine_lan *l)
{
	l->net = lanes_net_free(l->net);
	free(l->workers);
	free(l->gateway_workers);
}

void engine_gateway_workers(struct engine_lan *l, struct gateway_env *env)
{
	env->workers = l->gateway_workers;
	env->n_workers = l->env.n_workers;
	env->pause = l->env.pause;
	env->resume = l->env.resume;
	env->leg = l->env.leg;
	env->mail = on_gateway_mail;
	env->mail_arg = l;
}
