/* SPDX-License-Identifier: BSD-3-Clause */
/* What an error quotes, and what of a guest's IP header the host carries. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h> /* after time.h, which it needs */

#include <cmocka.h>

#include "nat/fake_nat.h"
#include "nat/icmp_priv.h"
#include "wire/csum.h"
#include "wire/ip.h"

enum { QUOTE = ICMP_HDR_LEN }; /* where it begins in a message */

enum { PORT = 33434 };

static bool is_v6(const struct fake_nat *n)
{
	return !addr_is_v4(&n->g.ip);
}

static uint32_t ip_len(const struct fake_nat *n)
{
	return ip_hdr_len(&n->g.ip);
}

static struct endpoint far(const struct fake_nat *n)
{
	return fake_nat_ep(n, 1, PORT);
}

/* What a hop says. */
static struct host_err error_of(const struct fake_nat *n, uint8_t type,
				uint8_t code)
{
	return (struct host_err){.err = EHOSTUNREACH,
				 .origin = is_v6(n) ? SO_EE_ORIGIN_ICMP6
						    : SO_EE_ORIGIN_ICMP,
				 .type = type,
				 .code = code,
				 .dst = far(n),
				 .offender = fake_nat_ep(n, 77, 0).ip};
}

static void probe(struct fake_nat *n, uint8_t ttl, const char *text)
{
	const struct endpoint dst = far(n);

	n->g.ttl = ttl;
	fake_guest_udp(&n->g, 5000, &dst, text, (uint32_t)strlen(text));
	fake_guest_kick(&n->g);
}

/* The hop says that text's time was over. */
static void exceed(struct fake_nat *n, const char *text)
{
	struct host_err e = error_of(n, is_v6(n) ? 3 : 11, 0);

	e.payload_len = strlen(text);
	memcpy(e.payload, text, e.payload_len);
	fake_clear(n->g.port);
	fake_error(n->fh, 0, &e);
	fake_host_run(n->fh);
}

static void heard(struct fake_nat *n, struct fake_got *gp)
{
	addr hop = fake_nat_ep(n, 77, 0).ip;

	assert_int_equal(n->g.port->n_out, 1);
	assert_true(fake_guest_got(&n->g, 0, gp));
	assert_true(gp->csum_ok);
	assert_true(addr_eq(&gp->pkt.src.ip, &hop));
	if (!is_v6(n))
		assert_int_equal(
			csum_fold(csum_add(gp->l4 + QUOTE, IP4_HDR_LEN, 0)),
			0);
}

/* True if the quote is the guest's own packet, and not one made of what is
 * known of it: that has neither the traffic class nor the checksum. */
static bool is_own(const struct fake_nat *n, const struct fake_got *g)
{
	const uint8_t *udp = g->l4 + QUOTE + ip_len(n);

	return udp[6] || udp[7];
}

static void test_a_probe_is_quoted_as_it_was(void **state)
{
	struct fake_nat *n = *state;
	struct fake_got got;
	const uint8_t *ip;
	uint64_t sum;

	n->g.tos = 0x28;
	probe(n, 5, "here");
	assert_int_equal(fake_sent(n->fh, 0)->ttl, 4);
	exceed(n, "here");
	heard(n, &got);
	ip = got.l4 + QUOTE;
	assert_int_equal(got.l4_len, QUOTE + ip_len(n) + 12);
	if (is_v6(n)) {
		assert_int_equal(ip[0] << 4 | ip[1] >> 4, 0x628);
		assert_int_equal(ip[7], 1); /* the hop limit it had there */
	} else {
		assert_int_equal(ip[4] << 8 | ip[5], 7); /* as all have */
		assert_int_equal(ip[1], 0x28);
		assert_int_equal(ip[8], 1);
	}
	/* its checksum is right: nothing of it was made up */
	sum = csum_pseudo(&n->g.ip, &n->far.ip, IPPROTO_UDP, 12);
	assert_true(is_own(n, &got));
	assert_int_equal(csum_fold(csum_add(ip + ip_len(n), 12, sum)), 0);
}

static void test_other_payload_is_another_probe(void **state)
{
	struct fake_nat *n = *state;
	struct fake_got got;

	probe(n, 5, "one");
	exceed(n, "two");
	heard(n, &got);
	assert_false(is_own(n, &got)); /* made of what is known */
	assert_memory_equal(got.l4 + QUOTE + ip_len(n) + 8, "two", 3);
	exceed(n, "on"); /* a hop that quotes less */
	heard(n, &got);
	assert_true(is_own(n, &got));
	assert_memory_equal(got.l4 + QUOTE + ip_len(n) + 8, "one", 3);
}

static void test_ordinary_packets_are_not_remembered(void **state)
{
	struct fake_nat *n = *state;
	struct fake_got got;

	probe(n, 64, "far");
	exceed(n, "far");
	heard(n, &got);
	assert_false(is_own(n, &got));
}

static void test_the_oldest_is_forgotten(void **state)
{
	struct fake_nat *n = *state;
	struct fake_got got;

	probe(n, 5, "first");
	for (int i = 1; i < ICMP_PROBES; i++)
		probe(n, 5, "other");
	exceed(n, "first");
	heard(n, &got);
	assert_true(is_own(n, &got));
	probe(n, 5, "other");
	exceed(n, "first");
	heard(n, &got);
	assert_false(is_own(n, &got));
}

static void test_a_parameter_problem_has_its_pointer(void **state)
{
	struct fake_nat *n = *state;
	struct host_err e = error_of(n, is_v6(n) ? 4 : 12, 0);
	struct fake_got got;

	e.info = 9;
	probe(n, 64, "x");
	fake_error(n->fh, 0, &e);
	fake_host_run(n->fh);
	heard(n, &got);
	assert_int_equal(got.l4[0], e.type);
	assert_int_equal(got.l4[is_v6(n) ? 7 : 4], 9);
}

static void test_unreachables_keep_their_code(void **state)
{
	struct fake_nat *n = *state;

	probe(n, 64, "x");
	for (uint8_t code = 0; code < (is_v6(n) ? 7 : 16); code++) {
		struct host_err e = error_of(n, is_v6(n) ? 1 : 3, code);
		struct fake_got got;

		fake_clear(n->g.port);
		fake_error(n->fh, 0, &e);
		fake_host_run(n->fh);
		heard(n, &got);
		assert_int_equal(got.l4[0], e.type);
		assert_int_equal(got.l4[1], code);
	}
}

static void echo(struct fake_nat *n, uint32_t len)
{
	static const uint8_t data[2000] = {0};

	fake_guest_echo(&n->g, n->far.ip, 0x1234, 5, data, len);
	fake_guest_kick(&n->g);
}

static void test_echoes_carry_marks_and_dont_fragment(void **state)
{
	struct fake_nat *n = *state;

	n->g.tos = 0x29;
	echo(n, 100); /* too short to ask */
	assert_int_equal(fake_sent(n->fh, 0)->tos, 0x29);
	assert_int_equal(fake_sent(n->fh, 0)->df, -1);
	n->g.tos = 0;
	echo(n, 1400);
	assert_int_equal(fake_sent(n->fh, 1)->tos, 0);
	assert_int_equal(fake_sent(n->fh, 1)->df, 1);
	n->g.df = false; /* IPv6 has no words for it */
	echo(n, 1400);
	assert_int_equal(fake_sent(n->fh, 2)->df, is_v6(n));
}

static void test_an_echo_too_big_is_told_the_mtu(void **state)
{
	struct host_err e = {.err = EMSGSIZE,
			     .origin = SO_EE_ORIGIN_LOCAL,
			     .info = 1300};
	struct fake_nat *n = *state;
	struct fake_got got;

	echo(n, 10);
	fake_fail(n->fh, FAKE_SEND, EMSGSIZE, 2);
	fake_error(n->fh, 0, &e);
	fake_error(n->fh, 0, &e); /* one of each try */
	echo(n, 1400);
	fake_host_run(n->fh);
	assert_int_equal(n->g.port->n_out, 1);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_int_equal(got.l4[0], is_v6(n) ? 2 : 3);
	assert_int_equal(got.l4[1], is_v6(n) ? 0 : 4);
	assert_int_equal(got.l4[6] << 8 | got.l4[7], 1300);
	assert_true(addr_eq(&got.pkt.src.ip, &n->gw_ip));
	/* the identifier of its echo */
	assert_memory_equal(got.l4 + QUOTE + ip_len(n) + 4, "\x12\x34", 2);
}

static void test_the_longest_reply(void **state)
{
	static uint8_t reply[65535];
	struct fake_nat *n = *state;
	size_t len = is_v6(n) ? 65535 : 65515;
	struct endpoint ep = {.ip = n->far.ip};
	struct fake_got got;
	uint32_t n_bytes = 0;

	reply[0] = is_v6(n) ? 129 : 0;
	echo(n, 10);
	fake_deliver(n->fh, 0, &ep, reply, len);
	fake_host_run(n->fh);
	for (unsigned i = 0; fake_guest_got(&n->g, i, &got); i++)
		n_bytes += got.l4_len;
	assert_int_equal(n_bytes, len);
}

/* RFC 8200 4.5: a fragment is found by addresses and number alone, and there
 * are other parts that send some to the same guest. */
static void test_fragments_have_numbers_of_their_own(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint ep = far(n);
	static uint8_t big[3000] = {129};
	struct fake_got a, b;

	echo(n, 10);
	fake_deliver(n->fh, 0, &ep, big, sizeof(big));
	probe(n, 64, "x");
	fake_deliver(n->fh, 1, &ep, big, sizeof(big));
	fake_host_run(n->fh);
	assert_int_equal(n->g.port->n_out, 6);
	assert_true(fake_guest_got(&n->g, 0, &a));
	assert_true(fake_guest_got(&n->g, 3, &b));
	assert_true(a.pkt.is_fragment && b.pkt.is_fragment);
	assert_int_not_equal(a.pkt.proto, b.pkt.proto);
	assert_int_not_equal(a.pkt.ip_id, b.pkt.ip_id);
}

#define T6(f)                                                                  \
	cmocka_unit_test_setup_teardown(f, fake_nat_setup6, fake_nat_teardown)
/* In both families. */
#define T(f)                                                                   \
	cmocka_unit_test_setup_teardown(f, fake_nat_setup, fake_nat_teardown), \
		T6(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_probe_is_quoted_as_it_was),
		T(test_other_payload_is_another_probe),
		T(test_ordinary_packets_are_not_remembered),
		T(test_the_oldest_is_forgotten),
		T(test_a_parameter_problem_has_its_pointer),
		T(test_unreachables_keep_their_code),
		T(test_echoes_carry_marks_and_dont_fragment),
		T(test_an_echo_too_big_is_told_the_mtu),
		T(test_the_longest_reply),
		T6(test_fragments_have_numbers_of_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
