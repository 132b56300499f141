/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: ICMP messages and the packets that errors quote; the input is
 * quoted in an error of our own besides.  Input: an ICMP message.
 */
#include <assert.h>

#include "wire/csum.h"
#include "wire/icmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	uint8_t b[ICMP_ERROR_MAX];
	struct wr w = wr_init(b, sizeof(b));
	struct icmp_quote q;
	struct icmp_hdr h;

	icmp_emit_error(&w, ICMP_UNREACHABLE, ICMP_U_PORT, 0, data, size);
	assert(wr_ok(&w));
	assert(csum_fold(csum_add(b, wr_len(&w), 0)) == 0);
	if (!icmp_parse(&r, &h))
		return 0;
	assert(rd_left(&r) == size - ICMP_HDR_LEN);
	if (!icmp_is_error(h.type) || !icmp_parse_quote(&r, &q))
		return 0;
	assert(q.is_later || q.l4_len >= 8);
	assert(q.l4 >= data + ICMP_HDR_LEN + 20);
	assert(q.l4 + q.l4_len == data + size);
	assert(addr_is_v4(&q.src.ip) && addr_is_v4(&q.dst.ip));
	assert(!q.is_later || (q.src.port == 0 && q.dst.port == 0));
	return 0;
}
