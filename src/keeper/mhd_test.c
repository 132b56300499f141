/* SPDX-License-Identifier: BSD-3-Clause */
/* libmicrohttpd, and when it is loaded. */
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "keeper/mhd.h"

static int is_mhd(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	*(bool *)arg |= strstr(info->dlpi_name, "libmicrohttpd") != NULL;
	return 0;
}

/* What a start costs: a program that serves nobody has none of it. */
static void test_loads(void **state)
{
	struct error e = ERROR_NULL;
	bool is_there = false;
	struct mhd m;

	(void)state;
	(void)dl_iterate_phdr(is_mhd, &is_there);
	assert_false(is_there);
	assert_int_equal(mhd_load(&m, &e), 0);
	(void)dl_iterate_phdr(is_mhd, &is_there);
	assert_true(is_there);
	assert_non_null(m.start_daemon);
	assert_non_null(m.upgrade_action);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_loads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
