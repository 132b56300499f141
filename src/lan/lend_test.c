/* SPDX-License-Identifier: BSD-3-Clause */
/* Lend and give: straight from the exit, from scratch, and refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lan/fake_port.h"

#define SECOND UINT64_C(1000000000)

struct bench {
	struct fake_lan net;
	struct fake_port *gw, *vm;
	struct lend *l;
};

static const mac gw_mac = {{0x52, 0x55, 10, 0, 2, 2}};

static void say(struct fake_port *f, mac dst, mac src)
{
	uint8_t buf[60];

	fake_frame_fill(buf, sizeof(buf), dst, src, 9);
	fake_rx(f, buf, sizeof(buf), NULL);
}

/* A gateway, and a machine fake_mac(1) of kind c; both are known. */
static void bench_init(struct bench *b, bool is_hub,
		       const struct fake_config *c)
{
	fake_lan_init(&b->net, is_hub);
	b->l = calloc(1, sizeof(*b->l));
	assert_non_null(b->l);
	b->gw = fake_new(b->net.lan, &(struct fake_config){.can_wait = true});
	b->vm = fake_new(b->net.lan, c);
	say(b->vm, MAC_BROADCAST, fake_mac(1));
	say(b->gw, fake_mac(1), gw_mac);
	fake_clear(b->vm);
	fake_clear(b->gw);
}

static void bench_deinit(struct bench *b)
{
	fake_lan_deinit(&b->net);
	free(b->l);
}

static unsigned borrow(struct bench *b, mac dst, unsigned n, uint32_t want)
{
	b->l->n = n;
	for (unsigned i = 0; i < n; i++)
		b->l->f[i] = (struct lend_frame){.want = want};
	return lan_lend(&b->gw->port, dst, b->l);
}

/* Fills the first n frames with len bytes to dst each; gives them. */
static unsigned fill_and_give(struct bench *b, mac dst, unsigned n,
			      uint32_t len)
{
	uint8_t *buf = malloc(FRAME_MAX);
	unsigned got;

	assert_non_null(buf);
	for (unsigned i = 0; i < n; i++) {
		fake_frame_fill(buf, len, dst, gw_mac, i);
		/* in two parts, as a header and a payload */
		lend_put(&b->l->f[i], 0, buf, 14);
		lend_put(&b->l->f[i], 14, buf + 14, len - 14);
		b->l->f[i].len = len;
	}
	b->l->n_used = n;
	got = lan_give(&b->gw->port, dst, b->l);
	free(buf);
	return got;
}

static void expect_frames(const struct fake_port *f, mac dst, unsigned n,
			  uint32_t len, bool is_lent)
{
	uint8_t *buf = malloc(FRAME_MAX);

	assert_non_null(buf);
	assert_int_equal(f->n_out, n);
	for (unsigned i = 0; i < n; i++) {
		fake_frame_fill(buf, len, dst, gw_mac, i);
		assert_int_equal(f->out[i].len, len);
		assert_memory_equal(f->out[i].data, buf, len);
		assert_int_equal(f->out[i].is_lent, is_lent);
	}
	free(buf);
}

static void test_direct(void **state)
{
	struct fake_config c = {.can_lend = true, .lend_piece = 100};
	struct bench b;

	(void)state;
	bench_init(&b, false, &c);
	assert_int_equal(borrow(&b, fake_mac(1), 20, 1514), 20);
	assert_ptr_equal(b.l->port, &b.vm->port);
	assert_int_equal(b.l->f[0].n_iov, 16);
	assert_true(b.vm->port.lent);
	assert_int_equal(fill_and_give(&b, fake_mac(1), 7, 1414), 7);
	assert_false(b.vm->port.lent);
	assert_int_equal(b.vm->n_give, 1);
	expect_frames(b.vm, fake_mac(1), 7, 1414, true);
	assert_int_equal(b.vm->port.stats.tx_frames, 1 + 7);
	assert_int_equal(b.gw->port.stats.rx_bytes, 60 + 7 * 1414);
	/* all rewound */
	assert_int_equal(borrow(&b, fake_mac(1), 20, 1514), 20);
	assert_int_equal(fill_and_give(&b, fake_mac(1), 0, 14), 0);
	assert_int_equal(b.vm->n_give, 2);
	assert_int_equal(b.vm->n_out, 7);
	bench_deinit(&b);
}

/* Fewer than wanted: bounded by room, or by the pool of pieces. */
static void test_direct_lends_a_prefix(void **state)
{
	struct fake_config c = {.can_lend = true, .lend_piece = 64};
	struct bench b;

	(void)state;
	bench_init(&b, false, &c);
	b.vm->room = 3;
	assert_int_equal(borrow(&b, fake_mac(1), 20, 1514), 3);
	assert_int_equal(fill_and_give(&b, fake_mac(1), 3, 60), 3);
	b.vm->room = FAKE_NO_LIMIT;
	assert_int_equal(borrow(&b, fake_mac(1), 64, 1514),
			 LEND_IOV_MAX / 24);
	assert_int_equal(fill_and_give(&b, fake_mac(1), 1, 60), 1);
	bench_deinit(&b);
}

static void test_refused_then_room(void **state)
{
	struct fake_config c = {.can_lend = true};
	struct bench b;

	(void)state;
	bench_init(&b, false, &c);
	b.vm->room = 0;
	assert_int_equal(borrow(&b, fake_mac(1), 4, 1514), 0);
	assert_int_equal(b.l->n, 0);
	assert_int_equal(b.vm->n_lend, 1);
	assert_int_equal(b.vm->n_want_room, 1);
	assert_int_equal(borrow(&b, fake_mac(1), 4, 1514), 0);
	assert_int_equal(b.vm->n_lend, 1); /* not asked again */
	fake_add_room(b.vm, 10);
	assert_int_equal(b.gw->n_room, 1);
	assert_ptr_equal(b.gw->last_room, &b.vm->port);
	assert_int_equal(borrow(&b, fake_mac(1), 4, 1514), 4);
	assert_int_equal(fill_and_give(&b, fake_mac(1), 4, 1514), 4);
	bench_deinit(&b);
}

/* An exit that lends but is lossy and full: scratch, and lost by name. */
static void test_lossy_lender_without_room(void **state)
{
	struct fake_config c = {.can_lend = true, .lossy = true};
	struct bench b;

	(void)state;
	bench_init(&b, false, &c);
	b.vm->room = 0;
	assert_int_equal(borrow(&b, fake_mac(1), 4, 1514), 4);
	assert_null(b.l->port);
	assert_int_equal(fill_and_give(&b, fake_mac(1), 4, 1514), 4);
	assert_int_equal(b.net.drops.n[DROP_PORT_FULL], 4);
	bench_deinit(&b);
}

static void test_scratch(void **state)
{
	struct fake_config c = {0};
	struct bench b;

	(void)state;
	bench_init(&b, false, &c);
	assert_int_equal(borrow(&b, fake_mac(1), 64, 1514), 64);
	assert_null(b.l->port);
	for (unsigned i = 1; i < 64; i++) { /* close together */
		const uint8_t *p = b.l->f[i - 1].iov->iov_base;
		const uint8_t *q = b.l->f[i].iov->iov_base;

		assert_in_range(q - p, 1514, 1514 + 64);
	}
	assert_int_equal(fill_and_give(&b, fake_mac(1), 60, 1000), 60);
	expect_frames(b.vm, fake_mac(1), 60, 1000, false);
	assert_int_equal(b.vm->n_send, 2); /* one before, one for the batch */
	/* the largest there are */
	fake_clear(b.vm);
	assert_int_equal(borrow(&b, fake_mac(1), 64, FRAME_MAX), 64);
	assert_int_equal(fill_and_give(&b, fake_mac(1), 64, FRAME_MAX), 64);
	expect_frames(b.vm, fake_mac(1), 64, FRAME_MAX, false);
	bench_deinit(&b);
}

static void test_scratch_short_of_room(void **state)
{
	struct fake_config c = {0};
	struct bench b;

	(void)state;
	bench_init(&b, false, &c);
	b.vm->room = 5;
	assert_int_equal(borrow(&b, fake_mac(1), 10, 1514), 10);
	assert_int_equal(fill_and_give(&b, fake_mac(1), 10, 1000), 5);
	assert_int_equal(b.net.drops.n[DROP_PORT_FULL], 0);
	assert_int_equal(b.vm->n_want_room, 1);
	assert_int_equal(borrow(&b, fake_mac(1), 10, 1514), 0); /* known full */
	fake_add_room(b.vm, 100);
	assert_int_equal(b.gw->n_room, 1);
	assert_int_equal(borrow(&b, fake_mac(1), 10, 1514), 10);
	assert_int_equal(fill_and_give(&b, fake_mac(1), 10, 1000), 10);
	bench_deinit(&b);
}

static void test_scratch_at_lossy_exit(void **state)
{
	struct fake_config c = {.lossy = true};
	struct bench b;

	(void)state;
	bench_init(&b, false, &c);
	b.vm->room = 5;
	assert_int_equal(borrow(&b, fake_mac(1), 10, 1514), 10);
	assert_int_equal(fill_and_give(&b, fake_mac(1), 10, 1000), 10);
	assert_int_equal(b.net.drops.n[DROP_PORT_FULL], 5);
	assert_int_equal(borrow(&b, fake_mac(1), 1, 1514), 1);
	assert_int_equal(fill_and_give(&b, fake_mac(1), 1, 1000), 1);
	bench_deinit(&b);
}

/* Unknown and group destinations go through scratch to everybody. */
static void test_flooded(void **state)
{
	struct fake_config c = {.can_lend = true};
	struct fake_port *vm2;
	struct bench b;

	(void)state;
	bench_init(&b, false, &c);
	vm2 = fake_new(b.net.lan, &c);
	assert_int_equal(borrow(&b, fake_mac(99), 3, 1514), 3);
	assert_null(b.l->port);
	assert_int_equal(fill_and_give(&b, fake_mac(99), 3, 500), 3);
	expect_frames(b.vm, fake_mac(99), 3, 500, false);
	expect_frames(vm2, fake_mac(99), 3, 500, false);
	assert_int_equal(borrow(&b, MAC_BROADCAST, 3, 1514), 3);
	assert_null(b.l->port);
	assert_int_equal(fill_and_give(&b, MAC_BROADCAST, 3, 500), 3);
	assert_int_equal(b.vm->n_out + vm2->n_out, 12);
	assert_int_equal(b.vm->n_lend + vm2->n_lend, 0);
	bench_deinit(&b);
}

static void test_hub_lends_scratch(void **state)
{
	struct fake_config c = {.can_lend = true};
	struct bench b;

	(void)state;
	bench_init(&b, true, &c);
	assert_int_equal(borrow(&b, fake_mac(1), 3, 1514), 3);
	assert_null(b.l->port);
	assert_int_equal(fill_and_give(&b, fake_mac(1), 3, 500), 3);
	expect_frames(b.vm, fake_mac(1), 3, 500, false);
	bench_deinit(&b);
}

/* A frame too long for an exit without GSO is not lent by it; scratch can be
 * cut. */
static void test_exit_that_cannot_take_the_length(void **state)
{
	struct fake_config c = {.can_lend = true, .max_frame = 1514};
	struct bench b;

	(void)state;
	bench_init(&b, false, &c);
	assert_int_equal(borrow(&b, fake_mac(1), 1, 60000), 1);
	assert_null(b.l->port);
	assert_int_equal(fill_and_give(&b, fake_mac(1), 1, 60000), 1);
	assert_int_equal(b.net.drops.n[DROP_FRAME_LONG], 1);
	assert_int_equal(borrow(&b, fake_mac(1), 1, 1514), 1);
	assert_non_null(b.l->port);
	assert_int_equal(fill_and_give(&b, fake_mac(1), 1, 1514), 1);
	b.vm->port.caps.offload = PORT_O_CSUM | PORT_O_TSO4;
	assert_int_equal(borrow(&b, fake_mac(1), 1, 60000), 1);
	assert_non_null(b.l->port);
	assert_int_equal(fill_and_give(&b, fake_mac(1), 0, 14), 0);
	bench_deinit(&b);
}

/* The checksum is completed in the lent buffers for an exit that cannot. */
static void test_csum_in_place(void **state)
{
	struct fake_config c = {.can_lend = true, .lend_piece = 33};
	uint8_t frame[400];
	struct lend_frame *f;
	uint32_t sum = 0;
	struct bench b;

	(void)state;
	bench_init(&b, false, &c);
	fake_frame_fill(frame, sizeof(frame), fake_mac(1), gw_mac, 3);
	assert_int_equal(borrow(&b, fake_mac(1), 1, sizeof(frame)), 1);
	assert_non_null(b.l->port);
	f = &b.l->f[0];
	lend_put(f, 0, frame, sizeof(frame) - 1);
	f->len = sizeof(frame) - 1; /* an odd length, over odd pieces */
	f->off = (struct frame_offload){.flags = FRAME_F_NEEDS_CSUM,
					.csum_start = 34,
					.csum_offset = 16};
	b.l->n_used = 1;
	assert_int_equal(lan_give(&b.gw->port, fake_mac(1), b.l), 1);
	assert_int_equal(b.vm->out[0].off.flags, 0);
	/* All bytes but the field are as they were; together with what the
	 * field held (the pseudo-header's sum) they add up to nothing. */
	sum = (uint32_t)frame[50] << 8 | frame[51];
	for (unsigned i = 34; i < sizeof(frame) - 1; i++) {
		uint8_t v = b.vm->out[0].data[i];

		if (i != 50 && i != 51)
			assert_int_equal(v, frame[i]);
		sum += i & 1 ? v : (uint32_t)v << 8;
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	assert_int_equal(sum, 0xffff);
	bench_deinit(&b);
}

/* The gateway only lends for a long time: its address stays known. */
static void test_lender_address_stays_known(void **state)
{
	struct fake_config c = {.can_lend = true};
	struct fake_port *vm2;
	struct bench b;

	(void)state;
	bench_init(&b, false, &c);
	vm2 = fake_new(b.net.lan, &c);
	for (int i = 0; i < 10; i++) {
		fake_lan_advance(&b.net, 60 * SECOND);
		say(b.vm, gw_mac, fake_mac(1));
		assert_int_equal(borrow(&b, fake_mac(1), 1, 1514), 1);
		assert_ptr_equal(b.l->port, &b.vm->port);
		assert_int_equal(fill_and_give(&b, fake_mac(1), 1, 60), 1);
	}
	assert_int_equal(vm2->n_out, 0);
	bench_deinit(&b);
}

/* The exit's answer to a give makes the gateway lend again, inside. */
static void lend_again(struct fake_port *f, const struct batch *batch,
		       uint64_t mask)
{
	struct bench *b = f->arg;
	struct lend *mine = b->l;
	struct lend *l = calloc(1, sizeof(*l));
	uint8_t keep[60];

	(void)mask;
	assert_non_null(l);
	memcpy(keep, batch->f[0].hdr, sizeof(keep));
	b->l = l;
	if (f->n_send < 5) {
		assert_int_equal(borrow(b, fake_mac(1), 64, 1514), 64);
		assert_null(l->port);
		assert_int_equal(fill_and_give(b, fake_mac(1), 64, 1514), 64);
	}
	b->l = mine;
	free(l);
	/* what we were given is not overwritten */
	assert_memory_equal(keep, batch->f[0].hdr, sizeof(keep));
}

/* A machine used the lender's address once; the next frames that are given
 * straight to an exit bring it back. */
static void test_lender_takes_its_address_back(void **state)
{
	struct fake_config c = {.can_lend = true};
	struct fake_port *other;
	struct bench b;

	(void)state;
	bench_init(&b, false, &c);
	other = fake_new(b.net.lan, &c);
	say(other, fake_mac(1), gw_mac);
	fake_clear(b.vm);
	assert_int_equal(borrow(&b, fake_mac(1), 1, 1514), 1);
	assert_ptr_equal(b.l->port, &b.vm->port);
	assert_int_equal(fill_and_give(&b, fake_mac(1), 1, 1514), 1);
	say(b.vm, gw_mac, fake_mac(1));
	assert_int_equal(other->n_out, 0);
	assert_int_equal(b.gw->n_out, 1);
	bench_deinit(&b);
}

static void test_scratch_nests(void **state)
{
	struct fake_config c = {0};
	struct bench b;

	(void)state;
	bench_init(&b, false, &c);
	b.vm->n_send = 0;
	b.vm->on_send = lend_again;
	b.vm->arg = &b;
	assert_int_equal(borrow(&b, fake_mac(1), 10, 1514), 10);
	assert_int_equal(fill_and_give(&b, fake_mac(1), 10, 100), 10);
	assert_int_equal(b.vm->n_out, 10 + 4 * 64);
	bench_deinit(&b);
}

static void test_down_exit_is_not_asked(void **state)
{
	struct fake_config c = {.can_lend = true};
	struct bench b;

	(void)state;
	bench_init(&b, false, &c);
	port_fault(&b.vm->port, FAULT_RING, "broken");
	assert_int_equal(borrow(&b, fake_mac(1), 1, 1514), 1);
	assert_null(b.l->port);
	assert_int_equal(fill_and_give(&b, fake_mac(1), 1, 60), 1);
	assert_int_equal(b.vm->n_lend, 0);
	assert_int_equal(b.net.drops.n[DROP_PORT_FAULT], 1);
	bench_deinit(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_direct),
		cmocka_unit_test(test_direct_lends_a_prefix),
		cmocka_unit_test(test_refused_then_room),
		cmocka_unit_test(test_lossy_lender_without_room),
		cmocka_unit_test(test_scratch),
		cmocka_unit_test(test_scratch_short_of_room),
		cmocka_unit_test(test_scratch_at_lossy_exit),
		cmocka_unit_test(test_flooded),
		cmocka_unit_test(test_hub_lends_scratch),
		cmocka_unit_test(test_exit_that_cannot_take_the_length),
		cmocka_unit_test(test_csum_in_place),
		cmocka_unit_test(test_lender_address_stays_known),
		cmocka_unit_test(test_lender_takes_its_address_back),
		cmocka_unit_test(test_scratch_nests),
		cmocka_unit_test(test_down_exit_is_not_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
