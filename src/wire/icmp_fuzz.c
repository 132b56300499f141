/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: ICMP messages and the packets that errors quote; the input is
 * quoted in an error of our own besides.  Input: an ICMP message.
 */
#include <assert.h>

#include "wire/csum.h"
#include "wire/icmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void emit(const addr *src, const addr *dst, const uint8_t *data,
		 size_t size)
{
	const struct icmp_report m = {.src = *src,
				      .dst = *dst,
				      .type = 3,
				      .quote = data,
				      .quote_len = size};
	uint8_t b[ICMP_ERROR_MAX];
	struct wr w = wr_init(b, sizeof(b));
	uint32_t len;

	icmp_emit_error(&w, &m);
	assert(wr_ok(&w));
	len = (uint32_t)wr_len(&w);
	assert(len <= ICMP_HDR_LEN + icmp_quote_max(dst));
	assert(csum_fold(csum_add(b, len, icmp_pseudo(src, dst, len))) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const addr v4 = addr_v4(10, 0, 2, 2), v6 = {{0xfe, 0xc0, [15] = 2}};
	struct rd r = rd_init(data, size);
	struct icmp_quote q;
	struct icmp_hdr h;

	emit(&v4, &v4, data, size);
	emit(&v6, &v6, data, size);
	if (!icmp_parse(&r, &h))
		return 0;
	assert(rd_left(&r) == size - ICMP_HDR_LEN);
	(void)icmp_pointer_to6((uint32_t)h.id << 16 | h.seq);
	if (icmp_to6(&h.type, &h.code))
		assert(icmp_to4(&h.type, &h.code));
	if (!icmp_parse_quote(&r, &q))
		return 0;
	assert(q.is_later || q.l4_len >= 8);
	assert(q.l4 >= data + ICMP_HDR_LEN + 20);
	assert(q.l4 + q.l4_len == data + size);
	assert(addr_is_v4(&q.src.ip) == addr_is_v4(&q.dst.ip));
	assert(!q.is_later || (q.src.port == 0 && q.dst.port == 0));
	return 0;
}
