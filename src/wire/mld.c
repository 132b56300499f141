/* SPDX-License-Identifier: BSD-3-Clause */
/* MLD; see mld.h. */
#include "wire/mld.h"

#include <netinet/in.h>

#include "base/be.h"
#include "wire/csum.h"
#include "wire/eth.h"

enum {
	T_QUERY = 130,
	T_REPORT1 = 131,
	T_DONE1 = 132,
	T_REPORT2 = 143,
	T_ROUTER = 151, /* RFC 4286 */
	MANT_BITS = 12,
	CODE_MAX = 0x7fff, /* what stands for itself */
	EVERY_MAX = 0x7f,
	IP_LEN = 16,
	OPTIONS_LEN = 8,
	QUERIER_ROBUST = 2,
};

bool mld_parse(struct rd *r, const addr *src, const addr *dst,
	       struct group_msg *mp)
{
	size_t len = rd_left(r);
	uint64_t sum = csum_add(
		r->p, len,
		csum_pseudo(src, dst, IPPROTO_ICMPV6, (uint32_t)len));
	uint8_t type = rd_u8(r);
	struct group_msg m = {.addr_len = IP_LEN, .needs_alert = true};
	uint16_t code;

	rd_skip(r, 3); /* code, and the checksum: summed with the rest */
	code = rd_u16(r);
	if (type == T_REPORT2) {
		m.n_records = rd_u16(r);
		m.records = *r;
	} else if (type != T_ROUTER) {
		rd_skip(r, 2);
		m.group = group_addr(r, IP_LEN);
	}
	if (type == T_QUERY && len != MLD_LEN) {
		rd_skip(r, 2);
		m.n_sources = rd_u16(r);
	}
	if (!rd_ok(r) || csum_fold(sum) != 0)
		return false;
	switch (type) {
	case T_QUERY:
		m.kind = GROUP_QUERY;
		m.wait_ms = len == MLD_LEN ? code
					   : group_code(code, MANT_BITS);
		break;
	case T_REPORT1:
		m.kind = GROUP_JOIN;
		break;
	case T_DONE1:
		m.kind = GROUP_LEAVE;
		break;
	case T_REPORT2:
		m.kind = GROUP_RECORDS;
		break;
	case T_ROUTER:
		m.kind = GROUP_ROUTER;
		break;
	default:
		return false;
	}
	if ((m.kind == GROUP_JOIN || m.kind == GROUP_LEAVE) &&
	    !addr_is_multicast(&m.group))
		return false;
	*mp = m;
	return true;
}

/* IPv6 and the hop-by-hop header with the router alert option (RFC 2711). */
static void emit_ip(struct wr *w, const addr *from, const addr *to)
{
	wr_u32(w, UINT32_C(6) << 28);
	wr_u16(w, OPTIONS_LEN + MLD_QUERY_LEN);
	wr_u8(w, IPPROTO_HOPOPTS);
	wr_u8(w, 1); /* hops */
	wr_bytes(w, from->b, IP_LEN);
	wr_bytes(w, to->b, IP_LEN);
	wr_u8(w, IPPROTO_ICMPV6);
	wr_u8(w, 0);
	wr_u32(w, 0x05020000);
	wr_u16(w, 0x0100); /* padding of two bytes */
}

void mld_emit_query(struct wr *w, mac from, const addr *ip, uint32_t wait_ms,
		    uint32_t every_s)
{
	const addr all = {{0xff, 0x02, [15] = 1}};
	const struct eth_hdr eth = {
		.dst = group_mac(&all), .src = from, .type = ETH_T_IP6};
	uint8_t *start;
	uint16_t sum;

	eth_emit(w, &eth);
	emit_ip(w, ip, &all);
	start = w->p;
	wr_u8(w, T_QUERY);
	wr_u8(w, 0);
	wr_u16(w, 0);
	wr_u16(w, (uint16_t)(wait_ms < CODE_MAX ? wait_ms : CODE_MAX));
	wr_u16(w, 0);
	wr_zero(w, IP_LEN); /* all groups */
	wr_u8(w, QUERIER_ROBUST);
	wr_u8(w, (uint8_t)(every_s < EVERY_MAX ? every_s : EVERY_MAX));
	wr_u16(w, 0);
	if (!wr_ok(w))
		return;
	sum = csum_fold(csum_add(
		start, MLD_QUERY_LEN,
		csum_pseudo(ip, &all, IPPROTO_ICMPV6, MLD_QUERY_LEN)));
	put_be16(start + 2, sum);
}
