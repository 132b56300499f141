/* SPDX-License-Identifier: BSD-3-Clause */
/* Two machines with one MAC: who gets an alias, when, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lan/alias.h"
#include "lan/fake_port.h"
#include "wire/arp.h"
#include "wire/eth.h"

#define SECOND UINT64_C(1000000000)

static const mac twin = {{0x52, 0x54, 0, 0x12, 0x34, 0x56}};
static const mac alias_1 = {{0x0e, 0x76, 1, 0x12, 0x34, 0x56}};
static const mac alias_2 = {{0x0e, 0x76, 2, 0x12, 0x34, 0x56}};
static const mac gw_mac = {{0x52, 0x55, 10, 0, 2, 2}};

/* a and b are machines, c is one that watches, gw the gateway. */
struct bench {
	struct fake_lan net;
	struct fake_port *a, *b, *c, *gw;
};

static int setup(void **state)
{
	struct bench *t = calloc(1, sizeof(*t));
	const struct fake_config c = {.name = "p"};

	assert_non_null(t);
	fake_lan_init(&t->net, false);
	t->a = fake_new(t->net.lan, &c);
	t->b = fake_new(t->net.lan, &c);
	t->c = fake_new(t->net.lan, &c);
	t->gw = fake_new(t->net.lan,
			 &(struct fake_config){.is_ours = true,
					       .can_wait = true});
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

static void say(struct fake_port *f, mac dst, mac src)
{
	uint8_t buf[60];

	fake_frame_fill(buf, sizeof(buf), dst, src, 9);
	fake_rx(f, buf, sizeof(buf), NULL);
}

static void put_probe(uint8_t *buf, mac src, uint16_t type)
{
	struct wr w = wr_init(buf, 60);
	struct eth_hdr eth = {.dst = MAC_BROADCAST, .src = src, .type = type};
	struct arp_msg m = {.op = ARP_REQUEST,
			    .sha = src,
			    .spa = addr_v4(0, 0, 0, 0),
			    .tpa = addr_v4(10, 0, 2, 15)};

	eth_emit(&w, &eth);
	arp_emit(&w, &m);
	wr_zero(&w, wr_left(&w));
}

/* A machine that starts: it has no address yet. */
static void start(struct fake_port *f, mac src)
{
	uint8_t buf[60];

	put_probe(buf, src, ETH_T_ARP);
	fake_rx(f, buf, sizeof(buf), NULL);
}

/* What QEMU sends for a machine that has just arrived. */
static void announce(struct fake_port *f, mac src)
{
	uint8_t buf[60];

	put_probe(buf, src, 0x8035);
	fake_rx(f, buf, sizeof(buf), NULL);
}

static mac dst_of(const struct fake_port *f, unsigned i)
{
	assert_true(i < f->n_out);
	return mac_bytes(f->out[i].data);
}

static mac src_of(const struct fake_port *f, unsigned i)
{
	assert_true(i < f->n_out);
	return mac_bytes(f->out[i].data + 6);
}

static void assert_mac(mac got, mac want)
{
	assert_memory_equal(got.b, want.b, sizeof(want.b));
}

static void clear(struct bench *t)
{
	fake_clear(t->a);
	fake_clear(t->b);
	fake_clear(t->c);
	fake_clear(t->gw);
}

/* A frame of c's to dst comes out of f only, addressed to want. */
static void expect_way(struct bench *t, mac dst, const struct fake_port *f,
		       mac want)
{
	clear(t);
	say(t->c, dst, fake_mac(3));
	assert_int_equal(t->a->n_out + t->b->n_out + t->gw->n_out, 1);
	assert_mac(dst_of(f, 0), want);
	assert_mac(src_of(f, 0), fake_mac(3));
}

/* twin is a's, and b has the alias. */
static void expect_alias_at_b(struct bench *t)
{
	expect_way(t, twin, t->a, twin);
	expect_way(t, alias_1, t->b, twin);
	clear(t);
	say(t->b, fake_mac(3), twin);
	assert_int_equal(t->c->n_out, 1);
	assert_mac(src_of(t->c, 0), alias_1);
	say(t->a, fake_mac(3), twin);
	assert_mac(src_of(t->c, 1), twin);
}

static void expect_told_once(const struct bench *t, mac alias)
{
	assert_int_equal(t->net.n_clash, 1);
	assert_ptr_equal(t->net.clash_a, &t->a->port);
	assert_ptr_equal(t->net.clash_b, &t->b->port);
	assert_mac(t->net.clash_alias, alias);
}

/* --- a second machine --------------------------------------------------- */

static void test_start_at_a_second_port(void **state)
{
	struct bench *t = *state;

	say(t->a, MAC_BROADCAST, twin);
	clear(t);
	start(t->b, twin);
	/* The very frame that told of it. */
	assert_mac(src_of(t->c, 0), alias_1);
	assert_mac(mac_bytes(t->c->out[0].data + 14 + 8), alias_1);
	assert_int_equal(t->c->n_out, 1);
	say(t->c, MAC_BROADCAST, fake_mac(3));
	expect_told_once(t, alias_1);
	expect_alias_at_b(t);
	expect_told_once(t, alias_1);
}

static void test_they_see_each_other(void **state)
{
	struct bench *t = *state;

	say(t->a, MAC_BROADCAST, twin);
	start(t->b, twin);
	clear(t);
	say(t->a, alias_1, twin);
	assert_mac(dst_of(t->b, 0), twin);
	assert_mac(src_of(t->b, 0), alias_1); /* not its own */
	say(t->b, alias_1, twin);
	assert_mac(dst_of(t->a, 0), twin);
	assert_mac(src_of(t->a, 0), alias_1);
	assert_int_equal(t->c->n_out, 0);
	/* What floods for a machine that is gone is not b's. */
	lan_port_link(&t->a->port, false);
	clear(t);
	say(t->c, twin, fake_mac(3));
	assert_mac(dst_of(t->b, 0), alias_1);
	/* And its own address is still nowhere but behind itself. */
	say(t->b, twin, twin);
	assert_int_equal(t->net.drops.n[DROP_HAIRPIN], 1);
}

/* Frames before and behind it in one batch, other addresses among them. */
static void test_in_the_middle_of_a_batch(void **state)
{
	struct bench *t = *state;
	uint8_t buf[60];

	say(t->c, MAC_BROADCAST, fake_mac(3));
	say(t->a, MAC_BROADCAST, twin);
	clear(t);
	for (unsigned i = 0; i < FRAME_BATCH; i++) {
		mac src = i % 3 ? twin : fake_mac(100);

		fake_frame_fill(buf, sizeof(buf), fake_mac(3), src, i);
		if (i == 20)
			put_probe(buf, twin, ETH_T_ARP);
		else if (i < 20)
			memcpy(buf + 6, fake_mac(100).b, 6);
		fake_queue(t->b, buf, sizeof(buf), NULL);
	}
	assert_true(lan_port_readable(&t->b->port) ||
		    t->b->n_borrowed == 0);
	assert_int_equal(t->c->n_out, FRAME_BATCH);
	for (unsigned i = 0; i < FRAME_BATCH; i++) {
		bool is_twin = i >= 20 && (i == 20 || i % 3);

		assert_mac(src_of(t->c, i), is_twin ? alias_1 : fake_mac(100));
		fake_frame_fill(buf, sizeof(buf), fake_mac(3), twin, i);
		if (i != 20)
			assert_memory_equal(t->c->out[i].data + 14, buf + 14,
					    sizeof(buf) - 14);
	}
	assert_int_equal(t->a->n_out, 1); /* the probe */
	assert_int_equal(t->b->port.stats.rx_frames, FRAME_BATCH);
	assert_int_equal(t->b->port.stats.rx_drops, 0);
	assert_int_equal(t->c->port.stats.tx_frames,
			 1 + FRAME_BATCH); /* and a's first */
	expect_told_once(t, alias_1);
}

/* The table has forgotten a, and the switch has not. */
static void test_the_first_is_silent(void **state)
{
	struct bench *t = *state;

	say(t->a, MAC_BROADCAST, twin);
	fake_lan_advance(&t->net, (LAN_AGE_SECONDS + 10) * SECOND);
	start(t->b, twin);
	expect_told_once(t, alias_1);
	say(t->c, MAC_BROADCAST, fake_mac(3));
	expect_alias_at_b(t);
}

/* Nobody starts: both have addresses, and both send. */
static void test_flapping(void **state)
{
	struct bench *t = *state;

	say(t->c, MAC_BROADCAST, fake_mac(3));
	say(t->a, MAC_BROADCAST, twin);
	say(t->b, MAC_BROADCAST, twin); /* may have moved */
	assert_int_equal(t->net.n_clash, 0);
	expect_way(t, twin, t->b, twin);
	say(t->a, MAC_BROADCAST, twin);
	expect_told_once(t, alias_1);
	for (int i = 0; i < 200; i++) {
		say(i % 2 ? t->a : t->b, MAC_BROADCAST, twin);
		fake_lan_advance(&t->net, SECOND);
	}
	expect_told_once(t, alias_1);
	expect_alias_at_b(t);
}

/* It sends something else first, and asks for an address a little later. */
static void test_starts_late(void **state)
{
	struct bench *t = *state;

	say(t->c, MAC_BROADCAST, fake_mac(3));
	say(t->a, MAC_BROADCAST, twin);
	say(t->b, MAC_BROADCAST, twin);
	say(t->b, MAC_BROADCAST, fake_mac(2));
	fake_lan_advance(&t->net, 20 * SECOND);
	start(t->b, fake_mac(2)); /* another one's start says nothing */
	assert_int_equal(t->net.n_clash, 0);
	start(t->b, twin);
	expect_told_once(t, alias_1);
	expect_alias_at_b(t);
}

static void test_a_third(void **state)
{
	struct bench *t = *state;

	say(t->a, MAC_BROADCAST, twin);
	start(t->b, twin);
	clear(t);
	start(t->c, twin);
	assert_mac(src_of(t->a, 0), alias_2);
	assert_mac(src_of(t->b, 0), alias_2);
	clear(t);
	say(t->b, alias_2, twin);
	assert_mac(dst_of(t->c, 0), twin);
	assert_mac(src_of(t->c, 0), alias_1);
	say(t->c, alias_1, twin);
	assert_mac(dst_of(t->b, 0), twin);
	assert_mac(src_of(t->b, 0), alias_2);
	assert_int_equal(t->net.n_clash, 2);
}

/* Many start without a thought of MACs, and some take all they can get. */
static void test_a_crowd(void **state)
{
	struct bench *t = *state;

	say(t->a, MAC_BROADCAST, twin);
	for (unsigned i = 0; i < 100; i++) {
		struct fake_port *f = fake_new(
			t->net.lan, &(struct fake_config){.name = "f"});

		start(f, twin);
		assert_int_equal(f->port.alias_use, ALIAS_USE_SWAP);
		for (unsigned j = 1; j < ALIAS_PER_PORT && i < 10; j++) {
			say(t->b, MAC_BROADCAST, fake_mac(1000 + i * 8 + j));
			start(f, fake_mac(1000 + i * 8 + j));
		}
	}
	expect_way(t, twin, t->a, twin);
}

/* Other machines behind the same port keep their addresses. */
static void test_others_behind_the_port(void **state)
{
	struct bench *t = *state;

	say(t->a, MAC_BROADCAST, twin);
	start(t->b, twin);
	start(t->b, fake_mac(2));
	clear(t);
	say(t->b, MAC_BROADCAST, fake_mac(2));
	assert_mac(src_of(t->c, 0), fake_mac(2));
	expect_way(t, fake_mac(2), t->b, fake_mac(2));
}

/* --- no second machine -------------------------------------------------- */

static void expect_moved(struct bench *t)
{
	assert_int_equal(t->net.n_clash, 0);
	assert_int_equal(t->b->port.alias_use & ALIAS_USE_SWAP, 0);
	expect_way(t, twin, t->b, twin);
}

static void test_a_move(void **state)
{
	struct bench *t = *state;

	say(t->a, MAC_BROADCAST, twin);
	say(t->b, MAC_BROADCAST, twin);
	expect_moved(t);
	/* Once the eyes are off it, it is just at home there. */
	fake_lan_advance(&t->net, 61 * SECOND);
	say(t->b, MAC_BROADCAST, twin);
	assert_int_equal(t->b->port.alias_use, 0);
	start(t->b, twin);
	expect_moved(t);
	/* And back, later than a clash would show. */
	say(t->a, MAC_BROADCAST, twin);
	assert_int_equal(t->net.n_clash, 0);
	expect_way(t, twin, t->a, twin);
}

/* Its link came up anew with the move, and it looks whether its address is
 * still free. */
/* A minute of silence is over with the frame that ends it. */
static void test_a_start_much_later(void **state)
{
	struct bench *t = *state;

	say(t->a, MAC_BROADCAST, twin);
	say(t->b, MAC_BROADCAST, twin);
	fake_lan_advance(&t->net, 61 * SECOND);
	start(t->b, twin);
	expect_moved(t);
	assert_int_equal(t->b->port.alias_use, 0);
}

static void test_a_move_on(void **state)
{
	struct bench *t = *state;
	struct fake_port *d =
		fake_new(t->net.lan, &(struct fake_config){.name = "d"});

	say(t->a, MAC_BROADCAST, twin);
	say(t->b, MAC_BROADCAST, twin);
	announce(d, twin);
	fake_lan_advance(&t->net, 20 * SECOND);
	start(t->b, twin);
	clear(t);
	fake_clear(d);
	say(t->c, twin, fake_mac(3));
	assert_int_equal(t->a->n_out, 0);
	assert_int_equal(d->n_out, 1);
	assert_ptr_equal(t->net.clash_a, &d->port);
}

static void test_an_announced_move(void **state)
{
	struct bench *t = *state;

	say(t->a, MAC_BROADCAST, twin);
	announce(t->b, twin);
	start(t->b, twin);
	expect_moved(t);
	fake_lan_advance(&t->net, (LAN_AGE_SECONDS + 10) * SECOND);
	start(t->b, twin);
	expect_moved(t);
}

static void test_the_first_is_gone(void **state)
{
	struct bench *t = *state;

	say(t->a, MAC_BROADCAST, twin);
	lan_port_link(&t->a->port, false);
	start(t->b, twin);
	expect_moved(t);
	/* Something else is plugged in where it was. */
	lan_port_link(&t->a->port, true);
	lan_port_link(&t->b->port, false);
	lan_port_link(&t->b->port, true);
	start(t->b, twin);
	expect_moved(t);
	fake_free(t->a);
	t->a = t->c;
	start(t->b, twin);
	assert_int_equal(t->net.n_clash, 0);
}

/* It goes between its last frame and the second one's start. */
static void test_the_first_goes_meanwhile(void **state)
{
	struct bench *t = *state;

	say(t->a, MAC_BROADCAST, twin);
	say(t->b, MAC_BROADCAST, twin);
	lan_port_link(&t->a->port, false);
	start(t->b, twin);
	expect_moved(t);
}

static void test_uplinks(void **state)
{
	struct bench *t = *state;
	struct fake_port *up =
		fake_new(t->net.lan, &(struct fake_config){.is_uplink = true});

	for (unsigned i = 0; i < 10; i++) {
		say(i % 2 ? up : t->b, MAC_BROADCAST, twin);
		start(i % 2 ? up : t->b, twin);
	}
	fake_lan_advance(&t->net, (LAN_AGE_SECONDS + 10) * SECOND);
	start(t->b, twin);
	assert_int_equal(t->net.n_clash, 0);
	assert_int_equal(up->port.alias_use | t->b->port.alias_use, 0);
}

static void test_a_hub(void **state)
{
	struct fake_port *p[3];
	struct fake_lan hub;

	(void)state;
	fake_lan_init(&hub, true);
	for (unsigned i = 0; i < 3; i++)
		p[i] = fake_new(hub.lan, &(struct fake_config){.name = "p"});
	for (unsigned i = 0; i < 10; i++)
		start(p[i % 2], twin);
	assert_int_equal(hub.n_clash, 0);
	assert_mac(src_of(p[2], 9), twin);
	fake_lan_deinit(&hub);
}

/* --- the gateway -------------------------------------------------------- */

/* A guest that uses its address is one more second machine, whoever was
 * first. */
static void test_gateway_first(void **state)
{
	struct bench *t = *state;

	say(t->gw, MAC_BROADCAST, gw_mac);
	clear(t);
	start(t->b, gw_mac);
	assert_int_equal(t->net.n_clash, 1);
	assert_ptr_equal(t->net.clash_b, &t->b->port);
	assert_int_equal(t->gw->port.alias_use, 0);
	clear(t);
	say(t->c, gw_mac, fake_mac(3));
	assert_int_equal(t->gw->n_out, 1);
	assert_int_equal(t->b->n_out, 0);
}

static void test_gateway_second(void **state)
{
	struct bench *t = *state;

	say(t->b, MAC_BROADCAST, gw_mac);
	say(t->gw, MAC_BROADCAST, gw_mac);
	assert_int_equal(t->net.n_clash, 0);
	clear(t);
	say(t->b, MAC_BROADCAST, gw_mac);
	assert_int_equal(t->net.n_clash, 1);
	assert_ptr_equal(t->net.clash_a, &t->gw->port);
	assert_ptr_equal(t->net.clash_b, &t->b->port);
	assert_int_equal(t->gw->port.alias_use, 0);
	assert_mac(src_of(t->c, 0), t->net.clash_alias);
	clear(t);
	say(t->c, gw_mac, fake_mac(3));
	assert_int_equal(t->gw->n_out, 1);
	assert_int_equal(t->b->n_out, 0);
	/* Its own frames still come from where they come. */
	say(t->gw, MAC_BROADCAST, gw_mac);
	assert_mac(src_of(t->c, 0), gw_mac);
}

static void expect_gateway_there(struct bench *t)
{
	clear(t);
	say(t->c, gw_mac, fake_mac(3));
	assert_int_equal(t->gw->n_out, 1);
	assert_int_equal(t->a->n_out + t->b->n_out, 0);
}

/* It is silent, and its address still does not move. */
static void test_gateway_stays(void **state)
{
	struct bench *t = *state;
	struct fake_port *up =
		fake_new(t->net.lan, &(struct fake_config){.is_uplink = true});

	say(t->gw, MAC_BROADCAST, gw_mac);
	say(t->b, MAC_BROADCAST, gw_mac);
	expect_gateway_there(t);
	assert_int_equal(t->net.n_clash, 1);
	announce(t->a, gw_mac);
	expect_gateway_there(t);
	say(up, MAC_BROADCAST, gw_mac);
	expect_gateway_there(t);
	assert_int_equal(up->port.alias_use, 0);
	fake_lan_advance(&t->net, (LAN_AGE_SECONDS + 10) * SECOND);
	say(up, MAC_BROADCAST, gw_mac);
	expect_gateway_there(t);
}

static void test_two_gateways(void **state)
{
	struct bench *t = *state;
	struct fake_port *more =
		fake_new(t->net.lan, &(struct fake_config){.is_ours = true});

	for (unsigned i = 0; i < 6; i++)
		say(i % 2 ? t->gw : more, MAC_BROADCAST, gw_mac);
	assert_int_equal(t->gw->port.alias_use | more->port.alias_use, 0);
}

static void test_gateway_stays_without_an_alias(void **state)
{
	struct bench *t = *state;

	say(t->gw, MAC_BROADCAST, gw_mac);
	for (unsigned i = 0; i < ALIAS_PER_PORT; i++) {
		say(t->a, MAC_BROADCAST, fake_mac(100 + i));
		start(t->b, fake_mac(100 + i));
	}
	say(t->b, MAC_BROADCAST, gw_mac);
	expect_gateway_there(t);
}

/* --- how long ----------------------------------------------------------- */

/* The first one leaves: the second keeps what it is known by. */
static void test_kept_when_the_first_leaves(void **state)
{
	struct bench *t = *state;

	say(t->c, MAC_BROADCAST, fake_mac(3));
	say(t->a, MAC_BROADCAST, twin);
	start(t->b, twin);
	lan_port_link(&t->a->port, false);
	clear(t);
	say(t->b, fake_mac(3), twin);
	assert_mac(src_of(t->c, 0), alias_1);
	lan_port_link(&t->a->port, true);
	start(t->a, twin);
	expect_told_once(t, alias_1);
	expect_alias_at_b(t);
}

/* The second one comes back: the same again, and nobody is told so soon. */
static void test_freed_with_the_link(void **state)
{
	struct bench *t = *state;

	say(t->c, MAC_BROADCAST, fake_mac(3));
	for (unsigned i = 0; i < 200; i++) {
		say(t->a, MAC_BROADCAST, twin);
		start(t->b, twin);
		expect_alias_at_b(t);
		if (i % 2)
			lan_port_link(&t->b->port, false);
		else
			lan_port_admin(&t->b->port, false);
		assert_int_equal(t->b->port.alias_use, 0);
		assert_true(list_empty(&t->b->port.aliases));
		lan_port_admin(&t->b->port, true);
		lan_port_link(&t->b->port, true);
	}
	expect_told_once(t, alias_1);
	fake_lan_advance(&t->net, 61 * SECOND);
	say(t->a, MAC_BROADCAST, twin);
	start(t->b, twin);
	assert_int_equal(t->net.n_clash, 2);
}

/* Alone when it comes back: it is itself. */
static void test_alone_again(void **state)
{
	struct bench *t = *state;

	say(t->a, MAC_BROADCAST, twin);
	start(t->b, twin);
	lan_port_link(&t->a->port, false);
	lan_port_link(&t->b->port, false);
	lan_port_link(&t->b->port, true);
	clear(t);
	start(t->b, twin);
	assert_mac(src_of(t->c, 0), twin);
	assert_int_equal(t->net.n_clash, 1);
}

/* --- what a hostile machine can make of it ------------------------------ */

/* One that has everybody's address: a few aliases, then the table says who
 * was seen where, as ever. */
static void test_no_more_than_a_few(void **state)
{
	struct bench *t = *state;

	for (unsigned i = 0; i < 20; i++)
		say(t->a, MAC_BROADCAST, fake_mac(100 + i));
	for (unsigned i = 0; i < 20; i++)
		start(t->b, fake_mac(100 + i));
	assert_int_equal(t->net.n_clash, 1);
	clear(t);
	say(t->c, fake_mac(100 + ALIAS_PER_PORT - 1), fake_mac(3));
	assert_int_equal(t->a->n_out, 1);
	say(t->c, fake_mac(100 + ALIAS_PER_PORT), fake_mac(3));
	assert_int_equal(t->b->n_out, 1);
}

/* Control is told of those that are too many, too. */
static void test_no_alias_left(void **state)
{
	struct bench *t = *state;

	for (unsigned i = 0; i < 512; i++)
		say(t->a, MAC_BROADCAST, fake_mac(100 + i));
	for (unsigned i = 0; i < 64; i++) {
		struct fake_port *f = fake_new(
			t->net.lan, &(struct fake_config){.name = "more"});

		for (unsigned j = 0; j < ALIAS_PER_PORT; j++)
			start(f, fake_mac(100 + i * ALIAS_PER_PORT + j));
	}
	assert_int_equal(t->net.n_clash, 32); /* pairs that are remembered */
	assert_false(mac_is_zero(t->net.clash_alias));
	fake_lan_advance(&t->net, 61 * SECOND);
	for (unsigned i = 0; i < 3; i++)
		say(i % 2 ? t->b : t->c, MAC_BROADCAST, twin);
	assert_int_equal(t->net.n_clash, 33);
	assert_true(mac_is_zero(t->net.clash_alias));
	clear(t);
	say(t->a, twin, fake_mac(99));
	assert_int_equal(t->c->n_out, 1);
	assert_int_equal(t->b->n_out, 0);
}

/* One that uses the alias itself gets one of its own. */
static void test_an_alias_is_taken(void **state)
{
	struct bench *t = *state;

	say(t->a, MAC_BROADCAST, twin);
	start(t->b, twin);
	start(t->c, alias_1);
	clear(t);
	say(t->a, alias_1, twin);
	assert_int_equal(t->b->n_out, 1);
	assert_int_equal(t->c->n_out, 0);
	for (unsigned i = 0; i < 20; i++) {
		start(t->b, alias_1); /* b, too, sends from it */
		start(t->b, twin);
		start(t->c, alias_1);
		start(t->a, twin);
	}
	assert_true(t->net.n_clash <= 3);
}

/* What b sends from a's alias would come from a's own address. */
static void test_the_first_stays(void **state)
{
	struct bench *t = *state;

	say(t->a, MAC_BROADCAST, twin);
	start(t->b, twin);
	for (unsigned i = 0; i < 3; i++) {
		say(t->b, MAC_BROADCAST, alias_1);
		expect_way(t, twin, t->a, twin);
		start(t->b, alias_1);
		expect_way(t, twin, t->a, twin);
		fake_lan_advance(&t->net, 20 * SECOND);
	}
	expect_alias_at_b(t);
}

/* Another one is known by what would be the first choice. */
static void test_an_alias_that_is_somebody(void **state)
{
	struct bench *t = *state;

	say(t->c, MAC_BROADCAST, alias_1);
	say(t->a, MAC_BROADCAST, twin);
	start(t->b, twin);
	expect_told_once(t, alias_2);
	clear(t);
	say(t->a, alias_1, twin);
	assert_int_equal(t->c->n_out, 1);
	assert_int_equal(t->b->n_out, 0);
}

/* One that sends from all that begin like an alias denies it to nobody. */
static void test_all_aliases_claimed(void **state)
{
	struct bench *t = *state;
	mac m = alias_1;

	say(t->a, MAC_BROADCAST, twin);
	for (unsigned i = 0; i < 256; i++) {
		m.b[2] = (uint8_t)i;
		say(t->c, MAC_BROADCAST, m);
	}
	start(t->b, twin);
	assert_int_equal(t->net.n_clash, 1);
	m = t->net.clash_alias;
	assert_memory_equal(m.b, alias_1.b, 2);
	clear(t);
	say(t->c, m, fake_mac(3));
	assert_int_equal(t->b->n_out, 1);
	say(t->c, twin, fake_mac(3));
	assert_int_equal(t->a->n_out, 1);
	assert_int_equal(t->b->n_out, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_start_at_a_second_port),
		T(test_they_see_each_other),
		T(test_in_the_middle_of_a_batch),
		T(test_the_first_is_silent),
		T(test_flapping),
		T(test_starts_late),
		T(test_a_third),
		T(test_a_crowd),
		T(test_others_behind_the_port),
		T(test_a_move),
		T(test_a_start_much_later),
		T(test_a_move_on),
		T(test_an_announced_move),
		T(test_the_first_is_gone),
		T(test_the_first_goes_meanwhile),
		T(test_uplinks),
		T(test_a_hub),
		T(test_gateway_first),
		T(test_gateway_second),
		T(test_gateway_stays),
		T(test_two_gateways),
		T(test_gateway_stays_without_an_alias),
		T(test_kept_when_the_first_leaves),
		T(test_freed_with_the_link),
		T(test_alone_again),
		T(test_no_more_than_a_few),
		T(test_no_alias_left),
		T(test_an_alias_is_taken),
		T(test_the_first_stays),
		T(test_an_alias_that_is_somebody),
		T(test_all_aliases_claimed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
