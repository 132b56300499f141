/* SPDX-License-Identifier: BSD-3-Clause */
/* The gateway as guests see it: who gets which frame, and every drop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/gateway.h"
#include "nat/fake_guest.h"
#include "nat/fake_host.h"
#include "wire/arp.h"
#include "wire/eth.h"
#include "wire/icmp.h"

#define SECOND UINT64_C(1000000000)

struct bench {
	struct timer_wheel wheel;
	uint64_t now_ns;
	struct drops drops;
	struct lan *lan;
	struct fake_host *fh;
	struct gateway *gw;
	struct fake_guest g;
};

static const mac gw_mac = {{0x52, 0x55, 10, 0, 2, 2}};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct gateway_config gc = {
		.name = "net0",
		.net4 = {.ip = addr_v4(10, 0, 2, 0), .len = 120},
		.host4 = addr_v4(10, 0, 2, 2),
		.dns4 = addr_v4(10, 0, 2, 3),
		.dhcp_start4 = addr_v4(10, 0, 2, 15),
	};
	struct fake_config pc = {.name = "vm0", .offload = PORT_O_CSUM};
	struct lan_config lc = {.name = "lan0",
				.now_ns = &b->now_ns,
				.wheel = &b->wheel,
				.drops = &b->drops};
	struct gateway_env ge;

	b->now_ns = SECOND;
	timer_wheel_init(&b->wheel, b->now_ns);
	assert_int_equal(lan_new(&lc, &b->lan), 0);
	b->fh = fake_host_new();
	ge = (struct gateway_env){.host = &b->fh->host,
				  .wheel = &b->wheel,
				  .now_ns = &b->now_ns,
				  .lan = b->lan,
				  .drops = &b->drops};
	assert_int_equal(gateway_new(&ge, &gc, &b->gw), 0);
	fake_guest_init(&b->g, fake_new(b->lan, &pc), fake_mac(1), gw_mac,
			addr_v4(10, 0, 2, 15));
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	gateway_free(b->gw);
	assert_int_equal(b->fh->n_socks, 0);
	fake_host_free(b->fh);
	fake_free(b->g.port);
	lan_free(b->lan);
	free(b);
	return 0;
}

static void test_arp_answered_for_gateway(void **state)
{
	struct bench *b = *state;
	struct arp_msg m;
	struct rd r;

	fake_guest_arp(&b->g, addr_v4(10, 0, 2, 2));
	fake_guest_kick(&b->g);
	assert_int_equal(b->g.port->n_out, 1);
	r = rd_init(b->g.port->out[0].data + ETH_HDR_LEN, ARP_LEN);
	assert_true(arp_parse(&r, &m));
	assert_int_equal(m.op, ARP_REPLY);
	assert_true(mac_eq(m.sha, gw_mac));
}

static void test_ping_of_gateway(void **state)
{
	struct bench *b = *state;
	struct fake_got got;

	fake_guest_echo(&b->g, addr_v4(10, 0, 2, 2), 77, 3, "abcdefgh", 8);
	fake_guest_kick(&b->g);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_int_equal(got.l4[0], ICMP_ECHO_REPLY);
	assert_true(got.csum_ok);
	assert_memory_equal(got.l4 + 4, "\0\115\0\3abcdefgh", 12);
	assert_int_equal(addr_u32(&got.pkt.src.ip), 0x0a000202);
}

static void test_udp_out_and_in(void **state)
{
	struct bench *b = *state;
	struct endpoint dst = fake_ep(192, 0, 2, 1, 9);
	struct endpoint other = fake_ep(192, 0, 2, 7, 99);
	const struct fake_sent *d;
	struct fake_got got;

	fake_guest_udp(&b->g, 5000, &dst, "question", 8);
	fake_guest_kick(&b->g);
	d = fake_sent(b->fh, 0);
	assert_non_null(d);
	assert_true(endpoint_eq(&d->to, &dst));
	assert_memory_equal(d->data, "question", 8);
	fake_deliver(b->fh, d->sock, &other, "answer", 6);
	fake_host_run(b->fh);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_true(got.csum_ok);
	assert_true(endpoint_eq(&got.pkt.src, &other));
	assert_int_equal(got.pkt.dst.port, 5000);
	assert_memory_equal(got.l4 + 8, "answer", 6);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_arp_answered_for_gateway),
		T(test_ping_of_gateway),
		T(test_udp_out_and_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
