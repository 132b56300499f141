/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP; see arp.h. */
#include "wire/arp.h"

#include "wire/eth.h"

enum { ARP_HW_ETHERNET = 1, IP4_LEN = 4 };

bool arp_parse(struct rd *r, struct arp_msg *mp)
{
	uint16_t hw = rd_u16(r);
	uint16_t proto = rd_u16(r);
	uint8_t hw_len = rd_u8(r);
	uint8_t proto_len = rd_u8(r);
	struct arp_msg m;
	uint8_t ip[IP4_LEN];

	m.op = rd_u16(r);
	rd_copy(r, m.sha.b, MAC_LEN);
	rd_copy(r, ip, IP4_LEN);
	m.spa = addr_v4_bytes(ip);
	rd_copy(r, m.tha.b, MAC_LEN);
	rd_copy(r, ip, IP4_LEN);
	m.tpa = addr_v4_bytes(ip);
	if (!rd_ok(r) || hw != ARP_HW_ETHERNET || proto != ETH_T_IP4 ||
	    hw_len != MAC_LEN || proto_len != IP4_LEN)
		return false;
	if (m.op != ARP_REQUEST && m.op != ARP_REPLY)
		return false;
	*mp = m;
	return true;
}

void arp_emit(struct wr *w, const struct arp_msg *m)
{
	wr_u16(w, ARP_HW_ETHERNET);
	wr_u16(w, ETH_T_IP4);
	wr_u8(w, MAC_LEN);
	wr_u8(w, IP4_LEN);
	wr_u16(w, m->op);
	wr_bytes(w, m->sha.b, MAC_LEN);
	wr_bytes(w, m->spa.b + 12, IP4_LEN);
	wr_bytes(w, m->tha.b, MAC_LEN);
	wr_bytes(w, m->tpa.b + 12, IP4_LEN);
}
