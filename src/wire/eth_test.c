/* SPDX-License-Identifier: BSD-3-Clause */
/* Ethernet, IPv4 and UDP headers: known bytes both ways, every cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/csum.h"
#include "wire/eth.h"
#include "wire/ip4.h"
#include "wire/udp.h"

static void ethernet(void **state)
{
	static const uint8_t want[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
				       0x86, 0xdd};
	struct eth_hdr h = {
		.dst = {{1, 2, 3, 4, 5, 6}},
		.src = {{7, 8, 9, 10, 11, 12}},
		.type = ETH_T_IP6,
	};
	struct eth_hdr g = {.type = 1};
	uint8_t b[ETH_HDR_LEN];
	struct wr w = wr_init(b, sizeof(b));
	struct rd r;

	eth_emit(&w, &h);
	assert_true(wr_ok(&w));
	assert_int_equal(wr_len(&w), sizeof(want));
	assert_memory_equal(b, want, sizeof(want));
	for (size_t n = 0; n < sizeof(want); n++) {
		r = rd_init(b, n);
		assert_false(eth_parse(&r, &g));
		assert_int_equal(g.type, 1);
	}
	r = rd_init(b, sizeof(b));
	assert_true(eth_parse(&r, &g));
	assert_int_equal(rd_left(&r), 0);
	assert_memory_equal(&g, &h, sizeof(g));
}

/* The header worked through in many texts: its checksum is b861. */
static void ip4_known_checksum(void **state)
{
	static const uint8_t want[] = {0x45, 0, 0, 0x73, 0, 0, 0x40, 0,
				       0x40, 0x11, 0xb8, 0x61, 0xc0, 0xa8,
				       0, 1, 0xc0, 0xa8, 0, 0xc7};
	struct ip4_hdr h = {
		.total_len = 0x73,
		.frag = IP4_F_DF,
		.ttl = 64,
		.proto = 17,
		.src = addr_v4(192, 168, 0, 1),
		.dst = addr_v4(192, 168, 0, 199),
	};
	uint8_t b[IP4_HDR_LEN];
	struct wr w = wr_init(b, sizeof(b));

	ip4_emit(&w, &h);
	assert_true(wr_ok(&w));
	assert_memory_equal(b, want, sizeof(want));
	h.tos = 0xb8;
	h.id = 0x1234;
	h.frag = IP4_F_MF | 185;
	w = wr_init(b, sizeof(b));
	ip4_emit(&w, &h);
	assert_int_equal(b[1], 0xb8);
	assert_int_equal(b[4] << 8 | b[5], 0x1234);
	assert_int_equal(b[6] << 8 | b[7], 0x20b9);
	assert_int_equal(csum_fold(csum_add(b, sizeof(b), 0)), 0);
	/* Whole or not at all. */
	w = wr_init(b, sizeof(b) - 1);
	ip4_emit(&w, &h);
	assert_false(wr_ok(&w));
	assert_int_equal(wr_len(&w), 0);
}

static void udp(void **state)
{
	static const uint8_t want[] = {0x12, 0x34, 0, 53, 0, 10, 0xab, 0xcd};
	struct udp_hdr h = {.sport = 0x1234, .dport = 53, .len = 10,
			    .csum = 0xabcd};
	struct udp_hdr g;
	uint8_t b[10] = {0};
	struct wr w = wr_init(b, UDP_HDR_LEN);
	struct rd r;

	udp_emit(&w, &h);
	assert_true(wr_ok(&w));
	assert_memory_equal(b, want, sizeof(want));
	for (size_t n = 0; n < UDP_HDR_LEN; n++) {
		r = rd_init(b, n);
		assert_false(udp_parse(&r, 10, &g));
	}
	r = rd_init(b, sizeof(b));
	assert_false(udp_parse(&r, 9, &g)); /* longer than the packet */
	r = rd_init(b, sizeof(b));
	assert_true(udp_parse(&r, 10, &g));
	assert_memory_equal(&g, &h, sizeof(g));
	assert_int_equal(rd_left(&r), 2);
	b[5] = 7; /* shorter than its header */
	r = rd_init(b, sizeof(b));
	assert_false(udp_parse(&r, 10, &g));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ethernet),
		cmocka_unit_test(ip4_known_checksum),
		cmocka_unit_test(udp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
