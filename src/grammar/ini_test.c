/* SPDX-License-Identifier: BSD-3-Clause */
/* Every form of a line, and every way to get one wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "grammar/ini.h"

static void test_lines(void **state)
{
	static const char text[] = "# a comment\n"
				   "; another\n"
				   "\n"
				   " [network] \n"
				   "mode=natnet\n"
				   "\tnet  =  10.0.0.0/24 # of the value\t\n"
				   "dhcp-option = text:a = b\n"
				   "[ machine\tweb ]\n"
				   "mac =\n"
				   "x = \"y\" z";
	static const struct ini_line lines[] = {
		{INI_SECTION, 4, "network", "", NULL},
		{INI_PAIR, 5, "mode", "natnet", NULL},
		{INI_PAIR, 6, "net", "10.0.0.0/24 # of the value", NULL},
		{INI_PAIR, 7, "dhcp-option", "text:a = b", NULL},
		{INI_SECTION, 8, "machine", "web", NULL},
		{INI_PAIR, 9, "mac", "", NULL},
		{INI_PAIR, 10, "x", "\"y\" z", NULL},
	};
	struct ini ini;

	(void)state;
	assert_int_equal(ini_parse(text, sizeof(text) - 1, &ini), 0);
	assert_int_equal(ini.n, array_len(lines));
	for (unsigned i = 0; i < ini.n; i++) {
		assert_int_equal(ini.lines[i].what, lines[i].what);
		assert_int_equal(ini.lines[i].number, lines[i].number);
		assert_string_equal(ini.lines[i].key, lines[i].key);
		assert_string_equal(ini.lines[i].value, lines[i].value);
	}
	ini_deinit(&ini);
}

static void test_bad(void **state)
{
	static const struct {
		const char *text, *why;
		size_t len; /* 0: up to its end */
	} all[] = {
		{"[network", "a ']'", 0},
		{"[network] x", "behind the section's", 0},
		{"[]", "[WORD NAME]", 0},
		{"[Network]", "[WORD NAME]", 0},
		{"[machine a b]", "more than one name", 0},
		{"mode natnet", "neither", 0},
		{"= natnet", "no key", 0},
		{"Mode = natnet", "no key", 0},
		{"a b = c", "no key", 0},
		{"a = \"b\"", "without quotes", 0},
		{"a = 'b'", "without quotes", 0},
		{"a = b \\", "does not go on", 0},
		{"a = b\r", "no text", 0},
		{"a = \xff", "no text", 0},
		{"a = \xc2\x9b" "2J", "no text", 0},
		{"a = b\0c", "no text", 7},
	};

	(void)state;
	for (size_t i = 0; i < array_len(all); i++) {
		size_t len = all[i].len ? all[i].len : strlen(all[i].text);
		struct ini ini;

		assert_int_equal(ini_parse(all[i].text, len, &ini), 0);
		assert_int_equal(ini.n, 1);
		assert_int_equal(ini.lines[0].what, INI_BAD);
		assert_int_equal(ini.lines[0].number, 1);
		assert_string_equal(ini.lines[0].key, "");
		assert_non_null(strstr(ini.lines[0].why, all[i].why));
		ini_deinit(&ini);
	}
}

static void test_nothing(void **state)
{
	struct ini ini;

	(void)state;
	assert_int_equal(ini_parse("", 0, &ini), 0);
	assert_int_equal(ini.n, 0);
	ini_deinit(&ini);
	assert_int_equal(ini_parse("\n\n#", 3, &ini), 0);
	assert_int_equal(ini.n, 0);
	ini_deinit(&ini);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
