/* SPDX-License-Identifier: BSD-3-Clause */
/* Headers of the PROXY protocol, byte by byte, and who may come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "nat/proxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static const struct endpoint src4 = {{{[10] = 0xff, 0xff, 192, 168, 0, 1}},
				     56324};
static const struct endpoint dst4 = {{{[10] = 0xff, 0xff, 192, 168, 0, 11}},
				     443};
static const struct endpoint src6 = {{{0x20, 1, 0xd, 0xb8, [15] = 7}}, 1};
static const struct endpoint dst6 = {{{[15] = 1}}, 65535};

static void check(uint8_t version, const struct endpoint *src,
		  const struct endpoint *dst, const char *want, unsigned n)
{
	uint8_t buf[PROXY_HEAD_MAX + 1];

	buf[PROXY_HEAD_MAX] = 0x5a;
	assert_int_equal(proxy_emit(version, src, dst, buf), n);
	assert_memory_equal(buf, want, n);
	assert_int_equal(buf[PROXY_HEAD_MAX], 0x5a);
}

static void line(const struct endpoint *src, const struct endpoint *dst,
		 const char *want)
{
	check(PROXY_V1, src, dst, want, (unsigned)strlen(want));
}

static void test_text(void **state)
{
	struct endpoint wide = {{{0}}, 65535};

	(void)state;
	memset(wide.ip.b, 0xff, sizeof(wide.ip.b)); /* the longest there is */
	line(&src4, &dst4, "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n");
	line(&src6, &dst6, "PROXY TCP6 2001:db8::7 ::1 1 65535\r\n");
	line(&wide, &wide,
	     "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	     "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n");
}

static void test_binary(void **state)
{
	(void)state;
	check(PROXY_V2, &src4, &dst4,
	      SIGNATURE "\x21\x11\x00\x0c\xc0\xa8\x00\x01\xc0\xa8\x00\x0b"
			"\xdc\x04\x01\xbb",
	      28);
	check(PROXY_V2, &src6, &dst6,
	      SIGNATURE "\x21\x21\x00\x24"
			"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07"
			"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01"
			"\x00\x01\xff\xff",
	      52);
}

/* A unix socket's client, and what cannot be: two families. */
static void test_nobody(void **state)
{
	const struct endpoint none = {.port = 0};

	(void)state;
	line(&none, &none, "PROXY UNKNOWN\r\n");
	check(PROXY_V2, &none, &none, SIGNATURE "\x20\x00\x00\x00", 16);
	line(&src4, &dst6, "PROXY UNKNOWN\r\n");
	check(PROXY_V2, &src6, &dst4, SIGNATURE "\x20\x00\x00\x00", 16);
}

/* fe80::1 behind interface 2: a number of ours, which nobody else knows. */
static const struct endpoint on_link = {
	{{0xfe, 0x80, [4] = 2, [15] = 1}}, 9};

static void test_address_of_a_link(void **state)
{
	(void)state;
	line(&on_link, &dst6, "PROXY TCP6 fe80::1 ::1 9 65535\r\n");
}

static void test_who_may_come(void **state)
{
	struct forward_rules r = {.n_from = 0};

	(void)state;
	assert_true(forward_rules_admit(&r, &src4.ip));
	r.n_from = 2;
	r.from[0] = prefix_of(&src4.ip, 24);
	r.from[1] = (struct prefix){{{0xfe, 0x80}}, 64};
	assert_true(forward_rules_admit(&r, &dst4.ip));
	assert_true(forward_rules_admit(&r, &on_link.ip));
	assert_false(forward_rules_admit(&r, &src6.ip));
	r.from[0] = prefix_of(&src4.ip, 32);
	assert_true(forward_rules_admit(&r, &src4.ip));
	assert_false(forward_rules_admit(&r, &dst4.ip));
	/* all of a family */
	r.from[1] = (struct prefix){{{0}}, 0};
	assert_true(forward_rules_admit(&r, &src6.ip));
	assert_false(forward_rules_admit(&r, &dst4.ip));
	r.from[1] = prefix_of(&(addr){{[10] = 0xff, 0xff}}, 0);
	assert_true(forward_rules_admit(&r, &dst4.ip));
	assert_false(forward_rules_admit(&r, &src6.ip));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_address_of_a_link),
		cmocka_unit_test(test_who_may_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
