/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules of guestfwd= and the cutting of commands. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "grammar/guestfwd.h"

static void test_rules(void **state)
{
	const struct {
		const char *text;
		addr ip;
		uint16_t port;
		enum guestfwd_kind kind;
		const char *target, *target_port;
	} rows[] = {
		{"tcp:10.0.2.100:80-cmd:cat -u", addr_v4(10, 0, 2, 100), 80,
		 GUESTFWD_CMD, "cat -u", ""},
		{"::0x50-cmd:a-b", addr_v4(0, 0, 0, 0), 80, GUESTFWD_CMD, "a-b",
		 ""},
		{":10.0.2.4:1-tcp:127.0.0.1:22", addr_v4(10, 0, 2, 4), 1,
		 GUESTFWD_TCP, "127.0.0.1", "22"},
		{"tcp::1-tcp:[::1]:ssh", addr_v4(0, 0, 0, 0), 1, GUESTFWD_TCP,
		 "::1", "ssh"},
		{"tcp::1-tcp:a:0065535", addr_v4(0, 0, 0, 0), 1, GUESTFWD_TCP,
		 "a", "0065535"},
		{"tcp::65535-unix:/a-b.s", addr_v4(0, 0, 0, 0), 65535,
		 GUESTFWD_UNIX, "/a-b.s", ""},
	};

	for (size_t i = 0; i < array_len(rows); i++) {
		struct guestfwd_rule r;

		assert_int_equal(guestfwd_parse(rows[i].text, &r, NULL), 0);
		assert_true(addr_eq(&r.server.ip, &rows[i].ip));
		assert_int_equal(r.server.port, rows[i].port);
		assert_int_equal(r.kind, rows[i].kind);
		assert_string_equal(r.target, rows[i].target);
		assert_string_equal(r.port, rows[i].target_port);
	}
}

static void test_bad_rules(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"", "Bad protocol name, only tcp is there"},
		{"udp::80-cmd:cat", "Bad protocol name, only tcp is there"},
		{"tcp:80", "Missing : separator"},
		{"tcp:[fec0::x]:80-cmd:cat", "Bad server address"},
		{"tcp:[fec0::9]x:80-cmd:cat", "Bad server address"},
		{"tcp:[::]:80-cmd:cat", "Bad server address"},
		{"tcp:[fec0::9:80-cmd:cat", "Bad server address"},
		{"tcp:[10.0.2.4]:80-cmd:cat", "Bad server address"},
		{"tcp:[fec0::9]80-cmd:cat", "Bad server address"},
		{"tcp:10.0.2.x:80-cmd:cat", "Bad server address"},
		{"tcp::80", "Missing - separator"},
		{"tcp::0-cmd:cat", "Bad server port"},
		{"tcp::65536-cmd:cat", "Bad server port"},
		{"tcp::80x-cmd:cat", "Bad server port"},
		{"tcp::80-", "the target is none of cmd:COMMAND, "
			     "tcp:HOST:PORT and unix:PATH"},
		{"tcp::80-cmd:", "it is empty"},
		{"tcp::80-cmd:'a", "a quote in it is not closed"},
		{"tcp::80-cmd:a\\", "it ends with a backslash"},
		{"tcp::80-cmd:'' a", "its first word is empty"},
		{"tcp::80-unix:a", "the socket's path must be absolute"},
		{"tcp::80-unix:/a,server=on",
		 "options of a chardev are not built; give the path only"},
		{"tcp::80-tcp:22", "the target's port is missing, "
				   "tcp:HOST:PORT"},
		{"tcp::80-tcp::22", "the target's host is missing, "
				    "tcp:HOST:PORT"},
		{"tcp::80-tcp:a:", "bad port of the target"},
		{"tcp::80-tcp:a:0", "bad port of the target"},
		{"tcp::80-tcp:a:65536", "bad port of the target"},
		{"tcp::80-tcp:a:-1", "bad port of the target"},
		{"tcp::80-tcp:a:1,server=on",
		 "options of a chardev are not built; give tcp:HOST:PORT only"},
		{"tcp::80-stdio",
		 "this chardev is not built; cmd:, tcp: and unix: are"},
	};

	for (size_t i = 0; i < array_len(rows); i++) {
		struct error e = ERROR_NULL;
		struct guestfwd_rule r;
		char want[300];

		snprintf(want, sizeof(want),
			 "Invalid guest forwarding rule '%s' (%s)",
			 rows[i].text, rows[i].why);
		assert_true(guestfwd_parse(rows[i].text, &r, &e) < 0);
		assert_string_equal(e.text, want);
		assert_int_equal(e.code, EXIT_USAGE);
	}
}

static void test_split(void **state)
{
	static const struct {
		const char *text;
		const char *words[5];
	} rows[] = {
		{"cat", {"cat"}},
		{"  a  b\tc\n", {"a", "b", "c"}},
		{"a 'b c' \"d e\"", {"a", "b c", "d e"}},
		{"a b'c'\"d\"e", {"a", "bcde"}},
		{"a '' \"\"", {"a", "", ""}},
		{"a \\' '\\' \"\\\"\\n\\$\"", {"a", "'", "\\", "\"\\n$"}},
		{"a $HOME | b", {"a", "$HOME", "|", "b"}},
		{"a\\ b", {"a b"}},
	};

	for (size_t i = 0; i < array_len(rows); i++) {
		char buf[GUESTFWD_TARGET_LEN];
		char *argv[GUESTFWD_ARGS_MAX + 1];
		unsigned k = 0;

		assert_null(command_split(rows[i].text, buf, argv));
		for (; rows[i].words[k]; k++)
			assert_string_equal(argv[k], rows[i].words[k]);
		assert_null(argv[k]);
	}
}

static void test_split_bounds(void **state)
{
	char text[GUESTFWD_TARGET_LEN + 1];
	char buf[GUESTFWD_TARGET_LEN];
	char *argv[GUESTFWD_ARGS_MAX + 1];

	for (size_t i = 0; i < GUESTFWD_ARGS_MAX * 2; i += 2)
		memcpy(text + i, "a ", 3);
	assert_null(command_split(text, buf, argv));
	memcpy(text + GUESTFWD_ARGS_MAX * 2, "a", 2);
	assert_string_equal(command_split(text, buf, argv),
			    "it has too many words");
	memset(text, 'a', GUESTFWD_TARGET_LEN);
	text[GUESTFWD_TARGET_LEN] = '\0';
	assert_string_equal(command_split(text, buf, argv), "it is too long");
	text[GUESTFWD_TARGET_LEN - 1] = '\0';
	assert_null(command_split(text, buf, argv));
	assert_string_equal(argv[0], text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_bad_rules),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_split_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
