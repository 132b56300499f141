/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The nftables table by which the host's kernel is the router and NAT of a
 * network behind a bridge (netdev router), as text for os/nft.h.  One table
 * of family inet for each bridge; no other is touched.
 *
 *	machine -> elsewhere  under the host's address; from its own network's
 *	                      addresses only, which nobody elsewhere has
 *	elsewhere -> machine  answers, and what a forward leads to it
 *	machine -> host       pings, and ports that are forwarded; else it is
 *	                      refused
 *	host -> machine       answers; else it is refused
 *
 * All of it in both families; one that the network does not have has no way
 * through.  What other tables of the host drop stays dropped.
 */
#ifndef OS_ROUTER_TABLE_H
#define OS_ROUTER_TABLE_H

#include <net/if.h>
#include <stdint.h>

#include "base/addr.h"

enum { ROUTER_TABLE_LEN = IFNAMSIZ + 8 };

#define ROUTER_TABLE_FAMILY "inet"

/* The table's name; br is one that nft can name (nft_is_name). */
const char *router_table_name(const char *br,
			      char buf[static ROUTER_TABLE_LEN]);
/* Makes it, for the bridge and the machines' networks, one of a family at most.
 * malloc'd, NULL: no memory. */
char *router_table(const char *br, const struct prefix *nets, unsigned n);

/* Added for the tap by which the LAN is plugged into the bridge: what comes
 * from the tap itself passes nowhere, for somebody has taken the bridge away.
 * malloc'd, NULL: no memory. */
char *router_table_tap(const char *br, const char *tap);

/* What comes to a port of the host from elsewhere and goes to a machine.  The
 * host's own connections, and machines', go to who listens at that port. */
struct router_forward {
	uint8_t proto;        /* IPPROTO_TCP, IPPROTO_UDP */
	struct endpoint host; /* ip unspecified: any of the host's */
	struct endpoint guest; /* of the same family */
};

/* Has these n forwards in place of those before. */
char *router_table_forwards(const char *br, const struct router_forward *v,
			    unsigned n);

#endif
