/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sum is taken over 32-bit words in the machine's own order and turned
 * at the end: ones-complement addition does not care (RFC 1071 2 (B)), nor in
 * how many sums it is done (2 (A)).
 */
#include "wire/csum.h"

#include <arpa/inet.h>
#include <string.h>

#include "wire/udp.h"

#ifdef __x86_64__
#include <immintrin.h>

enum { WIDE = 64, WIDE_FROM = 256 };

/* The sum of len bytes, a multiple of WIDE: in eight lanes of 64 bits, half of
 * them for the upper words, half for the lower. */
__attribute__((target("avx2"))) static uint64_t add_wide(const uint8_t *b,
							 size_t len)
{
	const __m256i low = _mm256_set1_epi64x(UINT32_MAX);
	__m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;
	uint64_t lane[4], sum = 0;

	for (; len; len -= WIDE, b += WIDE) {
		__m256i v = _mm256_loadu_si256((const void *)b);
		__m256i w = _mm256_loadu_si256((const void *)(b + WIDE / 2));

		s0 = _mm256_add_epi64(s0, _mm256_and_si256(v, low));
		s1 = _mm256_add_epi64(s1, _mm256_srli_epi64(v, 32));
		s2 = _mm256_add_epi64(s2, _mm256_and_si256(w, low));
		s3 = _mm256_add_epi64(s3, _mm256_srli_epi64(w, 32));
	}
	s0 = _mm256_add_epi64(_mm256_add_epi64(s0, s1),
			      _mm256_add_epi64(s2, s3));
	_mm256_storeu_si256((void *)lane, s0);
	for (unsigned i = 0; i < 4; i++)
		sum += lane[i];
	return sum;
}

/* Sums what it can of the *lenp bytes at *bp, and takes them off. */
static uint64_t add_front(const uint8_t **bp, size_t *lenp)
{
	size_t n = *lenp & ~(size_t)(WIDE - 1);
	uint64_t sum;

	if (*lenp < WIDE_FROM || !__builtin_cpu_supports("avx2"))
		return 0;
	sum = add_wide(*bp, n);
	*bp += n;
	*lenp -= n;
	return sum;
}
#else
static uint64_t add_front(const uint8_t **bp, size_t *lenp)
{
	(void)bp;
	(void)lenp;
	return 0;
}
#endif

uint64_t csum_add(const void *p, size_t len, uint64_t sum)
{
	const uint8_t *b = p;
	uint64_t s0 = (sum & UINT32_MAX) + (sum >> 32);
	uint64_t s1 = add_front(&b, &len);
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

uint16_t csum_stored(uint64_t sum, uint32_t offset)
{
	uint16_t csum = csum_fold(sum);

	return csum == 0 && offset == UDP_AT_CSUM ? 0xffff : csum;
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
