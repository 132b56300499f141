/* SPDX-License-Identifier: BSD-3-Clause */
/* Limits of the process; see rlimit.h. */
#include "os/rlimit.h"

#include <sys/resource.h>

unsigned long rlimit_raise_nofile(void)
{
	struct rlimit rl;
	unsigned long old;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return 0;
	old = rl.rlim_cur;
	rl.rlim_cur = rl.rlim_max;
	/* Fails never: raising soft to hard is always allowed. */
	(void)setrlimit(RLIMIT_NOFILE, &rl);
	return old;
}

void rlimit_set_nofile(unsigned long soft)
{
	struct rlimit rl;

	if (!soft || getrlimit(RLIMIT_NOFILE, &rl) < 0)
		return;
	rl.rlim_cur = soft;
	/* Fails never below the hard limit. */
	(void)setrlimit(RLIMIT_NOFILE, &rl);
}
