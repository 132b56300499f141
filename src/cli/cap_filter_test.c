/* SPDX-License-Identifier: BSD-3-Clause */
/* Filters of libpcap, and when it is loaded. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <link.h>
#include <string.h>

#include "cli/cap_filter.h"

static int count_pcap(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	*(unsigned *)arg += strstr(info->dlpi_name, "libpcap") != NULL;
	return 0;
}

static unsigned n_loaded(void)
{
	unsigned n = 0;

	(void)dl_iterate_phdr(count_pcap, &n);
	return n;
}

/* What a start costs: a program that has no filter has no libpcap. */
static void test_loaded_where_needed(void **state)
{
	struct cap_filter *f = NULL;
	struct error e = ERROR_NULL;

	(void)state;
	assert_int_equal(n_loaded(), 0);
	assert_int_equal(cap_filter_new("arp", &f, &e), 0);
	assert_int_equal(n_loaded(), 1);
	cap_filter_free(f);
	cap_filter_free(NULL);
}

static void test_passes(void **state)
{
	uint8_t frame[60] = {[12] = 0x08, [13] = 0x06};
	struct cap_filter *f = NULL;
	struct error e = ERROR_NULL;

	(void)state;
	assert_int_equal(cap_filter_new("arp", &f, &e), 0);
	assert_true(cap_filter_passes(f, frame, sizeof(frame), 60));
	frame[13] = 0;
	assert_false(cap_filter_passes(f, frame, sizeof(frame), 60));
	frame[13] = 6;
	assert_false(cap_filter_passes(f, frame, 12, 60));
	cap_filter_free(f);
}

static void test_is_none(void **state)
{
	struct cap_filter *f = NULL;
	struct error e = ERROR_NULL;

	(void)state;
	assert_int_equal(cap_filter_new("tcp prot 5", &f, &e), -1);
	assert_null(f);
	assert_int_equal(e.code, EXIT_USAGE);
	assert_non_null(strstr(e.text, "no filter"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loaded_where_needed),
		cmocka_unit_test(test_passes),
		cmocka_unit_test(test_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
