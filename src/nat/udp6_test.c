/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP: what of it is IPv6's alone.  All else is tested for both families by
 * the tests of its own. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "nat/fake_nat.h"

static void say(struct fake_nat *n, uint16_t sport, const struct endpoint *dst,
		const char *text)
{
	fake_guest_udp(&n->g, sport, dst, text, (uint32_t)strlen(text));
	fake_guest_kick(&n->g);
}

static void hear(struct fake_nat *n, unsigned sock, const struct endpoint *from,
		 const void *data, size_t len)
{
	assert_true(fake_deliver(n->fh, sock, from, data, len));
	fake_host_run(n->fh);
}

/* A socket of IPv6 hears IPv4: nobody there was asked, or has a name. */
static void test_the_other_family_is_not_let_in(void **state)
{
	struct fake_nat *n = *state;
	struct endpoint v4 = fake_ep(192, 0, 2, 1, 9);

	say(n, 5000, &n->far, "a");
	hear(n, 0, &v4, "short", 5);
	assert_int_equal(n->drops.n[DROP_IP_SOURCE], 1);
	assert_int_equal(n->g.port->n_out, 0);
	hear(n, 0, &n->far, "b", 1);
	assert_int_equal(n->g.port->n_out, 1);
}

static void test_a_host_without_the_family(void **state)
{
	struct fake_nat *n = *state;

	fake_fail(n->fh, FAKE_OPEN, EAFNOSUPPORT, 1);
	say(n, 5000, &n->far, "a");
	assert_int_equal(n->fh->n_sent, 1);
	assert_false(fake_is_v6(n->fh, 0));
}

/* What fits every path is not worth a call; what was whole may not be
 * fragmented, what was not may. */
static void test_longer_than_every_path_takes(void **state)
{
	struct fake_nat *n = *state;
	uint8_t big[1233] = {0};

	fake_guest_udp(&n->g, 5000, &n->far, big, 1232);
	fake_guest_kick(&n->g);
	assert_int_equal(fake_sent(n->fh, 0)->df, -1);
	fake_guest_udp(&n->g, 5000, &n->far, big, 1233);
	fake_guest_kick(&n->g);
	assert_int_equal(fake_sent(n->fh, 1)->df, 1);
}

/* However many addresses it sends from, it is one machine. */
static void test_many_addresses_are_one_guest(void **state)
{
	const struct fake_nat_config c = {.port.name = "vm0",
					  .max_udp = 16, .max_icmp = 16,
					  .is_v6 = true};
	struct fake_nat *n = fake_nat_new(&c);

	(void)state;
	for (uint8_t i = 0; i < 16; i++) {
		n->g.ip.b[9] = i;
		say(n, 5000, &n->far, "a");
		fake_guest_echo(&n->g, n->far.ip, 1, 1, "b", 1);
		fake_guest_kick(&n->g);
	}
	assert_int_equal(udp_n_flows(n->udp), 12);
	assert_int_equal(icmp_n_flows(n->icmp), 12);
	assert_int_equal(n->drops.n[DROP_FLOW_TABLE_FULL], 8);
	fake_nat_free(n);
}

#define T(f)                                                                   \
	cmocka_unit_test_setup_teardown(f, fake_nat_setup6, fake_nat_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_the_other_family_is_not_let_in),
		T(test_a_host_without_the_family),
		T(test_longer_than_every_path_takes),
		cmocka_unit_test(test_many_addresses_are_one_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
