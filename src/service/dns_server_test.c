/* SPDX-License-Identifier: BSD-3-Clause */
/* Which resolver is asked: by domain, by speed, by what it did of late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/dns_server.h"

#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)

enum { WWW_LEN = 18 };

static const uint8_t www[] = "\3www\4CORP\7example"; /* with its end */

static void add(struct dns_servers *t, const char *domain)
{
	struct dns_server *s = &t->s[t->n++];
	struct wr w = wr_init(s->domain, sizeof(s->domain));

	if (*domain)
		assert_true(dns_name_emit(&w, domain));
	else
		wr_u8(&w, 0);
	s->domain_len = wr_len(&w);
}

static int setup(void **state)
{
	*state = calloc(1, sizeof(struct dns_servers));
	assert_int_equal(sizeof(www), WWW_LEN);
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static int pick(const struct dns_servers *t, uint64_t tried)
{
	return dns_servers_pick(t, www, sizeof(www), tried);
}

static void test_the_longest_domain(void **state)
{
	struct dns_servers *t = *state;

	assert_int_equal(pick(t, 0), -1);
	add(t, "");
	add(t, "example");
	assert_int_equal(pick(t, 0), 1);
	add(t, "corp.example");
	add(t, "orp.example");
	add(t, "ww.corp.example");
	assert_int_equal(pick(t, 0), 2);
	/* and no other, though it cannot be asked */
	assert_int_equal(pick(t, 1 << 2), -1);
	add(t, "www.corp.example");
	assert_int_equal(pick(t, 0), 5);
	assert_int_equal(dns_servers_pick(t, (const uint8_t *)"", 1, 0), 0);
}

static void test_the_fastest(void **state)
{
	struct dns_servers *t = *state;

	add(t, "");
	add(t, "");
	add(t, "");
	/* as they are named, while nobody has answered */
	assert_int_equal(pick(t, 0), 0);
	assert_int_equal(pick(t, 1), 1);
	dns_server_answered(&t->s[0], 0, 50 * MS);
	assert_int_equal(pick(t, 0), 0);
	dns_server_answered(&t->s[2], 0, 10 * MS);
	assert_int_equal(pick(t, 0), 2);
	assert_int_equal(pick(t, 1 << 2), 0);
	assert_int_equal(pick(t, 5), 1);
	/* one slow answer is no rule */
	dns_server_answered(&t->s[2], 0, 100 * MS);
	assert_int_equal(pick(t, 0), 2);
	for (unsigned i = 0; i < 10; i++)
		dns_server_answered(&t->s[2], 0, 100 * MS);
	assert_int_equal(pick(t, 0), 0);
}

static void test_who_is_silent_comes_last(void **state)
{
	struct dns_servers *t = *state;
	uint64_t now = SECOND, rest = 0;

	add(t, "");
	add(t, "");
	/* not while it answers others */
	dns_server_answered(&t->s[0], now, now + MS);
	dns_server_failed(&t->s[0], true, now, now + SECOND);
	assert_int_equal(pick(t, 0), 0);
	dns_server_failed(&t->s[0], true, now + 2 * MS, now + SECOND);
	assert_int_equal(pick(t, 0), 1);
	dns_server_failed(&t->s[1], false, 0, now + SECOND);
	/* both: in turn */
	assert_int_equal(pick(t, 0), 0);
	dns_server_failed(&t->s[0], true, now + 2 * MS, now + 2 * SECOND);
	assert_int_equal(pick(t, 0), 1);
	/* its rests become longer, to an end */
	for (unsigned i = 0; i < 20; i++) {
		uint64_t was = rest;

		now = t->s[0].rest_ns;
		dns_server_failed(&t->s[0], false, 0, now);
		rest = t->s[0].rest_ns - now;
		assert_true(rest >= was);
	}
	assert_int_equal(rest, DNS_REST_SECONDS * SECOND << DNS_REST_DOUBLINGS);
	dns_server_answered(&t->s[0], now, now + MS);
	assert_int_equal(pick(t, 0), 0);
}

static int probe(struct dns_servers *t, unsigned chosen, uint64_t now)
{
	return dns_servers_probe(t, www, sizeof(www), chosen, now);
}

static void test_probes(void **state)
{
	struct dns_servers *t = *state;
	unsigned n = 0;

	add(t, "");
	add(t, "");
	add(t, "other.example");
	dns_server_failed(&t->s[2], false, 0, SECOND);
	dns_server_failed(&t->s[0], false, 0, SECOND);
	assert_int_equal(probe(t, 1, SECOND), -1);
	assert_int_equal(probe(t, 1, (1 + DNS_REST_SECONDS) * SECOND), 0);
	t->s[0].is_probed = true; /* one at a time */
	assert_int_equal(probe(t, 1, 100 * SECOND), -1);
	t->s[0].is_probed = false;
	/* nor is one that is up forgotten */
	dns_server_answered(&t->s[0], SECOND, 2 * SECOND);
	while (probe(t, 0, SECOND) < 0)
		n++;
	assert_in_range(n, DNS_MEASURE_EVERY - 4, DNS_MEASURE_EVERY);
	assert_int_equal(probe(t, 0, SECOND), -1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_the_longest_domain),
		T(test_the_fastest),
		T(test_who_is_silent_comes_last),
		T(test_probes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
