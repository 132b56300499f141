/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What guests sent to find a hop, remembered until the hop answers (icmp.h).
 * Called by icmp.c, and by udp, ping and tcp for packets of a low hop limit
 * only; one worker's thread.
 */
#include <netinet/in.h>
#include <string.h>

#include "nat/icmp_priv.h"
#include "wire/csum.h"
#include "wire/ip4.h"
#include "wire/udp.h"

enum {
	IP_TTL_AT = 8,
	IP_PROTO_AT = 9,
	IP_CSUM_AT = 10,
	IP_SRC_AT = 12,
	IP_ADDRS = 8,	/* bytes of source and destination */
	ICMP_ID_AT = 4, /* identifier and sequence number */
};

void icmp_probe(struct icmp *ic, const struct packet *pkt,
		const struct frame *f)
{
	struct icmp_probe *p = &ic->probe[ic->next_probe++ % ICMP_PROBES];
	uint32_t len = pkt->l4_off - pkt->l3_off + pkt->l4_len;

	if (len > sizeof(p->b))
		len = sizeof(p->b);
	p->len = frame_copy(f, pkt->l3_off, len, p->b) ? (uint8_t)len : 0;
}

/* True if q is what became of p: bytes from the transport header on that a
 * host's socket does not choose. */
static bool is_same_l4(const uint8_t *p, const uint8_t *q, uint32_t len,
		       uint8_t proto)
{
	if (len < UDP_HDR_LEN)
		return false;
	if (proto == IPPROTO_ICMP)
		return memcmp(p + ICMP_ID_AT, q + ICMP_ID_AT, 4) == 0;
	if (proto == IPPROTO_TCP) /* ports, sequence number */
		return memcmp(p, q, 8) == 0;
	return memcmp(p, q, 4) == 0 &&
	       memcmp(p + UDP_HDR_LEN, q + UDP_HDR_LEN, len - UDP_HDR_LEN) ==
		       0;
}

static bool is_same(const struct icmp_probe *p, const uint8_t *q, uint32_t len)
{
	if (p->len < IP4_HDR_LEN || p->b[IP_PROTO_AT] != q[IP_PROTO_AT] ||
	    memcmp(p->b + IP_SRC_AT, q + IP_SRC_AT, IP_ADDRS) != 0)
		return false;
	if (len > p->len)
		len = p->len;
	return is_same_l4(p->b + IP4_HDR_LEN, q + IP4_HDR_LEN,
			  len - IP4_HDR_LEN, q[IP_PROTO_AT]);
}

void icmp_quote(const struct icmp *ic, uint8_t *quote, uint32_t *lenp)
{
	for (unsigned i = 1; i <= ICMP_PROBES; i++) {
		const struct icmp_probe *p =
			&ic->probe[(ic->next_probe - i) % ICMP_PROBES];
		uint16_t sum;

		if (!is_same(p, quote, *lenp))
			continue;
		memcpy(quote, p->b, p->len);
		if (*lenp < p->len)
			*lenp = p->len;
		/* as it reached the hop where it ended */
		quote[IP_TTL_AT] = 1;
		quote[IP_CSUM_AT] = quote[IP_CSUM_AT + 1] = 0;
		sum = csum_fold(csum_add(quote, IP4_HDR_LEN, 0));
		quote[IP_CSUM_AT] = (uint8_t)(sum >> 8);
		quote[IP_CSUM_AT + 1] = (uint8_t)sum;
		return;
	}
}
