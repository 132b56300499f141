/* SPDX-License-Identifier: BSD-3-Clause */
/* none: no network at all; the machine gets no card. */
#include "mode/mode_priv.h"

int mode_none(const struct mode_spec *s, const struct mode_host *h,
	      struct mode_netdevs *n, struct error *e)
{
	(void)s;
	(void)h;
	(void)n;
	(void)e;
	return 0;
}
