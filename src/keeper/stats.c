/* SPDX-License-Identifier: BSD-3-Clause */
/* Counters as JSON; see stats.h.  Called for requests (requests.c). */
#include "keeper/stats.h"

#include <stdint.h>

static json_t *one_reason(enum drop_reason why, uint64_t n)
{
	/* The engine's word is any number, and JSON's go less far. */
	json_int_t count = n < INT64_MAX ? (json_int_t)n : INT64_MAX;

	return json_pack("{s:s,s:s,s:I}", "name", drop_name(why), "text",
			 drop_text(why), "count", count);
}

json_t *stats_object(const char *network, uint64_t uptime_ms,
		     const struct counters *c)
{
	json_t *drops = json_array();

	for (unsigned i = 0; i < DROP_N; i++) {
		enum drop_reason why = (enum drop_reason)i;
		uint64_t n = counters_drops(c, why);

		if (n && json_array_append_new(drops, one_reason(why, n)) < 0) {
			json_decref(drops);
			return NULL;
		}
	}
	return json_pack("{s:s,s:I,s:o}", "network", network, "uptime-ms",
			 (json_int_t)uptime_ms, "drops", drops);
}
