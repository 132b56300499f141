/* SPDX-License-Identifier: BSD-3-Clause */
/* Ethernet II headers; see eth.h. */
#include "wire/eth.h"

bool eth_parse(struct rd *r, struct eth_hdr *hp)
{
	struct eth_hdr h;

	rd_copy(r, h.dst.b, sizeof(h.dst.b));
	rd_copy(r, h.src.b, sizeof(h.src.b));
	h.type = rd_u16(r);
	if (!rd_ok(r))
		return false;
	*hp = h;
	return true;
}

void eth_emit(struct wr *w, const struct eth_hdr *h)
{
	wr_bytes(w, h->dst.b, sizeof(h->dst.b));
	wr_bytes(w, h->src.b, sizeof(h->src.b));
	wr_u16(w, h->type);
}
