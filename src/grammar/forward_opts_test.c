/* SPDX-License-Identifier: BSD-3-Clause */
/* proxy= and from=: what is taken, and what is refused in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "grammar/forward_opts.h"

static void test_proxy(void **state)
{
	static const char *const bad[] = {"", "v", "v3", "1", "V1", "v1 "};
	struct forward_rules r = {.n_from = 0};

	(void)state;
	assert_null(forward_proxy_name(PROXY_NONE));
	assert_null(forward_proxy_name(3));
	assert_int_equal(forward_proxy_parse("v1", &r, NULL), 0);
	assert_int_equal(r.proxy, PROXY_V1);
	assert_string_equal(forward_proxy_name(r.proxy), "v1");
	assert_int_equal(forward_proxy_parse("v2", &r, NULL), 0);
	assert_int_equal(r.proxy, PROXY_V2);
	assert_string_equal(forward_proxy_name(r.proxy), "v2");
	for (size_t i = 0; i < array_len(bad); i++) {
		struct error e = ERROR_NULL;

		assert_true(forward_proxy_parse(bad[i], &r, &e) < 0);
		assert_int_equal(e.code, EXIT_USAGE);
	}
}

static void test_from(void **state)
{
	static const char *const good[][2] = {
		{"192.168.0.0/16", "192.168.0.0/16"},
		{"192.168.77.5/16", "192.168.0.0/16"},
		{"10.0.0.1", "10.0.0.1/32"},
		{"::1", "::1/128"},
		{"fd00::1/8", "fd00::/8"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"::/0", "::/0"},
	};
	static const char *const bad[] = {
		"",           "10.0.0.0/33", "10.0.0/8", "::/129",
		"10.0.0.0/",  "/8",          "lan",      "1.2.3.4/-1",
		"1.2.3.4/8 ", "1.2.3.4/0008"};
	struct forward_rules r = {.n_from = 0};
	char text[PREFIX_STRLEN];

	(void)state;
	for (size_t i = 0; i < array_len(good); i++) {
		assert_int_equal(forward_from_add(good[i][0], &r, NULL), 0);
		assert_int_equal(r.n_from, i + 1);
		assert_string_equal(prefix_format(&r.from[i], text),
				    good[i][1]);
	}
	for (size_t i = 0; i < array_len(bad); i++) {
		struct error e = ERROR_NULL;

		assert_true(forward_from_add(bad[i], &r, &e) < 0);
		assert_int_equal(e.code, EXIT_USAGE);
		assert_int_equal(r.n_from, array_len(good));
	}
	while (r.n_from < FORWARD_SOURCES_MAX)
		assert_int_equal(forward_from_add("::1", &r, NULL), 0);
	assert_true(forward_from_add("::1", &r, NULL) < 0);
	assert_int_equal(r.n_from, FORWARD_SOURCES_MAX);
}

static void test_what_does_not_go_together(void **state)
{
	const struct forward_rules proxy = {.proxy = PROXY_V2};
	const struct forward_rules from = {.n_from = 1};
	struct port_rule r[3];
	unsigned n;

	(void)state;
	assert_int_equal(
		port_spec_parse("80:80,53:53/udp,unix:/a:80", r, 3, &n, NULL),
		0);
	assert_int_equal(forward_rules_check(&r[0], &proxy, NULL), 0);
	assert_int_equal(forward_rules_check(&r[0], &from, NULL), 0);
	assert_true(forward_rules_check(&r[1], &proxy, NULL) < 0);
	assert_int_equal(forward_rules_check(&r[1], &from, NULL), 0);
	assert_int_equal(forward_rules_check(&r[2], &proxy, NULL), 0);
	assert_true(forward_rules_check(&r[2], &from, NULL) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_from),
		cmocka_unit_test(test_what_does_not_go_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
