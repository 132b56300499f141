/* SPDX-License-Identifier: BSD-3-Clause */
/* What an address was looked up by: by whom, the newest, and not for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/dns_names.h"
#include "wire/dns.h"

static const mac alice = {{2, 0, 0, 0, 0, 1}}, bob = {{2, 0, 0, 0, 0, 2}};

struct bench {
	struct dns_names *n;
	uint8_t b[2048];
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_int_equal(dns_names_new(&b->n), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	assert_null(dns_names_free(b->n));
	free(b);
	return 0;
}

static void put_record(struct wr *w, uint16_t type, const void *data,
		       uint16_t len)
{
	wr_u16(w, DNS_POINTER | DNS_HDR_LEN);
	wr_u16(w, type);
	wr_u16(w, DNS_C_IN);
	wr_u32(w, 60);
	wr_u16(w, len);
	wr_bytes(w, data, len);
}

/* n addresses from ip on. */
static size_t answer(struct bench *b, const char *name, addr ip, unsigned n)
{
	const bool is_v4 = addr_is_v4(&ip);
	const uint16_t type = is_v4 ? DNS_T_A : DNS_T_AAAA;
	struct dns_hdr h = {.flags = DNS_F_QR, .n_question = 1,
			    .n_answer = (uint16_t)n};
	struct wr w = wr_init(b->b, sizeof(b->b));

	dns_hdr_emit(&w, &h);
	assert_true(dns_name_emit(&w, name));
	wr_u16(&w, type);
	wr_u16(&w, DNS_C_IN);
	for (unsigned i = 0; i < n; i++, ip.b[15]++)
		put_record(&w, type, is_v4 ? ip.b + 12 : ip.b, is_v4 ? 4 : 16);
	assert_true(wr_ok(&w));
	return wr_len(&w);
}

static void learn_by(struct bench *b, uint32_t port, mac guest,
		     const char *name, addr ip, unsigned n)
{
	const struct rd r = rd_init(b->b, answer(b, name, ip, n));

	dns_names_learn(b->n, guest, port, &r);
}

static void learn(struct bench *b, mac guest, const char *name, addr ip,
		  unsigned n)
{
	learn_by(b, 0, guest, name, ip, n);
}

static void expect(struct bench *b, mac guest, addr ip, const char *name)
{
	const char *got = dns_names_find(b->n, guest, &ip);

	if (!name)
		assert_null(got);
	else
		assert_string_equal(got ? got : "(none)", name);
}

static void test_the_newest_of_each_guest(void **state)
{
	const addr one = addr_v4(192, 0, 2, 1), two = addr_v4(192, 0, 2, 2);
	const addr six = {{0x20, 1, 0xd, 0xb8, [15] = 9}};
	struct bench *b = *state;

	learn(b, alice, "a.example", one, 2);
	learn(b, alice, "six.example", six, 1);
	expect(b, alice, one, "a.example");
	expect(b, alice, two, "a.example");
	expect(b, alice, six, "six.example");
	expect(b, bob, one, NULL);
	learn(b, bob, "b.example", one, 1);
	learn(b, alice, "c.example", two, 1);
	expect(b, alice, one, "a.example");
	expect(b, bob, one, "b.example");
	expect(b, alice, two, "c.example");
	/* a machine that is plugged in elsewhere stays who it is */
	learn_by(b, 7, alice, "d.example", two, 1);
	expect(b, alice, two, "d.example");
	expect(b, alice, one, "a.example");
}

static void test_the_oldest_go(void **state)
{
	struct bench *b = *state;
	char name[32];

	for (unsigned i = 0; i < DNS_NAMES_MAX + 10; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		learn(b, alice, name,
		      addr_v4(10, 0, (uint8_t)(i >> 8), (uint8_t)i), 1);
		if (i == DNS_NAMES_MAX - 1) /* used again: it is new */
			learn(b, alice, "again.example", addr_v4(10, 0, 0, 3),
			      1);
	}
	expect(b, alice, addr_v4(10, 0, 0, 9), NULL);
	expect(b, alice, addr_v4(10, 0, 0, 3), "again.example");
	expect(b, alice, addr_v4(10, 0, 0, 11), "n11.example");
	expect(b, alice, addr_v4(10, 0, 16, 9), "n4105.example");
}

static addr nth(uint8_t net, unsigned i)
{
	return addr_v4(net, 0, (uint8_t)(i >> 8), (uint8_t)i);
}

static mac mac_of(uint32_t port, unsigned i)
{
	return (mac){{2, 9, (uint8_t)(port >> 8), (uint8_t)port,
		      (uint8_t)(i >> 8), (uint8_t)i}};
}

/* n look-ups of a port, each by another MAC. */
static void flood(struct bench *b, uint32_t port, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		learn_by(b, port, mac_of(port, i), "f.example", nth(11, i), 1);
	}
}

/* Of a flood, how many are remembered, which are the newest. */
static unsigned left(struct bench *b, uint32_t port, unsigned n)
{
	unsigned n_left = 0;

	for (unsigned i = 0; i < n; i++) {
		const addr ip = nth(11, i);
		bool is_there = dns_names_find(b->n, mac_of(port, i), &ip);

		assert_true(is_there || !n_left);
		n_left += is_there;
	}
	return n_left;
}

/* Who looks up many names pushes out his own, whatever his MAC is, and who
 * comes later has a share as well. */
static void test_a_port_has_its_share(void **state)
{
	enum { N = 2 * DNS_NAMES_MAX, FEW = 100 };
	struct bench *b = *state;

	for (unsigned i = 0; i < FEW; i++)
		learn_by(b, 1, alice, "a.example", nth(10, i), 1);
	flood(b, 2, N);
	assert_int_equal(left(b, 2, N), DNS_NAMES_MAX - FEW);
	for (unsigned i = 0; i < FEW; i++)
		learn_by(b, 3, bob, "b.example", nth(10, i), 1);
	assert_int_equal(left(b, 2, N), DNS_NAMES_MAX - 2 * FEW);
	/* the same of ports that share a bucket, and of those not known */
	flood(b, 2 + 256, N);
	assert_int_equal(left(b, 2, N), DNS_NAMES_MAX / 2 - FEW);
	assert_int_equal(left(b, 2 + 256, N), DNS_NAMES_MAX / 2 - FEW);
	flood(b, 0, N);
	assert_in_range(left(b, 0, N), DNS_NAMES_MAX / 3 - FEW,
			DNS_NAMES_MAX / 3);
	for (unsigned i = 0; i < FEW; i++) {
		expect(b, alice, nth(10, i), "a.example");
		expect(b, bob, nth(10, i), "b.example");
	}
	/* one each, where there are so many ports: those five have it, too */
	for (unsigned i = 5; i < DNS_NAMES_MAX; i++)
		learn_by(b, 1000 + i, bob, "c.example", nth(12, i), 1);
	for (unsigned i = 5; i < DNS_NAMES_MAX; i++)
		expect(b, bob, nth(12, i), "c.example");
	expect(b, alice, nth(10, FEW - 1), "a.example");
	expect(b, alice, nth(10, FEW - 2), NULL);
}

/* However long it claims to be. */
static void test_what_is_cut_short(void **state)
{
	const addr ip = addr_v4(192, 0, 2, 1);
	struct bench *b = *state;
	size_t len = answer(b, "a.example", ip, 1);

	for (size_t n = 0; n < len; n++) {
		uint8_t *copy = malloc(n ? n : 1);
		const struct rd r = rd_init(copy, n);

		memcpy(copy, b->b, n);
		dns_names_learn(b->n, alice, 0, &r);
		expect(b, alice, ip, NULL);
		free(copy);
	}
	learn(b, alice, "a.example", ip, DNS_NAMES_ANSWER + 1);
	expect(b, alice, addr_v4(192, 0, 2, DNS_NAMES_ANSWER), "a.example");
	expect(b, alice, addr_v4(192, 0, 2, DNS_NAMES_ANSWER + 1), NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_newest_of_each_guest,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_oldest_go, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_port_has_its_share,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_is_cut_short, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
