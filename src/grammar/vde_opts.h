/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The options of `vde`, taken apart.  Called by netdev_parse(), which refuses
 * what cannot be, and by the keeper, which opens what is left.
 */
#ifndef GRAMMAR_VDE_OPTS_H
#define GRAMMAR_VDE_OPTS_H

#include <stdbool.h>
#include <stdint.h>

#include "grammar/netdev_spec.h"

enum {
	VDE_FOLDER_MAX = 90, /* bytes; the sockets' names stand behind it */
};

struct vde_opts {
	char folder[VDE_FOLDER_MAX + 1]; /* "": not given */
	uint16_t port; /* client: 0 = any */
	uint16_t mode; /* permission bits */
};

/* spec is of kind `vde`. 0, or negative with *e filled (EXIT_USAGE). */
MUST_USE int vde_opts_get(const struct netdev_spec *spec, struct vde_opts *o,
			  struct error *e);

#endif
