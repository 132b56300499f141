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
#include "wire/ip.h"
#include "wire/udp.h"

enum {
	IP_CSUM_AT = 10, /* of IPv4 */
	ICMP_ID_AT = 4,	 /* identifier and sequence number */
};

/* Where in an IP header is what. */
static const struct fields {
	uint8_t ttl, proto;
	uint8_t addrs, n_addrs; /* source and destination, bytes of both */
	uint8_t len;		/* of the header */
} fields4 = {8, 9, 12, 8, IP4_HDR_LEN}, fields6 = {7, 6, 8, 32, IP6_HDR_LEN};

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
	if (proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6)
		return memcmp(p + ICMP_ID_AT, q + ICMP_ID_AT, 4) == 0;
	if (proto == IPPROTO_TCP) /* ports, sequence number */
		return memcmp(p, q, 8) == 0;
	return memcmp(p, q, 4) == 0 &&
	       memcmp(p + UDP_HDR_LEN, q + UDP_HDR_LEN, len - UDP_HDR_LEN) ==
		       0;
}

static bool is_same(const struct icmp_probe *p, const uint8_t *q, uint32_t len,
		    const struct fields *f)
{
	if (p->len < f->len || p->b[0] >> 4 != q[0] >> 4 ||
	    p->b[f->proto] != q[f->proto] ||
	    memcmp(p->b + f->addrs, q + f->addrs, f->n_addrs) != 0)
		return false;
	if (len > p->len)
		len = p->len;
	return is_same_l4(p->b + f->len, q + f->len, len - f->len,
			  q[f->proto]);
}

/* The header becomes as it reached the hop where it ended. */
static void end_here(uint8_t *ip, const struct fields *f)
{
	uint16_t sum;

	ip[f->ttl] = 1;
	if (f != &fields4)
		return;
	ip[IP_CSUM_AT] = ip[IP_CSUM_AT + 1] = 0;
	sum = csum_fold(csum_add(ip, f->len, 0));
	ip[IP_CSUM_AT] = (uint8_t)(sum >> 8);
	ip[IP_CSUM_AT + 1] = (uint8_t)sum;
}

void icmp_quote(const struct icmp *ic, uint8_t *quote, uint32_t *lenp)
{
	const struct fields *f = quote[0] >> 4 == 4 ? &fields4 : &fields6;

	for (unsigned i = 1; i <= ICMP_PROBES; i++) {
		const struct icmp_probe *p =
			&ic->probe[(ic->next_probe - i) % ICMP_PROBES];

		if (!is_same(p, quote, *lenp, f))
			continue;
		memcpy(quote, p->b, p->len);
		if (*lenp < p->len)
			*lenp = p->len;
		end_here(quote, f);
		return;
	}
}
