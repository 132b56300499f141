/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper's orders about what the gateway serves.  Called by orders.c with
 * checked messages; worker 0's thread, between batches.
 */
#include <errno.h>

#include "engine/engine_priv.h"

int engine_order_http(struct engine *e, const struct msg_port *m)
{
	struct gateway *gw = engine_gateway_find(e, m->port);

	if (!gw)
		return -EINVAL;
	gateway_http(gw);
	return 0;
}
