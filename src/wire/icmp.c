/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP; see icmp.h. */
#include "wire/icmp.h"

#include "wire/csum.h"

bool icmp_parse(struct rd *r, struct icmp_hdr *hp)
{
	struct icmp_hdr h;

	h.type = rd_u8(r);
	h.code = rd_u8(r);
	h.csum = rd_u16(r);
	h.id = rd_u16(r);
	h.seq = rd_u16(r);
	if (!rd_ok(r))
		return false;
	*hp = h;
	return true;
}

void icmp_emit(struct wr *w, const struct icmp_hdr *h)
{
	wr_u8(w, h->type);
	wr_u8(w, h->code);
	wr_u16(w, h->csum);
	wr_u16(w, h->id);
	wr_u16(w, h->seq);
}

void icmp_emit_error(struct wr *w, uint8_t type, uint8_t code, uint16_t mtu,
		     const uint8_t *quote, size_t quote_len)
{
	uint8_t head[ICMP_HDR_LEN];
	struct wr b = wr_init(head, sizeof(head));
	struct icmp_hdr h = {.type = type, .code = code, .seq = mtu};

	if (quote_len > ICMP_QUOTE_MAX)
		quote_len = ICMP_QUOTE_MAX;
	icmp_emit(&b, &h);
	h.csum = csum_fold(csum_add(quote, quote_len,
				    csum_add(head, sizeof(head), 0)));
	icmp_emit(w, &h);
	wr_bytes(w, quote, quote_len);
}

bool icmp_is_error(uint8_t type)
{
	switch (type) {
	case ICMP_UNREACHABLE:
	case 4: /* source quench, RFC 6633 */
	case 5: /* redirect */
	case ICMP_TIME_EXCEEDED:
	case ICMP_PARAMETER:
		return true;
	default: /* queries and answers */
		return false;
	}
}
