/* SPDX-License-Identifier: BSD-3-Clause */
/* How a network's forwards differ from those of its file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cli/apply.h"

/* Were each looked for among all, this would take longer than a test may. */
enum { MANY = 32768 };

static void put(json_t *list, unsigned port, const char *from, int id)
{
	char spec[32];
	json_t *f;

	snprintf(spec, sizeof(spec), "tcp:localhost:%u-:22", port);
	/* The keeper's own has more, in another order. */
	if (id)
		f = json_pack("{s:i,s:s,s:[s],s:s,s:b}", "id", id, "proto",
			      "tcp", "from", from, "spec", spec, "added", 1);
	else
		f = json_pack("{s:s,s:[s]}", "spec", spec, "from", from);
	assert_int_equal(json_array_append_new(list, f), 0);
}

/* The changes that make the one the other, as they are said. */
static void compare(json_t *file, json_t *there, const char *const *said,
		    unsigned n_said)
{
	struct conf c = {.name = "lab", .forwards = file};
	struct running r = {
		.network = json_pack("{s:b,s:[]}", "kept", 1, "machines"),
		.forwards = json_pack("{s:O}", "forwards", there),
		.captures = json_object(),
	};
	struct changes ch = CHANGES_NULL;

	diff_live(&c, &r, &ch);
	assert_false(ch.is_out_of_memory);
	assert_int_equal(ch.n, n_said);
	for (unsigned i = 0; i < n_said; i++) {
		char *text = change_text(&ch.v[i]);

		assert_non_null(text);
		assert_string_equal(text, said[i]);
		free(text);
	}
	changes_deinit(&ch);
	running_deinit(&r);
}

static void test_forwards(void **state)
{
	static const char *const said[] = {
		"- forward lab: tcp:localhost:2-:22 from=10.0.0.0/8",
		"- forward lab: tcp:localhost:3-:22 from=10.0.0.0/8",
		"+ forward lab: tcp:localhost:3-:22 from=10.9.0.0/16",
		"+ forward lab: tcp:localhost:4-:22 from=10.0.0.0/8",
	};
	json_t *file = json_array(), *there = json_array();

	(void)state;
	put(there, 1, "10.0.0.0/8", 1);
	put(there, 2, "10.0.0.0/8", 2);
	put(there, 3, "10.0.0.0/8", 3);
	put(file, 1, "10.0.0.0/8", 0);
	put(file, 3, "10.9.0.0/16", 0);
	put(file, 4, "10.0.0.0/8", 0);
	compare(file, there, said, 4);
	json_decref(file);
	json_decref(there);
}

/* Ports that the host draws: the same words more than once. */
static void test_as_many(void **state)
{
	static const char *const less[] = {
		"- forward lab: tcp:localhost:0-:22 from=10.0.0.0/8",
	};
	static const char *const more[] = {
		"+ forward lab: tcp:localhost:0-:22 from=10.0.0.0/8",
	};
	json_t *file = json_array(), *there = json_array();

	(void)state;
	put(there, 0, "10.0.0.0/8", 1);
	put(there, 0, "10.0.0.0/8", 2);
	/* the file's own, behind one that was added */
	assert_int_equal(json_object_set_new(json_array_get(there, 1), "added",
					     json_false()),
			 0);
	put(file, 0, "10.0.0.0/8", 0);
	compare(file, there, less, 1);
	put(file, 0, "10.0.0.0/8", 0);
	compare(file, there, NULL, 0);
	put(file, 0, "10.0.0.0/8", 0);
	compare(file, there, more, 1);
	json_decref(file);
	json_decref(there);
}

static void test_many(void **state)
{
	static const char *const said[] = {
		"- forward lab: tcp:localhost:1-:22 from=10.0.0.0/8",
		"+ forward lab: tcp:localhost:32769-:22 from=10.0.0.0/8",
	};
	json_t *file = json_array(), *there = json_array();

	(void)state;
	for (unsigned i = 1; i <= MANY; i++) {
		put(there, i, "10.0.0.0/8", (int)i);
		put(file, i + 1, "10.0.0.0/8", 0);
	}
	compare(file, there, said, 2);
	json_decref(file);
	json_decref(there);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forwards),
		cmocka_unit_test(test_as_many),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
