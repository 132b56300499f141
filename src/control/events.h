/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What may happen on a network, as GET /v1/events tells it: one table, of which
 * GET /v1 and vmlan-control(7) are made.  A new event is a number in the list
 * below, a row in event_table.c, and a call of event_say() (keeper/events.h).
 */
#ifndef CONTROL_EVENTS_H
#define CONTROL_EVENTS_H

#include "control/schema.h"

/* Keys besides those that all have. */
struct event_row {
	const char *name;
	const char *about;
	const struct schema_key *keys; /* NULL: none */
};

enum event_id {
	EVENT_NETWORK_STARTED,
	EVENT_NETWORK_KEPT,
	EVENT_NETWORK_ENDING,
	EVENT_MACHINE_ATTACHED,
	EVENT_MACHINE_DETACHED,
	EVENT_MACHINE_CONNECTED,
	EVENT_MACHINE_DISCONNECTED,
	EVENT_MACHINE_ADDRESSES,
	EVENT_LINK_DOWN,
	EVENT_LINK_UP,
	EVENT_LINK_CHANGED,
	EVENT_NETDEV_CONNECTED,
	EVENT_NETDEV_GONE,
	EVENT_NETDEV_LOST,
	EVENT_NETDEV_BACK,
	EVENT_LEASE_GIVEN,
	EVENT_LEASE_RENEWED,
	EVENT_LEASE_ENDED,
	EVENT_ADDRESS_IN_USE,
	EVENT_PORT_FAULT,
	EVENT_WARNING,
	EVENT_ENGINE_ENDED,
	EVENT_ENGINE_SERVES,
	EVENT_FORWARD_ADDED,
	EVENT_FORWARD_REMOVED,
	EVENT_CAPTURE_STARTED,
	EVENT_CAPTURE_STOPPED,
	EVENT_LOST,
	EVENT_ANEW,
	EVENT_N
};

extern const struct event_row event_rows[EVENT_N];
/* "seq", "time" and "type". */
extern const struct schema_key event_head[];
/* The table as JSON, the caller's; NULL: no memory. */
json_t *event_rows_json(void);
/* In scdoc form. */
void event_rows_scdoc(FILE *out);

#endif
