/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes into JSON and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "control/text.h"

static void there_and_back(const char *text, bool is_string)
{
	CLEANUP_FREE char *dump = NULL, *back = NULL;
	json_t *o = text_to_json(text), *again;

	assert_non_null(o);
	assert_int_equal(json_is_string(o), is_string);
	dump = json_dumps(o, JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(o);
	assert_non_null(dump);
	again = json_loads(dump, JSON_DECODE_ANY, NULL);
	back = text_from_json(again);
	json_decref(again);
	assert_non_null(back);
	assert_string_equal(back, text);
}

static void test_any_bytes(void **state)
{
	char all[256];

	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	there_and_back("", true);
	there_and_back("path=/run/vm0.sock", true);
	there_and_back("path=/run/\xc3\xbc", true);
	there_and_back("path=/run/\xff/\xc3", false);
	there_and_back(all, false);
}

static void test_what_is_no_text(void **state)
{
	static const char *const bad[] = {
		"7", "[]", "{}", "null", "{\"bytes\":\"x\"}",
		"{\"bytes\":[0]}", "{\"bytes\":[256]}", "{\"bytes\":[\"x\"]}",
		"{\"bytes\":[47,-1]}",
	};

	assert_null(text_from_json(NULL));
	for (size_t i = 0; i < array_len(bad); i++) {
		json_t *o = json_loads(bad[i], JSON_DECODE_ANY, NULL);

		assert_non_null(o);
		assert_null(text_from_json(o));
		json_decref(o);
	}
}

static void shown(const char *text, const char *as)
{
	json_t *o = text_shown(text);

	assert_string_equal(json_string_value(o), as);
	json_decref(o);
}

static void test_what_is_shown(void **state)
{
	(void)state;
	shown("a\tb \xc3\xbc", "a\tb \xc3\xbc");
	shown("a\xff" "b\xc3", "a?b?");
	/* what a terminal would act on */
	shown("\x1b[2Jx\r\n\x7f", "?[2Jx???");
	shown("\xc2\x9b" "2J\xc3\xbc", "??2J\xc3\xbc");
	shown("\xc2\xa0\xc2", "???");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_bytes),
		cmocka_unit_test(test_what_is_no_text),
		cmocka_unit_test(test_what_is_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
