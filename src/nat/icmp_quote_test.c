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
#include "wire/ip4.h"

enum { QUOTE = ICMP_HDR_LEN }; /* where it begins in a message */

static const struct endpoint far = {
	.ip = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}},
	.port = 33434};

static const addr hop = {
	{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 198, 51, 100, 1}};

static void probe(struct fake_nat *n, uint8_t ttl, const char *text)
{
	n->g.ttl = ttl;
	fake_guest_udp(&n->g, 5000, &far, text, (uint32_t)strlen(text));
	fake_guest_kick(&n->g);
}

/* The hop says that text's time was over. */
static void exceed(struct fake_nat *n, const char *text)
{
	struct host_err e = {.err = EHOSTUNREACH,
			     .origin = SO_EE_ORIGIN_ICMP,
			     .type = ICMP_TIME_EXCEEDED,
			     .dst = far,
			     .offender = hop,
			     .payload_len = strlen(text)};

	memcpy(e.payload, text, e.payload_len);
	fake_clear(n->g.port);
	fake_error(n->fh, 0, &e);
	fake_host_run(n->fh);
}

static void heard(struct fake_nat *n, struct fake_got *gp)
{
	assert_int_equal(n->g.port->n_out, 1);
	assert_true(fake_guest_got(&n->g, 0, gp));
	assert_true(gp->csum_ok);
	assert_true(addr_eq(&gp->pkt.src.ip, &hop));
	assert_int_equal(csum_fold(csum_add(gp->l4 + QUOTE, IP4_HDR_LEN, 0)),
			 0);
}

static uint16_t id_of(const struct fake_got *g)
{
	return (uint16_t)(g->l4[QUOTE + 4] << 8 | g->l4[QUOTE + 5]);
}

static void test_a_probe_is_quoted_as_it_was(void **state)
{
	struct fake_nat *n = *state;
	struct fake_got got;
	uint8_t whole[28 + 4];

	n->g.tos = 0x28;
	probe(n, 5, "here");
	assert_int_equal(fake_sent(n->fh, 0)->ttl, 4);
	exceed(n, "here");
	heard(n, &got);
	assert_int_equal(id_of(&got), 7); /* of all that fake guests send */
	assert_int_equal(got.l4[QUOTE + 1], 0x28);
	assert_int_equal(got.l4[QUOTE + 8], 1); /* the TTL it had there */
	assert_int_equal(got.l4_len, QUOTE + sizeof(whole));
	/* its checksum is right: nothing of it was made up */
	memcpy(whole, got.l4 + QUOTE, sizeof(whole));
	assert_int_equal(
		csum_fold(csum_add(whole + 20, 12,
				   csum_pseudo(&n->g.ip, &far.ip, IPPROTO_UDP,
					       12))),
		0);
}

static void test_other_payload_is_another_probe(void **state)
{
	struct fake_nat *n = *state;
	struct fake_got got;

	probe(n, 5, "one");
	exceed(n, "two");
	heard(n, &got);
	assert_int_equal(id_of(&got), 0); /* made of what is known */
	assert_memory_equal(got.l4 + QUOTE + 28, "two", 3);
	exceed(n, "on"); /* a hop that quotes less */
	heard(n, &got);
	assert_int_equal(id_of(&got), 7);
	assert_memory_equal(got.l4 + QUOTE + 28, "one", 3);
}

static void test_ordinary_packets_are_not_remembered(void **state)
{
	struct fake_nat *n = *state;
	struct fake_got got;

	probe(n, 64, "far");
	exceed(n, "far");
	heard(n, &got);
	assert_int_equal(id_of(&got), 0);
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
	assert_int_equal(id_of(&got), 7);
	probe(n, 5, "other");
	exceed(n, "first");
	heard(n, &got);
	assert_int_equal(id_of(&got), 0);
}

static void test_a_parameter_problem_has_its_pointer(void **state)
{
	struct host_err e = {.err = EPROTO,
			     .origin = SO_EE_ORIGIN_ICMP,
			     .type = ICMP_PARAMETER,
			     .info = 9,
			     .dst = far,
			     .offender = hop};
	struct fake_nat *n = *state;
	struct fake_got got;

	probe(n, 64, "x");
	fake_error(n->fh, 0, &e);
	fake_host_run(n->fh);
	heard(n, &got);
	assert_int_equal(got.l4[0], ICMP_PARAMETER);
	assert_int_equal(got.l4[4], 9);
}

static void test_unreachables_keep_their_code(void **state)
{
	struct fake_nat *n = *state;

	probe(n, 64, "x");
	for (uint8_t code = 0; code < 16; code++) {
		struct host_err e = {.err = EHOSTUNREACH,
				     .origin = SO_EE_ORIGIN_ICMP,
				     .type = ICMP_UNREACHABLE,
				     .code = code,
				     .dst = far,
				     .offender = hop};
		struct fake_got got;

		fake_clear(n->g.port);
		fake_error(n->fh, 0, &e);
		fake_host_run(n->fh);
		heard(n, &got);
		assert_int_equal(got.l4[1], code);
	}
}

static void echo(struct fake_nat *n, uint32_t len)
{
	static const uint8_t data[2000] = {0};

	fake_guest_echo(&n->g, far.ip, 0x1234, 5, data, len);
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
	n->g.df = false;
	echo(n, 1400);
	assert_int_equal(fake_sent(n->fh, 2)->df, 0);
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
	assert_int_equal(got.l4[0], ICMP_UNREACHABLE);
	assert_int_equal(got.l4[1], ICMP_U_FRAG_NEEDED);
	assert_int_equal(got.l4[6] << 8 | got.l4[7], 1300);
	assert_true(addr_eq(&got.pkt.src.ip, &n->env.gw4));
	assert_int_equal(id_of(&got), 7);
}

static void test_the_longest_reply(void **state)
{
	static uint8_t reply[65515];
	struct fake_nat *n = *state;
	struct endpoint ep = {.ip = far.ip};
	struct fake_got got;
	uint32_t n_bytes = 0;

	echo(n, 10);
	fake_deliver(n->fh, 0, &ep, reply, sizeof(reply));
	fake_host_run(n->fh);
	for (unsigned i = 0; fake_guest_got(&n->g, i, &got); i++)
		n_bytes += got.l4_len;
	assert_int_equal(n_bytes, sizeof(reply));
}

#define T(f)                                                                   \
	cmocka_unit_test_setup_teardown(f, fake_nat_setup, fake_nat_teardown)

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
