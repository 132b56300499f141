/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper's orders about captures (capture/taps.h).  Called by orders.c with
 * checked messages; worker 0's thread, between batches.
 * #syscalls: clock_gettime
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "capture/taps.h"
#include "engine/engine_priv.h"

_Static_assert((int)ENGINE_NAME_LEN == (int)PORT_NAME_LEN, "one bound");

static uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static bool is_cable(const struct port *p)
{
	return strcmp(p->ops->kind, "hubport") == 0;
}

int engine_captures_start(struct engine *e)
{
	struct taps_worker workers[TEAM_MAX];
	const struct taps_config c = {
		.workers = workers,
		.n_workers = team_size(e->team),
		.wall_ns = wall_ns,
		.is_cable = is_cable,
		.stats = engine_port_stats,
		.arg = e,
	};

	for (unsigned i = 0; i < c.n_workers; i++) {
		struct loop *loop = team_worker(e->team, i)->loop;

		workers[i] = (struct taps_worker){
			.wheel = loop_wheel(loop),
			.now_ns = loop_now(loop),
		};
	}
	return taps_new(&c, &e->taps);
}

void engine_captures_stop(struct engine *e)
{
	if (!e->taps)
		return;
	team_pause(e->team);
	e->taps = taps_free(e->taps);
	team_resume(e->team);
}

int engine_captures_lan(struct engine *e, struct engine_lan *l)
{
	unsigned n = l->net ? team_size(e->team) : 1;
	int r;

	team_pause(e->team);
	r = taps_lan_add(e->taps, l->lan, 0);
	for (unsigned i = 1; i < n && r == 0; i++)
		r = taps_lan_add(e->taps, lanes_lane(l->net, i), i);
	team_resume(e->team);
	return r;
}

void engine_captures_lan_del(struct engine *e, struct engine_lan *l)
{
	unsigned n = l->net ? team_size(e->team) : 1;

	team_pause(e->team);
	for (unsigned i = 1; i < n; i++)
		taps_lan_del(e->taps, lanes_lane(l->net, i));
	taps_lan_del(e->taps, l->lan);
	team_resume(e->team);
}

int engine_order_capture(struct engine *e, const struct msg_capture_add *m,
			 int *fds, unsigned n_fds)
{
	const struct taps_capture c = {
		.id = m->port,
		.mode = m->is_kept ? RING_KEPT : RING_STREAM,
		.port = m->name,
		.snap_len = m->snap_len,
		.ring = fds[0],
		.size = m->size,
		.wake = n_fds > 1 ? fds[1] : -1,
	};
	int r = -EINVAL;

	team_pause(e->team);
	if (m->port)
		r = taps_start(e->taps, &c);
	team_resume(e->team);
	if (r == 0 && n_fds > 1)
		fds[1] = -1;
	return r;
}

int engine_order_capture_del(struct engine *e, const struct msg_port *m)
{
	struct ring_writer ended;

	team_pause(e->team);
	/* One that was refused is none. */
	(void)taps_stop(e->taps, m->port, &ended);
	team_resume(e->team);
	ring_writer_close(&ended);
	return 0;
}
