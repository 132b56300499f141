/* SPDX-License-Identifier: BSD-3-Clause */
/* nat: a machine's own LAN behind a gateway that leads to the host's network.
 * Nobody gets in but by a forwarded port. */
#include "mode/mode_priv.h"

const struct mode_key mode_nat_keys[] = {
	MODE_GATEWAY_KEYS,
	MODE_SERVICE_KEYS,
	MODE_NAT_KEYS,
	{.key = NULL},
};

int mode_nat(const struct mode_spec *s, const struct mode_host *h,
	     struct mode_netdevs *n, struct error *e)
{
	return mode_gateway(s, h, "", n, e);
}
