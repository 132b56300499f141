/* SPDX-License-Identifier: BSD-3-Clause */
/* TFTP packets: requests with their options, and what a server says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wire/tftp.h"

/* A literal with its last NUL. */
#define PARSE(text, qp) parse(text, sizeof(text), qp)

/* From memory of just that length, so that an over-read shows. */
static bool parse(const char *text, size_t len, struct tftp_request *qp)
{
	uint8_t *copy = malloc(len ? len : 1);
	struct rd r;
	bool ok;

	assert_non_null(copy);
	memcpy(copy, text, len);
	r = rd_init(copy, len);
	ok = tftp_parse_request(&r, qp);
	free(copy);
	return ok;
}

static void test_plain(void **state)
{
	struct tftp_request q;

	assert_true(PARSE("pxelinux.0\0octet", &q));
	assert_string_equal(q.name, "pxelinux.0");
	assert_true(q.is_octet && !q.wants_tsize);
	assert_int_equal(q.blksize | q.timeout_s | q.windowsize, 0);
	assert_true(PARSE("/a\0OcTeT", &q) && q.is_octet);
	assert_true(PARSE("a\0netascii", &q) && !q.is_octet);
	assert_true(PARSE("a\0mail", &q) && !q.is_octet);
}

static void test_options(void **state)
{
	struct tftp_request q;

	assert_true(PARSE("a\0octet\0blksize\0" "1468\0tsize\0" "0\0"
			  "TimeOut\0" "255\0windowsize\0" "65535", &q));
	assert_int_equal(q.blksize, 1468);
	assert_true(q.wants_tsize);
	assert_int_equal(q.timeout_s, 255);
	assert_int_equal(q.windowsize, 65535);
	/* the first of two, and what nobody knows */
	assert_true(PARSE("a\0octet\0blksize\0" "8\0multicast\0\0blksize\0"
			  "9", &q));
	assert_int_equal(q.blksize, 8);
	/* filled up with zeros */
	assert_true(PARSE("a\0octet\0blksize\0" "65464\0\0\0\0\0\0", &q));
	assert_int_equal(q.blksize, 65464);
}

static void test_values_that_are_none(void **state)
{
	static const char *const values[] = {
		"0", "7", "65465", "65536", "-8", "8x", "", " 8", "0x200",
		"4294967808", "99999999999999999999999999",
	};
	struct tftp_request q;
	char text[80];

	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		struct wr w = wr_init(text, sizeof(text));

		wr_bytes(&w, "a\0octet\0blksize", 16);
		wr_bytes(&w, values[i], strlen(values[i]) + 1);
		assert_true(parse(text, wr_len(&w), &q));
		assert_int_equal(q.blksize, 0);
	}
	assert_true(PARSE("a\0octet\0timeout\0" "256\0windowsize\0" "65536",
			  &q));
	assert_int_equal(q.timeout_s | q.windowsize, 0);
}

static void test_what_is_no_request(void **state)
{
	struct tftp_request q = {.blksize = 77};
	char text[TFTP_NAME_LEN + 8];

	assert_false(parse("", 0, &q));
	assert_false(parse("a", 1, &q));
	assert_false(parse("a\0octet", 7, &q)); /* no end */
	assert_false(PARSE("\0octet", &q));	/* no name */
	assert_false(parse("a\0octet\0blksize", 15, &q));
	assert_false(PARSE("a\0octet\0blksize", &q)); /* no value */
	memset(text, 'x', sizeof(text));
	memcpy(text + TFTP_NAME_LEN, "\0octet", 7);
	assert_false(parse(text, sizeof(text) - 1, &q));
	assert_int_equal(q.blksize, 77);
	memcpy(text + TFTP_NAME_LEN - 1, "\0octet", 7);
	assert_true(parse(text, TFTP_NAME_LEN + 6, &q));
	assert_int_equal(strlen(q.name), TFTP_NAME_LEN - 1);
}

static void test_what_is_said(void **state)
{
	static const char oack[] = "\0\6blksize\0" "1468\0tsize\0"
				   "18446744073709551615";
	uint8_t buf[64];
	struct wr w = wr_init(buf, sizeof(buf));

	tftp_emit_data(&w, 65535);
	assert_int_equal(wr_len(&w), TFTP_DATA_LEN);
	assert_memory_equal(buf, "\0\3\377\377", 4);
	w = wr_init(buf, sizeof(buf));
	tftp_emit_error(&w, TFTP_E_ACCESS, "no");
	assert_int_equal(wr_len(&w), 7);
	assert_memory_equal(buf, "\0\5\0\2no", 7);
	w = wr_init(buf, sizeof(buf));
	tftp_emit_oack(&w);
	tftp_emit_option(&w, "blksize", 1468);
	tftp_emit_option(&w, "tsize", UINT64_MAX);
	assert_true(wr_ok(&w));
	assert_int_equal(wr_len(&w), sizeof(oack));
	assert_memory_equal(buf, oack, sizeof(oack));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_values_that_are_none),
		cmocka_unit_test(test_what_is_no_request),
		cmocka_unit_test(test_what_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
