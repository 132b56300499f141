/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs of datagrams that the host does not take. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat/fake_nat.h"
#include "nat/udp_priv.h"

static void test_refused_run_goes_singly(void **state)
{
	struct fake_nat *n = *state;

	fake_fail(n->fh, FAKE_SEND, EINVAL, 1);
	for (int i = 0; i < 3; i++)
		fake_guest_udp(&n->g, 5000, &n->far, "0123456789", 10);
	fake_guest_udp(&n->g, 5000, &n->far, "tail", 4);
	fake_guest_kick(&n->g);
	assert_int_equal(n->fh->n_sent, 4);
	assert_int_equal(fake_sent(n->fh, 0)->len, 10);
	assert_int_equal(fake_sent(n->fh, 3)->len, 4);
	/* and no more runs on this socket */
	fake_guest_udp(&n->g, 5000, &n->far, "0123456789", 10);
	fake_guest_udp(&n->g, 5000, &n->far, "0123456789", 10);
	fake_guest_kick(&n->g);
	assert_int_equal(n->fh->n_sent, 6);
	assert_int_equal(n->drops.n[DROP_UDP_SEND], 0);
}

/* An error that has nothing to do with the run is no reason to send no more
 * of them: what befell an earlier datagram, a network that is away. */
static void test_other_errors_leave_runs(void **state)
{
	static const int err[] = {ECONNREFUSED, ENETUNREACH};
	struct fake_nat *n = *state;

	for (unsigned i = 0; i < 2; i++) {
		fake_fail(n->fh, FAKE_SEND, err[i], i + 1);
		for (int k = 0; k < 3; k++)
			fake_guest_udp(&n->g, 5000, &n->far, "0123456789", 10);
		fake_guest_kick(&n->g);
	}
	assert_int_equal(n->fh->n_sent, 1); /* at the second try */
	assert_int_equal(fake_sent(n->fh, 0)->gso_size, 10);
	assert_int_equal(n->drops.n[DROP_UDP_SEND], 3);
	assert_int_equal(n->g.port->n_out, 1); /* it is told of those */
	fake_guest_udp(&n->g, 5000, &n->far, "0123456789", 10);
	fake_guest_udp(&n->g, 5000, &n->far, "0123456789", 10);
	fake_guest_kick(&n->g);
	assert_int_equal(n->fh->n_sent, 2);
	assert_int_equal(fake_sent(n->fh, 1)->gso_size, 10);
}

/* What does not go singly either was not refused for being a run: the host has
 * lost the address that a client of a forwarded port had asked. */
static void test_refused_whatever_its_form(void **state)
{
	struct fake_nat *n = *state;

	fake_fail(n->fh, FAKE_SEND, EINVAL, 4);
	for (int i = 0; i < 3; i++)
		fake_guest_udp(&n->g, 5000, &n->far, "0123456789", 10);
	fake_guest_kick(&n->g);
	assert_int_equal(n->fh->n_sent, 0);
	assert_int_equal(n->drops.n[DROP_UDP_SEND], 3);
	for (int i = 0; i < 2; i++)
		fake_guest_udp(&n->g, 5000, &n->far, "0123456789", 10);
	fake_guest_kick(&n->g);
	assert_int_equal(n->fh->n_sent, 1);
	assert_int_equal(fake_sent(n->fh, 0)->gso_size, 10);
}

static void test_slices(void **state)
{
	uint8_t b[30];
	const struct iovec from[] = {
		{.iov_base = b, .iov_len = 10},
		{.iov_base = b + 10, .iov_len = 5},
		{.iov_base = b + 15, .iov_len = 15},
	};
	struct iovec to[4] = {{.iov_base = NULL}};

	assert_int_equal(udp_slice(from, 3, 4, 13, to, 3), 3);
	assert_ptr_equal(to[0].iov_base, b + 4);
	assert_int_equal(to[0].iov_len, 6);
	assert_ptr_equal(to[1].iov_base, b + 10);
	assert_int_equal(to[1].iov_len, 5);
	assert_ptr_equal(to[2].iov_base, b + 15);
	assert_int_equal(to[2].iov_len, 2);
	assert_int_equal(udp_slice(from, 3, 10, 5, to, 1), 1);
	assert_ptr_equal(to[0].iov_base, b + 10);
	assert_int_equal(udp_slice(from, 3, 25, 100, to, 1), 1);
	assert_int_equal(to[0].iov_len, 5);
	assert_int_equal(udp_slice(from, 3, 30, 1, to, 1), 0);
	assert_int_equal(udp_slice(from, 3, 0, 0, to, 1), 0);
	/* too many, of which none is written behind the last */
	assert_int_equal(udp_slice(from, 3, 4, 13, to, 2), 3);
	assert_int_equal(udp_slice(from, 3, 0, 1, to, 0), 1);
	assert_null(to[3].iov_base);
}

#define T4(f)                                                                  \
	cmocka_unit_test_setup_teardown(f, fake_nat_setup, fake_nat_teardown)
#define T6(f)                                                                  \
	{#f " over IPv6", f, fake_nat_setup6, fake_nat_teardown, NULL}
#define T(f) T4(f), T6(f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_refused_run_goes_singly),
		T(test_other_errors_leave_runs),
		T(test_refused_whatever_its_form),
		cmocka_unit_test(test_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
