/* SPDX-License-Identifier: BSD-3-Clause */
/* The timer wheel against a naive model, on random input. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/timer.h"

enum { N = 300, TICK = 1 << TIMER_TICK_SHIFT };

struct probe {
	struct timer t;
	uint64_t want_ns; /* UINT64_MAX: disarmed */
	unsigned fired;
};

static uint64_t rng = 0x123456789abcdef1u;

static uint64_t rnd(void)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng;
}

static void on_fire(struct timer *t, uint64_t now_ns)
{
	struct probe *p = container_of(t, struct probe, t);

	assert_true(p->want_ns <= now_ns);
	p->want_ns = UINT64_MAX;
	p->fired++;
}

static uint64_t random_delay(void)
{
	/* Of every size, up to some hours, and now and then days. */
	return rnd() >> (20 + rnd() % 40);
}

static void random_model(void **state)
{
	static struct probe p[N];
	struct timer_wheel w;
	uint64_t now = rnd() >> 8;

	timer_wheel_init(&w, now);
	for (int i = 0; i < N; i++) {
		timer_init(&p[i].t, on_fire);
		p[i].want_ns = UINT64_MAX;
	}
	for (int step = 0; step < 200000; step++) {
		struct probe *q = &p[rnd() % N];
		uint64_t earliest = UINT64_MAX;
		unsigned n = 0;

		if (rnd() % 4) {
			q->want_ns = now + random_delay();
			timer_arm(&w, &q->t, q->want_ns);
		} else {
			q->want_ns = UINT64_MAX;
			timer_disarm(&w, &q->t);
		}
		if (step % 8)
			continue;
		for (int i = 0; i < N; i++) {
			n += p[i].want_ns != UINT64_MAX;
			assert_int_equal(timer_is_armed(&p[i].t),
					 p[i].want_ns != UINT64_MAX);
			if (p[i].want_ns < earliest)
				earliest = p[i].want_ns;
		}
		assert_int_equal(n, w.n_armed);
		if (n)
			assert_true(timer_wheel_next(&w) <= earliest + TICK);
		now += random_delay();
		timer_wheel_run(&w, now);
		for (int i = 0; i < N; i++)
			assert_true(p[i].want_ns == UINT64_MAX ||
				    p[i].want_ns + TICK > now);
	}
}

static struct timer_wheel *chain_wheel;

static void rearm_itself(struct timer *t, uint64_t now_ns)
{
	struct probe *p = container_of(t, struct probe, t);

	if (++p->fired < 1000)
		timer_arm(chain_wheel, t, now_ns + TICK);
}

static void a_callback_may_rearm(void **state)
{
	struct probe p = {0};
	struct timer_wheel w;

	chain_wheel = &w;
	timer_wheel_init(&w, 5);
	timer_init(&p.t, rearm_itself);
	timer_arm(&w, &p.t, 0);
	for (uint64_t now = 0; w.n_armed; now += TICK)
		timer_wheel_run(&w, now);
	assert_int_equal(p.fired, 1000);
	assert_true(timer_wheel_next(&w) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_model),
		cmocka_unit_test(a_callback_may_rearm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
