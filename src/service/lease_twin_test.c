/* SPDX-License-Identifier: BSD-3-Clause */
/* Two families, one pool: a machine has one place in both. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/lease.h"

#define SECOND UINT64_C(1000000000)

enum { DUID_LEN = 5 };

static const addr none;

/* 10.0.0.0/24 from .15 on, and fd00::/64. */
struct pool {
	struct lease_table v4, v6;
};

static int setup(void **state)
{
	struct pool *p = malloc(sizeof(*p));
	const struct prefix net4 = {.ip = addr_v4(10, 0, 0, 0), .len = 120};
	const struct prefix net6 = {.ip = {{0xfd}}, .len = 64};
	const struct lease_pool pool = {.first = addr_v4(10, 0, 0, 15)};

	assert_non_null(p);
	assert_int_equal(lease_table_init(&p->v4, &net4, &pool), 0);
	lease_keep_first(&p->v4, 2);
	assert_int_equal(lease_table_twin(&p->v6, &p->v4, &net4, &net6), 0);
	*state = p;
	return 0;
}

static int teardown(void **state)
{
	struct pool *p = *state;

	lease_table_deinit(&p->v4);
	lease_table_deinit(&p->v6);
	free(p);
	return 0;
}

/* The DHCPv4 client of the machine with this MAC. */
static struct lease_client client4(uint8_t m)
{
	struct lease_client c = {.id = {1, m}, .id_len = 2};

	c.mac.b[5] = c.sender.b[5] = m;
	return c;
}

static struct lease_client client6(uint8_t m, uint8_t duid, uint8_t iaid)
{
	struct lease_client c = {
		.id = {0, 3, duid, duid, duid, 0, 0, 0, iaid},
		.id_len = DUID_LEN + 4,
		.n_part = 4,
	};

	c.mac.b[5] = c.sender.b[5] = m;
	return c;
}

/* The place's number, -1: none. */
static int bind(struct lease_table *t, struct lease_client c, addr want,
		uint64_t end_ns)
{
	struct lease *l;

	want = lease_wish(t, &c, &want);
	l = lease_offer(t, &c, &want, end_ns);
	if (!l)
		return -1;
	lease_bind(t, l, end_ns);
	assert_ptr_equal(lease_at(t, &l->ip), l);
	return l->ip.b[15];
}

static addr ip6(uint8_t n)
{
	return (addr){{0xfd, [15] = n}};
}

static void test_one_number_for_both(void **state)
{
	struct pool *p = *state;

	assert_int_equal(bind(&p->v4, client4(1), none, SECOND), 17);
	assert_int_equal(bind(&p->v6, client6(2, 2, 0), none, SECOND), 18);
	assert_int_equal(bind(&p->v6, client6(1, 1, 0), none, SECOND), 17);
	assert_int_equal(bind(&p->v4, client4(2), none, SECOND), 18);
	/* whatever they would rather have */
	assert_int_equal(bind(&p->v4, client4(3), none, SECOND), 19);
	assert_int_equal(bind(&p->v6, client6(3, 3, 0), ip6(40), SECOND), 19);
	assert_int_equal(bind(&p->v6, client6(4, 4, 0), ip6(40), SECOND), 40);
	assert_int_equal(
		bind(&p->v4, client4(4), addr_v4(10, 0, 0, 77), SECOND), 40);
	assert_int_equal(p->v4.n_bound, 4);
	assert_int_equal(p->v6.n_bound, 4);
}

static void test_nobody_gets_anothers_twin(void **state)
{
	struct pool *p = *state;
	struct lease_client c = client6(2, 2, 0);
	addr ip = ip6(17);

	assert_int_equal(bind(&p->v4, client4(1), none, SECOND), 17);
	assert_false(lease_may_have(&p->v6, lease_at(&p->v6, &ip), &c));
	assert_int_equal(bind(&p->v6, c, ip, 9 * SECOND), 18);
	/* its time over, the place is anybody's, but the last to be chosen */
	lease_expire(&p->v6, 2 * SECOND);
	assert_int_equal(p->v4.n_bound, 0);
	assert_true(lease_may_have(&p->v6, lease_at(&p->v6, &ip), &c));
	assert_int_equal(bind(&p->v6, client6(3, 3, 0), none, 9 * SECOND), 19);
}

static void test_the_pool_is_used_up_in_both(void **state)
{
	struct pool *p = *state;
	unsigned n = 0;

	/* .17 to .254: half of it by either family */
	for (uint8_t m = 1; m < 120; m++)
		n += bind(&p->v4, client4(m), none, SECOND) >= 0;
	for (uint8_t m = 120; m < 250; m++)
		n += bind(&p->v6, client6(m, m, 0), none, 2 * SECOND) >= 0;
	assert_int_equal(n, 238);
	/* who is there has its twin all the same */
	assert_int_equal(bind(&p->v6, client6(1, 1, 0), none, SECOND), 17);
	lease_expire(&p->v6, SECOND);
	assert_int_not_equal(bind(&p->v6, client6(250, 250, 0), none, SECOND),
			     -1);
}

static void test_several_ias(void **state)
{
	struct pool *p = *state;
	addr kept = ip6(16);

	assert_int_equal(bind(&p->v4, client4(1), none, SECOND), 17);
	assert_int_equal(bind(&p->v6, client6(1, 1, 0), none, SECOND), 17);
	assert_int_equal(bind(&p->v6, client6(1, 1, 1), none, SECOND), 18);
	assert_int_equal(bind(&p->v6, client6(1, 1, 0), none, SECOND), 17);
	/* with a kept address no different */
	lease_keep_for(&p->v6, &kept, client6(2, 2, 0).mac);
	assert_int_equal(bind(&p->v6, client6(2, 2, 0), none, SECOND), 16);
	assert_int_equal(bind(&p->v6, client6(2, 2, 1), none, SECOND), 19);
	assert_int_equal(bind(&p->v6, client6(2, 2, 0), none, SECOND), 16);
	assert_int_equal(p->v6.n_bound, 4);
}

static void test_a_new_name_of_the_same_machine(void **state)
{
	struct pool *p = *state;
	struct lease_client old = client6(1, 7, 0);

	assert_int_equal(bind(&p->v6, client6(1, 7, 0), none, SECOND), 17);
	assert_int_equal(bind(&p->v6, client6(1, 8, 0), none, SECOND), 17);
	assert_null(lease_find(&p->v6, &old));
	assert_int_equal(p->v6.n_bound, 1);
	assert_int_equal(bind(&p->v4, client4(1), none, SECOND), 17);
	assert_int_equal(bind(&p->v6, client6(1, 9, 0), none, SECOND), 17);
	/* another machine does not get it by a name */
	assert_int_equal(bind(&p->v6, client6(2, 7, 0), none, SECOND), 18);
	/* a place somebody else uses is not inherited */
	lease_rest(&p->v6, p->v4.lease[2].twin, 600 * SECOND);
	assert_int_equal(bind(&p->v6, client6(1, 8, 0), none, SECOND), 19);
}

static void test_declined_by_one_family(void **state)
{
	struct pool *p = *state;
	struct lease_client c = client6(1, 1, 0);

	assert_int_equal(bind(&p->v4, client4(1), none, 9 * SECOND), 17);
	assert_int_equal(bind(&p->v6, c, none, 9 * SECOND), 17);
	lease_rest(&p->v6, lease_find(&p->v6, &c), 5 * SECOND);
	assert_int_equal(p->v4.n_bound, 1);
	assert_int_equal(bind(&p->v6, c, none, 9 * SECOND), 18);
	assert_int_equal(bind(&p->v4, client4(1), none, 9 * SECOND), 17);
	/* released by one it stays the machine's by the other */
	lease_release(&p->v6, lease_find(&p->v6, &c));
	assert_int_equal(p->v4.n_bound, 1);
	assert_int_equal(bind(&p->v6, client6(2, 2, 0), none, SECOND), 19);
}

static void test_kept_for_both(void **state)
{
	struct pool *p = *state;
	addr fifteen = addr_v4(10, 0, 0, 15);

	assert_int_equal(bind(&p->v6, client6(1, 1, 0), ip6(15), SECOND), 17);
	lease_keep_for(&p->v4, &fifteen, client4(2).mac);
	assert_int_equal(bind(&p->v6, client6(2, 2, 0), none, SECOND), 15);
	assert_int_equal(bind(&p->v4, client4(2), none, SECOND), 15);
	/* the next to have it takes both */
	lease_keep_for(&p->v4, &fifteen, client4(3).mac);
	assert_int_equal(p->v6.n_bound, 1);
	assert_int_equal(p->v4.n_bound, 0);
	assert_int_equal(bind(&p->v6, client6(3, 3, 0), none, SECOND), 15);
	assert_int_equal(bind(&p->v6, client6(2, 2, 0), none, SECOND), 18);
}

static void test_reserved(void **state)
{
	struct pool *p = *state;
	addr a = addr_v4(10, 0, 0, 17), b = ip6(18);

	lease_reserve(&p->v4, &a);
	lease_reserve(&p->v6, &b);
	assert_int_equal(bind(&p->v4, client4(1), none, SECOND), 18);
	assert_int_equal(bind(&p->v6, client6(1, 1, 0), none, SECOND), 19);
}

static void test_a_prefix_too_long(void **state)
{
	struct pool *p = *state;
	const struct prefix net4 = {.ip = addr_v4(10, 0, 0, 0), .len = 120};
	const struct prefix net6 = {.ip = {{0xfd, [15] = 0x20}}, .len = 123};
	struct lease_client c = client6(1, 1, 0);
	unsigned n = 0;

	lease_table_deinit(&p->v6);
	assert_int_equal(lease_table_twin(&p->v6, &p->v4, &net4, &net6), 0);
	assert_int_equal(bind(&p->v6, c, none, SECOND), 0x31);
	for (uint8_t m = 2; m < 40; m++)
		n += bind(&p->v6, client6(m, m, 0), none, SECOND) >= 0;
	assert_int_equal(n, 14);
	assert_int_equal(bind(&p->v4, client4(39), none, SECOND), 32);
	assert_int_equal(bind(&p->v6, client6(39, 39, 0), none, SECOND), -1);
}

/* A machine with MAC n behind a port of the lan. */
static bool has(struct lease_table *t, uint16_t n, uint32_t port)
{
	struct lease_client c = {.id = {1, (uint8_t)(n >> 8), (uint8_t)n},
				 .id_len = 3,
				 .port = port};

	memcpy(c.mac.b, c.id, c.id_len);
	c.sender = c.mac;
	return bind(t, c, none, SECOND) >= 0;
}

/* A machine has as many MACs as it likes, and one port; it may take other
 * places by each family. */
static void test_a_port_cannot_take_the_pool(void **state)
{
	enum { EVIL = 5, OTHER = 6, POOL = 238 };
	struct pool *p = *state;
	unsigned n = 0, n6 = 0, n_other = 0;

	for (uint16_t i = 0; i < 400; i++)
		n += has(&p->v4, i, EVIL);
	assert_in_range(n, POOL / 4 * 3, POOL / 4 * 3 + 3);
	for (uint16_t i = 1000; i < 1400; i++)
		n6 += has(&p->v6, i, EVIL);
	assert_int_equal(n6, 0);
	/* its machines get their places in the other family all the same */
	assert_true(has(&p->v6, 7, EVIL));
	for (uint16_t i = 2000; i < 2400; i++) {
		bool is_in = has(&p->v4, i, OTHER + i);

		assert_int_equal(has(&p->v6, i, OTHER + i), is_in);
		n_other += is_in;
	}
	assert_in_range(n_other, POOL / 4 - 3, POOL / 4);
	/* what ended is anybody's */
	lease_expire(&p->v4, SECOND);
	assert_true(has(&p->v4, 3000, EVIL));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_one_number_for_both),
		T(test_nobody_gets_anothers_twin),
		T(test_the_pool_is_used_up_in_both),
		T(test_several_ias),
		T(test_a_new_name_of_the_same_machine),
		T(test_declined_by_one_family),
		T(test_kept_for_both),
		T(test_reserved),
		T(test_a_prefix_too_long),
		T(test_a_port_cannot_take_the_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
