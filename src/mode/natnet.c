/* SPDX-License-Identifier: BSD-3-Clause */
/* natnet: as nat, but all machines of the network share one LAN and see each
 * other. */
#include <string.h>

#include "mode/mode_priv.h"

const struct mode_key mode_natnet_keys[] = {
	MODE_GATEWAY_KEYS,
	{.key = "backend", .help = "user, which needs no root"},
	{.key = NULL},
};

int mode_natnet(const struct mode_spec *s, const struct mode_host *h,
		struct mode_netdevs *n, struct error *e)
{
	const char *backend = mode_value(s, "backend");

	if (backend && strcmp(backend, "kernel") == 0)
		return error_set(e, EXIT_USAGE,
				 "natnet: backend=kernel is not built yet; "
				 "user is");
	if (backend && strcmp(backend, "user") != 0)
		return error_set(e, EXIT_USAGE,
				 "natnet: backend= must be user");
	return mode_gateway(s, h, "", n, e);
}
