/* SPDX-License-Identifier: BSD-3-Clause */
/* NAT64: IPv4 as a guest with IPv6 sees it. */
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

#include "base/nat64.h"
#include "nat/env.h"
#include "nat/fake_nat.h"
#include "wire/csum.h"

static const char *const guest6 = "fec0::15";

static addr ip(const char *text)
{
	addr a;

	assert_true(addr_parse(text, &a));
	return a;
}

static struct nat_env env_make(bool has_v4)
{
	struct nat_env e = {
		.v4.net = {.ip = addr_v4(10, 0, 2, 0), .len = 120},
		.v4.gw = addr_v4(10, 0, 2, 2),
		.v4.dns = addr_v4(10, 0, 2, 3),
		.v4.is_on = has_v4,
		.v6.net = {.ip = ip("fec0::"), .len = 64},
		.v6.gw = ip("fec0::2"),
		.v6.dns = ip("fec0::3"),
		.v6.is_on = true,
		.nat64 = NAT64_PREFIX,
	};

	return e;
}

/* Where a guest's packet to dst goes, "" if nowhere. */
static const char *out(const struct nat_env *e, const char *dst, char *buf)
{
	const struct endpoint d = {.ip = ip(dst), .port = 80};
	struct endpoint to;

	if (!nat_map_out(e, IPPROTO_UDP, &d, &to))
		return "";
	assert_int_equal(to.port, 80);
	return addr_format(&to.ip, buf);
}

static const char *in(const struct nat_env *e, const char *src,
		      const char *guest, char *buf)
{
	const struct endpoint s = {.ip = ip(src), .port = 80};
	const addr g = ip(guest);
	struct endpoint seen = nat_map_in(e, &s, &g);

	assert_int_equal(seen.port, 80);
	return addr_format(&seen.ip, buf);
}

static void test_the_prefix_leads_to_ipv4(void **state)
{
	struct nat_env e = env_make(true);
	char b[ADDR_STRLEN];

	assert_string_equal(out(&e, "64:ff9b::198.51.100.7", b),
			    "198.51.100.7");
	/* the host's own networks too: this is the user's own NAT */
	assert_string_equal(out(&e, "64:ff9b::192.168.1.7", b), "192.168.1.7");
	/* another prefix is the host's matter, and so is this one, if off */
	assert_string_equal(out(&e, "64:ff9c::198.51.100.7", b),
			    "64:ff9c::c633:6407");
	assert_string_equal(out(&e, "64:ff9b:1::198.51.100.7", b),
			    "64:ff9b:1::c633:6407");
	e.nat64.len = 0;
	assert_string_equal(out(&e, "64:ff9b::198.51.100.7", b),
			    "64:ff9b::c633:6407");
}

static void test_what_ipv4_may_not(void **state)
{
	struct nat_env e = env_make(true);
	char b[ADDR_STRLEN];

	assert_string_equal(out(&e, "64:ff9b::127.0.0.1", b), "");
	assert_string_equal(out(&e, "64:ff9b::0.0.0.0", b), "");
	assert_string_equal(out(&e, "64:ff9b::224.0.0.1", b), "");
	assert_string_equal(out(&e, "64:ff9b::255.255.255.255", b), "");
	/* nobody of the guests' own network, but the gateway */
	assert_string_equal(out(&e, "64:ff9b::10.0.2.15", b), "");
	assert_string_equal(out(&e, "64:ff9b::10.0.2.2", b), "127.0.0.1");
	/* which is the world's, where the guests have none */
	e = env_make(false);
	assert_string_equal(out(&e, "64:ff9b::10.0.2.15", b), "10.0.2.15");
}

/* The host's own places, a link's, groups; what merely looks like one of them
 * is for the host's routes. */
static void test_what_ipv6_may_not(void **state)
{
	static const char *const nowhere[] = {
		"::", "::1", "fe80::1", "fe80:0:0:2::1", "febf::1", "ff01::1",
		"ff02::1", "ff0e::1", "fec0::15", "fec0::ffff:ffff",
	};
	static const char *const world[] = {
		"fec0:0:0:1::15", "fd00::1", "2002:7f00:1::1", "::127.0.0.1",
		"2001:db8::1",
	};
	struct nat_env e = env_make(true);
	char b[ADDR_STRLEN], c[ADDR_STRLEN];

	for (unsigned i = 0; i < sizeof(nowhere) / sizeof(*nowhere); i++)
		assert_string_equal(out(&e, nowhere[i], b), "");
	for (unsigned i = 0; i < sizeof(world) / sizeof(*world); i++) {
		addr a = ip(world[i]);

		assert_string_equal(out(&e, world[i], b), addr_format(&a, c));
	}
	assert_string_equal(out(&e, "fec0::2", b), "::1");
}

static void test_who_comes_from_ipv4(void **state)
{
	struct nat_env e = env_make(true);
	char b[ADDR_STRLEN];

	assert_string_equal(in(&e, "198.51.100.7", guest6, b),
			    "64:ff9b::c633:6407");
	assert_string_equal(in(&e, "198.51.100.7", "10.0.2.15", b),
			    "198.51.100.7");
	/* the host itself, as IPv4's gateway */
	assert_string_equal(in(&e, "127.0.0.1", guest6, b),
			    "64:ff9b::a00:202");
	/* who could not be answered there */
	assert_string_equal(in(&e, "10.0.2.15", guest6, b), "fec0::2");
	assert_string_equal(in(&e, "0.0.0.0", guest6, b), "fec0::2");
	e.has_other_router = true;
	assert_string_equal(in(&e, "198.51.100.7", guest6, b), "fec0::2");
	e = env_make(false);
	assert_string_equal(in(&e, "127.0.0.1", guest6, b), "fec0::2");
	e = env_make(true);
	e.nat64.len = 0;
	assert_string_equal(in(&e, "198.51.100.7", guest6, b), "fec0::2");
}

/* --- packets --- */

static int setup(void **state)
{
	struct fake_nat *n;

	assert_int_equal(fake_nat_setup6(state), 0);
	n = *state;
	n->env.nat64 = NAT64_PREFIX;
	return 0;
}

#define WORLD  addr_v4(192, 0, 2, 1)
#define WORLD6 ip("64:ff9b::192.0.2.1")

static void test_ping(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint from = {.ip = WORLD};
	const struct fake_sent *d;
	uint8_t echo[18];
	addr seen = WORLD6;
	struct fake_got got;

	fake_guest_echo(&n->g, seen, 0x1234, 5, "0123456789", 10);
	fake_guest_kick(&n->g);
	d = fake_sent(n->fh, 0);
	assert_true(addr_eq(&d->to.ip, &from.ip));
	assert_int_equal(d->len, sizeof(echo));
	assert_int_equal(d->data[0], ICMP_ECHO);
	assert_memory_equal(d->data + 6, "\0\5" "0123456789", 12);
	memcpy(echo, d->data, sizeof(echo));
	/* no answer: a message of the other family */
	echo[0] = ICMP6_ECHO_REPLY;
	fake_deliver(n->fh, d->sock, &from, echo, sizeof(echo));
	echo[0] = ICMP_ECHO_REPLY;
	fake_deliver(n->fh, d->sock, &from, echo, sizeof(echo));
	fake_host_run(n->fh);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_false(fake_guest_got(&n->g, 1, &got));
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_true(got.csum_ok);
	assert_true(addr_eq(&got.pkt.src.ip, &seen));
	assert_int_equal(got.l4[0], ICMP6_ECHO_REPLY);
	assert_memory_equal(got.l4 + 4, "\x12\x34\0\5" "0123456789", 14);
	/* the same identifier in IPv6 is another socket's */
	fake_guest_echo(&n->g, n->far.ip, 0x1234, 6, "", 0);
	fake_guest_kick(&n->g);
	assert_int_not_equal(fake_sent(n->fh, 1)->sock, d->sock);
	assert_int_equal(fake_sent(n->fh, 1)->data[0], ICMP6_ECHO);
	assert_int_equal(icmp_n_flows(n->icmp), 2);
}

static void test_a_hop_is_shown_in_the_prefix(void **state)
{
	struct fake_nat *n = *state;
	struct host_err e = {.err = EHOSTUNREACH,
			     .origin = SO_EE_ORIGIN_ICMP,
			     .type = ICMP_TIME_EXCEEDED,
			     .dst = {.ip = WORLD},
			     .offender = addr_v4(198, 51, 100, 1),
			     .payload = {8, 0, 1, 2, 0xde, 0xad, 0, 5},
			     .payload_len = 8};
	addr hop = ip("64:ff9b::198.51.100.1"), seen = WORLD6;
	struct fake_got got;

	n->g.ttl = 2;
	fake_guest_echo(&n->g, seen, 0x1234, 5, "0123456789", 10);
	fake_guest_kick(&n->g);
	assert_int_equal(fake_sent(n->fh, 0)->ttl, 1);
	fake_error(n->fh, fake_sent(n->fh, 0)->sock, &e);
	fake_host_run(n->fh);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_true(got.csum_ok);
	assert_true(addr_eq(&got.pkt.src.ip, &hop));
	assert_int_equal(got.l4[0], ICMP6_EXCEEDED);
	/* its own packet is quoted */
	assert_memory_equal(got.l4 + 8 + 8, n->g.ip.b, 16);
	assert_memory_equal(got.l4 + 8 + 24, seen.b, 16);
	assert_int_equal(got.l4[8 + 40], ICMP6_ECHO);
	assert_memory_equal(got.l4 + 8 + 44, "\x12\x34\0\5" "0123456789",
			    14);
}

/* RFC 7915 4.2: headers of IPv6 are 20 bytes longer. */
static void test_what_is_too_big(void **state)
{
	struct fake_nat *n = *state;
	struct host_err e = {.err = EMSGSIZE,
			     .origin = SO_EE_ORIGIN_ICMP,
			     .type = ICMP_UNREACHABLE,
			     .code = ICMP_U_FRAG_NEEDED,
			     .info = 1400,
			     .dst = {.ip = WORLD},
			     .offender = addr_v4(198, 51, 100, 1),
			     .payload = {8, 0, 1, 2, 0xde, 0xad, 0, 5},
			     .payload_len = 8};
	struct fake_got got;

	fake_guest_echo(&n->g, WORLD6, 0x1234, 5, "0123456789", 10);
	fake_guest_kick(&n->g);
	fake_error(n->fh, fake_sent(n->fh, 0)->sock, &e);
	fake_host_run(n->fh);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_int_equal(got.l4[0], ICMP6_TOO_BIG);
	assert_memory_equal(got.l4 + 4, "\0\0\x05\x8c", 4);
}

static void test_datagrams(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint dst = {.ip = WORLD6, .port = 53};
	struct endpoint from = {.ip = WORLD, .port = 53};
	struct host_err e = {.err = ECONNREFUSED,
			     .origin = SO_EE_ORIGIN_ICMP,
			     .type = ICMP_UNREACHABLE,
			     .code = ICMP_U_PORT,
			     .dst = from,
			     .offender = WORLD,
			     .payload = "abc",
			     .payload_len = 3};
	struct fake_got got;
	unsigned sock;

	fake_guest_udp(&n->g, 4000, &dst, "abc", 3);
	fake_guest_kick(&n->g);
	assert_true(endpoint_eq(&fake_sent(n->fh, 0)->to, &from));
	sock = fake_sent(n->fh, 0)->sock;
	fake_deliver(n->fh, sock, &from, "defg", 4);
	fake_host_run(n->fh);
	assert_true(fake_guest_got(&n->g, 0, &got));
	assert_true(got.csum_ok);
	assert_true(endpoint_eq(&got.pkt.src, &dst));
	assert_memory_equal(got.l4 + 8, "defg", 4);
	/* refusals too */
	fake_error(n->fh, sock, &e);
	fake_host_run(n->fh);
	assert_true(fake_guest_got(&n->g, 1, &got));
	assert_true(got.csum_ok);
	assert_true(addr_eq(&got.pkt.src.ip, &dst.ip));
	assert_int_equal(got.l4[0], ICMP6_UNREACHABLE);
	assert_int_equal(got.l4[1], ICMP6_U_PORT);
	assert_memory_equal(got.l4 + 8 + 24, dst.ip.b, 16);
	/* the host, and its answer */
	dst.ip = ip("64:ff9b::10.0.2.2");
	from.ip = addr_v4(127, 0, 0, 1);
	fake_guest_udp(&n->g, 4000, &dst, "abc", 3);
	fake_guest_kick(&n->g);
	assert_true(endpoint_eq(&fake_sent(n->fh, 1)->to, &from));
	fake_deliver(n->fh, sock, &from, "hij", 3);
	fake_host_run(n->fh);
	assert_true(fake_guest_got(&n->g, 2, &got));
	assert_true(endpoint_eq(&got.pkt.src, &dst));
	/* its own places are not reached by their own names */
	dst.ip = ip("64:ff9b::127.0.0.1");
	fake_guest_udp(&n->g, 4000, &dst, "abc", 3);
	fake_guest_kick(&n->g);
	assert_int_equal(n->fh->n_sent, 2);
	assert_int_equal(n->drops.n[DROP_IP_DEST], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_prefix_leads_to_ipv4),
		cmocka_unit_test(test_what_ipv4_may_not),
		cmocka_unit_test(test_what_ipv6_may_not),
		cmocka_unit_test(test_who_comes_from_ipv4),
		cmocka_unit_test_setup_teardown(test_ping, setup,
						fake_nat_teardown),
		cmocka_unit_test_setup_teardown(
			test_a_hop_is_shown_in_the_prefix, setup,
			fake_nat_teardown),
		cmocka_unit_test_setup_teardown(test_what_is_too_big, setup,
						fake_nat_teardown),
		cmocka_unit_test_setup_teardown(test_datagrams, setup,
						fake_nat_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
