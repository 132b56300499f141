/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sum is taken over 32-bit words in the machine's own order and turned
 * at the end: ones-complement addition does not care (RFC 1071 2 (B)).
 */
#include "wire/csum.h"

#include <arpa/inet.h>
#include <string.h>

uint64_t csum_add(const void *p, size_t len, uint64_t sum)
{
	const uint8_t *b = p;
	uint64_t s0 = (sum & UINT32_MAX) + (sum >> 32), s1 = 0;
	uint32_t w[4];

	for (; len >= sizeof(w); len -= sizeof(w), b += sizeof(w)) {
		memcpy(w, b, sizeof(w));
		s0 += (uint64_t)w[0] + w[1];
		s1 += (uint64_t)w[2] + w[3];
	}
	if (len) {
		memset(w, 0, sizeof(w));
		memcpy(w, b, len);
		s0 += (uint64_t)w[0] + w[1];
		s1 += (uint64_t)w[2] + w[3];
	}
	return s0 + s1;
}

uint16_t csum_partial(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ntohs((uint16_t)sum);
}

uint16_t csum_fold(uint64_t sum)
{
	return (uint16_t)~csum_partial(sum);
}

uint64_t csum_pseudo(const addr *src, const addr *dst, uint8_t proto,
		     uint32_t len)
{
	unsigned skip = addr_is_v4(src) ? 12 : 0;
	uint8_t rest[8] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16),
			   (uint8_t)(len >> 8),	 (uint8_t)len,
			   0,			 0,
			   0,			 proto};
	uint64_t sum = csum_add(rest, sizeof(rest), 0);

	sum = csum_add(src->b + skip, sizeof(src->b) - skip, sum);
	return csum_add(dst->b + skip, sizeof(dst->b) - skip, sum);
}

uint16_t csum_update(uint16_t csum, uint16_t old, uint16_t now)
{
	uint32_t sum = (uint32_t)(uint16_t)~csum + (uint16_t)~old + now;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}
