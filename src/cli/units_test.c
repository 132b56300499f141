/* SPDX-License-Identifier: BSD-3-Clause */
/* Numbers as people read them, at each unit's edges. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/units.h"

static void test_bytes(void **state)
{
	char b[UNITS_LEN];

	(void)state;
	assert_string_equal(units_bytes(0, b), "0 B");
	assert_string_equal(units_bytes(1023, b), "1023 B");
	assert_string_equal(units_bytes(1024, b), "1.00 KiB");
	assert_string_equal(units_bytes(10240, b), "10.0 KiB");
	assert_string_equal(units_bytes(999 * 1024, b), "999 KiB");
	assert_string_equal(units_bytes(1000 * 1024, b), "0.98 MiB");
	assert_string_equal(units_bytes(UINT64_C(3) << 40, b), "3.00 TiB");
	assert_string_equal(units_bytes(UINT64_MAX, b), "16.0 EiB");
}

static void test_rates(void **state)
{
	char b[UNITS_LEN];

	(void)state;
	assert_string_equal(units_bit_rate(0, b), "0 bit/s");
	assert_string_equal(units_bit_rate(-1, b), "0 bit/s");
	assert_string_equal(units_bit_rate(NAN, b), "0 bit/s");
	assert_string_equal(units_bit_rate(999, b), "999 bit/s");
	assert_string_equal(units_bit_rate(1000, b), "1.00 kbit/s");
	assert_string_equal(units_bit_rate(999.6, b), "1.00 kbit/s");
	assert_string_equal(units_bit_rate(99950, b), "100 kbit/s");
	assert_string_equal(units_bit_rate(999600, b), "1.00 Mbit/s");
	assert_string_equal(units_bit_rate(23.4e9, b), "23.4 Gbit/s");
	assert_string_equal(units_count(102345, b), "102 k");
	assert_string_equal(units_count(7, b), "7");
	assert_true(units_bit_rate(HUGE_VAL, b) == b);
}

static void test_times(void **state)
{
	char b[UNITS_LEN];

	(void)state;
	assert_string_equal(units_us(812, b), "812 us");
	assert_string_equal(units_us(1500, b), "1.50 ms");
	assert_string_equal(units_us(2500000, b), "2.50 s");
	assert_string_equal(units_age(999, b), "999 ms");
	assert_string_equal(units_age(1000, b), "1 s");
	assert_string_equal(units_age(59999, b), "59 s");
	assert_string_equal(units_age(60000, b), "1 min");
	assert_string_equal(units_age(7500000, b), "2 h 5 min");
	assert_string_equal(units_age(UINT64_C(90) * 3600000, b), "3 d 18 h");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
