/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP (RFC 792, 1122, 1191): echo and error messages. Stateless. */
#ifndef WIRE_ICMP_H
#define WIRE_ICMP_H

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
	/* code of ICMP_TIME_EXCEEDED, besides 0: on the way */
	ICMP_T_REASSEMBLY = 1,
	/* An error quotes as much as fits into 576 bytes (RFC 1812 4.3.2.3). */
	ICMP_ERROR_MAX = 576 - 20,
	ICMP_QUOTE_MAX = ICMP_ERROR_MAX - ICMP_HDR_LEN,
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
/* A whole error message: header, checksum and the first bytes of the packet
 * it is about (an IP header and what follows; at most ICMP_QUOTE_MAX). */
void icmp_emit_error(struct wr *w, uint8_t type, uint8_t code, uint16_t mtu,
		     const uint8_t *quote, size_t quote_len);
/* What an error message is about, read from its quote. */
struct icmp_quote {
	uint8_t proto;	     /* IPPROTO_* */
	bool is_later;	     /* not the first fragment: no transport header */
	uint16_t total_len;  /* of the quoted packet, as its header says */
	struct endpoint src; /* ports of TCP and UDP, else 0 */
	struct endpoint dst;
	const uint8_t *l4;   /* borrowed: the transport header's first bytes */
	size_t l4_len;	     /* of them quoted, >= 8 unless is_later */
};

/* The IPv4 packet that an error message quotes; r stands behind the message's
 * header.  Its lengths and checksum are not judged: only the start of it is
 * here, and routers change it on the way (RFC 792, 1812 4.3.2.3).  False (and
 * *qp untouched) unless there is an IPv4 header and eight bytes of what
 * follows. */
bool icmp_parse_quote(struct rd *r, struct icmp_quote *qp);
/* True for messages that must not be answered with an error (RFC 1122
 * 3.2.2): errors themselves. */
bool icmp_is_error(uint8_t type);

#endif
