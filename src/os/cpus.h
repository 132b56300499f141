/* SPDX-License-Identifier: BSD-3-Clause */
/* The processors of this machine. */
#ifndef OS_CPUS_H
#define OS_CPUS_H

/* How many the calling thread may run on, at least 1. */
unsigned cpus_usable(void);

#endif
