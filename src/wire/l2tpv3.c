/* SPDX-License-Identifier: BSD-3-Clause */
/* L2TPv3; see l2tpv3.h. */
#include "wire/l2tpv3.h"

enum {
	IP4_HDR_MIN = 20,
	VERSION = 3, /* 4 bits of the first 16 */
};

size_t l2tpv3_counter_at(const struct l2tpv3_form *f)
{
	return (f->is_udp ? 8u : 4u) + f->cookie_len;
}

size_t l2tpv3_len(const struct l2tpv3_form *f)
{
	return l2tpv3_counter_at(f) + (f->has_counter ? 4 : 0) + f->offset;
}

static uint64_t read_cookie(struct rd *r, unsigned len)
{
	uint64_t high = len == 8 ? rd_u32(r) : 0;

	return len ? high << 32 | rd_u32(r) : 0;
}

enum l2tpv3_result l2tpv3_parse(struct rd *r, const struct l2tpv3_form *f)
{
	/* RFC 3931 4.1.2.1: T, reserved bits, version; then reserved ones. */
	uint32_t word = f->is_udp ? rd_u32(r) : VERSION << 16;
	uint32_t session = rd_u32(r);
	uint64_t cookie = read_cookie(r, f->cookie_len);

	if (f->has_counter)
		rd_skip(r, 4);
	rd_skip(r, f->offset);
	if (!rd_ok(r))
		return L2TPV3_E_SHORT;
	if (word >> 31 || (word >> 16 & 0xf) != VERSION)
		return L2TPV3_E_VERSION;
	if (session != f->session)
		return L2TPV3_E_SESSION;
	return cookie == f->cookie ? L2TPV3_OK : L2TPV3_E_COOKIE;
}

void l2tpv3_emit(struct wr *w, const struct l2tpv3_form *f, uint32_t counter)
{
	if (f->is_udp)
		wr_u32(w, VERSION << 16);
	wr_u32(w, f->session);
	if (f->cookie_len == 8)
		wr_u32(w, (uint32_t)(f->cookie >> 32));
	if (f->cookie_len)
		wr_u32(w, (uint32_t)f->cookie);
	if (f->has_counter)
		wr_u32(w, counter);
	wr_zero(w, f->offset);
}

bool l2tpv3_skip_ip4(struct rd *r)
{
	uint8_t first = rd_u8(r);
	unsigned len = (first & 0xfu) * 4;

	if (first >> 4 != 4 || len < IP4_HDR_MIN)
		return false;
	rd_skip(r, len - 1);
	return rd_ok(r);
}
