/* SPDX-License-Identifier: BSD-3-Clause */
/* What a filter costs a socket, for tests: the kernel writes its instructions
 * anew, and a load from the frame is some fourteen then. */
#ifndef NETDEV_RIG_FILTER_H
#define NETDEV_RIG_FILTER_H

#include <linux/filter.h>

/* Linux 6.1 has 20480 (net.core.optmem_max) for the old one and the new. */
enum { RIG_FILTER_BYTES = 10000 };

static inline unsigned rig_filter_bytes(const struct sock_filter *f, unsigned n)
{
	unsigned sum = 100; /* around them */

	for (unsigned i = 0; i < n; i++) {
		unsigned class = BPF_CLASS(f[i].code);

		sum += class == BPF_LD && BPF_MODE(f[i].code) == BPF_ABS ? 14
									 : 2;
	}
	return sum * 8;
}

#endif
