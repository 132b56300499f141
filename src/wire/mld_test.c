/* SPDX-License-Identifier: BSD-3-Clause */
/* MLD: what hosts of each version say, what is refused, the query we send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "wire/csum.h"
#include "wire/mld.h"
#include "wire/packet.h"

static const addr SRC = {{0xfe, 0x80, [15] = 7}};
static const addr DST = {{0xff, 0x02, [15] = 0x16}};

static const uint8_t report2[28] = {
	143, 0, 0, 0, 0, 0, 0, 1,
	4, 0, 0, 0, 0xff, 0x0e, [27] = 9,
};

/* Parses a copy with its checksum in place. */
static bool parse(const uint8_t *p, size_t len, struct group_msg *mp,
		  uint8_t *copy)
{
	uint16_t sum;
	struct rd r;

	memcpy(copy, p, len);
	sum = csum_fold(csum_add(copy, len,
				 csum_pseudo(&SRC, &DST, IPPROTO_ICMPV6,
					     (uint32_t)len)));
	copy[2] = (uint8_t)(sum >> 8);
	copy[3] = (uint8_t)sum;
	r = rd_init(copy, len);
	return mld_parse(&r, &SRC, &DST, mp);
}

static void test_version_1(void **state)
{
	uint8_t p[MLD_LEN] = {131, 0, 0, 0, 0, 0, 0, 0, 0xff, 0x0e};
	struct group_msg m;
	uint8_t b[64];

	(void)state;
	assert_true(parse(p, sizeof(p), &m, b));
	assert_int_equal(m.kind, GROUP_JOIN);
	assert_int_equal(m.group.b[1], 0x0e);
	assert_true(m.needs_alert);
	p[0] = 132;
	assert_true(parse(p, sizeof(p), &m, b));
	assert_int_equal(m.kind, GROUP_LEAVE);
	p[8] = 0xfe; /* no group */
	assert_false(parse(p, sizeof(p), &m, b));
	p[0] = 130;
	memset(p + 8, 0, 16);
	p[4] = 0x27;
	p[5] = 0x10;
	assert_true(parse(p, sizeof(p), &m, b));
	assert_int_equal(m.kind, GROUP_QUERY);
	assert_int_equal(m.wait_ms, 10000);
	p[0] = 135; /* neighbour discovery */
	assert_false(parse(p, sizeof(p), &m, b));
	p[0] = 151;
	assert_true(parse(p, 8, &m, b));
	assert_int_equal(m.kind, GROUP_ROUTER);
}

static void test_version_2(void **state)
{
	enum group_change change;
	struct group_msg m;
	uint8_t b[64];
	addr a;

	(void)state;
	assert_true(parse(report2, sizeof(report2), &m, b));
	assert_int_equal(m.kind, GROUP_RECORDS);
	assert_true(group_next(&m, &a, &change));
	assert_int_equal(a.b[15], 9);
	assert_int_equal(change, GROUP_C_JOIN);
	assert_false(group_next(&m, &a, &change));
	for (size_t len = 8; len < sizeof(report2); len++) {
		assert_true(parse(report2, len, &m, b));
		assert_false(group_next(&m, &a, &change));
	}
	for (size_t len = 4; len < 8; len++)
		assert_false(parse(report2, len, &m, b));
}

static void test_checksum(void **state)
{
	struct rd r = rd_init(report2, sizeof(report2));
	struct group_msg m;
	uint8_t b[64];

	(void)state;
	assert_false(mld_parse(&r, &SRC, &DST, &m));
	assert_true(parse(report2, sizeof(report2), &m, b));
	r = rd_init(b, sizeof(report2));
	assert_false(mld_parse(&r, &DST, &DST, &m)); /* another sender's */
}

static void test_ours(void **state)
{
	const mac from = {{2, 0, 0, 0, 0, 1}};
	uint8_t b[MLD_QUERY_FRAME];
	struct wr w = wr_init(b, sizeof(b));
	struct group_msg m;
	struct packet pkt;
	struct rd r;

	(void)state;
	mld_emit_query(&w, from, &SRC, 10000, 125);
	assert_true(wr_ok(&w));
	assert_int_equal(wr_len(&w), sizeof(b));
	assert_int_equal(packet_parse(b, sizeof(b), sizeof(b), &pkt),
			 PACKET_OK);
	assert_int_equal(pkt.ttl, 1);
	assert_int_equal(pkt.proto, IPPROTO_ICMPV6);
	assert_true(addr_eq(&pkt.src.ip, &SRC));
	assert_true(mac_eq(pkt.eth_dst, group_mac(&pkt.dst.ip)));
	r = rd_init(b + pkt.l4_off, pkt.l4_len);
	assert_true(mld_parse(&r, &pkt.src.ip, &pkt.dst.ip, &m));
	assert_int_equal(m.kind, GROUP_QUERY);
	assert_int_equal(m.wait_ms, 10000);
	for (size_t room = 0; room < sizeof(b); room++) {
		w = wr_init(b, room);
		mld_emit_query(&w, from, &SRC, 10000, 125);
		assert_false(wr_ok(&w));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version_1),
		cmocka_unit_test(test_version_2),
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
