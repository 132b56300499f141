/* SPDX-License-Identifier: BSD-3-Clause */
/* Errors for people: the first cause wins, prefixes, codes, long texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "base/error.h"

static void the_first_text_wins(void **state)
{
	struct error e = ERROR_NULL;

	assert_int_equal(error_set(&e, EXIT_USAGE, "key %s: unknown", "x"),
			 -1);
	assert_int_equal(e.code, EXIT_USAGE);
	assert_string_equal(e.text, "key x: unknown");
	assert_int_equal(error_set(&e, EXIT_FAILED, "other"), -1);
	assert_int_equal(error_errno(&e, EPERM, "other"), -EPERM);
	assert_int_equal(e.code, EXIT_USAGE);
	assert_string_equal(e.text, "key x: unknown");
	error_prefix(&e, "%s: ", "tap");
	assert_string_equal(e.text, "tap: key x: unknown");
	assert_int_equal(e.code, EXIT_USAGE);
}

static void nobody_may_listen(void **state)
{
	struct error e = ERROR_NULL;

	assert_int_equal(error_set(NULL, EXIT_USAGE, "x"), -1);
	assert_int_equal(error_errno(NULL, -ENOENT, "x"), -ENOENT);
	error_prefix(NULL, "x");
	error_prefix(&e, "x");
	assert_int_equal(e.code, EXIT_DONE);
	assert_string_equal(e.text, "");
}

static void codes_follow_errno(void **state)
{
	static const struct {
		int err;
		enum exit_code code;
	} t[] = {
		{EPERM, EXIT_PERMISSION},    {EACCES, EXIT_PERMISSION},
		{EADDRINUSE, EXIT_CONFLICT}, {EEXIST, EXIT_CONFLICT},
		{EBUSY, EXIT_CONFLICT},	     {ENOENT, EXIT_FAILED},
		{ENOMEM, EXIT_FAILED},
	};

	for (unsigned i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		struct error e = ERROR_NULL, f = ERROR_NULL;

		assert_int_equal(error_errno(&e, t[i].err, "bind %d", 22),
				 -t[i].err);
		assert_int_equal(error_errno(&f, -t[i].err, "bind %d", 22),
				 -t[i].err);
		assert_int_equal(e.code, t[i].code);
		assert_string_equal(e.text, f.text);
		assert_memory_equal(e.text, "bind 22: ", 9);
		assert_string_equal(e.text + 9, strerror(t[i].err));
	}
}

static void long_texts_are_cut(void **state)
{
	struct error e = ERROR_NULL;
	char longer[3000];

	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	error_errno(&e, ENOENT, "%s", longer);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	error_prefix(&e, "%s", longer);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_text_wins),
		cmocka_unit_test(nobody_may_listen),
		cmocka_unit_test(codes_follow_errno),
		cmocka_unit_test(long_texts_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
