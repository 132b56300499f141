/* SPDX-License-Identifier: BSD-3-Clause */
/* The switch: frames that wait where they are for room at their exit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "lan/fake_port.h"
#include "lan/hold.h"
#include "wire/arp.h"
#include "wire/eth.h"

#define MS UINT64_C(1000000)

enum {
	LEN = 300, /* of a frame: more than its private bytes */
	SEQ_AT = 200,
	TO_X = 1, /* fake_mac() of the machines at x, y, and of the sender */
	TO_Y = 2,
	FROM_S = 9,
};

/* s can hold; x and y are exits that say when they have room. */
struct bench {
	struct fake_lan net;
	struct fake_port *s, *x, *y;
	uint32_t seq;
};

static void say(struct fake_port *f, mac dst, mac src)
{
	uint8_t buf[60];

	fake_frame_fill(buf, sizeof(buf), dst, src, 9);
	fake_rx(f, buf, sizeof(buf), NULL);
}

static struct fake_port *exit_new(struct bench *t, uint32_t n)
{
	struct fake_port *f =
		fake_new(t->net.lan, &(struct fake_config){.name = "exit"});

	say(f, MAC_BROADCAST, fake_mac(n));
	return f;
}

static void bench_init(struct bench *t, uint32_t hold_max)
{
	memset(t, 0, sizeof(*t));
	fake_lan_init(&t->net, false);
	t->s = fake_new(t->net.lan, &(struct fake_config){
					    .name = "s", .hold_max = hold_max});
	t->x = exit_new(t, TO_X);
	t->y = exit_new(t, TO_Y);
	fake_clear(t->x);
	fake_clear(t->y);
	fake_clear(t->s);
}

static int setup(void **state)
{
	struct bench *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	bench_init(t, 64);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct bench *t = *state;

	fake_lan_deinit(&t->net);
	free(t);
	return 0;
}

/* A frame of s to be read, with the next number in it. */
static void put(struct bench *t, struct fake_port *s, mac dst, mac src,
		uint32_t len)
{
	uint8_t *buf = malloc(len);

	assert_non_null(buf);
	fake_frame_fill(buf, len, dst, src, t->seq);
	put_be32(buf + SEQ_AT, t->seq++);
	fake_queue(s, buf, len, NULL);
	free(buf);
}

static void read_all(struct fake_port *s)
{
	while (lan_port_readable(&s->port))
		;
}

static void send_n(struct bench *t, uint32_t to, unsigned n)
{
	while (n-- > 0)
		put(t, t->s, fake_mac(to), fake_mac(FROM_S), LEN);
	read_all(t->s);
}

static uint32_t seq_of(const struct fake_port *f, unsigned i)
{
	assert_true(i < f->n_out && f->out[i].len > SEQ_AT + 4);
	return get_be32(f->out[i].data + SEQ_AT);
}

/* f got n frames, the first with the number first, all as they were sent. */
static void expect_run(const struct fake_port *f, uint32_t first, unsigned n)
{
	uint8_t want[LEN];

	assert_int_equal(f->n_out, n);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(seq_of(f, i), first + i);
		fake_frame_fill(want, LEN, mac_bytes(f->out[i].data),
				fake_mac(FROM_S), first + i);
		put_be32(want + SEQ_AT, first + i);
		assert_int_equal(f->out[i].len, LEN);
		assert_memory_equal(f->out[i].data, want, LEN);
	}
}

static unsigned lost(const struct bench *t, enum drop_reason why)
{
	return (unsigned)t->net.drops.n[why];
}

static unsigned lost_all(const struct bench *t)
{
	unsigned n = 0;

	for (unsigned i = 0; i < DROP_N; i++)
		n += lost(t, (enum drop_reason)i);
	return n;
}

/* --- waiting ------------------------------------------------------------ */

static void test_waits_in_order(void **state)
{
	struct bench *t = *state;

	t->x->room = 4;
	send_n(t, TO_X, 10);
	assert_int_equal(t->s->n_held, 6);
	assert_int_equal(t->s->n_done, 1);
	assert_int_equal(t->x->n_want_room, 1);
	/* room that was not told of: the later frames do not pass */
	t->x->room = 100;
	send_n(t, TO_X, 3);
	assert_int_equal(t->x->n_out, 4);
	assert_int_equal(t->s->n_held, 9);
	/* another machine's do */
	send_n(t, TO_Y, 5);
	expect_run(t->y, 13, 5);
	assert_int_equal(t->s->n_held, 9);
	lan_port_room(&t->x->port);
	expect_run(t->x, 0, 13);
	assert_int_equal(t->s->n_held, 0);
	assert_int_equal(t->s->n_let_go, 9);
	assert_int_equal(t->x->n_want_room, 1);
	send_n(t, TO_X, 1);
	assert_int_equal(t->x->n_out, 14);
	assert_int_equal(lost_all(t), 0);
	assert_int_equal(t->s->port.stats.rx_frames, 19);
	assert_int_equal(t->x->port.stats.tx_frames, 15); /* one of y's */
}

/* Refused again and again, a few at a time. */
static void test_room_in_pieces(void **state)
{
	struct bench *t = *state;

	t->x->room = 0;
	send_n(t, TO_X, 30);
	for (unsigned i = 1; i <= 15; i++) {
		fake_add_room(t->x, 2);
		assert_int_equal(t->x->n_out, 2 * i);
		assert_int_equal(t->s->n_held, 30 - 2 * i);
		assert_int_equal(t->x->n_want_room, i < 15 ? 1 + i : 15);
	}
	expect_run(t->x, 0, 30);
	assert_int_equal(lost_all(t), 0);
}

/* One batch for all: what passes, what is held, what is for everybody. */
static void test_mixed_batch(void **state)
{
	struct bench *t = *state;

	t->x->room = 3;
	for (unsigned i = 0; i < 60; i++)
		put(t, t->s,
		    i % 3 == 0	 ? fake_mac(TO_X)
		    : i % 3 == 1 ? fake_mac(TO_Y)
				 : MAC_BROADCAST,
		    fake_mac(FROM_S), LEN);
	read_all(t->s);
	assert_int_equal(t->y->n_out, 40);
	assert_int_equal(t->x->n_out, 3);
	/* flooded ones are lost, and not the others */
	assert_int_equal(lost(t, DROP_PORT_FULL), 19);
	assert_int_equal(t->s->n_held, 18);
	fake_add_room(t->x, 100);
	assert_int_equal(t->x->n_out, 21);
	for (unsigned i = 3; i < 21; i++)
		assert_int_equal(seq_of(t->x, i), 6 + 3 * (i - 3));
}

static void test_who_does_not_hold(void **state)
{
	struct bench *t = *state;
	struct fake_port *lossy = fake_new(
		t->net.lan, &(struct fake_config){.lossy = true});

	/* an exit that will not say */
	say(lossy, MAC_BROADCAST, fake_mac(3));
	fake_clear(t->x);
	lossy->room = 0;
	send_n(t, 3, 5);
	assert_int_equal(lost(t, DROP_PORT_FULL), 5);
	/* a sender that cannot wait, and may pass who can */
	t->x->room = 0;
	send_n(t, TO_X, 2);
	assert_int_equal(t->s->n_held, 2);
	say(t->y, fake_mac(TO_X), fake_mac(TO_Y));
	assert_int_equal(lost(t, DROP_PORT_FULL), 6);
	t->x->room = 1;
	say(t->y, fake_mac(TO_X), fake_mac(TO_Y));
	assert_int_equal(t->x->n_out, 1);
}

static void test_hub_holds_nothing(void **state)
{
	struct fake_port *s, *x;
	struct bench t = {0};

	(void)state;
	fake_lan_init(&t.net, true);
	s = fake_new(t.net.lan, &(struct fake_config){.hold_max = 64});
	x = exit_new(&t, TO_X);
	x->room = 0;
	put(&t, s, fake_mac(TO_X), fake_mac(FROM_S), LEN);
	read_all(s);
	assert_int_equal(s->n_held, 0);
	assert_int_equal(lost(&t, DROP_PORT_FULL), 1);
	fake_lan_deinit(&t.net);
}

/* What the exit cannot do by itself is done when it has room. */
static void test_offload_is_late(void **state)
{
	struct bench *t = *state;
	const struct frame_offload off = {.flags = FRAME_F_NEEDS_CSUM,
					  .csum_start = 34,
					  .csum_offset = 16};
	uint8_t buf[LEN];

	t->x->room = 0;
	fake_frame_fill(buf, LEN, fake_mac(TO_X), fake_mac(FROM_S), 1);
	fake_queue(t->s, buf, LEN, &off);
	read_all(t->s);
	assert_int_equal(t->s->n_held, 1);
	fake_add_room(t->x, 1);
	assert_int_equal(t->x->n_out, 1);
	assert_int_equal(t->x->out[0].off.flags & FRAME_F_NEEDS_CSUM, 0);
	assert_memory_not_equal(t->x->out[0].data + 50, buf + 50, 2);
	assert_memory_equal(t->x->out[0].data + 52, buf + 52, LEN - 52);
}

/* --- bounds ------------------------------------------------------------- */

static void test_bound_of_the_queue(void **state)
{
	struct bench *t = *state;
	struct fake_port *z = exit_new(t, 3);

	t->x->room = t->y->room = z->room = 0;
	send_n(t, TO_X, 40); /* half of the 64 for one */
	assert_int_equal(t->s->n_held, 32);
	assert_int_equal(lost(t, DROP_PORT_FULL), 8);
	send_n(t, TO_Y, 40);
	assert_int_equal(t->s->n_held, 64);
	send_n(t, 3, 40);
	assert_int_equal(t->s->n_held, 64);
	assert_int_equal(lost(t, DROP_PORT_FULL), 56);
	assert_int_equal(z->port.stats.tx_drops, 40);
	/* room for some lets others be held */
	fake_add_room(t->x, 10);
	send_n(t, 3, 40);
	assert_int_equal(t->s->n_held, 64);
	fake_add_room(z, 100);
	fake_clear(z);
	send_n(t, 3, 40); /* it has room: nothing needs holding */
	assert_int_equal(z->n_out, 40);
}

static void test_bound_of_frames(void **state)
{
	struct bench t;

	(void)state;
	bench_init(&t, 5000);
	t.x->room = t.y->room = 0;
	send_n(&t, TO_X, 300);
	assert_int_equal(t.s->n_held, 300);
	send_n(&t, TO_Y, 300);
	assert_int_equal(t.s->n_held, HOLD_FRAMES);
	fake_add_room(t.x, 1000);
	fake_add_room(t.y, 1000);
	assert_int_equal(t.x->n_out + t.y->n_out, HOLD_FRAMES);
	expect_run(t.x, 0, 300);
	assert_int_equal(t.s->n_held, 0);
	fake_lan_deinit(&t.net);
}

enum { BIG = 60000 };

static void send_big(struct bench *t, uint32_t to, unsigned n)
{
	while (n--)
		put(t, t->s, fake_mac(to), fake_mac(FROM_S), BIG);
	read_all(t->s);
}

static void test_bound_of_bytes(void **state)
{
	struct bench t;

	(void)state;
	bench_init(&t, 5000);
	t.x->room = 0;
	send_big(&t, TO_X, 100);
	assert_int_equal(t.s->n_held, HOLD_EXIT_BYTES / BIG);
	for (uint32_t to = 3; to < 10; to++) {
		exit_new(&t, to)->room = 0;
		send_big(&t, to, 100);
	}
	assert_int_equal(t.s->n_held, HOLD_BYTES / BIG);
	fake_lan_deinit(&t.net);
}

static void test_bound_of_a_slow_exits_bytes(void **state)
{
	struct bench t;

	(void)state;
	bench_init(&t, 5000);
	t.x->room = 0;
	send_big(&t, TO_X, 10);
	fake_lan_advance(&t.net, HOLD_QUICK_NS - MS);
	send_big(&t, TO_X, 20);
	assert_int_equal(t.s->n_held, 30); /* more than it may have from now */
	fake_lan_advance(&t.net, MS);
	send_big(&t, TO_X, 10);
	assert_int_equal(t.s->n_held, 30);
	assert_int_equal(lost(&t, DROP_PORT_FULL), 10);
	fake_add_room(t.x, 20); /* the first that waits came 1 ms ago */
	send_big(&t, TO_X, 40);
	assert_int_equal(t.s->n_held, 50);
	fake_lan_advance(&t.net, HOLD_QUICK_NS);
	fake_add_room(t.x, 45);
	send_big(&t, TO_X, 40);
	assert_int_equal(t.s->n_held, HOLD_SLOW_BYTES / BIG);
	fake_lan_deinit(&t.net);
}

/* --- time --------------------------------------------------------------- */

static void test_waits_for_so_long(void **state)
{
	struct bench *t = *state;
	unsigned timers = t->net.wheel.n_armed;

	t->x->room = 0;
	send_n(t, TO_X, 5);
	fake_lan_advance(&t->net, 60 * MS);
	send_n(t, TO_X, 3);
	send_n(t, TO_Y, 3);
	fake_lan_advance(&t->net, 30 * MS);
	assert_int_equal(t->s->n_held, 8);
	fake_lan_advance(&t->net, 12 * MS);
	assert_int_equal(t->s->n_held, 3);
	assert_int_equal(lost(t, DROP_PORT_STALLED), 5);
	assert_int_equal(t->x->port.stats.tx_drops, 5);
	fake_lan_advance(&t->net, 60 * MS);
	assert_int_equal(t->s->n_held, 0);
	assert_int_equal(lost(t, DROP_PORT_STALLED), 8);
	assert_int_equal(t->y->n_out, 3);
	assert_int_equal(t->net.wheel.n_armed, timers);
}

/* An exit that stalled is tried, and not waited for, until it has taken
 * something and some time has passed. */
static void test_stalled_exit(void **state)
{
	struct bench *t = *state;

	t->x->room = 0;
	send_n(t, TO_X, 5);
	fake_lan_advance(&t->net, 102 * MS);
	assert_int_equal(lost(t, DROP_PORT_STALLED), 5);
	send_n(t, TO_X, 5);
	assert_int_equal(t->s->n_held, 0);
	assert_int_equal(lost(t, DROP_PORT_FULL), 5);
	t->x->room = 2; /* not told of: tried all the same */
	send_n(t, TO_X, 5);
	assert_int_equal(t->x->n_out, 2);
	assert_int_equal(t->s->n_held, 0);
	/* of time alone it is no better */
	fake_lan_advance(&t->net, 1100 * MS);
	send_n(t, TO_X, 5);
	assert_int_equal(t->s->n_held, 5);
	fake_lan_advance(&t->net, 102 * MS);
	fake_lan_advance(&t->net, 5000 * MS);
	send_n(t, TO_X, 5);
	assert_int_equal(t->s->n_held, 0);
	fake_add_room(t->x, 1);
	send_n(t, TO_X, 5);
	assert_int_equal(t->s->n_held, 4);
	fake_add_room(t->x, 10);
	assert_int_equal(t->s->n_held, 0);
}

/* --- ends --------------------------------------------------------------- */

static void hold_some(struct bench *t)
{
	t->x->room = t->y->room = 0;
	send_n(t, TO_X, 5);
	send_n(t, TO_Y, 5);
	assert_int_equal(t->s->n_held, 10);
}

static void test_exit_goes_down(void **state)
{
	struct bench *t = *state;

	hold_some(t);
	lan_port_link(&t->x->port, false);
	fake_lan_advance(&t->net, 2 * MS);
	assert_int_equal(t->s->n_held, 5);
	assert_int_equal(lost(t, DROP_LINK_DOWN), 5);
	lan_port_link(&t->x->port, true);
	t->x->room = 100;
	send_n(t, TO_X, 1); /* its MAC is forgotten: flooded */
	assert_int_equal(t->x->n_out, 1);
	lan_port_admin(&t->y->port, false);
	fake_lan_advance(&t->net, 2 * MS);
	assert_int_equal(t->s->n_held, 0);
	assert_int_equal(lost(t, DROP_LINK_DOWN), 10);
	assert_int_equal(lost(t, DROP_PORT_STALLED), 0);
}

static void test_exit_faults(void **state)
{
	struct bench *t = *state;

	hold_some(t);
	port_fault(&t->x->port, FAULT_RING, "broken");
	fake_lan_advance(&t->net, 2 * MS);
	assert_int_equal(t->s->n_held, 5);
	assert_int_equal(lost(t, DROP_PORT_FAULT), 5);
}

static void break_it(struct fake_port *f, const struct batch *b, uint64_t mask)
{
	(void)b;
	(void)mask;
	port_fault(&f->port, FAULT_RING, "broken in the middle");
}

/* In the middle of taking what was held for it. */
static void test_exit_faults_while_served(void **state)
{
	struct bench *t = *state;

	hold_some(t);
	t->x->on_send = break_it;
	fake_add_room(t->x, 2);
	assert_int_equal(t->x->n_out, 2);
	assert_int_equal(t->s->n_held, 5);
	assert_int_equal(lost(t, DROP_PORT_FAULT), 3);
	fake_add_room(t->y, 100);
	assert_int_equal(t->y->n_out, 5);
	fake_lan_advance(&t->net, 200 * MS);
	assert_int_equal(lost_all(t), 3);
}

static void test_exit_is_removed(void **state)
{
	struct bench *t = *state;

	hold_some(t);
	fake_free(t->x);
	assert_int_equal(t->s->n_held, 5);
	assert_int_equal(lost(t, DROP_LINK_DOWN), 5);
	fake_add_room(t->y, 100);
	assert_int_equal(t->y->n_out, 5);
}

static void test_sender_goes_down(void **state)
{
	struct bench *t = *state;

	hold_some(t);
	lan_port_admin(&t->s->port, false);
	assert_int_equal(t->s->n_let_go, 0); /* it may be in the middle */
	fake_lan_advance(&t->net, 2 * MS);
	assert_int_equal(t->s->n_let_go, 10);
	assert_int_equal(lost(t, DROP_LINK_DOWN_IN), 10);
	lan_port_admin(&t->s->port, true);
	t->x->room = 0;
	send_n(t, TO_X, 2);
	assert_int_equal(t->s->n_held, 2);
	port_fault(&t->s->port, FAULT_RING, "broken");
	fake_add_room(t->x, 10); /* before the timer: they are late */
	assert_int_equal(t->x->n_out, 0);
	assert_int_equal(t->s->n_held, 0);
	assert_int_equal(lost(t, DROP_LINK_DOWN_IN), 12);
	fake_lan_advance(&t->net, 2 * MS);
	assert_int_equal(lost_all(t), 12);
}

static void test_sender_is_removed(void **state)
{
	struct bench *t = *state;

	hold_some(t);
	fake_free(t->s);
	assert_int_equal(lost(t, DROP_LINK_DOWN_IN), 10);
	fake_add_room(t->x, 10);
	assert_int_equal(t->x->n_out, 0);
	fake_lan_advance(&t->net, 200 * MS);
	assert_int_equal(lost_all(t), 10);
}

/* Its memory goes: at once, and then it begins again. */
static void test_sender_takes_all_back(void **state)
{
	struct bench *t = *state;

	hold_some(t);
	lan_port_release(&t->s->port);
	assert_int_equal(t->s->n_held, 0);
	assert_int_equal(t->s->n_let_go, 10);
	assert_int_equal(lost(t, DROP_LINK_DOWN_IN), 10);
	lan_port_release(&t->s->port);
	lan_port_release(&t->x->port);
	send_n(t, TO_X, 2);
	assert_int_equal(t->s->n_held, 2);
	fake_add_room(t->x, 10);
	expect_run(t->x, 10, 2);
}

/* --- many --------------------------------------------------------------- */

static void take_room(struct fake_port *f, struct port *other)
{
	uint8_t buf[LEN];
	struct batch b = {.n = 1};

	(void)other;
	fake_frame_fill(buf, LEN, fake_mac(TO_X), *(mac *)f->arg, 1);
	b.f[0] = frame_flat(buf, LEN);
	(void)lan_input(&f->port, &b, true);
}

/* Each of a hundred has its turn, and so has one that waits by itself. */
static void test_each_its_turn(void **state)
{
	enum { N = 100, ROUNDS = 3, EACH = 8 };
	mac gw_mac = fake_mac(5000);
	unsigned got[N] = {0}, n_gw = 0;
	struct fake_port *s[N], *gw;
	struct bench *t = *state;

	for (unsigned i = 0; i < N; i++)
		s[i] = fake_new(t->net.lan,
				&(struct fake_config){.hold_max = 2 * EACH});
	gw = fake_new(t->net.lan, &(struct fake_config){.can_wait = true});
	gw->on_room = take_room;
	gw->arg = &gw_mac;
	t->x->room = 0;
	for (uint32_t i = 0; i < N; i++) {
		for (unsigned k = 0; k < EACH; k++)
			put(t, s[i], fake_mac(TO_X), fake_mac(1000 + i), LEN);
		read_all(s[i]);
		assert_int_equal(s[i]->n_held, EACH);
	}
	take_room(gw, NULL);
	for (unsigned round = 0; round < 2 * N * ROUNDS; round++) {
		uint8_t *p;

		fake_clear(t->x);
		fake_add_room(t->x, 1);
		assert_int_equal(t->x->n_out, 1);
		p = t->x->out[0].data;
		if (memcmp(p + 6, gw_mac.b, 6) == 0) {
			n_gw++;
			take_room(gw, NULL); /* wants more */
			continue;
		}
		got[(p[10] << 8 | p[11]) - 1000]++;
	}
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(got[i], ROUNDS);
	assert_int_equal(n_gw, N * ROUNDS);
}

/* What one sends to another comes in order, whatever happens; and what does
 * not come has a name. */
static void test_at_random(void **state)
{
	enum { S = 5, X = 4, STEPS = 20000 };
	struct bench *t = *state;
	struct fake_port *s[S], *x[X];
	uint32_t last[S][X] = {{0}};
	uint64_t n_out = 0;
	unsigned seed = 1;

	for (uint32_t i = 0; i < S; i++)
		s[i] = fake_new(t->net.lan, &(struct fake_config){
						    .hold_max = 4 << i});
	for (uint32_t i = 0; i < X; i++)
		x[i] = exit_new(t, 100 + i);
	for (unsigned k = 0; k < X; k++)
		fake_clear(x[k]);
	memset(&t->net.drops, 0, sizeof(t->net.drops));
	t->seq = 1;
	for (unsigned n = 0; n < STEPS; n++) {
		unsigned r, i, k;

		seed = seed * 1103515245 + 12345;
		r = seed >> 8;
		i = r % S;
		k = r / S % X;
		switch (r / (S * X) % 8) {
		default:
			for (unsigned m = r >> 16 & 7; m; m--)
				put(t, s[i], fake_mac(100 + k),
				    fake_mac(1000 + i), LEN);
			read_all(s[i]);
			break;
		case 0:
		case 1:
		case 2:
			fake_add_room(x[k], r >> 16 & 15);
			break;
		case 3:
			x[k]->room = 0;
			break;
		case 4:
			fake_lan_advance(&t->net, (r >> 16 & 63) * MS);
			break;
		case 5:
			if (r >> 16 & 3)
				break;
			lan_port_release(&s[i]->port);
			break;
		}
		for (unsigned m = 0; m < x[k]->n_out; m++) {
			uint8_t *p = x[k]->out[m].data;
			uint32_t from = (uint32_t)(p[10] << 8 | p[11]) - 1000;

			assert_true(from < S);
			assert_true(seq_of(x[k], m) > last[from][k]);
			last[from][k] = seq_of(x[k], m);
		}
		n_out += x[k]->n_out;
		fake_clear(x[k]);
	}
	for (unsigned k = 0; k < X; k++) {
		fake_add_room(x[k], 1 << 20);
		n_out += x[k]->n_out;
	}
	for (unsigned i = 0; i < S; i++)
		assert_int_equal(s[i]->n_held, 0);
	assert_int_equal(n_out + lost_all(t), t->seq - 1);
	assert_true(lost(t, DROP_PORT_STALLED) > 0 &&
		    lost(t, DROP_PORT_FULL) > 0 && n_out > STEPS / 4);
}

/* --- aliases ------------------------------------------------------------ */

static const mac twin = {{0x52, 0x54, 0, 0x12, 0x34, 0x56}};

/* A machine that starts with the twin's address: it gets an alias. */
static void start_twin(struct fake_port *f)
{
	uint8_t buf[60];
	struct wr w = wr_init(buf, sizeof(buf));
	struct eth_hdr eth = {
		.dst = MAC_BROADCAST, .src = twin, .type = ETH_T_ARP};
	struct arp_msg m = {.op = ARP_REQUEST,
			    .sha = twin,
			    .spa = addr_v4(0, 0, 0, 0),
			    .tpa = addr_v4(10, 0, 2, 15)};

	eth_emit(&w, &eth);
	arp_emit(&w, &m);
	wr_zero(&w, wr_left(&w));
	fake_rx(f, buf, sizeof(buf), NULL);
}

/* Two machines with one MAC: x is the first, its twin the holder, then the
 * exit. What waits goes by the alias as what does not. */
static void test_aliases(void **state)
{
	static const mac alias = {{0x0e, 0x76, 1, 0x12, 0x34, 0x56}};
	struct bench *t = *state;

	say(t->x, MAC_BROADCAST, twin);
	start_twin(t->s);
	fake_clear(t->x);
	fake_clear(t->y);
	t->y->room = 0;
	put(t, t->s, fake_mac(TO_Y), twin, LEN);
	read_all(t->s);
	assert_int_equal(t->s->n_held, 1);
	fake_add_room(t->y, 1);
	assert_int_equal(t->y->n_out, 1);
	assert_memory_equal(t->y->out[0].data + 6, alias.b, 6);
	assert_int_equal(t->s->n_held, 0);
	/* and at the exit */
	start_twin(t->y);
	fake_clear(t->y);
	t->y->room = 0;
	put(t, t->s, (mac){{0x0e, 0x76, 2, 0x12, 0x34, 0x56}},
	    fake_mac(FROM_S), LEN);
	read_all(t->s);
	assert_int_equal(t->s->n_held, 1);
	fake_add_room(t->y, 1);
	assert_int_equal(t->y->n_out, 1);
	assert_memory_equal(t->y->out[0].data, twin.b, 6);
	assert_int_equal(lost_all(t), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_waits_in_order),
		T(test_room_in_pieces),
		T(test_mixed_batch),
		T(test_who_does_not_hold),
		cmocka_unit_test(test_hub_holds_nothing),
		T(test_offload_is_late),
		T(test_bound_of_the_queue),
		cmocka_unit_test(test_bound_of_frames),
		cmocka_unit_test(test_bound_of_bytes),
		cmocka_unit_test(test_bound_of_a_slow_exits_bytes),
		T(test_waits_for_so_long),
		T(test_stalled_exit),
		T(test_exit_goes_down),
		T(test_exit_faults),
		T(test_exit_faults_while_served),
		T(test_exit_is_removed),
		T(test_sender_goes_down),
		T(test_sender_is_removed),
		T(test_sender_takes_all_back),
		T(test_each_its_turn),
		T(test_at_random),
		T(test_aliases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
