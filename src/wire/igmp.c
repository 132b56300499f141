/* SPDX-License-Identifier: BSD-3-Clause */
/* IGMP; see igmp.h. */
#include "wire/igmp.h"

#include <netinet/in.h>

#include "base/be.h"
#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ip.h"

enum {
	T_QUERY = 0x11,
	T_REPORT1 = 0x12,
	T_REPORT2 = 0x16,
	T_LEAVE2 = 0x17,
	T_REPORT3 = 0x22,
	T_ROUTER = 0x30, /* RFC 4286 */
	WAIT1_MS = 10000, /* RFC 1112: version 1 does not say */
	UNIT_MS = 100,
	MANT_BITS = 4,
	CODE_MAX = 0x7f, /* what stands for itself */
	IP_LEN = 4,
	IP_ALERT_LEN = IP4_HDR_LEN + 4,
	TOS_CONTROL = 0xc0, /* RFC 3376 4 */
	QUERIER_ROBUST = 2,
};

static uint32_t query_wait(uint8_t code, bool is_v3)
{
	if (code == 0 && !is_v3)
		return WAIT1_MS;
	return UNIT_MS * (is_v3 ? group_code(code, MANT_BITS) : code);
}

bool igmp_parse(struct rd *r, struct group_msg *mp)
{
	size_t len = rd_left(r);
	uint16_t sum = csum_fold(csum_add(r->p, len, 0));
	uint8_t type = rd_u8(r), code = rd_u8(r);
	struct group_msg m = {.kind = GROUP_OTHER, .addr_len = IP_LEN};

	rd_skip(r, 2); /* checksum: summed with the rest */
	if (type == T_REPORT3) {
		m.kind = GROUP_RECORDS;
		rd_skip(r, 2);
		m.n_records = rd_u16(r);
		m.records = *r;
	} else {
		m.group = group_addr(r, IP_LEN);
	}
	if (type == T_QUERY && len != IGMP_LEN) {
		rd_skip(r, 2);
		m.n_sources = rd_u16(r);
	}
	if (!rd_ok(r) || sum != 0)
		return false;
	switch (type) {
	case T_QUERY:
		m.kind = GROUP_QUERY;
		m.wait_ms = query_wait(code, len != IGMP_LEN);
		m.needs_alert = code != 0 || len != IGMP_LEN;
		break;
	case T_REPORT1:
	case T_REPORT2:
		m.kind = GROUP_JOIN;
		break;
	case T_LEAVE2:
		m.kind = GROUP_LEAVE;
		break;
	case T_ROUTER:
		m.kind = GROUP_ROUTER;
		break;
	default: /* sound for all we know */
		break;
	}
	if ((m.kind == GROUP_JOIN || m.kind == GROUP_LEAVE) &&
	    !addr_is_multicast(&m.group))
		return false;
	*mp = m;
	return true;
}

/* The IPv4 header with the router alert option (RFC 2113). */
static void emit_ip(struct wr *w, const addr *from, const addr *to)
{
	uint8_t *start = w->p;
	uint16_t sum;

	wr_u8(w, 0x40 | IP_ALERT_LEN / 4);
	wr_u8(w, TOS_CONTROL);
	wr_u16(w, IP_ALERT_LEN + IGMP_QUERY_LEN);
	wr_u16(w, 0);
	wr_u16(w, IP4_F_DF);
	wr_u8(w, 1); /* hops */
	wr_u8(w, IPPROTO_IGMP);
	wr_u16(w, 0);
	wr_bytes(w, from->b + 12, IP_LEN);
	wr_bytes(w, to->b + 12, IP_LEN);
	wr_u32(w, 0x94040000);
	if (!wr_ok(w))
		return;
	sum = csum_fold(csum_add(start, IP_ALERT_LEN, 0));
	put_be16(start + 10, sum);
}

void igmp_emit_query(struct wr *w, mac from, const addr *ip, uint32_t wait_ms,
		     uint32_t every_s)
{
	const addr all = addr_v4(224, 0, 0, 1);
	const struct eth_hdr eth = {
		.dst = group_mac(&all), .src = from, .type = ETH_T_IP4};
	uint32_t wait = wait_ms / UNIT_MS;
	uint8_t *start;
	uint16_t sum;

	eth_emit(w, &eth);
	emit_ip(w, ip, &all);
	start = w->p;
	wr_u8(w, T_QUERY);
	wr_u8(w, (uint8_t)(wait < CODE_MAX ? wait : CODE_MAX));
	wr_u16(w, 0);
	wr_u32(w, 0); /* all groups */
	wr_u8(w, QUERIER_ROBUST);
	wr_u8(w, (uint8_t)(every_s < CODE_MAX ? every_s : CODE_MAX));
	wr_u16(w, 0);
	if (!wr_ok(w))
		return;
	sum = csum_fold(csum_add(start, IGMP_QUERY_LEN, 0));
	put_be16(start + 2, sum);
}
