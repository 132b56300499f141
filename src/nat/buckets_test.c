/* SPDX-License-Identifier: BSD-3-Clause */
/* The directory of flows: its hash, and workers that claim and free at once. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat/buckets.h"
#include "nat/fake_guest.h"

enum {
	WORKERS = 4,
	FLOWS = 200000, /* tried by each thread */
	FEW = 61,       /* buckets they fight for */
	HELD = 40,      /* flows a thread has at a time */
};

static struct buckets *new_buckets(void)
{
	struct buckets *b = NULL;

	assert_int_equal(buckets_new(&b), 0);
	return b;
}

static struct endpoint some_ep(unsigned i)
{
	return fake_ep(10, 0, (uint8_t)(i >> 8), (uint8_t)i,
		       (uint16_t)(i * 31));
}

static void both_directions_are_one_flow(void **state)
{
	struct buckets *b = new_buckets(), *c = new_buckets();
	unsigned same_proto = 0, same_key = 0, same_port = 0;

	for (unsigned i = 0; i < 1000; i++) {
		struct endpoint x = some_ep(i), y = some_ep(i * 7 + 1);
		struct endpoint z = y;
		uint32_t n = buckets_of(b, 6, &x, &y);

		z.port++;
		assert_true(n < BUCKETS_N);
		assert_int_equal(buckets_of(b, 6, &y, &x), n);
		same_proto += buckets_of(b, 17, &x, &y) == n;
		same_key += buckets_of(c, 6, &x, &y) == n;
		same_port += buckets_of(b, 6, &x, &z) == n;
	}
	/* 1 in BUCKETS_N each, by chance. */
	assert_true(same_proto < 10 && same_key < 10 && same_port < 10);
	buckets_free(b);
	assert_null(buckets_free(c));
}

/* No bucket gets much more than its part. */
static void flows_are_spread(void **state)
{
	static unsigned n[BUCKETS_N];
	struct buckets *b = new_buckets();
	struct endpoint server = some_ep(1);

	for (unsigned i = 0; i < BUCKETS_N; i++) {
		struct endpoint x = fake_ep(10, 0, 2, (uint8_t)(i >> 16),
					    (uint16_t)i);

		server.port = 443;
		n[buckets_of(b, 6, &x, &server)]++;
	}
	for (unsigned i = 0; i < BUCKETS_N; i++)
		assert_true(n[i] < 17); /* chance: less than 1 in 10^9 */
	buckets_free(b);
}

static void fragments_of_one_datagram_are_together(void **state)
{
	struct buckets *b = new_buckets();
	addr x = addr_v4(10, 0, 2, 15), y = addr_v4(192, 0, 2, 1);
	addr x6 = {{0xfd, 1}}, y6 = {{0xfd, 2}};
	uint32_t n = buckets_fragment(b, 17, &x, &y, 77);
	uint32_t n6 = buckets_fragment(b, 17, &x6, &y6, 77);

	assert_int_equal(buckets_fragment(b, 17, &x, &y, 77), n);
	assert_int_not_equal(buckets_fragment(b, 17, &x, &y, 78), n);
	assert_int_not_equal(buckets_fragment(b, 6, &x, &y, 77), n);
	assert_int_not_equal(buckets_fragment(b, 17, &y, &x, 77), n);
	/* IPv6: by addresses and number alone. */
	assert_int_equal(buckets_fragment(b, 6, &x6, &y6, 77), n6);
	assert_int_not_equal(buckets_fragment(b, 17, &x6, &y6, 78), n6);
	buckets_free(b);
}

static void the_last_flow_frees(void **state)
{
	struct buckets *b = new_buckets();
	struct bucket_holds h[2];
	unsigned w = 99;

	assert_int_equal(bucket_holds_init(&h[0], b, 0), 0);
	assert_int_equal(bucket_holds_init(&h[1], b, BUCKETS_WORKERS - 1), 0);
	assert_false(buckets_owner(b, 5, &w));
	assert_int_equal(w, 99);
	assert_true(bucket_hold(&h[1], 5, &w));
	assert_true(bucket_hold(&h[1], 5, &w));
	assert_false(bucket_hold(&h[0], 5, &w));
	assert_int_equal(w, BUCKETS_WORKERS - 1);
	assert_true(bucket_hold(&h[0], 6, &w));
	bucket_release(&h[1], 5);
	assert_false(bucket_hold(&h[0], 5, &w));
	bucket_release(&h[1], 5);
	assert_false(buckets_owner(b, 5, &w));
	assert_true(bucket_hold(&h[0], 5, &w));
	assert_true(buckets_owner(b, 5, &w));
	assert_int_equal(w, 0);
	bucket_holds_deinit(&h[0]); /* with flows: as if they had ended */
	assert_false(buckets_owner(b, 5, &w));
	assert_false(buckets_owner(b, 6, &w));
	bucket_holds_deinit(&h[0]);
	bucket_holds_deinit(&h[1]);
	buckets_free(b);
}

/* What workers do to a bucket's flows, without a lock: the bucket is it. */
struct flows {
	unsigned worker, n;
};

struct thread {
	pthread_t t;
	struct bucket_holds h;
	struct flows *flows; /* FEW, all threads' */
	uint32_t held[HELD];
	unsigned n_held;
	uint64_t n_claims, n_refusals, n_bad;
};

static void begin(struct thread *t, uint32_t bucket)
{
	struct flows *f = &t->flows[bucket];
	unsigned owner = t->h.me;

	if (!bucket_hold(&t->h, bucket, &owner)) {
		t->n_refusals++;
		t->n_bad += owner == t->h.me || owner >= WORKERS;
		return;
	}
	/* Nobody else has a flow here, nor had when it became ours. */
	t->n_bad += f->n ? f->worker != t->h.me : 0;
	t->n_claims += f->n == 0;
	f->worker = t->h.me;
	f->n++;
	t->held[t->n_held++] = bucket;
}

static void end(struct thread *t, unsigned i)
{
	uint32_t bucket = t->held[i];
	struct flows *f = &t->flows[bucket];

	t->held[i] = t->held[--t->n_held];
	t->n_bad += f->worker != t->h.me || f->n == 0;
	f->n--;
	bucket_release(&t->h, bucket);
}

static void *run(void *arg)
{
	struct thread *t = arg;
	uint32_t s = t->h.me;

	for (unsigned i = 0; i < FLOWS; i++) {
		s = s * 1664525 + 1013904223;
		if (t->n_held == HELD || (t->n_held && s & 1 << 20))
			end(t, (s >> 8) % t->n_held);
		else
			begin(t, (s >> 8) % FEW);
	}
	while (t->n_held)
		end(t, 0);
	return NULL;
}

static void a_bucket_is_one_workers(void **state)
{
	struct buckets *b = new_buckets();
	struct flows flows[FEW] = {{0}};
	static struct thread t[WORKERS];
	unsigned w;

	for (unsigned i = 0; i < WORKERS; i++) {
		t[i] = (struct thread){.flows = flows};
		assert_int_equal(bucket_holds_init(&t[i].h, b, i), 0);
	}
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_create(&t[i].t, NULL, run, &t[i]), 0);
	for (unsigned i = 0; i < WORKERS; i++)
		assert_int_equal(pthread_join(t[i].t, NULL), 0);
	for (unsigned i = 0; i < WORKERS; i++) {
		assert_int_equal(t[i].n_bad, 0);
		assert_true(t[i].n_claims > 0);
		bucket_holds_deinit(&t[i].h);
	}
	for (uint32_t i = 0; i < BUCKETS_N; i++)
		assert_false(buckets_owner(b, i, &w));
	buckets_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_directions_are_one_flow),
		cmocka_unit_test(flows_are_spread),
		cmocka_unit_test(fragments_of_one_datagram_are_together),
		cmocka_unit_test(the_last_flow_frees),
		cmocka_unit_test(a_bucket_is_one_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
