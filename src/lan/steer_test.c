/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers of flows: the same for both directions and for frame and endpoints,
 * different for what differs, spread over queues. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "lan/steer.h"

enum { TCP = 6, UDP = 17, ICMP = 1, IP4 = 14, LEN = 100 };

static struct endpoint end(const char *ip, uint16_t port)
{
	struct endpoint e = {.port = port};

	assert_true(addr_parse(ip, &e.ip));
	return e;
}

/* A frame from x to y behind n tags. */
static struct frame frame_of(uint8_t buf[LEN], unsigned tags, uint8_t proto,
			     const struct endpoint *x, const struct endpoint *y)
{
	uint8_t *p = buf + 12 + tags * 4;

	memset(buf, 0, LEN);
	for (unsigned i = 0; i < tags; i++)
		put_be16(buf + 12 + i * 4, 0x8100);
	if (addr_is_v4(&x->ip)) {
		put_be16(p, 0x0800);
		p[2] = 0x45;
		p[11] = proto;
		memcpy(p + 14, x->ip.b + 12, 4);
		memcpy(p + 18, y->ip.b + 12, 4);
		p += 22;
	} else {
		put_be16(p, 0x86dd);
		p[2] = 0x60;
		p[8] = proto;
		memcpy(p + 10, x->ip.b, 16);
		memcpy(p + 26, y->ip.b, 16);
		p += 42;
	}
	put_be16(p, x->port);
	put_be16(p + 2, y->port);
	p[12] = 0x50;
	return frame_flat(buf, LEN);
}

static void test_both_ways(void **state)
{
	static const char *const ips[][2] = {
		{"10.0.2.15", "192.0.2.7"},
		{"fec0::15", "2001:db8::7"},
	};
	static const uint8_t protos[] = {TCP, UDP, ICMP};
	uint8_t buf[LEN];

	(void)state;
	for (unsigned i = 0; i < 2 * 3 * 3; i++) {
		struct endpoint x = end(ips[i % 2][0], 40000);
		struct endpoint y = end(ips[i % 2][1], 443);
		uint8_t proto = protos[i / 2 % 3];
		unsigned tags = i / 6;
		struct frame f = frame_of(buf, tags, proto, &x, &y);
		uint32_t there = steer_frame(&f), back;

		f = frame_of(buf, tags, proto, &y, &x);
		back = steer_frame(&f);
		assert_int_not_equal(there, 0);
		assert_int_equal(there, back);
		assert_int_equal(there, steer_flow(proto, &x, &y));
		assert_int_equal(there, steer_flow(proto, &y, &x));
	}
}

static void test_others_differ(void **state)
{
	struct endpoint x = end("10.0.2.15", 40000);
	struct endpoint y = end("192.0.2.7", 443), z = y;
	uint32_t h = steer_flow(TCP, &x, &y);

	(void)state;
	assert_int_not_equal(h, steer_flow(UDP, &x, &y));
	z.port = 444;
	assert_int_not_equal(h, steer_flow(TCP, &x, &z));
	z = end("192.0.2.8", 443);
	assert_int_not_equal(h, steer_flow(TCP, &x, &z));
	/* the ports of the other ends */
	x.port = 443;
	z = end("192.0.2.7", 40000);
	assert_int_not_equal(h, steer_flow(TCP, &x, &z));
	/* ICMP has none */
	z = end("192.0.2.7", 1);
	assert_int_equal(steer_flow(ICMP, &x, &y), steer_flow(ICMP, &x, &z));
}

static void test_no_flow(void **state)
{
	struct endpoint x = end("10.0.2.15", 1), y = end("10.0.2.2", 2);
	uint8_t buf[LEN];
	struct frame f = frame_of(buf, 0, TCP, &x, &y);

	(void)state;
	put_be16(buf + 12, 0x0806);
	assert_int_equal(steer_frame(&f), 0);
	put_be16(buf + 12, 0x0800);
	f = frame_flat(buf, 40); /* TCP's header is cut */
	assert_int_equal(steer_frame(&f), 0);
	f = frame_flat(buf, 20);
	assert_int_equal(steer_frame(&f), 0);
}

/* All pieces of a datagram have one number, the first with its ports too. */
static void test_fragments(void **state)
{
	struct endpoint x = end("10.0.2.15", 1), y = end("10.0.2.2", 2);
	struct endpoint z = end("10.0.2.2", 3);
	uint8_t buf[LEN];
	struct frame f = frame_of(buf, 0, UDP, &x, &y);
	uint32_t first, next;

	(void)state;
	put_be16(buf + IP4 + 6, 0x2000); /* more fragments */
	first = steer_frame(&f);
	f = frame_of(buf, 0, UDP, &x, &z);
	put_be16(buf + IP4 + 6, 100);
	next = steer_frame(&f);
	assert_int_not_equal(first, 0);
	assert_int_equal(first, next);
}

/* Flows that differ by a port alone are spread over 4 queues. */
static void test_spread(void **state)
{
	unsigned n[4] = {0};

	(void)state;
	for (uint16_t i = 0; i < 4000; i++) {
		struct endpoint x = end("10.0.2.15", (uint16_t)(32768 + i));
		struct endpoint y = end("192.0.2.7", 443);

		n[steer_flow(TCP, &x, &y) % 4]++;
	}
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(n[i], 850, 1150);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_ways),
		cmocka_unit_test(test_others_differ),
		cmocka_unit_test(test_no_flow),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_spread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
