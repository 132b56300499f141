/* SPDX-License-Identifier: BSD-3-Clause */
/* Keys of what the engine shows: a part of schema_table.c. */
#ifndef CONTROL_SCHEMA_LOOK_H
#define CONTROL_SCHEMA_LOOK_H

#include "control/schema.h"

extern const struct schema_key schema_stats_keys[];
extern const struct schema_key schema_macs_keys[];
extern const struct schema_key schema_flows_query[];
extern const struct schema_key schema_flows_keys[];
extern const struct schema_key schema_gv_stats_keys[];

#endif
