/* SPDX-License-Identifier: BSD-3-Clause */
/* The legs of macvtap: who is asked for, by which one frames leave, what of
 * that which comes in is for the lan.  Taps play the macvtaps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/list.h"
#include "base/mem.h"
#include "netdev/rig.h"
#include "netdev/rig_tap.h"
#include "netdev/tap_priv.h"

enum { LEN = 60 };

struct bench {
	struct rig rig;
	struct rig_tap tap[2]; /* legs 0 and 1 */
	struct port *port;
	struct mem_port *sink;
	/* the last question, and how many there were */
	unsigned leg, n_asked;
	mac mac;
	bool is_open;
	bool is_deaf; /* cannot be asked now */
};

static const mac first = {{2, 0, 0, 0, 0, 1}};
static const mac second = {{2, 0, 0, 0, 0, 2}};
static const mac third = {{2, 0, 0, 0, 0, 3}};
static const mac far = {{2, 0, 0, 0, 0, 0x77}};

static int want_leg(void *arg, struct port *p, unsigned i, mac m, bool is_open)
{
	struct bench *b = arg;

	assert_ptr_equal(p, b->port);
	b->leg = i;
	b->mac = m;
	b->is_open = is_open;
	b->n_asked++;
	return b->is_deaf ? -EAGAIN : 0;
}

static void bench_open(struct bench *b, mac known)
{
	*b = (struct bench){.n_asked = 0};
	if (!rig_tap_open(&b->tap[0], "vmlant0", 1, true, false) ||
	    !rig_tap_open(&b->tap[1], "vmlant1", 1, true, false))
		skip();
	rig_init(&b->rig);
	b->rig.env.want_leg = want_leg;
	b->rig.env.arg = b;
	b->sink = mem_port_new(&b->rig, b->rig.lan, "sink", 256);
	assert_int_equal(
		netdev_tap_new(&b->rig.env,
			       &(struct netdev_tap_config){.name = "macvtap0",
							   .kind = "macvtap",
							   .fds = b->tap[0].fds,
							   .n_fds = 1,
							   .has_legs = true,
							   .mac = known,
							   .vnet_hdr = true},
			       &b->port),
		0);
	assert_true(b->port->caps.is_uplink);
}

static void turns(struct bench *b)
{
	for (unsigned i = 0; i < 8; i++)
		rig_turn(&b->rig, 0);
}

static void bench_close(struct bench *b)
{
	rig_remove(b->port);
	rig_remove(&b->sink->port);
	rig_deinit(&b->rig);
	rig_tap_close(&b->tap[0]);
	rig_tap_close(&b->tap[1]);
	fd_close(&b->tap[1].fds[0]);
}

static void fill(uint8_t f[static LEN], mac to, mac from)
{
	memset(f, 0, LEN);
	memcpy(f, to.b, 6);
	memcpy(f + 6, from.b, 6);
	f[12] = 0x88;
	f[13] = 0xb5;
}

static void send_from(struct bench *b, mac from)
{
	struct batch batch = {.n = 1};
	uint8_t f[LEN], old[200];

	for (unsigned i = 0; i < array_len(b->tap); i++) {
		while (rig_tap_recv(&b->tap[i], old, sizeof(old)) > 0)
			;
	}
	fill(f, far, from);
	batch.f[0] = frame_flat(f, LEN);
	assert_true(b->port->ops->send(b->port, &batch, 1) == 1);
	turns(b);
}

/* Frames of this machine leave by leg i and no other. */
static void leaves_by(struct bench *b, mac from, unsigned i)
{
	uint8_t f[200];

	send_from(b, from);
	assert_int_equal(rig_tap_recv(&b->tap[i], f, sizeof(f)), LEN);
	assert_memory_equal(f + 6, from.b, 6);
	assert_int_equal(rig_tap_recv(&b->tap[!i], f, sizeof(f)), 0);
}

/* True if a frame that comes by leg i reaches the lan. */
static bool comes_in(struct bench *b, unsigned i, mac to, mac from)
{
	uint8_t f[LEN], got[200];

	fill(f, to, from);
	assert_true(rig_tap_send(&b->tap[i], f, LEN));
	turns(b);
	return mem_port_pop(b->sink, got, sizeof(got)) == LEN;
}

static void asked(const struct bench *b, unsigned n, unsigned leg, mac m,
		  bool is_open)
{
	assert_int_equal(b->n_asked, n);
	assert_int_equal(b->leg, leg);
	assert_true(mac_eq(b->mac, m));
	assert_true(b->is_open == is_open);
}

static void answer(struct bench *b, unsigned i, mac m, bool has_fd, bool ok)
{
	int fd = has_fd ? fd_steal(&b->tap[i].fds[0]) : -1;

	assert_int_equal(netdev_macvtap_leg(b->port, i, m, fd, ok), 0);
}

static struct tap *tap_of(struct bench *b)
{
	return container_of(b->port, struct tap_part, port)->tap;
}

static void each_mac_gets_a_leg(void **state)
{
	struct bench b;

	bench_open(&b, (mac){{0}});
	leaves_by(&b, first, 0);
	asked(&b, 1, 0, first, true);
	/* One question at a time, and each once. */
	leaves_by(&b, second, 0);
	leaves_by(&b, first, 0);
	assert_int_equal(b.n_asked, 1);
	answer(&b, 0, first, false, true);
	leaves_by(&b, first, 0);
	assert_int_equal(b.n_asked, 1);
	leaves_by(&b, second, 0);
	asked(&b, 2, 1, second, false);
	answer(&b, 1, second, true, true);
	leaves_by(&b, second, 1);
	leaves_by(&b, first, 0);
	assert_int_equal(b.n_asked, 2);
	bench_close(&b);
}

static void a_known_mac_is_there(void **state)
{
	struct bench b;

	bench_open(&b, first);
	leaves_by(&b, first, 0);
	assert_int_equal(b.n_asked, 0);
	leaves_by(&b, second, 0);
	asked(&b, 1, 1, second, false);
	answer(&b, 1, second, true, true);
	bench_close(&b);
}

static void groups_come_once_and_own_frames_never(void **state)
{
	struct bench b;
	const mac ipv6 = {{0x33, 0x33, 0, 0, 0, 1}};

	bench_open(&b, first);
	send_from(&b, second);
	answer(&b, 1, second, true, true);
	assert_true(comes_in(&b, 0, first, far));
	assert_true(comes_in(&b, 1, second, far));
	assert_true(comes_in(&b, 0, MAC_BROADCAST, far));
	assert_true(comes_in(&b, 0, ipv6, far));
	assert_false(comes_in(&b, 1, MAC_BROADCAST, far));
	assert_false(comes_in(&b, 1, ipv6, far));
	assert_int_equal(b.rig.drops.n[DROP_SELF_ECHO], 0);
	assert_false(comes_in(&b, 0, MAC_BROADCAST, second));
	assert_int_equal(b.rig.drops.n[DROP_SELF_ECHO], 1);
	bench_close(&b);
}

/* The machine goes on by leg 0, and the kernel is not asked for each frame. */
static void a_refusal_is_borne(void **state)
{
	struct bench b;

	bench_open(&b, first);
	leaves_by(&b, second, 0);
	answer(&b, 1, second, false, false);
	leaves_by(&b, second, 0);
	assert_int_equal(b.n_asked, 1);
	/* Others are served. */
	leaves_by(&b, third, 0);
	asked(&b, 2, 2, third, false);
	bench_close(&b);
}

/* What was in the way of the macvtap may have gone. */
static void what_was_refused_is_asked_again(void **state)
{
	struct leg *leg;
	struct bench b;

	bench_open(&b, first);
	leg = &tap_of(&b)->legs->leg[1];
	leaves_by(&b, second, 0);
	for (unsigned i = 1; i <= 8; i++) {
		asked(&b, i, 1, second, false);
		answer(&b, 1, second, false, false);
		/* Each time after twice as long, up to about a minute. */
		assert_int_equal(leg->wait_ns, UINT64_C(1000000000)
						       << (i < 7 ? i - 1 : 6));
		leaves_by(&b, second, 0);
		assert_int_equal(b.n_asked, i);
		/* As if that time had passed. */
		leg->again_ns -= leg->wait_ns;
		leaves_by(&b, second, 0);
	}
	answer(&b, 1, second, true, true);
	leaves_by(&b, second, 1);
	assert_int_equal(b.n_asked, 9);
	bench_close(&b);
}

/* A machine asks again itself if it is the only one. */
static void an_answer_that_never_came(void **state)
{
	struct bench b;

	bench_open(&b, first);
	leaves_by(&b, second, 0);
	tap_of(&b)->legs->asked_ns -= UINT64_C(6000000000);
	leaves_by(&b, second, 0);
	asked(&b, 2, 1, second, false);
	answer(&b, 1, second, true, true);
	leaves_by(&b, second, 1);
	bench_close(&b);
}

/* Nor does a question that is lost, or its answer, stay open for ever. */
static void who_got_no_answer_asks_again(void **state)
{
	struct bench b;

	bench_open(&b, first);
	b.is_deaf = true;
	leaves_by(&b, second, 0);
	assert_int_equal(b.n_asked, 1);
	b.is_deaf = false;
	leaves_by(&b, second, 0);
	asked(&b, 2, 1, second, false);
	leaves_by(&b, third, 0);
	assert_int_equal(b.n_asked, 2);
	/* As if that were six seconds ago. */
	tap_of(&b)->legs->asked_ns -= UINT64_C(6000000000);
	leaves_by(&b, third, 0);
	asked(&b, 3, 1, third, false);
	/* The late answer is none. */
	assert_int_equal(netdev_macvtap_leg(b.port, 1, second, -1, false),
			 -EINVAL);
	answer(&b, 1, third, true, true);
	leaves_by(&b, third, 1);
	bench_close(&b);
}

static mac numbered(unsigned i)
{
	return (mac){{2, 1, 0, 0, 0, (uint8_t)i}};
}

/* All legs taken: a new machine gets that of one that is silent for long. */
static void the_silent_give_way(void **state)
{
	struct bench b;
	struct tap_legs *l;

	bench_open(&b, first);
	l = tap_of(&b)->legs;
	send_from(&b, first);
	for (unsigned i = 1; i < TAP_LEGS_MAX; i++) {
		send_from(&b, numbered(i));
		asked(&b, i, i, numbered(i), false);
		answer(&b, i, numbered(i), i == 1, i == 1);
	}
	send_from(&b, second);
	assert_int_equal(b.n_asked, TAP_LEGS_MAX - 1);
	/* As if the second leg's machine had been silent for half a minute. */
	l->leg[1].place.used_ns -= UINT64_C(30000000000);
	send_from(&b, second);
	asked(&b, TAP_LEGS_MAX, 1, second, true);
	answer(&b, 1, second, false, true);
	leaves_by(&b, second, 1);
	leaves_by(&b, numbered(1), 0);
	bench_close(&b);
}

static void strange_macs_and_answers_change_nothing(void **state)
{
	struct bench b;

	bench_open(&b, first);
	send_from(&b, (mac){{0}});
	send_from(&b, MAC_BROADCAST);
	assert_int_equal(b.n_asked, 0);
	assert_int_equal(netdev_macvtap_leg(b.port, 1, second, -1, true),
			 -EINVAL);
	send_from(&b, second);
	assert_int_equal(netdev_macvtap_leg(b.port, 2, second, -1, true),
			 -EINVAL);
	assert_int_equal(netdev_macvtap_leg(b.port, 1, third, -1, true),
			 -EINVAL);
	assert_int_equal(
		netdev_macvtap_leg(b.port, TAP_LEGS_MAX, second, -1, true),
		-EINVAL);
	/* Up without a descriptor cannot be. */
	assert_int_equal(netdev_macvtap_leg(b.port, 1, second, -1, true),
			 -EINVAL);
	leaves_by(&b, second, 0);
	bench_close(&b);
}

static void a_port_goes_while_it_asks(void **state)
{
	struct batch batch = {.n = 1};
	struct bench b;
	uint8_t f[LEN];

	bench_open(&b, first);
	fill(f, far, second);
	batch.f[0] = frame_flat(f, LEN);
	assert_true(b.port->ops->send(b.port, &batch, 1) == 1);
	bench_close(&b);
	assert_int_equal(b.n_asked, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mac_gets_a_leg),
		cmocka_unit_test(a_known_mac_is_there),
		cmocka_unit_test(groups_come_once_and_own_frames_never),
		cmocka_unit_test(a_refusal_is_borne),
		cmocka_unit_test(what_was_refused_is_asked_again),
		cmocka_unit_test(an_answer_that_never_came),
		cmocka_unit_test(who_got_no_answer_asks_again),
		cmocka_unit_test(the_silent_give_way),
		cmocka_unit_test(strange_macs_and_answers_change_nothing),
		cmocka_unit_test(a_port_goes_while_it_asks),
	};

	if (!rig_netns_enter())
		return 77; /* meson: skipped */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
