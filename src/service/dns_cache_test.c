/* SPDX-License-Identifier: BSD-3-Clause */
/* What is kept of answers, for how long, for whom, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/dns_cache.h"

#define SECOND UINT64_C(1000000000)
#define START  (1000 * SECOND)

#define OPT    "\0\0\x29\x10\0\0\0\0\0\0\0"
#define OPT_DO "\0\0\x29\x10\0\0\0\x80\0\0\0"

struct bench {
	struct dns_cache *c;
	uint8_t q[512], a[2048], got[2048];
	size_t q_len, a_len, got_len;
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_int_equal(dns_cache_new(&b->c), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	dns_cache_free(b->c);
	free(b);
	return 0;
}

static void ask(struct bench *b, const char *name, uint16_t type,
		uint16_t flags, const char *opt)
{
	struct wr w = wr_init(b->q, sizeof(b->q));
	struct dns_hdr h = {.id = 0x1234, .flags = flags, .n_question = 1,
			    .n_extra = opt != NULL};

	dns_hdr_emit(&w, &h);
	assert_true(dns_name_emit(&w, name));
	wr_u16(&w, type);
	wr_u16(&w, DNS_C_IN);
	if (opt)
		wr_bytes(&w, opt, sizeof(OPT) - 1);
	b->q_len = wr_len(&w);
}

static void begin_answer(struct bench *b, uint16_t flags, uint16_t n_answer,
			 uint16_t n_authority)
{
	struct wr w = wr_init(b->a, sizeof(b->a));
	struct dns_hdr h = {.id = 1,
			    .flags = (uint16_t)(DNS_F_QR | flags),
			    .n_question = 1,
			    .n_answer = n_answer,
			    .n_authority = n_authority};

	dns_hdr_emit(&w, &h);
	wr_bytes(&w, b->q + DNS_HDR_LEN, b->q_len - DNS_HDR_LEN);
	b->a_len = wr_len(&w);
}

static void put_record(struct bench *b, uint16_t type, uint32_t ttl,
		       const void *data, size_t len)
{
	struct wr w = wr_init(b->a + b->a_len, sizeof(b->a) - b->a_len);

	wr_u16(&w, 0xc00c);
	wr_u16(&w, type);
	wr_u16(&w, DNS_C_IN);
	wr_u32(&w, ttl);
	wr_u16(&w, (uint16_t)len);
	wr_bytes(&w, data, len);
	assert_true(wr_ok(&w));
	b->a_len += wr_len(&w);
}

static void put_soa(struct bench *b, uint32_t ttl, uint32_t minimum)
{
	uint8_t data[22] = {0};
	struct wr w = wr_init(data + 18, 4);

	wr_u32(&w, minimum);
	put_record(b, DNS_T_SOA, ttl, data, sizeof(data));
}

static void keep_at(struct bench *b, uint32_t port, uint64_t now)
{
	struct rd q = rd_init(b->q, b->q_len), a = rd_init(b->a, b->a_len);

	dns_cache_put(b->c, &q, &a, port, now);
}

static void keep(struct bench *b)
{
	keep_at(b, 0, START);
}

static bool is_known(struct bench *b, uint64_t seconds)
{
	struct rd q = rd_init(b->q, b->q_len);
	struct wr w = wr_init(b->got, sizeof(b->got));
	bool known = dns_cache_get(b->c, &q, START + seconds * SECOND, &w);

	b->got_len = wr_len(&w);
	return known;
}

static void answer(struct bench *b, uint32_t ttl)
{
	begin_answer(b, DNS_F_AA | DNS_F_RD, 1, 0);
	put_record(b, DNS_T_A, ttl, "\1\2\3\4", 4);
}

static uint32_t ttl_at(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	       (uint32_t)p[2] << 8 | p[3];
}

static void test_an_answer_grows_old(void **state)
{
	struct bench *b = *state;

	ask(b, "www.example", DNS_T_A, DNS_F_RD, NULL);
	assert_false(is_known(b, 0));
	answer(b, 60);
	keep(b);
	/* in whatever letters it is asked for, under its own id */
	ask(b, "WWW.example", DNS_T_A, DNS_F_RD, NULL);
	assert_true(is_known(b, 20));
	assert_int_equal(b->got_len, b->a_len);
	assert_memory_equal(b->got, "\x12\x34", 2);
	assert_memory_equal(b->got + 12, "\3WWW\7example", 13);
	assert_int_equal(ttl_at(b->got + b->q_len + 6), 40);
	assert_int_equal(b->got[2] & DNS_F_AA >> 8, 0);
	assert_true(is_known(b, 59));
	assert_int_equal(ttl_at(b->got + b->q_len + 6), 1);
	assert_false(is_known(b, 60));
	assert_false(is_known(b, 0)); /* it is gone */
}

static void test_the_least_lifetime_counts(void **state)
{
	struct bench *b = *state;

	ask(b, "www.example", DNS_T_A, 0, NULL);
	begin_answer(b, 0, 2, 0);
	put_record(b, DNS_T_A, 60, "\1\2\3\4", 4);
	put_record(b, DNS_T_A, 30, "\1\2\3\5", 4);
	keep(b);
	assert_true(is_known(b, 29));
	assert_false(is_known(b, 30));
	/* nothing that has none, or a negative one, or too long a one */
	answer(b, 0);
	keep(b);
	assert_false(is_known(b, 0));
	answer(b, UINT32_C(0x80000000));
	keep(b);
	assert_false(is_known(b, 0));
	answer(b, 0x7fffffff);
	keep(b);
	assert_true(is_known(b, DNS_CACHE_SECONDS - 1));
	assert_false(is_known(b, DNS_CACHE_SECONDS));
	/* a new answer takes the place of the old one, or nothing does */
	answer(b, 60);
	keep(b);
	begin_answer(b, DNS_SERVFAIL, 0, 0);
	keep(b);
	assert_false(is_known(b, 0));
}

static void test_no(void **state)
{
	static const uint16_t rcodes[] = {DNS_NOERROR, DNS_NXDOMAIN};
	struct bench *b = *state;

	for (unsigned i = 0; i < 2; i++) {
		ask(b, i ? "a.example" : "b.example", DNS_T_A, 0, NULL);
		begin_answer(b, rcodes[i], 0, 0);
		keep(b); /* who knows for how long */
		assert_false(is_known(b, 0));
		begin_answer(b, rcodes[i], 0, 1);
		put_soa(b, 600, 20);
		keep(b);
		assert_true(is_known(b, 19));
		assert_int_equal(b->got[3] & DNS_F_RCODE, rcodes[i]);
		assert_false(is_known(b, 20));
		begin_answer(b, rcodes[i], 0, 1);
		put_soa(b, 10, 2000);
		keep(b);
		assert_false(is_known(b, 10));
		begin_answer(b, rcodes[i], 0, 1);
		put_soa(b, 86400, 86400);
		keep(b);
		assert_true(is_known(b, DNS_CACHE_NO_SECONDS - 1));
		assert_false(is_known(b, DNS_CACHE_NO_SECONDS));
	}
	/* an alias that leads to nothing of that type is "no", too */
	ask(b, "c.example", DNS_T_A, 0, NULL);
	begin_answer(b, 0, 1, 0);
	put_record(b, DNS_T_CNAME, 60, "\0", 1);
	keep(b);
	assert_false(is_known(b, 0));
}

static void test_what_is_not_kept(void **state)
{
	struct bench *b = *state;
	uint8_t longest[1300] = {0};

	ask(b, "www.example", DNS_T_A, 0, NULL);
	begin_answer(b, DNS_F_TC, 1, 0);
	put_record(b, DNS_T_A, 60, "\1\2\3\4", 4);
	keep(b);
	assert_false(is_known(b, 0));
	answer(b, 60);
	b->a_len--; /* cut short */
	keep(b);
	assert_false(is_known(b, 0));
	answer(b, 60);
	b->a_len++; /* something behind it */
	keep(b);
	assert_false(is_known(b, 0));
	begin_answer(b, 0, 1, 0);
	put_record(b, DNS_T_A, 60, longest, sizeof(longest));
	keep(b);
	assert_false(is_known(b, 0));
	/* any type, and another that is none; an update */
	for (unsigned i = 0; i < 4; i++) {
		static const struct {
			uint16_t type, flags;
		} all[] = {{255, 0}, {252, 0}, {DNS_T_OPT, 0}, {1, 5 << 11}};

		ask(b, "www.example", all[i].type, all[i].flags, NULL);
		begin_answer(b, 0, 1, 0);
		put_record(b, all[i].type, 60, "\1\2\3\4", 4);
		keep(b);
		assert_false(is_known(b, 0));
	}
}

/* What else of the question its answer depends on. */
static void test_each_its_own(void **state)
{
	static const struct {
		const char *name;
		uint16_t type, flags;
		const char *opt;
	} all[] = {
		{"www.example", DNS_T_A, 0, NULL},
		{"ww.example", DNS_T_A, 0, NULL},
		{"www.example", DNS_T_AAAA, 0, NULL},
		{"www.example", DNS_T_A, DNS_F_RD, NULL},
		{"www.example", DNS_T_A, DNS_F_CD, NULL},
		{"www.example", DNS_T_A, DNS_F_AD, NULL},
		{"www.example", DNS_T_A, 0, OPT},
		{"www.example", DNS_T_A, 0, OPT_DO},
	};
	struct bench *b = *state;

	for (unsigned i = 0; i < sizeof(all) / sizeof(*all); i++) {
		ask(b, all[i].name, all[i].type, all[i].flags, all[i].opt);
		assert_false(is_known(b, 0));
		begin_answer(b, 0, 1, 0);
		/* (the OPT of the question is in between: none of ours) */
		if (all[i].opt)
			b->a_len -= sizeof(OPT) - 1;
		put_record(b, all[i].type, 60, "\1\2\3\4", 4);
		keep(b);
		assert_true(is_known(b, 0));
	}
	/* options, such as a cookie, are between the two */
	ask(b, "www.example", DNS_T_A, 0, OPT);
	b->q[b->q_len - 1] = 4;
	memcpy(b->q + b->q_len, "\0\x0a\0\0", 4);
	b->q_len += 4;
	assert_false(is_known(b, 0));
}

/* One port fills what it may, and pushes out its own. */
static void test_one_ports_share(void **state)
{
	struct bench *b = *state;
	unsigned n_left = 0;
	char name[32];

	ask(b, "mine.example", DNS_T_A, 0, NULL);
	answer(b, 600);
	keep_at(b, 1, START);
	for (unsigned i = 0; i < 2 * DNS_CACHE_MAX; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		ask(b, name, DNS_T_A, 0, NULL);
		answer(b, 600);
		keep_at(b, 2, START);
	}
	assert_true(is_known(b, 0)); /* the last of them */
	ask(b, "mine.example", DNS_T_A, 0, NULL);
	assert_true(is_known(b, 0));
	for (unsigned i = 0; i < 2 * DNS_CACHE_MAX; i++) {
		snprintf(name, sizeof(name), "n%u.example", i);
		ask(b, name, DNS_T_A, 0, NULL);
		n_left += is_known(b, 0);
	}
	assert_in_range(n_left, DNS_CACHE_MAX / 2, DNS_CACHE_MAX * 3 / 4 + 1);
	/* many ports: what was wanted least lately goes */
	for (unsigned i = 0; i < 2 * DNS_CACHE_MAX; i++) {
		ask(b, "mine.example", DNS_T_A, 0, NULL);
		assert_true(is_known(b, 0));
		snprintf(name, sizeof(name), "p%u.example", i);
		ask(b, name, DNS_T_A, 0, NULL);
		answer(b, 600);
		keep_at(b, 10 + i, START);
	}
	dns_cache_clear(b->c);
	assert_false(is_known(b, 0));
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_an_answer_grows_old),
		T(test_the_least_lifetime_counts),
		T(test_no),
		T(test_what_is_not_kept),
		T(test_each_its_own),
		T(test_one_ports_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
