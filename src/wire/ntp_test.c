/* SPDX-License-Identifier: BSD-3-Clause */
/* NTP's header and its times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/ntp.h"

/* As chronyd 4.3 asks, with an extension behind it. */
static const uint8_t wire[NTP_LEN + 4] = {
	0x23, 0x00, 0x06, 0xec, 0, 0, 0, 1, 0, 2, 0, 0, 127, 127, 1, 1,
	1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16,
	17, 18, 19, 20, 21, 22, 23, 24, 0xe9, 0xab, 3, 4, 5, 6, 7, 0xff,
	0xaa, 0xbb, 0xcc, 0xdd};

static void test_fields(void **state)
{
	struct rd r = rd_init(wire, sizeof(wire));
	struct ntp_msg m;

	(void)state;
	assert_true(ntp_parse(&r, &m));
	assert_int_equal(m.leap, NTP_LEAP_NONE);
	assert_int_equal(m.version, 4);
	assert_int_equal(m.mode, NTP_MODE_CLIENT);
	assert_int_equal(m.stratum, 0);
	assert_int_equal(m.poll, 6);
	assert_int_equal(m.precision, -20);
	assert_int_equal(m.root_delay, 1);
	assert_int_equal(m.root_dispersion, 0x20000);
	assert_int_equal(m.ref_id, 0x7f7f0101);
	assert_true(m.reference == UINT64_C(0x0102030405060708));
	assert_true(m.originate == UINT64_C(0x090a0b0c0d0e0f10));
	assert_true(m.receive == UINT64_C(0x1112131415161718));
	assert_true(m.transmit == UINT64_C(0xe9ab0304050607ff));
	assert_int_equal(rd_left(&r), 4);
}

static void test_cut_short(void **state)
{
	(void)state;
	for (size_t len = 0; len < NTP_LEN; len++) {
		struct rd r = rd_init(wire, len);
		struct ntp_msg m = {.version = 77};

		assert_false(ntp_parse(&r, &m));
		assert_int_equal(m.version, 77);
	}
}

static void test_written_again(void **state)
{
	struct rd r = rd_init(wire, sizeof(wire));
	uint8_t buf[NTP_LEN];
	struct wr w = wr_init(buf, sizeof(buf));
	struct ntp_msg m;

	(void)state;
	assert_true(ntp_parse(&r, &m));
	ntp_emit(&w, &m);
	assert_true(wr_ok(&w));
	assert_memory_equal(buf, wire, NTP_LEN);
}

static void test_times(void **state)
{
	(void)state;
	/* RFC 5905 figure 4: 1970, and the end of the first era. */
	assert_true(ntp_time(0) == UINT64_C(2208988800) << 32);
	assert_true(ntp_time(UINT64_C(2085978496) * 1000000000) == 0);
	assert_true(ntp_time(UINT64_C(2085978495) * 1000000000) ==
		    UINT64_C(0xffffffff) << 32);
	assert_true(ntp_time(500000000) ==
		    (UINT64_C(2208988800) << 32 | 0x80000000));
	assert_true((uint32_t)ntp_time(999999999) == 0xfffffffb);
	assert_int_equal(ntp_short(0), 0);
	assert_int_equal(ntp_short(1), 1);
	assert_int_equal(ntp_short(500000), 0x8000);
	assert_int_equal(ntp_short(16000000), 16 << 16);
	assert_true(ntp_short(UINT64_C(70000) * 1000000) == UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_written_again),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
