/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper's messages that are about DHCP; see orders.c, which calls this.
 */
#include <errno.h>

#include "engine/engine_priv.h"

int engine_order_dhcp(struct engine *e, const union engine_msg *m)
{
	struct gateway *gw = engine_gateway_find(e, m->port.port);

	if (!gw)
		return -EINVAL;
	switch ((int)m->head.type) {
	case ENGINE_MSG_DHCP_OPTION:
		return gateway_dhcp_option(gw, &m->dhcp_option.option);
	case ENGINE_MSG_DHCP_RESERVE:
		return gateway_dhcp_reserve(gw, &m->dhcp_reserve.reservation);
	case ENGINE_MSG_LEASE_KEEP:
		gateway_lease_keep(gw, &m->lease_keep.ip, m->lease_keep.mac);
		return 0;
	}
	return -EPROTO;
}
