/* SPDX-License-Identifier: BSD-3-Clause */
/* The MAC table against a naive model, and its promises one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lan/fake_port.h"
#include "lan/fdb.h"

#define SECOND UINT64_C(1000000000)

enum { N_PORTS = 20, MAX = 64, N_MACS = 300 };

struct bench {
	struct timer_wheel wheel;
	uint64_t now_ns;
	struct fdb t;
	struct port port[N_PORTS];
};

static void bench_init(struct bench *b, unsigned max, uint64_t age_ns)
{
	memset(b, 0, sizeof(*b));
	b->now_ns = 5 * SECOND;
	timer_wheel_init(&b->wheel, b->now_ns);
	assert_int_equal(fdb_init(&b->t, max, age_ns, &b->wheel), 0);
	for (unsigned i = 0; i < N_PORTS; i++) {
		fdb_port_init(&b->port[i]);
		b->port[i].serial = i + 1;
	}
}

static void bench_deinit(struct bench *b)
{
	for (unsigned i = 0; i < N_PORTS; i++)
		fdb_flush(&b->t, &b->port[i]);
	assert_int_equal(b->t.n, 0);
	assert_int_equal(b->t.n_most, 0);
	fdb_deinit(&b->t);
}

static enum fdb_result learn(struct bench *b, uint32_t m, unsigned port)
{
	struct port *from;

	return fdb_learn(&b->t, fake_mac(m), &b->port[port], b->now_ns, &from);
}

static void advance(struct bench *b, uint64_t ns)
{
	b->now_ns += ns;
	timer_wheel_run(&b->wheel, b->now_ns);
}

static struct port *find(struct bench *b, uint32_t m)
{
	return fdb_find(&b->t, fake_mac(m));
}

/* --- the model: an array, searched from end to end ---------------------- */

struct model_entry {
	bool used;
	unsigned port;
	uint64_t seen_ns;  /* refreshed at most once a second, too */
	uint64_t order;	   /* of the last refresh: breaks ties */
};

struct model {
	struct model_entry e[N_MACS];
	uint64_t order;
	unsigned n;
};

static unsigned model_count(const struct model *m, unsigned port)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N_MACS; i++)
		n += m->e[i].used && m->e[i].port == port;
	return n;
}

static void model_set(struct model *m, uint32_t i, unsigned port, uint64_t now)
{
	m->e[i] = (struct model_entry){true, port, now, ++m->order};
}

/* Entries of the model that the table no longer has: with a full table that
 * is one, and it must be the oldest of a port with most entries. */
static void model_evict(struct bench *b, struct model *m, unsigned port)
{
	unsigned most = 0, gone = N_MACS, n_gone = 0;

	for (unsigned i = 0; i < N_PORTS; i++)
		if (model_count(m, i) > most)
			most = model_count(m, i);
	for (unsigned i = 0; i < N_MACS; i++) {
		if (!m->e[i].used || find(b, i))
			continue;
		gone = i;
		n_gone++;
	}
	assert_int_equal(n_gone, 1);
	assert_int_equal(model_count(m, m->e[gone].port), most);
	if (model_count(m, port) == most)
		assert_int_equal(m->e[gone].port, port);
	for (unsigned i = 0; i < N_MACS; i++)
		if (m->e[i].used && m->e[i].port == m->e[gone].port)
			assert_true(m->e[i].order >= m->e[gone].order);
	m->e[gone].used = false;
	m->n--;
}

static void model_learn(struct bench *b, struct model *m, uint32_t i,
			unsigned port)
{
	struct model_entry *e = &m->e[i];
	enum fdb_result got = learn(b, i, port);

	if (!e->used) {
		assert_int_equal(got, FDB_ADDED);
		if (m->n == MAX)
			model_evict(b, m, port);
		model_set(m, i, port, b->now_ns);
		m->n++;
	} else if (e->port != port) {
		assert_true(got == FDB_MOVED || got == FDB_MOVED_BACK);
		model_set(m, i, port, b->now_ns);
	} else {
		assert_int_equal(got, FDB_SAME);
		if (b->now_ns - e->seen_ns >= FDB_REFRESH_NS)
			model_set(m, i, port, b->now_ns);
	}
}

static void model_age(struct bench *b, struct model *m, uint64_t age_ns)
{
	uint64_t tick = UINT64_C(1) << TIMER_TICK_SHIFT;

	for (unsigned i = 0; i < N_MACS; i++) {
		struct model_entry *e = &m->e[i];

		if (!e->used)
			continue;
		/* The wheel may be late by a tick or two, never early. */
		if (b->now_ns >= e->seen_ns + age_ns &&
		    (b->now_ns >= e->seen_ns + age_ns + 2 * tick ||
		     !find(b, i))) {
			e->used = false;
			m->n--;
		}
	}
}

static void model_compare(struct bench *b, const struct model *m)
{
	for (unsigned i = 0; i < N_MACS; i++) {
		struct port *p = find(b, i);

		if (m->e[i].used)
			assert_ptr_equal(p, &b->port[m->e[i].port]);
		else
			assert_null(p);
	}
	for (unsigned i = 0; i < N_PORTS; i++)
		assert_int_equal(b->port[i].n_macs, model_count(m, i));
	assert_int_equal(b->t.n, m->n);
}

static void test_random_against_model(void **state)
{
	const uint64_t age_ns = 30 * SECOND;
	struct model m = {0};
	uint32_t seed = 3;
	struct bench b;

	(void)state;
	bench_init(&b, MAX, age_ns);
	for (int round = 0; round < 6000; round++) {
		uint32_t r;

		seed = seed * 1664525 + 1013904223;
		r = seed >> 8;
		if (r % 16 == 0) {
			advance(&b, r / 16 % (4 * SECOND));
			model_age(&b, &m, age_ns);
		} else if (r % 512 == 1) {
			unsigned p = r / 512 % N_PORTS;

			fdb_flush(&b.t, &b.port[p]);
			for (unsigned i = 0; i < N_MACS; i++) {
				if (!m.e[i].used || m.e[i].port != p)
					continue;
				m.e[i].used = false;
				m.n--;
			}
		} else {
			/* low ports are chattier */
			unsigned p = r / 16 % N_PORTS * (r / 512 % 2);

			model_learn(&b, &m, r / 1024 % N_MACS, p);
		}
		if (round % 8 == 0)
			model_compare(&b, &m);
	}
	model_compare(&b, &m);
	bench_deinit(&b);
}

static void test_refresh_once_a_second(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, MAX, 10 * SECOND);
	learn(&b, 1, 0);
	advance(&b, SECOND / 2);
	learn(&b, 1, 0); /* too soon to count */
	advance(&b, 9 * SECOND + SECOND / 2 + SECOND / 100);
	assert_null(find(&b, 1));
	learn(&b, 1, 0);
	advance(&b, 2 * SECOND);
	learn(&b, 1, 0);
	advance(&b, 9 * SECOND);
	assert_non_null(find(&b, 1));
	fdb_touch(&b.t, &b.port[0], b.now_ns);
	advance(&b, 9 * SECOND);
	assert_non_null(find(&b, 1));
	advance(&b, 2 * SECOND);
	assert_null(find(&b, 1));
	fdb_touch(&b.t, &b.port[0], b.now_ns);
	bench_deinit(&b);
}

static void test_flood_of_one_port_spares_others(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b, MAX, 300 * SECOND);
	for (unsigned i = 1; i < N_PORTS; i++) {
		learn(&b, i, i);
		learn(&b, 100 + i, i);
	}
	for (uint32_t i = 0; i < 10000; i++)
		learn(&b, 0x10000 + i, 0);
	for (unsigned i = 1; i < N_PORTS; i++) {
		assert_ptr_equal(find(&b, i), &b.port[i]);
		assert_ptr_equal(find(&b, 100 + i), &b.port[i]);
	}
	assert_int_equal(b.port[0].n_macs, MAX - 2 * (N_PORTS - 1));
	/* A newcomer gets in, at the flooder's expense. */
	learn(&b, 999, 5);
	assert_ptr_equal(find(&b, 999), &b.port[5]);
	assert_int_equal(b.port[0].n_macs, MAX - 2 * (N_PORTS - 1) - 1);
	bench_deinit(&b);
}

static void test_move_and_back(void **state)
{
	struct port *from = NULL;
	struct bench b;

	(void)state;
	bench_init(&b, MAX, 300 * SECOND);
	assert_int_equal(learn(&b, 1, 0), FDB_ADDED);
	assert_int_equal(learn(&b, 1, 1), FDB_MOVED);
	assert_ptr_equal(find(&b, 1), &b.port[1]);
	assert_int_equal(b.port[0].n_macs, 0);
	assert_int_equal(b.port[1].n_macs, 1);
	assert_int_equal(fdb_learn(&b.t, fake_mac(1), &b.port[0], b.now_ns,
				   &from),
			 FDB_MOVED_BACK);
	assert_ptr_equal(from, &b.port[1]);
	assert_int_equal(learn(&b, 1, 2), FDB_MOVED);
	advance(&b, FDB_BACK_NS + SECOND);
	assert_int_equal(learn(&b, 1, 0), FDB_MOVED); /* long ago: a move */
	bench_deinit(&b);
}

static void count_entry(void *arg, mac m, struct port *p, uint64_t seen_ns)
{
	uint64_t *last = arg;

	(void)m;
	assert_non_null(p);
	assert_true(seen_ns >= *last);
	*last = seen_ns + 1;
}

static void test_each_is_in_order_of_age(void **state)
{
	uint64_t last = 0;
	struct bench b;

	(void)state;
	bench_init(&b, MAX, 300 * SECOND);
	for (uint32_t i = 0; i < 40; i++) {
		learn(&b, i, i % N_PORTS);
		advance(&b, SECOND);
	}
	learn(&b, 0, 0);
	fdb_each(&b.t, count_entry, &last);
	assert_int_equal(last, b.now_ns + 1);
	bench_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_against_model),
		cmocka_unit_test(test_refresh_once_a_second),
		cmocka_unit_test(test_flood_of_one_port_spares_others),
		cmocka_unit_test(test_move_and_back),
		cmocka_unit_test(test_each_is_in_order_of_age),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
