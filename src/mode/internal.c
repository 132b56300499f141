/* SPDX-License-Identifier: BSD-3-Clause */
/* internal: the machines of the network and nobody else.  With dhcp=on a
 * gateway leases addresses, and leads nowhere. */
#include "mode/mode_priv.h"

const struct mode_key mode_internal_keys[] = {
	{.key = "dhcp", .help = "on: a server leases addresses (off)"},
	{.key = "exec", .help = "on: vmlan exec gets in (off)"},
	MODE_GATEWAY_KEYS,
	MODE_SERVICE_KEYS,
	{.key = NULL},
};

int mode_internal(const struct mode_spec *s, const struct mode_host *h,
		  struct mode_netdevs *n, struct error *e)
{
	unsigned n_own = (mode_value(s, "dhcp") ? 1u : 0) +
			 (mode_value(s, "exec") ? 1u : 0);

	if (mode_check(s, "dhcp", "on", "off", e) < 0 ||
	    mode_check(s, "exec", "on", "off", e) < 0)
		return -1;
	if (mode_is(s, "dhcp", "on"))
		return mode_gateway(s, h,
				    mode_value(s, "zone")
					    ? ",restrict=on"
					    : ",restrict=on,zone=vm.lan",
				    n, e);
	if (s->n_options > n_own)
		return error_set(e, EXIT_USAGE,
				 "internal: without dhcp=on there is no server "
				 "for the other keys");
	return 0;
}
