/* SPDX-License-Identifier: BSD-3-Clause */
/* Forwarded ports in words: localhost's two are told as one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "cli/forward.h"

/* Were each looked for among all, this would take longer than a test may. */
enum { MANY = 32768 };

static void put(json_t *list, const char *proto, const char *host,
		const char *guest)
{
	json_t *f = json_pack("{s:s,s:s,s:s}", "proto", proto, "host", host,
			      "guest", guest);

	assert_int_equal(json_array_append_new(list, f), 0);
}

static void test_pairs(void **state)
{
	static const char *const said[] = {
		"tcp 127.0.0.1:80 and [::1]:80 -> 10.0.2.15:80",
		NULL,
		/* of one protocol, one port and one guest only */
		"udp 127.0.0.1:80 -> 10.0.2.15:80",
		"tcp 127.0.0.1:81 -> 10.0.2.15:80",
		"tcp [::1]:81 -> 10.0.2.16:80",
		"tcp 0.0.0.0:82 -> 10.0.2.15:80",
		"tcp [::1]:82 -> 10.0.2.15:80",
		NULL,
		"tcp 127.0.0.1:83 and [::1]:83 -> 10.0.2.15:80",
	};
	json_t *list = json_array(), *pairs;
	char text[FORWARD_TEXT_LEN];

	(void)state;
	put(list, "tcp", "127.0.0.1:80", "10.0.2.15:80");
	put(list, "tcp", "[::1]:80", "10.0.2.15:80");
	put(list, "udp", "127.0.0.1:80", "10.0.2.15:80");
	put(list, "tcp", "127.0.0.1:81", "10.0.2.15:80");
	put(list, "tcp", "[::1]:81", "10.0.2.16:80");
	put(list, "tcp", "0.0.0.0:82", "10.0.2.15:80");
	put(list, "tcp", "[::1]:82", "10.0.2.15:80");
	put(list, "tcp", "[::1]:83", "10.0.2.15:80");
	put(list, "tcp", "127.0.0.1:83", "10.0.2.15:80");
	pairs = forward_pairs(list);
	for (size_t i = 0; i < array_len(said); i++) {
		const json_t *f = json_array_get(list, i);

		assert_int_equal(forward_text(f, pairs, text),
				 said[i] != NULL);
		if (said[i])
			assert_string_equal(text, said[i]);
	}
	json_decref(pairs);
	/* without memory for that each is told */
	assert_true(forward_text(json_array_get(list, 1), NULL, text));
	assert_string_equal(text, "tcp [::1]:80 -> 10.0.2.15:80");
	json_decref(list);
}

static void test_many(void **state)
{
	json_t *list = json_array(), *pairs;
	char host[32], text[FORWARD_TEXT_LEN];
	unsigned n = 0;

	(void)state;
	for (unsigned i = 1; i <= MANY; i++) {
		snprintf(host, sizeof(host), "127.0.0.1:%u", i);
		put(list, "tcp", host, "10.0.2.15:80");
		snprintf(host, sizeof(host), "[::1]:%u", i);
		put(list, "tcp", host, "10.0.2.15:80");
	}
	pairs = forward_pairs(list);
	for (size_t i = 0; i < json_array_size(list); i++)
		n += forward_text(json_array_get(list, i), pairs, text);
	assert_int_equal(n, MANY);
	json_decref(pairs);
	json_decref(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
