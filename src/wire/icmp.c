/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP; see icmp.h. */
#include "wire/icmp.h"

#include "base/be.h"
#include "wire/csum.h"
#include "wire/ip.h"
#include "wire/nd.h"

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

uint64_t icmp_pseudo(const addr *src, const addr *dst, uint32_t len)
{
	return addr_is_v4(dst) ? 0
			       : csum_pseudo(src, dst, IPPROTO_ICMPV6, len);
}

void icmp_emit_error(struct wr *w, const struct icmp_report *m)
{
	uint8_t head[ICMP_HDR_LEN];
	struct wr b = wr_init(head, sizeof(head));
	size_t max = icmp_quote_max(&m->dst);
	size_t len = m->quote_len < max ? m->quote_len : max;
	struct icmp_hdr h = {.type = m->type,
			     .code = m->code,
			     .id = (uint16_t)(m->rest >> 16),
			     .seq = (uint16_t)m->rest};
	uint64_t sum = icmp_pseudo(&m->src, &m->dst,
				   (uint32_t)(ICMP_HDR_LEN + len));

	icmp_emit(&b, &h);
	h.csum = csum_fold(csum_add(m->quote, len,
				    csum_add(head, sizeof(head), sum)));
	icmp_emit(w, &h);
	wr_bytes(w, m->quote, len);
}

/* The header behind its first byte, vihl; r stands at what follows it then. */
static bool quote_ip4(struct rd *r, uint8_t vihl, struct icmp_quote *q)
{
	size_t hdr_len = (vihl & 15u) * 4;
	uint8_t a[4];

	rd_skip(r, 1);
	q->total_len = rd_u16(r);
	rd_skip(r, 2);
	q->is_later = rd_u16(r) & IP4_OFF_MASK;
	rd_skip(r, 1);
	q->proto = rd_u8(r);
	rd_skip(r, 2);
	rd_copy(r, a, sizeof(a));
	q->src.ip = addr_v4_bytes(a);
	rd_copy(r, a, sizeof(a));
	q->dst.ip = addr_v4_bytes(a);
	if (!rd_ok(r) || hdr_len < IP4_HDR_LEN)
		return false;
	rd_skip(r, hdr_len - IP4_HDR_LEN);
	return true;
}

/* The same of IPv6. */
static bool quote_ip6(struct rd *r, struct icmp_quote *q)
{
	rd_skip(r, 3);
	q->total_len = IP6_HDR_LEN + (uint32_t)rd_u16(r);
	q->proto = rd_u8(r);
	rd_skip(r, 1);
	rd_copy(r, q->src.ip.b, sizeof(q->src.ip.b));
	rd_copy(r, q->dst.ip.b, sizeof(q->dst.ip.b));
	if (q->proto != IPPROTO_FRAGMENT)
		return true;
	q->proto = rd_u8(r);
	rd_skip(r, 1);
	q->is_later = rd_u16(r) & IP6_OFF_MASK;
	rd_skip(r, 4);
	return true;
}

bool icmp_parse_quote(struct rd *r, struct icmp_quote *qp)
{
	struct icmp_quote q = {0};
	uint8_t first = rd_u8(r);
	bool is_v4 = first >> 4 == 4;

	if (!is_v4 && first >> 4 != 6)
		return false;
	if (!(is_v4 ? quote_ip4(r, first, &q) : quote_ip6(r, &q)))
		return false;
	/* Two families in one. */
	if (!is_v4 && (addr_is_v4(&q.src.ip) || addr_is_v4(&q.dst.ip)))
		return false;
	q.l4_len = rd_left(r);
	q.l4 = rd_bytes(r, q.l4_len);
	if (!rd_ok(r) || (!q.is_later && q.l4_len < QUOTE_LEAST))
		return false;
	if (!q.is_later &&
	    (q.proto == IPPROTO_TCP || q.proto == IPPROTO_UDP)) {
		q.src.port = get_be16(q.l4);
		q.dst.port = get_be16(q.l4 + 2);
	}
	*qp = q;
	return true;
}

bool icmp_is_error(uint8_t proto, uint8_t type)
{
	if (proto == IPPROTO_ICMPV6)
		return type < ICMP6_ECHO || type == ND_REDIRECT;
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

/* What means the same.  Each way the first that fits is taken. */
static const uint8_t pairs[][4] = {
	{ICMP_ECHO, 0, ICMP6_ECHO, 0},
	{ICMP_ECHO_REPLY, 0, ICMP6_ECHO_REPLY, 0},
	{ICMP_TIME_EXCEEDED, 0, ICMP6_EXCEEDED, 0},
	{ICMP_TIME_EXCEEDED, ICMP_T_REASSEMBLY, ICMP6_EXCEEDED, 1},
	{ICMP_UNREACHABLE, ICMP_U_FRAG_NEEDED, ICMP6_TOO_BIG, 0},
	{ICMP_UNREACHABLE, ICMP_U_PROTOCOL, ICMP6_PARAMETER, ICMP6_P_NEXT},
	{ICMP_UNREACHABLE, ICMP_U_PORT, ICMP6_UNREACHABLE, ICMP6_U_PORT},
	/* RFC 7915 knows no difference between these two. */
	{ICMP_UNREACHABLE, ICMP_U_NET, ICMP6_UNREACHABLE, ICMP6_U_NO_ROUTE},
	{ICMP_UNREACHABLE, ICMP_U_HOST, ICMP6_UNREACHABLE, ICMP6_U_ADDRESS},
	{ICMP_UNREACHABLE, ICMP_U_HOST, ICMP6_UNREACHABLE, ICMP6_U_SCOPE},
	{ICMP_UNREACHABLE, ICMP_U_SCOPE, ICMP6_UNREACHABLE, ICMP6_U_SCOPE},
	/* source route failed, unknown network, unknown and isolated host,
	 * unreachable for this type of service: network, host */
	{ICMP_UNREACHABLE, 5, ICMP6_UNREACHABLE, ICMP6_U_NO_ROUTE},
	{ICMP_UNREACHABLE, 6, ICMP6_UNREACHABLE, ICMP6_U_NO_ROUTE},
	{ICMP_UNREACHABLE, 7, ICMP6_UNREACHABLE, ICMP6_U_NO_ROUTE},
	{ICMP_UNREACHABLE, 8, ICMP6_UNREACHABLE, ICMP6_U_NO_ROUTE},
	{ICMP_UNREACHABLE, 11, ICMP6_UNREACHABLE, ICMP6_U_NO_ROUTE},
	{ICMP_UNREACHABLE, 12, ICMP6_UNREACHABLE, ICMP6_U_NO_ROUTE},
	/* forbidden: network, host, by precedence */
	{ICMP_UNREACHABLE, ICMP_U_ADMIN, ICMP6_UNREACHABLE, ICMP6_U_ADMIN},
	{ICMP_UNREACHABLE, ICMP_U_ADMIN, ICMP6_UNREACHABLE, ICMP6_U_POLICY},
	{ICMP_UNREACHABLE, ICMP_U_ADMIN, ICMP6_UNREACHABLE, ICMP6_U_REJECT},
	{ICMP_UNREACHABLE, 9, ICMP6_UNREACHABLE, ICMP6_U_ADMIN},
	{ICMP_UNREACHABLE, 10, ICMP6_UNREACHABLE, ICMP6_U_ADMIN},
	{ICMP_UNREACHABLE, 15, ICMP6_UNREACHABLE, ICMP6_U_ADMIN},
	/* the pointer, a length that is wrong */
	{ICMP_PARAMETER, 0, ICMP6_PARAMETER, ICMP6_P_FIELD},
	{ICMP_PARAMETER, 2, ICMP6_PARAMETER, ICMP6_P_FIELD},
};

enum {
	N_PAIRS = sizeof(pairs) / sizeof(*pairs),
	/* of a pair: where type and code are, of which family */
	COLUMN_4 = 0,
	COLUMN_6 = 2,
};

/* Column from of a pair, and the next, become column to and the next. */
static bool translate(uint8_t *typep, uint8_t *codep, unsigned from,
		      unsigned to)
{
	for (unsigned i = 0; i < N_PAIRS; i++) {
		if (pairs[i][from] != *typep || pairs[i][from + 1] != *codep)
			continue;
		*typep = pairs[i][to];
		*codep = pairs[i][to + 1];
		return true;
	}
	return false;
}

bool icmp_to6(uint8_t *typep, uint8_t *codep)
{
	return translate(typep, codep, COLUMN_4, COLUMN_6);
}

bool icmp_to4(uint8_t *typep, uint8_t *codep)
{
	return translate(typep, codep, COLUMN_6, COLUMN_4);
}

int icmp_pointer_to6(uint32_t pointer)
{
	static const int8_t to[IP4_HDR_LEN] = {
		0,  1,	4,  4,		     /* version, TOS, length */
		-1, -1, -1, -1,		     /* identification, offset */
		7,  6,	-1, -1,		     /* TTL, protocol, checksum */
		8,  8,	8,  8,	24, 24, 24, 24, /* source, destination */
	};

	return pointer < IP4_HDR_LEN ? to[pointer] : -1;
}
