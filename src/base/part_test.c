/* SPDX-License-Identifier: BSD-3-Clause */
/* Parts of a prefix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/part.h"

static struct prefix prefix(const char *ip, uint8_t len)
{
	struct prefix p = {.len = len};

	assert_true(addr_parse(ip, &p.ip));
	return p;
}

static void bits_lie_behind_the_prefix(void **state)
{
	static const struct {
		const char *of;
		uint8_t len;
		uint64_t bits;
		const char *part;
	} rows[] = {
		{"2001:db8:1:ff00::", 56, 0x12, "2001:db8:1:ff12::"},
		{"2001:db8:1:ff00::", 56, UINT64_MAX, "2001:db8:1:ffff::"},
		{"2001:db8:1::", 48, 0x1234567, "2001:db8:1:4567::"},
		{"2001:db8:1:f8::", 61, 0xfd, "2001:db8:1:fd::"},
		{"fd00::", 8, 0x1122334455667788, "fd22:3344:5566:7788::"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct prefix p = prefix(rows[i].of, rows[i].len);
		struct prefix got = part_of(&p, rows[i].bits);
		struct prefix want = prefix(rows[i].part, 64);

		assert_true(addr_eq(&got.ip, &want.ip));
		assert_int_equal(got.len, 64);
	}
}

static void others_routes_are_seen(void **state)
{
	const struct prefix p = prefix("2001:db8:1:ff00::", 56);
	const struct prefix part = prefix("2001:db8:1:ff12::", 64);
	const struct prefix routes[] = {
		prefix("2001:db8:1:ff00::", 56), /* all of it */
		prefix("2001:db8::", 32),
		prefix("2001:db8:1:ff13::", 64),
		prefix("10.0.0.0", 104),
		prefix("2001:db8:1:ff10::", 60), /* more than it */
		prefix("2001:db8:1:ff12::7", 128), /* a piece of it */
	};

	(void)state;
	assert_true(part_is_free(&p, &part, routes, 4));
	assert_false(part_is_free(&p, &part, routes, 5));
	assert_false(part_is_free(&p, &part, routes + 5, 1));
}

static void the_first_is_not_free(void **state)
{
	const struct prefix p = prefix("2001:db8:1:ff00::", 56);
	const struct prefix first = part_of(&p, 0);
	const struct prefix second = part_of(&p, 1);

	(void)state;
	assert_false(part_is_free(&p, &first, NULL, 0));
	assert_true(part_is_free(&p, &second, NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bits_lie_behind_the_prefix),
		cmocka_unit_test(others_routes_are_seen),
		cmocka_unit_test(the_first_is_not_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
