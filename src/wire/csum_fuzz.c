/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fuzz target: csum_add() over the input in two parts against a sum byte by
 * byte, and csum_update().  Input: two bytes (where to cut), the bytes.
 */
#include <assert.h>

#include "wire/csum.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint16_t naive(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)~sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint16_t csum, word;
	uint64_t sum;
	size_t cut;

	if (size < 4)
		return 0;
	word = (uint16_t)(data[0] << 8 | data[1]);
	data += 2;
	size -= 2;
	cut = word % (size + 1) & ~(size_t)1;
	sum = csum_add(data, cut, 0);
	csum = csum_fold(csum_add(data + cut, size - cut, sum));
	assert(csum == naive(data, size));
	assert((uint16_t)~csum_partial(csum_add(data, size, 0)) == csum);
	/* The first word becomes another: as if it had been summed. */
	csum = csum_update(csum, (uint16_t)(data[0] << 8 | data[1]), word);
	sum = csum_add((uint8_t[2]){(uint8_t)(word >> 8), (uint8_t)word}, 2, 0);
	/* Ones complement has two zeros; which one may differ. */
	assert((csum_fold(csum_add(data + 2, size - 2, sum)) - csum) % 0xffff ==
	       0);
	return 0;
}
