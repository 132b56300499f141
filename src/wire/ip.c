/* SPDX-License-Identifier: BSD-3-Clause */
/* Headers of both families; see ip.h. */
#include "wire/ip.h"

#include <netinet/in.h>

#include "base/be.h"
#include "wire/csum.h"

enum {
	IP4_LEN_AT = 2,
	IP4_CSUM_AT = 10,
	IP6_LEN_AT = 4,
};

static void emit4(struct wr *w, const struct ip_hdr *h)
{
	struct ip4_hdr ip = {
		.total_len = (uint16_t)(IP4_HDR_LEN + h->l4_len),
		.frag = IP4_F_DF,
		.tos = h->tos,
		.ttl = h->ttl,
		.proto = h->proto,
		.src = h->src,
		.dst = h->dst,
	};

	if (h->is_fragment) {
		ip.id = (uint16_t)h->id;
		ip.frag = (uint16_t)(h->off / 8 | (h->more ? IP4_F_MF : 0));
	}
	ip4_emit(w, &ip);
}

static void emit6(struct wr *w, const struct ip_hdr *h)
{
	uint32_t len = h->l4_len + (h->is_fragment ? IP6_FRAG_LEN : 0);

	wr_u32(w, UINT32_C(6) << 28 | (uint32_t)h->tos << 20);
	wr_u16(w, (uint16_t)len);
	wr_u8(w, h->is_fragment ? IPPROTO_FRAGMENT : h->proto);
	wr_u8(w, h->ttl);
	wr_bytes(w, h->src.b, sizeof(h->src.b));
	wr_bytes(w, h->dst.b, sizeof(h->dst.b));
	if (!h->is_fragment)
		return;
	wr_u8(w, h->proto);
	wr_u8(w, 0);
	wr_u16(w, (uint16_t)(h->off | h->more));
	wr_u32(w, h->id);
}

void ip_emit(struct wr *w, const struct ip_hdr *h)
{
	if (addr_is_v4(&h->dst))
		emit4(w, h);
	else
		emit6(w, h);
}

void ip_emit_frame(struct wr *w, mac to, mac from, const struct ip_hdr *h)
{
	struct eth_hdr eth = {
		.dst = to, .src = from, .type = ip_ethertype(&h->dst)};

	eth_emit(w, &eth);
	ip_emit(w, h);
}

bool ip_set_len(uint8_t *ip, const addr *a, uint32_t l4_len)
{
	bool is_v4 = addr_is_v4(a);
	uint8_t *at = ip + (is_v4 ? IP4_LEN_AT : IP6_LEN_AT);
	uint16_t len = (uint16_t)(is_v4 ? IP4_HDR_LEN + l4_len : l4_len);
	uint16_t old = get_be16(at);

	if (len == old)
		return false;
	put_be16(at, len);
	if (is_v4)
		put_be16(ip + IP4_CSUM_AT,
			 csum_update(get_be16(ip + IP4_CSUM_AT), old, len));
	return true;
}
