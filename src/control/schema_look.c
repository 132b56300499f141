/* SPDX-License-Identifier: BSD-3-Clause */
/* What the engine shows, key by key; see schema_table.c. */
#include "control/schema_look.h"

static const struct schema_key drop_keys[] = {
	{"name", SCHEMA_STRING, .about = "the reason"},
	{"text", SCHEMA_STRING, .about = "the same in words"},
	{"count", SCHEMA_INTEGER, .about = "frames, packets or questions"},
	{NULL},
};

static const struct schema_key port_keys[] = {
	{"name", SCHEMA_STRING, .about = "its netdev's, or its machine's"},
	{"kind", SCHEMA_STRING, .about = "of netdev, as user or stream"},
	{"machine", SCHEMA_STRING, true, "whose port it is"},
	{"connected", SCHEMA_BOOLEAN, .about = "its peer is there"},
	{"up", SCHEMA_BOOLEAN, .about = "frames pass"},
	{"rx-frames", SCHEMA_INTEGER, .about = "from the peer into the LAN"},
	{"rx-bytes", SCHEMA_INTEGER, .about = "their bytes"},
	{"rx-drops", SCHEMA_INTEGER, .about = "of them, what went nowhere"},
	{"tx-frames", SCHEMA_INTEGER, .about = "from the LAN to the peer"},
	{"tx-bytes", SCHEMA_INTEGER, .about = "their bytes"},
	{"tx-drops", SCHEMA_INTEGER, .about = "what did not reach the peer"},
	{NULL},
};

static const struct schema_key counter_keys[] = {
	{"name", SCHEMA_STRING, .about = "what is counted"},
	{"text", SCHEMA_STRING, .about = "the same in words"},
	{"count", SCHEMA_INTEGER, .about = "how many"},
	{NULL},
};

const struct schema_key schema_stats_keys[] = {
	{"network", SCHEMA_STRING, .about = "its name"},
	{"uptime-ms", SCHEMA_INTEGER, .about = "since its keeper began"},
	{"drops", SCHEMA_OBJECTS, false, "what was lost, by reason", drop_keys},
	{"ports", SCHEMA_OBJECTS, false,
	 "of its LANs, since the engine began to serve them", port_keys},
	{"counters", SCHEMA_OBJECTS, false, "what else the engine counts",
	 counter_keys},
	{NULL},
};
