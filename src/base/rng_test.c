/* SPDX-License-Identifier: BSD-3-Clause */
/* Chance that can be repeated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rng.h"

enum { N = 1 << 16 };

static void test_repeats(void **state)
{
	struct rng a, b;

	(void)state;
	rng_seed(&a, 7, 3);
	rng_seed(&b, 7, 3);
	for (int i = 0; i < N; i++)
		assert_int_equal(rng_u32(&a), rng_u32(&b));
}

/* Near seeds and streams have nothing in common. */
static void test_differs(void **state)
{
	struct rng r[4];
	unsigned n_same = 0;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		rng_seed(&r[i], i / 2, i % 2);
	for (int i = 0; i < N; i++) {
		uint32_t x[4];

		for (unsigned k = 0; k < 4; k++)
			x[k] = rng_below(&r[k], 2);
		n_same += (x[0] == x[1]) + (x[0] == x[2]) + (x[2] == x[3]);
	}
	assert_in_range(n_same, 3 * N / 2 - N / 50, 3 * N / 2 + N / 50);
}

/* Each of n is as likely, and nothing else comes. */
static void test_is_even(void **state)
{
	unsigned count[10] = {0};
	struct rng r;

	(void)state;
	rng_seed(&r, 1, 1);
	for (int i = 0; i < N; i++) {
		uint32_t x = rng_below(&r, 10);

		assert_in_range(x, 0, 9);
		count[x]++;
	}
	for (int i = 0; i < 10; i++)
		assert_in_range(count[i], N / 10 - N / 200, N / 10 + N / 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repeats),
		cmocka_unit_test(test_differs),
		cmocka_unit_test(test_is_even),
	};

	return cmocka_run_group_tests_name("base/rng", tests, NULL, NULL);
}
