/* SPDX-License-Identifier: BSD-3-Clause */
/* Limits of the process; see rlimit.h. */
#include "os/rlimit.h"

#include <sys/resource.h>

void rlimit_raise_nofile(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return;
	rl.rlim_cur = rl.rlim_max;
	/* Fails never: raising soft to hard is always allowed. */
	(void)setrlimit(RLIMIT_NOFILE, &rl);
}
