/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: NTP's header.  Input: a message; what is parsed of it and
 * written again is the same bytes.
 */
#include <assert.h>
#include <string.h>

#include "wire/ntp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	uint8_t again[NTP_LEN];
	struct wr w = wr_init(again, sizeof(again));
	struct ntp_msg m;

	if (!ntp_parse(&r, &m)) {
		assert(size < NTP_LEN);
		return 0;
	}
	assert(rd_left(&r) == size - NTP_LEN);
	ntp_emit(&w, &m);
	assert(wr_ok(&w) && wr_len(&w) == NTP_LEN);
	assert(memcmp(again, data, NTP_LEN) == 0);
	return 0;
}
