/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP: known bytes both ways, every cut, every field that must be so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/arp.h"

static const uint8_t who_has[ARP_LEN] = {
	0, 1, 8, 0, 6, 4, 0, 1, 0x52, 0x54, 0, 1, 2, 3, 10, 0, 2, 15,
	0, 0, 0, 0, 0, 0, 10, 0, 2, 2,
};

static void both_ways(void **state)
{
	struct rd r = rd_init(who_has, sizeof(who_has));
	struct arp_msg m;
	uint8_t b[ARP_LEN];
	struct wr w = wr_init(b, sizeof(b));

	assert_true(arp_parse(&r, &m));
	assert_int_equal(m.op, ARP_REQUEST);
	assert_int_equal(m.sha.b[5], 3);
	assert_int_equal(addr_u32(&m.spa), 0x0a00020f);
	assert_true(mac_is_zero(m.tha));
	assert_int_equal(addr_u32(&m.tpa), 0x0a000202);
	arp_emit(&w, &m);
	assert_true(wr_ok(&w));
	assert_int_equal(wr_len(&w), ARP_LEN);
	assert_memory_equal(b, who_has, sizeof(b));
}

static void what_is_refused(void **state)
{
	struct arp_msg m = {.op = 99};
	uint8_t b[ARP_LEN];

	for (size_t n = 0; n < ARP_LEN; n++) {
		struct rd r = rd_init(who_has, n);

		assert_false(arp_parse(&r, &m));
	}
	/* Hardware, protocol, lengths and operation: each byte matters. */
	for (unsigned i = 0; i < 8; i++) {
		struct rd r = rd_init(b, sizeof(b));

		memcpy(b, who_has, sizeof(b));
		b[i] ^= 0x10;
		assert_false(arp_parse(&r, &m));
	}
	for (uint8_t op = 0; op < 10; op++) {
		struct rd r = rd_init(b, sizeof(b));
		struct arp_msg g;

		memcpy(b, who_has, sizeof(b));
		b[7] = op;
		assert_int_equal(arp_parse(&r, &g), op == 1 || op == 2);
	}
	assert_int_equal(m.op, 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(what_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
