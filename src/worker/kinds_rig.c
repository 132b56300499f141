/* SPDX-License-Identifier: BSD-3-Clause */
/* For tests of port kinds, see kinds_rig.h. */
#include "worker/kinds_rig.h"

static void on_pause(void *arg)
{
	struct kinds *k = arg;

	k->n_pauses++;
	team_pause(k->w->t);
}

static void on_resume(void *arg)
{
	struct kinds *k = arg;

	team_resume(k->w->t);
}

static int on_leg(void *arg, struct port *p, unsigned worker, struct port *leg)
{
	struct kinds *k = arg;

	return lanes_leg_set(k->w->net, p, worker, leg);
}

void kinds_init(struct kinds *k, struct world *w)
{
	const struct worker *first = team_worker(w->t, 0);

	*k = (struct kinds){.w = w};
	k->env = (struct netdev_env){
		.loop = first->loop,
		.lan = w->lan,
		.drops = first->drops,
		.workers = k->workers,
		.n_workers = w->n - 1,
		.pause = on_pause,
		.resume = on_resume,
		.leg = on_leg,
		.arg = k,
	};
	for (unsigned i = 1; i < w->n; i++) {
		const struct worker *o = team_worker(w->t, i);

		k->workers[i - 1] = (struct netdev_worker){
			.loop = o->loop,
			.lane = lanes_lane(w->net, i),
			.drops = o->drops,
		};
	}
}
