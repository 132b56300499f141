/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lease as engine, keeper and file know it: whose an address is.  Plain
 * values; when it ends stands beside it.
 */
#ifndef BASE_DHCP_LEASE_H
#define BASE_DHCP_LEASE_H

#include <stdint.h>

#include "base/addr.h"
#include "base/dhcp_rule.h"

enum { DHCP_CLIENT_LEN = 135 }; /* a type or IAID, and a DUID */

enum dhcp_lease_state {
	DHCP_LEASE_ENDED, /* anybody's, but its client's first of all */
	DHCP_LEASE_BOUND,
	DHCP_LEASE_RESTED, /* somebody else was found to have the address */
	DHCP_LEASE_STATES
};

struct dhcp_lease {
	addr ip;
	mac mac;
	uint8_t state; /* enum dhcp_lease_state */
	/* DHCPv4: the client identifier, or 1 and the MAC; DHCPv6: the DUID,
	 * then the IAID, of n_part bytes. */
	uint8_t id_len, n_part;
	uint8_t id[DHCP_CLIENT_LEN];
	char name[DHCP_NAME_LEN]; /* printable ASCII; "": not told */
};

#endif
