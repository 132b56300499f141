/* SPDX-License-Identifier: BSD-3-Clause */
/* The switch: who is told of room, and calls within calls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lan/fake_port.h"

#define SECOND UINT64_C(1000000000)

static struct fake_port *port_make(struct fake_lan *b)
{
	return fake_new(b->lan, &(struct fake_config){.name = "p"});
}

static void say(struct fake_port *f, mac dst, mac src)
{
	uint8_t buf[64];

	fake_frame_fill(buf, sizeof(buf), dst, src, 9);
	fake_rx(f, buf, sizeof(buf), NULL);
}

/* --- room --------------------------------------------------------------- */

static void batch_fill(struct batch *b, uint8_t buf[][60], unsigned n, mac dst,
		       mac src)
{
	b->n = n;
	for (unsigned i = 0; i < n; i++) {
		fake_frame_fill(buf[i], 60, dst, src, i);
		b->f[i] = frame_flat(buf[i], 60);
	}
}

static void test_keep_and_room(void **state)
{
	struct fake_port *gw, *vm;
	uint8_t buf[10][60];
	struct batch batch;
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	gw = fake_new(b.lan, &(struct fake_config){.can_wait = true});
	vm = port_make(&b);
	say(vm, MAC_BROADCAST, fake_mac(1));
	vm->room = 4;
	batch_fill(&batch, buf, 10, fake_mac(1), fake_mac(0));
	assert_true(lan_input(&gw->port, &batch, true) == 0x3f0);
	assert_int_equal(vm->n_out, 4);
	assert_int_equal(gw->port.stats.rx_frames, 4);
	assert_int_equal(b.drops.n[DROP_PORT_FULL], 0);
	assert_int_equal(vm->n_want_room, 1);
	assert_true(lan_input(&gw->port, &batch, true) == 0x3ff);
	assert_int_equal(vm->n_want_room, 1); /* asked once */
	assert_int_equal(gw->n_room, 0);
	fake_add_room(vm, 100);
	assert_int_equal(gw->n_room, 1);
	assert_ptr_equal(gw->last_room, &vm->port);
	lan_port_room(&vm->port);
	assert_int_equal(gw->n_room, 1); /* told once */
	assert_true(lan_input(&gw->port, &batch, true) == 0);
	/* without keep they are lost, and said to be */
	vm->room = 4;
	assert_true(lan_input(&gw->port, &batch, false) == 0x3f0);
	assert_int_equal(b.drops.n[DROP_PORT_FULL], 6);
	assert_int_equal(vm->n_want_room, 1);
	fake_lan_deinit(&b);
}

static void test_keep_at_lossy_exit_loses(void **state)
{
	struct fake_port *gw, *vm;
	uint8_t buf[10][60];
	struct batch batch;
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	gw = fake_new(b.lan, &(struct fake_config){.can_wait = true});
	vm = fake_new(b.lan, &(struct fake_config){.lossy = true});
	say(vm, MAC_BROADCAST, fake_mac(1));
	vm->room = 4;
	batch_fill(&batch, buf, 10, fake_mac(1), fake_mac(0));
	assert_true(lan_input(&gw->port, &batch, true) == 0);
	assert_int_equal(b.drops.n[DROP_PORT_FULL], 6);
	fake_lan_deinit(&b);
}

static void test_keep_does_not_keep_floods(void **state)
{
	struct fake_port *gw, *vm;
	uint8_t buf[10][60];
	struct batch batch;
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	gw = fake_new(b.lan, &(struct fake_config){.can_wait = true});
	vm = port_make(&b);
	vm->room = 4;
	batch_fill(&batch, buf, 10, MAC_BROADCAST, fake_mac(0));
	assert_true(lan_input(&gw->port, &batch, true) == 0);
	assert_int_equal(b.drops.n[DROP_PORT_FULL], 6);
	fake_lan_deinit(&b);
}

/* Each room fills one frame; the sender that is told first gets it. */
static void take_room(struct fake_port *f, struct port *other)
{
	uint8_t buf[1][60];
	struct batch batch;

	(void)other;
	batch_fill(&batch, buf, 1, fake_mac(1), *(mac *)f->arg);
	if (lan_input(&f->port, &batch, true) == 0)
		f->arg = (mac *)f->arg; /* it waits no more */
}

static void test_room_is_shared_fairly(void **state)
{
	enum { N = 70, ROUNDS = 30 }; /* more than there are wait bits */
	struct fake_port *gw[N], *vm;
	mac src[N];
	unsigned got[N] = {0};
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	vm = port_make(&b);
	say(vm, MAC_BROADCAST, fake_mac(1));
	for (unsigned i = 0; i < N; i++) {
		src[i] = fake_mac(100 + i);
		gw[i] = fake_new(b.lan,
				 &(struct fake_config){.can_wait = true});
		gw[i]->arg = &src[i];
		gw[i]->on_room = take_room;
	}
	vm->room = 0;
	for (unsigned i = 0; i < N; i++)
		take_room(gw[i], NULL);
	for (unsigned round = 0; round < N * ROUNDS; round++) {
		fake_clear(vm);
		fake_add_room(vm, 1);
		assert_int_equal(vm->n_out, 1);
		for (unsigned i = 0; i < N; i++) {
			if (memcmp(vm->out[0].data + 6, src[i].b, 6) != 0)
				continue;
			got[i]++;
			take_room(gw[i], NULL); /* wants more */
		}
	}
	for (unsigned i = 0; i < 63; i++)
		assert_in_range(got[i], ROUNDS / 2, ROUNDS * 2);
	fake_lan_deinit(&b);
}

static void test_waiting_sender_is_told_of_the_end(void **state)
{
	struct fake_port *gw, *vm[2];
	uint8_t buf[2][60];
	struct batch batch;
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	gw = fake_new(b.lan, &(struct fake_config){.can_wait = true});
	for (uint32_t i = 0; i < 2; i++) {
		vm[i] = port_make(&b);
		say(vm[i], MAC_BROADCAST, fake_mac(1 + i));
		vm[i]->room = 0;
		batch_fill(&batch, buf, 2, fake_mac(1 + i), fake_mac(0));
		assert_true(lan_input(&gw->port, &batch, true) == 3);
	}
	lan_port_link(&vm[0]->port, false);
	assert_int_equal(gw->n_room, 0); /* never from the depths */
	fake_lan_advance(&b, SECOND / 100);
	assert_int_equal(gw->n_room, 1);
	fake_free(vm[1]);
	assert_int_equal(gw->n_room, 2);
	fake_lan_deinit(&b);
}

/* A kind that says "room" from inside a hook is heard after the batch. */
static void room_in_send(struct fake_port *f, const struct batch *b,
			 uint64_t mask)
{
	(void)b;
	(void)mask;
	f->room = FAKE_NO_LIMIT;
	lan_port_room(f->arg);
}

static void test_room_from_inside_is_put_off(void **state)
{
	struct fake_port *gw, *vm, *other;
	uint8_t buf[1][60];
	struct batch batch;
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	gw = fake_new(b.lan, &(struct fake_config){.can_wait = true});
	vm = port_make(&b);
	other = port_make(&b);
	say(vm, MAC_BROADCAST, fake_mac(1));
	vm->room = 0;
	batch_fill(&batch, buf, 1, fake_mac(1), fake_mac(0));
	assert_true(lan_input(&gw->port, &batch, true) == 1);
	vm->on_send = room_in_send;
	vm->arg = &vm->port;
	assert_true(lan_input(&gw->port, &batch, true) == 1);
	assert_int_equal(gw->n_room, 0);
	say(other, fake_mac(1), fake_mac(2));
	assert_int_equal(gw->n_room, 1);
	fake_lan_deinit(&b);
}

static void test_waiter_leaves(void **state)
{
	struct fake_port *gw, *gw2, *vm;
	uint8_t buf[1][60];
	struct batch batch;
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	gw = fake_new(b.lan, &(struct fake_config){.can_wait = true});
	vm = port_make(&b);
	say(vm, MAC_BROADCAST, fake_mac(1));
	vm->room = 0;
	batch_fill(&batch, buf, 1, fake_mac(1), fake_mac(0));
	assert_true(lan_input(&gw->port, &batch, true) == 1);
	fake_free(gw);
	gw2 = fake_new(b.lan, &(struct fake_config){.can_wait = true});
	fake_add_room(vm, 1);
	assert_int_equal(gw2->n_room, 0); /* it took the bit, not the wait */
	fake_lan_deinit(&b);
}

/* --- nesting ------------------------------------------------------------ */

/* A gateway: answers each frame to its sender from inside send(). */
static void answer(struct fake_port *f, const struct batch *b, uint64_t mask)
{
	static const mac me = {{0x52, 0x55, 10, 0, 2, 2}};
	uint8_t buf[FRAME_BATCH][60];
	struct batch back = {.n = 0};

	for (; mask; mask &= mask - 1) {
		const struct frame *in = &b->f[__builtin_ctzll(mask)];

		fake_frame_fill(buf[back.n], 60, mac_bytes(in->hdr + 6), me,
				in->hdr[20]);
		back.f[back.n] = frame_flat(buf[back.n], 60);
		back.n++;
	}
	lan_input(&f->port, &back, false);
}

static void test_answer_inside_send(void **state)
{
	mac me = {{0x52, 0x55, 10, 0, 2, 2}};
	struct fake_port *gw, *vm, *vm2;
	uint8_t buf[60];
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	gw = port_make(&b);
	vm = port_make(&b);
	vm2 = port_make(&b);
	say(gw, MAC_BROADCAST, me);
	say(vm2, MAC_BROADCAST, fake_mac(2));
	gw->on_send = answer;
	fake_clear(vm);
	fake_clear(gw);
	fake_clear(vm2);
	/* frames to the gateway, to another machine and to all in one batch:
	 * the answers must not disturb what is still to be sent */
	for (uint32_t i = 0; i < 60; i++) {
		fake_frame_fill(buf, sizeof(buf),
				i % 3 == 0   ? me
				: i % 3 == 1 ? fake_mac(2)
					     : MAC_BROADCAST,
				fake_mac(1), i);
		fake_queue(vm, buf, sizeof(buf), NULL);
	}
	while (lan_port_readable(&vm->port))
		;
	assert_int_equal(gw->n_out, 40);
	assert_int_equal(vm->n_out, 40);
	assert_int_equal(vm2->n_out, 40);
	fake_lan_deinit(&b);
}

/* A cable: what is sent to one end comes in by the other. */
static void cable(struct fake_port *f, const struct batch *b, uint64_t mask)
{
	struct fake_port *far = f->arg;
	struct batch view = {.n = 0};

	for (; mask; mask &= mask - 1)
		view.f[view.n++] = b->f[__builtin_ctzll(mask)];
	lan_input(&far->port, &view, false);
}

static void join(struct fake_port *x, struct fake_port *y)
{
	x->on_send = y->on_send = cable;
	x->arg = y;
	y->arg = x;
}

static void test_lan_to_lan_and_loop(void **state)
{
	struct fake_port *vm, *far, *c[2], *d[2];
	struct lan *lan2;
	struct fake_lan b;

	(void)state;
	fake_lan_init(&b, false);
	lan2 = fake_lan_more(&b, "net1");
	vm = port_make(&b);
	c[0] = port_make(&b);
	c[1] = fake_new(lan2, &(struct fake_config){.name = "c1"});
	far = fake_new(lan2, &(struct fake_config){.name = "far"});
	join(c[0], c[1]);
	say(vm, MAC_BROADCAST, fake_mac(1));
	say(far, fake_mac(1), fake_mac(2));
	say(vm, fake_mac(2), fake_mac(1));
	assert_int_equal(far->n_out, 2);
	assert_int_equal(vm->n_out, 1);
	assert_int_equal(b.drops.n[DROP_LAN_LOOP], 0);
	/* A second cable makes a loop: it ends, by name. */
	d[0] = port_make(&b);
	d[1] = fake_new(lan2, &(struct fake_config){.name = "d1"});
	join(d[0], d[1]);
	say(vm, MAC_BROADCAST, fake_mac(1));
	assert_true(b.drops.n[DROP_LAN_LOOP] > 0);
	fake_lan_free(lan2);
	fake_lan_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keep_and_room),
		cmocka_unit_test(test_keep_at_lossy_exit_loses),
		cmocka_unit_test(test_keep_does_not_keep_floods),
		cmocka_unit_test(test_room_is_shared_fairly),
		cmocka_unit_test(test_waiting_sender_is_told_of_the_end),
		cmocka_unit_test(test_room_from_inside_is_put_off),
		cmocka_unit_test(test_waiter_leaves),
		cmocka_unit_test(test_answer_inside_send),
		cmocka_unit_test(test_lan_to_lan_and_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
