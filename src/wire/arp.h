/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP for IPv4 over Ethernet (RFC 826). Stateless. */
#ifndef WIRE_ARP_H
#define WIRE_ARP_H

#include "base/addr.h"
#include "base/cursor.h"

enum {
	ARP_LEN = 28,
	ARP_AT_SHA = 8,
	ARP_AT_SPA = 14,
	ARP_AT_THA = 18,
	ARP_AT_TPA = 24,
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
};

struct arp_msg {
	uint16_t op;   /* ARP_REQUEST or ARP_REPLY */
	mac sha;       /* sender's MAC */
	addr spa;      /* sender's address, 0.0.0.0 in a probe (RFC 5227) */
	mac tha;
	addr tpa;
};

/* The 28 bytes after the Ethernet header. False (and *mp untouched) unless
 * it is IPv4 over Ethernet, a request or a reply. */
bool arp_parse(struct rd *r, struct arp_msg *mp);
void arp_emit(struct wr *w, const struct arp_msg *m);

#endif
