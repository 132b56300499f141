/* SPDX-License-Identifier: BSD-3-Clause */
/* A spoilt cable by a virtual clock: shares, delays, rates, order, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "base/rng.h"
#include "lan/cable.h"
#include "lan/frame.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)
#define S  UINT64_C(1000000000)

enum {
	N = 100000,   /* frames of a long test */
	LEN = 200,
	SEQ_AT = 20,
	TIME_AT = 24, /* 8 bytes: when it was sent */
};

/* A frame that came through. */
struct arrival {
	uint64_t at_ns, sent_ns;
	uint32_t seq, len;
	bool is_whole; /* no bit differs */
};

struct bench {
	struct timer_wheel wheel;
	uint64_t now_ns;
	struct drops drops;
	uint64_t n_lost;
	struct cable *c;
	uint32_t seq; /* of the next frame */
	struct arrival *in;
	unsigned n_in, cap_in;
	uint64_t room; /* frames that out() takes */
	unsigned n_last; /* calls without keeps */
	bool clears; /* out() has it cleared */
};

static void fill(uint8_t *buf, uint32_t len, uint32_t seq, uint64_t now_ns)
{
	struct rng r;

	rng_seed(&r, seq, now_ns);
	for (uint32_t i = 0; i < len; i++)
		buf[i] = (uint8_t)rng_u32(&r);
	buf[12] = 0x88;
	buf[13] = 0xb5;
	put_be32(buf + SEQ_AT, seq);
	put_be32(buf + TIME_AT, (uint32_t)(now_ns >> 32));
	put_be32(buf + TIME_AT + 4, (uint32_t)now_ns);
}

static void arrive(struct bench *t, const struct frame *f)
{
	static uint8_t got[FRAME_MAX], want[FRAME_MAX];
	struct arrival *a;

	if (t->n_in == t->cap_in) {
		t->cap_in = t->cap_in ? t->cap_in * 2 : 1024;
		t->in = realloc(t->in, t->cap_in * sizeof(*t->in));
		assert_non_null(t->in);
	}
	assert_true(frame_copy(f, 0, f->len, got));
	assert_true(f->hdr_len >= FRAME_HDR_MAX || f->hdr_len == f->len);
	a = &t->in[t->n_in++];
	a->at_ns = t->now_ns;
	a->seq = get_be32(got + SEQ_AT);
	a->sent_ns = (uint64_t)get_be32(got + TIME_AT) << 32 |
		     get_be32(got + TIME_AT + 4);
	a->len = f->len;
	fill(want, f->len, a->seq, a->sent_ns);
	a->is_whole = memcmp(got, want, f->len) == 0;
}

static uint64_t out(void *arg, const struct batch *b, bool keeps)
{
	struct bench *t = arg;
	uint64_t back = 0;

	assert_in_range(b->n, 1, FRAME_BATCH);
	for (unsigned i = 0; i < b->n; i++) {
		if (t->room == 0) {
			back |= UINT64_C(1) << i;
			continue;
		}
		t->room--;
		arrive(t, &b->f[i]);
	}
	t->n_last += !keeps;
	if (t->clears)
		cable_clear(t->c, DROP_LINK_DOWN);
	return back;
}

/* Of the bench below; 0: nothing is known beside now_ns. */
static uint64_t real_ns;

static uint64_t read_ns(void)
{
	return real_ns;
}

static int setup(void **state)
{
	struct bench *t = calloc(1, sizeof(*t));
	struct cable_config c;

	assert_non_null(t);
	real_ns = 0;
	t->now_ns = 5 * S;
	t->room = UINT64_MAX;
	timer_wheel_init(&t->wheel, t->now_ns);
	c = (struct cable_config){.wheel = &t->wheel,
				  .now_ns = &t->now_ns,
				  .read_ns = read_ns,
				  .drops = &t->drops,
				  .n_lost = &t->n_lost,
				  .out = out,
				  .arg = t,
				  .stream = 1,
				  .stall_ns = 20 * MS};
	assert_int_equal(cable_new(&c, &t->c), 0);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct bench *t = *state;

	cable_free(t->c);
	assert_int_equal(t->wheel.n_armed, 0);
	free(t->in);
	free(t);
	return 0;
}

static void set(struct bench *t, const struct impair *i)
{
	assert_int_equal(cable_set(t->c, i, 42, false), 0);
}

static void advance(struct bench *t, uint64_t ns)
{
	uint64_t until = t->now_ns + ns;

	/* As a loop would: awake when a timer is due. */
	while (t->now_ns < until) {
		uint64_t next = timer_wheel_next(&t->wheel);

		t->now_ns = next < until ? next : until;
		timer_wheel_run(&t->wheel, t->now_ns);
	}
}

static void send_len(struct bench *t, uint32_t len)
{
	static uint8_t buf[FRAME_MAX];
	struct batch b = {.n = 1};

	fill(buf, len, t->seq++, t->now_ns);
	b.f[0] = frame_flat(buf, len);
	cable_put(t->c, &b, 1);
}

/* n frames, one each gap. */
static void send_n(struct bench *t, unsigned n, uint64_t gap_ns)
{
	while (n-- > 0) {
		send_len(t, LEN);
		advance(t, gap_ns);
	}
}

static void check_near(double got, double want, double share)
{
	assert_true(got > want * (1 - share) && got < want * (1 + share));
}

static void check_order(const struct bench *t)
{
	for (unsigned i = 1; i < t->n_in; i++)
		assert_true(t->in[i].seq >= t->in[i - 1].seq);
}

/* ---- chance ---- */

static void test_loss(void **state)
{
	struct bench *t = *state;

	set(t, &(struct impair){.loss = IMPAIR_ALL / 10});
	send_n(t, N, 10 * US);
	check_near(t->n_lost, N / 10, 0.02);
	assert_int_equal(t->n_in + t->n_lost, N);
	assert_int_equal(drop_count(&t->drops, DROP_LINK_LOSS), t->n_lost);
	check_order(t);
	for (unsigned i = 0; i < t->n_in; i++)
		assert_true(t->in[i].at_ns == t->in[i].sent_ns);
}

static void test_all_and_nothing(void **state)
{
	struct bench *t = *state;

	send_n(t, 100, US); /* nothing set */
	assert_int_equal(t->n_in, 100);
	set(t, &(struct impair){.loss = IMPAIR_ALL});
	send_n(t, 100, US);
	assert_int_equal(t->n_in, 100);
	assert_int_equal(t->n_lost, 100);
}

/* The seqs of those that got through with this seed. */
static unsigned survivors(struct bench *t, uint64_t seed, uint32_t *seqs,
			  uint64_t gap_ns)
{
	const struct impair i = {.loss = IMPAIR_ALL / 4,
				 .delay_ns = gap_ns * 3};
	unsigned n;

	assert_int_equal(cable_set(t->c, &i, seed, true), 0);
	t->seq = t->n_in = 0;
	send_n(t, 2000, gap_ns);
	advance(t, S);
	n = t->n_in;
	for (unsigned k = 0; k < n; k++)
		seqs[k] = t->in[k].seq;
	return n;
}

/* Also when they come at another pace. */
static void test_same_seed_same_losses(void **state)
{
	static uint32_t a[2000], b[2000];
	struct bench *t = *state;
	unsigned n = survivors(t, 7, a, US);

	assert_in_range(n, 1, 1999);
	assert_int_equal(survivors(t, 7, b, 700 * US), n);
	assert_memory_equal(a, b, n * sizeof(a[0]));
	assert_true(survivors(t, 8, b, US) != n ||
		    memcmp(a, b, n * sizeof(a[0])) != 0);
}

/* One direction tells nothing of the other. */
static void test_streams_differ(void **state)
{
	static uint32_t a[2000], b[2000];
	struct bench *t = *state;
	struct cable_config c = {.wheel = &t->wheel,
				 .now_ns = &t->now_ns,
				 .drops = &t->drops,
				 .n_lost = &t->n_lost,
				 .out = out,
				 .arg = t,
				 .stream = 0};
	unsigned n = survivors(t, 7, a, US);

	cable_free(t->c);
	assert_int_equal(cable_new(&c, &t->c), 0);
	assert_true(survivors(t, 7, b, US) != n ||
		    memcmp(a, b, n * sizeof(a[0])) != 0);
}

static void test_corrupt(void **state)
{
	struct bench *t = *state;
	unsigned n = 0;

	set(t, &(struct impair){.corrupt = IMPAIR_ALL / 20});
	send_n(t, N, 10 * US);
	assert_int_equal(t->n_in, N);
	for (unsigned i = 0; i < t->n_in; i++)
		n += !t->in[i].is_whole;
	check_near(n, N / 20, 0.05);
}

static void test_duplicate(void **state)
{
	struct bench *t = *state;
	unsigned n = 0;

	set(t, &(struct impair){.duplicate = IMPAIR_ALL / 20,
				.corrupt = IMPAIR_ALL / 2,
				.delay_ns = MS});
	send_n(t, N, 10 * US);
	advance(t, 10 * MS);
	for (unsigned i = 1; i < t->n_in; i++) {
		if (t->in[i].seq == t->in[i - 1].seq &&
		    t->in[i].sent_ns == t->in[i - 1].sent_ns)
			n++;
	}
	assert_int_equal(t->n_in, N + n);
	check_near(n, N / 20, 0.05);
}

/* ---- delay ---- */

static void test_delay(void **state)
{
	struct bench *t = *state;
	uint64_t sum = 0;

	set(t, &(struct impair){.delay_ns = 50 * MS});
	send_n(t, N, 37 * US);
	advance(t, 60 * MS);
	assert_int_equal(t->n_in, N);
	check_order(t);
	for (unsigned i = 0; i < N; i++) {
		uint64_t took = t->in[i].at_ns - t->in[i].sent_ns;

		assert_in_range(took, 49 * MS, 51 * MS);
		assert_true(t->in[i].is_whole);
		sum += took;
	}
	assert_in_range(sum / N, 50 * MS - 200 * US, 50 * MS + 200 * US);
}

/* The worker's clock was read long before the frames were sent; the queue's
 * times are of the same clock. */
static void test_delay_of_a_busy_host(void **state)
{
	struct bench *t = *state;

	set(t, &(struct impair){.delay_ns = 20 * MS});
	for (unsigned i = 0; i < 2; i++) {
		uint64_t sent_ns = t->now_ns + 7 * MS;

		t->n_in = 0;
		real_ns = sent_ns;
		send_len(t, LEN);
		send_len(t, LEN);
		advance(t, 40 * MS);
		assert_int_equal(t->n_in, 2);
		assert_in_range(t->in[0].at_ns - sent_ns, 19 * MS, 21 * MS);
		assert_int_equal(t->n_lost, 0);
		set(t, &(struct impair){.delay_ns = 20 * MS, .rate = 1000000});
	}
}

/* Far apart each has its own; close together none overtakes another. */
static void test_jitter(void **state)
{
	const struct impair i = {.delay_ns = 20 * MS, .jitter_ns = 10 * MS};
	struct bench *t = *state;
	uint64_t sum = 0, least = UINT64_MAX, most = 0;

	set(t, &i);
	send_n(t, 4000, 25 * MS);
	assert_in_range(t->n_in, 3999, 4000); /* the last is under way */
	for (unsigned k = 0; k < t->n_in; k++) {
		uint64_t took = t->in[k].at_ns - t->in[k].sent_ns;

		least = took < least ? took : least;
		most = took > most ? took : most;
		sum += took;
	}
	assert_in_range(sum / t->n_in, 19500 * US, 20500 * US);
	assert_in_range(least, 9 * MS, 11 * MS);
	assert_in_range(most, 29 * MS, 31 * MS);
	advance(t, S);
	send_n(t, 20000, 50 * US);
	advance(t, S);
	assert_int_equal(t->n_in, 24000);
	check_order(t);
}

static void test_reorder(void **state)
{
	struct bench *t = *state;
	unsigned n = 0;

	set(t, &(struct impair){.delay_ns = 10 * MS,
				.reorder = IMPAIR_ALL / 4});
	send_n(t, N, 30 * US);
	advance(t, 20 * MS);
	assert_int_equal(t->n_in, N);
	for (unsigned i = 0; i < N; i++) {
		uint64_t took = t->in[i].at_ns - t->in[i].sent_ns;

		if (took < MS)
			n++;
		else
			assert_in_range(took, 9 * MS, 11 * MS);
	}
	check_near(n, N / 4, 0.02);
}

/* A shorter delay does not have those overtaken that are under way. */
static void test_change_keeps_order(void **state)
{
	struct bench *t = *state;

	set(t, &(struct impair){.delay_ns = 100 * MS});
	send_n(t, 100, MS);
	set(t, &(struct impair){.delay_ns = MS});
	send_n(t, 100, MS);
	set(t, &(struct impair){.rate = 8000000, .delay_ns = MS});
	send_n(t, 100, MS);
	set(t, &(struct impair){.loss = 1});
	send_n(t, 100, MS);
	advance(t, S);
	assert_int_equal(t->n_in, 400);
	check_order(t);
}

/* ---- rate ---- */

/* Bits per second between the first and the last of those that arrived. */
static double rate_of(const struct bench *t, unsigned from)
{
	uint64_t bits = 0;

	for (unsigned i = from + 1; i < t->n_in; i++)
		bits += t->in[i].len * UINT64_C(8);
	return (double)bits * 1e9 /
	       (double)(t->in[t->n_in - 1].at_ns - t->in[from].at_ns);
}

static void check_rate(struct bench *t, uint64_t rate, uint32_t len)
{
	uint64_t took_ns, gap_ns = len * 8 * S / rate * 9 / 10;
	unsigned n = 0;

	t->n_in = 0;
	set(t, &(struct impair){.rate = rate});
	while (t->n_in < N / 4) {
		send_len(t, len);
		advance(t, gap_ns);
		assert_true(n++ < N);
	}
	/* The first and the last came by a tick, which is not for long. */
	took_ns = t->in[t->n_in - 1].at_ns - t->in[t->n_in / 4].at_ns;
	check_near(rate_of(t, t->n_in / 4), (double)rate,
		   0.0001 + 1.0 * MS / (double)took_ns);
	cable_clear(t->c, DROP_LINK_DOWN);
}

static void test_rate(void **state)
{
	struct bench *t = *state;

	check_rate(t, 1000000, 1514);
	check_rate(t, 10000000, 200);
	check_rate(t, 333333333, 1514);
	check_rate(t, UINT64_C(10000000000), 1514);
}

/* After a pause so many bytes pass at once, and a frame. */
static void test_burst(void **state)
{
	struct bench *t = *state;
	unsigned n = 0;

	set(t, &(struct impair){.rate = 1000000, .burst = 10 * LEN});
	for (int i = 0; i < 50; i++)
		send_len(t, LEN);
	while (n < t->n_in && t->in[n].at_ns == t->now_ns)
		n++;
	assert_in_range(n, 10, 12);
	advance(t, S);
	assert_int_equal(t->n_in, 50);
}

/* The rate first, then the way. */
static void test_rate_and_delay(void **state)
{
	struct bench *t = *state;

	/* A frame takes 8 ms */
	set(t, &(struct impair){.rate = 200000, .burst = 1,
				.delay_ns = 30 * MS});
	for (int i = 0; i < 5; i++)
		send_len(t, LEN);
	advance(t, S);
	assert_int_equal(t->n_in, 5);
	for (unsigned i = 0; i < 5; i++)
		assert_in_range(t->in[i].at_ns - t->in[i].sent_ns,
				30 * MS + i * 8 * MS - MS,
				30 * MS + i * 8 * MS + MS);
}

/* What a slow one was still owed is not waited for by a fast one. */
static void test_rate_changes(void **state)
{
	struct bench *t = *state;

	/* 12 s for one frame */
	set(t, &(struct impair){.rate = 1000, .burst = 1});
	send_len(t, 1514);
	assert_int_equal(t->n_in, 1);
	set(t, &(struct impair){.rate = 1000000000, .burst = 1});
	send_len(t, 1514);
	advance(t, 10 * MS);
	assert_int_equal(t->n_in, 2);
	/* nor after a while without one */
	set(t, &(struct impair){.rate = 1000, .burst = 1});
	send_len(t, 1514);
	assert_int_equal(t->n_in, 3);
	set(t, &(struct impair){.delay_ns = MS});
	set(t, &(struct impair){.rate = 1000000000, .burst = 1});
	send_len(t, 1514);
	advance(t, 10 * MS);
	assert_int_equal(t->n_in, 4);
	/* but by a slower one for longer */
	set(t, &(struct impair){.rate = 100000000, .burst = 1});
	send_len(t, 1250); /* 0.1 ms */
	set(t, &(struct impair){.rate = 10000, .burst = 1});
	send_len(t, 1250);
	advance(t, 900 * MS);
	assert_int_equal(t->n_in, 5);
	advance(t, 200 * MS);
	assert_int_equal(t->n_in, 6);
}

/* ---- bounds ---- */

static void test_memory_is_bounded(void **state)
{
	struct bench *t = *state;
	unsigned n;

	set(t, &(struct impair){.delay_ns = 10 * S});
	for (n = 0; t->n_lost == 0 && n < 1000000; n++)
		send_len(t, 1514);
	assert_in_range(n, 8000, 100000);
	assert_int_equal(cable_count(t->c), n - 1);
	send_len(t, 60); /* has a place of its own */
	assert_int_equal(t->n_lost, 1);
	for (n = 0; t->n_lost == 1 && n < 1000000; n++)
		send_len(t, 60);
	assert_int_equal(drop_count(&t->drops, DROP_LINK_QUEUE), 2);
	n = cable_count(t->c);
	advance(t, 11 * S);
	assert_int_equal(t->n_in, n);
	assert_int_equal(cable_count(t->c), 0);
}

/* Who is slow is not filled with what nobody can wait for. */
static void test_queue_is_bounded(void **state)
{
	struct bench *t = *state;

	set(t, &(struct impair){.rate = 1000000});
	for (int i = 0; i < 5000; i++)
		send_len(t, 1514);
	assert_true(drop_count(&t->drops, DROP_LINK_QUEUE) > 4000);
	assert_int_equal(t->n_in + t->n_lost + cable_count(t->c), 5000);
	advance(t, 5 * S);
	assert_int_equal(t->n_in + t->n_lost, 5000);
}

static void test_clear(void **state)
{
	struct bench *t = *state;

	set(t, &(struct impair){.delay_ns = S, .rate = 1000000});
	for (int i = 0; i < 50; i++)
		send_len(t, 1000);
	assert_int_equal(cable_count(t->c), 50);
	cable_clear(t->c, DROP_LINK_DOWN);
	assert_int_equal(cable_count(t->c), 0);
	assert_int_equal(drop_count(&t->drops, DROP_LINK_DOWN), 50);
	assert_int_equal(t->wheel.n_armed, 0);
	/* and while frames leave */
	set(t, &(struct impair){.delay_ns = MS});
	for (int i = 0; i < 200; i++)
		send_len(t, 1000);
	t->clears = true;
	advance(t, 10 * MS);
	assert_int_equal(t->n_in, 64);
	assert_int_equal(cable_count(t->c), 0);
}

static void test_flush(void **state)
{
	struct bench *t = *state;

	set(t, &(struct impair){.delay_ns = S, .rate = 1000000});
	for (int i = 0; i < 50; i++)
		send_len(t, 1000);
	cable_flush(t->c);
	assert_int_equal(t->n_in, 50);
	check_order(t);
	assert_int_equal(t->n_last, 1);
}

/* Nothing is lost by that for having waited, however long it has. */
static void test_flush_is_no_judge(void **state)
{
	struct bench *t = *state;

	for (unsigned i = 0; i < 40; i++) {
		uint64_t lost, left;

		set(t, &(struct impair){.rate = 1000000});
		for (int k = 0; k < 300; k++)
			send_len(t, 1000);
		advance(t, i * 13 * MS);
		lost = drop_count(&t->drops, DROP_LINK_CODEL);
		left = cable_count(t->c);
		assert_true(left > 0);
		t->n_in = 0;
		if (i % 2)
			cable_flush(t->c);
		else
			set(t, &(struct impair){.delay_ns = 1});
		advance(t, 5 * MS);
		assert_int_equal(t->n_in, left);
		assert_int_equal(drop_count(&t->drops, DROP_LINK_CODEL), lost);
	}
}

/* Long frames, in many pieces, more than fit one batch. */
static void test_long_frames(void **state)
{
	struct bench *t = *state;

	set(t, &(struct impair){.delay_ns = MS});
	for (int i = 0; i < 20; i++)
		send_len(t, FRAME_MAX - (uint32_t)i * 1000);
	advance(t, 5 * MS);
	assert_int_equal(t->n_in, 20);
	for (unsigned i = 0; i < 20; i++)
		assert_true(t->in[i].is_whole);
}

/* ---- room ---- */

static void test_waits_for_room(void **state)
{
	struct bench *t = *state;

	set(t, &(struct impair){.delay_ns = 5 * MS});
	t->room = 3;
	for (int i = 0; i < 100; i++)
		send_len(t, LEN);
	advance(t, 10 * MS);
	assert_int_equal(t->n_in, 3);
	t->room = 80;
	cable_room(t->c);
	assert_int_equal(t->n_in, 83);
	t->room = UINT64_MAX;
	cable_room(t->c);
	assert_int_equal(t->n_in, 100);
	check_order(t);
	assert_int_equal(t->n_lost, 0);
}

/* Who never has room is waited for once, and not again before a second. */
static void test_stalls(void **state)
{
	struct bench *t = *state;

	set(t, &(struct impair){.delay_ns = 5 * MS});
	t->room = 0;
	for (int i = 0; i < 100; i++)
		send_len(t, LEN);
	advance(t, 20 * MS);
	assert_int_equal(cable_count(t->c), 100);
	advance(t, 20 * MS);
	assert_int_equal(cable_count(t->c), 0);
	assert_int_equal(drop_count(&t->drops, DROP_PORT_STALLED), 64);
	assert_int_equal(t->n_last, 1); /* the rest, which out() counts */
	send_n(t, 10, MS);
	advance(t, 10 * MS);
	assert_int_equal(cable_count(t->c), 0);
	advance(t, S);
	send_n(t, 10, MS);
	assert_true(cable_count(t->c) > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_loss),
		TEST(test_all_and_nothing),
		TEST(test_same_seed_same_losses),
		TEST(test_streams_differ),
		TEST(test_corrupt),
		TEST(test_duplicate),
		TEST(test_delay),
		TEST(test_delay_of_a_busy_host),
		TEST(test_jitter),
		TEST(test_reorder),
		TEST(test_change_keeps_order),
		TEST(test_rate),
		TEST(test_burst),
		TEST(test_rate_and_delay),
		TEST(test_rate_changes),
		TEST(test_memory_is_bounded),
		TEST(test_queue_is_bounded),
		TEST(test_clear),
		TEST(test_flush),
		TEST(test_flush_is_no_judge),
		TEST(test_long_frames),
		TEST(test_waits_for_room),
		TEST(test_stalls),
	};

	return cmocka_run_group_tests_name("lan/cable", tests, NULL, NULL);
}
