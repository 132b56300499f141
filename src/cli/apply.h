/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What runs, made as configuration files have it: the difference (apply_diff.c)
 * is a list of changes, each of which is told and carried out on its own.
 */
#ifndef CLI_APPLY_H
#define CLI_APPLY_H

#include <jansson.h>

#include "cli/cli.h"
#include "cli/conf.h"

/* A change: what --json prints of it, and the request that makes it. */
struct change {
	json_t *o; /* owned: "change" (add, remove, change), "what", "network",
		    * "machine", "key", "from", "to", "restart" */
	const char *method; /* NULL: it takes more than a request */
	char *path;	    /* owned */
	json_t *body;	    /* owned; NULL: none */
};

struct changes {
	struct change *v; /* owned, and each */
	unsigned n;
	unsigned n_restart;   /* of them take a restart of the network */
	unsigned n_waiting; /* more are left for machines that are not there */
	bool is_out_of_memory;
};

#define CHANGES_NULL ((struct changes){.v = NULL})

/* What a network shows of itself; owned. */
struct running {
	json_t *network, *forwards, *captures;
};

#define RUNNING_NULL ((struct running){.network = NULL})

/* Asks for it.  0; -ENOENT: it does not run, *e is not filled; else negative
 * with *e. */
MUST_USE int running_get(const char *name, struct running *r, struct error *e);
void running_deinit(struct running *r);

/* Appends what differs in mode and options, which takes a restart. */
void diff_options(const struct conf *c, const struct running *r,
		  struct changes *ch);
/* Appends what differs in all else. */
void diff_live(const struct conf *c, const struct running *r,
	       struct changes *ch);
/* A change of a whole network: to or from is what it is. */
void diff_network(const char *name, const char *from, const char *to,
		  struct changes *ch);
void changes_deinit(struct changes *ch);

/* "+ forward lab: 2222:22"; the caller frees.  NULL: no memory. */
char *change_text(const struct change *c);

/* What a network that was just started by its file has besides options.  0, or
 * negative with *e. */
MUST_USE int apply_new(const struct conf *c, const struct cli_common *common,
		       struct error *e);

#endif
