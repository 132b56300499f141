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

/* What its callback does to the others. */
struct actor {
	struct timer t;
	struct timer_wheel *w;
	struct actor *disarms;
	struct actor *arms;
	uint64_t arms_ns;
	bool dies; /* frees itself */
	unsigned *n_firedp;
	unsigned order; /* when it fired, from 1 */
};

static void act(struct timer *t, uint64_t now_ns)
{
	struct actor *a = container_of(t, struct actor, t);

	assert_false(timer_is_armed(t));
	a->order = ++*a->n_firedp;
	if (a->disarms)
		timer_disarm(a->w, &a->disarms->t);
	if (a->arms)
		timer_arm(a->w, &a->arms->t, a->arms_ns);
	if (a->dies)
		free(a);
}

static struct actor *actor_new(struct timer_wheel *w, unsigned *n_firedp,
			       uint64_t deadline_ns)
{
	struct actor *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	a->w = w;
	a->n_firedp = n_firedp;
	timer_init(&a->t, act);
	assert_false(timer_is_armed(&a->t));
	timer_disarm(w, &a->t);
	timer_arm(w, &a->t, deadline_ns);
	return a;
}

static void callbacks_may_free_their_owner(void **state)
{
	struct timer_wheel w;
	unsigned n = 0;

	timer_wheel_init(&w, 0);
	for (unsigned i = 0; i < 100; i++)
		actor_new(&w, &n, (uint64_t)(i / 10) * 100 * TICK)->dies = true;
	timer_wheel_run(&w, UINT64_C(2000) * TICK);
	assert_int_equal(n, 100);
	assert_int_equal(w.n_armed, 0);
}

static void callbacks_may_disarm_what_is_due(void **state)
{
	struct timer_wheel w;
	unsigned n = 0;
	struct actor *a, *b, *c;

	timer_wheel_init(&w, 0);
	a = actor_new(&w, &n, 5 * TICK);
	b = actor_new(&w, &n, 5 * TICK);
	c = actor_new(&w, &n, 5 * TICK);
	a->disarms = b;
	c->disarms = c; /* is disarmed already */
	timer_wheel_run(&w, 10 * TICK);
	assert_int_equal(n, 2);
	assert_int_equal(a->order, 1);
	assert_int_equal(b->order, 0);
	assert_int_equal(c->order, 2);
	assert_int_equal(w.n_armed, 0);
	free(a);
	free(b);
	free(c);
}

static void callbacks_may_put_off_what_is_due(void **state)
{
	struct timer_wheel w;
	unsigned n = 0;
	struct actor *a, *b;

	timer_wheel_init(&w, 0);
	a = actor_new(&w, &n, 5 * TICK);
	b = actor_new(&w, &n, 5 * TICK);
	a->arms = b;
	a->arms_ns = UINT64_C(100000) * TICK;
	timer_wheel_run(&w, 10 * TICK);
	assert_int_equal(n, 1);
	assert_true(timer_is_armed(&b->t));
	assert_int_equal(w.n_armed, 1);
	timer_wheel_run(&w, UINT64_C(99999) * TICK);
	assert_int_equal(n, 1);
	timer_wheel_run(&w, UINT64_C(100001) * TICK);
	assert_int_equal(n, 2);
	free(a);
	free(b);
}

/* A callback that arms itself for the past does not hold up the run. */
static void the_past_is_the_next_tick(void **state)
{
	struct timer_wheel w;
	unsigned n = 0;
	struct actor *a;

	timer_wheel_init(&w, 50 * TICK);
	a = actor_new(&w, &n, 0);
	a->arms = a;
	a->arms_ns = 0;
	timer_wheel_run(&w, 50 * TICK);
	assert_int_equal(n, 1);
	assert_true(timer_wheel_next(&w) <= 51 * TICK);
	timer_wheel_run(&w, 50 * TICK);
	assert_int_equal(n, 1);
	timer_wheel_run(&w, 49 * TICK); /* a clock that steps back */
	assert_int_equal(n, 1);
	timer_wheel_run(&w, 51 * TICK);
	assert_int_equal(n, 2);
	free(a);
}

/* Ticks one by one, or all at once: the order is that of the ticks. */
static void order_of_ticks(void **state)
{
	static const uint64_t ticks[] = {70000, 3, 64, 63, 65, 4096, 4095,
					 300000, 262144, 1};
	enum { M = sizeof(ticks) / sizeof(ticks[0]) };
	struct actor *a[M];
	struct timer_wheel w;
	unsigned n = 0;

	timer_wheel_init(&w, 0);
	for (unsigned i = 0; i < M; i++)
		a[i] = actor_new(&w, &n, ticks[i] * TICK);
	timer_wheel_run(&w, UINT64_C(1000000) * TICK);
	assert_int_equal(n, M);
	for (unsigned i = 0; i < M; i++) {
		for (unsigned k = 0; k < M; k++)
			assert_int_equal(a[i]->order < a[k]->order,
					 ticks[i] < ticks[k]);
	}
	for (unsigned i = 0; i < M; i++)
		free(a[i]);
}

/* Sleeping until timer_wheel_next(), as the loop does: it ends, no timer is
 * early, and none later than a tick. */
static void sleep_until(struct timer_wheel *w, uint64_t now, uint64_t deadline,
			const unsigned *np)
{
	for (unsigned turns = 0; !*np; turns++) {
		uint64_t next = timer_wheel_next(w);

		assert_true(turns < 1000);
		assert_true(next != UINT64_MAX);
		if (next > now)
			now = next;
		timer_wheel_run(w, now);
		assert_true(!*np || now >= deadline);
	}
	assert_true(now - deadline <= TICK);
}

static void far_deadlines(void **state)
{
	const uint64_t wrap = UINT64_C(1) << 56; /* all levels are at 0 */
	const uint64_t starts[] = {0, 12345, wrap - 1,
				   wrap - 70 * (uint64_t)TICK,
				   wrap + 5 * (uint64_t)TICK + 1};

	for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
		for (unsigned bits = 1; bits < 62; bits++) {
			uint64_t deadline = starts[i] + (UINT64_C(1) << bits);
			struct timer_wheel w;
			unsigned n = 0;
			struct actor *a;

			timer_wheel_init(&w, starts[i]);
			a = actor_new(&w, &n, deadline);
			sleep_until(&w, starts[i], deadline, &n);
			free(a);
		}
	}
}

static void the_last_deadline_never_comes(void **state)
{
	struct timer_wheel w;
	unsigned n = 0;
	struct actor *a;

	timer_wheel_init(&w, 77);
	a = actor_new(&w, &n, UINT64_MAX);
	for (unsigned bits = 10; bits < 63; bits++)
		timer_wheel_run(&w, UINT64_C(1) << bits);
	assert_int_equal(n, 0);
	assert_true(timer_is_armed(&a->t));
	timer_disarm(&w, &a->t);
	assert_int_equal(w.n_armed, 0);
	assert_true(timer_wheel_next(&w) == UINT64_MAX);
	free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_model),
		cmocka_unit_test(a_callback_may_rearm),
		cmocka_unit_test(callbacks_may_free_their_owner),
		cmocka_unit_test(callbacks_may_disarm_what_is_due),
		cmocka_unit_test(callbacks_may_put_off_what_is_due),
		cmocka_unit_test(the_past_is_the_next_tick),
		cmocka_unit_test(order_of_ticks),
		cmocka_unit_test(far_deadlines),
		cmocka_unit_test(the_last_deadline_never_comes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
