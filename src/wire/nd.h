/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Neighbour discovery: router and neighbour solicitations and advertisements
 * (RFC 4861) with the name servers and search list of RFC 8106 and NAT64's
 * prefix of RFC 8781.  Stateless;
 * used by the gateway, and by the lan for its numbers.
 */
#ifndef WIRE_ND_H
#define WIRE_ND_H

#include "base/addr.h"
#include "base/cursor.h"
#include "wire/packet.h"

enum {
	ICMP6_AT_CSUM = 2,
	/* message types, from the first to the last (4.1 - 4.5) */
	ND_SOLICIT_ROUTER = 133,
	ND_ADVERTISE_ROUTER = 134,
	ND_SOLICIT = 135,
	ND_ADVERTISE = 136,
	ND_REDIRECT = 137,
	/* options that hold a MAC (4.6.1) */
	ND_O_SOURCE = 1,
	ND_O_TARGET = 2,
	/* and others (4.6.2, 4.6.4; RFC 8106 5.1, 5.2) */
	ND_O_PREFIX = 3,
	ND_O_MTU = 5,
	ND_O_RDNSS = 25,
	ND_O_DNSSL = 31,
	ND_O_PREF64 = 38, /* RFC 8781 4 */
	ND_HOP_LIMIT = 255,  /* proves that no router was on the way */
	ND_AT_TARGET = 8,    /* of a neighbour's message, from its type on */
	ND_SEARCH_MAX = 960, /* bytes of a search list: what is left of the
			      * least MTU beside all else */
};

/* What a router says of itself and its network. */
struct nd_router {
	uint8_t hop_limit; /* 0: not said, as in what follows */
	bool is_managed;   /* addresses by DHCPv6 .. */
	bool has_other;	   /* .. or other things */
	uint16_t lifetime_s;  /* 0: no way out by it */
	uint32_t mtu;
	bool has_prefix;
	bool is_on_link, is_autonomous; /* of the prefix */
	struct prefix prefix;
	uint32_t valid_s, preferred_s;
	addr dns; /* unspecified: none said; the first of them when read */
	uint32_t dns_s;
	struct prefix nat64; /* of length 96, 0: none said */
	uint16_t nat64_s;    /* in steps of 8 */
	/* Names of the search list as dns_name_emit() writes them, borrowed;
	 * 0 bytes: none. */
	const uint8_t *search;
	size_t search_len;
	uint32_t search_s;
};

struct nd_msg {
	uint8_t type;
	mac source; /* zero: no such option */
	mac target_mac;
	addr target; /* of a neighbour's message */
	bool is_router, is_solicited, overrides; /* advertisements (4.4) */
	struct nd_router router; /* of a router's advertisement */
};

/* The ICMPv6 message of pkt, whose pkt->l4_len bytes are at p.  False (and *mp
 * untouched) unless it is one of the four and sound: hop limit, code, lengths,
 * addresses and checksum (RFC 4861 6.1, 7.1).  is_summed: the checksum is
 * vouched for. */
bool nd_parse(const struct packet *pkt, const uint8_t *p, bool is_summed,
	      struct nd_msg *mp);

/* A whole frame.  What does not fit of the search list is left out. */
void nd_emit_frame(struct wr *w, mac to, mac from, const addr *src,
		   const addr *dst, const struct nd_msg *m);

/* ff02::1, whom all listen to. */
addr nd_all_nodes(void);
/* ff02::1:ffXX:XXXX, whom a listens to (RFC 4291 2.7.1). */
addr nd_solicited(const addr *a);

#endif
