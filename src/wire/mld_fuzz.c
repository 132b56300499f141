/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: MLD messages, whose checksum is put right first, and all their
 * records.  Input: a message.
 */
#include <assert.h>
#include <string.h>

#include "wire/csum.h"
#include "wire/mld.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LEN_MAX = 2048 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const addr src = {{0xfe, 0x80, [15] = 1}};
	static const addr dst = {{0xff, 0x02, [15] = 0x16}};
	uint8_t b[LEN_MAX];
	enum group_change change;
	struct group_msg m;
	uint16_t sum;
	struct rd r;
	addr group;

	if (size < 4 || size > sizeof(b))
		return 0;
	memcpy(b, data, size);
	b[2] = b[3] = 0;
	sum = csum_fold(csum_add(
		b, size, csum_pseudo(&src, &dst, 58, (uint32_t)size)));
	b[2] = (uint8_t)(sum >> 8);
	b[3] = (uint8_t)sum;
	r = rd_init(b, size);
	if (!mld_parse(&r, &src, &dst, &m))
		return 0;
	while (group_next(&m, &group, &change))
		assert(change == GROUP_C_NONE || addr_is_multicast(&group));
	return 0;
}
