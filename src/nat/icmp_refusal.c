/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP errors that guests send about datagrams that came to them (icmp.h).
 * Called by the gateway; one worker's thread.
 */
#include <netinet/in.h>
#include <string.h>

#include "base/cursor.h"
#include "nat/icmp.h"
#include "wire/udp.h"

enum { QUOTE_MAX = 60 + UDP_HDR_LEN + 64 }; /* the longest IP header */

static bool is_refusal_code(uint8_t code)
{
	/* 15 is the last that RFC 1812 5.2.7.1 knows. */
	return code <= 15 && code != ICMP_U_FRAG_NEEDED;
}

bool icmp_is_refusal(const struct packet *pkt, const struct frame *f,
		     struct icmp_refusal *rp)
{
	uint8_t b[ICMP_HDR_LEN + QUOTE_MAX];
	uint32_t len = pkt->l4_len < sizeof(b) ? pkt->l4_len : sizeof(b);
	struct icmp_quote q;
	struct icmp_hdr h;
	struct rd r;

	if (!frame_copy(f, pkt->l4_off, len, b))
		return false;
	r = rd_init(b, len);
	if (!icmp_parse(&r, &h) || h.type != ICMP_UNREACHABLE ||
	    !is_refusal_code(h.code) || !icmp_parse_quote(&r, &q))
		return false;
	/* A machine speaks for itself only. */
	if (q.proto != IPPROTO_UDP || q.is_later ||
	    q.l4_len < UDP_HDR_LEN || !addr_eq(&q.dst.ip, &pkt->src.ip))
		return false;
	*rp = (struct icmp_refusal){.from = pkt->eth_src,
				    .guest = q.dst,
				    .peer = q.src,
				    .code = h.code};
	r = rd_init(q.l4, q.l4_len);
	rd_skip(&r, 4);
	rp->len = rd_u16(&r);
	rp->len = rp->len > UDP_HDR_LEN ? rp->len - UDP_HDR_LEN : 0;
	rd_skip(&r, 2);
	len = (uint32_t)rd_left(&r);
	if (len > sizeof(rp->payload))
		len = sizeof(rp->payload);
	if (len > rp->len)
		len = rp->len;
	memcpy(rp->payload, r.p, len);
	rp->n_payload = (uint8_t)len;
	return true;
}
