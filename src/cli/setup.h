/* SPDX-License-Identifier: BSD-3-Clause */
/* vmlan setup bridge: what its parts share. */
#ifndef CLI_SETUP_H
#define CLI_SETUP_H

#include <stdbool.h>

#include "base/error.h"
#include "base/mem.h"
#include "os/journal.h"
#include "os/rtnl.h"

/* A bridge that takes the place of an interface. */
struct setup_bridge {
	const char *ifname; /* borrowed: the command's words */
	const char *bridge;
	struct rtnl_link link;
	struct rtnl_addr *addrs; /* owned; in the kernel's order */
	int n_addrs;
	struct rtnl_route *routes; /* owned; those without a router first */
	int n_routes;
};

/* Reads what there is to move; negative with *e filled if it cannot work. */
MUST_USE int setup_bridge_plan(struct setup_bridge *b, struct error *e);
/* Says what will be done, and what may go wrong with it. */
void setup_bridge_print(const struct setup_bridge *b);
/* Does it, each step written to j first; what was done is there if it
 * fails. */
MUST_USE int setup_bridge_make(const struct setup_bridge *b, struct journal *j,
			       struct error *e);
void setup_bridge_deinit(struct setup_bridge *b);

#endif
