/* SPDX-License-Identifier: BSD-3-Clause */
/* Which lines of resolv.conf count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <stdio.h>

#include <cmocka.h>

#include "keeper/resolv.h"

static void parse(const char *text, struct resolv_list *l)
{
	resolv_parse(text, strlen(text), l);
}

static void nameservers_are_found(void **state)
{
	struct resolv_list l;
	char b[ENDPOINT_STRLEN];

	parse("# x\nsearch a b\nnameserver 192.0.2.1\n"
	      "  nameserver\t2001:db8::1  # comment\r\noptions edns0\n"
	      "nameserver 127.0.0.53",
	      &l);
	assert_int_equal(l.n, 3);
	assert_string_equal(endpoint_format(&l.ep[0], b), "192.0.2.1:53");
	assert_string_equal(endpoint_format(&l.ep[1], b), "[2001:db8::1]:53");
	assert_string_equal(endpoint_format(&l.ep[2], b), "127.0.0.53:53");
}

static void other_lines_are_passed_over(void **state)
{
	struct resolv_list l;

	parse("", &l);
	assert_int_equal(l.n, 0);
	parse("nameserver\nnameserver \nnameserverx 192.0.2.1\n"
	      "nameserver 192.0.2\nnameserver fe80::1%eth0\n;nameserver "
	      "1.1.1.1",
	      &l);
	assert_int_equal(l.n, 0);
}

static void the_list_is_bounded(void **state)
{
	char text[4096] = "";
	struct resolv_list l;

	for (int i = 0; i < 40; i++)
		strcat(text, "nameserver 192.0.2.9\n");
	parse(text, &l);
	assert_int_equal(l.n, RESOLV_MAX);
}

static void on_change(void *arg)
{
	++*(int *)arg;
}

static void a_replaced_file_is_noticed(void **state)
{
	char dir[] = "/tmp/vmlan-resolv-XXXXXX";
	struct resolv_watch *w = NULL;
	struct loop *loop = NULL;
	struct resolv_list l;
	char path[64], tmp[64];
	int n = 0;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/resolv.conf", dir);
	snprintf(tmp, sizeof(tmp), "%s/new", dir);
	resolv_read(path, &l);
	assert_int_equal(l.n, 0);
	assert_int_equal(loop_new(&loop), 0);
	assert_int_equal(resolv_watch_new(loop, path, on_change, &n, &w), 0);
	f = fopen(tmp, "w");
	assert_non_null(f);
	fputs("nameserver 192.0.2.7\n", f);
	fclose(f);
	assert_int_equal(rename(tmp, path), 0);
	while (!n)
		assert_int_equal(loop_turn(loop, 10000), 0);
	resolv_read(path, &l);
	assert_int_equal(l.n, 1);
	resolv_watch_free(w);
	loop_free(loop);
	unlink(path);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nameservers_are_found),
		cmocka_unit_test(other_lines_are_passed_over),
		cmocka_unit_test(the_list_is_bounded),
		cmocka_unit_test(a_replaced_file_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
