/* SPDX-License-Identifier: BSD-3-Clause */
/* Which addresses the switch hears that a machine has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "lan/fake_port.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/group.h"
#include "wire/nd.h"

static const mac MAC_ALL_NODES = {{0x33, 0x33, 0, 0, 0, 1}};

static int setup(void **state)
{
	struct fake_lan *b = calloc(1, sizeof(*b));

	fake_lan_init(b, false);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	fake_lan_deinit(*state);
	free(*state);
	return 0;
}

static struct fake_port *port_make(struct fake_lan *b)
{
	return fake_new(b->lan, &(struct fake_config){.name = "p"});
}

static addr ip(uint8_t last)
{
	return addr_v4(10, 0, 2, last);
}

/* "Who has the address 10.0.2.2?" as the machine n asks. */
static void arp_as(struct fake_port *f, mac src, mac sha, addr spa)
{
	uint8_t buf[ETH_MIN_LEN] = {0};
	struct wr w = wr_init(buf, sizeof(buf));
	const struct eth_hdr eth = {
		.dst = MAC_BROADCAST, .src = src, .type = ETH_T_ARP};
	const struct arp_msg m = {
		.op = ARP_REQUEST, .sha = sha, .spa = spa, .tpa = ip(2)};

	eth_emit(&w, &eth);
	arp_emit(&w, &m);
	fake_rx(f, buf, sizeof(buf), NULL);
}

static void arp(struct fake_port *f, uint32_t n, addr spa)
{
	arp_as(f, fake_mac(n), fake_mac(n), spa);
}

/* An IPv6 packet from fe80::n (or another first byte) to all. */
static void multicast6(struct fake_port *f, uint32_t n, uint8_t first)
{
	uint8_t buf[60] = {0};
	struct wr w = wr_init(buf, sizeof(buf));
	const struct eth_hdr eth = {
		.dst = MAC_ALL_NODES, .src = fake_mac(n), .type = ETH_T_IP6};

	eth_emit(&w, &eth);
	buf[14] = 0x60;
	buf[22] = first;
	buf[23] = 0x80;
	buf[37] = (uint8_t)n;
	fake_rx(f, buf, sizeof(buf), NULL);
}

static void assert_heard(const struct fake_port *f, unsigned i, addr a)
{
	assert_true(i < f->port.n_heard);
	assert_true(addr_eq(&f->port.heard[i], &a));
}

static void test_arp_tells(void **state)
{
	struct fake_lan *b = *state;
	struct fake_port *p = port_make(b), *q = port_make(b);

	arp(p, 1, ip(15));
	assert_int_equal(p->port.n_heard, 1);
	assert_heard(p, 0, ip(15));
	assert_int_equal(q->port.n_heard, 0);
	assert_int_equal(b->n_heard, 1);
	assert_ptr_equal(b->heard, &p->port);
	arp(p, 1, ip(15)); /* nothing new */
	assert_int_equal(b->n_heard, 1);
	arp(p, 1, ip(16));
	assert_heard(p, 0, ip(16));
	assert_heard(p, 1, ip(15));
	arp(p, 1, ip(15));
	assert_heard(p, 0, ip(15));
	assert_int_equal(p->port.n_heard, 2);
}

static void test_what_tells_nothing(void **state)
{
	struct fake_lan *b = *state;
	struct fake_port *p = port_make(b);
	uint8_t buf[ETH_MIN_LEN];

	arp(p, 1, addr_v4(0, 0, 0, 0)); /* a probe */
	arp(p, 1, addr_v4(127, 0, 0, 1));
	arp(p, 1, addr_v4(224, 0, 0, 1));
	arp(p, 1, addr_v4(255, 255, 255, 255));
	arp_as(p, fake_mac(1), fake_mac(2), ip(15)); /* for another */
	fake_frame_fill(buf, sizeof(buf), MAC_BROADCAST, fake_mac(1), 0);
	fake_rx(p, buf, sizeof(buf), NULL);
	buf[12] = 0x08; /* ARP, cut short, then IPv6, cut short */
	buf[13] = 0x06;
	fake_rx(p, buf, 30, NULL);
	buf[12] = 0x86;
	buf[13] = 0xdd;
	fake_rx(p, buf, 30, NULL);
	multicast6(p, 1, 0x20); /* may be a router's, for another */
	assert_int_equal(p->port.n_heard, 0);
	assert_int_equal(b->n_heard, 0);
}

static void test_link_local(void **state)
{
	struct fake_lan *b = *state;
	struct fake_port *p = port_make(b);
	addr want = {{0xfe, 0x80}};

	want.b[15] = 7;
	multicast6(p, 7, 0xfe);
	assert_heard(p, 0, want);
}

static addr ip6(uint8_t last)
{
	return (addr){{0x20, 0x01, 0x0d, 0xb8, [15] = last}};
}

static void nd(struct fake_port *f, uint32_t n, addr src, struct nd_msg m)
{
	const addr all = nd_all_nodes(), group = nd_solicited(&m.target);
	const addr *dst = m.type == ND_SOLICIT ? &group : &all;
	uint8_t buf[100];
	struct wr w = wr_init(buf, sizeof(buf));

	nd_emit_frame(&w, group_mac(dst), fake_mac(n), &src, dst, &m);
	fake_rx(f, buf, (uint32_t)wr_len(&w), NULL);
}

static void test_neighbours(void **state)
{
	struct fake_lan *b = *state;
	struct fake_port *p = port_make(b), *q = port_make(b);
	const struct nd_msg probe = {.type = ND_SOLICIT, .target = ip6(1)};

	nd(p, 1, (addr){{0}}, probe);
	assert_heard(p, 0, ip6(1));
	nd(p, 1, ip6(2),
	   (struct nd_msg){.type = ND_SOLICIT,
			   .source = fake_mac(1),
			   .target = ip6(9)});
	assert_heard(p, 0, ip6(2));
	nd(p, 1, ip6(1),
	   (struct nd_msg){.type = ND_ADVERTISE,
			   .target_mac = fake_mac(1),
			   .target = ip6(3)});
	assert_heard(p, 0, ip6(3));
	assert_int_equal(p->port.n_heard, 3);
	/* Another one wants it, and is told whose it is. */
	nd(q, 2, (addr){{0}}, probe);
	assert_heard(q, 0, ip6(1));
	nd(p, 1, ip6(1),
	   (struct nd_msg){.type = ND_ADVERTISE,
			   .target_mac = fake_mac(1),
			   .target = ip6(1)});
	assert_heard(p, 0, ip6(1));
	assert_int_equal(q->port.n_heard, 0);
}

static void test_neighbours_of_others(void **state)
{
	struct fake_port *p = port_make(*state);

	nd(p, 1, ip6(2),
	   (struct nd_msg){.type = ND_SOLICIT, .target = ip6(9)});
	nd(p, 1, ip6(2),
	   (struct nd_msg){.type = ND_SOLICIT,
			   .source = fake_mac(2),
			   .target = ip6(9)});
	nd(p, 1, ip6(2),
	   (struct nd_msg){.type = ND_ADVERTISE,
			   .target_mac = fake_mac(2),
			   .target = ip6(9)});
	nd(p, 1, ip6(2), (struct nd_msg){.type = ND_SOLICIT_ROUTER});
	assert_int_equal(p->port.n_heard, 0);
}

/* The ones that came last are kept. */
static void test_many(void **state)
{
	struct fake_port *p = port_make(*state);

	for (uint8_t i = 0; i < 100; i++)
		arp(p, 1, ip(i));
	assert_int_equal(p->port.n_heard, HEARD_MAX);
	for (uint8_t i = 0; i < HEARD_MAX; i++)
		assert_heard(p, i, ip(99 - i));
	arp(p, 1, ip(100 - HEARD_MAX)); /* the last one again */
	assert_heard(p, 0, ip(100 - HEARD_MAX));
	assert_heard(p, 1, ip(99));
	assert_int_equal(p->port.n_heard, HEARD_MAX);
}

/* It is whose it was heard of last. */
static void test_it_moves(void **state)
{
	struct fake_lan *b = *state;
	struct fake_port *p = port_make(b), *q = port_make(b);

	arp(p, 1, ip(14));
	arp(p, 1, ip(15));
	arp(p, 1, ip(16));
	arp(q, 2, ip(15));
	assert_heard(q, 0, ip(15));
	assert_int_equal(p->port.n_heard, 2);
	assert_heard(p, 0, ip(16));
	assert_heard(p, 1, ip(14));
	assert_int_equal(b->n_heard, 5);
}

static void test_the_link(void **state)
{
	struct fake_lan *b = *state;
	struct fake_port *p = port_make(b);

	arp(p, 1, ip(15));
	lan_port_link(&p->port, false);
	assert_int_equal(p->port.n_heard, 0);
	assert_int_equal(b->n_heard, 2);
}

/* Uplinks have a whole network behind them, and we know our own. */
static void test_who_is_no_machine(void **state)
{
	struct fake_lan *b = *state;
	struct fake_port *up =
		fake_new(b->lan, &(struct fake_config){.is_uplink = true});
	struct fake_port *ours =
		fake_new(b->lan, &(struct fake_config){.is_ours = true});

	arp(up, 1, ip(15));
	arp(ours, 2, ip(2));
	assert_int_equal(b->n_heard, 0);
}

/* A server has leased an address to who asks. */
static void lease(struct fake_port *f, const struct batch *batch, uint64_t mask)
{
	const addr leased = ip(20);

	(void)batch;
	(void)mask;
	lan_heard(f->port.lan, &leased);
}

static void test_a_lease(void **state)
{
	struct fake_lan *b = *state;
	struct fake_port *p = port_make(b), *gw = port_make(b);
	const addr none = ip(21);

	gw->on_send = lease;
	arp(p, 1, ip(15));
	assert_heard(p, 0, ip(20));
	assert_heard(p, 1, ip(15));
	lan_heard(b->lan, &none); /* of nobody */
	assert_int_equal(p->port.n_heard, 2);
}

/* In a hub no exit is known, and all is heard. */
static void test_a_hub(void **state)
{
	struct fake_lan hub;
	struct fake_port *p;

	(void)state;
	fake_lan_init(&hub, true);
	p = port_make(&hub);
	arp(p, 1, ip(15));
	assert_heard(p, 0, ip(15));
	fake_lan_deinit(&hub);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_arp_tells),
		T(test_what_tells_nothing),
		T(test_link_local),
		T(test_neighbours),
		T(test_neighbours_of_others),
		T(test_many),
		T(test_it_moves),
		T(test_the_link),
		T(test_who_is_no_machine),
		T(test_a_lease),
		T(test_a_hub),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
