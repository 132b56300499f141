/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A command that shows what a network, or a machine, has: one name, and
 * --json for what its keeper said, as it said it.
 */
#ifndef CLI_LISTING_H
#define CLI_LISTING_H

#include <jansson.h>

#include "base/error.h"
#include "base/mem.h"

struct listing {
	const char *command, *usage;
	const char *unnamed; /* what is to be named: "name the network" */
	/* What there is of that name: 0, *op is then the caller's; or negative
	 * with *e. */
	MUST_USE int (*ask)(const char *name, json_t **op, struct error *e);
	void (*print)(const json_t *o); /* for people, on standard output */
};

/* The command: its exit code; what there was to say has been said. */
int listing_run(const struct listing *l, int argc, char **argv);

#endif
