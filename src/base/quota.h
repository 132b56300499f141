/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How much the machines of one port of the lan may hold of what all guests
 * share.  A machine has many MACs and in IPv6 a network full of addresses, but
 * one port, and that leaves a quarter to the others'.  Any thread, no state.
 */
#ifndef BASE_QUOTA_H
#define BASE_QUOTA_H

#include <stdbool.h>

enum { QUOTA_PORT_PARTS = 3 };

/* True if a port that holds n_port parts, of which n_free are free, may have
 * another one. */
static inline bool quota_port_has_room(unsigned n_port, unsigned n_free)
{
	return n_port / QUOTA_PORT_PARTS < n_free;
}

#endif
