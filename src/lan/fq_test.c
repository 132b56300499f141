/* SPDX-License-Identifier: BSD-3-Clause */
/* FlowQueue-CoDel: turns, short queues, marks instead of losses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "base/list.h"
#include "lan/fq.h"
#include "wire/csum.h"

#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

enum {
	RATE = 10000000,
	LEN = 1514,
	FRAME_NS = 1211200, /* what one takes at RATE */
	ECT0 = 2,
	CE = 3,
};

struct bench {
	struct parcel_store store;
	struct fq *q;
	uint64_t now_ns;
	unsigned n_lost[DROP_N];
};

static void lost(void *arg, struct parcel *p, enum drop_reason why)
{
	struct bench *t = arg;

	t->n_lost[why]++;
	assert_true(list_empty(&p->link));
	parcel_free(&t->store, p);
}

static int setup(void **state)
{
	struct bench *t = calloc(1, sizeof(*t));
	struct fq_config c = {.lost = lost, .arg = t};

	assert_non_null(t);
	t->now_ns = S;
	assert_int_equal(parcel_store_init(&t->store), 0);
	assert_int_equal(fq_new(&c, &t->q), 0);
	fq_rate(t->q, RATE);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct bench *t = *state;

	fq_clear(t->q, DROP_LINK_DOWN);
	fq_free(t->q);
	parcel_store_deinit(&t->store);
	free(t);
	return 0;
}

static void put(struct bench *t, uint32_t flow, uint32_t len, uint8_t ecn)
{
	static uint8_t buf[LEN];
	struct frame f = frame_flat(buf, len);
	struct parcel *p;

	memset(buf, 0, sizeof(buf));
	buf[12] = 0x08;
	buf[14] = 0x45;
	buf[15] = ecn;
	put_be16(buf + 16, len - 14);
	buf[22] = 64;
	buf[23] = 253; /* for experiments (RFC 3692) */
	put_be16(buf + 24, csum_fold(csum_add(buf + 14, 20, 0)));
	p = parcel_new(&t->store, &f);
	assert_non_null(p);
	p->flow = flow;
	p->since_ns = t->now_ns;
	fq_put(t->q, p);
}

/* Takes the next; its flow, or 0. */
static uint32_t take(struct bench *t, uint64_t *waitedp)
{
	struct parcel *p = fq_take(t->q, t->now_ns);
	uint32_t flow;

	if (!p)
		return 0;
	flow = p->flow;
	if (waitedp)
		*waitedp = t->now_ns - p->since_ns;
	parcel_free(&t->store, p);
	return flow;
}

static void test_order_of_a_flow(void **state)
{
	struct bench *t = *state;

	for (uint32_t i = 0; i < 20; i++) {
		t->now_ns++;
		put(t, 5, LEN, 0);
	}
	for (uint64_t i = 0, waited; i < 20; i++) {
		assert_int_equal(take(t, &waited), 5);
		assert_int_equal(waited, 19 - i);
	}
	assert_int_equal(take(t, NULL), 0);
	assert_true(fq_is_empty(t->q));
}

/* Of two flows each has half of the bytes, whatever is in their queues. */
static void test_two_flows(void **state)
{
	uint64_t bytes[3] = {0};
	struct bench *t = *state;
	uint32_t flow;

	for (int i = 0; i < 60; i++)
		put(t, 1, LEN, 0);
	for (int i = 0; i < 100; i++)
		put(t, 2, 300, 0);
	for (int i = 0; i < 60; i++) {
		flow = take(t, NULL);
		bytes[flow] += flow == 1 ? LEN : 300;
	}
	assert_in_range(bytes[1], bytes[2] - LEN - 300, bytes[2] + LEN + 300);
}

/* Who sends little does not wait for who sends much. */
static void test_sparse_first(void **state)
{
	struct bench *t = *state;

	for (int i = 0; i < 60; i++)
		put(t, 1, LEN, 0);
	for (int i = 0; i < 5; i++)
		(void)take(t, NULL);
	put(t, 2, 100, 0);
	assert_int_equal(take(t, NULL), 2);
}

struct flood {
	unsigned n_taken, n_marked;
	double waited_ms; /* on the average, of the second half */
};

/* A sender that slows down when it is told (AIMD over a round trip of 20 ms),
 * for ten seconds. */
static struct flood flood(struct bench *t, uint8_t ecn)
{
	uint64_t end = t->now_ns + 10 * S, next_rtt = t->now_ns;
	double window = 10, credit = 0;
	struct flood r = {0};
	unsigned told = 0, n_late = 0;

	while (t->now_ns < end) {
		struct parcel *p;
		unsigned losses = t->n_lost[DROP_LINK_CODEL] +
				  t->n_lost[DROP_LINK_QUEUE] + r.n_marked;

		if (t->now_ns >= next_rtt) {
			window = losses > told ? window / 2 : window + 1;
			window = window < 2 ? 2 : window;
			told = losses;
			next_rtt += 20 * MS;
		}
		credit += window * FRAME_NS / (20 * MS);
		for (; credit >= 1; credit--)
			put(t, 7, LEN, ecn);
		t->now_ns += FRAME_NS;
		p = fq_take(t->q, t->now_ns);
		if (!p)
			continue;
		r.n_taken++;
		r.n_marked += (p->data[15] & CE) == CE;
		assert_int_equal(csum_fold(csum_add(p->data + 14, 20, 0)), 0);
		if (end - t->now_ns < 5 * S) {
			r.waited_ms += (double)(t->now_ns - p->since_ns) / 1e6;
			n_late++;
		}
		parcel_free(&t->store, p);
	}
	r.waited_ms /= n_late;
	return r;
}

/* The queue is near its target, and the line busy. */
static void test_keeps_it_short(void **state)
{
	struct bench *t = *state;
	struct flood r = flood(t, 0);

	assert_true(t->n_lost[DROP_LINK_CODEL] > 5);
	assert_true(r.waited_ms < 25);
	assert_true(r.n_taken > 10 * S / FRAME_NS * 8 / 10);
	assert_int_equal(r.n_marked, 0);
}

static void test_marks(void **state)
{
	struct bench *t = *state;
	struct flood r = flood(t, ECT0);

	assert_int_equal(t->n_lost[DROP_LINK_CODEL], 0);
	assert_true(r.n_marked > 5);
	assert_true(r.waited_ms < 25);
}

/* Below its target nothing is lost, however long that goes on. */
static void test_short_queue_is_let_be(void **state)
{
	struct bench *t = *state;

	for (int i = 0; i < 10000; i++) {
		put(t, 1, LEN, 0);
		t->now_ns += FRAME_NS;
		assert_int_equal(take(t, NULL), 1);
	}
	assert_int_equal(t->n_lost[DROP_LINK_CODEL], 0);
}

/* Too much costs who has most of it. */
static void test_bound(void **state)
{
	struct bench *t = *state;
	unsigned n = 0;

	for (int i = 0; i < 20; i++)
		put(t, 2, 300, 0);
	for (int i = 0; i < 2000; i++)
		put(t, 1, LEN, 0);
	assert_true(t->n_lost[DROP_LINK_QUEUE] > 1000);
	assert_true(fq_bytes(t->q) <= RATE / 8);
	for (int i = 0; i < 2000; i++)
		n += take(t, NULL) == 2;
	assert_int_equal(n, 20);
}

/* One that takes turns in vain comes to its turn again. */
static void test_empty_flow_again(void **state)
{
	struct bench *t = *state;

	for (uint32_t i = 1; i < 2000; i++)
		put(t, i, 100, 0);
	for (int i = 1; i < 2000; i++)
		assert_int_not_equal(take(t, NULL), 0);
	assert_int_equal(take(t, NULL), 0);
	put(t, 9, 100, 0);
	assert_int_equal(take(t, NULL), 9);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_order_of_a_flow),
		TEST(test_two_flows),
		TEST(test_sparse_first),
		TEST(test_keeps_it_short),
		TEST(test_marks),
		TEST(test_short_queue_is_let_be),
		TEST(test_bound),
		TEST(test_empty_flow_again),
	};

	return cmocka_run_group_tests_name("lan/fq", tests, NULL, NULL);
}
