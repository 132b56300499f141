/* SPDX-License-Identifier: BSD-3-Clause */
/* The words of vmlan cap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cap.h"

enum { WORDS = 12 };

static int parse(struct cap_args *a, struct error *e, ...)
{
	char *argv[WORDS] = {(char *)"cap"};
	int n = 1;
	va_list ap;

	*e = ERROR_NULL;
	va_start(ap, e);
	while ((argv[n] = va_arg(ap, char *)))
		n++;
	va_end(ap);
	return cap_args_parse(n, argv, a, e);
}

static void test_words(void **state)
{
	struct cap_args a;
	struct error e;

	(void)state;
	assert_int_equal(parse(&a, &e, "lab", NULL), 0);
	assert_string_equal(a.name, "lab");
	assert_null(a.file);
	assert_null(a.filter);
	assert_int_equal(a.memory, 0);
	cap_args_deinit(&a);
	assert_int_equal(parse(&a, &e, "-c", "5", "lab/vm", "-w", "f", "-s",
			       "128", "--memory=2mb", "tcp", "port 53", NULL),
			 0);
	assert_string_equal(a.name, "lab/vm");
	assert_string_equal(a.file, "f");
	assert_string_equal(a.filter, "tcp port 53");
	assert_int_equal(a.n_max, 5);
	assert_int_equal(a.snap_len, 128);
	assert_int_equal(a.memory, 2 << 20);
	cap_args_deinit(&a);
	assert_int_equal(parse(&a, &e, "lab", "--keep", "64MB", NULL), 0);
	assert_true(a.keeps);
	assert_int_equal(a.memory, 0);
	assert_int_equal(a.keep, 64 << 20);
	cap_args_deinit(&a);
	assert_int_equal(parse(&a, &e, "--json", "lab", "ls", NULL), 0);
	assert_true(a.lists && a.is_json && !a.filter);
	cap_args_deinit(&a);
	assert_int_equal(parse(&a, &e, "lab", "host", "ls", NULL), 0);
	assert_false(a.lists);
	cap_args_deinit(&a);
	assert_int_equal(parse(&a, &e, "--json", "lab", NULL), -1);
	assert_int_equal(parse(&a, &e, "-w", "f", "lab", "ls", NULL), -1);
	assert_int_equal(e.code, EXIT_USAGE);
	assert_int_equal(parse(&a, &e, "lab", "--keep", "off", NULL), 0);
	assert_true(a.keeps);
	assert_int_equal(a.keep, 0);
	assert_int_equal(parse(&a, &e, "lab", "--keep=64mb", "--keep", "off",
			       NULL),
			 0);
	assert_int_equal(a.keep, 0);
	assert_int_equal(parse(&a, &e, "lab", "--keep=64mb", NULL), 0);
	assert_int_equal(a.keep, 64 << 20);
	cap_args_deinit(&a);
	assert_int_equal(parse(&a, &e, "lab", "--last=30s", "-w", "f", "--",
			       "ip", NULL),
			 0);
	assert_int_equal(a.last_ns, UINT64_C(30000000000));
	assert_string_equal(a.filter, "ip");
	cap_args_deinit(&a);
}

static void test_mistakes(void **state)
{
	struct cap_args a;
	struct error e;

#define REFUSED(what, ...)                                                     \
	do {                                                                   \
		assert_int_equal(parse(&a, &e, __VA_ARGS__, NULL), -1);        \
		assert_int_equal(e.code, EXIT_USAGE);                          \
		assert_non_null(strstr(e.text, what));                         \
		cap_args_deinit(&a);                                           \
	} while (0)

	(void)state;
	REFUSED("name a network", NULL);
	REFUSED("unknown option '-z'", "-z", "lab");
	REFUSED("-w needs a value", "lab", "-w");
	REFUSED("not '64'", "lab", "--keep", "64");
	REFUSED("not '64xb'", "lab", "--memory", "64xb");
	REFUSED("not '2gb'", "lab", "--memory", "2gb");
	REFUSED("not '1k'", "lab", "--memory", "1k");
	REFUSED("not '30'", "lab", "--last", "30");
	REFUSED("not '0s'", "lab", "--last", "0s");
	REFUSED("not '-1'", "lab", "-c", "-1");
	REFUSED("not '5x'", "lab", "-c", "5x");
	REFUSED("not '1'", "lab", "-s", "1");
	REFUSED("--keep writes nothing", "lab", "--keep", "1mb", "-w", "f");
	REFUSED("--keep writes nothing", "lab", "--keep", "1mb", "tcp");
	REFUSED("no --memory with it", "lab", "--memory", "64mb", "--keep",
		"off");
	REFUSED("no --memory with it", "lab", "--keep=1mb", "--memory", "2mb");
	REFUSED("--keep's to say", "lab", "--last", "1s", "-s", "64");
#undef REFUSED
}

static void test_units(void **state)
{
	uint64_t n;

	(void)state;
	assert_true(cap_size_parse("3kib", &n));
	assert_int_equal(n, 3 << 10);
	assert_true(cap_size_parse("1G", &n));
	assert_int_equal(n, 1 << 30);
	assert_false(cap_size_parse("", &n));
	assert_false(cap_size_parse("mb", &n));
	assert_false(cap_size_parse("99999999999999999999g", &n));
	assert_false(cap_size_parse("999999999999g", &n));
	assert_true(cap_time_parse("5min", &n));
	assert_int_equal(n, UINT64_C(300000000000));
	assert_true(cap_time_parse("250ms", &n));
	assert_int_equal(n, 250000000);
	assert_false(cap_time_parse("1.5s", &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
