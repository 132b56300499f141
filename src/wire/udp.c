/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP headers; see udp.h. */
#include "wire/udp.h"

bool udp_parse(struct rd *r, uint32_t l4_len, struct udp_hdr *hp)
{
	struct udp_hdr h;

	h.sport = rd_u16(r);
	h.dport = rd_u16(r);
	h.len = rd_u16(r);
	h.csum = rd_u16(r);
	if (!rd_ok(r) || h.len < UDP_HDR_LEN || h.len > l4_len)
		return false;
	*hp = h;
	return true;
}

void udp_emit(struct wr *w, const struct udp_hdr *h)
{
	wr_u16(w, h->sport);
	wr_u16(w, h->dport);
	wr_u16(w, h->len);
	wr_u16(w, h->csum);
}
