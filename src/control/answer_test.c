/* SPDX-License-Identifier: BSD-3-Clause */
/* HTTP answers: whole, in pieces, and none at all. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "control/answer.h"

static const char good[] = "HTTP/1.1 201 Created\r\n"
			   "Connection: close\r\n"
			   "content-LENGTH: 7\r\n"
			   "\r\n"
			   "{\"a\":1}";

static void test_whole(void **state)
{
	struct control_answer a;

	assert_int_equal(control_answer_parse(good, sizeof(good) - 1, &a), 0);
	assert_int_equal(a.status, 201);
	assert_int_equal(a.n_body, 7);
	assert_memory_equal(a.body, "{\"a\":1}", 7);
}

static void test_every_piece_waits_for_more(void **state)
{
	struct control_answer a;

	for (size_t n = 0; n < sizeof(good) - 1; n++)
		assert_int_equal(control_answer_parse(good, n, &a), -EAGAIN);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"\n",
		"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 099 no\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 33554433\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
	};
	struct control_answer a;

	for (size_t i = 0; i < array_len(bad); i++)
		assert_int_equal(
			control_answer_parse(bad[i], strlen(bad[i]), &a),
			-EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_every_piece_waits_for_more),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
