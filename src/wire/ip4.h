/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv4 headers, to be sent (RFC 791 3.1); packet.h reads them. Stateless. */
#ifndef WIRE_IP4_H
#define WIRE_IP4_H

#include "base/addr.h"
#include "base/cursor.h"

enum {
	IP4_HDR_LEN = 20, /* without options; we send none */
	IP4_F_DF = 0x4000,
	IP4_F_MF = 0x2000,
	IP4_OFF_MASK = 0x1fff, /* in units of 8 bytes */
	IP4_TTL = 64,	       /* RFC 1340: what we send with */
	/* Hop limits above this are ordinary and leave as the host's own;
	 * lower ones look for hops and are carried. */
	IP4_TTL_CARRIED = 32,
};

struct ip4_hdr {
	uint16_t total_len; /* header and payload, bytes */
	uint16_t id;
	uint16_t frag;	    /* IP4_F_* | offset / 8 */
	uint8_t tos;
	uint8_t ttl;
	uint8_t proto;
	addr src;
	addr dst;
};

/* What a packet that came to us with ttl leaves the host with. */
static inline uint8_t ip4_carried_ttl(uint8_t ttl)
{
	return ttl > 1 && ttl - 1 <= IP4_TTL_CARRIED ? (uint8_t)(ttl - 1)
						     : IP4_TTL;
}

/* 20 bytes, the checksum in place. */
void ip4_emit(struct wr *w, const struct ip4_hdr *h);

#endif
