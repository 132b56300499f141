/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host's clock, for struct host.  Called by host_sock.c.
 *
 * No time is set: the engine has no right to.
 * #syscalls: adjtimex clock_adjtime
 */
#include "os/host_clock.h"

#include <sys/timex.h>
#include <time.h>

uint64_t host_clock_realtime(struct host *h)
{
	struct timespec ts;

	(void)h;
	clock_gettime(CLOCK_REALTIME, &ts);
	if (ts.tv_sec < 0)
		return 0;
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

void host_clock_state(struct host *h, struct host_clock *c)
{
	struct timex t = {.modes = 0}; /* only to read */
	int state = adjtimex(&t);

	(void)h;
	*c = (struct host_clock){.is_synced = false};
	if (state < 0 || state == TIME_ERROR || (t.status & STA_UNSYNC))
		return;
	c->is_synced = true;
	c->max_error_us = t.maxerror < 0 ? 0 : (uint32_t)t.maxerror;
	c->leap = state == TIME_INS ? 1 : state == TIME_DEL ? -1 : 0;
}
