/* SPDX-License-Identifier: BSD-3-Clause */
/* The way of DHCP and DNS through the gateway: which datagrams are a
 * service's, and what the services tell the rest of it. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/fake_gateway.h"
#include "wire/arp.h"
#include "wire/dhcp.h"
#include "wire/dns.h"
#include "wire/eth.h"
#include "wire/udp.h"

static int setup(void **state)
{
	const struct fake_config pc = {.name = "vm0"};
	struct gateway_config gc = fake_gateway_config();
	struct fake_gateway *b;

	strcpy(gc.hostname, "me");
	strcpy(gc.dnssearch[0], "a.test");
	strcpy(gc.dnssearch[1], "b.test");
	gc.n_dnssearch = 2;
	fake_gateway_setup_with(state, &gc, &pc);
	b = *state;
	b->g.ip = addr_v4(0, 0, 0, 0);
	return 0;
}

/* A request for 10.0.2.15 to dst, from the port given. */
static void ask_lease(struct fake_gateway *b, mac to, addr dst, uint16_t sport)
{
	const struct endpoint ep = {.ip = dst, .port = DHCP_PORT_SERVER};
	uint8_t buf[DHCP_MIN_LEN];
	struct wr w = wr_init(buf, sizeof(buf));
	struct dhcp_hdr h = {.op = DHCP_REQUEST_OP,
			     .htype = DHCP_HTYPE_ETHERNET,
			     .hlen = 6};

	memcpy(h.chaddr, b->g.mac.b, sizeof(b->g.mac.b));
	dhcp_emit_hdr(&w, &h);
	dhcp_emit_u8(&w, DHCP_O_TYPE, DHCP_REQUEST);
	dhcp_emit_u32(&w, DHCP_O_REQUESTED_IP, 0x0a00020f);
	dhcp_emit_end(&w, 0);
	b->g.gw_mac = to;
	fake_clear(b->g.port);
	fake_guest_udp(&b->g, sport, &ep, buf, (uint32_t)wr_len(&w));
	fake_guest_kick(&b->g);
}

static bool got_lease(struct fake_gateway *b, struct dhcp_msg *mp)
{
	struct fake_got got;
	struct rd r;

	if (!fake_guest_got(&b->g, 0, &got) || !got.csum_ok ||
	    got.pkt.src.port != DHCP_PORT_SERVER)
		return false;
	r = rd_init(got.l4 + UDP_HDR_LEN, got.l4_len - UDP_HDR_LEN);
	return dhcp_parse(&r, mp) && mp->type == DHCP_ACK;
}

static unsigned n_leases(const struct fake_gateway *b)
{
	struct gateway_stats st;

	gateway_stats(b->gw, &st);
	return st.n_leases;
}

static uint32_t make_question(uint8_t *buf, size_t room)
{
	static const uint8_t tail[] = {1, 'x', 4, 't', 'e', 's', 't',
				       0, 0,   1, 0,   1};
	struct wr w = wr_init(buf, room);
	struct dns_hdr h = {.id = 0x1234, .flags = DNS_F_RD, .n_question = 1};

	dns_hdr_emit(&w, &h);
	wr_bytes(&w, tail, sizeof(tail));
	assert_true(wr_ok(&w));
	return (uint32_t)wr_len(&w);
}

static void ask_name(struct fake_gateway *b)
{
	const struct endpoint dns = fake_ep(10, 0, 2, 3, DNS_PORT);
	uint8_t buf[64];
	uint32_t len = make_question(buf, sizeof(buf));

	b->g.gw_mac = FAKE_GW_MAC;
	fake_guest_udp(&b->g, 5000, &dns, buf, len);
	fake_guest_kick(&b->g);
}

/* --- DHCP --- */

static void test_lease_without_an_address(void **state)
{
	struct fake_gateway *b = *state;
	struct dhcp_msg m;
	struct rd r;

	ask_lease(b, MAC_BROADCAST, addr_v4(255, 255, 255, 255), 68);
	assert_true(got_lease(b, &m));
	assert_int_equal(addr_u32(&m.hdr.yiaddr), 0x0a00020f);
	assert_true(dhcp_find(&m, DHCP_O_HOSTNAME, &r));
	assert_true(dhcp_find(&m, DHCP_O_SEARCH, &r));
	assert_int_equal(n_leases(b), 1);
	assert_int_equal(b->drops.n[DROP_IP_SOURCE], 0);
}

static void test_lease_by_every_address_of_ours(void **state)
{
	struct fake_gateway *b = *state;
	struct dhcp_msg m;

	ask_lease(b, FAKE_GW_MAC, addr_v4(10, 0, 2, 2), 68);
	assert_true(got_lease(b, &m));
	ask_lease(b, MAC_BROADCAST, addr_v4(10, 0, 2, 255), 68);
	assert_true(got_lease(b, &m));
	assert_int_equal(n_leases(b), 1);
}

static void test_no_lease_from_other_ports_or_addresses(void **state)
{
	struct fake_gateway *b = *state;

	ask_lease(b, MAC_BROADCAST, addr_v4(255, 255, 255, 255), 6800);
	assert_int_equal(b->drops.n[DROP_IP_SOURCE], 1);
	ask_lease(b, FAKE_GW_MAC, addr_v4(10, 0, 2, 3), 68);
	assert_int_equal(b->drops.n[DROP_IP_SOURCE], 2);
	assert_int_equal(b->g.port->n_out, 0);
	assert_int_equal(n_leases(b), 0);
}

static void test_no_lease_from_a_bad_datagram(void **state)
{
	struct fake_gateway *b = *state;
	uint8_t big[4000] = {0};
	const struct endpoint all = fake_ep(255, 255, 255, 255, 67);

	b->g.bad_l4_csum = true;
	ask_lease(b, MAC_BROADCAST, all.ip, 68);
	assert_int_equal(b->drops.n[DROP_UDP_CSUM], 1);
	fake_guest_udp(&b->g, 68, &all, big, sizeof(big));
	fake_guest_kick(&b->g);
	assert_int_equal(b->drops.n[DROP_DHCP_BAD], 1);
	assert_int_equal(n_leases(b), 0);
}

/* What a lease says of a guest saves the first ARP request. */
static void test_a_lease_tells_the_mac(void **state)
{
	const struct endpoint far = fake_ep(192, 0, 2, 1, 9);
	struct fake_gateway *b = *state;
	struct gateway_forward f = {.proto = IPPROTO_UDP,
				    .guest = {.port = 22},
				    .fd = fake_udp(b->fh, 2222)};
	struct fake_got got;

	assert_int_equal(gateway_forward_add(b->gw, &f), 0);
	ask_lease(b, MAC_BROADCAST, addr_v4(255, 255, 255, 255), 68);
	fake_clear(b->g.port);
	fake_deliver(b->fh, (unsigned)f.fd, &far, "hello", 5);
	fake_host_run(b->fh);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_true(mac_eq(got.pkt.eth_dst, b->g.mac));
	assert_memory_equal(got.l4 + UDP_HDR_LEN, "hello", 5);
}

/* --- DNS --- */

static void test_question_and_answer(void **state)
{
	const struct endpoint up = fake_ep(192, 0, 2, 53, 53);
	struct fake_gateway *b = *state;
	const struct fake_sent *s;
	struct fake_got got;
	uint8_t answer[64];

	b->g.ip = addr_v4(10, 0, 2, 15);
	ask_name(b);
	s = fake_sent(b->fh, 0);
	assert_non_null(s);
	assert_int_equal(s->proto, HOST_UDP);
	assert_true(endpoint_eq(&s->to, &up));
	memcpy(answer, s->data, s->len);
	answer[2] |= DNS_F_QR >> 8;
	fake_deliver(b->fh, s->sock, &up, answer, s->len);
	fake_host_run(b->fh);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_true(got.csum_ok);
	assert_int_equal(addr_u32(&got.pkt.src.ip), 0x0a000203);
	assert_int_equal(got.pkt.src.port, 53);
	assert_int_equal(got.pkt.dst.port, 5000);
	assert_memory_equal(got.l4 + UDP_HDR_LEN, "\x12\x34", 2);
}

static void test_no_question_from_a_false_source(void **state)
{
	struct fake_gateway *b = *state;

	ask_name(b); /* from 0.0.0.0 */
	b->g.ip = addr_v4(192, 0, 2, 7);
	ask_name(b);
	assert_int_equal(b->drops.n[DROP_IP_SOURCE], 2);
	assert_int_equal(b->fh->n_sent, 0);
}

static void test_new_resolvers_are_asked(void **state)
{
	const struct endpoint next = {
		.ip = {{0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
			53}},
		.port = 53};
	const struct endpoint local = fake_ep(127, 0, 0, 1, 53);
	struct fake_gateway *b = *state;

	b->g.ip = addr_v4(10, 0, 2, 15);
	ask_name(b);
	gateway_resolvers(b->gw, &next, 1);
	/* what was in flight is asked there too */
	assert_true(endpoint_eq(&fake_sent(b->fh, 1)->to, &next));
	gateway_resolvers(b->gw, NULL, 0);
	assert_true(endpoint_eq(&fake_sent(b->fh, 2)->to, &local));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, fake_gateway_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_lease_without_an_address),
		T(test_lease_by_every_address_of_ours),
		T(test_no_lease_from_other_ports_or_addresses),
		T(test_no_lease_from_a_bad_datagram),
		T(test_a_lease_tells_the_mac),
		T(test_question_and_answer),
		T(test_no_question_from_a_false_source),
		T(test_new_resolvers_are_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
