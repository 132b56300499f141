/* SPDX-License-Identifier: BSD-3-Clause */
/* restrict=: what a guest can reach, and how it learns what it cannot. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/fake_segment.h"
#include "wire/dhcp.h"
#include "wire/udp.h"

static int setup_with(void **state, bool keeps_services)
{
	const struct fake_config pc = {.name = "vm0", .offload = PORT_O_CSUM};
	struct gateway_config gc = fake_gateway_config();

	gc.is_restricted = true;
	gc.keeps_services = keeps_services;
	return fake_gateway_setup_with(state, &gc, &pc);
}

static int setup(void **state)
{
	return setup_with(state, false);
}

/* Another router of the network is the way out. */
static int setup_router(void **state)
{
	const struct fake_config pc = {.name = "vm0", .offload = PORT_O_CSUM};
	struct gateway_config gc = fake_gateway_config();

	gc.is_restricted = true;
	gc.keeps_services = true;
	gc.router4 = addr_v4(10, 0, 2, 1);
	return fake_gateway_setup_with(state, &gc, &pc);
}

static int setup_services(void **state)
{
	return setup_with(state, true);
}

/* Nothing came, nothing was asked of the host, the loss has its name. */
static void expect_silence(struct fake_gateway *b, unsigned n)
{
	fake_gateway_pass(b, 1000000);
	assert_int_equal(b->g.port->n_out, 0);
	assert_int_equal(b->fh->n_numbers, 0);
	assert_int_equal(b->drops.n[DROP_RESTRICTED], n);
}

static void say(struct fake_gateway *b, struct endpoint to)
{
	fake_guest_udp(&b->g, 6000, &to, "question", 8);
	fake_guest_kick(&b->g);
}

static void test_udp_is_silent(void **state)
{
	struct fake_gateway *b = *state;

	say(b, fake_ep(192, 0, 2, 1, 9));
	say(b, fake_ep(10, 0, 2, 2, 9));
	say(b, fake_ep(10, 0, 2, 3, 53));
	say(b, fake_ep(10, 0, 2, 3, 54));
	expect_silence(b, 4);
}

static void test_other_protocols_are_silent(void **state)
{
	struct fake_gateway *b = *state;

	fake_guest_ip(&b->g, addr_v4(192, 0, 2, 1), IPPROTO_GRE, "abcd", 4);
	fake_guest_kick(&b->g);
	expect_silence(b, 1);
}

static void test_echo_of_our_addresses_only(void **state)
{
	struct fake_gateway *b = *state;

	fake_guest_echo(&b->g, addr_v4(192, 0, 2, 1), 1, 1, "abcdefgh", 8);
	fake_guest_echo(&b->g, addr_v4(10, 0, 2, 4), 1, 1, "abcdefgh", 8);
	fake_guest_kick(&b->g);
	expect_silence(b, 2);
	fake_guest_echo(&b->g, addr_v4(10, 0, 2, 2), 1, 1, "abcdefgh", 8);
	fake_guest_echo(&b->g, addr_v4(10, 0, 2, 3), 1, 2, "abcdefgh", 8);
	fake_guest_kick(&b->g);
	assert_int_equal(b->g.port->n_out, 2);
}

static void test_tcp_is_refused(void **state)
{
	static const uint8_t to[][5] = {
		{192, 0, 2, 1, 80}, {10, 0, 2, 2, 80}, {10, 0, 2, 3, 53},
		{10, 0, 2, 4, 80},  {10, 0, 2, 3, 54},
	};
	struct fake_gateway *b = *state;
	struct fake_got got;

	for (size_t i = 0; i < sizeof(to) / sizeof(to[0]); i++) {
		fake_tell(b, addr_v4(to[i][0], to[i][1], to[i][2], to[i][3]),
			  fake_syn(to[i][4]), NULL, 0);
		assert_int_equal(fake_heard(b, &got).flags, TCP_RST | TCP_ACK);
	}
	assert_int_equal(b->fh->n_numbers, 0);
}

static void test_guestfwd_stays(void **state)
{
	struct fake_gateway *b = *state;
	struct gateway_guestfwd g = {.server = fake_ep(10, 0, 2, 4, 80),
				     .target = fake_ep(127, 0, 0, 1, 8080)};
	struct endpoint peer;
	struct fake_got got;

	assert_int_equal(gateway_guestfwd_add(b->gw, &g), 0);
	g = (struct gateway_guestfwd){.server = fake_ep(10, 0, 2, 4, 81)};
	assert_int_equal(gateway_guestfwd_add(b->gw, &g), 0);
	fake_tell(b, addr_v4(10, 0, 2, 4), fake_syn(80), NULL, 0);
	assert_int_equal(fake_heard(b, &got).flags, TCP_SYN | TCP_ACK);
	peer = fake_peer(b->fh, 0);
	assert_int_equal(peer.port, 8080);
	fake_tell(b, addr_v4(10, 0, 2, 4), fake_syn(81), NULL, 0);
	assert_int_equal(b->n_calls, 1);
}

/* seen: the client as its guest sees it. */
static void forward_to_guest(struct fake_gateway *b, struct endpoint seen)
{
	struct endpoint client = fake_ep(192, 0, 2, 7, 777);
	struct gateway_forward f = {.proto = IPPROTO_UDP,
				    .guest.port = 6000,
				    .fd = fake_udp(b->fh, 5353)};
	struct fake_got got;
	struct tcp_hdr h;

	fake_guest_arp(&b->g, addr_v4(10, 0, 2, 2));
	fake_guest_kick(&b->g); /* it is known */
	fake_clear(b->g.port);
	assert_int_equal(gateway_forward_add(b->gw, &f), 0);
	fake_gateway_pass(b, 0);
	assert_true(fake_deliver(b->fh, 0, &client, "hello", 5));
	fake_gateway_pass(b, 0);
	assert_int_equal(b->g.port->n_out, 1);
	say(b, seen);
	assert_int_equal(b->fh->n_sent, 1);
	assert_int_equal(b->drops.n[DROP_RESTRICTED], 0);
	client.port = seen.port = 778; /* who did not ask gets nothing */
	say(b, seen);
	assert_int_equal(b->fh->n_sent, 1);
	assert_int_equal(b->drops.n[DROP_RESTRICTED], 1);

	f = (struct gateway_forward){.proto = IPPROTO_TCP,
				     .guest.port = 22,
				     .fd = fake_listen(b->fh)};
	assert_int_equal(gateway_forward_add(b->gw, &f), 0);
	fake_client(b->fh, f.fd, &client);
	fake_clear(b->g.port);
	fake_gateway_pass(b, 0);
	h = fake_heard(b, &got);
	assert_int_equal(h.flags, TCP_SYN);
	fake_tell(b, seen.ip,
		  (struct tcp_hdr){.sport = 22,
				   .dport = h.sport,
				   .seq = 7,
				   .ack = h.seq + 1,
				   .flags = TCP_SYN | TCP_ACK},
		  NULL, 0);
	assert_int_equal(fake_heard(b, &got).flags, TCP_ACK);
}

/* DHCP names no router, so clients from afar are shown as the gateway. */
static void test_forwards_are_answered(void **state)
{
	forward_to_guest(*state, fake_ep(10, 0, 2, 2, 777));
}

/* What the guest says to anybody else goes to that one. */
static void test_clients_are_hidden_from_another_router(void **state)
{
	forward_to_guest(*state, fake_ep(10, 0, 2, 2, 777));
}

/* The options of an answer to REQUEST, as bits of a 64-bit set, and the router
 * among them. */
static uint64_t leased_options(struct fake_gateway *b, addr *router)
{
	static const uint8_t params[] = {DHCP_O_ROUTER, DHCP_O_DNS};
	const struct endpoint ep = {.ip = addr_v4(255, 255, 255, 255),
				    .port = DHCP_PORT_SERVER};
	uint8_t buf[DHCP_MIN_LEN];
	struct wr w = wr_init(buf, sizeof(buf));
	struct dhcp_hdr h = {.op = DHCP_REQUEST_OP,
			     .htype = DHCP_HTYPE_ETHERNET,
			     .hlen = 6};
	struct fake_got got;
	struct dhcp_msg m;
	uint64_t set = 0;
	struct rd r;

	memcpy(h.chaddr, b->g.mac.b, sizeof(b->g.mac.b));
	dhcp_emit_hdr(&w, &h);
	dhcp_emit_u8(&w, DHCP_O_TYPE, DHCP_REQUEST);
	dhcp_emit_u32(&w, DHCP_O_REQUESTED_IP, 0x0a00020f);
	dhcp_emit_opt(&w, DHCP_O_PARAMS, params, sizeof(params));
	dhcp_emit_end(&w, 0);
	b->g.ip = addr_v4(0, 0, 0, 0);
	b->g.gw_mac = (mac){{255, 255, 255, 255, 255, 255}};
	fake_guest_udp(&b->g, DHCP_PORT_CLIENT, &ep, buf, (uint32_t)wr_len(&w));
	fake_guest_kick(&b->g);
	assert_true(fake_guest_got(&b->g, 0, &got));
	r = rd_init(got.l4 + UDP_HDR_LEN, got.l4_len - UDP_HDR_LEN);
	assert_true(dhcp_parse(&r, &m));
	assert_int_equal(m.type, DHCP_ACK);
	for (uint8_t i = 1; i < 64; i++)
		set |= dhcp_find(&m, i, &r) ? UINT64_C(1) << i : 0;
	if (!dhcp_find_addr(&m, DHCP_O_ROUTER, router))
		*router = addr_v4(0, 0, 0, 0);
	return set;
}

static void test_leases_name_no_way_out(void **state)
{
	addr router;
	uint64_t set = leased_options(*state, &router);

	assert_true(set & 1 << DHCP_O_MASK);
	assert_false(set & 1 << DHCP_O_ROUTER);
	assert_false(set & 1 << DHCP_O_DNS);
}

static void test_services_are_leased(void **state)
{
	addr router;
	uint64_t set = leased_options(*state, &router);

	assert_false(set & 1 << DHCP_O_ROUTER);
	assert_true(set & 1 << DHCP_O_DNS);
}

static void test_another_router_is_leased(void **state)
{
	const addr want = addr_v4(10, 0, 2, 1);
	addr router;
	uint64_t set = leased_options(*state, &router);

	assert_true(set & 1 << DHCP_O_ROUTER);
	assert_true(set & 1 << DHCP_O_DNS);
	assert_true(addr_eq(&router, &want));
}

static void test_services_keep_the_name_server(void **state)
{
	struct fake_gateway *b = *state;
	struct fake_got got;

	say(b, fake_ep(192, 0, 2, 1, 53));
	say(b, fake_ep(10, 0, 2, 3, 54));
	say(b, fake_ep(10, 0, 2, 2, 53));
	expect_silence(b, 3);
	say(b, fake_ep(10, 0, 2, 3, 53)); /* no DNS, but let through */
	assert_int_equal(b->drops.n[DROP_DNS_BAD], 1);
	fake_tell(b, addr_v4(10, 0, 2, 3), fake_syn(53), NULL, 0);
	assert_int_equal(fake_heard(b, &got).flags, TCP_SYN | TCP_ACK);
	fake_tell(b, addr_v4(10, 0, 2, 2), fake_syn(53), NULL, 0);
	assert_int_equal(fake_heard(b, &got).flags, TCP_RST | TCP_ACK);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, fake_gateway_teardown)
#define S(f) \
	cmocka_unit_test_setup_teardown(f, setup_services, \
					fake_gateway_teardown)

#define R(f) \
	cmocka_unit_test_setup_teardown(f, setup_router, fake_gateway_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_udp_is_silent),
		T(test_other_protocols_are_silent),
		T(test_echo_of_our_addresses_only),
		T(test_tcp_is_refused),
		T(test_guestfwd_stays),
		T(test_forwards_are_answered),
		T(test_leases_name_no_way_out),
		S(test_services_are_leased),
		S(test_services_keep_the_name_server),
		R(test_another_router_is_leased),
		R(test_clients_are_hidden_from_another_router),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
