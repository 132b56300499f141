/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any line to the parser of the lease file, as it is and with a sum that is
 * right: no crash, and what is taken is sound and prints as it was read.
 */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "keeper/lease_line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const char *text, size_t len)
{
	struct kept_lease l, again;
	char buf[LEASE_LINE_MAX];
	size_t n;

	if (!lease_line_parse(text, len, &l))
		return;
	assert(lease_is_sound(&l.lease));
	n = lease_line_format(&l, buf);
	assert(n && n <= LEASE_LINE_MAX && buf[n - 1] == '\n');
	assert(lease_line_parse(buf, n - 1, &again));
	assert(memcmp(&l.lease, &again.lease, sizeof(l.lease)) == 0);
	assert(l.end == again.end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct hash_key key = {.k0 = 0x6c65617365206f66,
					    .k1 = 0x6120766d6c616e20};
	char line[LEASE_LINE_MAX * 2];

	if (size > LEASE_LINE_MAX)
		return 0;
	judge((const char *)data, size);
	memcpy(line, data, size);
	snprintf(line + size, 18, " %016llx",
		 (unsigned long long)hash_bytes(&key, data, size));
	judge(line, size + 17);
	return 0;
}
