/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP of both families (RFC 792, 1122, 1191; RFC 4443): echo and error
 * messages.  The rest of the house names errors as IPv4 does; icmp_to6() has
 * IPv6's names for them.  Stateless.
 */
#ifndef WIRE_ICMP_H
#define WIRE_ICMP_H

#include <netinet/in.h>

#include "base/addr.h"
#include "base/cursor.h"

enum {
	ICMP_HDR_LEN = 8,
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER = 12,
	/* codes of ICMP_UNREACHABLE */
	ICMP_U_NET = 0,
	ICMP_U_HOST = 1,
	ICMP_U_PROTOCOL = 2,
	ICMP_U_PORT = 3,
	ICMP_U_FRAG_NEEDED = 4,
	ICMP_U_SOURCE_ROUTE = 5,
	ICMP_U_ADMIN = 13,
	ICMP_U_SCOPE = 255, /* ICMPv6's alone: a link's address goes no
			     * further */
	/* code of ICMP_TIME_EXCEEDED, besides 0: on the way */
	ICMP_T_REASSEMBLY = 1,
	/* ICMPv6's: errors are below 128 (RFC 4443 2.1) */
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_EXCEEDED = 3,
	ICMP6_PARAMETER = 4,
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129,
	/* codes of ICMP6_UNREACHABLE */
	ICMP6_U_NO_ROUTE = 0,
	ICMP6_U_ADMIN = 1,
	ICMP6_U_SCOPE = 2,
	ICMP6_U_ADDRESS = 3,
	ICMP6_U_PORT = 4,
	ICMP6_U_POLICY = 5,
	ICMP6_U_REJECT = 6,
	/* codes of ICMP6_PARAMETER */
	ICMP6_P_FIELD = 0,
	ICMP6_P_NEXT = 1, /* an unknown next header */
	/* An error quotes as much as fits into 576 bytes (RFC 1812 4.3.2.3),
	 * or IPv6's least MTU (RFC 4443 2.4 (c)). */
	ICMP4_QUOTE_MAX = 576 - 20 - ICMP_HDR_LEN,
	ICMP6_QUOTE_MAX = 1280 - 40 - ICMP_HDR_LEN,
	ICMP_QUOTE_MAX = ICMP6_QUOTE_MAX, /* of either */
	ICMP_ERROR_MAX = ICMP_HDR_LEN + ICMP_QUOTE_MAX,
};

struct icmp_hdr {
	uint8_t type;
	uint8_t code;
	uint16_t csum;
	uint16_t id;  /* echo; else the high half of the second word */
	uint16_t seq; /* echo; FRAG_NEEDED: the next hop's MTU */
};

/* 8 bytes; false (and *hp untouched) if r is too short. */
bool icmp_parse(struct rd *r, struct icmp_hdr *hp);
/* The header as it is, csum included. */
void icmp_emit(struct wr *w, const struct icmp_hdr *h);

/* An error message from src to dst, which are of one family. */
struct icmp_report {
	addr src;
	addr dst;
	uint8_t type; /* of that family */
	uint8_t code;
	uint32_t rest; /* second word of the header: MTU, pointer */
	/* The first bytes of the packet that it is about, from the IP header
	 * on; what is beyond icmp_quote_max() is not sent.  Borrowed. */
	const uint8_t *quote;
	size_t quote_len;
};
/* The whole message: header, checksum, quote. */
void icmp_emit_error(struct wr *w, const struct icmp_report *m);

/* What an error message is about, read from its quote. */
struct icmp_quote {
	uint8_t proto;	     /* IPPROTO_* */
	bool is_later;	     /* not the first fragment: no transport header */
	uint32_t total_len;  /* of the quoted packet, as its header says */
	struct endpoint src; /* ports of TCP and UDP, else 0 */
	struct endpoint dst;
	const uint8_t *l4;   /* borrowed: the transport header's first bytes */
	size_t l4_len;	     /* of them quoted, >= 8 unless is_later */
};

/* The IPv4 or IPv6 packet that an error message quotes; r stands behind the
 * message's header.  Its lengths and checksum are not judged: only the start
 * of it is here, and routers change it on the way (RFC 792, 1812 4.3.2.3).  Of
 * extension headers only a fragment's is known: guests are sent no others.
 * False (and *qp untouched) unless there is an IP header and eight bytes of
 * what follows. */
bool icmp_parse_quote(struct rd *r, struct icmp_quote *qp);
/* True for messages that must not be answered with an error (RFC 1122 3.2.2,
 * RFC 4443 2.4 (e)): errors themselves, redirects.  proto: ICMP or ICMPv6. */
bool icmp_is_error(uint8_t proto, uint8_t type);

/* Type and code of ICMP become those of ICMPv6 (RFC 7915 4.2, but for what
 * ICMPv6 can say more exactly).  False: ICMPv6 has nothing like it. */
bool icmp_to6(uint8_t *typep, uint8_t *codep);
/* The way back (5.2). */
bool icmp_to4(uint8_t *typep, uint8_t *codep);
/* The field of an IPv6 header that stands for the one of an IPv4 header which
 * a parameter problem points at (RFC 7915 4.2); -1: none. */
int icmp_pointer_to6(uint32_t pointer);

static inline size_t icmp_quote_max(const addr *a)
{
	return addr_is_v4(a) ? ICMP4_QUOTE_MAX : ICMP6_QUOTE_MAX;
}

/* The protocol of a's family. */
static inline uint8_t icmp_proto(const addr *a)
{
	return addr_is_v4(a) ? IPPROTO_ICMP : IPPROTO_ICMPV6;
}

static inline uint8_t icmp_echo_type(const addr *a)
{
	return addr_is_v4(a) ? ICMP_ECHO : ICMP6_ECHO;
}

static inline uint8_t icmp_reply_type(const addr *a)
{
	return addr_is_v4(a) ? ICMP_ECHO_REPLY : ICMP6_ECHO_REPLY;
}

/* The sum that a message of len bytes starts with: of ICMPv6's pseudo-header
 * (RFC 4443 2.3), which ICMP does not have. */
uint64_t icmp_pseudo(const addr *src, const addr *dst, uint32_t len);

#endif
