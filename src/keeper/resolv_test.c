/* SPDX-License-Identifier: BSD-3-Clause */
/* Which lines of resolv.conf count, and which changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "keeper/resolv.h"
#include "os/sockaddr.h"

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
	      "nameserver 192.0.2\nnameserver fe80::1%nosuch0\n;nameserver "
	      "1.1.1.1\nnameserver fe80::1%\nnameserver fd00::1%lo\n"
	      "nameserver 127.0.0.1%lo\nnameserver fe80::1%1x",
	      &l);
	assert_int_equal(l.n, 0);
	/* loopback is the first interface of every namespace */
	parse("nameserver fe80::1%lo\nnameserver fe80::2%1\n"
	      "nameserver 2001:db8::53",
	      &l);
	assert_int_equal(l.n, 3);
	assert_int_equal(sockaddr_unscope(&l.ep[0].ip), 1);
	assert_int_equal(sockaddr_unscope(&l.ep[1].ip), 1);
	assert_int_equal(sockaddr_unscope(&l.ep[2].ip), 0);
	assert_int_equal(l.ep[1].ip.b[15], 2);
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

/* A folder of its own, with a watch on resolv.conf in it. */
struct bench {
	char dir[32];
	struct loop *loop;
	struct resolv_watch *w;
	int n; /* calls */
};

/* dir/name in one of a few buffers. */
static const char *in(const struct bench *b, const char *name)
{
	static char text[4][128];
	static unsigned next;
	char *t = text[next++ % 4];

	snprintf(t, sizeof(text[0]), "%s/%s", b->dir, name);
	return t;
}

static int setup(void **state)
{
	static struct bench bench;

	bench = (struct bench){.dir = "/tmp/vmlan-resolv-XXXXXX"};
	assert_non_null(mkdtemp(bench.dir));
	assert_int_equal(loop_new(&bench.loop), 0);
	*state = &bench;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;
	char cmd[64];

	resolv_watch_free(b->w);
	loop_free(b->loop);
	snprintf(cmd, sizeof(cmd), "rm -r %s", b->dir);
	assert_int_equal(system(cmd), 0);
	return 0;
}

static void watch(struct bench *b)
{
	assert_int_equal(resolv_watch_new(b->loop, in(b, "resolv.conf"),
					  on_change, &b->n, &b->w),
			 0);
}

static void put(struct bench *b, const char *name, int last)
{
	FILE *f = fopen(in(b, name), "w");

	assert_non_null(f);
	fprintf(f, "nameserver 192.0.2.%d\n", last);
	fclose(f);
}

static void place(struct bench *b, const char *from, const char *to)
{
	assert_int_equal(rename(in(b, from), in(b, to)), 0);
}

/* Until the file, wherever it is by now, has been read with this. */
static void follows(struct bench *b, int last)
{
	addr want = addr_v4(192, 0, 2, (uint8_t)last);
	struct resolv_list l = {0};

	while (l.n != 1 || !addr_eq(&l.ep[0].ip, &want)) {
		b->n = 0;
		while (!b->n)
			assert_int_equal(loop_turn(b->loop, 10000), 0);
		resolv_read(in(b, "resolv.conf"), &l);
	}
}

static void a_file_is_followed(void **state)
{
	struct bench *b = *state;
	struct resolv_list l;

	resolv_read(in(b, "resolv.conf"), &l);
	assert_int_equal(l.n, 0);
	watch(b);
	put(b, "resolv.conf", 1); /* made */
	follows(b, 1);
	put(b, "new", 2);
	place(b, "new", "resolv.conf"); /* replaced */
	follows(b, 2);
	put(b, "resolv.conf", 3); /* written */
	follows(b, 3);
}

static void links_are_followed(void **state)
{
	struct bench *b = *state;

	assert_int_equal(mkdir(in(b, "a"), 0700), 0);
	assert_int_equal(mkdir(in(b, "b"), 0700), 0);
	put(b, "a/stub", 1);
	put(b, "b/stub", 2);
	/* resolv.conf -> ./d/stub, d -> (absolute)/a */
	assert_int_equal(symlink(in(b, "a"), in(b, "d")), 0);
	assert_int_equal(symlink("./d/stub", in(b, "resolv.conf")), 0);
	watch(b);
	put(b, "a/stub", 3); /* where it leads */
	follows(b, 3);
	assert_int_equal(symlink("b", in(b, "new")), 0);
	place(b, "new", "d"); /* on the way */
	follows(b, 2);
	put(b, "b/stub", 4);
	follows(b, 4);
	assert_int_equal(symlink("a/stub", in(b, "new")), 0);
	place(b, "new", "resolv.conf"); /* itself */
	follows(b, 3);
}

static void what_a_link_leads_to_may_come_late(void **state)
{
	struct bench *b = *state;

	assert_int_equal(symlink("x/y/stub", in(b, "resolv.conf")), 0);
	watch(b);
	for (int i = 1; i <= 2; i++) {
		assert_int_equal(mkdir(in(b, "x"), 0700), 0);
		assert_int_equal(mkdir(in(b, "x/y"), 0700), 0);
		put(b, "x/y/stub", i);
		follows(b, i);
		assert_int_equal(unlink(in(b, "x/y/stub")), 0);
		assert_int_equal(rmdir(in(b, "x/y")), 0);
		assert_int_equal(rmdir(in(b, "x")), 0);
	}
}

static void links_in_a_circle_end(void **state)
{
	struct bench *b = *state;

	assert_int_equal(symlink("other", in(b, "resolv.conf")), 0);
	assert_int_equal(symlink("resolv.conf", in(b, "other")), 0);
	watch(b);
	put(b, "new", 1);
	place(b, "new", "other");
	follows(b, 1);
}

static void lists_are_compared(void **state)
{
	struct resolv_list a, b;

	parse("nameserver 192.0.2.1\nnameserver 192.0.2.2\n", &a);
	parse("# other\nnameserver 192.0.2.1\nnameserver 192.0.2.2", &b);
	assert_true(resolv_equal(&a, &b));
	parse("nameserver 192.0.2.1", &b);
	assert_false(resolv_equal(&a, &b));
	assert_false(resolv_equal(&b, &a));
	parse("nameserver 192.0.2.2\nnameserver 192.0.2.1", &b);
	assert_false(resolv_equal(&a, &b));
	parse("", &a);
	parse("", &b);
	assert_true(resolv_equal(&a, &b));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nameservers_are_found),
		cmocka_unit_test(other_lines_are_passed_over),
		cmocka_unit_test(the_list_is_bounded),
		cmocka_unit_test(lists_are_compared),
		T(a_file_is_followed),
		T(links_are_followed),
		T(what_a_link_leads_to_may_come_late),
		T(links_in_a_circle_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
