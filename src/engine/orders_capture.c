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
	const struct taps_config c = {
		.wheel = loop_wheel(e->worker->loop),
		.now_ns = loop_now(e->worker->loop),
		.wall_ns = wall_ns,
		.is_cable = is_cable,
	};

	return taps_new(&c, &e->taps);
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
	int r = m->port ? taps_start(e->taps, &c) : -EINVAL;

	if (r == 0 && n_fds > 1)
		fds[1] = -1;
	return r;
}

int engine_order_capture_del(struct engine *e, const struct msg_port *m)
{
	(void)taps_stop(e->taps, m->port); /* one that was refused is none */
	return 0;
}
