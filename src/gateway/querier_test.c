/* SPDX-License-Identifier: BSD-3-Clause */
/* When the gateway asks who listens to which group, and when it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "gateway/fake_gateway.h"
#include "gateway/querier.h"
#include "wire/igmp.h"
#include "wire/mld.h"
#include "wire/packet.h"

#define SECOND UINT64_C(1000000000)

struct box {
	struct fake_gateway b;
	struct fake_port *vm[2]; /* vm[0] is b.g.port */
};

static int setup(void **state)
{
	struct gateway_config gc = fake_gateway_config();
	const struct fake_config pc = {.name = "vm0"}, pd = {.name = "vm1"};
	struct box *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	gc.v6 = (struct subnet){
		.net = {.ip = {{0xfe, 0xc0}}, .len = 64},
		.gw = {{0xfe, 0xc0, [15] = 2}},
		.dns = {{0xfe, 0xc0, [15] = 3}},
		.is_on = true,
	};
	fake_gateway_init(&t->b, &gc, &pc);
	t->vm[0] = t->b.g.port;
	t->vm[1] = fake_new(t->b.lan, &pd);
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct box *t = *state;

	fake_free(t->vm[1]);
	fake_gateway_deinit(&t->b);
	free(t);
	return 0;
}

/* General queries of a family that f was sent; they are forgotten. */
static unsigned asked(struct fake_port *f, uint8_t version)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->n_out; i++) {
		const struct fake_frame *o = &f->out[i];
		struct group_msg m;
		struct packet pkt;
		struct rd r;

		(void)packet_parse(o->data, o->len, o->len, &pkt);
		if (pkt.ip_version != version)
			continue;
		r = rd_init(o->data + pkt.l4_off, pkt.l4_len);
		if (version == 4 ? pkt.proto == IPPROTO_IGMP &&
					   igmp_parse(&r, &m)
				 : mld_parse(&r, &pkt.src.ip, &pkt.dst.ip,
					     &m))
			n += m.kind == GROUP_QUERY;
	}
	return n;
}

static void pass(struct box *t, unsigned seconds)
{
	for (unsigned i = 0; i < seconds; i++)
		fake_gateway_pass(&t->b, SECOND);
}

static void clear(struct box *t)
{
	fake_clear(t->vm[0]);
	fake_clear(t->vm[1]);
}

static void test_it_asks(void **state)
{
	struct box *t = *state;

	pass(t, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(asked(t->vm[i], 4), 1);
		assert_int_equal(asked(t->vm[i], 6), 1);
	}
	pass(t, QUERIER_EVERY_S + 2);
	assert_int_equal(asked(t->vm[0], 4), 2);
	assert_int_equal(asked(t->vm[0], 6), 2);
}

/* One machine: nobody to be kept from what it says. */
static void test_one_machine(void **state)
{
	struct box *t = *state;

	lan_port_link(&t->vm[1]->port, false);
	pass(t, 2 * QUERIER_EVERY_S);
	assert_int_equal(asked(t->vm[0], 4), 0);
	/* but for advertisements and the switch that has learned of them */
	assert_int_equal(t->b.wheel.n_armed, 2);
	lan_port_link(&t->vm[1]->port, true);
	pass(t, 2);
	assert_int_equal(asked(t->vm[0], 4), 1);
}

/* Whose link comes up is asked soon, but not as often as it may. */
static void test_a_link_that_comes_and_goes(void **state)
{
	struct box *t = *state;

	pass(t, 20);
	clear(t);
	for (unsigned i = 0; i < 30; i++) {
		lan_port_link(&t->vm[1]->port, false);
		lan_port_link(&t->vm[1]->port, true);
		pass(t, 1);
	}
	assert_in_range(asked(t->vm[0], 4), 4, 7);
}

/* Another asks, as the machine behind f with the address last. */
static void other_asks(struct fake_port *f, uint8_t last)
{
	const addr v4 = addr_v4(10, 0, 2, last);
	const addr v6 = {{0xfe, 0x80, [15] = last}};
	uint8_t b[MLD_QUERY_FRAME];
	struct wr w = wr_init(b, sizeof(b));

	igmp_emit_query(&w, fake_mac(2), &v4, 1000, 125);
	fake_rx(f, b, (uint32_t)wr_len(&w), NULL);
	w = wr_init(b, sizeof(b));
	mld_emit_query(&w, fake_mac(2), &v6, 1000, 125);
	fake_rx(f, b, (uint32_t)wr_len(&w), NULL);
}

static void test_the_lowest_address_asks(void **state)
{
	struct box *t = *state;

	pass(t, 2);
	other_asks(t->vm[1], 9);
	clear(t);
	pass(t, QUERIER_EVERY_S + 2);
	assert_int_equal(asked(t->vm[0], 4), 1);
	assert_int_equal(asked(t->vm[0], 6), 1);
	other_asks(t->vm[1], 1);
	clear(t);
	pass(t, QUERIER_EVERY_S + 2);
	assert_int_equal(asked(t->vm[0], 4), 0);
	assert_int_equal(asked(t->vm[0], 6), 0);
	pass(t, 2 * QUERIER_EVERY_S + 20); /* it fell silent */
	assert_int_equal(asked(t->vm[0], 4), 1);
	assert_int_equal(asked(t->vm[0], 6), 1);
}

/* Many a machine drops what comes from another network (rp_filter). */
static void test_a_foreign_address(void **state)
{
	const addr foreign = addr_v4(9, 9, 9, 9);
	struct box *t = *state;
	uint8_t b[IGMP_QUERY_FRAME];
	struct wr w = wr_init(b, sizeof(b));

	pass(t, 2);
	igmp_emit_query(&w, fake_mac(2), &foreign, 1000, 125);
	fake_rx(t->vm[1], b, (uint32_t)wr_len(&w), NULL);
	clear(t);
	pass(t, QUERIER_EVERY_S + 2);
	assert_int_equal(asked(t->vm[0], 4), 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_it_asks),
		T(test_one_machine),
		T(test_a_link_that_comes_and_goes),
		T(test_the_lowest_address_asks),
		T(test_a_foreign_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
