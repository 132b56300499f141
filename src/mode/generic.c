/* SPDX-License-Identifier: BSD-3-Clause */
/* generic: the uplink is whatever netdev was named, or several. */
#include <stdlib.h>
#include <string.h>

#include "mode/mode_priv.h"

const struct mode_key mode_generic_keys[] = {
	{.key = "netdev",
	 .help = "the uplink, as a NETDEV of vmlan join; may be given again",
	 .is_list = true},
	{.key = NULL},
};

int mode_generic(const struct mode_spec *s, const struct mode_host *h,
		 struct mode_netdevs *n, struct error *e)
{
	(void)h;
	for (unsigned i = 0; i < s->n_options; i++) {
		const char *value = strchr(s->options[i], '=') + 1;

		if (mode_netdev_add(n, strdup(value), e) < 0)
			return -1;
	}
	if (!n->n)
		return error_set(e, EXIT_USAGE,
				 "generic: name its uplink by netdev=, or use "
				 "internal for a network without one");
	return 0;
}
