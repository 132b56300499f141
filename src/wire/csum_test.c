/* SPDX-License-Identifier: BSD-3-Clause */
/* The Internet checksum against RFC 1071's example and a naive sum. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/csum.h"

static uint16_t naive(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void rfc1071_example(void **state)
{
	const uint8_t b[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	assert_int_equal(csum_fold(csum_add(b, sizeof(b), 0)), 0x220d);
	assert_int_equal(csum_partial(csum_add(b, sizeof(b), 0)), 0xddf2);
}

/* Of bytes whose sum is 0xffff. */
static void a_stored_zero(void **state)
{
	const uint8_t b[] = {0xff, 0x00, 0x00, 0xff};
	uint64_t sum = csum_add(b, sizeof(b), 0);

	assert_int_equal(csum_stored(sum, 6), 0xffff);
	assert_int_equal(csum_stored(sum, 16), 0);
	assert_int_equal(csum_stored(csum_add(b, 2, 0), 6), 0x00ff);
}

/* Any 64-bit number is a sum; it is folded modulo 0xffff. */
static void large_sums(void **state)
{
	uint8_t b[2] = {0, 0};

	srandom(4);
	for (unsigned n = 0; n < 20000; n++) {
		uint64_t sum = UINT64_MAX - ((uint64_t)random() << n % 33);
		uint16_t part = csum_partial(sum);

		assert_int_equal(csum_partial(csum_add(b, 2, sum)), part);
		/* The sum itself is in the machine's order (csum.c). */
		assert_int_equal(htons(part) % 0xffff, sum % 0xffff);
	}
}

static void random_bytes(void **state)
{
	static uint8_t b[70000];

	srandom(1);
	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)random();
	for (unsigned n = 0; n < 3000; n++) {
		size_t off = (size_t)random() % 64;
		size_t len = (size_t)random() % (n % 10 ? 2000 : 69000);
		size_t cut = ((size_t)random() % (len + 1)) & ~(size_t)1;
		uint64_t sum = csum_add(b + off, cut, 0);

		sum = csum_add(b + off + cut, len - cut, sum);
		assert_int_equal(csum_fold(sum), naive(b + off, len));
	}
	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = 0xff;
	assert_int_equal(csum_fold(csum_add(b, 69001, 0)), naive(b, 69001));
}

static void updates(void **state)
{
	uint8_t b[20];

	srandom(2);
	for (unsigned n = 0; n < 20000; n++) {
		uint16_t old, now = (uint16_t)random(), sum;

		for (size_t i = 0; i < sizeof(b); i++)
			b[i] = (uint8_t)random();
		sum = naive(b, sizeof(b));
		old = (uint16_t)(b[4] << 8 | b[5]);
		b[4] = (uint8_t)(now >> 8);
		b[5] = (uint8_t)now;
		assert_int_equal(csum_update(sum, old, now),
				 naive(b, sizeof(b)));
	}
}

/* The pseudo-headers of RFC 9293 3.1 and RFC 8200 8.1, byte by byte. */
static void pseudo_headers(void **state)
{
	static const uint8_t v4[12] = {10, 0, 2, 15, 192, 0, 2, 255,
				       0, 6, 0x12, 0x34};
	static const uint8_t v6[40] = {0xfe, 0xc0, [14] = 0xff, 0x15, 0x20,
				       0x01, [31] = 0xd, 0, 1, 0x23, 0x45,
				       [39] = 17};
	addr a4 = addr_v4(10, 0, 2, 15), b4 = addr_v4(192, 0, 2, 255);
	addr a6, b6;

	memcpy(a6.b, v6, sizeof(a6.b));
	memcpy(b6.b, v6 + 16, sizeof(b6.b));
	assert_int_equal(csum_fold(csum_pseudo(&a4, &b4, 6, 0x1234)),
			 naive(v4, sizeof(v4)));
	assert_int_equal(csum_fold(csum_pseudo(&a6, &b6, 17, 0x12345)),
			 naive(v6, sizeof(v6)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rfc1071_example),
		cmocka_unit_test(a_stored_zero),
		cmocka_unit_test(large_sums),
		cmocka_unit_test(random_bytes),
		cmocka_unit_test(updates),
		cmocka_unit_test(pseudo_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
