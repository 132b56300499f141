/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP headers (RFC 768). Stateless. */
#ifndef WIRE_UDP_H
#define WIRE_UDP_H

#include "base/addr.h"
#include "base/cursor.h"

enum { UDP_HDR_LEN = 8, UDP_AT_CSUM = 6 };

struct udp_hdr {
	uint16_t sport;
	uint16_t dport;
	uint16_t len;  /* header and payload */
	uint16_t csum; /* 0 = none (IPv4 only) */
};

/* The header at r, which holds l4_len bytes of datagram by the IP header.
 * False (and *hp untouched) if it is cut short or len lies. */
bool udp_parse(struct rd *r, uint32_t l4_len, struct udp_hdr *hp);
void udp_emit(struct wr *w, const struct udp_hdr *h);

#endif
