/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP: headers, errors made here, quotes of errors from elsewhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/csum.h"
#include "wire/icmp.h"
#include "wire/ip4.h"

static void header(void **state)
{
	static const uint8_t want[] = {8, 0, 0x12, 0x34, 0xab, 0xcd, 0, 7};
	struct rd r = rd_init(want, sizeof(want));
	struct icmp_hdr h;
	uint8_t b[ICMP_HDR_LEN];
	struct wr w = wr_init(b, sizeof(b));

	assert_true(icmp_parse(&r, &h));
	assert_int_equal(h.type, ICMP_ECHO);
	assert_int_equal(h.csum, 0x1234);
	assert_int_equal(h.id, 0xabcd);
	assert_int_equal(h.seq, 7);
	icmp_emit(&w, &h);
	assert_true(wr_ok(&w));
	assert_memory_equal(b, want, sizeof(b));
	for (size_t n = 0; n < sizeof(want); n++) {
		r = rd_init(want, n);
		assert_false(icmp_parse(&r, &h));
	}
}

/* A UDP packet of len bytes in all, ports 1000 and 53. */
static void quoted(uint8_t *b, size_t len, uint16_t frag, uint8_t proto)
{
	struct ip4_hdr ip = {
		.total_len = 1500,
		.frag = frag,
		.ttl = 64,
		.proto = proto,
		.src = addr_v4(10, 0, 2, 15),
		.dst = addr_v4(192, 0, 2, 1),
	};
	struct wr w = wr_init(b, len);

	ip4_emit(&w, &ip);
	wr_u16(&w, 1000);
	wr_u16(&w, 53);
	wr_zero(&w, len - IP4_HDR_LEN - 4);
	assert_true(wr_ok(&w));
}

static void errors_fit_576_bytes(void **state)
{
	uint8_t packet[1500], b[1000];
	struct icmp_hdr h;

	quoted(packet, sizeof(packet), 0, 17);
	for (size_t len = IP4_HDR_LEN + 8; len <= sizeof(packet); len += 37) {
		struct wr w = wr_init(b, sizeof(b));
		size_t want = len < 548 ? len : 548;
		struct icmp_quote q;
		struct rd r;

		icmp_emit_error(&w, ICMP_UNREACHABLE, ICMP_U_FRAG_NEEDED, 1400,
				packet, len);
		assert_true(wr_ok(&w));
		assert_int_equal(wr_len(&w), ICMP_HDR_LEN + want);
		assert_int_equal(csum_fold(csum_add(b, wr_len(&w), 0)), 0);
		r = rd_init(b, wr_len(&w));
		assert_true(icmp_parse(&r, &h));
		assert_int_equal(h.type, ICMP_UNREACHABLE);
		assert_int_equal(h.code, ICMP_U_FRAG_NEEDED);
		assert_int_equal(h.id, 0);
		assert_int_equal(h.seq, 1400);
		assert_true(icmp_parse_quote(&r, &q));
		assert_int_equal(q.l4_len, want - IP4_HDR_LEN);
		assert_int_equal(q.total_len, 1500);
		assert_int_equal(q.src.port, 1000);
		assert_int_equal(q.dst.port, 53);
		assert_int_equal(addr_u32(&q.src.ip), 0x0a00020f);
		assert_int_equal(addr_u32(&q.dst.ip), 0xc0000201);
		assert_int_equal(q.proto, 17);
	}
}

static void quotes_that_are_too_short(void **state)
{
	uint8_t b[IP4_HDR_LEN + 8];
	struct icmp_quote q = {.total_len = 77};

	quoted(b, sizeof(b), 0, 6);
	for (size_t n = 0; n < sizeof(b); n++) {
		struct rd r = rd_init(b, n);

		assert_false(icmp_parse_quote(&r, &q));
	}
	for (unsigned v = 0; v < 256; v++) {
		struct rd r = rd_init(b, sizeof(b));
		struct icmp_quote g;

		b[0] = (uint8_t)v;
		assert_int_equal(icmp_parse_quote(&r, &g), v == 0x45);
	}
	assert_int_equal(q.total_len, 77);
}

static void quotes_without_ports(void **state)
{
	uint8_t b[IP4_HDR_LEN + 8];
	struct icmp_quote q;
	struct rd r = rd_init(b, sizeof(b));

	quoted(b, sizeof(b), 0, 1);
	assert_true(icmp_parse_quote(&r, &q));
	assert_int_equal(q.src.port | q.dst.port, 0);
	assert_false(q.is_later);
	assert_ptr_equal(q.l4, b + IP4_HDR_LEN);
	/* A later fragment may be quoted, and be short. */
	quoted(b, sizeof(b), IP4_F_MF | 100, 17);
	r = rd_init(b, IP4_HDR_LEN + 3);
	assert_true(icmp_parse_quote(&r, &q));
	assert_true(q.is_later);
	assert_int_equal(q.src.port | q.dst.port, 0);
	assert_int_equal(q.l4_len, 3);
}

static void an_error_that_does_not_fit(void **state)
{
	uint8_t packet[64], b[64];
	struct wr w = wr_init(b, sizeof(b));

	quoted(packet, sizeof(packet), 0, 17);
	icmp_emit_error(&w, ICMP_TIME_EXCEEDED, 0, 0, packet, sizeof(packet));
	assert_false(wr_ok(&w));
}

static void errors_are_told_from_queries(void **state)
{
	static const uint8_t errors[] = {3, 4, 5, 11, 12};
	unsigned n = 0;

	for (unsigned t = 0; t < 256; t++)
		n += icmp_is_error((uint8_t)t);
	for (unsigned i = 0; i < sizeof(errors); i++)
		assert_true(icmp_is_error(errors[i]));
	assert_int_equal(n, sizeof(errors));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header),
		cmocka_unit_test(errors_fit_576_bytes),
		cmocka_unit_test(quotes_that_are_too_short),
		cmocka_unit_test(quotes_without_ports),
		cmocka_unit_test(an_error_that_does_not_fit),
		cmocka_unit_test(errors_are_told_from_queries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
