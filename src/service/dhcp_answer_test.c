/* SPDX-License-Identifier: BSD-3-Clause */
/* What the DHCP server answers: where to, which options, how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/nat64.h"
#include "service/fake_client.h"

/* --- where answers go --- */

static void test_unicast_to_the_new_address(void **state)
{
	struct bench *b = *state;
	struct dhcp_msg m;
	struct fake_dgram g;

	client_say(b, DHCP_DISCOVER);
	assert_true(client_heard(b, &m, &g));
	assert_true(mac_eq(g.pkt.eth_dst, b->c.mac));
	assert_int_equal(addr_u32(&g.pkt.dst.ip), 0x0a00020f);
}

static void test_broadcast_when_asked(void **state)
{
	struct bench *b = *state;
	struct dhcp_msg m;
	struct fake_dgram g;

	b->c.flags = DHCP_F_BROADCAST;
	client_say(b, DHCP_DISCOVER);
	assert_true(client_heard(b, &m, &g));
	assert_true(mac_is_broadcast(g.pkt.eth_dst));
	assert_true(addr_is_broadcast(&g.pkt.dst.ip));
	assert_int_equal(m.hdr.flags, DHCP_F_BROADCAST);
}

static void test_unicast_to_a_known_address(void **state)
{
	struct bench *b = *state;
	struct dhcp_msg m;
	struct fake_dgram g;

	client_join(b);
	b->c.ciaddr = 0x0a00020f;
	b->c.flags = DHCP_F_BROADCAST; /* it has an address: that counts */
	client_say(b, DHCP_REQUEST);
	assert_true(client_heard(b, &m, &g));
	assert_true(mac_eq(g.pkt.eth_dst, b->c.mac));
	assert_int_equal(addr_u32(&g.pkt.dst.ip), 0x0a00020f);
	assert_int_equal(addr_u32(&m.hdr.ciaddr), 0x0a00020f);
}

/* --- options --- */

static void expect_options(struct bench *b, const void *bytes, size_t len)
{
	struct dhcp_msg m;
	struct fake_dgram g;

	assert_true(client_heard(b, &m, &g));
	assert_true(g.len >= DHCP_HDR_LEN + len);
	assert_memory_equal(g.data + DHCP_HDR_LEN, bytes, len);
}

static void test_options_without_a_list(void **state)
{
	static const uint8_t want[] = {
		53, 1, 2,		      /* OFFER */
		54, 4, 10,   0,	   2,	 2,   /* server */
		1,  4, 255,  255,  255,	 0,   /* mask */
		3,  4, 10,   0,	   2,	 2,   /* router */
		6,  4, 10,   0,	   2,	 3,   /* resolver */
		51, 4, 0x00, 0x01, 0x51, 0x80, /* a day */
		58, 4, 0x00, 0x00, 0xa8, 0xc0, /* half of it */
		59, 4, 0x00, 0x01, 0x27, 0x50, /* seven eighths */
		26, 2, 0x05, 0xdc,	      /* MTU */
		255};
	struct bench *b = *state;
	struct dhcp_msg m;
	struct fake_dgram g;

	client_say(b, DHCP_DISCOVER);
	expect_options(b, want, sizeof(want));
	assert_true(client_heard(b, &m, &g));
	assert_int_equal(g.len, DHCP_MIN_LEN);
	assert_int_equal(addr_u32(&m.hdr.siaddr), 0x0a000202);
}

static void configured(struct bench *b, unsigned text_len)
{
	char text[256];
	struct dhcp_config c = {
		.pool.first = addr_v4(10, 0, 2, 15),
		.hostname = "vm",
		.domain = "lab.example",
		.search = {"lab.example", "example"},
		.n_search = 2,
	};

	memset(text, 'a', sizeof(text));
	text[text_len] = '\0';
	if (text_len)
		c.hostname = c.domain = text;
	client_start(b, &c);
}

static void test_options_in_the_order_of_the_list(void **state)
{
	static const uint8_t want[] = {
		53, 1, 2, 54, 4, 10, 0, 2, 2,	   /* always in front */
		28, 4, 10, 0, 2, 255,		   /* asked: broadcast */
		6, 4, 10, 0, 2, 3,		   /* resolver */
		12, 2, 'v', 'm',		   /* name */
		1, 4, 255, 255, 255, 0,		   /* mask */
		3, 4, 10, 0, 2, 2,		   /* needed all the same */
		51, 4, 0, 1, 0x51, 0x80, 58, 4, 0, 0, 0xa8, 0xc0,
		59, 4, 0, 1, 0x27, 0x50, 26, 2, 5, 0xdc,
		15, 11, 'l', 'a', 'b', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e',
		119, 15, 3, 'l', 'a', 'b', 7, 'e', 'x', 'a', 'm', 'p', 'l',
		'e', 0, 0xc0, 4,
		255};
	struct bench *b = *state;

	configured(b, 0);
	b->c.params = "\x1c\x06\x2a\x0c\x06\x01\xfc";
	b->c.n_params = 7;
	client_say(b, DHCP_DISCOVER);
	expect_options(b, want, sizeof(want));
}

static void test_size(void **state)
{
	struct bench *b = *state;
	struct dhcp_msg m;
	struct fake_dgram g;
	struct rd r;

	/* two texts of 230: only one fits what every client takes */
	configured(b, 230);
	b->c.params = "\x0f\x0c\x77";
	b->c.n_params = 3;
	client_say(b, DHCP_DISCOVER);
	assert_true(client_heard(b, &m, &g));
	assert_true(g.len <= DHCP_SURE_LEN);
	assert_true(dhcp_find(&m, DHCP_O_DOMAIN, &r));
	assert_false(dhcp_find(&m, DHCP_O_HOSTNAME, &r));
	assert_true(dhcp_find(&m, DHCP_O_SEARCH, &r));
	assert_true(dhcp_find(&m, DHCP_O_MASK, &r));
	assert_true(dhcp_find(&m, DHCP_O_LEASE_TIME, &r));
	assert_true(dhcp_find(&m, DHCP_O_MTU, &r));
	/* a client that takes more gets more */
	b->c.max_size = 1500;
	client_say(b, DHCP_DISCOVER);
	assert_true(client_heard(b, &m, &g));
	assert_true(dhcp_find(&m, DHCP_O_HOSTNAME, &r));
	assert_int_equal(rd_left(&r), 230);
	assert_true(dhcp_find(&m, DHCP_O_DOMAIN, &r));
	/* one that claims to take less than it must is not believed */
	b->c.max_size = 68;
	client_say(b, DHCP_DISCOVER);
	client_expect(b, DHCP_OFFER, 0x0a00020f);
}

static void test_search_list_too_long(void **state)
{
	struct bench *b = *state;
	struct dhcp_config c = {.pool.first = addr_v4(10, 0, 2, 15),
				.hostname = "",
				.domain = "",
				.search = {"a..b"},
				.n_search = 1};
	struct dhcp_msg m;
	struct fake_dgram g;
	struct rd r;

	client_start(b, &c);
	client_say(b, DHCP_DISCOVER);
	assert_true(client_heard(b, &m, &g));
	assert_false(dhcp_find(&m, DHCP_O_SEARCH, &r));
}

/* IPv4 for those without it (RFC 8925): who asks may do without a lease, where
 * NAT64 stands for IPv4 and nowhere else. */
static void test_ipv6_is_preferred(void **state)
{
	_Static_assert((int)DHCP_IPV6_ONLY_SECONDS >= 300, "3.4");
	struct bench *b = *state;
	struct dhcp_msg m;
	struct fake_dgram g;
	struct rd r;

	for (unsigned i = 0; i < 4; i++) {
		const bool asks = i & 1, has_nat64 = i & 2;

		b->room.env.nat64 = has_nat64 ? NAT64_PREFIX
					      : (struct prefix){.len = 0};
		b->c.params = asks ? "\x01\x6c\x03" : "\x01\x03";
		b->c.n_params = asks ? 3 : 2;
		client_say(b, DHCP_DISCOVER);
		assert_true(client_heard(b, &m, &g));
		assert_int_equal(m.type, DHCP_OFFER);
		assert_int_equal(dhcp_find(&m, DHCP_O_IPV6_ONLY, &r),
				 asks && has_nat64);
		if (!asks || !has_nat64)
			continue;
		assert_int_equal(rd_left(&r), 4);
		assert_int_equal(rd_u32(&r), DHCP_IPV6_ONLY_SECONDS);
	}
}

static void test_small_mtu(void **state)
{
	struct bench *b = *state;

	b->room.env.mtu = 576;
	configured(b, 250);
	b->c.max_size = 1500;
	client_say(b, DHCP_DISCOVER);
	client_expect(b, DHCP_OFFER, 0x0a00020f);
	/* one that no answer fits: lost by name */
	b->room.env.mtu = 300;
	client_say(b, DHCP_DISCOVER);
	client_expect_nothing(b);
	assert_int_equal(client_drops(b, DROP_DHCP_BAD), 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, client_setup, client_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_unicast_to_the_new_address),
		T(test_broadcast_when_asked),
		T(test_unicast_to_a_known_address),
		T(test_options_without_a_list),
		T(test_options_in_the_order_of_the_list),
		T(test_size),
		T(test_search_list_too_long),
		T(test_ipv6_is_preferred),
		T(test_small_mtu),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
