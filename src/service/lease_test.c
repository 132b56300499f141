/* SPDX-License-Identifier: BSD-3-Clause */
/* Who gets which address, and the table's own accounts under random use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/lease.h"

#define SECOND UINT64_C(1000000000)

static const addr none;

static struct lease_client client(uint32_t n, uint32_t sender)
{
	struct lease_client c = {.id_len = 5, .id = {1}};

	memcpy(c.id + 1, &n, sizeof(n));
	memcpy(c.mac.b + 2, &n, sizeof(n));
	memcpy(c.sender.b + 2, &sender, sizeof(sender));
	return c;
}

/* A pool of n addresses from 10.0.0.first on: to the end of a /24 or more. */
static struct lease_table *table(uint8_t len, uint32_t first)
{
	struct lease_table *t = malloc(sizeof(*t));
	struct prefix net = {.ip = addr_v4(10, 0, 0, 0), .len = len};
	struct lease_pool pool = {.first = addr_v4_u32(first)};

	assert_non_null(t);
	assert_int_equal(lease_table_init(t, &net, &pool), 0);
	/* No two of our senders share a place by chance. */
	t->key = (struct hash_key){.k0 = 1};
	return t;
}

static void table_free(struct lease_table *t)
{
	lease_table_deinit(t);
	free(t);
}

/* The last byte of the address the client was offered, -1: none. */
static int offer(struct lease_table *t, struct lease_client c, addr want,
		 uint64_t end_ns)
{
	struct lease *l = lease_offer(t, &c, &want, end_ns);

	return l ? l->ip.b[15] : -1;
}

static int bind(struct lease_table *t, struct lease_client c, uint64_t end_ns)
{
	struct lease *l = lease_offer(t, &c, &none, end_ns);

	if (!l)
		return -1;
	lease_bind(t, l, end_ns);
	return l->ip.b[15];
}

static void test_pool_ends_before_the_broadcast(void **state)
{
	struct lease_table *t = table(120, 0x0a00000f);
	addr last = addr_v4(10, 0, 0, 254), after = addr_v4(10, 0, 0, 255),
	     before = addr_v4(10, 0, 0, 14);

	assert_int_equal(t->n, 240);
	assert_non_null(lease_at(t, &last));
	assert_null(lease_at(t, &after));
	assert_null(lease_at(t, &before));
	assert_null(lease_at(t, &none));
	table_free(t);
	t = table(104, 0x0a000001); /* a /8 */
	assert_int_equal(t->n, LEASE_MAX);
	table_free(t);
	t = table(120, 0x0a0000ff);
	assert_int_equal(t->n, 0);
	assert_int_equal(offer(t, client(1, 1), none, SECOND), -1);
	table_free(t);
}

static void test_lowest_first_and_reserved_never(void **state)
{
	struct lease_table *t = table(125, 0x0a000001); /* .1 to .6 */
	addr ours = addr_v4(10, 0, 0, 2);

	lease_reserve(t, &ours);
	assert_int_equal(offer(t, client(1, 1), none, SECOND), 1);
	assert_int_equal(offer(t, client(2, 2), none, SECOND), 3);
	assert_int_equal(offer(t, client(3, 3), ours, SECOND), 4);
	table_free(t);
}

static void test_wanted_address_if_free(void **state)
{
	struct lease_table *t = table(120, 0x0a000001);
	addr want = addr_v4(10, 0, 0, 77);

	assert_int_equal(offer(t, client(1, 1), want, SECOND), 77);
	assert_int_equal(offer(t, client(2, 2), want, SECOND), 1);
	/* who holds one keeps it whatever else it wishes */
	assert_int_equal(offer(t, client(2, 2), addr_v4(10, 0, 0, 9), SECOND),
			 1);
	table_free(t);
}

static void test_a_client_returns_to_its_address(void **state)
{
	struct lease_table *t = table(125, 0x0a000001);
	struct lease_client c = client(3, 3);

	assert_int_equal(bind(t, client(1, 1), 10 * SECOND), 1);
	assert_int_equal(bind(t, client(2, 2), 10 * SECOND), 2);
	assert_int_equal(bind(t, c, 10 * SECOND), 3);
	lease_expire(t, 10 * SECOND);
	assert_int_equal(t->n_bound, 0);
	assert_int_equal(lease_find(t, &c)->state, LEASE_FREE);
	assert_int_equal(bind(t, c, 20 * SECOND), 3);
	lease_release(t, lease_find(t, &c));
	assert_int_equal(bind(t, c, 20 * SECOND), 3);
	table_free(t);
}

static void test_reuse_order(void **state)
{
	struct lease_table *t = table(126, 0x0a000000); /* .0 .1 .2 */

	assert_int_equal(bind(t, client(1, 1), 30 * SECOND), 0);
	assert_int_equal(bind(t, client(2, 2), 20 * SECOND), 1);
	assert_int_equal(offer(t, client(3, 3), none, 25 * SECOND), 2);
	assert_int_equal(offer(t, client(4, 4), none, 99 * SECOND), -1);
	lease_expire(t, 30 * SECOND);
	/* what was only offered, then the lease that ended first */
	assert_int_equal(offer(t, client(4, 4), none, 99 * SECOND), 2);
	assert_int_equal(offer(t, client(5, 5), none, 99 * SECOND), 1);
	assert_int_equal(offer(t, client(6, 6), none, 99 * SECOND), 0);
	assert_int_equal(offer(t, client(7, 7), none, 99 * SECOND), -1);
	table_free(t);
}

static void test_a_client_has_one_address(void **state)
{
	struct lease_table *t = table(120, 0x0a000001);
	struct lease_client c = client(1, 1);
	struct lease *l = lease_offer(t, &c, &none, SECOND);

	lease_bind(t, l, SECOND);
	lease_release(t, l);
	assert_int_equal(offer(t, c, addr_v4(10, 0, 0, 9), SECOND), 9);
	assert_int_equal(lease_find(t, &c)->ip.b[15], 9);
	/* the old one belongs to nobody */
	assert_int_equal(offer(t, client(2, 2), addr_v4(10, 0, 0, 1), SECOND),
			 1);
	table_free(t);
}

static void test_rested_is_nobodys(void **state)
{
	struct lease_table *t = table(126, 0x0a000000);
	struct lease_client c = client(1, 1);

	assert_int_equal(bind(t, c, 10 * SECOND), 0);
	lease_rest(t, lease_find(t, &c), 5 * SECOND);
	assert_false(lease_is_free_for(lease_find(t, &c), &c));
	assert_int_equal(t->n_bound, 0);
	assert_int_equal(offer(t, c, addr_v4(10, 0, 0, 0), 9 * SECOND), 1);
	assert_int_equal(offer(t, client(2, 2), none, 9 * SECOND), 2);
	assert_int_equal(offer(t, client(3, 3), none, 9 * SECOND), -1);
	lease_expire(t, 5 * SECOND);
	assert_int_equal(offer(t, client(3, 3), none, 9 * SECOND), 0);
	table_free(t);
}

static void test_a_sender_cannot_take_the_pool(void **state)
{
	struct lease_table *t = table(120, 0x0a000001);
	unsigned n = 0;

	for (uint32_t i = 0; i < 200; i++)
		n += offer(t, client(i, 7), none, 10 * SECOND) >= 0;
	assert_int_equal(n, LEASE_PER_SENDER);
	assert_true(offer(t, client(1000, 8), none, 10 * SECOND) >= 0);
	/* what it has it may keep */
	assert_int_equal(bind(t, client(3, 7), 20 * SECOND), 4);
	/* the offers end: it may go on, to the same bound */
	lease_expire(t, 10 * SECOND);
	n = 0;
	for (uint32_t i = 300; i < 500; i++)
		n += offer(t, client(i, 7), none, 20 * SECOND) >= 0;
	assert_int_equal(n, LEASE_PER_SENDER - 1);
	table_free(t);
}

/* As PXE firmware, installer and system of one machine do. */
static void test_a_machine_of_many_identifiers(void **state)
{
	struct lease_table *t = table(120, 0x0a000001);
	struct lease_client c = client(0, 7);

	for (uint32_t i = 0; i < 500; i++) {
		memcpy(c.id, &i, sizeof(i));
		c.id_len = sizeof(i);
		assert_true(bind(t, c, 20 * SECOND) >= 0);
	}
	assert_int_equal(t->n_bound, LEASE_PER_SENDER);
	/* what others declined is not taken back by it */
	for (uint32_t i = 500; i < 600; i++) {
		memcpy(c.id, &i, sizeof(i));
		if (offer(t, c, none, 30 * SECOND) < 0)
			break;
		lease_rest(t, lease_find(t, &c), 600 * SECOND);
	}
	assert_int_equal(offer(t, c, none, 30 * SECOND), -1);
	table_free(t);
}

static void test_declined_counts_too(void **state)
{
	struct lease_table *t = table(120, 0x0a000001);
	struct lease_client c = client(1, 7);
	unsigned n = 0;

	for (; n < 200 && offer(t, c, none, SECOND) >= 0; n++)
		lease_rest(t, lease_find(t, &c), 600 * SECOND);
	assert_int_equal(n, LEASE_PER_SENDER);
	table_free(t);
}

/* --- random use against what must always hold --- */

static uint32_t rnd(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void check(struct lease_table *t)
{
	unsigned n_bound = 0, n_held = 0, n_counted = 0, n_listed = 0;
	unsigned n_shared = 0;

	for (unsigned i = 0; i < t->n; i++) {
		struct lease *l = &t->lease[i];

		n_bound += l->state == LEASE_BOUND;
		n_held += l->state != LEASE_FREE;
		if (l->was_used && l->client.id_len)
			assert_ptr_equal(lease_find(t, &l->client), l);
	}
	for (unsigned i = 0; i < LEASE_BUCKETS; i++) {
		n_counted += t->n_sender[i];
		list_each(it, &t->of_sender[i])
			n_shared++;
	}
	for (unsigned i = LEASE_OFFERED; i < LEASE_STATES; i++) {
		uint64_t last = 0;

		list_each(it, &t->by_state[i]) {
			struct lease *l = container_of(it, struct lease, order);

			assert_int_equal(l->state, i);
			assert_true(l->end_ns >= last);
			last = l->end_ns;
			n_listed++;
		}
	}
	assert_int_equal(n_bound, t->n_bound);
	assert_int_equal(n_held, n_counted);
	assert_int_equal(n_held, n_listed);
	assert_int_equal(n_held, n_shared);
}

static void test_random_use(void **state)
{
	struct lease_table *t = table(122, 0x0a000005);
	uint32_t seed = 1;
	uint64_t now = SECOND;

	for (unsigned i = 0; i < 5000; i++) {
		struct lease_client c =
			client(rnd(&seed) % 90, rnd(&seed) % 9);
		addr want = addr_v4(10, 0, 0, (uint8_t)(rnd(&seed) % 70));
		uint64_t end = now + (1 + rnd(&seed) % 60) * SECOND;
		struct lease *l;

		now += rnd(&seed) % SECOND;
		lease_expire(t, now);
		l = lease_find(t, &c);
		switch (rnd(&seed) % 5) {
		case 0:
		case 1:
			l = lease_offer(t, &c, rnd(&seed) % 2 ? &want : &none,
					end);
			if (l)
				assert_ptr_equal(lease_find(t, &c), l);
			break;
		case 2:
			l = lease_offer(t, &c, &none, end);
			if (l)
				lease_bind(t, l, end);
			break;
		case 3:
			if (l)
				lease_release(t, l);
			break;
		case 4:
			if (l && l->state != LEASE_FREE)
				lease_rest(t, l, end);
			break;
		}
		if (i % 16 == 0)
			check(t);
	}
	table_free(t);
}

static addr last_byte(uint8_t n)
{
	return addr_v4(10, 0, 0, n);
}

/* Of addresses 15 to 17, which are kept, 16 is for client b's MAC. */
static void test_kept_addresses(void **state)
{
	struct lease_table *t = table(96 + 24, 0x0a00000f);
	struct lease_client a = client(1, 1), b = client(2, 2), again = b;
	addr sixteen = last_byte(16), forty = last_byte(40);

	again.id[0] = 2; /* its firmware names itself otherwise */
	lease_keep_first(t, 3);
	assert_int_equal(offer(t, b, last_byte(15), SECOND), 18);
	lease_keep_for(t, &sixteen, b.mac);
	assert_int_equal(offer(t, a, sixteen, SECOND), 19);
	assert_int_equal(offer(t, a, last_byte(17), SECOND), 19);
	assert_int_equal(bind(t, b, 100 * SECOND), 16);
	assert_int_equal(offer(t, b, last_byte(40), SECOND), 16);
	assert_false(lease_may_have(t, lease_at(t, &forty), &b));
	assert_true(lease_may_have(t, lease_at(t, &sixteen), &b));
	assert_int_equal(bind(t, again, 100 * SECOND), 16);
	assert_int_equal(t->n_bound, 1);
	/* It has gone, and another machine comes in its place. */
	lease_keep_for(t, &sixteen, (mac){0});
	assert_int_equal(t->n_bound, 1); /* its lease runs out */
	assert_int_not_equal(offer(t, b, sixteen, SECOND), 16);
	lease_keep_for(t, &sixteen, a.mac);
	assert_int_equal(bind(t, a, 100 * SECOND), 16);
	lease_expire(t, 101 * SECOND);
	assert_int_equal(offer(t, client(3, 3), sixteen, SECOND), 21);
	assert_int_equal(bind(t, a, 200 * SECOND), 16);
	table_free(t);
}

static void count_news(void *arg, bool is_urgent)
{
	unsigned *n = arg;

	n[is_urgent]++;
}

/* What one table tells another is given by a second one. */
static void test_news_and_restoring(void **state)
{
	struct lease_table *t = table(120, 0x0a00000a), *u;
	struct lease_client a = client(1, 1), b = client(2, 2);
	unsigned n[2] = {0, 0};
	struct lease was, *l;

	t->on_news = count_news;
	t->news_arg = n;
	assert_int_equal(offer(t, a, none, SECOND), 10);
	assert_null(lease_news_take(t));
	assert_int_equal(bind(t, a, 10 * SECOND), 10);
	assert_int_equal(bind(t, b, 10 * SECOND), 11);
	assert_int_equal(n[1], 2);
	assert_int_equal(bind(t, a, 20 * SECOND), 10); /* renewed */
	assert_int_equal(n[0], 1);
	lease_release(t, lease_find(t, &b));
	assert_int_equal(n[1], 3);

	u = table(120, 0x0a00000a);
	while ((l = lease_news_take(t))) {
		was = *l;
		assert_true(lease_restore(u, &was));
		assert_false(lease_restore(u, &was)); /* once */
	}
	assert_null(lease_news_take(u));
	assert_int_equal(u->n_bound, 1);
	assert_int_equal(lease_find(u, &a)->end_ns, 20 * SECOND);
	/* b is first of all given what it had */
	assert_int_equal(offer(u, client(3, 3), none, SECOND), 12);
	assert_int_equal(offer(u, b, none, SECOND), 11);
	lease_news_return(t, lease_find(t, &a));
	assert_ptr_equal(lease_news_take(t), lease_find(t, &a));
	table_free(t);
	table_free(u);
}

/* A rule is later than a lease of before. */
static void test_a_rule_beats_what_is_restored(void **state)
{
	struct lease_table *t = table(120, 0x0a00000a);
	struct lease_client a = client(1, 1), b = client(2, 2);
	addr ten = last_byte(10);
	struct lease was = {
		.ip = ten, .state = LEASE_BOUND, .end_ns = 9 * SECOND};

	assert_true(lease_set_rule(t, 1, &ten));
	assert_false(lease_set_rule(t, 2, &ten));
	was.client = a;
	assert_false(lease_restore(t, &was));
	a.rule = 1;
	was.client = a;
	was.ip = last_byte(12); /* not its own any more */
	assert_false(lease_restore(t, &was));
	was.ip = ten;
	assert_true(lease_restore(t, &was));
	assert_false(lease_may_have(t, lease_at(t, &ten), &b));
	assert_int_equal(bind(t, a, 10 * SECOND), 10);
	assert_int_equal(bind(t, b, 10 * SECOND), 11);
	table_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pool_ends_before_the_broadcast),
		cmocka_unit_test(test_lowest_first_and_reserved_never),
		cmocka_unit_test(test_wanted_address_if_free),
		cmocka_unit_test(test_a_client_returns_to_its_address),
		cmocka_unit_test(test_reuse_order),
		cmocka_unit_test(test_a_client_has_one_address),
		cmocka_unit_test(test_rested_is_nobodys),
		cmocka_unit_test(test_a_sender_cannot_take_the_pool),
		cmocka_unit_test(test_a_machine_of_many_identifiers),
		cmocka_unit_test(test_declined_counts_too),
		cmocka_unit_test(test_kept_addresses),
		cmocka_unit_test(test_news_and_restoring),
		cmocka_unit_test(test_a_rule_beats_what_is_restored),
		cmocka_unit_test(test_random_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
