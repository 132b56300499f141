/* SPDX-License-Identifier: BSD-3-Clause */
/* Headers of tunnels: known bytes both ways, every cut, every check. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "wire/l2tpv3.h"
#include "wire/vxlan.h"

struct known {
	struct l2tpv3_form form;
	size_t len;
	uint8_t bytes[32];
};

/* As QEMU sends them; counter 7. */
static const struct known messages[] = {
	{{.session = 0x01020304}, 4, {1, 2, 3, 4}},
	{{.is_udp = true, .session = 0x01020304},
	 8,
	 {0, 3, 0, 0, 1, 2, 3, 4}},
	{{.is_udp = true, .session = 5, .cookie_len = 4, .cookie = 0xdeadbeef},
	 12,
	 {0, 3, 0, 0, 0, 0, 0, 5, 0xde, 0xad, 0xbe, 0xef}},
	{{.session = 5, .cookie_len = 8, .cookie = 0x1122334455667788},
	 12,
	 {0, 0, 0, 5, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88}},
	{{.session = 5, .has_counter = true}, 8, {0, 0, 0, 5, 0, 0, 0, 7}},
	{{.is_udp = true,
	  .session = 0xffffffff,
	  .cookie_len = 8,
	  .cookie = 1,
	  .has_counter = true,
	  .offset = 3},
	 23,
	 {0, 3, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 7}},
};

static void both_ways(void **state)
{
	for (size_t i = 0; i < array_len(messages); i++) {
		const struct known *k = &messages[i];
		uint8_t b[L2TPV3_HDR_MAX];
		struct wr w = wr_init(b, sizeof(b));
		struct rd r = rd_init(k->bytes, sizeof(k->bytes));

		assert_int_equal(l2tpv3_len(&k->form), k->len);
		l2tpv3_emit(&w, &k->form, 7);
		assert_true(wr_ok(&w));
		assert_int_equal(wr_len(&w), k->len);
		assert_memory_equal(b, k->bytes, k->len);
		assert_int_equal(l2tpv3_parse(&r, &k->form), L2TPV3_OK);
		assert_int_equal(rd_left(&r), sizeof(k->bytes) - k->len);
	}
}

static enum l2tpv3_result parse(const struct known *k, unsigned flip,
				size_t len)
{
	uint8_t b[sizeof(k->bytes)];
	struct rd r = rd_init(b, len);

	memcpy(b, k->bytes, sizeof(b));
	b[flip / 8] ^= (uint8_t)(1 << flip % 8);
	return l2tpv3_parse(&r, &k->form);
}

/* Every cut, and every bit that is turned over. */
static void what_is_refused(void **state)
{
	for (size_t i = 0; i < array_len(messages); i++) {
		const struct known *k = &messages[i];
		unsigned start = k->form.is_udp ? 4 : 0;

		for (size_t n = 0; n < k->len; n++) {
			struct rd r = rd_init(k->bytes, n);

			assert_int_equal(l2tpv3_parse(&r, &k->form),
					 L2TPV3_E_SHORT);
		}
		for (unsigned bit = 8 * start; bit < 8 * k->len; bit++) {
			enum l2tpv3_result want = L2TPV3_OK;

			if (bit < 8 * (start + 4))
				want = L2TPV3_E_SESSION;
			else if (bit < 8 * l2tpv3_counter_at(&k->form))
				want = L2TPV3_E_COOKIE;
			assert_int_equal(parse(k, bit, k->len), want);
		}
	}
	/* T, and the four bits of the version; the others are reserved. */
	assert_int_equal(parse(&messages[1], 7, 8), L2TPV3_E_VERSION);
	for (unsigned bit = 0; bit < 32; bit++) {
		bool counts = bit == 7 || (bit >= 8 && bit < 12);

		assert_int_equal(parse(&messages[1], bit, 8),
				 counts ? L2TPV3_E_VERSION : L2TPV3_OK);
	}
}

static void behind_ip4(void **state)
{
	uint8_t b[64] = {0x45};

	for (unsigned first = 0; first < 256; first++) {
		struct rd r = rd_init(b, sizeof(b));
		bool fits = first >> 4 == 4 && (first & 15) >= 5;

		b[0] = (uint8_t)first;
		assert_int_equal(l2tpv3_skip_ip4(&r), fits);
		if (fits)
			assert_int_equal(rd_left(&r),
					 sizeof(b) - 4 * (first & 15));
	}
	b[0] = 0x46;
	for (size_t n = 0; n < 24; n++) {
		struct rd r = rd_init(b, n);

		assert_false(l2tpv3_skip_ip4(&r));
	}
}

static void vxlan(void **state)
{
	static const uint8_t known[VXLAN_HDR_LEN] = {8, 0, 0, 0,
						     0x12, 0x34, 0x56, 0};
	uint8_t b[VXLAN_HDR_LEN];
	struct wr w = wr_init(b, sizeof(b));
	uint32_t vni = 1;

	vxlan_emit(&w, 0x123456);
	assert_true(wr_ok(&w));
	assert_memory_equal(b, known, sizeof(b));
	for (size_t n = 0; n < sizeof(b); n++) {
		struct rd r = rd_init(b, n);

		assert_false(vxlan_parse(&r, &vni));
	}
	assert_int_equal(vni, 1);
	for (unsigned bit = 0; bit < 64; bit++) {
		struct rd r = rd_init(b, sizeof(b));
		bool is_vni = bit / 8 >= 4 && bit / 8 < 7;

		memcpy(b, known, sizeof(b));
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_int_equal(vxlan_parse(&r, &vni), bit != 3);
		if (bit != 3)
			assert_int_equal(vni == 0x123456, !is_vni);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(behind_ip4),
		cmocka_unit_test(vxlan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
