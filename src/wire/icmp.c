/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP; see icmp.h. */
#include "wire/icmp.h"

#include <netinet/in.h>

#include "wire/csum.h"
#include "wire/ip4.h"

enum { QUOTE_LEAST = 8 }; /* bytes of transport header, RFC 792 */

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

bool icmp_parse_quote(struct rd *r, struct icmp_quote *qp)
{
	struct icmp_quote q = {0};
	uint8_t vihl = rd_u8(r), a[4];
	size_t hdr_len = (vihl & 15u) * 4;
	uint16_t frag;

	rd_skip(r, 1);
	q.total_len = rd_u16(r);
	rd_skip(r, 2);
	frag = rd_u16(r);
	rd_skip(r, 1);
	q.proto = rd_u8(r);
	rd_skip(r, 2);
	rd_copy(r, a, sizeof(a));
	q.src.ip = addr_v4_bytes(a);
	rd_copy(r, a, sizeof(a));
	q.dst.ip = addr_v4_bytes(a);
	if (!rd_ok(r) || vihl >> 4 != 4 || hdr_len < IP4_HDR_LEN)
		return false;
	rd_skip(r, hdr_len - IP4_HDR_LEN);
	q.is_later = frag & IP4_OFF_MASK;
	q.l4_len = rd_left(r);
	q.l4 = rd_bytes(r, q.l4_len);
	if (!rd_ok(r) || (!q.is_later && q.l4_len < QUOTE_LEAST))
		return false;
	if (!q.is_later &&
	    (q.proto == IPPROTO_TCP || q.proto == IPPROTO_UDP)) {
		q.src.port = (uint16_t)(q.l4[0] << 8 | q.l4[1]);
		q.dst.port = (uint16_t)(q.l4[2] << 8 | q.l4[3]);
	}
	*qp = q;
	return true;
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
