/* SPDX-License-Identifier: BSD-3-Clause */
/* Limits of the process. */
#ifndef OS_RLIMIT_H
#define OS_RLIMIT_H

/* As many descriptors as the hard limit grants: one per connection.  Returns
 * the soft limit there was. */
unsigned long rlimit_raise_nofile(void);
/* Another soft limit, which is no more than the hard one; 0: leaves it. */
void rlimit_set_nofile(unsigned long soft);

#endif
