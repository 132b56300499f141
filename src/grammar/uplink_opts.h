/* SPDX-License-Identifier: BSD-3-Clause */
/* Values of the kinds that lead to the host's networks. */
#ifndef GRAMMAR_UPLINK_OPTS_H
#define GRAMMAR_UPLINK_OPTS_H

#include <stdbool.h>

#include "base/addr.h"

/* "192.168.56.1/24", "fd00::1/64": an address that an interface can have, with
 * the length of its network. */
bool hostif_addr_parse(const char *text, struct prefix *p);

/* The address of the link that a router of ours has on its bridge. */
#define UPLINK_ROUTER_LINK ((addr){{0xfe, 0x80, [15] = 1}})

/* mode= of macvtap. */
enum uplink_mode {
	UPLINK_BRIDGE,
	UPLINK_VEPA,
	UPLINK_PRIVATE,
	UPLINK_PASSTHRU,
};
bool uplink_mode_parse(const char *text, enum uplink_mode *mp);

#endif
