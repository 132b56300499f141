/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: the offload header of taps in front of a frame.  What is let
 * in can be written again and then says the same; what it asks for lies
 * inside the frame.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "netdev/vnethdr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t h[VNETHDR_LEN];
	struct frame f, again;

	if (size < VNETHDR_LEN + FRAME_ETH_LEN ||
	    size > VNETHDR_LEN + FRAME_MAX)
		return 0;
	f = frame_flat(data + VNETHDR_LEN, (uint32_t)(size - VNETHDR_LEN));
	if (!vnethdr_parse(data, &f) || !frame_offload_check(&f))
		return 0;
	if (f.off.flags & FRAME_F_NEEDS_CSUM)
		assert(f.off.csum_start + f.off.csum_offset + 2u <= f.len);
	if (f.off.gso != FRAME_GSO_NONE) {
		assert(f.off.gso_size > 0);
		assert(f.off.hdr_len <= f.len);
	}
	vnethdr_emit(&f.off, h);
	again = frame_flat(f.hdr, f.len);
	assert(vnethdr_parse(h, &again));
	assert(memcmp(&again.off, &f.off, sizeof(f.off)) == 0);
	return 0;
}
