/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbour discovery; see nd.h. */
#include "wire/nd.h"

#include <netinet/in.h>

#include "base/be.h"
#include "wire/csum.h"
#include "wire/ip.h"

enum {
	UNIT = 8, /* lengths of options are in these */
	/* flags of a prefix, a router, a neighbour */
	PREFIX_L = 0x80,
	PREFIX_A = 0x40,
	ROUTER_M = 0x80,
	ROUTER_O = 0x40,
	ADVERT_R = 0x80,
	ADVERT_S = 0x40,
	ADVERT_O = 0x20,
	V6_LEN_MAX = 128,
	PREF64_LEN = 96,
	PREF64_BYTES = PREF64_LEN / 8,
	PREF64_KIND = 7, /* what is no time: the length, 0 for 96 */
};

static addr rd_addr(struct rd *r)
{
	addr a;

	rd_copy(r, a.b, sizeof(a.b));
	return a;
}

static mac rd_mac(struct rd *r)
{
	mac m;

	rd_copy(r, m.b, sizeof(m.b));
	return m;
}

static void parse_prefix(struct rd *r, struct nd_router *ra)
{
	struct nd_router n = {.has_prefix = true};
	uint8_t flags;

	n.prefix.len = rd_u8(r);
	flags = rd_u8(r);
	n.valid_s = rd_u32(r);
	n.preferred_s = rd_u32(r);
	rd_skip(r, 4);
	n.prefix.ip = rd_addr(r);
	if (!rd_ok(r) || rd_left(r) || n.prefix.len > V6_LEN_MAX)
		return;
	ra->has_prefix = true;
	ra->is_on_link = flags & PREFIX_L;
	ra->is_autonomous = flags & PREFIX_A;
	ra->prefix = n.prefix;
	ra->valid_s = n.valid_s;
	ra->preferred_s = n.preferred_s;
}

static void parse_rdnss(struct rd *r, struct nd_router *ra)
{
	uint32_t life;
	addr a;

	rd_skip(r, 2);
	life = rd_u32(r);
	a = rd_addr(r);
	if (!rd_ok(r) || !addr_is_unspecified(&ra->dns))
		return;
	ra->dns = a;
	ra->dns_s = life;
}

static void parse_dnssl(struct rd *r, struct nd_router *ra)
{
	uint32_t life;
	size_t len;

	rd_skip(r, 2);
	life = rd_u32(r);
	len = rd_left(r);
	if (!rd_ok(r) || len == 0 || ra->search_len)
		return;
	ra->search = rd_bytes(r, len);
	ra->search_len = len;
	ra->search_s = life;
}

/* One option; r holds what is behind its length.  One that is not as it should
 * be is none (RFC 4861 4.6: others are passed over). */
/* Of the lengths of prefixes that it knows, 96. */
static void parse_pref64(struct rd *r, struct nd_router *ra)
{
	uint16_t word = rd_u16(r);
	struct prefix p = {.len = PREF64_LEN};

	rd_copy(r, p.ip.b, PREF64_BYTES);
	if (!rd_ok(r) || rd_left(r) || (word & PREF64_KIND))
		return;
	ra->nat64 = p;
	ra->nat64_s = word;
}

static void parse_option(uint8_t type, struct rd *r, struct nd_msg *m)
{
	uint32_t mtu;

	switch (type) {
	case ND_O_SOURCE:
		if (rd_left(r) == MAC_LEN)
			m->source = rd_mac(r);
		break;
	case ND_O_TARGET:
		if (rd_left(r) == MAC_LEN)
			m->target_mac = rd_mac(r);
		break;
	case ND_O_PREFIX:
		parse_prefix(r, &m->router);
		break;
	case ND_O_MTU:
		rd_skip(r, 2);
		mtu = rd_u32(r);
		if (rd_ok(r) && !rd_left(r))
			m->router.mtu = mtu;
		break;
	case ND_O_RDNSS:
		parse_rdnss(r, &m->router);
		break;
	case ND_O_DNSSL:
		parse_dnssl(r, &m->router);
		break;
	case ND_O_PREF64:
		parse_pref64(r, &m->router);
		break;
	default: /* of others' business */
		break;
	}
}

static bool parse_options(struct rd *r, struct nd_msg *m)
{
	while (rd_left(r)) {
		uint8_t type = rd_u8(r);
		size_t len = rd_u8(r) * (size_t)UNIT;
		struct rd opt;

		if (len == 0)
			return false;
		opt = rd_sub(r, len - 2);
		if (!rd_ok(r))
			return false;
		parse_option(type, &opt, m);
	}
	return true;
}

/* What is between the first word and the options; false: no type of ours. */
static bool parse_fixed(struct rd *r, struct nd_msg *m)
{
	struct nd_router *ra = &m->router;
	uint8_t flags;

	switch (m->type) {
	case ND_SOLICIT_ROUTER:
		rd_skip(r, 4);
		return true;
	case ND_ADVERTISE_ROUTER:
		ra->hop_limit = rd_u8(r);
		flags = rd_u8(r);
		ra->is_managed = flags & ROUTER_M;
		ra->has_other = flags & ROUTER_O;
		ra->lifetime_s = rd_u16(r);
		rd_skip(r, 8);
		return true;
	case ND_SOLICIT:
	case ND_ADVERTISE:
		flags = rd_u8(r);
		rd_skip(r, 3);
		m->is_router = flags & ADVERT_R;
		m->is_solicited = flags & ADVERT_S;
		m->overrides = flags & ADVERT_O;
		m->target = rd_addr(r);
		return true;
	default: /* redirects, and no message of this kind */
		return false;
	}
}

/* The addresses fit the message (RFC 4861 6.1.1, 6.1.2, 7.1.1, 7.1.2). */
static bool is_fitting(const struct packet *pkt, const struct nd_msg *m)
{
	bool is_probe = addr_is_unspecified(&pkt->src.ip);
	addr group;

	if (m->type == ND_ADVERTISE_ROUTER)
		return addr_is_link_local6(&pkt->src.ip);
	if (is_probe && !mac_is_zero(m->source))
		return false;
	if (m->type == ND_SOLICIT_ROUTER)
		return true;
	if (addr_is_multicast(&m->target) || addr_is_v4(&m->target))
		return false;
	if (m->type == ND_ADVERTISE)
		return !m->is_solicited || !addr_is_multicast(&pkt->dst.ip);
	group = nd_solicited(&m->target);
	return !is_probe || addr_eq(&pkt->dst.ip, &group);
}

bool nd_parse(const struct packet *pkt, const uint8_t *p, bool is_summed,
	      struct nd_msg *mp)
{
	struct rd r = rd_init(p, pkt->l4_len);
	struct nd_msg m = {0};
	uint64_t sum;
	uint8_t code;

	if (pkt->ip_version != 6 || pkt->proto != IPPROTO_ICMPV6 ||
	    pkt->ttl != ND_HOP_LIMIT)
		return false;
	if (!pkt->df) /* behind a fragment header (RFC 6980 5) */
		return false;
	m.type = rd_u8(&r);
	code = rd_u8(&r);
	rd_skip(&r, 2);
	if (!parse_fixed(&r, &m) || !rd_ok(&r) || code ||
	    !parse_options(&r, &m) || !is_fitting(pkt, &m))
		return false;
	sum = csum_pseudo(&pkt->src.ip, &pkt->dst.ip, IPPROTO_ICMPV6,
			  pkt->l4_len);
	if (!is_summed && csum_fold(csum_add(p, pkt->l4_len, sum)) != 0)
		return false;
	*mp = m;
	return true;
}

static void emit_mac(struct wr *w, uint8_t type, mac m)
{
	if (mac_is_zero(m))
		return;
	wr_u8(w, type);
	wr_u8(w, 1);
	wr_bytes(w, m.b, sizeof(m.b));
}

static void emit_prefix(struct wr *w, const struct nd_router *ra)
{
	wr_u8(w, ND_O_PREFIX);
	wr_u8(w, 4);
	wr_u8(w, ra->prefix.len);
	wr_u8(w, (ra->is_on_link ? PREFIX_L : 0) |
			 (ra->is_autonomous ? PREFIX_A : 0));
	wr_u32(w, ra->valid_s);
	wr_u32(w, ra->preferred_s);
	wr_u32(w, 0);
	wr_bytes(w, ra->prefix.ip.b, sizeof(ra->prefix.ip.b));
}

static void emit_search(struct wr *w, const struct nd_router *ra)
{
	size_t units = (ra->search_len + UNIT - 1) / UNIT;

	if (ra->search_len > ND_SEARCH_MAX || wr_left(w) < (1 + units) * UNIT)
		return;
	wr_u8(w, ND_O_DNSSL);
	wr_u8(w, (uint8_t)(1 + units));
	wr_u16(w, 0);
	wr_u32(w, ra->search_s);
	wr_bytes(w, ra->search, ra->search_len);
	wr_zero(w, units * UNIT - ra->search_len);
}

static void emit_router(struct wr *w, const struct nd_router *ra)
{
	if (ra->mtu) {
		wr_u8(w, ND_O_MTU);
		wr_u8(w, 1);
		wr_u16(w, 0);
		wr_u32(w, ra->mtu);
	}
	if (ra->has_prefix)
		emit_prefix(w, ra);
	if (!addr_is_unspecified(&ra->dns)) {
		wr_u8(w, ND_O_RDNSS);
		wr_u8(w, 3);
		wr_u16(w, 0);
		wr_u32(w, ra->dns_s);
		wr_bytes(w, ra->dns.b, sizeof(ra->dns.b));
	}
	if (ra->nat64.len) {
		wr_u8(w, ND_O_PREF64);
		wr_u8(w, 2);
		wr_u16(w, ra->nat64_s & ~PREF64_KIND & UINT16_MAX);
		wr_bytes(w, ra->nat64.ip.b, PREF64_BYTES);
	}
	if (ra->search_len)
		emit_search(w, ra);
}

/* The message with a checksum of 0. */
static void emit(struct wr *w, const struct nd_msg *m)
{
	const struct nd_router *ra = &m->router;

	wr_u8(w, m->type);
	wr_u8(w, 0);
	wr_u16(w, 0);
	if (m->type == ND_SOLICIT_ROUTER) {
		wr_u32(w, 0);
	} else if (m->type == ND_ADVERTISE_ROUTER) {
		wr_u8(w, ra->hop_limit);
		wr_u8(w, (ra->is_managed ? ROUTER_M : 0) |
				 (ra->has_other ? ROUTER_O : 0));
		wr_u16(w, ra->lifetime_s);
		wr_u32(w, 0);
		wr_u32(w, 0);
	} else {
		wr_u8(w, (m->is_router ? ADVERT_R : 0) |
				 (m->is_solicited ? ADVERT_S : 0) |
				 (m->overrides ? ADVERT_O : 0));
		wr_zero(w, 3);
		wr_bytes(w, m->target.b, sizeof(m->target.b));
	}
	emit_mac(w, ND_O_SOURCE, m->source);
	emit_mac(w, ND_O_TARGET, m->target_mac);
	if (m->type == ND_ADVERTISE_ROUTER)
		emit_router(w, ra);
}

void nd_emit_frame(struct wr *w, mac to, mac from, const addr *src,
		   const addr *dst, const struct nd_msg *m)
{
	const size_t hdr_len = ETH_HDR_LEN + IP6_HDR_LEN;
	uint8_t *hdr = wr_room(w, hdr_len);
	uint8_t *p = w->p;
	struct ip_hdr ip = {.src = *src,
			    .dst = *dst,
			    .proto = IPPROTO_ICMPV6,
			    .ttl = ND_HOP_LIMIT};
	uint16_t sum;
	struct wr h;

	emit(w, m);
	if (!wr_ok(w))
		return;
	ip.l4_len = (uint32_t)(w->p - p);
	sum = csum_fold(csum_add(
		p, ip.l4_len,
		csum_pseudo(src, dst, IPPROTO_ICMPV6, ip.l4_len)));
	put_be16(p + ICMP6_AT_CSUM, sum);
	h = wr_init(hdr, hdr_len);
	ip_emit_frame(&h, to, from, &ip);
}

addr nd_all_nodes(void)
{
	return (addr){{0xff, 0x02, [15] = 1}};
}

addr nd_solicited(const addr *a)
{
	return (addr){{0xff, 0x02, [11] = 1, [12] = 0xff, [13] = a->b[13],
		       [14] = a->b[14], [15] = a->b[15]}};
}
