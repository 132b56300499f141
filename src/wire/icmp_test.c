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
#include "wire/ip.h"

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

/* What the tests below are asked about, in either family. */
static const struct family {
	addr src, dst;
	size_t ip_len, quote_max;
	uint8_t version;
} v4 = {
	.src = {{[10] = 0xff, 0xff, 10, 0, 2, 15}},
	.dst = {{[10] = 0xff, 0xff, 192, 0, 2, 1}},
	.ip_len = 20,
	.quote_max = 548,
	.version = 4,
}, v6 = {
	.src = {{0xfe, 0xc0, [15] = 15}},
	.dst = {{0x20, 1, 0xd, 0xb8, [15] = 1}},
	.ip_len = 40,
	.quote_max = 1232,
	.version = 6,
};

/* A UDP packet of len bytes in all, ports 1000 and 53. */
static void quoted(const struct family *f, uint8_t *b, size_t len,
		   uint8_t proto)
{
	struct ip_hdr ip = {
		.l4_len = 1500 - (uint32_t)f->ip_len,
		.ttl = 64,
		.proto = proto,
		.src = f->src,
		.dst = f->dst,
	};
	struct wr w = wr_init(b, len);

	ip_emit(&w, &ip);
	wr_u16(&w, 1000);
	wr_u16(&w, 53);
	wr_zero(&w, len - f->ip_len - 4);
	assert_true(wr_ok(&w));
}

/* 576 bytes in all of IPv4, 1280 of IPv6. */
static void errors_are_bounded(void **state)
{
	const struct family *f = *state;
	uint8_t packet[1500], b[1300];
	struct icmp_hdr h;

	quoted(f, packet, sizeof(packet), 17);
	for (size_t len = f->ip_len + 8; len <= sizeof(packet); len += 37) {
		const struct icmp_report m = {.src = f->dst,
					      .dst = f->src,
					      .type = 2,
					      .code = 1,
					      .rest = 0x12345678,
					      .quote = packet,
					      .quote_len = len};
		struct wr w = wr_init(b, sizeof(b));
		size_t want = len < f->quote_max ? len : f->quote_max;
		struct icmp_quote q;
		struct rd r;

		icmp_emit_error(&w, &m);
		assert_true(wr_ok(&w));
		assert_int_equal(wr_len(&w), ICMP_HDR_LEN + want);
		assert_int_equal(
			csum_fold(csum_add(b, wr_len(&w),
					   f->version == 4
						   ? 0
						   : csum_pseudo(&m.src, &m.dst,
								 58,
								 8 + want))),
			0);
		r = rd_init(b, wr_len(&w));
		assert_true(icmp_parse(&r, &h));
		assert_int_equal(h.type, 2);
		assert_int_equal(h.code, 1);
		assert_int_equal(h.id, 0x1234);
		assert_int_equal(h.seq, 0x5678);
		assert_true(icmp_parse_quote(&r, &q));
		assert_int_equal(q.l4_len, want - f->ip_len);
		assert_int_equal(q.total_len, 1500);
		assert_int_equal(q.src.port, 1000);
		assert_int_equal(q.dst.port, 53);
		assert_true(addr_eq(&q.src.ip, &f->src));
		assert_true(addr_eq(&q.dst.ip, &f->dst));
		assert_int_equal(q.proto, 17);
	}
}

static void quotes_that_are_too_short(void **state)
{
	const struct family *f = *state;
	uint8_t b[IP6_HDR_LEN + 8];
	size_t len = f->ip_len + 8;
	struct icmp_quote q = {.total_len = 77};

	quoted(f, b, len, 6);
	for (size_t n = 0; n < len; n++) {
		struct rd r = rd_init(b, n);

		assert_false(icmp_parse_quote(&r, &q));
	}
	for (unsigned v = 0; v < 256; v++) {
		struct rd r = rd_init(b, len);
		struct icmp_quote g;
		/* of IPv6 the other half is the traffic class's */
		bool is_good = f->version == 4 ? v == 0x45 : v >> 4 == 6;

		/* not this header read as the other family's */
		if (v >> 4 != f->version && (v >> 4 == 4 || v >> 4 == 6))
			continue;
		b[0] = (uint8_t)v;
		assert_int_equal(icmp_parse_quote(&r, &g), is_good);
	}
	assert_int_equal(q.total_len, 77);
}

static void quotes_without_ports(void **state)
{
	const struct family *f = *state;
	uint8_t b[IP6_HDR_LEN + 16];
	struct ip_hdr ip = {.is_fragment = true,
			    .more = true,
			    .off = 800,
			    .l4_len = 100,
			    .proto = 17,
			    .src = f->src,
			    .dst = f->dst};
	struct wr w = wr_init(b, sizeof(b));
	struct icmp_quote q;
	struct rd r = rd_init(b, f->ip_len + 8);

	quoted(f, b, f->ip_len + 8, 1);
	assert_true(icmp_parse_quote(&r, &q));
	assert_int_equal(q.src.port | q.dst.port, 0);
	assert_false(q.is_later);
	assert_ptr_equal(q.l4, b + f->ip_len);
	/* A later fragment may be quoted, and be short. */
	ip_emit(&w, &ip);
	wr_zero(&w, 3);
	r = rd_init(b, wr_len(&w));
	assert_true(icmp_parse_quote(&r, &q));
	assert_true(q.is_later);
	assert_int_equal(q.proto, 17);
	assert_int_equal(q.src.port | q.dst.port, 0);
	assert_int_equal(q.l4_len, 3);
	/* The first has its transport header. */
	w = wr_init(b, sizeof(b));
	ip.off = 0;
	ip_emit(&w, &ip);
	wr_u32(&w, 1000u << 16 | 53);
	wr_u32(&w, 0);
	r = rd_init(b, wr_len(&w));
	assert_true(icmp_parse_quote(&r, &q));
	assert_false(q.is_later);
	assert_int_equal(q.src.port, 1000);
	assert_int_equal(q.dst.port, 53);
	assert_int_equal(q.l4_len, 8);
}

/* An IPv6 header may not name IPv4's addresses: they mean others here. */
static void a_quote_of_two_families(void **state)
{
	uint8_t b[IP6_HDR_LEN + 8];
	struct rd r = rd_init(b, sizeof(b));
	struct icmp_quote q;

	quoted(&v6, b, sizeof(b), 17);
	memcpy(b + 8, v4.src.b, 16);
	assert_false(icmp_parse_quote(&r, &q));
}

static void an_error_that_does_not_fit(void **state)
{
	const struct family *f = *state;
	uint8_t packet[64], b[64];
	const struct icmp_report m = {.src = f->dst,
				      .dst = f->src,
				      .quote = packet,
				      .quote_len = sizeof(packet)};
	struct wr w = wr_init(b, sizeof(b));

	quoted(f, packet, sizeof(packet), 17);
	icmp_emit_error(&w, &m);
	assert_false(wr_ok(&w));
}

static void errors_are_told_from_queries(void **state)
{
	static const uint8_t errors[] = {3, 4, 5, 11, 12};
	unsigned n = 0;

	for (unsigned t = 0; t < 256; t++)
		n += icmp_is_error(1, (uint8_t)t);
	for (unsigned i = 0; i < sizeof(errors); i++)
		assert_true(icmp_is_error(1, errors[i]));
	assert_int_equal(n, sizeof(errors));
	for (unsigned t = 0; t < 256; t++)
		assert_int_equal(icmp_is_error(58, (uint8_t)t),
				 t < 128 || t == 137);
}

/* RFC 7915 4.2 and 5.2 in figures; ours says host unreachable more exactly. */
static void the_other_familys_names(void **state)
{
	static const uint8_t t[][4] = {
		{8, 0, 128, 0}, {0, 0, 129, 0}, {3, 0, 1, 0},  {3, 1, 1, 3},
		{3, 2, 4, 1},	{3, 3, 1, 4},	{3, 4, 2, 0},  {3, 13, 1, 1},
		{11, 0, 3, 0},	{11, 1, 3, 1},	{12, 0, 4, 0},
	};
	static const uint8_t to6[][3] = {
		{5, 1, 0},  {6, 1, 0},	{7, 1, 0},  {8, 1, 0}, {9, 1, 1},
		{10, 1, 1}, {11, 1, 0}, {12, 1, 0}, {15, 1, 1},
	};
	static const uint8_t to4[][3] = {{2, 3, 1}, {5, 3, 13}, {6, 3, 13}};
	uint8_t type, code;

	for (unsigned i = 0; i < sizeof(t) / sizeof(*t); i++) {
		type = t[i][0];
		code = t[i][1];
		assert_true(icmp_to6(&type, &code));
		assert_int_equal(type, t[i][2]);
		assert_int_equal(code, t[i][3]);
		assert_true(icmp_to4(&type, &code));
		assert_int_equal(type, t[i][0]);
		assert_int_equal(code, t[i][1]);
	}
	for (unsigned i = 0; i < sizeof(to6) / sizeof(*to6); i++) {
		type = 3;
		code = to6[i][0];
		assert_true(icmp_to6(&type, &code));
		assert_int_equal(type, to6[i][1]);
		assert_int_equal(code, to6[i][2]);
	}
	for (unsigned i = 0; i < sizeof(to4) / sizeof(*to4); i++) {
		type = 1;
		code = to4[i][0];
		assert_true(icmp_to4(&type, &code));
		assert_int_equal(type, to4[i][1]);
		assert_int_equal(code, to4[i][2]);
	}
}

static void names_that_the_other_family_has_not(void **state)
{
	static const uint8_t no6[][2] = {{3, 14}, {3, 16}, {4, 0}, {5, 1},
					 {11, 2}, {12, 1}, {13, 0}};
	static const uint8_t no4[][2] = {{1, 7}, {3, 2}, {4, 2}, {135, 0}};
	uint8_t type = 0, code = 0;

	for (unsigned i = 0; i < sizeof(no6) / sizeof(*no6); i++) {
		type = no6[i][0];
		code = no6[i][1];
		assert_false(icmp_to6(&type, &code));
	}
	for (unsigned i = 0; i < sizeof(no4) / sizeof(*no4); i++) {
		type = no4[i][0];
		code = no4[i][1];
		assert_false(icmp_to4(&type, &code));
	}
	assert_int_equal(type, 135); /* untouched */
	assert_int_equal(icmp_pointer_to6(0), 0);
	assert_int_equal(icmp_pointer_to6(3), 4);
	assert_int_equal(icmp_pointer_to6(5), -1);
	assert_int_equal(icmp_pointer_to6(8), 7);
	assert_int_equal(icmp_pointer_to6(9), 6);
	assert_int_equal(icmp_pointer_to6(12), 8);
	assert_int_equal(icmp_pointer_to6(19), 24);
	assert_int_equal(icmp_pointer_to6(20), -1);
}

#define BOTH(f)                                                                \
	cmocka_unit_test_prestate(f, (void *)(uintptr_t)&v4),                  \
		cmocka_unit_test_prestate(f, (void *)(uintptr_t)&v6)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(header),
		BOTH(errors_are_bounded),
		BOTH(quotes_that_are_too_short),
		BOTH(quotes_without_ports),
		cmocka_unit_test(a_quote_of_two_families),
		BOTH(an_error_that_does_not_fit),
		cmocka_unit_test(errors_are_told_from_queries),
		cmocka_unit_test(the_other_familys_names),
		cmocka_unit_test(names_that_the_other_family_has_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
