/* SPDX-License-Identifier: BSD-3-Clause */
/* Offload requests: each way to lie is refused, each honest one passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/be.h"
#include "lan/frame.h"
#include "lan/offload.h"

enum { LEN = 3054, TCP = 6, UDP = 17 };

struct sample {
	uint8_t data[FRAME_MAX];
	struct frame f;
	uint32_t l3, l4;
};

static void sample_l4(struct sample *s, uint8_t proto)
{
	s->data[s->l4 + 12] = 0x50; /* TCP header of 20 */
	s->f.off.csum_start = (uint16_t)s->l4;
	s->f.off.csum_offset = proto == TCP ? 16 : 6;
	s->f.off.flags = FRAME_F_NEEDS_CSUM;
	s->f.off.gso_size = 1000;
	s->f.off.hdr_len = (uint16_t)(s->l4 + (proto == TCP ? 20 : 8));
}

/* tags VLAN tags, IPv4, then TCP or UDP with GSO. */
static void sample_v4(struct sample *s, unsigned tags, uint8_t proto)
{
	memset(s, 0, sizeof(*s));
	s->f = frame_flat(s->data, LEN);
	s->l3 = FRAME_ETH_LEN + 4 * tags;
	s->l4 = s->l3 + 20;
	for (unsigned i = 0; i < tags; i++)
		put_be16(s->data + 12 + 4 * i, i ? 0x8100 : 0x88a8);
	put_be16(s->data + s->l3 - 2, 0x0800);
	s->data[s->l3] = 0x45;
	put_be16(s->data + s->l3 + 2, LEN - s->l3);
	s->data[s->l3 + 9] = proto;
	sample_l4(s, proto);
	s->f.off.gso = proto == TCP ? FRAME_GSO_TCP4 : FRAME_GSO_UDP4;
}

/* ext: bytes of hop-by-hop options, 0 or a multiple of 8. */
static void sample_v6(struct sample *s, unsigned ext, uint8_t proto)
{
	memset(s, 0, sizeof(*s));
	s->f = frame_flat(s->data, LEN);
	s->l3 = FRAME_ETH_LEN;
	s->l4 = s->l3 + 40 + ext;
	put_be16(s->data + 12, 0x86dd);
	s->data[s->l3] = 0x60;
	put_be16(s->data + s->l3 + 4, LEN - s->l3 - 40);
	s->data[s->l3 + 6] = ext ? 0 : proto;
	if (ext) {
		s->data[s->l3 + 40] = proto;
		s->data[s->l3 + 41] = (uint8_t)(ext / 8 - 1);
	}
	sample_l4(s, proto);
	s->f.off.gso = proto == TCP ? FRAME_GSO_TCP6 : FRAME_GSO_UDP6;
}

static bool check(const struct sample *s)
{
	return frame_offload_check(&s->f);
}

static void test_honest_requests_pass(void **state)
{
	struct sample s;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		sample_v4(&s, i, TCP);
		assert_true(check(&s));
		sample_v4(&s, i, UDP);
		assert_true(check(&s));
		sample_v6(&s, i * 8, TCP);
		assert_true(check(&s));
		sample_v6(&s, i * 16, UDP);
		assert_true(check(&s));
		s.f.off.gso = FRAME_GSO_NONE; /* checksum only */
		assert_true(check(&s));
	}
	sample_v4(&s, 0, TCP);
	s.f.off.flags |= FRAME_F_ECN;
	assert_true(check(&s));
	put_be16(s.data + s.l3 + 2, 0); /* longer than the field can say */
	assert_true(check(&s));
	s.f.off = (struct frame_offload){0};
	assert_true(check(&s));
	s.f.off.flags = FRAME_F_CSUM_VALID;
	assert_true(check(&s));
	/* only the private part counts */
	sample_v4(&s, 0, TCP);
	s.f.hdr_len = s.l4 + 20;
	assert_true(check(&s));
	s.f.hdr_len--;
	assert_false(check(&s));
}

/* Headers longer than the linear part are a hint that Linux gives. */
static void test_hdr_len_is_a_hint(void **state)
{
	struct sample s;

	(void)state;
	sample_v4(&s, 0, TCP);
	s.f.off.hdr_len = 500;
	assert_true(check(&s));
	s.f.off.hdr_len = LEN;
	assert_true(check(&s));
	s.f.off.hdr_len = LEN + 1;
	assert_false(check(&s));
}

static void test_unknown_bits(void **state)
{
	struct sample s;

	(void)state;
	sample_v4(&s, 0, TCP);
	s.f.off.flags |= 0x10;
	assert_false(check(&s));
	sample_v4(&s, 0, TCP);
	s.f.off.gso = FRAME_GSO_UDP6 + 1;
	assert_false(check(&s));
	sample_v4(&s, 0, UDP);
	s.f.off.flags |= FRAME_F_ECN; /* not TCP */
	assert_false(check(&s));
	sample_v4(&s, 0, TCP);
	s.f.off.flags = 0; /* gso without a checksum */
	assert_false(check(&s));
}

static void test_gso_size(void **state)
{
	struct sample s;

	(void)state;
	sample_v4(&s, 0, TCP);
	s.f.off.gso_size = 0;
	assert_false(check(&s));
	s.f.off.gso_size = 7;
	assert_false(check(&s));
	s.f.off.gso_size = 8;
	assert_true(check(&s));
	s.f.off.gso_size = UINT16_MAX;
	assert_true(check(&s));
	sample_v4(&s, 0, UDP);
	s.f.off.gso_size = 1; /* 3012 pieces */
	assert_false(check(&s));
	s.f.off.gso_size = 2;
	assert_true(check(&s));
	/* a piece longer than IP can say */
	sample_v4(&s, 0, TCP);
	s.f.len = s.f.hdr_len = FRAME_MAX;
	put_be16(s.data + s.l3 + 2, 0);
	s.f.off.gso_size = UINT16_MAX;
	assert_false(check(&s));
	s.f.off.gso_size = UINT16_MAX - 40;
	assert_true(check(&s));
	/* nothing to cut */
	sample_v4(&s, 0, TCP);
	s.f.len = s.f.hdr_len = s.l4 + 20;
	put_be16(s.data + s.l3 + 2, 40);
	assert_false(check(&s));
}

static void test_gso_kind_is_not_the_packet(void **state)
{
	struct sample s;

	(void)state;
	for (uint8_t gso = FRAME_GSO_TCP4; gso <= FRAME_GSO_UDP6; gso++) {
		sample_v4(&s, 0, TCP);
		s.f.off.gso = gso;
		assert_int_equal(check(&s), gso == FRAME_GSO_TCP4);
		sample_v4(&s, 0, UDP);
		s.f.off.gso = gso;
		assert_int_equal(check(&s), gso == FRAME_GSO_UDP4);
		sample_v6(&s, 0, TCP);
		s.f.off.gso = gso;
		assert_int_equal(check(&s), gso == FRAME_GSO_TCP6);
		sample_v6(&s, 8, UDP);
		s.f.off.gso = gso;
		assert_int_equal(check(&s), gso == FRAME_GSO_UDP6);
	}
}

static void test_csum_field_outside(void **state)
{
	struct sample s;

	(void)state;
	for (int gso = 0; gso < 2; gso++) {
		for (int start = 0; start < 300; start++) {
			sample_v4(&s, 0, TCP);
			s.f.off.gso = gso ? FRAME_GSO_TCP4 : FRAME_GSO_NONE;
			s.f.off.csum_start = (uint16_t)start;
			/* the TCP header, or (no gso) inside the payload */
			assert_int_equal(check(&s),
					 start == 34 ||
						 (!gso && start >= 54 &&
						  start + 18 <= 192));
		}
		for (int offset = 0; offset < 300; offset++) {
			sample_v4(&s, 0, TCP);
			s.f.off.gso = gso ? FRAME_GSO_TCP4 : FRAME_GSO_NONE;
			s.f.off.csum_offset = (uint16_t)offset;
			assert_int_equal(check(&s), offset == 16);
		}
	}
	sample_v4(&s, 0, 132); /* another protocol: anywhere behind IP */
	s.f.off.gso = FRAME_GSO_NONE;
	s.f.off.csum_offset = UINT16_MAX;
	assert_false(check(&s));
	s.f.off.csum_offset = 8;
	assert_true(check(&s));
	s.f.off.csum_start = (uint16_t)(s.l4 - 1);
	assert_false(check(&s));
	s.f.off.csum_start = UINT16_MAX;
	s.f.off.csum_offset = UINT16_MAX;
	assert_false(check(&s));
}

static void test_frame_too_short_for_field(void **state)
{
	struct sample s;

	(void)state;
	for (uint32_t len = 0; len < 54; len++) {
		sample_v4(&s, 0, TCP);
		s.f.off.gso = FRAME_GSO_NONE;
		s.f.len = s.f.hdr_len = len;
		assert_false(check(&s));
	}
}

static void test_ip4_that_lies(void **state)
{
	struct sample s;

	(void)state;
	sample_v4(&s, 0, TCP);
	s.data[s.l3] = 0x44; /* header of 16 */
	assert_false(check(&s));
	sample_v4(&s, 0, TCP);
	s.data[s.l3] = 0x65; /* version 6 */
	assert_false(check(&s));
	sample_v4(&s, 0, TCP);
	put_be16(s.data + s.l3 + 6, 0x2000); /* a fragment */
	assert_false(check(&s));
	sample_v4(&s, 0, TCP);
	put_be16(s.data + s.l3 + 2, LEN - s.l3 - 1);
	assert_false(check(&s));
	sample_v4(&s, 0, TCP);
	s.data[s.l4 + 12] = 0x40; /* TCP header of 16 */
	assert_false(check(&s));
	sample_v4(&s, 0, TCP);
	s.data[s.l3] = 0x4f; /* 60 bytes of IP: TCP is elsewhere */
	assert_false(check(&s));
}

static void test_ip6_that_lies(void **state)
{
	struct sample s;

	(void)state;
	sample_v6(&s, 8, TCP);
	s.data[s.l3 + 41] = 255; /* options beyond the private part */
	assert_false(check(&s));
	sample_v6(&s, 8, TCP);
	s.data[s.l3 + 6] = 43; /* routing: the sum is not over this address */
	assert_false(check(&s));
	s.f.off.gso = FRAME_GSO_NONE; /* the guest has summed it already */
	assert_true(check(&s));
	sample_v6(&s, 8, TCP);
	s.data[s.l3 + 6] = 44; /* fragment */
	assert_false(check(&s));
	sample_v6(&s, 0, TCP);
	put_be16(s.data + s.l3 + 4, LEN - s.l3);
	assert_false(check(&s));
	/* a chain of headers to the end of the private part */
	sample_v6(&s, 0, TCP);
	s.data[s.l3 + 6] = 60;
	for (uint32_t at = s.l3 + 40; at < 400; at += 8)
		s.data[at] = 60;
	assert_false(check(&s));
}

static void test_layout(void **state)
{
	struct offload_layout l;
	struct sample s;

	(void)state;
	sample_v4(&s, 2, UDP);
	assert_true(offload_layout(&s.f, &l));
	assert_int_equal(l.ip_version, 4);
	assert_int_equal(l.proto, UDP);
	assert_int_equal(l.l3_off, 22);
	assert_int_equal(l.l4_off, 42);
	assert_int_equal(l.payload_off, 50);
	sample_v6(&s, 16, TCP);
	assert_true(offload_layout(&s.f, &l));
	assert_int_equal(l.ip_version, 6);
	assert_int_equal(l.payload_off, 14 + 40 + 16 + 20);
	put_be16(s.data + 12, 0x0806);
	assert_true(offload_layout(&s.f, &l));
	assert_int_equal(l.ip_version, 0);
	assert_int_equal(l.l4_off, 14);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_honest_requests_pass),
		cmocka_unit_test(test_hdr_len_is_a_hint),
		cmocka_unit_test(test_unknown_bits),
		cmocka_unit_test(test_gso_size),
		cmocka_unit_test(test_gso_kind_is_not_the_packet),
		cmocka_unit_test(test_csum_field_outside),
		cmocka_unit_test(test_frame_too_short_for_field),
		cmocka_unit_test(test_ip4_that_lies),
		cmocka_unit_test(test_ip6_that_lies),
		cmocka_unit_test(test_layout),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
