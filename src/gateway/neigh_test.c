/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is remembered where a machine has more addresses than there is room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/neigh.h"

enum { GUESTS = 200, MANY = 100000, EVIL = 1 };

static const mac evil = {{0x52, 0x54, 0, 0, 6, 6}};

static mac mac_of(uint32_t i)
{
	return (mac){{0x52, 0x54, 0, 1, (uint8_t)(i >> 8), (uint8_t)i}};
}

static addr ip_of(uint32_t i)
{
	return (addr){{0xfd, [11] = 1, [12] = (uint8_t)(i >> 24),
		       (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
}

static addr evil_ip(uint32_t i)
{
	addr a = ip_of(i);

	a.b[11] = 2;
	return a;
}

static bool is_known(struct neigh *n, addr ip, mac m)
{
	mac found;

	return neigh_known(n, &ip, &found) && mac_eq(found, m);
}

static unsigned n_known(struct neigh *n)
{
	unsigned k = 0;

	for (uint32_t i = 0; i < GUESTS; i++)
		k += is_known(n, ip_of(i), mac_of(i));
	return k;
}

static void flood(struct neigh *n, uint64_t now_ns)
{
	for (uint32_t i = 0; i < MANY; i++) {
		addr a = evil_ip(i);

		neigh_learn(n, &a, evil, EVIL, now_ns + i);
	}
}

static struct neigh *fresh(void)
{
	struct neigh *n = malloc(sizeof(*n));

	assert_non_null(n);
	neigh_init(n);
	/* One of those under which the guests do not fill a set: of 200 keys
	 * that are drawn one makes nine of them meet, and one forgotten. */
	n->key = (struct hash_key){.k0 = 1};
	return n;
}

static void guests(struct neigh *n, uint64_t now_ns)
{
	for (uint32_t i = 0; i < GUESTS; i++) {
		addr a = ip_of(i);

		neigh_learn(n, &a, mac_of(i), EVIL + 1 + i, now_ns);
	}
}

/* Of those who were there first, and of those who come later. */
static void test_a_machine_of_many_addresses(void **state)
{
	struct neigh *n = fresh();

	(void)state;
	guests(n, 1);
	assert_int_equal(n_known(n), GUESTS);
	flood(n, 2);
	assert_in_range(n_known(n), GUESTS - 2, GUESTS);
	free(n);
	n = fresh();
	flood(n, 1);
	guests(n, 2 + MANY);
	assert_in_range(n_known(n), GUESTS - 2, GUESTS);
	assert_true(is_known(n, evil_ip(MANY - 1), evil));
	free(n);
}

/* One port is all there is: what spoke last is known. */
static void test_alone(void **state)
{
	struct neigh *n = fresh();
	unsigned k = 0;

	(void)state;
	flood(n, 1);
	for (uint32_t i = MANY - 200; i < MANY; i++)
		k += is_known(n, evil_ip(i), evil);
	assert_in_range(k, 198, 200);
	free(n);
}

static void test_who_moves(void **state)
{
	struct neigh *n = fresh();
	const addr a = ip_of(0);

	(void)state;
	assert_false(is_known(n, a, mac_of(0)));
	neigh_learn(n, &a, mac_of(0), 2, 1);
	neigh_learn(n, &a, mac_of(1), 3, 2);
	assert_true(is_known(n, a, mac_of(1)));
	neigh_learn(n, &a, MAC_BROADCAST, 3, 3);
	neigh_learn(n, &a, (mac){{0}}, 3, 3);
	assert_true(is_known(n, a, mac_of(1)));
	free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_machine_of_many_addresses),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_who_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
