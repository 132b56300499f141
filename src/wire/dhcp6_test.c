/* SPDX-License-Identifier: BSD-3-Clause */
/* DHCPv6 messages, read and written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/dhcp6.h"
#include "wire/dns.h"

/* What dhclient sends: client id, elapsed time, requests, one IA_NA with an
 * address that it had, rapid commit, a name. */
static const uint8_t solicit[] = {
	1, 0x12, 0x34, 0x56,
	0, 1, 0, 10, 0, 3, 0, 1, 0x52, 0x54, 0, 0, 0, 1,
	0, 8, 0, 2, 0, 0,
	0, 6, 0, 4, 0, 23, 0, 24,
	0, 3, 0, 40, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0,
	0, 5, 0, 24, 0xfe, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 15,
	0, 0, 0, 100, 0, 0, 0, 200,
	0, 14, 0, 0,
	0, 39, 0, 5, 1, 3, 'v', 'm', '7',
};

static bool parse(const void *p, size_t len, struct dhcp6_msg *mp)
{
	struct rd r = rd_init(p, len);

	return dhcp6_parse(&r, mp);
}

static void test_solicit(void **state)
{
	const mac m = {{0x52, 0x54, 0, 0, 0, 1}};
	struct dhcp6_msg msg;
	struct dhcp6_addr a;
	addr fifteen = {{0xfe, 0xc0, [15] = 15}};

	assert_true(parse(solicit, sizeof(solicit), &msg));
	assert_int_equal(msg.type, DHCP6_SOLICIT);
	assert_int_equal(msg.xid, 0x123456);
	assert_true(dhcp6_is_duid_ll(msg.client_id, m));
	assert_int_equal(rd_left(&msg.server_id), 0);
	assert_true(msg.is_rapid);
	assert_int_equal(rd_left(&msg.fqdn), 5);
	assert_int_equal(msg.n_ia, 1);
	assert_int_equal(msg.ia[0].code, DHCP6_O_IA_NA);
	assert_int_equal(msg.ia[0].iaid, 0x01020304);
	assert_true(dhcp6_next_addr(&msg.ia[0].opts, &a));
	assert_true(addr_eq(&a.ip, &fifteen));
	assert_int_equal(a.preferred, 100);
	assert_int_equal(a.valid, 200);
	assert_false(dhcp6_next_addr(&msg.ia[0].opts, &a));
}

/* Cut anywhere but between two options it is refused, and nothing is read
 * behind its end. */
static void test_cut_short(void **state)
{
	static const size_t whole[] = {4, 18, 24, 32, 76, 80, 89};
	unsigned at = 0;

	for (size_t len = 0; len <= sizeof(solicit); len++) {
		uint8_t *copy = malloc(len ? len : 1);
		struct dhcp6_msg m = {.n_ia = 99};
		bool is_whole = len == whole[at];

		memcpy(copy, solicit, len);
		assert_int_equal(parse(copy, len, &m), is_whole);
		if (!is_whole)
			assert_int_equal(m.n_ia, 99); /* untouched */
		at += is_whole;
		free(copy);
	}
	assert_int_equal(at, sizeof(whole) / sizeof(*whole));
}

static void test_lengths_that_lie(void **state)
{
	uint8_t b[sizeof(solicit)];
	struct dhcp6_msg m;
	/* the length of the address, of the IA, of the client's id */
	static const struct {
		unsigned at;
		uint8_t len;
	} bad[] = {{51, 25}, {51, 23}, {35, 39}, {35, 41}, {35, 11}, {7, 2}};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		memcpy(b, solicit, sizeof(b));
		b[bad[i].at] = bad[i].len;
		assert_false(parse(b, sizeof(b), &m));
	}
}

static void test_types(void **state)
{
	uint8_t b[4] = {0};
	struct dhcp6_msg m;

	for (unsigned type = 0; type < 256; type++) {
		b[0] = (uint8_t)type;
		assert_int_equal(parse(b, sizeof(b), &m),
				 type >= 1 && type <= 11);
	}
}

static void test_a_duid_has_bounds(void **state)
{
	uint8_t b[200] = {0};
	struct dhcp6_msg m;

	for (size_t len = 0; len < 150; len++) {
		struct wr w = wr_init(b, sizeof(b));
		uint8_t duid[150] = {0, 1, 2};

		dhcp6_emit_hdr(&w, DHCP6_REQUEST, 7);
		dhcp6_emit_opt(&w, DHCP6_O_SERVER_ID, duid, len);
		assert_int_equal(parse(b, wr_len(&w), &m),
				 len >= 3 && len <= DHCP6_DUID_MAX);
	}
}

static void test_the_first_counts(void **state)
{
	uint8_t b[100];
	struct wr w = wr_init(b, sizeof(b));
	struct dhcp6_msg m;

	dhcp6_emit_hdr(&w, DHCP6_REQUEST, 7);
	dhcp6_emit_duid_ll(&w, DHCP6_O_CLIENT_ID, (mac){{1}});
	dhcp6_emit_duid_ll(&w, DHCP6_O_CLIENT_ID, (mac){{2}});
	assert_true(parse(b, wr_len(&w), &m));
	assert_true(dhcp6_is_duid_ll(m.client_id, (mac){{1}}));
	assert_false(dhcp6_is_duid_ll(m.client_id, (mac){{2}}));
}

static void test_more_ias_than_we_look_at(void **state)
{
	uint8_t b[1400];
	struct wr w = wr_init(b, sizeof(b));
	struct dhcp6_msg m;

	dhcp6_emit_hdr(&w, DHCP6_REQUEST, 7);
	for (uint32_t i = 0; i < 50; i++) {
		const uint16_t code[] = {DHCP6_O_IA_NA, DHCP6_O_IA_TA,
					 DHCP6_O_IA_PD};

		dhcp6_opt_end(&w, dhcp6_ia_begin(&w, code[i % 3], i, 1, 2));
	}
	assert_true(wr_ok(&w));
	assert_true(parse(b, wr_len(&w), &m));
	assert_int_equal(m.n_ia, DHCP6_IAS_MAX);
	assert_int_equal(m.ia[4].iaid, 4);
	assert_int_equal(m.ia[4].code, DHCP6_O_IA_TA);
	assert_int_equal(rd_left(&m.ia[4].opts), 0);
	/* one behind them is malformed all the same */
	b[wr_len(&w) - 1 - 4 - 1] = 3;
	assert_false(parse(b, wr_len(&w) - 9, &m));
}

static void test_prefixes_are_walked(void **state)
{
	uint8_t b[100];
	uint8_t prefix[25 + 3] = {0, 0, 0, 1, 0, 0, 0, 1, 64};
	struct dhcp6_addr a;
	struct dhcp6_msg m;

	for (size_t len = 0; len <= sizeof(prefix); len++) {
		struct wr w = wr_init(b, sizeof(b));
		size_t at;

		dhcp6_emit_hdr(&w, DHCP6_SOLICIT, 7);
		at = dhcp6_ia_begin(&w, DHCP6_O_IA_PD, 1, 0, 0);
		dhcp6_emit_opt(&w, DHCP6_O_IAPREFIX, prefix, len);
		dhcp6_opt_end(&w, at);
		/* what is behind them would be an option */
		assert_int_equal(parse(b, wr_len(&w), &m), len == 25);
		if (len == 25)
			assert_false(dhcp6_next_addr(&m.ia[0].opts, &a));
	}
}

static void test_emission(void **state)
{
	static const uint8_t want[] = {
		7, 0, 0, 9,
		0, 2, 0, 10, 0, 3, 0, 1, 1, 2, 3, 4, 5, 6,
		0, 3, 0, 46, 0, 0, 0, 5, 0, 0, 0, 10, 0, 0, 0, 20,
		0, 5, 0, 24, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
		0, 0, 0, 30, 0, 0, 0, 40,
		0, 13, 0, 2, 0, 3,
		0, 4, 0, 4, 0, 0, 0, 6,
	};
	const struct dhcp6_addr a = {
		.ip = {{0xfd, [15] = 1}}, .preferred = 30, .valid = 40};
	uint8_t b[sizeof(want)];
	struct wr w = wr_init(b, sizeof(b));
	size_t at;

	dhcp6_emit_hdr(&w, DHCP6_REPLY, 9);
	dhcp6_emit_duid_ll(&w, DHCP6_O_SERVER_ID, (mac){{1, 2, 3, 4, 5, 6}});
	at = dhcp6_ia_begin(&w, DHCP6_O_IA_NA, 5, 10, 20);
	dhcp6_emit_addr(&w, &a);
	dhcp6_emit_status(&w, DHCP6_NO_BINDING, "");
	dhcp6_opt_end(&w, at);
	dhcp6_opt_end(&w, dhcp6_ia_begin(&w, DHCP6_O_IA_TA, 6, 1, 2));
	assert_true(wr_ok(&w));
	assert_int_equal(wr_len(&w), sizeof(want));
	assert_memory_equal(b, want, sizeof(want));
	/* without room the error sticks and nothing is patched */
	w = wr_init(b, 6);
	dhcp6_emit_hdr(&w, DHCP6_REPLY, 9);
	at = dhcp6_opt_begin(&w, DHCP6_O_IA_NA);
	wr_u32(&w, 1);
	dhcp6_opt_end(&w, at);
	assert_false(wr_ok(&w));
}

static void test_names(void **state)
{
	/* The last is a label of 64 octets. */
	static const char *const bad[] = {"", ".", "a..b", ".a",
		("0123456789abcdef0123456789abcdef"
		 "0123456789abcdef0123456789abcdef")};
	char text[300];
	uint8_t b[300];
	struct wr w = wr_init(b, sizeof(b));

	assert_true(dns_name_emit(&w, "lab.example"));
	assert_true(dns_name_emit(&w, "vm."));
	assert_int_equal(wr_len(&w), 17);
	assert_memory_equal(b, "\3lab\7example\0\2vm\0", 17);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_false(dns_name_emit(&w, bad[i]));
		assert_int_equal(wr_len(&w), 17);
		assert_true(wr_ok(&w));
	}
	/* 255 bytes are a name, two more are none */
	for (unsigned i = 0; i < sizeof(text); i++)
		text[i] = i % 2 ? '.' : 'a';
	text[253] = '\0';
	w = wr_init(b, sizeof(b));
	assert_true(dns_name_emit(&w, text));
	assert_int_equal(wr_len(&w), 255);
	text[253] = '.';
	text[255] = '\0';
	w = wr_init(b, sizeof(b));
	assert_false(dns_name_emit(&w, text));
	w = wr_init(b, 5);
	assert_false(dns_name_emit(&w, "four"));
	assert_int_equal(wr_len(&w), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_solicit),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_lengths_that_lie),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_a_duid_has_bounds),
		cmocka_unit_test(test_the_first_counts),
		cmocka_unit_test(test_more_ias_than_we_look_at),
		cmocka_unit_test(test_prefixes_are_walked),
		cmocka_unit_test(test_emission),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
