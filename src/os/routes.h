/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the host has routes to, by rtnetlink, in the current namespace.
 * Used by the commands, to choose a subnet, and by the keeper.
 */
#ifndef OS_ROUTES_H
#define OS_ROUTES_H

#include "base/addr.h"

enum {
	ROUTES_MAX = 4096,   /* more are not looked at */
	ROUTES_LEN_MIN = 8,  /* a shorter prefix is a default route, if in two
			      * or four pieces: no place anybody has */
	ROUTES_DELEGATED_MIN = 16, /* no provider gives more */
};

/* What the host has to divide: IPv6 prefixes shorter than /64 that it was
 * delegated (they lead nowhere, but for their parts), or is on the link of.
 * Global ones only; *vp is the caller's to free.  0, or a negative errno. */
__attribute__((warn_unused_result)) int routes_delegated(struct prefix **vp,
							 unsigned *np);
/* Unicast destinations of all tables; *vp is the caller's to free. 0, or a
 * negative errno. */
__attribute__((warn_unused_result)) int routes_read(struct prefix **vp,
						    unsigned *np);

#endif
