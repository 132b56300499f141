/* SPDX-License-Identifier: BSD-3-Clause */
/* A copy that is told late, and several things as one, ends up the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lan/fake_port.h"
#include "lan/fdb.h"
#include "lan/fdb_copy.h"

#define SECOND UINT64_C(1000000000)

enum { N_PORTS = 5, MAX = 32, N_MACS = 80, STEPS = 20000 };

struct bench {
	struct timer_wheel wheel;
	uint64_t now_ns;
	struct fdb t;
	struct fdb_copy copy;
	struct port port[N_PORTS];
	bool is_news[MAX];
	unsigned n_news;
};

static void note(void *arg, unsigned slot)
{
	struct bench *b = arg;

	assert_true(slot < MAX);
	b->n_news += !b->is_news[slot];
	b->is_news[slot] = true;
}

static void learn(struct bench *b, uint32_t m, unsigned port)
{
	struct port *from;

	(void)fdb_learn(&b->t, fake_mac(m), &b->port[port], b->now_ns, &from);
}

static void setup(struct bench *b)
{
	*b = (struct bench){.now_ns = SECOND};
	timer_wheel_init(&b->wheel, b->now_ns);
	assert_int_equal(fdb_init(&b->t, MAX, 300 * SECOND, &b->wheel), 0);
	assert_int_equal(fdb_copy_init(&b->copy, MAX), 0);
	for (unsigned i = 0; i < N_PORTS; i++) {
		fdb_port_init(&b->port[i]);
		b->port[i].serial = i + 1;
	}
}

static void teardown(struct bench *b)
{
	for (unsigned i = 0; i < N_PORTS; i++)
		fdb_flush(&b->t, &b->port[i]);
	fdb_deinit(&b->t);
	fdb_copy_deinit(&b->copy);
	fdb_copy_deinit(&b->copy);
}

static void tell(struct bench *b, unsigned slot)
{
	mac m = {{0}};
	struct port *p = fdb_slot(&b->t, slot, &m);

	if (!b->is_news[slot])
		return;
	fdb_copy_set(&b->copy, slot, m, p, b->now_ns);
	b->is_news[slot] = false;
	b->n_news--;
	/* The newest news are found, whatever older ones say. */
	if (p)
		assert_ptr_equal(fdb_copy_find(&b->copy, m),
				 &b->copy.entry[slot]);
}

static void assert_same(struct bench *b)
{
	for (uint32_t m = 0; m < N_MACS; m++) {
		struct fdb_copy_entry *e = fdb_copy_find(&b->copy,
							 fake_mac(m));

		assert_ptr_equal(e ? e->port : NULL,
				 fdb_find(&b->t, fake_mac(m)));
	}
	for (unsigned i = 0; i < N_PORTS; i++)
		assert_int_equal(b->port[i].n_known, b->port[i].n_macs);
}

static void news_in_any_order_make_it_the_same(void **state)
{
	struct bench b;

	srandom(1);
	setup(&b);
	learn(&b, 1, 1); /* before anybody watches */
	assert_int_equal(fdb_watch(&b.t, note, &b), 0);
	assert_int_equal(b.n_news, 1);
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned what = (unsigned)random() % 100;
		unsigned port = (unsigned)random() % N_PORTS;

		if (what < 60)
			learn(&b, (uint32_t)random() % N_MACS, port);
		else if (what < 98)
			tell(&b, (unsigned)random() % MAX);
		else if (what == 98)
			fdb_flush(&b.t, &b.port[port]);
		else
			for (unsigned k = 0; k < MAX; k++)
				tell(&b, k);
		if (b.n_news == 0)
			assert_same(&b);
	}
	for (unsigned k = 0; k < MAX; k++)
		tell(&b, k);
	assert_same(&b);
	assert_true(b.t.n > 0);
	fdb_unwatch(&b.t);
	learn(&b, N_MACS, 0);
	assert_int_equal(b.n_news, 0);
	teardown(&b);
}

static void what_was_behind_one_port_is_behind_another(void **state)
{
	struct bench b;

	setup(&b);
	for (unsigned i = 0; i < MAX; i++)
		fdb_copy_set(&b.copy, i, fake_mac(i), &b.port[i % 2], 7);
	fdb_copy_replace(&b.copy, &b.port[0], &b.port[2]);
	for (unsigned i = 0; i < MAX; i++)
		assert_ptr_equal(fdb_copy_find(&b.copy, fake_mac(i))->port,
				 &b.port[i % 2 ? 1 : 2]);
	assert_int_equal(fdb_copy_find(&b.copy, fake_mac(0))->told_ns, 7);
	fdb_copy_replace(&b.copy, &b.port[2], NULL);
	for (unsigned i = 0; i < MAX; i++)
		assert_int_equal(!fdb_copy_find(&b.copy, fake_mac(i)),
				 i % 2 == 0);
	teardown(&b);
}

static void advance(struct bench *b, uint64_t ns)
{
	b->now_ns += ns;
	timer_wheel_run(&b->wheel, b->now_ns);
}

/* What is only carried elsewhere keeps its entry; nothing is learned by it. */
static void what_is_used_elsewhere_is_not_forgotten(void **state)
{
	struct bench b;

	setup(&b);
	learn(&b, 1, 1);
	learn(&b, 2, 1);
	advance(&b, 200 * SECOND);
	fdb_used(&b.t, fake_mac(1), &b.port[1], b.now_ns);
	fdb_used(&b.t, fake_mac(2), &b.port[2], b.now_ns); /* not there */
	fdb_used(&b.t, fake_mac(3), &b.port[1], b.now_ns);
	assert_int_equal(b.t.n, 2);
	assert_ptr_equal(fdb_find(&b.t, fake_mac(2)), &b.port[1]);
	advance(&b, 200 * SECOND);
	assert_ptr_equal(fdb_find(&b.t, fake_mac(1)), &b.port[1]);
	assert_null(fdb_find(&b.t, fake_mac(2)));
	advance(&b, 200 * SECOND);
	assert_int_equal(b.t.n, 0);
	teardown(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(news_in_any_order_make_it_the_same),
		cmocka_unit_test(
			what_was_behind_one_port_is_behind_another),
		cmocka_unit_test(what_is_used_elsewhere_is_not_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
