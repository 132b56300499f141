/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two machines with one MAC before the gateway (lan/alias.h): each gets its
 * own lease, its own answers and its own connections.
 */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/fake_gateway.h"
#include "wire/dhcp.h"
#include "wire/udp.h"

enum { N = 2, ADDR_1 = 0x0a00020f, ADDR_2 = 0x0a000210 };

struct bench {
	struct fake_gateway b;
	struct fake_guest *g[N]; /* g[0] is b.g */
	struct fake_guest second;
};

static int setup(void **state)
{
	struct bench *t = calloc(1, sizeof(*t));
	const struct fake_config pc = {.name = "vm0"}, pd = {.name = "vm1"};
	struct gateway_config gc = fake_gateway_config();

	assert_non_null(t);
	fake_gateway_init(&t->b, &gc, &pc);
	fake_guest_init(&t->second, fake_new(t->b.lan, &pd), t->b.g.mac,
			FAKE_GW_MAC, addr_v4(0, 0, 0, 0));
	t->b.g.ip = addr_v4(0, 0, 0, 0);
	t->g[0] = &t->b.g;
	t->g[1] = &t->second;
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct bench *t = *state;

	fake_free(t->second.port);
	fake_gateway_deinit(&t->b);
	free(t);
	return 0;
}

/* As iPXE, udhcpc and most others ask: with an identifier made of the MAC. */
static void say_dhcp(struct fake_guest *g, enum dhcp_type type, uint32_t want,
		     bool wants_broadcast)
{
	const struct endpoint all = fake_ep(255, 255, 255, 255, 67);
	uint8_t buf[600], id[7] = {DHCP_HTYPE_ETHERNET};
	struct wr w = wr_init(buf, sizeof(buf));
	struct dhcp_hdr h = {.op = DHCP_REQUEST_OP,
			     .htype = DHCP_HTYPE_ETHERNET,
			     .hlen = 6,
			     .flags = wants_broadcast ? DHCP_F_BROADCAST : 0,
			     .xid = 7};

	memcpy(h.chaddr, g->mac.b, sizeof(g->mac.b));
	memcpy(id + 1, g->mac.b, sizeof(g->mac.b));
	dhcp_emit_hdr(&w, &h);
	dhcp_emit_u8(&w, DHCP_O_TYPE, (uint8_t)type);
	dhcp_emit_opt(&w, DHCP_O_CLIENT_ID, id, sizeof(id));
	if (want) {
		dhcp_emit_u32(&w, DHCP_O_REQUESTED_IP, want);
		dhcp_emit_u32(&w, DHCP_O_SERVER_ID, 0x0a000202);
	}
	dhcp_emit_end(&w, 0);
	g->gw_mac = MAC_BROADCAST;
	fake_clear(g->port);
	fake_guest_udp(g, 68, &all, buf, (uint32_t)wr_len(&w));
	fake_guest_kick(g);
	g->gw_mac = FAKE_GW_MAC;
}

/* The address in the answer of this type that g takes for its own, 0 if it
 * got none. */
static uint32_t heard_dhcp(struct fake_guest *g, enum dhcp_type type)
{
	uint32_t ip = 0;

	for (unsigned i = 0; i < g->port->n_out; i++) {
		struct dhcp_msg m;
		struct fake_got got;
		struct rd r;

		assert_true(fake_guest_got(g, i, &got));
		assert_true(got.csum_ok);
		assert_true(mac_is_group(got.pkt.eth_dst) ||
			    mac_eq(got.pkt.eth_dst, g->mac));
		r = rd_init(got.l4 + UDP_HDR_LEN, got.l4_len - UDP_HDR_LEN);
		assert_true(dhcp_parse(&r, &m));
		if (m.hdr.op == DHCP_REPLY_OP && m.type == type &&
		    memcmp(m.hdr.chaddr, g->mac.b, sizeof(g->mac.b)) == 0)
			ip = addr_u32(&m.hdr.yiaddr);
	}
	return ip;
}

static uint32_t lease(struct bench *t, unsigned i, bool wants_broadcast)
{
	struct fake_guest *g = t->g[i];
	uint32_t ip;

	say_dhcp(g, DHCP_DISCOVER, 0, wants_broadcast);
	ip = heard_dhcp(g, DHCP_OFFER);
	assert_int_not_equal(ip, 0);
	fake_clear(t->g[!i]->port);
	say_dhcp(g, DHCP_REQUEST, ip, wants_broadcast);
	assert_int_equal(heard_dhcp(g, DHCP_ACK), ip);
	/* What the other one heard of it is not for it. */
	assert_int_equal(heard_dhcp(t->g[!i], DHCP_ACK), 0);
	g->ip = addr_v4_u32(ip);
	return ip;
}

static void test_leases(void **state)
{
	struct bench *t = *state;
	struct gateway_stats st;

	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < N; i++) {
			t->g[i]->ip = addr_v4(0, 0, 0, 0);
			assert_int_equal(lease(t, i, round == 1),
					 i ? ADDR_2 : ADDR_1);
		}
	}
	gateway_stats(t->b.gw, &st);
	assert_int_equal(st.n_leases, N);
	assert_int_equal(t->b.drops.n[DROP_DHCP_BAD], 0);
	assert_int_equal(t->b.drops.n[DROP_UDP_CSUM], 0);
}

/* The second one leaves and comes back: the lease it had. */
static void test_lease_of_one_that_returns(void **state)
{
	struct bench *t = *state;

	(void)lease(t, 0, false);
	(void)lease(t, 1, false);
	lan_port_link(&t->second.port->port, false);
	lan_port_link(&t->second.port->port, true);
	t->second.ip = addr_v4(0, 0, 0, 0);
	assert_int_equal(lease(t, 1, false), ADDR_2);
}

static void test_gateway_answers_each(void **state)
{
	struct bench *t = *state;

	for (unsigned i = 0; i < N; i++)
		(void)lease(t, i, false);
	for (unsigned i = 0; i < N; i++) {
		struct fake_got got;

		fake_clear(t->g[0]->port);
		fake_clear(t->g[1]->port);
		fake_guest_arp(t->g[i], addr_v4(10, 0, 2, 2));
		fake_guest_kick(t->g[i]);
		assert_int_equal(t->g[i]->port->n_out, 1);
		assert_memory_equal(t->g[i]->port->out[0].data + 32,
				    t->g[i]->mac.b, 6); /* target */
		fake_clear(t->g[0]->port);
		fake_clear(t->g[1]->port);
		fake_guest_echo(t->g[i], addr_v4(10, 0, 2, 2), 1, 1, "x", 1);
		fake_guest_kick(t->g[i]);
		assert_int_equal(t->g[!i]->port->n_out, 0);
		assert_true(fake_guest_got(t->g[i], 0, &got));
		assert_true(addr_eq(&got.pkt.dst.ip, &t->g[i]->ip));
		assert_true(mac_eq(got.pkt.eth_dst, t->g[i]->mac));
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_leases),
		T(test_lease_of_one_that_returns),
		T(test_gateway_answers_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
