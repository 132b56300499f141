/* SPDX-License-Identifier: BSD-3-Clause */
/* What was counted on a network, as its control socket shows it. */
#ifndef KEEPER_STATS_H
#define KEEPER_STATS_H

#include <jansson.h>

#include "worker/counters.h"

/* {"network", "uptime-ms", "drops": [{"name", "text", "count"}]} with the
 * reasons that there were, in the order of the table; the caller's.  NULL: no
 * memory. */
json_t *stats_object(const char *network, uint64_t uptime_ms,
		     const struct counters *c);

#endif
