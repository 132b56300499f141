/* SPDX-License-Identifier: BSD-3-Clause */
/* Slabs against a naive model on random input; limits and content. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "base/slab.h"

enum { N = 100, LEN = 40 };

static uint8_t stamp(unsigned i, unsigned round)
{
	return (uint8_t)(i * 31 + round * 7 + 1);
}

/* Each object keeps what its holder wrote, whoever comes and goes. */
static void random_model(void **state)
{
	struct slab s = SLAB_NULL;
	uint8_t *obj[N + 1] = {NULL};
	uint8_t want[N + 1] = {0};
	unsigned n_used = 0;

	assert_int_equal(slab_init(&s, LEN, N), 0);
	assert_int_equal(s.obj_len, 48);
	srandom(7);
	for (unsigned step = 0; step < 50000; step++) {
		unsigned i = (unsigned)random() % (N + 1);

		if (obj[i]) {
			for (unsigned k = 0; k < LEN; k++)
				assert_int_equal(obj[i][k], want[i]);
			slab_free(&s, obj[i]);
			obj[i] = NULL;
			n_used--;
			continue;
		}
		obj[i] = step % 3 ? slab_alloc(&s) : slab_alloc_raw(&s);
		assert_int_equal(obj[i] != NULL, n_used < N);
		if (!obj[i])
			continue;
		n_used++;
		assert_int_equal((uintptr_t)obj[i] % 16, 0);
		for (unsigned k = 0; step % 3 && k < LEN; k++)
			assert_int_equal(obj[i][k], 0);
		want[i] = stamp(i, step);
		memset(obj[i], want[i], LEN);
		assert_int_equal(s.n_used, n_used);
	}
	slab_deinit(&s);
	assert_null(s.mem);
}

static void exhaustion_is_an_answer(void **state)
{
	struct slab s;
	void *a, *b;

	assert_int_equal(slab_init(&s, 1, 2), 0);
	a = slab_alloc(&s);
	b = slab_alloc(&s);
	assert_true(a && b && a != b);
	assert_null(slab_alloc(&s));
	assert_null(slab_alloc_raw(&s));
	assert_int_equal(s.n_used, 2);
	slab_free(&s, NULL);
	assert_int_equal(s.n_used, 2);
	slab_free(&s, a);
	assert_ptr_equal(slab_alloc(&s), a);
	slab_deinit(&s);
	slab_deinit(&s);
}

static void impossible_sizes(void **state)
{
	struct slab s;

	assert_true(slab_init(&s, SIZE_MAX, 1) < 0);
	assert_true(slab_init(&s, SIZE_MAX / 2, 4) < 0);
	assert_true(slab_init(&s, 0, 4) < 0);
	assert_true(slab_init(&s, 16, 0) < 0);
	assert_null(s.mem);
	assert_null(slab_alloc(&s));
	slab_deinit(&s);
}

/* Reserved, not used: far more than there is memory. */
static void room_costs_nothing(void **state)
{
	struct slab s;
	void *p;

	assert_int_equal(slab_init(&s, 1 << 20, 1 << 16), 0);
	p = slab_alloc(&s);
	assert_non_null(p);
	slab_free(&s, p);
	slab_deinit(&s);
}

static size_t resident(const void *p, size_t len)
{
	unsigned char in[64] = {0};
	size_t n = 0;

	assert_true(len / 4096 <= sizeof(in));
	assert_int_equal(mincore((void *)(uintptr_t)p, len, in), 0);
	for (size_t i = 0; i < len / 4096; i++)
		n += in[i] & 1;
	return n;
}

static void trimmed_memory_goes_back(void **state)
{
	enum { PAGES = 16 };
	struct slab s;
	void *obj[PAGES];

	assert_int_equal(slab_init(&s, 4096, PAGES), 0);
	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < PAGES; i++) {
			obj[i] = slab_alloc_raw(&s);
			assert_non_null(obj[i]);
			memset(obj[i], 1, 4096);
		}
		assert_null(slab_alloc(&s));
		assert_int_equal(resident(s.mem, 4096 * PAGES), PAGES);
		for (unsigned i = 0; i < PAGES; i++)
			slab_free(&s, obj[i]);
		slab_trim(&s);
		assert_int_equal(resident(s.mem, 4096 * PAGES), 0);
	}
	slab_trim(&s);
	slab_deinit(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_model),
		cmocka_unit_test(exhaustion_is_an_answer),
		cmocka_unit_test(impossible_sizes),
		cmocka_unit_test(room_costs_nothing),
		cmocka_unit_test(trimmed_memory_goes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
