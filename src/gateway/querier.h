/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Asks the machines of the lan which multicast groups they listen to (IGMPv3,
 * RFC 3376; MLDv2, RFC 3810), so that the lan can keep groups from those who
 * do not (lan/snoop.h).
 *
 * Asked is every QUERIER_EVERY_S, and soon after somebody's link came up; but
 * only while there are two machines or more, for whom it matters, and while
 * nobody with a lower address asks (RFC 3376 6.6.2).  Part of the gateway; the
 * worker's thread.
 */
#ifndef GATEWAY_QUERIER_H
#define GATEWAY_QUERIER_H

#include <stdbool.h>

#include "base/timer.h"
#include "nat/env.h"

enum {
	QUERIER_EVERY_S = 125,
	QUERIER_WAIT_MS = 10000, /* answers come within this time */
};

struct querier {
	const struct nat_env *env; /* borrowed */
	bool for_us;	     /* one machine is enough: we want to know */
	uint64_t asked_ns;   /* 0: not yet */
	struct timer timer;
};

void querier_init(struct querier *q, const struct nat_env *env, bool for_us);
void querier_deinit(struct querier *q);
/* Something about listeners on the lan changed (port_ops.listeners). */
void querier_listeners(struct querier *q);

#endif
