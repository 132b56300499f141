/* SPDX-License-Identifier: BSD-3-Clause */
/* When a rest pays: what is a flood and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "os/rest.h"

enum { STEP_NS = 10000 };

/* Time goes by, with n datagrams in each step; the last answer. */
static bool flow(struct rest *r, uint64_t *nowp, uint64_t ns, unsigned n)
{
	bool pays = false;

	for (uint64_t end = *nowp + ns; *nowp < end;) {
		*nowp += STEP_NS;
		rest_datagrams(r, n);
		pays = rest_pays(r, *nowp);
	}
	return pays;
}

static void a_flood_is_rested_in(void **state)
{
	struct rest r = {0};
	uint64_t now = 1000000000;

	(void)state;
	assert_false(rest_pays(&r, now)); /* opens the window */
	assert_false(flow(&r, &now, REST_WINDOW_NS - STEP_NS, 1));
	assert_true(flow(&r, &now, STEP_NS, 1));
	assert_true(flow(&r, &now, 100 * REST_WINDOW_NS, 1));
}

static void a_trickle_is_not(void **state)
{
	struct rest r = {0};
	uint64_t now = 1000000000;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		rest_datagrams(&r, REST_FLOOD - 1);
		now += REST_WINDOW_NS;
		assert_false(rest_pays(&r, now));
	}
}

static void a_pause_ends_it(void **state)
{
	struct rest r = {0};
	uint64_t now = 1000000000;

	(void)state;
	(void)rest_pays(&r, now);
	assert_true(flow(&r, &now, 10 * REST_WINDOW_NS, 1));
	rest_datagrams(&r, REST_FLOOD); /* before it, and one after it */
	now += 2 * REST_WINDOW_NS;
	assert_false(rest_pays(&r, now));
}

static void a_stream_ends_it(void **state)
{
	struct rest r = {0};
	uint64_t now = 1000000000;

	(void)state;
	(void)rest_pays(&r, now);
	assert_true(flow(&r, &now, 10 * REST_WINDOW_NS, 1));
	rest_stream(&r);
	assert_false(rest_pays(&r, now)); /* at once, */
	assert_false(flow(&r, &now, REST_WINDOW_NS, 1));
	rest_stream(&r);
	assert_false(flow(&r, &now, REST_WINDOW_NS, 1));
	assert_true(flow(&r, &now, REST_WINDOW_NS, 1)); /* until it is over */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flood_is_rested_in),
		cmocka_unit_test(a_trickle_is_not),
		cmocka_unit_test(a_pause_ends_it),
		cmocka_unit_test(a_stream_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
