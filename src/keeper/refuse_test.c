/* SPDX-License-Identifier: BSD-3-Clause */
/* From which address a client hears that it is refused, whatever an engine
 * says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keeper/keeper_priv.h"

static const struct endpoint client = {
	.ip = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 5}},
	.port = 999};

static void test_an_own_address_stays(void **state)
{
	const addr own = addr_v4(127, 0, 0, 9);
	addr a = own;

	(void)state;
	assert_true(refuse_source(&client, &a));
	assert_true(addr_eq(&a, &own));
}

static void test_others_do_not(void **state)
{
	const addr t[] = {
		addr_v4(0, 0, 0, 0),
		addr_v4(192, 0, 2, 1), /* nobody's (RFC 5737) */
		addr_v4(224, 0, 0, 1),
		addr_v4(127, 255, 255, 255), /* these two can be bound to */
		addr_v4(255, 255, 255, 255),
		{{[15] = 1}},
	};
	const addr own = addr_v4(127, 0, 0, 1);

	(void)state;
	for (unsigned i = 0; i < sizeof(t) / sizeof(*t); i++) {
		addr a = t[i];

		assert_true(refuse_source(&client, &a));
		assert_true(addr_eq(&a, &own));
	}
}

/* Who cannot be spoken to is told nothing. */
static void test_a_group_is_no_client(void **state)
{
	const struct endpoint all = {.ip = addr_v4(127, 255, 255, 255),
				     .port = 999};
	addr a = addr_v4(127, 0, 0, 9);

	(void)state;
	assert_false(refuse_source(&all, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_own_address_stays),
		cmocka_unit_test(test_others_do_not),
		cmocka_unit_test(test_a_group_is_no_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
