/* SPDX-License-Identifier: BSD-3-Clause */
/* Another router than the gateway, in whose name it advertises the network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/fake_gateway.h"
#include "wire/group.h"
#include "wire/nd.h"

static const addr ll6 = {{0xfe, 0x80, [15] = 2}};
static const addr guest_ll6 = {{0xfe, 0x80, [15] = 0x15}};
static const addr router_ll6 = {{0xfe, 0x80, [15] = 1}};

static int setup(void **state)
{
	struct gateway_config gc = fake_gateway_config6();

	gc.router6 = router_ll6;
	gc.is_restricted = true;
	gc.keeps_services = true;
	return fake_gateway_setup6(state, gc);
}

static void say(struct fake_gateway *b, const addr *dst, const struct nd_msg *m)
{
	uint8_t buf[2000];
	struct wr w = wr_init(buf, sizeof(buf));

	nd_emit_frame(&w, group_mac(dst), b->g.mac, &guest_ll6, dst, m);
	fake_clear(b->g.port);
	fake_rx(b->g.port, buf, (uint32_t)wr_len(&w), NULL);
}

static struct nd_msg heard_one(struct fake_gateway *b, struct packet *pkt,
			       uint8_t type)
{
	const struct fake_frame *f = &b->g.port->out[0];
	struct nd_msg m;

	assert_int_equal(b->g.port->n_out, 1);
	assert_int_equal(packet_parse(f->data, f->len, f->len, pkt),
			 PACKET_OK);
	assert_true(nd_parse(pkt, f->data + pkt->l4_off, false, &m));
	assert_int_equal(m.type, type);
	return m;
}

/* What is said is the network's; whose MAC the router has is his to say. */
static void expect_advert(struct fake_gateway *b, uint16_t lifetime_s)
{
	const addr dns = fake_inside6(3);
	struct packet pkt;
	struct nd_msg m = heard_one(b, &pkt, ND_ADVERTISE_ROUTER);

	assert_true(addr_eq(&pkt.src.ip, &router_ll6));
	assert_true(mac_is_zero(m.source));
	assert_true(mac_eq(pkt.eth_src, FAKE_GW_MAC));
	assert_int_equal(m.router.lifetime_s, lifetime_s);
	assert_true(m.router.has_prefix && m.router.is_managed);
	assert_true(addr_eq(&m.router.dns, &dns));
}

static void test_advertised(void **state)
{
	const struct nd_msg ask = {.type = ND_SOLICIT_ROUTER};
	const addr all = {{0xff, 2, [15] = 2}};
	struct fake_gateway *b = *state;

	say(b, &all, &ask);
	expect_advert(b, 1800);
	fake_clear(b->g.port);
	fake_gateway_pass(b, UINT64_C(1000000000));
	gateway_ways(b->gw, true, false);
	expect_advert(b, 0);
	fake_clear(b->g.port);
	fake_gateway_pass(b, UINT64_C(1000000000));
	gateway_ways(b->gw, false, true);
	expect_advert(b, 1800);
}

/* Its addresses are its own to answer for, and ours are no router's. */
static void test_neighbours(void **state)
{
	struct nd_msg ask = {.type = ND_SOLICIT, .target = router_ll6};
	struct fake_gateway *b = *state;
	addr group = nd_solicited(&router_ll6);
	struct packet pkt;
	struct nd_msg m;

	ask.source = b->g.mac;
	say(b, &group, &ask);
	assert_int_equal(b->g.port->n_out, 0);
	ask.target = ll6;
	group = nd_solicited(&ll6);
	say(b, &group, &ask);
	m = heard_one(b, &pkt, ND_ADVERTISE);
	assert_false(m.is_router);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_advertised, setup,
						fake_gateway_teardown),
		cmocka_unit_test_setup_teardown(test_neighbours, setup,
						fake_gateway_teardown),
	};

	return cmocka_run_group_tests_name("gateway_router6", tests, NULL,
					   NULL);
}
