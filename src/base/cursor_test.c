/* SPDX-License-Identifier: BSD-3-Clause */
/* The bounded reader and writer: ends, stickiness, sub-readers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cursor.h"

static void numbers_are_big_endian(void **state)
{
	static const uint8_t want[] = {1, 0xfe, 2, 0x80, 3, 4, 5, 'a', 'b', 0,
				       0};
	uint8_t b[sizeof(want)];
	struct wr w = wr_init(b, sizeof(b));
	struct rd r;
	char ab[2];

	wr_u8(&w, 1);
	wr_u16(&w, 0xfe02);
	wr_u32(&w, 0x80030405);
	wr_bytes(&w, "ab", 2);
	wr_zero(&w, 2);
	assert_true(wr_ok(&w));
	assert_int_equal(wr_len(&w), sizeof(want));
	assert_int_equal(wr_left(&w), 0);
	assert_memory_equal(b, want, sizeof(b));
	r = rd_init(b, sizeof(b));
	assert_int_equal(rd_u8(&r), 1);
	assert_int_equal(rd_u16(&r), 0xfe02);
	assert_int_equal(rd_u32(&r), 0x80030405);
	rd_copy(&r, ab, 2);
	assert_memory_equal(ab, "ab", 2);
	rd_skip(&r, 2);
	assert_true(rd_ok(&r));
	assert_int_equal(rd_left(&r), 0);
}

static void reading_past_the_end_is_sticky(void **state)
{
	static const uint8_t b[] = {1, 2, 3};
	struct rd r = rd_init(b, sizeof(b));
	uint8_t to[4] = {9, 9, 9, 9};

	assert_int_equal(rd_u32(&r), 0);
	assert_false(rd_ok(&r));
	/* There would be enough, but it is over. */
	assert_int_equal(rd_u8(&r), 0);
	assert_int_equal(rd_u16(&r), 0);
	assert_null(rd_bytes(&r, 0));
	rd_copy(&r, to, 3);
	assert_int_equal(to[0] | to[1] | to[2], 0);
	assert_int_equal(to[3], 9);
	assert_false(rd_ok(&r));
	assert_ptr_equal(r.p, b);
}

static void huge_lengths_do_not_wrap(void **state)
{
	static const uint8_t b[] = {1, 2, 3};
	struct rd r = rd_init(b, sizeof(b));
	uint8_t room[3];
	struct wr w = wr_init(room, sizeof(room));

	assert_null(rd_bytes(&r, SIZE_MAX));
	assert_false(rd_ok(&r));
	r = rd_init(b, sizeof(b));
	rd_skip(&r, SIZE_MAX - 1);
	assert_false(rd_ok(&r));
	r = rd_init(b, sizeof(b));
	assert_false(rd_ok(&(struct rd){.bad = true}));
	assert_int_equal(rd_left(&(struct rd){0}), 0);
	assert_null(wr_room(&w, SIZE_MAX));
	assert_false(wr_ok(&w));
}

static void an_empty_reader_gives_nothing(void **state)
{
	struct rd r = rd_init(NULL, 0);
	struct rd s = rd_sub(&r, 0);

	assert_non_null(rd_bytes(&r, 0));
	assert_true(rd_ok(&r));
	assert_int_equal(rd_left(&r), 0);
	assert_int_equal(rd_left(&s), 0);
	assert_int_equal(rd_u8(&r), 0);
	assert_false(rd_ok(&r));
}

static void a_sub_reader_cannot_see_past_its_part(void **state)
{
	static const uint8_t b[] = {1, 2, 3, 4, 5};
	struct rd r = rd_init(b, sizeof(b));
	struct rd s = rd_sub(&r, 2);

	assert_int_equal(rd_u16(&s), 0x0102);
	assert_true(rd_ok(&s));
	assert_int_equal(rd_u8(&s), 0);
	assert_false(rd_ok(&s));
	/* Its failure is its own. */
	assert_true(rd_ok(&r));
	assert_int_equal(rd_u8(&r), 3);
	/* One that does not fit is bad from the start, as is its parent. */
	s = rd_sub(&r, 3);
	assert_false(rd_ok(&s));
	assert_int_equal(rd_left(&s), 0);
	assert_int_equal(rd_u8(&s), 0);
	assert_false(rd_ok(&r));
	s = rd_sub(&r, 0);
	assert_false(rd_ok(&s));
}

static void a_writer_refuses_whole_items(void **state)
{
	uint8_t b[8];
	struct wr w = wr_init(b, 3);

	memset(b, 0xee, sizeof(b));
	wr_u16(&w, 0x0102);
	wr_u16(&w, 0x0304);
	assert_false(wr_ok(&w));
	wr_u8(&w, 5); /* would fit, but it is over */
	wr_zero(&w, 1);
	wr_bytes(&w, "x", 1);
	assert_null(wr_room(&w, 0));
	assert_int_equal(wr_len(&w), 2);
	assert_int_equal(b[0], 1);
	assert_int_equal(b[1], 2);
	for (unsigned i = 2; i < sizeof(b); i++)
		assert_int_equal(b[i], 0xee);
}

static void nothing_may_be_written(void **state)
{
	uint8_t b[1] = {0xee};
	struct wr w = wr_init(b, 0);

	wr_bytes(&w, NULL, 0);
	assert_true(wr_ok(&w));
	assert_int_equal(wr_len(&w), 0);
	wr_u8(&w, 1);
	assert_false(wr_ok(&w));
	assert_int_equal(b[0], 0xee);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_big_endian),
		cmocka_unit_test(reading_past_the_end_is_sticky),
		cmocka_unit_test(huge_lengths_do_not_wrap),
		cmocka_unit_test(an_empty_reader_gives_nothing),
		cmocka_unit_test(a_sub_reader_cannot_see_past_its_part),
		cmocka_unit_test(a_writer_refuses_whole_items),
		cmocka_unit_test(nothing_may_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
