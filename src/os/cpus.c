/* SPDX-License-Identifier: BSD-3-Clause */
/* #syscalls: sched_getaffinity */
#include "os/cpus.h"

#include <sched.h>

enum { MANY = CPU_SETSIZE };

unsigned cpus_usable(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) < 0)
		return MANY; /* more than a set holds */
	return (unsigned)CPU_COUNT(&set);
}
