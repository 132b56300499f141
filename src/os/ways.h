/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether the host has a way out to the Internet of each family, as the kernel
 * of the current namespace would choose it.  Used by the keeper.
 */
#ifndef OS_WAYS_H
#define OS_WAYS_H

#include <stdbool.h>
#include <stdint.h>

struct ways {
	bool v4, v6;
	uint32_t link4, link6; /* the interfaces that lead there, 0: none */
};

/* Asks the kernel's routing, rules and source addresses included, and sends
 * nothing.  A way by a link without a carrier is none. */
struct ways ways_now(void);

#endif
