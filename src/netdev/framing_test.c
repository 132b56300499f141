/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of the stream framing: cuts at every byte, limits, the buffer's end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netdev/framing.h"

static int setup(void **state)
{
	static const struct framing none;
	struct framing *f = malloc(sizeof(*f));

	*f = none;
	*state = f;
	return framing_init(f);
}

static int teardown(void **state)
{
	framing_deinit(*state);
	free(*state);
	return 0;
}

static void feed(struct framing *f, const void *p, uint32_t len)
{
	uint32_t room;
	uint8_t *at = framing_space(f, &room);

	assert_true(room >= FRAMING_LOW);
	assert_true(len <= room);
	memcpy(at, p, len);
	framing_filled(f, len);
}

static uint32_t put_frame(uint8_t *p, uint32_t len, uint8_t fill)
{
	p[0] = (uint8_t)(len >> 24);
	p[1] = (uint8_t)(len >> 16);
	p[2] = (uint8_t)(len >> 8);
	p[3] = (uint8_t)len;
	memset(p + 4, fill, len);
	return len + 4;
}

static void expect_frame(struct framing *f, uint32_t len, uint8_t fill)
{
	const uint8_t *p = NULL;
	uint32_t got = 0;

	assert_int_equal(framing_next(f, &p, &got), FRAMING_FRAME);
	assert_int_equal(got, len);
	for (uint32_t i = 0; i < len; i++)
		assert_int_equal(p[i], fill);
}

static void expect(struct framing *f, enum framing_result want)
{
	const uint8_t *p;
	uint32_t len;

	assert_int_equal(framing_next(f, &p, &len), want);
}

static void test_every_cut(void **state)
{
	struct framing *f = *state;
	uint8_t buf[64];
	uint32_t len = put_frame(buf, 20, 0x11);

	len += put_frame(buf + len, 1, 0x22);
	for (uint32_t cut = 1; cut < len; cut++) {
		framing_reset(f);
		feed(f, buf, cut);
		if (cut >= 24)
			expect_frame(f, 20, 0x11);
		expect(f, FRAMING_MORE);
		feed(f, buf + cut, len - cut);
		if (cut < 24)
			expect_frame(f, 20, 0x11);
		expect_frame(f, 1, 0x22);
		expect(f, FRAMING_MORE);
	}
}

static void test_byte_by_byte(void **state)
{
	struct framing *f = *state;
	uint8_t buf[32];
	uint32_t len = put_frame(buf, 20, 0x33);

	for (uint32_t i = 0; i < len; i++) {
		expect(f, FRAMING_MORE);
		feed(f, buf + i, 1);
	}
	expect_frame(f, 20, 0x33);
}

static void test_zero_length(void **state)
{
	struct framing *f = *state;
	uint8_t zeros[40] = {0}, buf[32];

	feed(f, zeros, sizeof(zeros));
	expect(f, FRAMING_MORE);
	feed(f, buf, put_frame(buf, 14, 0x44));
	expect_frame(f, 14, 0x44);
	expect(f, FRAMING_MORE);
}

static void test_limits(void **state)
{
	struct framing *f = *state;
	uint8_t *buf = malloc(FRAMING_LOW);
	const uint8_t long_head[4] = {0, 1, 0x10, 1}; /* FRAME_MAX + 1 */
	const uint8_t wild_head[4] = {0xff, 0xff, 0xff, 0xff};

	feed(f, buf, put_frame(buf, FRAME_MAX, 0x55));
	expect_frame(f, FRAME_MAX, 0x55);
	expect(f, FRAMING_MORE);
	/* A frame before the lie is still good; the lie stays. */
	feed(f, buf, put_frame(buf, 60, 0x66));
	feed(f, long_head, 4);
	expect_frame(f, 60, 0x66);
	expect(f, FRAMING_BAD);
	expect(f, FRAMING_BAD);
	framing_reset(f);
	feed(f, wild_head, 3);
	expect(f, FRAMING_MORE);
	feed(f, wild_head, 1);
	expect(f, FRAMING_BAD);
	free(buf);
}

/* The incomplete frame at the buffer's end moves to the front whole. */
static void test_buffer_end(void **state)
{
	struct framing *f = *state;
	uint8_t *stream = malloc(8 * FRAMING_ROOM);
	uint32_t total = 0, at = 0, next = 0, n = 0;
	uint32_t sizes[400];

	for (n = 0; n < 400 && total < 7 * FRAMING_ROOM; n++) {
		sizes[n] = 1 + (n * 7919) % (n % 5 ? 1514 : FRAME_MAX);
		total += put_frame(stream + total, sizes[n], (uint8_t)n);
	}
	while (at < total) {
		const uint8_t *p;
		uint32_t room, len;
		uint8_t *to = framing_space(f, &room);

		if (room > total - at)
			room = total - at;
		memcpy(to, stream + at, room);
		framing_filled(f, room);
		at += room;
		while (framing_next(f, &p, &len) == FRAMING_FRAME) {
			assert_int_equal(len, sizes[next]);
			assert_int_equal(p[0], (uint8_t)next);
			assert_int_equal(p[len - 1], (uint8_t)next);
			next++;
		}
	}
	assert_int_equal(next, n);
	free(stream);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test_setup_teardown(test_every_cut, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_byte_by_byte, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_zero_length, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_buffer_end, setup,
						teardown),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
