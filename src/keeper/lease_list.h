/* SPDX-License-Identifier: BSD-3-Clause */
/* The leases of a network as its control socket shows them. */
#ifndef KEEPER_LEASE_LIST_H
#define KEEPER_LEASE_LIST_H

#include <jansson.h>

#include "keeper/keeper_priv.h"
#include "keeper/lease_line.h"

/* {"leases": [{"address", "mac", "client-id" or "duid" and "iaid", "name",
 * "machine", "state", "ends"}]}, the caller's; NULL: no memory. */
json_t *lease_list(struct keeper *k);
/* Tells as an event what has become of a lease; old: the one that its address
 * had before, NULL: none. */
void lease_say(struct keeper *k, const struct kept_lease *old,
	       const struct kept_lease *l);

#endif
