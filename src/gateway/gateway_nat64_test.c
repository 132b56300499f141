/* SPDX-License-Identifier: BSD-3-Clause */
/* nat64=on: what guests are told of it, and its way through the gateway. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/nat64.h"
#include "gateway/fake_gateway.h"
#include "gateway/gateway_nd.h"
#include "wire/csum.h"
#include "wire/dns.h"
#include "wire/group.h"
#include "wire/tcp.h"

#define SECOND UINT64_C(1000000000)

static struct gateway_config config(void)
{
	struct gateway_config gc = fake_gateway_config6();

	gc.nat64 = true;
	gc.has_way6 = false;
	return gc;
}

static int setup(void **state)
{
	return fake_gateway_setup6(state, config());
}

static int setup_closed(void **state)
{
	struct gateway_config gc = config();

	gc.is_restricted = true;
	return fake_gateway_setup6(state, gc);
}

static int setup_router(void **state)
{
	struct gateway_config gc = config();

	gc.router4 = addr_v4(10, 0, 2, 1);
	return fake_gateway_setup6(state, gc);
}

/* What the router says to who asks now. */
static struct nd_router router(struct fake_gateway *b)
{
	const struct nd_msg ask = {.type = ND_SOLICIT_ROUTER};
	const addr all = {{0xff, 2, [15] = 2}};
	uint8_t buf[200];
	struct wr w = wr_init(buf, sizeof(buf));
	const struct fake_frame *f;
	struct packet pkt;
	struct nd_msg m;

	nd_emit_frame(&w, group_mac(&all), b->g.mac, &b->g.ip, &all, &ask);
	fake_clear(b->g.port);
	fake_rx(b->g.port, buf, (uint32_t)wr_len(&w), NULL);
	assert_int_equal(b->g.port->n_out, 1);
	f = &b->g.port->out[0];
	assert_int_equal(packet_parse(f->data, f->len, f->len, &pkt),
			 PACKET_OK);
	assert_true(nd_parse(&pkt, f->data + pkt.l4_off, false, &m));
	return m.router;
}

static void test_ipv4_is_a_way_out(void **state)
{
	const struct prefix well_known = NAT64_PREFIX;
	struct fake_gateway *b = *state;
	struct nd_router r = router(b);

	assert_int_equal(r.lifetime_s, 0);
	gateway_ways(b->gw, true, false);
	r = router(b);
	assert_int_equal(r.lifetime_s, GATEWAY_RA_LIFETIME_SECONDS);
	assert_int_equal(r.nat64.len, NAT64_LEN);
	assert_true(addr_eq(&r.nat64.ip, &well_known.ip));
	assert_int_equal(r.nat64_s, GATEWAY_RA_LIFETIME_SECONDS);
	gateway_ways(b->gw, false, true);
	assert_int_equal(router(b).lifetime_s, GATEWAY_RA_LIFETIME_SECONDS);
	gateway_ways(b->gw, false, false);
	assert_int_equal(router(b).lifetime_s, 0);
}

static void test_what_leads_nowhere_is_not_told(void **state)
{
	struct fake_gateway *b = *state;

	gateway_ways(b->gw, true, true);
	assert_int_equal(router(b).nat64.len, 0);
	assert_int_equal(router(b).lifetime_s, 0);
}

static void test_datagrams(void **state)
{
	const struct endpoint real = fake_ep(192, 0, 2, 1, 9);
	const struct prefix p = NAT64_PREFIX;
	struct fake_gateway *b = *state;
	struct endpoint dst = real;
	struct fake_got got;

	dst.ip = nat64_v6(&p, &real.ip);
	fake_clear(b->g.port);
	fake_guest_udp(&b->g, 4000, &dst, "abc", 3);
	fake_guest_kick(&b->g);
	assert_int_equal(b->fh->n_sent, 1);
	assert_true(endpoint_eq(&fake_sent(b->fh, 0)->to, &real));
	fake_deliver(b->fh, fake_sent(b->fh, 0)->sock, &real, "def", 3);
	fake_gateway_pass(b, 0);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_true(endpoint_eq(&got.pkt.src, &dst));
	assert_true(got.csum_ok);
}

static void syn(struct fake_gateway *b, const addr *dst, uint16_t port)
{
	uint8_t h[20] = {0x40, 0x00, (uint8_t)(port >> 8), (uint8_t)port};
	uint16_t sum;

	h[12] = 0x50;
	h[13] = TCP_SYN;
	h[14] = 0xff;
	sum = csum_fold(csum_add(h, sizeof(h),
				 csum_pseudo(&b->g.ip, dst, IPPROTO_TCP,
					     sizeof(h))));
	h[16] = (uint8_t)(sum >> 8);
	h[17] = (uint8_t)sum;
	fake_clear(b->g.port);
	fake_guest_ip(&b->g, *dst, IPPROTO_TCP, h, sizeof(h));
	fake_guest_kick(&b->g);
}

/* The name server's TCP is answered here, by a stream that has two ends. */
static void test_names_over_tcp(void **state)
{
	const addr dns = fake_inside6(3);
	struct fake_gateway *b = *state;
	struct fake_got got;

	syn(b, &dns, DNS_PORT);
	fake_gateway_pass(b, SECOND / 100);
	assert_int_equal(b->fh->n_socks, 2);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_true(addr_eq(&got.pkt.src.ip, &dns));
	assert_int_equal(got.l4[13], TCP_SYN | TCP_ACK);
	/* no other port is */
	syn(b, &dns, 80);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_int_equal(got.l4[13] & TCP_RST, TCP_RST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ipv4_is_a_way_out, setup,
						fake_gateway_teardown),
		cmocka_unit_test_setup_teardown(
			test_what_leads_nowhere_is_not_told, setup_closed,
			fake_gateway_teardown),
		cmocka_unit_test_setup_teardown(
			test_what_leads_nowhere_is_not_told, setup_router,
			fake_gateway_teardown),
		cmocka_unit_test_setup_teardown(test_datagrams, setup,
						fake_gateway_teardown),
		cmocka_unit_test_setup_teardown(test_names_over_tcp, setup,
						fake_gateway_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
