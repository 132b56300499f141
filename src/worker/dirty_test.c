/* SPDX-License-Identifier: BSD-3-Clause */
/* Places that changed: each once, in order, round the end of the ring. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/dirty.h"

static void each_is_told_once_and_in_order(void **state)
{
	struct dirty d;
	unsigned i;

	assert_int_equal(dirty_init(&d, 3), 0);
	assert_false(dirty_first(&d, &i));
	for (unsigned lap = 0; lap < 5; lap++) {
		dirty_put(&d, 2);
		dirty_put(&d, 0);
		dirty_put(&d, 2);
		dirty_put(&d, 1);
		assert_true(dirty_first(&d, &i));
		assert_int_equal(i, 2);
		assert_true(dirty_first(&d, &i)); /* it stays in .. */
		assert_int_equal(i, 2);
		dirty_pop(&d);
		dirty_put(&d, 2); /* .. until then */
		for (unsigned k = 0; k < 3; k++) {
			assert_true(dirty_first(&d, &i));
			assert_int_equal(i, k);
			dirty_pop(&d);
		}
		assert_false(dirty_first(&d, &i));
		if (lap % 2) { /* begin somewhere else */
			dirty_put(&d, 0);
			dirty_pop(&d);
		}
	}
	dirty_deinit(&d);
	dirty_deinit(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_told_once_and_in_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
