/* SPDX-License-Identifier: BSD-3-Clause */
/* frame_copy, frame_iov and frame_sum against flat copies, and drop names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lan/drop.h"
#include "lan/frame.h"
#include "wire/csum.h"

enum { LEN_MAX = 600 };

static uint32_t rnd(uint32_t *s)
{
	*s = *s * 1664525 + 1013904223;
	return *s >> 8;
}

/* Cuts len bytes at data into a frame of random pieces, empty ones too. */
static struct frame cut(const uint8_t *data, uint32_t len, struct iovec *iov,
			uint32_t *seed)
{
	struct frame f = frame_flat(data, len);
	uint32_t at;

	f.hdr_len = len ? rnd(seed) % (len + 1) : 0;
	f.iov = iov;
	for (at = f.hdr_len; at < len; f.n_iov++) {
		uint32_t n = rnd(seed) % (len - at + 1);

		if (f.n_iov == FRAME_IOV_MAX - 1)
			n = len - at;
		iov[f.n_iov].iov_base = (void *)(uintptr_t)(data + at);
		iov[f.n_iov].iov_len = n;
		at += n;
	}
	return f;
}

static uint16_t naive_sum(const uint8_t *p, uint32_t len)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint64_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void test_copy_and_sum_random(void **state)
{
	struct iovec iov[FRAME_IOV_MAX];
	uint8_t data[LEN_MAX], got[LEN_MAX];
	uint32_t seed = 1;

	(void)state;
	for (int round = 0; round < 3000; round++) {
		uint32_t len = rnd(&seed) % LEN_MAX;
		uint32_t off = len ? rnd(&seed) % len : 0;
		uint32_t n = rnd(&seed) % (len - off + 1);
		struct frame f;

		for (uint32_t i = 0; i < len; i++)
			data[i] = (uint8_t)rnd(&seed);
		f = cut(data, len, iov, &seed);
		assert_true(frame_copy(&f, off, n, got));
		assert_memory_equal(got, data + off, n);
		assert_int_equal(csum_fold(frame_sum(&f, off, 0)),
				 naive_sum(data + off, len - off));
	}
}

static void test_copy_beyond_end_is_refused(void **state)
{
	uint8_t data[40] = {0}, got[64];
	struct frame f = frame_flat(data, sizeof(data));

	(void)state;
	assert_true(frame_copy(&f, 40, 0, got));
	assert_false(frame_copy(&f, 40, 1, got));
	assert_false(frame_copy(&f, 41, 0, got));
	assert_false(frame_copy(&f, 1, 40, got));
	assert_false(frame_copy(&f, 1, UINT32_MAX, got));
}

static void test_iov_points_into_frame(void **state)
{
	struct iovec iov[FRAME_IOV_MAX], out[FRAME_IOV_MAX + 1];
	uint8_t data[LEN_MAX];
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		uint32_t len = 1 + rnd(&seed) % (LEN_MAX - 1);
		uint32_t off = rnd(&seed) % len, at = off;
		struct frame f = cut(data, len, iov, &seed);
		unsigned n = frame_iov(&f, off, out, FRAME_IOV_MAX + 1);

		assert_true(n > 0);
		for (unsigned i = 0; i < n; i++) {
			assert_ptr_equal(out[i].iov_base, data + at);
			assert_true(out[i].iov_len > 0);
			at += (uint32_t)out[i].iov_len;
		}
		assert_int_equal(at, len);
		assert_int_equal(frame_iov(&f, off, out, n - 1), 0);
		assert_int_equal(frame_iov(&f, len, out, n), 0);
	}
}

static void test_batch_mask(void **state)
{
	struct batch b;

	(void)state;
	b.n = 0;
	assert_true(batch_mask(&b) == 0);
	b.n = 3;
	assert_true(batch_mask(&b) == 7);
	b.n = FRAME_BATCH;
	assert_true(batch_mask(&b) == UINT64_MAX);
}

static void test_drop_names(void **state)
{
	struct drops d = {{0}};

	(void)state;
	for (int i = 0; i < DROP_N; i++) {
		assert_true(strlen(drop_name((enum drop_reason)i)) > 2);
		assert_true(strlen(drop_text((enum drop_reason)i)) > 2);
	}
	assert_string_equal(drop_name(DROP_TCP_NO_FLOW), "TCP_NO_FLOW");
	assert_string_equal(drop_text(DROP_PORT_FULL), "exit had no room");
	drop(&d, DROP_HAIRPIN);
	drop_n(&d, DROP_HAIRPIN, 2);
	assert_int_equal(d.n[DROP_HAIRPIN], 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy_and_sum_random),
		cmocka_unit_test(test_copy_beyond_end_is_refused),
		cmocka_unit_test(test_iov_points_into_frame),
		cmocka_unit_test(test_batch_mask),
		cmocka_unit_test(test_drop_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
