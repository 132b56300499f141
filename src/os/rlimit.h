/* SPDX-License-Identifier: BSD-3-Clause */
/* Limits of the process. */
#ifndef OS_RLIMIT_H
#define OS_RLIMIT_H

/* As many descriptors as the hard limit grants: one per connection. */
void rlimit_raise_nofile(void);

#endif
