/* SPDX-License-Identifier: BSD-3-Clause */
/* Ethernet II headers (IEEE 802.3 3.2). Stateless. */
#ifndef WIRE_ETH_H
#define WIRE_ETH_H

#include "base/addr.h"
#include "base/cursor.h"

enum {
	ETH_HDR_LEN = 14,
	ETH_MIN_LEN = 60, /* shortest frame on a wire, without FCS */
	ETH_T_IP4 = 0x0800,
	ETH_T_ARP = 0x0806,
	ETH_T_RARP = 0x8035, /* RFC 903 */
	ETH_T_VLAN = 0x8100,
	ETH_T_QTAG = 0x88a8, /* IEEE 802.1Q: the outer of two tags */
	ETH_T_IP6 = 0x86dd,
	ETH_TAG_LEN = 4,
	ETH_TAGS_MAX = 2, /* in a row that anybody looks behind */
};

struct eth_hdr {
	mac dst;
	mac src;
	uint16_t type; /* ETH_T_* */
};

/* 14 bytes; false (and *hp untouched) if r is too short. */
bool eth_parse(struct rd *r, struct eth_hdr *hp);
void eth_emit(struct wr *w, const struct eth_hdr *h);

#endif
