/* SPDX-License-Identifier: BSD-3-Clause */
/* MLD, versions 1 and 2 (RFC 2710, 3810).  Stateless. */
#ifndef WIRE_MLD_H
#define WIRE_MLD_H

#include "wire/group.h"

enum {
	MLD_LEN = 24,
	MLD_QUERY_LEN = 28, /* version 2, no sources */
	/* Ethernet, IPv6 with the router alert option, the query. */
	MLD_QUERY_FRAME = 14 + 40 + 8 + MLD_QUERY_LEN,
};

/* One ICMPv6 message, all of r, from src to dst, its checksum verified. False
 * (and *mp untouched) for what is cut short, wrong or not MLD, or a query of no
 * version (RFC 3810 8.1). */
bool mld_parse(struct rd *r, const addr *src, const addr *dst,
	       struct group_msg *mp);
/* As igmp_emit_query(), version 2. */
void mld_emit_query(struct wr *w, mac from, const addr *ip, uint32_t wait_ms,
		    uint32_t every_s);

#endif
