/* SPDX-License-Identifier: BSD-3-Clause */
/* DHCP: what is emitted is parsed again; overload, pieces, hostile lengths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/dhcp.h"

enum { SNAME_AT = 44, FILE_AT = 108, OPTIONS_AT = 240 };

static bool parse(const void *p, size_t len, struct dhcp_msg *mp)
{
	struct rd r = rd_init(p, len);

	return dhcp_parse(&r, mp);
}

/* A request with the given bytes as its options field; returns its length. */
static size_t request(uint8_t *b, const void *opts, size_t len)
{
	struct dhcp_hdr h = {
		.op = DHCP_REQUEST_OP,
		.htype = DHCP_HTYPE_ETHERNET,
		.hlen = 6,
		.xid = 0x12345678,
		.chaddr = {0x52, 0x54, 0, 1, 2, 3},
	};
	struct wr w = wr_init(b, 2000);

	dhcp_emit_hdr(&w, &h);
	assert_true(wr_ok(&w));
	assert_int_equal(wr_len(&w), DHCP_HDR_LEN);
	wr_bytes(&w, opts, len);
	return wr_len(&w);
}

static void expect(const struct dhcp_msg *m, uint8_t code, const char *want)
{
	struct rd r;

	assert_true(dhcp_find(m, code, &r));
	assert_int_equal(rd_left(&r), strlen(want));
	assert_memory_equal(rd_bytes(&r, strlen(want)), want, strlen(want));
}

static void round_trip(void **state)
{
	struct dhcp_hdr h = {
		.op = DHCP_REPLY_OP,
		.htype = 1,
		.hlen = 6,
		.hops = 3,
		.xid = 0xfedcba98,
		.secs = 259,
		.flags = DHCP_F_BROADCAST,
		.ciaddr = addr_v4(10, 0, 2, 15),
		.yiaddr = addr_v4(10, 0, 2, 16),
		.siaddr = addr_v4(10, 0, 2, 2),
		.giaddr = addr_v4(10, 0, 2, 1),
		.chaddr = {1, 2, 3, 4, 5, 6},
		.sname = "server",
		.file = "pxelinux.0",
	};
	addr mask = addr_v4(255, 255, 255, 0), a;
	struct dhcp_msg m;
	uint8_t b[600];
	struct wr w = wr_init(b, sizeof(b));
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	char text[32];

	wr_zero(&w, 42);
	dhcp_emit_hdr(&w, &h);
	dhcp_emit_u8(&w, DHCP_O_TYPE, DHCP_ACK);
	dhcp_emit_addr(&w, DHCP_O_MASK, &mask);
	dhcp_emit_u16(&w, DHCP_O_MTU, 1500);
	dhcp_emit_u32(&w, DHCP_O_LEASE_TIME, 86400);
	dhcp_emit_text(&w, DHCP_O_DOMAIN, "example.org");
	dhcp_emit_text(&w, DHCP_O_HOSTNAME, "");
	dhcp_emit_end(&w, 42);
	assert_true(wr_ok(&w));
	assert_int_equal(wr_len(&w), 42 + DHCP_MIN_LEN);
	assert_true(parse(b + 42, wr_len(&w) - 42, &m));
	assert_int_equal(m.hdr.op, h.op);
	assert_int_equal(m.hdr.htype, h.htype);
	assert_int_equal(m.hdr.hlen, h.hlen);
	assert_int_equal(m.hdr.hops, h.hops);
	assert_int_equal(m.hdr.xid, h.xid);
	assert_int_equal(m.hdr.secs, h.secs);
	assert_int_equal(m.hdr.flags, h.flags);
	assert_true(addr_eq(&m.hdr.ciaddr, &h.ciaddr));
	assert_true(addr_eq(&m.hdr.yiaddr, &h.yiaddr));
	assert_true(addr_eq(&m.hdr.siaddr, &h.siaddr));
	assert_true(addr_eq(&m.hdr.giaddr, &h.giaddr));
	assert_memory_equal(m.hdr.chaddr, h.chaddr, sizeof(h.chaddr));
	assert_string_equal(m.hdr.sname, h.sname);
	assert_string_equal(m.hdr.file, h.file);
	assert_int_equal(m.type, DHCP_ACK);
	assert_true(dhcp_find_addr(&m, DHCP_O_MASK, &a));
	assert_true(addr_eq(&a, &mask));
	assert_true(dhcp_find_u16(&m, DHCP_O_MTU, &u16));
	assert_int_equal(u16, 1500);
	assert_true(dhcp_find_u32(&m, DHCP_O_LEASE_TIME, &u32));
	assert_int_equal(u32, 86400);
	assert_true(dhcp_find_text(&m, DHCP_O_DOMAIN, text, sizeof(text)));
	assert_string_equal(text, "example.org");
	assert_false(dhcp_find_text(&m, DHCP_O_HOSTNAME, text, sizeof(text)));
	assert_false(dhcp_find_u8(&m, DHCP_O_MTU, &u8));
	assert_false(dhcp_find_u32(&m, DHCP_O_MTU, &u32));
	assert_false(dhcp_find_addr(&m, DHCP_O_MTU, &a));
}

static void every_cut_is_judged(void **state)
{
	static const uint8_t opts[] = {53, 1, 1, 55, 3, 1, 3, 6, 12, 2, 'v',
				       'm', 255};
	struct dhcp_msg m;
	uint8_t b[2000];
	size_t len = request(b, opts, sizeof(opts));

	assert_true(parse(b, len, &m));
	assert_int_equal(m.type, DHCP_DISCOVER);
	assert_true(dhcp_wants(&m, DHCP_O_ROUTER));
	assert_false(dhcp_wants(&m, DHCP_O_MTU));
	expect(&m, DHCP_O_HOSTNAME, "vm");
	for (size_t n = 0; n < DHCP_HDR_LEN - 4; n++)
		assert_false(parse(b, n, &m));
	/* No cookie, or a part of it: BOOTP. */
	for (size_t n = DHCP_HDR_LEN - 4; n <= DHCP_HDR_LEN; n++) {
		assert_true(parse(b, n, &m));
		assert_int_equal(m.type, DHCP_NONE);
	}
	/* Cut between options is forgiven, within one it is not. */
	for (size_t n = 1; n < sizeof(opts); n++) {
		bool between = n == 3 || n == 8 || n == 12;

		assert_int_equal(parse(b, OPTIONS_AT + n, &m), between);
	}
}

static void bad_fields_are_refused(void **state)
{
	static const uint8_t type_long[] = {53, 2, 1, 1, 255};
	static const uint8_t type_zero[] = {53, 1, 0, 255};
	static const uint8_t type_high[] = {53, 1, 9, 255};
	static const uint8_t type_twice[] = {53, 1, 1, 53, 1, 1, 255};
	static const uint8_t none[] = {0, 0, 255, 53, 9};
	struct dhcp_msg m;
	uint8_t b[2000];

	assert_false(parse(b, request(b, type_long, sizeof(type_long)), &m));
	assert_false(parse(b, request(b, type_zero, sizeof(type_zero)), &m));
	assert_false(parse(b, request(b, type_high, sizeof(type_high)), &m));
	assert_false(parse(b, request(b, type_twice, sizeof(type_twice)), &m));
	assert_true(parse(b, request(b, none, sizeof(none)), &m));
	assert_int_equal(m.type, DHCP_NONE);
	b[2] = DHCP_CHADDR_LEN + 1;
	assert_false(parse(b, OPTIONS_AT + sizeof(none), &m));
}

static void a_failure_leaves_the_result_alone(void **state)
{
	static const uint8_t opts[] = {53, 1};
	struct dhcp_msg m, was;
	uint8_t b[2000];

	memset(&m, 0x5a, sizeof(m));
	memcpy(&was, &m, sizeof(m));
	assert_false(parse(b, request(b, opts, sizeof(opts)), &m));
	assert_memory_equal(&m, &was, sizeof(m));
}

/* RFC 3396 5: options, then file, then sname. */
static void overload_joins_the_pieces_in_order(void **state)
{
	static const uint8_t opts[] = {12, 1, 'a', 53, 1, 3, 52, 1, 3,
				       12, 1, 'b'};
	static const uint8_t file[] = {0, 12, 2, 'c', 'd', 255, 77};
	static const uint8_t sname[] = {12, 1, 'e', 60, 1, 'x'};
	struct dhcp_msg m;
	uint8_t b[2000];
	size_t len = request(b, opts, sizeof(opts));

	memcpy(b + FILE_AT, file, sizeof(file));
	memcpy(b + SNAME_AT, sname, sizeof(sname));
	assert_true(parse(b, len, &m));
	assert_int_equal(m.type, DHCP_REQUEST);
	expect(&m, DHCP_O_HOSTNAME, "abcde");
	expect(&m, DHCP_O_VENDOR_CLASS, "x");
	assert_string_equal(m.hdr.file, "");
	assert_string_equal(m.hdr.sname, "");
	/* File only: sname is a name again. */
	b[OPTIONS_AT + 8] = 1;
	assert_true(parse(b, len, &m));
	expect(&m, DHCP_O_HOSTNAME, "abcd");
	assert_memory_equal(m.hdr.sname, sname, sizeof(sname));
	/* Sname only. */
	b[OPTIONS_AT + 8] = 2;
	assert_true(parse(b, len, &m));
	expect(&m, DHCP_O_HOSTNAME, "abe");
	/* An option that runs out of the file field is no better there. */
	b[OPTIONS_AT + 8] = 1;
	memset(b + FILE_AT, 0, DHCP_FILE_LEN);
	b[FILE_AT + DHCP_FILE_LEN - 1] = 12;
	assert_false(parse(b, len, &m));
	b[FILE_AT + DHCP_FILE_LEN - 2] = 12;
	b[FILE_AT + DHCP_FILE_LEN - 1] = 1;
	assert_false(parse(b, len, &m));
}

static void fields_may_lack_their_nul(void **state)
{
	static const uint8_t opts[] = {53, 1, 1, 255};
	struct dhcp_msg m;
	uint8_t b[2000];
	size_t len = request(b, opts, sizeof(opts));

	memset(b + SNAME_AT, 's', DHCP_SNAME_LEN);
	memset(b + FILE_AT, 'f', DHCP_FILE_LEN);
	assert_true(parse(b, len, &m));
	assert_int_equal(strlen(m.hdr.sname), DHCP_SNAME_LEN);
	assert_int_equal(strlen(m.hdr.file), DHCP_FILE_LEN);
}

static void long_options_go_in_pieces(void **state)
{
	static const size_t sizes[] = {0, 1, 254, 255, 256, 510, 511, 1000};
	uint8_t value[1000], b[2000];
	struct dhcp_msg m;

	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (uint8_t)(i * 7);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct wr w = wr_init(b, sizeof(b));
		struct rd r;

		wr_room(&w, request(b, NULL, 0));
		dhcp_emit_opt(&w, 200, value, sizes[i]);
		assert_int_equal(wr_len(&w),
				 OPTIONS_AT + dhcp_opt_len(sizes[i]));
		dhcp_emit_end(&w, 0);
		assert_true(wr_ok(&w));
		assert_true(parse(b, wr_len(&w), &m));
		assert_true(dhcp_find(&m, 200, &r));
		assert_int_equal(rd_left(&r), sizes[i]);
		assert_memory_equal(r.p, value, sizes[i]);
		/* Where it does not fit nothing is written. */
		w = wr_init(b, dhcp_opt_len(sizes[i]) - 1);
		dhcp_emit_opt(&w, 200, value, sizes[i]);
		assert_false(wr_ok(&w));
		assert_int_equal(wr_len(&w), 0);
	}
}

static void the_store_is_bounded(void **state)
{
	static uint8_t b[OPTIONS_AT + 20 * 257];
	uint8_t opt[257] = {43, 255};
	struct dhcp_msg m;
	struct rd r;
	size_t len = request(b, NULL, 0);

	for (unsigned i = 0; i < 16; i++, len += sizeof(opt))
		memcpy(b + len, opt, sizeof(opt));
	assert_true(parse(b, len, &m));
	assert_true(dhcp_find(&m, 43, &r));
	assert_int_equal(rd_left(&r), 16 * 255);
	memcpy(b + len, opt, sizeof(opt));
	assert_false(parse(b, len + sizeof(opt), &m));
	/* 16 more bytes fit exactly. */
	b[len + 1] = 16;
	assert_true(parse(b, len + 18, &m));
	b[len + 1] = 17;
	assert_false(parse(b, len + 19, &m));
}

static void texts_are_plain(void **state)
{
	static const uint8_t opts[] = {53, 1, 1, 12, 4, 'v', 'm', 0, 0,
				       15, 3, 'a', 10, 'b', 60, 2, 0, 0,
				       61, 2, 'x', 0x80};
	struct dhcp_msg m;
	uint8_t b[2000];
	char text[3] = "??";

	assert_true(parse(b, request(b, opts, sizeof(opts)), &m));
	assert_true(dhcp_find_text(&m, DHCP_O_HOSTNAME, text, 3));
	assert_string_equal(text, "vm");
	text[0] = '?';
	assert_false(dhcp_find_text(&m, DHCP_O_HOSTNAME, text, 2));
	assert_false(dhcp_find_text(&m, DHCP_O_DOMAIN, text, 3));
	assert_false(dhcp_find_text(&m, DHCP_O_VENDOR_CLASS, text, 3));
	assert_false(dhcp_find_text(&m, DHCP_O_CLIENT_ID, text, 3));
	assert_false(dhcp_find_text(&m, DHCP_O_MTU, text, 3));
	assert_string_equal(text, "?m");
}

static void a_reply_belongs_to_its_request(void **state)
{
	static const uint8_t opts[] = {53, 1, 1};
	struct dhcp_msg m;
	struct dhcp_hdr h;
	uint8_t b[2000];

	assert_true(parse(b, request(b, opts, sizeof(opts)), &m));
	m.hdr.flags = DHCP_F_BROADCAST;
	m.hdr.giaddr = addr_v4(1, 2, 3, 4);
	h = dhcp_reply_hdr(&m);
	assert_int_equal(h.op, DHCP_REPLY_OP);
	assert_int_equal(h.xid, 0x12345678);
	assert_int_equal(h.flags, DHCP_F_BROADCAST);
	assert_int_equal(h.hlen, 6);
	assert_int_equal(addr_u32(&h.giaddr), 0x01020304);
	assert_int_equal(addr_u32(&h.yiaddr), 0);
	assert_memory_equal(h.chaddr, m.hdr.chaddr, sizeof(h.chaddr));
	assert_string_equal(h.sname, "");
}

static void fixed_texts_keep_their_nul(void **state)
{
	struct dhcp_hdr h = {.op = DHCP_REPLY_OP};
	uint8_t b[300];
	struct wr w = wr_init(b, sizeof(b));

	memset(h.sname, 's', DHCP_SNAME_LEN - 1);
	dhcp_emit_hdr(&w, &h);
	assert_true(wr_ok(&w));
	memset(h.sname, 's', DHCP_SNAME_LEN);
	w = wr_init(b, sizeof(b));
	dhcp_emit_hdr(&w, &h);
	assert_false(wr_ok(&w));
}

static void search(const char *const *names, unsigned n, const void *want,
		   size_t len)
{
	uint8_t b[256];
	struct wr w = wr_init(b, sizeof(b));

	assert_true(dhcp_search_encode(&w, names, n));
	assert_int_equal(wr_len(&w), len);
	assert_memory_equal(b, want, len);
	/* No room: nothing is written. */
	w = wr_init(b, len - 1);
	assert_false(dhcp_search_encode(&w, names, n));
	assert_true(wr_ok(&w));
	assert_int_equal(wr_len(&w), 0);
}

/* RFC 3397 2: "eng.apple.com" and "marketing.apple.com". */
static void search_lists_share_tails(void **state)
{
	static const char *const names[] = {"eng.apple.com",
					    "marketing.Apple.com.",
					    "com", "eng.apple.com"};
	static const char want[] = "\3eng\5apple\3com\0"
				   "\11marketing\xc0\4"
				   "\xc0\12\xc0\0";

	search(names, 2, want, 27);
	search(names, 4, want, sizeof(want) - 1);
	search(names, 1, want, 15);
}

static void bad_names_are_not_encoded(void **state)
{
	char longest[256], label[70];
	const char *bad[] = {"", ".", "a..b", ".a", "a..", longest, label};
	uint8_t b[600];

	for (size_t i = 0; i < 255; i++)
		longest[i] = i % 2 ? '.' : 'a';
	longest[255] = 0;
	memset(label, 'a', 64);
	label[64] = 0;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct wr w = wr_init(b, sizeof(b));

		assert_false(dhcp_search_encode(&w, &bad[i], 1));
		assert_int_equal(wr_len(&w), 0);
	}
	label[63] = 0;
	longest[253] = 'a'; /* 254 bytes of text would be 256 encoded */
	longest[254] = 0;
	assert_false(dhcp_search_encode(&(struct wr){.start = b, .p = b,
						     .end = b + sizeof(b)},
					&bad[5], 1));
	longest[253] = 0;
	for (unsigned i = 5; i < 7; i++) {
		struct wr w = wr_init(b, sizeof(b));

		assert_true(dhcp_search_encode(&w, &bad[i], 1));
		assert_int_equal(wr_len(&w), strlen(bad[i]) + 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(every_cut_is_judged),
		cmocka_unit_test(bad_fields_are_refused),
		cmocka_unit_test(a_failure_leaves_the_result_alone),
		cmocka_unit_test(overload_joins_the_pieces_in_order),
		cmocka_unit_test(fields_may_lack_their_nul),
		cmocka_unit_test(long_options_go_in_pieces),
		cmocka_unit_test(the_store_is_bounded),
		cmocka_unit_test(texts_are_plain),
		cmocka_unit_test(a_reply_belongs_to_its_request),
		cmocka_unit_test(fixed_texts_keep_their_nul),
		cmocka_unit_test(search_lists_share_tails),
		cmocka_unit_test(bad_names_are_not_encoded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
