/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A /64 for a network of ours, out of a shorter IPv6 prefix that is the host's
 * to divide.  Modes choose one, the keeper another when the host's changes; no
 * state.
 */
#ifndef BASE_PART_H
#define BASE_PART_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

/* The one whose bits behind p's own are those. */
struct prefix part_of(const struct prefix *p, uint64_t bits);
/* True if it can be had: it is not p's first, which is the host's own LAN or a
 * router's, and the host has no route into it but those that hold all of p. */
bool part_is_free(const struct prefix *p, const struct prefix *part,
		  const struct prefix *routes, unsigned n_routes);

#endif
