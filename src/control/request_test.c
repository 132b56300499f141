/* SPDX-License-Identifier: BSD-3-Clause */
/* Bodies of requests: what is taken, and what is refused in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "control/request.h"

static void test_attach(void **state)
{
	static const char text[] =
		"{\"name\":\"web\",\"link\":\"vhost-user\",\"listen\":\"vmm\","
		"\"pid\":7,\"netns\":9,\"hub\":-3,\"nic\":2,\"queues\":4,"
		"\"mac\":\"52:54:00:00:00:01\","
		"\"forwards\":[\"tcp::80-:80\",\"udp::53-:53\"]}";
	struct attach_request a, b;
	char *again;

	assert_int_equal(attach_request_parse(text, sizeof(text) - 1, &a, NULL),
			 0);
	assert_string_equal(a.name, "web");
	assert_true(a.is_vhost && a.vmm_listens && a.has_hub && a.has_mac);
	assert_false(a.picks_mac);
	assert_int_equal(a.pid, 7);
	assert_int_equal(a.hub, -3);
	assert_int_equal(a.nic, 2);
	assert_int_equal(a.netns, 9);
	assert_int_equal(a.mac.b[5], 1);
	assert_int_equal(a.n_forwards, 2);
	assert_string_equal(a.forwards[1], "udp::53-:53");
	again = attach_request_format(&a);
	assert_non_null(again);
	assert_int_equal(attach_request_parse(again, strlen(again), &b, NULL),
			 0);
	assert_string_equal(b.forwards[0], "tcp::80-:80");
	assert_int_equal(b.netns, 9);
	assert_int_equal(b.queues, 4);
	assert_true(b.is_vhost && b.vmm_listens && b.has_hub && b.has_mac);
	free(again);
	attach_request_deinit(&a);
	attach_request_deinit(&b);
}

static void test_attach_defaults(void **state)
{
	static const char text[] = "{\"pid\":1,\"name\":\"a\","
				   "\"mac\":\"auto\"}";
	struct attach_request a;

	assert_int_equal(attach_request_parse(text, sizeof(text) - 1, &a, NULL),
			 0);
	assert_false(a.is_vhost || a.vmm_listens || a.has_hub || a.has_mac);
	assert_true(a.picks_mac);
	assert_int_equal(a.netns, 0);
	attach_request_deinit(&a);
}

static void test_attach_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"[]",
		"null",
		"{\"name\":\"a\",\"pid\":1",
		"{\"name\":\"a\",\"pid\":1}}",
		"{\"name\":\"a\",\"name\":\"b\",\"pid\":1}",
		"{\"name\":\"a\"}",
		"{\"pid\":1}",
		"{\"name\":\"a\",\"pid\":0}",
		"{\"name\":\"a\",\"pid\":4294967297}",
		"{\"name\":\"a\",\"pid\":1.0}",
		"{\"name\":\"a\",\"pid\":\"1\"}",
		"{\"name\":\"\",\"pid\":1}",
		"{\"name\":\"../a\",\"pid\":1}",
		"{\"name\":\"-a\",\"pid\":1}",
		"{\"name\":\"a b\",\"pid\":1}",
		"{\"name\":\"a\",\"pid\":1,\"link\":\"wire\"}",
		"{\"name\":\"a\",\"pid\":1,\"listen\":true}",
		"{\"name\":\"a\",\"pid\":1,\"mac\":\"x\"}",
		"{\"name\":\"a\",\"pid\":1,\"mac\":\"00:00:00:00:00:00\"}",
		"{\"name\":\"a\",\"pid\":1,\"mac\":\"33:33:00:00:00:01\"}",
		"{\"name\":\"a\",\"pid\":1,\"nic\":256}",
		"{\"name\":\"a\",\"pid\":1,\"queues\":2}",
		"{\"name\":\"a\",\"pid\":1,\"link\":\"vhost-user\","
			"\"queues\":17}",
		"{\"name\":\"a\",\"pid\":1,\"link\":\"vhost-user\","
			"\"queues\":0}",
		"{\"name\":\"a\",\"pid\":1,\"netns\":0}",
		"{\"name\":\"a\",\"pid\":1,\"hub\":2147483648}",
		"{\"name\":\"a\",\"pid\":1,\"forwards\":\"tcp::1-:1\"}",
		"{\"name\":\"a\",\"pid\":1,\"forwards\":[\"x\",1]}",
		"{\"name\":\"a\",\"pid\":1,\"colour\":\"red\"}",
	};
	struct attach_request a;

	for (size_t i = 0; i < array_len(bad); i++) {
		struct error e = ERROR_NULL;

		if (attach_request_parse(bad[i], strlen(bad[i]), &a, &e) == 0)
			fail_msg("taken: %s", bad[i]);
		assert_int_equal(e.code, EXIT_USAGE);
		assert_null(a.forwards);
	}
}

static void test_life_and_kept(void **state)
{
	bool is_kept = false;
	pid_t pid;

	assert_int_equal(life_request_parse("{\"pid\":0}", 9, &pid, NULL), 0);
	assert_int_equal(pid, 0);
	assert_int_equal(life_request_parse("{\"pid\":-1}", 10, &pid, NULL),
			 -1);
	assert_int_equal(life_request_parse("{}", 2, &pid, NULL), -1);
	assert_int_equal(
		kept_request_parse("{\"kept\":true}", 13, &is_kept, NULL), 0);
	assert_true(is_kept);
	assert_int_equal(kept_request_parse("{\"kept\":1}", 10, &is_kept, NULL),
			 -1);
	assert_int_equal(kept_request_parse("{}", 2, &is_kept, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attach),
		cmocka_unit_test(test_attach_defaults),
		cmocka_unit_test(test_attach_refused),
		cmocka_unit_test(test_life_and_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
