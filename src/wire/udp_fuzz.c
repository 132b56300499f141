/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: UDP headers; what was read is emitted as the same bytes.
 * Input: two bytes (the length the IP header tells), the datagram.
 */
#include <assert.h>
#include <string.h>

#include "wire/udp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	uint16_t l4_len = rd_u16(&r);
	const uint8_t *start = r.p;
	uint8_t b[UDP_HDR_LEN];
	struct wr w = wr_init(b, sizeof(b));
	struct udp_hdr h;

	if (!udp_parse(&r, l4_len, &h))
		return 0;
	assert(h.len >= UDP_HDR_LEN && h.len <= l4_len);
	udp_emit(&w, &h);
	assert(wr_ok(&w) && memcmp(b, start, sizeof(b)) == 0);
	return 0;
}
