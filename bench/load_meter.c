/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A flow as its receiver sees it: the bytes of a window of time, and the
 * longest time without a byte.  Used by both ends.
 */
#include "bench/load.h"

void meter_start(struct meter *m, int64_t now, int64_t warm_ns,
		 int64_t secs_ns)
{
	*m = (struct meter){
		.start_ns = now,
		.last_ns = now,
		.from_ns = now + warm_ns,
		.to_ns = now + warm_ns + secs_ns,
	};
}

/* Takes the counts at the window's ends, before bytes of now are added. */
static void look(struct meter *m, int64_t now)
{
	if (!m->begun && now >= m->from_ns) {
		m->begun = true;
		m->at_from = m->bytes;
	}
	if (!m->over && now >= m->to_ns) {
		m->over = true;
		m->at_to = m->bytes;
	}
	if (now - m->last_ns > m->stall_ns)
		m->stall_ns = now - m->last_ns;
}

void meter_add(struct meter *m, int64_t now, uint64_t bytes)
{
	look(m, now);
	m->last_ns = now;
	m->bytes += bytes;
}

void meter_stop(struct meter *m, int64_t now)
{
	look(m, now);
}

uint64_t meter_window(const struct meter *m)
{
	if (!m->begun)
		return 0;
	return (m->over ? m->at_to : m->bytes) - m->at_from;
}
