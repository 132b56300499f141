/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames that were left for a card to finish: found, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lan/offload.h"
#include "lan/unsummed.h"
#include "wire/csum.h"

enum { TCP = 6, UDP = 17, WHOLE = 1450 };

struct sample {
	uint8_t b[FRAME_MAX];
	struct frame f;
	uint32_t l4;
};

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static uint8_t *field(struct sample *s, uint8_t proto)
{
	return s->b + s->l4 + (proto == TCP ? 16 : 6);
}

static uint64_t pseudo(struct sample *s)
{
	struct offload_layout l;

	assert_true(offload_layout(&s->f, &l));
	return offload_pseudo(s->b, &l, s->f.len - s->l4);
}

/* A frame of len bytes as a kernel keeps it. */
static void make(struct sample *s, bool is_v4, uint8_t proto, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		s->b[i] = (uint8_t)(i * 7 + 1);
	s->f = frame_flat(s->b, len);
	put16(s->b + 12, is_v4 ? 0x0800 : 0x86dd);
	s->l4 = FRAME_ETH_LEN + (is_v4 ? 20 : 40);
	if (is_v4) {
		s->b[14] = 0x45;
		put16(s->b + 16, len - 14);
		put16(s->b + 20, 0);
		s->b[23] = proto;
	} else {
		s->b[14] = 0x60;
		put16(s->b + 18, len - 54);
		s->b[20] = proto;
	}
	s->b[s->l4 + 12] = 0x50;
	s->b[s->l4 + 13] = 0x10;
	put16(field(s, proto), csum_partial(pseudo(s)));
}

static void test_unsummed(void **state)
{
	struct sample *s = malloc(sizeof(*s));

	for (unsigned how = 0; how < 4; how++) {
		uint8_t proto = how & 1 ? TCP : UDP;

		make(s, how & 2, proto, 100);
		assert_true(unsummed_mark(&s->f, WHOLE));
		assert_int_equal(s->f.off.flags, FRAME_F_NEEDS_CSUM);
		assert_int_equal(s->f.off.csum_start, s->l4);
		assert_int_equal(s->f.off.csum_offset, proto == TCP ? 16 : 6);
		assert_int_equal(s->f.off.gso, FRAME_GSO_NONE);
		assert_true(frame_offload_check(&s->f));
		/* one that has its sum, or any other, is as it is */
		put16(field(s, proto), 0);
		put16(field(s, proto),
		      csum_fold(frame_sum(&s->f, s->l4, pseudo(s))));
		s->f = frame_flat(s->b, 100);
		assert_true(unsummed_mark(&s->f, WHOLE));
		assert_int_equal(s->f.off.flags, 0);
		assert_int_equal(s->f.off.csum_start, 0);
	}
	free(s);
}

static void test_trains(void **state)
{
	struct sample *s = malloc(sizeof(*s));

	for (unsigned is_v4 = 0; is_v4 < 2; is_v4++) {
		uint32_t hdrs = is_v4 ? 40 : 60;

		make(s, is_v4, TCP, 14 + WHOLE);
		assert_true(unsummed_mark(&s->f, WHOLE));
		assert_int_equal(s->f.off.gso, FRAME_GSO_NONE);
		make(s, is_v4, TCP, 40000);
		s->b[s->l4 + 13] |= 0x80;
		assert_true(unsummed_mark(&s->f, WHOLE));
		assert_int_equal(s->f.off.gso,
				 is_v4 ? FRAME_GSO_TCP4 : FRAME_GSO_TCP6);
		assert_int_equal(s->f.off.gso_size, WHOLE - hdrs);
		assert_int_equal(s->f.off.flags,
				 FRAME_F_NEEDS_CSUM | FRAME_F_ECN);
		/* a way without room still makes some headway */
		make(s, is_v4, TCP, 40000);
		assert_true(unsummed_mark(&s->f, 10));
		assert_int_equal(s->f.off.gso_size, 512);
		/* datagrams: who would know */
		make(s, is_v4, UDP, 40000);
		assert_false(unsummed_mark(&s->f, WHOLE));
		make(s, is_v4, UDP, 40000);
		put16(field(s, UDP), 0x1234);
		assert_true(unsummed_mark(&s->f, WHOLE));
	}
	free(s);
}

/* Fragments, paddings, other protocols, no IP, and every cut. */
static void test_others(void **state)
{
	struct sample *s = malloc(sizeof(*s));

	make(s, true, TCP, 100);
	put16(s->b + 20, 0x2000);
	assert_true(unsummed_mark(&s->f, WHOLE));
	assert_int_equal(s->f.off.flags, 0);
	make(s, true, TCP, 100);
	s->f.len = s->f.hdr_len = 104;
	assert_true(unsummed_mark(&s->f, WHOLE));
	assert_int_equal(s->f.off.flags, 0);
	make(s, true, TCP, 100);
	s->b[23] = 47;
	assert_true(unsummed_mark(&s->f, WHOLE));
	assert_int_equal(s->f.off.flags, 0);
	make(s, true, TCP, 100);
	put16(s->b + 12, 0x0806);
	assert_true(unsummed_mark(&s->f, WHOLE));
	assert_int_equal(s->f.off.flags, 0);
	for (uint32_t n = FRAME_ETH_LEN; n < 100; n++) {
		uint8_t *exact = malloc(n);

		make(s, n & 1, TCP, 100);
		memcpy(exact, s->b, n);
		s->f = frame_flat(exact, n);
		assert_true(unsummed_mark(&s->f, WHOLE));
		assert_int_equal(s->f.off.flags, 0);
		free(exact);
	}
	free(s);
}

int main(void)
{
	const struct CMUnitTest t[] = {
		cmocka_unit_test(test_unsummed),
		cmocka_unit_test(test_trains),
		cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(t, NULL, NULL);
}
