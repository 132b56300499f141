/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the engine has the gateway's DHCP servers do: rules for clients,
 * addresses that are somebody's.  Called by the engine; the worker's thread.
 */
#include <errno.h>

#include "gateway/gateway_priv.h"

void gateway_lease_keep(struct gateway *gw, const addr *ip, mac m)
{
	dhcp_keep(gw->dhcp, ip, m);
}

int gateway_dhcp_option(struct gateway *gw, const struct dhcp_option *o)
{
	return dhcp_rules_add_option(gw->dhcp_rules, o);
}

int gateway_dhcp_reserve(struct gateway *gw, const struct dhcp_reservation *v)
{
	unsigned number;
	int r = dhcp_rules_add_reservation(gw->dhcp_rules, v);

	if (r < 0)
		return r;
	number = dhcp_rules_count(gw->dhcp_rules);
	return dhcp_reserved(gw->dhcp, number) ? 0 : -EINVAL;
}
