/* SPDX-License-Identifier: BSD-3-Clause */
/* What guests write in HTTP requests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "keeper/http_text.h"

static void paths(void **state)
{
	static const struct {
		const char *url, *path; /* NULL: refused */
	} urls[] = {
		{"/boot/x", "/boot/x"},	    {"", ""},
		{"/a%20b", "/a b"},	    {"/%2e%2E/x", "/../x"},
		{"/%252e", "/%2e"},	    {"/%ff%C3", "/\xff\xc3"},
		{"/%", NULL},		    {"/%2", NULL},
		{"/%2g", NULL},		    {"/%g2", NULL},
		{"/x%00.txt", NULL},	    {"/%-1", NULL},
		{"/123456789012", "/123456789012"}, {"/1234567890123x", NULL},
	};
	char buf[14];

	(void)state;
	for (size_t i = 0; i < array_len(urls); i++) {
		bool is_ok = http_path(urls[i].url, buf, sizeof(buf));

		assert_int_equal(is_ok, urls[i].path != NULL);
		if (is_ok)
			assert_string_equal(buf, urls[i].path);
	}
}

static void ranges(void **state)
{
	static const struct {
		const char *text;
		uint64_t size;
		enum http_range kind;
		uint64_t from, len;
	} list[] = {
		{NULL, 10, HTTP_RANGE_WHOLE, 0, 0},
		{"", 10, HTTP_RANGE_WHOLE, 0, 0},
		{"lines=1-2", 10, HTTP_RANGE_WHOLE, 0, 0},
		{"bytes=", 10, HTTP_RANGE_WHOLE, 0, 0},
		{"bytes=-", 10, HTTP_RANGE_WHOLE, 0, 0},
		{"bytes=x-1", 10, HTTP_RANGE_WHOLE, 0, 0},
		{"bytes=1-x", 10, HTTP_RANGE_WHOLE, 0, 0},
		{"bytes=1", 10, HTTP_RANGE_WHOLE, 0, 0},
		{"bytes=3-2", 10, HTTP_RANGE_WHOLE, 0, 0},
		{"bytes=0-1,4-5", 10, HTTP_RANGE_WHOLE, 0, 0},
		{"bytes=0-0", 10, HTTP_RANGE_PART, 0, 1},
		{"Bytes= 2-4 ", 10, HTTP_RANGE_PART, 2, 3},
		{"bytes=9-", 10, HTTP_RANGE_PART, 9, 1},
		{"bytes=5-99999999999999999999999", 10, HTTP_RANGE_PART, 5, 5},
		{"bytes=-3", 10, HTTP_RANGE_PART, 7, 3},
		{"bytes=-99999999999999999999999", 10, HTTP_RANGE_PART, 0, 10},
		{"bytes=10-", 10, HTTP_RANGE_NONE, 0, 0},
		{"bytes=99999999999999999999999-", 10, HTTP_RANGE_NONE, 0, 0},
		{"bytes=-0", 10, HTTP_RANGE_NONE, 0, 0},
		{"bytes=0-", 0, HTTP_RANGE_NONE, 0, 0},
		{"bytes=-1", 0, HTTP_RANGE_NONE, 0, 0},
		{"bytes=4294967296-4294967297", UINT64_C(1) << 40,
		 HTTP_RANGE_PART, UINT64_C(1) << 32, 2},
	};

	(void)state;
	for (size_t i = 0; i < array_len(list); i++) {
		uint64_t from = 0, len = 0;

		assert_int_equal(http_range(list[i].text, list[i].size, &from,
					    &len),
				 list[i].kind);
		assert_int_equal(from, list[i].from);
		assert_int_equal(len, list[i].len);
	}
}

static void headers(void **state)
{
	struct stat st = {.st_ino = 0x12, .st_size = 0x1000};
	char buf[HTTP_RANGE_LEN], tag[HTTP_TAG_LEN], date[HTTP_DATE_LEN];

	(void)state;
	assert_string_equal(http_content_range(2, 3, 10, buf),
			    "bytes 2-4/10");
	assert_string_equal(http_content_range(0, 0, 10, buf), "bytes */10");
	assert_string_equal(http_content_range(0, UINT64_MAX, UINT64_MAX, buf),
			    "bytes 0-18446744073709551614/"
			    "18446744073709551615");
	assert_string_equal(http_date(784111777, date),
			    "Sun, 06 Nov 1994 08:49:37 GMT");
	st.st_mtim.tv_nsec = 0xab;
	assert_string_equal(http_tag(&st, tag), "\"12-1000-ab\"");
	memset(&st, 0xff, sizeof(st));
	assert_true(strlen(http_tag(&st, tag)) < sizeof(tag) - 1);
	assert_string_equal(http_type("a/grub.EFI"), "application/efi");
	assert_string_equal(http_type("x.iso"), "application/vnd.efi-iso");
	assert_string_equal(http_type("vmlinuz"), "application/octet-stream");
	assert_string_equal(http_type(".efi"), "application/octet-stream");
}

static void tags(void **state)
{
	(void)state;
	assert_true(http_has_tag("\"a\"", "\"a\""));
	assert_true(http_has_tag("*", "\"a\""));
	assert_true(http_has_tag(" \"b\" , W/\"a\"", "\"a\""));
	assert_true(http_has_tag("\"b\",\"a\" ,\"c\"", "\"a\""));
	assert_false(http_has_tag("", "\"a\""));
	assert_false(http_has_tag("\"ab\"", "\"a\""));
	assert_false(http_has_tag("\"a\"b", "\"a\""));
	assert_false(http_has_tag(",,, \"", "\"a\""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths),
		cmocka_unit_test(ranges),
		cmocka_unit_test(headers),
		cmocka_unit_test(tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
