/* SPDX-License-Identifier: BSD-3-Clause */
/* The flow table against a plain list, its quota, and the address mapping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "nat/env.h"
#include "nat/fake_guest.h"
#include "nat/flow.h"

enum { N_KEYS = 300, N_STEPS = 20000 };

static uint32_t next_random(uint32_t *s)
{
	*s = *s * 1664525 + 1013904223;
	return *s >> 8;
}

static void key_make(unsigned i, struct flow *f)
{
	f->guest = fake_ep(10, 0, 2, (uint8_t)(i % 7), (uint16_t)(i % 11));
	f->remote = fake_ep(192, 0, 2, (uint8_t)(i / 7), (uint16_t)(i % 13));
	f->proto = i % 2 ? 6 : 17;
}

static struct flow_key key_of(const struct flow *f)
{
	return (struct flow_key){
		.guest = f->guest, .remote = f->remote, .proto = f->proto};
}

static void test_table_agrees_with_a_list(void **state)
{
	struct flow *flows = calloc(N_KEYS, sizeof(*flows));
	bool *in = calloc(N_KEYS, sizeof(*in));
	struct flow_table t;
	uint32_t seed = 1;
	unsigned n = 0;

	assert_int_equal(flow_table_init(&t, 4096), 0);
	for (unsigned i = 0; i < N_KEYS; i++)
		key_make(i, &flows[i]);
	for (unsigned s = 0; s < N_STEPS; s++) {
		unsigned i = next_random(&seed) % N_KEYS;
		struct flow_key k = key_of(&flows[i]);

		assert_ptr_equal(flow_find(&t, &k), in[i] ? &flows[i] : NULL);
		if (next_random(&seed) % 2)
			continue;
		if (in[i])
			flow_del(&t, &flows[i]);
		else
			assert_true(flow_add(&t, &flows[i], 0));
		in[i] = !in[i];
		n = in[i] ? n + 1 : n - 1;
		assert_int_equal(t.n, n);
	}
	flow_table_deinit(&t);
	free(flows);
	free(in);
}

struct walk {
	const struct flow *flows;
	unsigned n_seen[N_KEYS];
	unsigned n;
};

static void note(void *arg, const struct flow *f)
{
	struct walk *w = arg;

	w->n_seen[f - w->flows]++;
	w->n++;
}

/* A part at a time, while others come and go: who stays is seen once. */
static void test_walk(void **state)
{
	struct flow *flows = calloc(N_KEYS, sizeof(*flows));
	struct walk w = {.flows = flows};
	struct flow_table t;
	uint32_t at = 0;
	unsigned n_parts = 0;

	assert_int_equal(flow_table_init(&t, 4096), 0);
	assert_int_equal(flow_walk(&t, 0, 40, note, &w), 0);
	assert_int_equal(w.n, 0);
	for (unsigned i = 0; i < N_KEYS; i++)
		key_make(i, &flows[i]);
	for (unsigned i = 0; i < N_KEYS / 2; i++)
		assert_true(flow_add(&t, &flows[i], 0));
	do {
		unsigned before = w.n;

		at = flow_walk(&t, at, 40, note, &w);
		assert_true(w.n - before <= 40);
		if (n_parts == 1) { /* the last ten go, as many come */
			for (unsigned i = 0; i < 10; i++) {
				flow_del(&t, &flows[N_KEYS / 2 - 1 - i]);
				assert_true(flow_add(
					&t, &flows[N_KEYS / 2 + i], 0));
			}
		}
		n_parts++;
	} while (at);
	assert_true(n_parts > 3);
	for (unsigned i = 0; i < N_KEYS / 2 - 10; i++)
		assert_int_equal(w.n_seen[i], 1);
	for (unsigned i = N_KEYS / 2 - 10; i < N_KEYS; i++)
		assert_true(w.n_seen[i] <= 1);
	flow_table_deinit(&t);
	free(flows);
}

static void test_one_guest_takes_half(void **state)
{
	enum { MAX = 64 };
	struct flow flows[MAX];
	struct flow_table t;
	unsigned n = 0, m = 0;
	uint8_t other = 16; /* one of another quota, which is drawn */

	assert_int_equal(flow_table_init(&t, MAX), 0);
	for (; n < MAX; n++) {
		flows[n] = (struct flow){.proto = 17};
		flows[n].guest = fake_ep(10, 0, 2, 15, (uint16_t)n);
		if (!flow_add(&t, &flows[n], 0))
			break;
	}
	assert_int_equal(n, MAX / 2);
	do {
		flows[n] = (struct flow){.proto = 17};
		flows[n].guest = fake_ep(10, 0, 2, other++, (uint16_t)n);
	} while (!flow_add(&t, &flows[n], 0) && other < 255);
	for (m = n + 1; m < MAX; m++) {
		flows[m] = (struct flow){.proto = 17};
		flows[m].guest = flows[n].guest;
		flows[m].guest.port = (uint16_t)m;
		if (!flow_add(&t, &flows[m], 0))
			break;
	}
	assert_int_equal(m - n, MAX / 4);
	/* What one gives back another may take. */
	flow_del(&t, &flows[0]);
	assert_true(flow_add(&t, &flows[m], 0));
	flow_table_deinit(&t);
}

/* A machine has as many addresses as it likes: in IPv6 a whole network's. */
static void test_many_addresses_of_one_port(void **state)
{
	enum { MAX = 64 };
	struct flow flows[MAX], other = {.proto = 17};
	struct flow_table t;
	unsigned n = 0;

	assert_int_equal(flow_table_init(&t, MAX), 0);
	for (; n < MAX; n++) {
		flows[n] = (struct flow){.proto = 17};
		flows[n].guest = fake_ep6((uint8_t)n, 9);
		if (!flow_add(&t, &flows[n], 3))
			break;
	}
	assert_int_equal(n, MAX / 4 * 3);
	other.guest = fake_ep6(0, 10);
	assert_true(flow_add(&t, &other, 4));
	flow_table_deinit(&t);
}

static void put_flow(struct flow *f, uint8_t host, uint16_t port)
{
	*f = (struct flow){.proto = 17, .guest = fake_ep(10, 0, 2, host, port)};
}

/* Of two workers: together they have what one has, and either may have it. */
static void test_workers_count_together(void **state)
{
	enum { MAX = 64 };
	struct flow flows[MAX], more;
	struct bucket_holds holds[2];
	struct flow_table t[2];
	struct flow_share share;
	struct buckets *b;
	unsigned n = 0;

	assert_int_equal(buckets_new(&b), 0);
	flow_share_init(&share);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(bucket_holds_init(&holds[i], b, i), 0);
		assert_int_equal(flow_table_init(&t[i], MAX), 0);
		flow_table_join(&t[i], &share, &holds[i]);
	}
	for (; n < MAX; n++) {
		put_flow(&flows[n], 15, (uint16_t)n);
		if (!flow_add(&t[n % 2], &flows[n], 0))
			break;
	}
	assert_int_equal(n, MAX / 2);
	for (unsigned i = 0; i < n; i++)
		flow_del(&t[i % 2], &flows[i]);
	for (n = 0; n < MAX; n++) {
		put_flow(&flows[n], 15, (uint16_t)n);
		if (!flow_add(&t[1], &flows[n], 0))
			break;
	}
	assert_int_equal(n, MAX / 2);
	put_flow(&more, 15, MAX);
	assert_false(flow_add(&t[0], &more, 0));
	for (unsigned i = 0; i < n; i++)
		flow_del(&t[1], &flows[i]);
	for (unsigned i = 0; i < 2; i++) {
		flow_table_deinit(&t[i]);
		bucket_holds_deinit(&holds[i]);
	}
	assert_null(buckets_free(b));
}

/* A flow holds its bucket as long as it is there, and none of another's. */
static void test_a_flow_holds_its_bucket(void **state)
{
	struct bucket_holds mine, others;
	struct flow_share share;
	struct flow_table t;
	struct buckets *b;
	struct flow f, g;
	uint32_t bucket;
	unsigned owner;

	assert_int_equal(buckets_new(&b), 0);
	flow_share_init(&share);
	assert_int_equal(bucket_holds_init(&mine, b, 1), 0);
	assert_int_equal(bucket_holds_init(&others, b, 2), 0);
	assert_int_equal(flow_table_init(&t, 16), 0);
	flow_table_join(&t, &share, &mine);
	put_flow(&f, 15, 1);
	bucket = buckets_of(b, f.proto, &f.guest, &f.remote);
	assert_true(flow_add(&t, &f, 0));
	assert_true(buckets_owner(b, bucket, &owner));
	assert_int_equal(owner, 1);
	flow_del(&t, &f);
	assert_false(buckets_owner(b, bucket, &owner));
	assert_true(bucket_hold(&others, bucket, &owner));
	put_flow(&g, 15, 1);
	assert_true(flow_add(&t, &g, 0));
	flow_del(&t, &g);
	assert_true(buckets_owner(b, bucket, &owner));
	assert_int_equal(owner, 2);
	bucket_release(&others, bucket);
	assert_false(buckets_owner(b, bucket, &owner));
	flow_table_deinit(&t);
	bucket_holds_deinit(&mine);
	bucket_holds_deinit(&others);
	assert_null(buckets_free(b));
}

static void test_no_bucket_can_be_aimed_at(void **state)
{
	struct flow a = {.proto = 17, .guest = fake_ep(10, 0, 2, 15, 1)};
	struct flow_table t, u;
	unsigned same = 0;

	assert_int_equal(flow_table_init(&t, 1 << 16), 0);
	assert_int_equal(flow_table_init(&u, 1 << 16), 0);
	for (uint16_t i = 0; i < 64; i++) {
		uint32_t hash;

		a.guest.port = i;
		assert_true(flow_add(&t, &a, 0));
		hash = a.hash;
		flow_del(&t, &a);
		assert_true(flow_add(&u, &a, 0));
		same += hash == a.hash;
		flow_del(&u, &a);
	}
	assert_true(same < 4);
	flow_table_deinit(&t);
	flow_table_deinit(&u);
}

static struct nat_env env_make(void)
{
	return (struct nat_env){
		.v4.net = {.ip = addr_v4(10, 0, 2, 0), .len = 120},
		.v4.is_on = true,
		.v4.gw = addr_v4(10, 0, 2, 2),
		.v4.dns = addr_v4(10, 0, 2, 3),
	};
}

static void test_map_out(void **state)
{
	static const uint32_t refused[] = {0x00000000, 0x00010203, 0x7f000001,
					   0x7fffffff, 0xe0000001, 0xefffffff,
					   0xf0000001, 0xffffffff, 0x0a000200,
					   0x0a000203, 0x0a00020f, 0x0a0002ff};
	struct nat_env env = env_make();
	struct endpoint dst = fake_ep(192, 0, 2, 1, 80), to;

	assert_true(nat_map_out(&env, 17, &dst, &to));
	assert_true(endpoint_eq(&dst, &to));
	dst.ip = env.v4.gw;
	assert_true(nat_map_out(&env, 17, &dst, &to));
	assert_int_equal(addr_u32(&to.ip), 0x7f000001);
	assert_int_equal(to.port, 80);
	for (unsigned i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		dst.ip = addr_v4_u32(refused[i]);
		assert_false(nat_map_out(&env, 17, &dst, &to));
	}
}

static bool redirect_dns(void *arg, uint8_t proto, const struct endpoint *dst,
			 struct endpoint *to)
{
	if (dst->port != 53)
		return dst->port != 54;
	*to = fake_ep(192, 0, 2, 53, 53);
	return true;
}

static void test_map_out_redirect(void **state)
{
	struct nat_env env = env_make();
	struct endpoint dst = {.ip = env.v4.dns, .port = 53}, to;

	env.redirect = redirect_dns;
	assert_true(nat_map_out(&env, 6, &dst, &to));
	assert_int_equal(addr_u32(&to.ip), 0xc0000235);
	dst.port = 80; /* redirect says yes and names nobody */
	assert_false(nat_map_out(&env, 6, &dst, &to));
	dst = fake_ep(192, 0, 2, 1, 54);
	assert_false(nat_map_out(&env, 6, &dst, &to));
	dst = fake_ep(127, 0, 0, 1, 53); /* a martian stays one */
	assert_false(nat_map_out(&env, 6, &dst, &to));
}

static void test_map_in(void **state)
{
	static const struct {
		uint32_t src, seen;
	} t[] = {
		{0x7f000001, 0x0a000202}, {0x7f000035, 0x0a000202},
		{0x00000000, 0x0a000202}, {0xc0000201, 0xc0000201},
		{0x0a000207, 0x0a000202}, /* an outer net of our prefix */
	};
	struct nat_env env = env_make();
	const addr guest = addr_v4(10, 0, 2, 15);

	for (unsigned i = 0; i < sizeof(t) / sizeof(*t); i++) {
		struct endpoint src = {.ip = addr_v4_u32(t[i].src),
				       .port = 1234};
		struct endpoint seen = nat_map_in(&env, &src, &guest);

		assert_int_equal(addr_u32(&seen.ip), t[i].seen);
		assert_int_equal(seen.port, 1234);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_agrees_with_a_list),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_one_guest_takes_half),
		cmocka_unit_test(test_many_addresses_of_one_port),
		cmocka_unit_test(test_workers_count_together),
		cmocka_unit_test(test_a_flow_holds_its_bucket),
		cmocka_unit_test(test_no_bucket_can_be_aimed_at),
		cmocka_unit_test(test_map_out),
		cmocka_unit_test(test_map_out_redirect),
		cmocka_unit_test(test_map_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
