/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: requests of TFTP; what was read keeps to its bounds.
 * Input: what is behind the opcode.
 */
#include <assert.h>

#include "wire/tftp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rd r = rd_init(data, size);
	struct tftp_request q;

	if (!tftp_parse_request(&r, &q))
		return 0;
	assert(q.name[0] && strlen(q.name) < sizeof(q.name));
	assert(!q.blksize || (q.blksize >= TFTP_BLOCK_MIN &&
			      q.blksize <= TFTP_BLOCK_MAX));
	return 0;
}
