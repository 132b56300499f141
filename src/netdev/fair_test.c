/* SPDX-License-Identifier: BSD-3-Clause */
/* Who gives a place away, and to whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "netdev/fair.h"

enum { N = 8 };

struct entry {
	char other[24];
	struct fair_place place;
};

static unsigned choose(const struct entry *e, uint32_t from, uint64_t now)
{
	return fair_choose(&e->place, sizeof(*e), N, from, now);
}

/* Places of these ports; the second is the oldest. */
static void fill(struct entry *e, const uint32_t *from)
{
	for (unsigned i = 0; i < N; i++)
		e[i].place = (struct fair_place){100 + (i + N - 1) % N,
						 from[i]};
}

static void the_silent_give_way_to_all(void **state)
{
	static const uint32_t from[N] = {1, 2, 1, 1, 1, 1, 1, 1};
	struct entry e[N];

	(void)state;
	fill(e, from);
	assert_int_equal(choose(e, 1, 100 + FAIR_IDLE_NS - 1), N);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(choose(e, i, 100 + FAIR_IDLE_NS), 1);
	assert_int_equal(fair_choose(&e->place, sizeof(*e), 0, 1, 0), 0);
}

static void who_has_most_gives(void **state)
{
	static const uint32_t from[N] = {1, 2, 1, 1, 3, 2, 3, 1};
	static const uint32_t even[N] = {1, 2, 3, 4, 1, 2, 3, 4};
	static const uint32_t alone[N] = {1, 2, 3, 4, 5, 6, 7, 8};
	struct entry e[N];

	(void)state;
	fill(e, from);
	assert_int_equal(choose(e, 4, 200), 2); /* the oldest of port 1's */
	assert_int_equal(choose(e, 2, 200), 2);
	assert_int_equal(choose(e, 1, 200), N);
	e[2].place.from = 2;
	assert_int_equal(choose(e, 2, 200), N);
	/* As many as each other: nobody gains by it. */
	fill(e, even);
	assert_int_equal(choose(e, 1, 200), N);
	assert_int_equal(choose(e, 5, 200), 1);
	fill(e, alone);
	assert_int_equal(choose(e, 9, 200), N);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_silent_give_way_to_all),
		cmocka_unit_test(who_has_most_gives),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
