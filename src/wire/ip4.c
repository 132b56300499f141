/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv4 headers; see ip4.h. */
#include "wire/ip4.h"

#include "base/be.h"
#include "wire/csum.h"

void ip4_emit(struct wr *w, const struct ip4_hdr *h)
{
	uint8_t buf[IP4_HDR_LEN];
	struct wr b = wr_init(buf, sizeof(buf));
	uint16_t sum;

	wr_u8(&b, 0x45);
	wr_u8(&b, h->tos);
	wr_u16(&b, h->total_len);
	wr_u16(&b, h->id);
	wr_u16(&b, h->frag);
	wr_u8(&b, h->ttl);
	wr_u8(&b, h->proto);
	wr_u16(&b, 0);
	wr_bytes(&b, h->src.b + 12, 4);
	wr_bytes(&b, h->dst.b + 12, 4);
	sum = csum_fold(csum_add(buf, sizeof(buf), 0));
	put_be16(buf + 10, sum);
	wr_bytes(w, buf, sizeof(buf));
}
