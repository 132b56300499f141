/* SPDX-License-Identifier: BSD-3-Clause */
/* What the gateway says of IPv6 packets by ICMPv6, and their fragments. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/fake_gateway.h"
#include "wire/csum.h"
#include "wire/icmp.h"
#include "wire/ip.h"

enum { ROUTING = 43, DEST_OPTIONS = 60 };

static const struct endpoint far = {
	.ip = {{0x20, 1, 0xd, 0xb8, [15] = 1}}, .port = 9};

static int setup(void **state)
{
	return fake_gateway_setup6(state, fake_gateway_config6());
}

/* The gateway's first words are such an error. */
static void heard(struct fake_gateway *b, uint8_t type, uint8_t code,
		  uint32_t rest)
{
	struct fake_got got;
	struct rd r;
	addr gw = fake_inside6(2);

	assert_int_equal(b->g.port->n_out, 1);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_true(got.csum_ok);
	assert_true(addr_eq(&got.pkt.src.ip, &gw));
	assert_int_equal(got.pkt.proto, IPPROTO_ICMPV6);
	assert_int_equal(got.l4[0], type);
	assert_int_equal(got.l4[1], code);
	r = rd_init(got.l4 + 4, 4);
	assert_int_equal(rd_u32(&r), rest);
	fake_clear(b->g.port);
}

static void test_a_hop(void **state)
{
	struct fake_gateway *b = *state;

	fake_clear(b->g.port);
	b->g.ttl = 1;
	fake_guest_udp(&b->g, 5000, &far, "x", 1);
	fake_guest_kick(&b->g);
	assert_int_equal(b->drops.n[DROP_IP_TTL], 1);
	heard(b, 3, 0, 0);
}

static void test_what_nobody_knows(void **state)
{
	/* a routing header to one more node; options behind options */
	static const uint8_t routing[24] = {17, 2, 0, 1};
	static const uint8_t options[24] = {132, 0, 1, 4};
	struct fake_gateway *b = *state;

	fake_clear(b->g.port);
	fake_guest_ip(&b->g, far.ip, IPPROTO_SCTP, "123456789012", 12);
	fake_guest_kick(&b->g);
	heard(b, 4, 1, 6);
	fake_guest_ip(&b->g, far.ip, ROUTING, routing, sizeof(routing));
	fake_guest_kick(&b->g);
	heard(b, 4, 0, 42);
	fake_guest_ip(&b->g, far.ip, DEST_OPTIONS, options, sizeof(options));
	fake_guest_kick(&b->g);
	heard(b, 4, 1, 40);
	assert_int_equal(b->drops.n[DROP_IP_PROTOCOL], 3);
	fake_guest_ip(&b->g, far.ip, IPPROTO_NONE, "", 0);
	fake_guest_kick(&b->g);
	assert_int_equal(b->g.port->n_out, 0);
	assert_int_equal(b->drops.n[DROP_IP_PROTOCOL], 4);
}

/* On each of its addresses. */
static void test_ping_of_the_gateway(void **state)
{
	const addr ours[] = {
		fake_inside6(2), fake_inside6(3), {{0xfe, 0x80, [15] = 2}}};
	struct fake_gateway *b = *state;
	struct fake_got got;

	for (unsigned i = 0; i < 3; i++) {
		fake_clear(b->g.port);
		fake_guest_echo(&b->g, ours[i], 77, 3, "abcdefgh", 8);
		fake_guest_kick(&b->g);
		assert_true(fake_guest_got(&b->g, 0, &got));
		assert_int_equal(got.l4[0], 129);
		assert_true(got.csum_ok);
		assert_memory_equal(got.l4 + 4, "\0\115\0\3abcdefgh", 12);
		assert_true(addr_eq(&got.pkt.src.ip, &ours[i]));
	}
	assert_int_equal(b->fh->n_sent, 0);
}

/* What came in fragments may leave in fragments. */
static void test_fragments(void **state)
{
	struct fake_gateway *b = *state;
	uint8_t dgram[2000] = {0x13, 0x88, 0, 9, 2000 >> 8, 2000 & 255};
	const struct fake_sent *d;
	uint16_t sum;

	memset(dgram + 8, 'q', sizeof(dgram) - 8);
	sum = csum_fold(csum_add(dgram, sizeof(dgram),
				 csum_pseudo(&b->g.ip, &far.ip, IPPROTO_UDP,
					     sizeof(dgram))));
	dgram[6] = (uint8_t)(sum >> 8);
	dgram[7] = (uint8_t)sum;
	b->g.frag = 1400 / 8;
	fake_guest_ip(&b->g, far.ip, IPPROTO_UDP, dgram + 1400, 600);
	b->g.frag = IP4_F_MF;
	fake_guest_ip(&b->g, far.ip, IPPROTO_UDP, dgram, 1400);
	fake_guest_kick(&b->g);
	d = fake_sent(b->fh, 0);
	assert_non_null(d);
	assert_int_equal(d->len, sizeof(dgram) - 8);
	assert_memory_equal(d->data, dgram + 8, d->len);
	assert_int_not_equal(d->df, 1);
	fake_guest_udp(&b->g, 5000, &far, dgram, 1300);
	fake_guest_kick(&b->g);
	assert_int_equal(fake_sent(b->fh, 1)->df, 1);
}

/* A datagram of the guest, whole, with such headers before it; to be cut in two
 * at cut. */
static void say_in_two(struct fake_gateway *b, const void *front, uint32_t len,
		       uint8_t proto, uint32_t cut)
{
	uint8_t all[600] = {0}, *dgram = all + len;
	uint32_t n = sizeof(all) - len;
	uint16_t sum;

	memcpy(all, front, len);
	memcpy(dgram, "\x13\x88\0\x09", 4);
	dgram[4] = (uint8_t)(n >> 8);
	dgram[5] = (uint8_t)n;
	sum = csum_fold(csum_add(dgram, n,
				 csum_pseudo(&b->g.ip, &far.ip, IPPROTO_UDP,
					     n)));
	dgram[6] = (uint8_t)(sum >> 8);
	dgram[7] = (uint8_t)sum;
	b->g.frag = IP4_F_MF;
	fake_guest_ip(&b->g, far.ip, proto, all, cut);
	b->g.frag = (uint16_t)(cut / 8);
	fake_guest_ip(&b->g, far.ip, proto, all + cut, sizeof(all) - cut);
	fake_guest_kick(&b->g);
}

/* Options for the destination stand behind the fragment header (RFC 8200
 * 4.1); what is behind them shows when all is there. */
static void test_options_in_fragments(void **state)
{
	static const uint8_t options[8] = {IPPROTO_UDP, 0, 1, 4};
	static const uint8_t unknown[8] = {IPPROTO_SCTP, 0, 1, 4};
	/* a fragment of a fragment */
	static const uint8_t again[16] = {IPPROTO_FRAGMENT, 0, 1, 4, 0, 0, 0, 0,
					  IPPROTO_UDP, 0, 0, 9, 0, 0, 0, 1};
	struct fake_gateway *b = *state;

	fake_clear(b->g.port);
	say_in_two(b, options, sizeof(options), DEST_OPTIONS, 400);
	assert_int_equal(b->fh->n_sent, 1);
	assert_int_equal(fake_sent(b->fh, 0)->len, 600 - 8 - 8);
	say_in_two(b, unknown, sizeof(unknown), DEST_OPTIONS, 400);
	heard(b, 4, 1, 40);
	say_in_two(b, again, sizeof(again), DEST_OPTIONS, 400);
	say_in_two(b, options, sizeof(options), IPPROTO_FRAGMENT, 400);
	assert_int_equal(b->fh->n_sent, 1);
}

/* A guest that leaves the cutting to us (UFO) does not forbid it. */
static void test_longer_than_the_mtu(void **state)
{
	struct fake_gateway *b = *state;
	uint8_t data[3000] = {0};

	fake_guest_udp(&b->g, 5000, &far, data, sizeof(data));
	b->g.port->in[0].off = (struct frame_offload){
		.flags = FRAME_F_NEEDS_CSUM,
		.gso = FRAME_GSO_FRAG6,
		.gso_size = 1448,
		.csum_start = 54,
		.csum_offset = 6};
	fake_guest_kick(&b->g);
	assert_non_null(fake_sent(b->fh, 0));
	assert_int_equal(fake_sent(b->fh, 0)->len, sizeof(data));
	assert_int_not_equal(fake_sent(b->fh, 0)->df, 1);
}

/* RFC 8200 4.5 */
static void test_no_fragment(void **state)
{
	struct fake_gateway *b = *state;
	uint8_t bytes[20] = {0};

	fake_clear(b->g.port);
	b->g.frag = IP4_F_MF;
	fake_guest_ip(&b->g, far.ip, IPPROTO_UDP, bytes, sizeof(bytes));
	fake_guest_kick(&b->g);
	heard(b, 4, 0, 4);
}

/* The host's path carries less than the guest thinks. */
static void test_too_big(void **state)
{
	struct fake_gateway *b = *state;
	struct fake_got got;
	uint8_t big[1400] = {0};

	fake_clear(b->g.port);
	fake_fail(b->fh, FAKE_SEND, EMSGSIZE, 2);
	fake_guest_udp(&b->g, 5000, &far, big, sizeof(big));
	fake_guest_kick(&b->g);
	assert_true(fake_guest_got(&b->g, 0, &got));
	assert_int_equal(got.len, 14 + 1280);
	heard(b, 2, 0, 1280);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, fake_gateway_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_hop),
		T(test_what_nobody_knows),
		T(test_ping_of_the_gateway),
		T(test_fragments),
		T(test_options_in_fragments),
		T(test_longer_than_the_mtu),
		T(test_no_fragment),
		T(test_too_big),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
