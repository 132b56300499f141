/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the host has IPv4 routes to, by rtnetlink, in the current namespace.
 * Used by the commands, to choose a subnet.
 */
#ifndef OS_ROUTES_H
#define OS_ROUTES_H

#include "base/addr.h"

enum {
	ROUTES_MAX = 4096,   /* more are not looked at */
	ROUTES_LEN_MIN = 8,  /* a shorter prefix is a default route, if in two
			      * or four pieces: no place anybody has */
};

/* Unicast destinations of all tables; *vp is the caller's to free. 0, or a
 * negative errno. */
__attribute__((warn_unused_result)) int routes_read(struct prefix **vp,
						    unsigned *np);

#endif
