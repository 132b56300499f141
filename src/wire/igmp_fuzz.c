/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: IGMP messages, whose checksum is put right first, and all their
 * records.  Input: a message.
 */
#include <assert.h>
#include <string.h>

#include "wire/csum.h"
#include "wire/igmp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LEN_MAX = 2048 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
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
	sum = csum_fold(csum_add(b, size, 0));
	b[2] = (uint8_t)(sum >> 8);
	b[3] = (uint8_t)sum;
	r = rd_init(b, size);
	if (!igmp_parse(&r, &m))
		return 0;
	assert(size >= IGMP_LEN);
	while (group_next(&m, &group, &change))
		assert(addr_is_v4(&group) &&
		       (change == GROUP_C_NONE || addr_is_multicast(&group)));
	return 0;
}
