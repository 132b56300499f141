/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP: what a guest hears of what was not carried. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/errqueue.h> /* after time.h, which it needs */

#include <cmocka.h>

#include "nat/fake_nat.h"
#include "wire/csum.h"

static bool is_v6(const struct fake_nat *n)
{
	return !addr_is_v4(&n->g.ip);
}

static void say(struct fake_nat *n, uint16_t sport, const struct endpoint *dst,
		const char *text)
{
	fake_guest_udp(&n->g, sport, dst, text, (uint32_t)strlen(text));
	fake_guest_kick(&n->g);
}

/* What ICMP's "unreachable" with that code is in the guest's family. */
static void assert_error(const struct fake_nat *n, const struct fake_got *got,
			 uint8_t code)
{
	static const struct {
		uint8_t code, type6, code6;
	} t[] = {
		{ICMP_U_NET, ICMP6_UNREACHABLE, ICMP6_U_NO_ROUTE},
		{ICMP_U_HOST, ICMP6_UNREACHABLE, ICMP6_U_ADDRESS},
		{ICMP_U_PORT, ICMP6_UNREACHABLE, ICMP6_U_PORT},
		{ICMP_U_ADMIN, ICMP6_UNREACHABLE, ICMP6_U_ADMIN},
		{ICMP_U_FRAG_NEEDED, ICMP6_TOO_BIG, 0},
	};
	unsigned i = 0;

	assert_true(got->csum_ok);
	if (!is_v6(n)) {
		assert_int_equal(got->l4[0], ICMP_UNREACHABLE);
		assert_int_equal(got->l4[1], code);
		return;
	}
	while (t[i].code != code)
		i++;
	assert_int_equal(got->l4[0], t[i].type6);
	assert_int_equal(got->l4[1], t[i].code6);
}

/* Where the quoted packet's transport header lies in an error. */
static uint32_t quoted_l4(const struct fake_nat *n)
{
	return ICMP_HDR_LEN + fake_nat_l4(n) - FRAME_ETH_LEN;
}

/* The quoted packet went from src to dst. */
static void assert_quoted(const struct fake_nat *n, const struct fake_got *got,
			  const addr *src, const addr *dst)
{
	size_t len = is_v6(n) ? 16 : 4;
	const uint8_t *end = got->l4 + quoted_l4(n);

	assert_memory_equal(end - 2 * len, src->b + 16 - len, len);
	assert_memory_equal(end - len, dst->b + 16 - len, len);
}

static void test_not_routed(void **state)
{
	struct fake_nat *n = *state;
	addr nobody = n->g.ip;
	struct fake_got got;

	say(n, 1, &(struct endpoint){.ip = n->dns_ip, .port = 54}, "a");
	nobody.b[15] = 99;
	say(n, 1, &(struct endpoint){.ip = nobody}, "a");
	say(n, 1, &(struct endpoint){.ip = addr_loopback(&nobody)}, "a");
	assert_int_equal(n->drops.n[DROP_IP_DEST], 3);
	assert_int_equal(n->fh->n_sent, 0);
	assert_int_equal(n->g.port->n_out, 2); /* a martian: no word */
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_error(n, &got, ICMP_U_PORT);
	assert_true(fake_guest_got(&n->g, 1, &got));
	assert_error(n, &got, ICMP_U_HOST);
}

static void test_refusal_of_the_host_is_told(void **state)
{
	static const struct {
		int err;
		uint8_t code;
	} t[] = {{ENETUNREACH, ICMP_U_NET},   {EHOSTUNREACH, ICMP_U_HOST},
		 {ECONNREFUSED, ICMP_U_PORT}, {EACCES, ICMP_U_ADMIN},
		 {EPERM, ICMP_U_ADMIN},       {EMSGSIZE, ICMP_U_FRAG_NEEDED}};
	struct fake_nat *n = *state;

	for (unsigned i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct fake_got got;

		fake_fail(n->fh, FAKE_SEND, t[i].err, 2);
		say(n, 5000, &n->far, "question");
		fake_fail(n->fh, FAKE_SEND, 0, 0);
		assert_true(fake_guest_got(&n->g, i, &got));
		assert_error(n, &got, t[i].code);
		/* the whole packet is quoted */
		assert_int_equal(got.l4_len, quoted_l4(n) + 8 + 8);
		assert_memory_equal(got.l4 + quoted_l4(n) + 8, "question", 8);
	}
	assert_int_equal(n->drops.n[DROP_UDP_SEND], 6);
}

static struct host_err port_unreachable(const struct fake_nat *n)
{
	return (struct host_err){.err = ECONNREFUSED,
				 .origin = is_v6(n) ? SO_EE_ORIGIN_ICMP6
						    : SO_EE_ORIGIN_ICMP,
				 .type = is_v6(n) ? ICMP6_UNREACHABLE
						  : ICMP_UNREACHABLE,
				 .code = is_v6(n) ? ICMP6_U_PORT : ICMP_U_PORT,
				 .dst = n->far,
				 .offender = n->far.ip,
				 .payload = "question",
				 .payload_len = 8};
}

static void test_port_unreachable_comes_back(void **state)
{
	struct fake_nat *n = *state;
	struct host_err e = port_unreachable(n);
	struct fake_got got;

	say(n, 5000, &n->far, "question");
	fake_error(n->fh, 0, &e);
	fake_host_run(n->fh);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_error(n, &got, ICMP_U_PORT);
	assert_true(addr_eq(&got.pkt.src.ip, &n->far.ip));
	/* addresses, ports, length, no checksum, payload */
	assert_quoted(n, &got, &n->g.ip, &n->far.ip);
	assert_memory_equal(got.l4 + quoted_l4(n),
			    "\x13\x88\0\x09\0\x10\0\0question", 16);
	if (!is_v6(n))
		assert_int_equal(csum_fold(csum_add(got.l4 + 8, 20, 0)), 0);
}

static void test_loopback_refusal_comes_from_gateway(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint gw = {.ip = n->gw_ip, .port = 9};
	struct host_err e = port_unreachable(n);
	struct fake_got got;

	e.dst = (struct endpoint){.ip = addr_loopback(&gw.ip), .port = 9};
	e.offender = e.dst.ip;
	say(n, 5000, &gw, "question");
	fake_error(n->fh, 0, &e);
	fake_host_run(n->fh);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_true(addr_eq(&got.pkt.src.ip, &n->gw_ip));
	assert_quoted(n, &got, &n->g.ip, &gw.ip);
}

static void test_too_big_has_the_mtu(void **state)
{
	struct fake_nat *n = *state;
	struct host_err e = {.err = EMSGSIZE,
			     .origin = SO_EE_ORIGIN_LOCAL,
			     .info = 1400,
			     .dst = n->far};
	struct fake_got got;
	uint8_t big[1472] = {0};

	fake_guest_udp(&n->g, 5000, &n->far, big, sizeof(big));
	fake_guest_kick(&n->g);
	fake_fail(n->fh, FAKE_SEND, EMSGSIZE, 1);
	fake_error(n->fh, 0, &e);
	fake_guest_udp(&n->g, 5000, &n->far, big, sizeof(big));
	fake_guest_kick(&n->g);
	assert_int_equal(n->g.port->n_out, 1); /* told once */
	assert_int_equal(n->fh->n_sent, 1);    /* and not tried again */
	assert_int_equal(n->drops.n[DROP_UDP_SEND], 1);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_error(n, &got, ICMP_U_FRAG_NEEDED);
	assert_int_equal(got.l4[6] << 8 | got.l4[7], 1400);
	/* its own, as much as fits */
	assert_int_equal(got.len, 14 + (is_v6(n) ? 1280 : 576));
	assert_true(addr_eq(&got.pkt.src.ip, &n->gw_ip));
}

static void test_receive_error_is_passed_on(void **state)
{
	struct fake_nat *n = *state;
	struct host_err e = port_unreachable(n);

	say(n, 5000, &n->far, "question");
	fake_fail(n->fh, FAKE_RECV, ECONNREFUSED, 1);
	fake_error(n->fh, 0, &e);
	fake_deliver(n->fh, 0, &n->far, "late", 4);
	fake_host_run(n->fh);
	assert_int_equal(n->g.port->n_out, 2); /* the error and the answer */
}

static void test_endless_error_ends(void **state)
{
	struct fake_nat *n = *state;

	say(n, 5000, &n->far, "question");
	fake_fail(n->fh, FAKE_RECV, EIO, 1000000);
	fake_deliver(n->fh, 0, &n->far, "late", 4);
	fake_host_run(n->fh);
	fake_nat_pass(n, FAKE_SECOND);
	assert_true(n->fh->fail_n[FAKE_RECV] > 999900);
}

#define T(f)                                                                   \
	cmocka_unit_test_setup_teardown(f, fake_nat_setup, fake_nat_teardown), \
	{                                                                      \
		#f " over IPv6", f, fake_nat_setup6, fake_nat_teardown, NULL   \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_not_routed),
		T(test_refusal_of_the_host_is_told),
		T(test_port_unreachable_comes_back),
		T(test_loopback_refusal_comes_from_gateway),
		T(test_too_big_has_the_mtu),
		T(test_receive_error_is_passed_on),
		T(test_endless_error_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
