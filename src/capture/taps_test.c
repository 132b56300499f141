/* SPDX-License-Identifier: BSD-3-Clause */
/* What a lan carries, and what a capture has of it. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "capture/taps.h"
#include "lan/fake_port.h"
#include "os/memfd.h"

enum { N = 3 };

struct rig {
	struct fake_lan b;
	struct taps *t;
	struct fake_port *p[N]; /* "p0" .. */
};

/* One capture, read. */
struct look {
	int fd, wake;
	struct ring_reader r;
	struct ring_record last;
	uint8_t data[FRAME_MAX]; /* of last */
};

static uint64_t wall_ns(void)
{
	return 77;
}

static bool is_cable(const struct port *p)
{
	return strcmp(p->name, "cable") == 0;
}

static void rig_init(struct rig *g)
{
	struct taps_worker worker;
	const struct taps_config c = {.workers = &worker, .n_workers = 1,
				      .wall_ns = wall_ns,
				      .is_cable = is_cable};

	fake_lan_init(&g->b, false);
	worker.wheel = &g->b.wheel;
	worker.now_ns = &g->b.now_ns;
	assert_int_equal(taps_new(&c, &g->t), 0);
	assert_int_equal(taps_lan_add(g->t, g->b.lan, 0), 0);
	for (unsigned i = 0; i < N; i++) {
		char name[8];

		snprintf(name, sizeof(name), "p%u", i);
		g->p[i] = fake_new(g->b.lan,
				   &(struct fake_config){.name = name});
	}
}

static void rig_deinit(struct rig *g)
{
	g->t = taps_free(g->t);
	assert_int_equal(g->p[0]->port.tap, 0);
	fake_lan_deinit(&g->b);
}

static int look_start(struct rig *g, struct look *l, uint32_t id,
		      const char *port)
{
	struct taps_capture c = {.id = id, .mode = RING_STREAM, .port = port,
				 .snap_len = FRAME_MAX, .size = RING_MIN};
	int fds[2], r;

	assert_int_equal(memfd_make("look", ring_len(RING_MIN), &l->fd), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0,
				    fds),
			 0);
	l->wake = fds[0];
	c.ring = l->fd;
	c.wake = fds[1];
	r = taps_start(g->t, &c);
	if (r < 0)
		close(c.wake);
	assert_int_equal(ring_reader_open(&l->r, l->fd, RING_STREAM), 0);
	return r;
}

static void look_close(struct look *l)
{
	ring_reader_close(&l->r);
	close(l->fd);
	close(l->wake);
}

/* The next record of that type; false: there is none any more. */
static bool next(struct look *l, enum ring_type type)
{
	const uint8_t *data;
	int r;

	while ((r = ring_reader_next(&l->r, &l->last, &data)) !=
	       RING_R_NONE) {
		assert_int_equal(r, RING_R_RECORD);
		memcpy(l->data, data, l->last.data_len);
		if (l->last.type == type)
			return true;
	}
	return false;
}

static void say(struct fake_port *f, mac dst, mac src, uint32_t len)
{
	uint8_t buf[2000];

	fake_frame_fill(buf, len, dst, src, 9);
	fake_rx(f, buf, len, NULL);
}

/* p0 and p1 know each other. */
static void meet(struct rig *g)
{
	say(g->p[0], fake_mac(1), fake_mac(0), 60);
	say(g->p[1], fake_mac(0), fake_mac(1), 60);
}

static int stop(struct rig *g, uint32_t id)
{
	struct ring_writer ended;
	int r = taps_stop(g->t, id, &ended);

	ring_writer_close(&ended);
	return r;
}

static void test_all_have_each_frame_once(void **state)
{
	struct look l;
	struct rig g;

	(void)state;
	rig_init(&g);
	meet(&g);
	assert_int_equal(look_start(&g, &l, 1, ""), 0);
	say(g.p[0], fake_mac(1), fake_mac(0), 60);
	say(g.p[1], fake_mac(0), fake_mac(1), 99);
	say(g.p[2], fake_mac(9), fake_mac(2), 61); /* to all */
	assert_true(next(&l, RING_FRAME));
	assert_string_equal(l.last.port, "p0");
	assert_int_equal(l.last.dir, RING_IN);
	assert_int_equal(l.last.when_ns, 77);
	assert_int_equal(l.last.lost, 0);
	assert_true(next(&l, RING_FRAME));
	assert_string_equal(l.last.port, "p1");
	assert_int_equal(l.last.frame_len, 99);
	assert_memory_equal(l.data, g.p[0]->out[g.p[0]->n_out - 2].data, 99);
	assert_true(next(&l, RING_FRAME));
	assert_string_equal(l.last.port, "p2");
	assert_false(next(&l, RING_FRAME));
	rig_deinit(&g);
	look_close(&l);
}

static void test_one_has_both_ways(void **state)
{
	struct look l;
	struct rig g;

	(void)state;
	rig_init(&g);
	meet(&g);
	assert_int_equal(look_start(&g, &l, 1, "p1"), 0);
	say(g.p[0], fake_mac(1), fake_mac(0), 60);
	say(g.p[2], fake_mac(0), fake_mac(2), 61); /* not its */
	say(g.p[1], fake_mac(0), fake_mac(1), 62);
	assert_true(next(&l, RING_FRAME));
	assert_int_equal(l.last.dir, RING_OUT);
	assert_int_equal(l.last.frame_len, 60);
	assert_string_equal(l.last.port, "p1");
	assert_true(next(&l, RING_FRAME));
	assert_int_equal(l.last.dir, RING_IN);
	assert_int_equal(l.last.frame_len, 62);
	assert_false(next(&l, RING_FRAME));
	rig_deinit(&g);
	look_close(&l);
}

static void test_why_lost(void **state)
{
	struct look all, one;
	struct rig g;

	(void)state;
	rig_init(&g);
	meet(&g);
	assert_int_equal(look_start(&g, &all, 1, ""), 0);
	assert_int_equal(look_start(&g, &one, 2, "p1"), 0);
	say(g.p[0], fake_mac(0), fake_mac(0), 60); /* to itself */
	g.p[1]->room = 0;
	say(g.p[0], fake_mac(1), fake_mac(0), 61);
	assert_true(next(&all, RING_FRAME));
	assert_int_equal(all.last.lost, DROP_HAIRPIN + 1);
	assert_string_equal(all.last.at, "p0");
	assert_true(next(&all, RING_FRAME));
	assert_int_equal(all.last.lost, DROP_PORT_FULL + 1);
	assert_string_equal(all.last.at, "p1");
	assert_string_equal(all.last.port, "p0");
	assert_int_equal(all.last.is_out, 0);
	assert_false(next(&all, RING_FRAME));
	/* Who looks at the exit only sees what did not come. */
	assert_true(next(&one, RING_FRAME));
	assert_int_equal(one.last.lost, DROP_PORT_FULL + 1);
	assert_int_equal(one.last.frame_len, 61);
	assert_int_equal(one.last.is_out, 1);
	assert_false(next(&one, RING_FRAME));
	rig_deinit(&g);
	look_close(&all);
	look_close(&one);
}

/* What a full exit had held, and did not take, comes a second time. */
static void test_what_waited_too_long(void **state)
{
	struct fake_port *f;
	struct look l;
	struct rig g;

	(void)state;
	rig_init(&g);
	meet(&g);
	f = fake_new(g.b.lan, &(struct fake_config){.name = "f",
						    .hold_max = 100});
	say(f, fake_mac(1), fake_mac(5), 60);
	assert_int_equal(look_start(&g, &l, 1, ""), 0);
	g.p[1]->room = 0;
	say(f, fake_mac(1), fake_mac(5), 70);
	assert_int_equal(f->n_held, 1);
	fake_lan_advance(&g.b, UINT64_C(200000000));
	assert_int_equal(f->n_held, 0);
	assert_true(next(&l, RING_FRAME));
	assert_int_equal(l.last.lost, 0);
	assert_true(next(&l, RING_FRAME));
	assert_int_equal(l.last.lost, DROP_PORT_STALLED + 1);
	assert_int_equal(l.last.is_out, 1);
	assert_string_equal(l.last.port, "p1");
	assert_int_equal(l.last.frame_len, 70);
	assert_false(next(&l, RING_FRAME));
	rig_deinit(&g);
	look_close(&l);
}

/* A sender that keeps what is refused has it counted when it goes. */
static void test_what_comes_again(void **state)
{
	struct batch b = {.n = 2};
	struct look l;
	struct rig g;
	uint8_t buf[60];

	(void)state;
	rig_init(&g);
	meet(&g);
	assert_int_equal(look_start(&g, &l, 1, ""), 0);
	fake_frame_fill(buf, sizeof(buf), fake_mac(1), fake_mac(0), 1);
	b.f[0] = frame_flat(buf, sizeof(buf));
	b.f[1] = b.f[0];
	g.p[1]->room = 1;
	assert_int_equal(lan_input(&g.p[0]->port, &b, true), 2);
	assert_true(next(&l, RING_FRAME));
	assert_false(next(&l, RING_FRAME));
	g.p[1]->room = 1;
	b.n = 1;
	assert_int_equal(lan_input(&g.p[0]->port, &b, true), 0);
	assert_true(next(&l, RING_FRAME));
	assert_false(next(&l, RING_FRAME));
	rig_deinit(&g);
	look_close(&l);
}

/* What is filled in place. */
static void test_lent(void **state)
{
	struct lend l = {.n = 1, .f = {{.want = 1500}}};
	struct fake_port *f;
	struct look all, one;
	struct rig g;
	uint8_t buf[60];

	(void)state;
	rig_init(&g);
	meet(&g);
	f = fake_new(g.b.lan, &(struct fake_config){.name = "v",
						    .can_lend = true});
	say(f, fake_mac(0), fake_mac(7), 60);
	assert_int_equal(look_start(&g, &all, 1, ""), 0);
	assert_int_equal(look_start(&g, &one, 2, "v"), 0);
	fake_frame_fill(buf, sizeof(buf), fake_mac(7), fake_mac(0), 5);
	assert_int_equal(lan_lend(&g.p[0]->port, fake_mac(7), &l), 1);
	assert_ptr_equal(l.port, &f->port);
	lend_put(&l.f[0], 0, buf, sizeof(buf));
	l.f[0].len = sizeof(buf);
	l.n_used = 1;
	assert_int_equal(lan_give(&g.p[0]->port, fake_mac(7), &l), 1);
	assert_true(next(&all, RING_FRAME));
	assert_string_equal(all.last.port, "p0");
	assert_memory_equal(all.data, buf, sizeof(buf));
	assert_false(next(&all, RING_FRAME));
	assert_true(next(&one, RING_FRAME));
	assert_string_equal(one.last.port, "v");
	assert_int_equal(one.last.dir, RING_OUT);
	assert_memory_equal(one.data, buf, sizeof(buf));
	rig_deinit(&g);
	look_close(&all);
	look_close(&one);
}

static struct ring_count counted(const struct look *l)
{
	struct ring_count n;

	memcpy(&n, l->data, sizeof(n));
	return n;
}

/* Ports that are there, that come and that go say what they counted. */
static void test_counts(void **state)
{
	struct fake_port *f;
	struct look l;
	struct rig g;

	(void)state;
	rig_init(&g);
	meet(&g);
	assert_int_equal(look_start(&g, &l, 1, ""), 0);
	for (unsigned i = 0; i < N; i++) {
		assert_true(next(&l, RING_BEGIN));
		assert_string_equal(l.last.port, g.p[i]->port.name);
		assert_int_equal(counted(&l).rx_frames, i < 2);
		assert_int_equal(l.last.dir, RING_IN);
	}
	f = fake_new(g.b.lan, &(struct fake_config){.name = "new"});
	assert_true(next(&l, RING_BEGIN));
	assert_string_equal(l.last.port, "new");
	(void)fake_new(g.b.lan, &(struct fake_config){.name = "cable"});
	assert_false(next(&l, RING_BEGIN));
	say(f, fake_mac(0), fake_mac(7), 60);
	say(f, fake_mac(0), fake_mac(7), 60);
	fake_free(f);
	assert_true(next(&l, RING_END));
	assert_string_equal(l.last.port, "new");
	assert_int_equal(counted(&l).rx_frames, 2);
	assert_int_equal(stop(&g, 1), 0);
	for (unsigned i = 0; i < N; i++)
		assert_true(next(&l, RING_END));
	assert_false(next(&l, RING_END));
	assert_true(ring_reader_is_over(&l.r));
	rig_deinit(&g);
	look_close(&l);
}

/* It is the caller's to take out of the map, when nobody waits for it. */
static void test_stop_leaves_the_ring(void **state)
{
	struct ring_writer ended;
	struct look l, again;
	struct rig g;

	(void)state;
	rig_init(&g);
	assert_int_equal(look_start(&g, &l, 1, ""), 0);
	assert_int_equal(taps_stop(g.t, 1, &ended), 0);
	assert_non_null(ended.shared);
	assert_int_equal(look_start(&g, &again, 1, ""), 0);
	say(g.p[0], fake_mac(1), fake_mac(0), 60);
	assert_false(next(&l, RING_FRAME));
	assert_true(ring_reader_is_over(&l.r));
	(void)ring_unread(&ended); /* is in the map */
	ring_writer_close(&ended);
	assert_int_equal(taps_stop(g.t, 99, &ended), -ENOENT);
	assert_null(ended.shared);
	assert_int_equal(stop(&g, 1), 0);
	rig_deinit(&g);
	look_close(&l);
	look_close(&again);
}

static void test_so_many(void **state)
{
	struct look l[TAP_MAX + 1];
	struct rig g;

	(void)state;
	rig_init(&g);
	for (unsigned i = 0; i < TAP_MAX; i++)
		assert_int_equal(look_start(&g, &l[i], 1 + i,
					    i % 2 ? "p0" : ""),
				 0);
	assert_int_equal(look_start(&g, &l[TAP_MAX], 99, ""), -ENOSPC);
	assert_int_equal(stop(&g, 99), -ENOENT);
	look_close(&l[TAP_MAX]);
	assert_int_equal(look_start(&g, &l[TAP_MAX], 1, ""), -EEXIST);
	look_close(&l[TAP_MAX]);
	say(g.p[0], fake_mac(1), fake_mac(0), 60);
	for (unsigned i = 0; i < TAP_MAX; i++) {
		assert_true(next(&l[i], RING_FRAME));
		assert_false(next(&l[i], RING_FRAME));
		assert_int_equal(stop(&g, 1 + i), 0);
	}
	say(g.p[0], fake_mac(1), fake_mac(0), 60);
	for (unsigned i = 0; i < TAP_MAX; i++) {
		assert_false(next(&l[i], RING_FRAME));
		look_close(&l[i]);
	}
	rig_deinit(&g);
}

static bool is_woken(struct look *l)
{
	char woken[64];

	return read(l->wake, woken, sizeof(woken)) > 0;
}

/* One that waits is woken, not for each frame; one that does not, is not. */
static void test_waking(void **state)
{
	struct look l;
	struct rig g;

	(void)state;
	rig_init(&g);
	meet(&g);
	assert_int_equal(look_start(&g, &l, 1, ""), 0);
	fake_lan_advance(&g.b, 10 * TAPS_WAKE_NS);
	assert_false(is_woken(&l));
	while (next(&l, RING_FRAME))
		;
	assert_true(ring_reader_wait(&l.r));
	say(g.p[0], fake_mac(1), fake_mac(0), 60);
	fake_lan_advance(&g.b, 2 * TAPS_WAKE_NS);
	assert_true(is_woken(&l));
	say(g.p[0], fake_mac(1), fake_mac(0), 60);
	fake_lan_advance(&g.b, 2 * TAPS_WAKE_NS);
	assert_false(is_woken(&l));
	while (next(&l, RING_FRAME))
		;
	assert_true(ring_reader_wait(&l.r));
	for (unsigned i = 0; i < 1000; i++) /* no time passes */
		say(g.p[0], fake_mac(1), fake_mac(0), 1500);
	assert_true(is_woken(&l));
	rig_deinit(&g);
	look_close(&l);
}

/* A full ring loses frames of the capture's, none of the network's. */
static void test_nobody_reads(void **state)
{
	struct look l;
	struct rig g;
	unsigned n = 0;

	(void)state;
	rig_init(&g);
	meet(&g);
	assert_int_equal(look_start(&g, &l, 1, ""), 0);
	fake_clear(g.p[1]);
	for (unsigned i = 0; i < 2000; i++)
		say(g.p[0], fake_mac(1), fake_mac(0), 1500);
	assert_int_equal(g.p[1]->n_out, 2000);
	assert_int_equal(stop(&g, 1), 0);
	while (next(&l, RING_FRAME))
		n++;
	assert_int_equal(l.last.type, RING_END); /* has room in any case */
	assert_in_range(n, 500, 1000);
	assert_int_equal(n + ring_reader_lost(&l.r), 2000);
	rig_deinit(&g);
	look_close(&l);
}

/* ---- several workers ---- */

enum { MANY = 20000 };

/* A worker's lan; of the second a lane's part is played by a lan. */
struct one {
	struct fake_lan b;
	struct fake_port *p[2];
	unsigned seed;
	_Atomic bool is_done;
};

struct two {
	struct one w[2];
	struct taps *t;
};

static uint64_t real_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void two_init(struct two *g, struct rig *r, struct look *l)
{
	struct taps_worker workers[2];
	const struct taps_config c = {.workers = workers, .n_workers = 2,
				      .wall_ns = real_ns,
				      .is_cable = is_cable};

	for (unsigned i = 0; i < 2; i++) {
		struct one *w = &g->w[i];

		fake_lan_init(&w->b, false);
		w->seed = i;
		w->is_done = false;
		workers[i].wheel = &w->b.wheel;
		workers[i].now_ns = &w->b.now_ns;
	}
	assert_int_equal(taps_new(&c, &g->t), 0);
	for (unsigned i = 0; i < 2; i++) {
		struct one *w = &g->w[i];

		assert_int_equal(taps_lan_add(g->t, w->b.lan, i), 0);
		for (unsigned k = 0; k < 2; k++)
			w->p[k] = fake_new(
				w->b.lan,
				&(struct fake_config){.name = k ? "q" : "p"});
		say(w->p[0], fake_mac(1), fake_mac(0), 60);
		say(w->p[1], fake_mac(0), fake_mac(1), 60);
	}
	r->t = g->t;
	assert_int_equal(look_start(r, l, 1, ""), 0);
	/* As a lane's legs get it. */
	lan_tap_port(&g->w[1].p[0]->port, g->w[0].p[0]->port.tap);
	assert_int_equal(g->w[1].p[0]->port.tap, 1);
}

static void two_deinit(struct two *g, struct look *l)
{
	g->t = taps_free(g->t);
	for (unsigned i = 0; i < 2; i++)
		fake_lan_deinit(&g->w[i].b);
	look_close(l);
}

struct other {
	struct fake_port *from;
	struct look *l;
};

/* The other worker has a frame, too, and is done with it first. */
static void other_says(struct fake_port *f, const struct batch *b,
		       uint64_t mask)
{
	const struct other *o = f->arg;

	(void)b;
	(void)mask;
	say(o->from, fake_mac(1), fake_mac(0), 61);
	assert_false(next(o->l, RING_FRAME));
	f->room = 0; /* for the next one */
}

/* What a batch under way may still change is not shown by another's end. */
static void test_who_is_first_waits(void **state)
{
	struct look l;
	struct other o = {.l = &l};
	struct two g;
	struct rig r;

	(void)state;
	two_init(&g, &r, &l);
	o.from = g.w[0].p[0];
	g.w[1].p[1]->on_send = other_says;
	g.w[1].p[1]->arg = &o;
	say(g.w[1].p[0], fake_mac(1), fake_mac(0), 60);
	assert_true(next(&l, RING_FRAME));
	assert_int_equal(l.last.frame_len, 60);
	assert_int_equal(l.last.lost, 0);
	assert_true(next(&l, RING_FRAME));
	assert_int_equal(l.last.frame_len, 61);
	assert_false(next(&l, RING_FRAME));
	g.w[1].p[1]->on_send = NULL;
	say(g.w[1].p[0], fake_mac(1), fake_mac(0), 62);
	assert_true(next(&l, RING_FRAME));
	assert_int_equal(l.last.lost, DROP_PORT_FULL + 1);
	two_deinit(&g, &l);
}

static void *say_many(void *arg)
{
	struct one *w = arg;
	uint8_t buf[1000];

	fake_frame_fill(buf, sizeof(buf), fake_mac(1), fake_mac(0), w->seed);
	for (uint32_t i = 0; i < MANY; i++) {
		memcpy(buf + 14, &w->seed, 4);
		memcpy(buf + 18, &i, 4);
		fake_rx(w->p[0], buf, sizeof(buf), NULL);
		fake_clear(w->p[1]);
	}
	w->is_done = true;
	return NULL;
}

/* Each worker's are in order, all in that of time, and none is missing that is
 * not counted. */
static void test_workers_at_once(void **state)
{
	uint32_t at[2] = {0}, n = 0, seed, number;
	uint64_t when = 0;
	pthread_t thread[2];
	struct look l;
	struct two g;
	struct rig r;

	(void)state;
	two_init(&g, &r, &l);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, say_many,
						&g.w[i]),
				 0);
	for (;;) {
		bool is_over = g.w[0].is_done && g.w[1].is_done;

		if (!next(&l, RING_FRAME)) {
			if (is_over)
				break;
			continue;
		}
		memcpy(&seed, l.data + 14, 4);
		memcpy(&number, l.data + 18, 4);
		assert_true(seed < 2 && number >= at[seed]);
		at[seed] = number + 1;
		assert_true(l.last.when_ns >= when);
		when = l.last.when_ns;
		ring_reader_done(&l.r);
		n++;
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_true(n > 0);
	assert_int_equal(n + ring_reader_lost(&l.r), 2 * MANY);
	two_deinit(&g, &l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_have_each_frame_once),
		cmocka_unit_test(test_one_has_both_ways),
		cmocka_unit_test(test_why_lost),
		cmocka_unit_test(test_what_waited_too_long),
		cmocka_unit_test(test_what_comes_again),
		cmocka_unit_test(test_lent),
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_stop_leaves_the_ring),
		cmocka_unit_test(test_so_many),
		cmocka_unit_test(test_waking),
		cmocka_unit_test(test_nobody_reads),
		cmocka_unit_test(test_who_is_first_waits),
		cmocka_unit_test(test_workers_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
