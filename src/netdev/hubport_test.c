/* SPDX-License-Identifier: BSD-3-Clause */
/* Tests of hubport: carrier, offloads, rings of cables, ends that go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "netdev/netdev.h"
#include "netdev/rig.h"

struct bench {
	struct rig rig;
	struct lan *a, *b;
	struct mem_port *on_a, *on_b;
	struct port *end_a, *end_b;
	uint8_t frame[1500];
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	rig_init(&b->rig);
	b->a = b->rig.lan;
	b->b = rig_lan(&b->rig, "b");
	b->on_a = mem_port_new(&b->rig, b->a, "a", 64);
	b->on_b = mem_port_new(&b->rig, b->b, "b", 64);
	memset(b->frame, 2, sizeof(b->frame));
	b->frame[11] = 3;
	*state = b;
	return netdev_hubport_new(&b->rig.env,
				  &(struct netdev_hubport_config){.name = "h",
								  .a = b->a,
								  .b = b->b},
				  &b->end_a, &b->end_b);
}

static int teardown(void **state)
{
	struct bench *b = *state;

	rig_remove(b->end_a);
	rig_remove(b->end_b);
	rig_remove(&b->on_a->port);
	rig_remove(&b->on_b->port);
	lan_free(b->b);
	rig_deinit(&b->rig);
	free(b);
	return 0;
}

static void from_a(struct bench *b, unsigned n)
{
	struct batch batch = {.n = n};

	for (unsigned i = 0; i < n; i++)
		batch.f[i] = frame_flat(b->frame, 100 + i);
	(void)lan_input(&b->on_a->port, &batch, false); /* nothing is kept */
}

static void test_carrier(void **state)
{
	struct bench *b = *state;

	assert_true(port_is_up(b->end_a) && port_is_up(b->end_b));
	from_a(b, 5);
	assert_int_equal(b->on_b->n, 5);
	lan_port_admin(b->end_b, false); /* pulled there: dark here */
	assert_false(port_is_up(b->end_a));
	from_a(b, 5);
	assert_int_equal(b->on_b->n, 5);
	lan_port_admin(b->end_b, true);
	assert_true(port_is_up(b->end_a));
	from_a(b, 5);
	assert_int_equal(b->on_b->n, 10);
}

/* Either end may go first; the other is dark then. */
static void test_one_end_goes(void **state)
{
	struct bench *b = *state;
	struct batch batch = {.n = 1};

	rig_remove(b->end_b);
	b->end_b = NULL;
	assert_false(port_is_up(b->end_a));
	batch.f[0] = frame_flat(b->frame, 60);
	assert_true(b->end_a->ops->send(b->end_a, &batch, 1) == 1);
	assert_int_equal(b->rig.drops.n[DROP_LINK_DOWN], 1);
	assert_int_equal(b->end_a->stats.tx_drops, 1);
}

/* An end off its lan but not yet closed. */
static void test_between_del_and_close(void **state)
{
	struct bench *b = *state;

	lan_port_del(b->end_b);
	from_a(b, 3);
	assert_int_equal(b->rig.drops.n[DROP_LINK_DOWN], 3);
	b->end_b->ops->close(b->end_b);
	b->end_b = NULL;
}

/* Two cables between the same lans: frames arrive, and do not go round. */
static void test_ring(void **state)
{
	struct bench *b = *state;
	struct port *a2 = NULL, *b2 = NULL;

	assert_int_equal(
		netdev_hubport_new(&b->rig.env,
				   &(struct netdev_hubport_config){.name = "i",
								   .a = b->a,
								   .b = b->b},
				   &a2, &b2),
		0);
	from_a(b, 1);
	assert_true(b->on_b->n >= 1 && b->on_b->n <= 2);
	assert_true(b->rig.drops.n[DROP_HAIRPIN] > 0);
	rig_remove(a2);
	rig_remove(b2);
}

static void look(void *arg, const struct frame *f)
{
	*(struct frame *)arg = *f;
}

/* Requests and views cross as they are; nothing is copied. */
static void test_offload_passes(void **state)
{
	struct bench *b = *state;
	struct frame seen = {0};
	struct batch batch = {.n = 1};
	struct port_caps caps = b->on_b->port.caps;

	b->on_b->look = look;
	b->on_b->look_arg = &seen;
	caps.offload = PORT_O_ALL;
	lan_port_caps(&b->on_b->port, &caps);
	batch.f[0] = frame_flat(b->frame, sizeof(b->frame));
	batch.f[0].off = (struct frame_offload){.flags = FRAME_F_NEEDS_CSUM,
						.csum_start = 34,
						.csum_offset = 16};
	(void)lan_input(&b->on_a->port, &batch, false);
	assert_ptr_equal(seen.hdr, b->frame);
	assert_int_equal(seen.len, sizeof(b->frame));
	assert_memory_equal(&seen.off, &batch.f[0].off, sizeof(seen.off));
}

/* The far lan's one exit is full: what is lost has a name there. */
static void test_full_exit(void **state)
{
	struct bench *b = *state;
	struct batch batch = {.n = FRAME_BATCH};

	b->frame[11] = 9; /* b's station is known: one exit */
	mem_port_push(b->on_b, b->frame, 60);
	rig_turn(&b->rig, 0);
	rig_turn(&b->rig, 0);
	b->frame[5] = 9;
	b->frame[11] = 3;
	for (unsigned i = 0; i < FRAME_BATCH; i++)
		batch.f[i] = frame_flat(b->frame, 100);
	b->on_b->n_max = 40;
	assert_true(b->end_a->ops->send(b->end_a, &batch,
					batch_mask(&batch)) ==
		    batch_mask(&batch));
	assert_int_equal(b->on_b->n, 40);
	assert_int_equal(b->rig.drops.n[DROP_PORT_FULL], 24);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest t[] = {
		TEST(test_carrier), TEST(test_one_end_goes),
		TEST(test_between_del_and_close), TEST(test_ring),
		TEST(test_offload_passes), TEST(test_full_exit),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
