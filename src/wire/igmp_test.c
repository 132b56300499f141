/* SPDX-License-Identifier: BSD-3-Clause */
/* IGMP: what hosts of each version say, what is refused, the query we send;
 * and what it has in common with MLD. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/csum.h"
#include "wire/igmp.h"
#include "wire/packet.h"

static const uint8_t report2[] = {0x16, 0, 0, 0, 239, 1, 2, 3};
/* Of Linux: joins 239.1.2.3, leaves 239.1.2.4, wants 10.0.0.1's 232.1.1.1. */
static const uint8_t report3[] = {
	0x22, 0, 0, 0, 0, 0, 0, 3,
	4, 0, 0, 0, 239, 1, 2, 3,
	3, 0, 0, 0, 239, 1, 2, 4,
	5, 1, 0, 1, 232, 1, 1, 1, 10, 0, 0, 1, 9, 9, 9, 9,
};

/* Parses a copy with its checksum in place. */
static bool parse(const uint8_t *p, size_t len, struct group_msg *mp,
		  uint8_t *copy)
{
	struct rd r;
	uint16_t sum;

	memcpy(copy, p, len);
	sum = csum_fold(csum_add(copy, len, 0));
	copy[2] = (uint8_t)(sum >> 8);
	copy[3] = (uint8_t)sum;
	r = rd_init(copy, len);
	return igmp_parse(&r, mp);
}

static void assert_next(struct group_msg *m, uint32_t group,
			enum group_change change)
{
	enum group_change c;
	addr a;

	assert_true(group_next(m, &a, &c));
	assert_int_equal(addr_u32(&a), group);
	assert_int_equal(c, change);
}

static void test_reports(void **state)
{
	uint8_t b[64], leave[8];
	struct group_msg m;
	enum group_change c;
	addr a;

	(void)state;
	assert_true(parse(report2, sizeof(report2), &m, b));
	assert_int_equal(m.kind, GROUP_JOIN);
	assert_int_equal(addr_u32(&m.group), 0xef010203);
	memcpy(leave, report2, sizeof(leave));
	leave[0] = 0x12;
	assert_true(parse(leave, sizeof(leave), &m, b));
	assert_int_equal(m.kind, GROUP_JOIN);
	leave[0] = 0x17;
	assert_true(parse(leave, sizeof(leave), &m, b));
	assert_int_equal(m.kind, GROUP_LEAVE);
	leave[4] = 10; /* no group */
	assert_false(parse(leave, sizeof(leave), &m, b));
	assert_true(parse(report3, sizeof(report3), &m, b));
	assert_int_equal(m.kind, GROUP_RECORDS);
	assert_next(&m, 0xef010203, GROUP_C_JOIN);
	assert_next(&m, 0xef010204, GROUP_C_LEAVE);
	assert_next(&m, 0xe8010101, GROUP_C_JOIN);
	assert_false(group_next(&m, &a, &c));
}

/* Each record type, without and with a source. */
static void test_records(void **state)
{
	static const enum group_change want[2][8] = {
		{0, 0, GROUP_C_JOIN, GROUP_C_LEAVE, GROUP_C_JOIN, 0, 0, 0},
		{0, GROUP_C_JOIN, GROUP_C_JOIN, GROUP_C_JOIN, GROUP_C_JOIN,
		 GROUP_C_JOIN, 0, 0},
	};
	struct group_msg m;
	uint8_t b[64];

	(void)state;
	for (uint8_t n = 0; n < 2; n++) {
		for (uint8_t type = 0; type < 8; type++) {
			uint8_t p[20] = {0x22, 0, 0, 0, 0, 0, 0, 1, type,
					 0, 0, n, 239, 1, 1, 1, 10, 0, 0, 1};

			assert_true(parse(p, sizeof(p), &m, b));
			assert_next(&m, 0xef010101, want[n][type]);
		}
	}
}

static void test_cuts(void **state)
{
	struct group_msg m;
	enum group_change c;
	uint8_t b[64];
	struct rd r;
	addr a;

	(void)state;
	for (size_t len = 0; len < sizeof(report2); len++) {
		memcpy(b, report2, sizeof(report2));
		r = rd_init(b, len);
		assert_false(igmp_parse(&r, &m));
	}
	for (size_t len = 8; len < sizeof(report3); len++) {
		unsigned n = 0;

		assert_true(parse(report3, len, &m, b));
		while (group_next(&m, &a, &c))
			n++;
		assert_true(n < 3);
	}
	r = rd_init(report2, sizeof(report2)); /* checksum */
	assert_false(igmp_parse(&r, &m));
}

static void test_queries(void **state)
{
	uint8_t q[IGMP_QUERY_LEN] = {0x11};
	struct group_msg m;
	uint8_t b[64];

	(void)state;
	assert_true(parse(q, IGMP_LEN, &m, b)); /* version 1 */
	assert_int_equal(m.kind, GROUP_QUERY);
	assert_int_equal(m.wait_ms, 10000);
	assert_false(m.needs_alert);
	assert_true(addr_is_unspecified(&m.group));
	q[1] = 200; /* version 2 */
	assert_true(parse(q, IGMP_LEN, &m, b));
	assert_int_equal(m.wait_ms, 20000);
	assert_true(m.needs_alert);
	assert_true(parse(q, IGMP_QUERY_LEN, &m, b)); /* 3: 1 100 1000 */
	assert_int_equal(m.wait_ms, (0x18 << 7) * 100);
	q[0] = 0x30;
	assert_true(parse(q, IGMP_LEN, &m, b));
	assert_int_equal(m.kind, GROUP_ROUTER);
	q[0] = 0x42;
	assert_true(parse(q, IGMP_LEN, &m, b));
	assert_int_equal(m.kind, GROUP_OTHER);
}

static void test_ours(void **state)
{
	const addr ip = addr_v4(10, 0, 2, 2);
	const mac from = {{2, 0, 0, 0, 0, 1}};
	uint8_t b[IGMP_QUERY_FRAME];
	struct wr w = wr_init(b, sizeof(b));
	struct group_msg m;
	struct packet pkt;
	struct rd r;

	(void)state;
	igmp_emit_query(&w, from, &ip, 10000, 125);
	assert_true(wr_ok(&w));
	assert_int_equal(wr_len(&w), sizeof(b));
	assert_int_equal(packet_parse(b, sizeof(b), sizeof(b), &pkt),
			 PACKET_IP4_OPTIONS); /* its checksum is right */
	assert_int_equal(pkt.ttl, 1);
	assert_int_equal(addr_u32(&pkt.src.ip), 0x0a000202);
	assert_int_equal(addr_u32(&pkt.dst.ip), 0xe0000001);
	assert_int_equal(pkt.eth_dst.b[0], 1);
	r = rd_init(b + pkt.l4_off, pkt.l4_len);
	assert_true(igmp_parse(&r, &m));
	assert_int_equal(m.kind, GROUP_QUERY);
	assert_int_equal(m.wait_ms, 10000);
	for (size_t room = 0; room < sizeof(b); room++) {
		w = wr_init(b, room);
		igmp_emit_query(&w, from, &ip, 10000, 125);
		assert_false(wr_ok(&w));
	}
}

static bool is_local(const char *text)
{
	addr a;

	assert_true(addr_parse(text, &a));
	return group_is_local(&a);
}

static void test_what_is_local(void **state)
{
	(void)state;
	assert_true(is_local("224.0.0.1"));
	assert_true(is_local("224.0.0.251"));
	assert_false(is_local("224.0.1.1"));
	assert_false(is_local("225.0.0.1"));
	assert_false(is_local("239.255.255.250"));
	assert_true(is_local("ff02::1"));
	assert_true(is_local("ff02::1:ff00:1"));
	assert_true(is_local("ff02::fb"));
	assert_true(is_local("ff01::1"));
	assert_true(is_local("ff12::1"));
	assert_false(is_local("ff05::c"));
	assert_false(is_local("ff1e::1"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reports),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_queries),
		cmocka_unit_test(test_ours),
		cmocka_unit_test(test_what_is_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
