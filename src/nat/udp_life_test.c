/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP mappings: how many sockets, how long they live, and their limits. */
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

static struct endpoint name_server(const struct fake_nat *n)
{
	return fake_nat_ep(n, 53, 53);
}

static struct endpoint peer(const struct fake_nat *n, unsigned i)
{
	struct endpoint ep = fake_nat_ep(n, (uint8_t)i, (uint16_t)(i + 1));

	ep.ip.b[14] = (uint8_t)(i >> 8);
	return ep;
}

static void say(struct fake_nat *n, uint16_t sport, const struct endpoint *dst,
		const char *text)
{
	fake_guest_udp(&n->g, sport, dst, text, (uint32_t)strlen(text));
	fake_guest_kick(&n->g);
}

static void hear(struct fake_nat *n, unsigned sock, const struct endpoint *from)
{
	assert_true(fake_deliver(n->fh, sock, from, "x", 1));
	fake_host_run(n->fh);
}

static void pass(struct fake_nat *n, unsigned seconds)
{
	fake_nat_pass(n, seconds * FAKE_SECOND);
}

/* The mapping of the one flow is there for exactly so long. */
static void lives(struct fake_nat *n, unsigned seconds)
{
	pass(n, seconds - 1);
	assert_int_equal(n->fh->n_socks, 1);
	pass(n, 2);
	assert_int_equal(n->fh->n_socks, 0);
	assert_int_equal(udp_n_flows(n->udp), 0);
}

static void test_thousands_of_peers_are_one_socket(void **state)
{
	struct fake_nat *n = *state;
	enum { PEERS = 5000 };

	for (unsigned i = 0; i < PEERS; i++) {
		struct endpoint to = peer(n, i);

		say(n, 5000, &to, "a");
	}
	assert_int_equal(n->fh->n_sent, PEERS);
	assert_int_equal(n->fh->n_numbers, 1);
	assert_int_equal(udp_n_flows(n->udp), 1);
	for (unsigned i = 0; i < PEERS; i++) {
		struct endpoint from = peer(n, i);

		hear(n, 0, &from);
	}
	assert_int_equal(n->g.port->n_out, PEERS);
	assert_int_equal(n->fh->n_numbers, 1);
}

static void test_unanswered_flow_ends(void **state)
{
	struct fake_nat *n = *state;

	assert_true(UDP_NEW_IDLE_SECONDS >= 120); /* RFC 4787 REQ-5 */
	say(n, 5000, &n->far, "a");
	pass(n, UDP_NEW_IDLE_SECONDS - 1);
	say(n, 5000, &n->far, "a");
	lives(n, UDP_NEW_IDLE_SECONDS);
}

static void test_answered_flow_lives_longer(void **state)
{
	struct fake_nat *n = *state;

	say(n, 5000, &n->far, "a");
	pass(n, UDP_NEW_IDLE_SECONDS - 1);
	hear(n, 0, &n->far);
	pass(n, UDP_IDLE_SECONDS - 1);
	say(n, 5000, &n->far, "a");
	pass(n, UDP_IDLE_SECONDS - 1);
	hear(n, 0, &n->far); /* either way is use */
	lives(n, UDP_IDLE_SECONDS);
}

/* By them a mapping is neither refreshed (RFC 5508) nor ended (RFC 4787
 * REQ-12). */
static void test_errors_are_no_use(void **state)
{
	struct fake_nat *n = *state;
	const struct host_err e = {.err = ECONNREFUSED,
				   .origin = SO_EE_ORIGIN_ICMP,
				   .type = ICMP_UNREACHABLE,
				   .code = ICMP_U_PORT,
				   .dst = n->far,
				   .offender = n->far.ip};

	say(n, 5000, &n->far, "a");
	pass(n, UDP_NEW_IDLE_SECONDS - 1);
	assert_true(fake_error(n->fh, 0, &e));
	fake_host_run(n->fh);
	assert_int_equal(n->g.port->n_out, 1);
	assert_int_equal(n->fh->n_socks, 1);
	pass(n, 2);
	assert_int_equal(n->fh->n_socks, 0);
}

/* One name, two types, asked again and of another server. */
static void test_a_lookup_ends_soon(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint dns = name_server(n), other = dns;

	other.ip.b[15]++;
	for (unsigned i = 0; i < UDP_DNS_QUESTIONS; i++) {
		say(n, 5000, i % 2 ? &other : &dns, "a");
		hear(n, 0, &dns);
	}
	lives(n, UDP_DNS_IDLE_SECONDS);
}

static void test_what_goes_on_is_no_lookup(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint dns = name_server(n);

	for (unsigned i = 0; i < UDP_DNS_QUESTIONS + 1; i++)
		say(n, 5000, &dns, "a");
	lives(n, UDP_NEW_IDLE_SECONDS);
	for (unsigned i = 0; i < UDP_DNS_QUESTIONS + 1; i++)
		say(n, 5000, &dns, "a");
	hear(n, 1, &dns);
	lives(n, UDP_IDLE_SECONDS);
}

static void test_another_port_is_no_lookup(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint dns = name_server(n);

	say(n, 5000, &dns, "a");
	say(n, 5000, &n->far, "a");
	say(n, 5000, &dns, "a");
	lives(n, UDP_NEW_IDLE_SECONDS);
	say(n, 5000, &n->far, "a");
	say(n, 5000, &dns, "a");
	lives(n, UDP_NEW_IDLE_SECONDS);
}

static void test_no_socket(void **state)
{
	struct fake_nat *n = *state;

	fake_fail(n->fh, FAKE_OPEN, EMFILE, 1);
	say(n, 5000, &n->far, "a");
	assert_int_equal(n->drops.n[DROP_HOST_SOCKET], 1);
	assert_int_equal(udp_n_flows(n->udp), 0);
	say(n, 5000, &n->far, "a");
	assert_int_equal(n->fh->n_sent, 1);
}

static void test_table_full(void **state)
{
	struct fake_nat_config c = {.max_udp = 16, .port.name = "vm0"};
	struct fake_nat *n = fake_nat_new(&c);

	for (uint16_t i = 1; i <= 10; i++)
		say(n, i, &n->far, "a");
	assert_int_equal(udp_n_flows(n->udp), 8);
	assert_int_equal(n->drops.n[DROP_FLOW_TABLE_FULL], 2);
	fake_nat_free(n);
}

#define T4(f)                                                                  \
	cmocka_unit_test_setup_teardown(f, fake_nat_setup, fake_nat_teardown)
#define T6(f)                                                                  \
	{#f " over IPv6", f, fake_nat_setup6, fake_nat_teardown, NULL}
#define T(f) T4(f), T6(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_thousands_of_peers_are_one_socket),
		T(test_unanswered_flow_ends),
		T(test_answered_flow_lives_longer),
		T(test_errors_are_no_use),
		T(test_a_lookup_ends_soon),
		T(test_what_goes_on_is_no_lookup),
		T(test_another_port_is_no_lookup),
		T(test_no_socket),
		T(test_table_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
