/* SPDX-License-Identifier: BSD-3-Clause */
/* IGMP, versions 1 to 3 (RFC 1112, 2236, 3376).  Stateless. */
#ifndef WIRE_IGMP_H
#define WIRE_IGMP_H

#include "wire/group.h"

enum {
	IGMP_LEN = 8,
	IGMP_QUERY_LEN = 12, /* version 3, no sources */
	/* Ethernet, IPv4 with the router alert option, the query. */
	IGMP_QUERY_FRAME = 14 + 24 + IGMP_QUERY_LEN,
};

/* One message, all of r, its checksum verified.  False (and *mp untouched) for
 * what is cut short or wrong, or a query of no version (RFC 3376 7.1). */
bool igmp_parse(struct rd *r, struct group_msg *mp);
/* The whole frame of a general query of version 3 from ip: answers within
 * wait_ms, the next query in every_s seconds (RFC 3376 4.1; both as near as
 * the format can say). */
void igmp_emit_query(struct wr *w, mac from, const addr *ip, uint32_t wait_ms,
		     uint32_t every_s);

#endif
