/* SPDX-License-Identifier: BSD-3-Clause */
/* What a cable does, as people type it and read it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "grammar/link_opts.h"

struct sample {
	enum link_key key;
	const char *typed;
	const char *shown; /* NULL: nothing is set */
};

static void test_normal_form(void **state)
{
	static const struct sample samples[] = {
		{LINK_DELAY, "50ms", "50ms"},
		{LINK_DELAY, "0.05s", "50ms"},
		{LINK_DELAY, "1500us", "1.5ms"},
		{LINK_DELAY, "60s", "60s"},
		{LINK_DELAY, "1ns", "1ns"},
		{LINK_DELAY, "001.250ms", "1.25ms"},
		{LINK_DELAY, "0ms", NULL},
		{LINK_DELAY, "0", NULL},
		{LINK_DELAY, "off", NULL},
		{LINK_JITTER, "250us", "250us"},
		{LINK_LOSS, "1%", "1%"},
		{LINK_LOSS, "0.001%", "0.001%"},
		{LINK_LOSS, "100%", "100%"},
		{LINK_LOSS, "0.0000001%", "0.0000001%"},
		{LINK_DUPLICATE, "2.50%", "2.5%"},
		{LINK_REORDER, "25%", "25%"},
		{LINK_CORRUPT, "0.1%", "0.1%"},
		{LINK_RATE, "10mbit", "10mbit"},
		{LINK_RATE, "1500kbit", "1.5mbit"},
		{LINK_RATE, "1000bit", "1kbit"},
		{LINK_RATE, "2.5gbit", "2.5gbit"},
		{LINK_RATE, "1000gbit", "1000gbit"},
		{LINK_BURST, "15000b", "15kb"},
		{LINK_BURST, "1mb", "1mb"},
		{LINK_BURST, "1514b", "1.514kb"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(samples); i++) {
		const struct sample *s = &samples[i];
		struct error e = ERROR_NULL;
		struct impair set = {0};
		char text[LINK_VALUE_LEN];

		assert_int_equal(link_opt_parse(link_key_name(s->key),
						s->typed, &set, &e),
				 0);
		assert_true(link_opt_format(&set, s->key, text) ==
			    (s->shown != NULL));
		if (s->shown)
			assert_string_equal(text, s->shown);
	}
}

struct bad {
	const char *key, *value;
	const char *says; /* in the error */
};

static void test_bad_values(void **state)
{
	static const struct bad bad[] = {
		{"delay", "50", "say the unit (s, ms, us, ns), as delay=50ms"},
		{"delay", "50m", "'m' is no unit"},
		{"delay", "61s", "the most there can be is 60s"},
		{"delay", "0.5ns", "no such amount"},
		{"delay", "1.2.3s", "no such amount"},
		{"delay", "-5ms", "a number and a unit"},
		{"delay", "", "a number and a unit"},
		{"delay", "ms", "a number and a unit"},
		{"delay", ".5ms", "a number and a unit"},
		{"delay", "5.ms", "a number and a unit"},
		{"delay", "5ms\n", "has a value that is none"},
		{"delay", "50 ms", "has a value that is none"},
		{"loss", "1", "say the unit (%), as loss=1%"},
		{"loss", "100.1%", "the most there can be is 100%"},
		{"loss", "0.00000001%", "no such amount"},
		{"rate", "10mb", "'mb' is no unit"},
		{"rate", "10Mbit", "'Mbit' is no unit"},
		{"rate", "999bit", "too little; the least is 1kbit"},
		{"rate", "99999999999999999999gbit", "no such amount"},
		{"burst", "15kbit", "'kbit' is no unit"},
		{"speed", "1", "'speed' is nothing that a cable has"},
		{"del\nay", "1", "'?' is nothing that a cable has"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(bad); i++) {
		struct error e = ERROR_NULL;
		const struct impair was = {.delay_ns = 7};
		struct impair set = was;

		assert_int_equal(link_opt_parse(bad[i].key, bad[i].value, &set,
						&e),
				 -1);
		assert_int_equal(e.code, EXIT_USAGE);
		if (!strstr(e.text, bad[i].says))
			fail_msg("%s=%s: %s", bad[i].key, bad[i].value,
				 e.text);
		assert_memory_equal(&set, &was, sizeof(set));
	}
}

static void test_together(void **state)
{
	struct error e = ERROR_NULL;

	(void)state;
	assert_int_equal(link_opts_check(&(struct impair){0}, NULL), 0);
	assert_int_equal(
		link_opts_check(&(struct impair){.delay_ns = 5, .jitter_ns = 5,
						 .reorder = 1, .rate = 1000,
						 .burst = 1},
				NULL),
		0);
	assert_int_equal(link_opts_check(&(struct impair){.delay_ns = 5,
							  .jitter_ns = 6},
					 &e),
			 -1);
	assert_int_equal(e.code, EXIT_USAGE);
	assert_int_equal(link_opts_check(&(struct impair){.reorder = 1}, NULL),
			 -1);
	assert_int_equal(link_opts_check(&(struct impair){.burst = 1}, NULL),
			 -1);
}

/* A rate shows the burst that it has. */
static void test_default_burst(void **state)
{
	char text[LINK_VALUE_LEN];

	(void)state;
	assert_true(link_opt_format(&(struct impair){.rate = 10000000},
				    LINK_BURST, text));
	assert_string_equal(text, "12.5kb");
	assert_true(link_opt_format(&(struct impair){.rate = 100000},
				    LINK_BURST, text));
	assert_string_equal(text, "3.028kb");
}

static void test_times(void **state)
{
	static const struct {
		const char *text;
		uint64_t ns; /* 0: refused */
		const char *shown;
	} t[] = {
		{"30s", UINT64_C(30000000000), "30s"},
		{"250ms", 250000000, "250ms"},
		{"1.5min", UINT64_C(90000000000), "1 min 30 s"},
		{"2h", UINT64_C(7200000000000), "2 h 0 min"},
		{"720h", UINT64_C(2592000000000000), "720 h 0 min"},
		{"721h", 0, NULL},
		{"30", 0, NULL},
		{"0s", 0, NULL},
		{"0", 0, NULL},
		{"soon", 0, NULL},
	};

	(void)state;
	for (size_t i = 0; i < array_len(t); i++) {
		struct error e = ERROR_NULL;
		char text[LINK_VALUE_LEN];
		uint64_t ns = 0;
		int r = link_time_parse("--for", t[i].text, &ns, &e);

		assert_int_equal(r, t[i].ns ? 0 : -1);
		assert_int_equal(ns, t[i].ns);
		if (r < 0) {
			assert_int_equal(e.code, EXIT_USAGE);
			continue;
		}
		link_time_format(ns, text);
		assert_string_equal(text, t[i].shown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_normal_form),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_together),
		cmocka_unit_test(test_default_burst),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests_name("grammar/link_opts", tests, NULL,
					   NULL);
}
