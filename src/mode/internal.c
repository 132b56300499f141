/* SPDX-License-Identifier: BSD-3-Clause */
/* internal: the machines of the network and nobody else.  With dhcp=on a
 * gateway leases addresses, and leads nowhere. */
#include <string.h>

#include "mode/mode_priv.h"

const struct mode_key mode_internal_keys[] = {
	{.key = "dhcp", .help = "on: a server leases addresses (off)"},
	{.key = "exec", .help = "on: vmlan exec gets in (off)"},
	MODE_GATEWAY_KEYS,
	{.key = NULL},
};

int mode_internal(const struct mode_spec *s, const struct mode_host *h,
		  struct mode_netdevs *n, struct error *e)
{
	const char *dhcp = mode_value(s, "dhcp");
	const char *exec = mode_value(s, "exec");
	bool is_on = dhcp && strcmp(dhcp, "on") == 0;

	if (dhcp && !is_on && strcmp(dhcp, "off") != 0)
		return error_set(e, EXIT_USAGE,
				 "internal: dhcp= must be on or off");
	if (exec && strcmp(exec, "on") != 0 && strcmp(exec, "off") != 0)
		return error_set(e, EXIT_USAGE,
				 "internal: exec= must be on or off");
	if (is_on)
		return mode_gateway(s, h, ",restrict=on", n, e);
	if (s->n_options > (unsigned)(dhcp != NULL) + (exec != NULL))
		return error_set(e, EXIT_USAGE,
				 "internal: without dhcp=on there is no server "
				 "for the other keys");
	return 0;
}
