/* SPDX-License-Identifier: BSD-3-Clause */
/* How often a VDE client asks, on a clock of the test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "keeper/vde.h"

#define MINUTE_NS UINT64_C(60000000000)

/* How often a switch is asked within a minute whose plugs last that long. */
static unsigned asked(struct vde_wait *w, uint64_t lasts_ns)
{
	unsigned n = 0;

	for (uint64_t now = 1; now < MINUTE_NS; n++) {
		vde_wait_served(w, now);
		now += lasts_ns;
		vde_wait_lost(w, now);
		now += vde_wait_next(w);
	}
	return n;
}

static void waits_grow_to_a_bound(void **state)
{
	struct vde_wait w = {0};
	uint64_t before = vde_wait_next(&w);

	(void)state;
	assert_int_equal(before, VDE_RETRY_MIN_NS);
	for (unsigned i = 0; i < 20; i++) {
		uint64_t ns = vde_wait_next(&w);

		assert_true(ns > before || ns == VDE_RETRY_MAX_NS);
		assert_true(ns <= VDE_RETRY_MAX_NS);
		before = ns;
	}
	assert_int_equal(before, VDE_RETRY_MAX_NS);
}

static void a_switch_that_closes_at_once_is_asked_seldom(void **state)
{
	struct vde_wait w = {0};

	(void)state;
	/* 0.1, 0.2, 0.4 .. 3.2, then every 5 s; with one wait, 600 times */
	assert_int_equal(asked(&w, 0), 17);
	assert_int_equal(asked(&w, 0), 12);
}

static void a_plug_that_has_lasted_is_asked_for_soon(void **state)
{
	struct vde_wait w = {0};

	(void)state;
	assert_int_equal(asked(&w, 0), 17);
	vde_wait_served(&w, MINUTE_NS);
	vde_wait_lost(&w, MINUTE_NS + VDE_LASTED_NS - 1);
	assert_int_equal(vde_wait_next(&w), VDE_RETRY_MAX_NS);
	vde_wait_served(&w, MINUTE_NS);
	vde_wait_lost(&w, MINUTE_NS + VDE_LASTED_NS);
	assert_int_equal(vde_wait_next(&w), VDE_RETRY_MIN_NS);
	assert_int_equal(vde_wait_next(&w), 2 * VDE_RETRY_MIN_NS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_grow_to_a_bound),
		cmocka_unit_test(a_switch_that_closes_at_once_is_asked_seldom),
		cmocka_unit_test(a_plug_that_has_lasted_is_asked_for_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
