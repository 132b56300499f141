/* SPDX-License-Identifier: BSD-3-Clause */
/* The intrusive list against an array on random input; splicing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/list.h"

enum { N = 12 };

struct item {
	int before; /* so that container_of() has something to do */
	struct list link;
};

static void expect(struct list *head, struct item *const *want, unsigned n)
{
	unsigned i = 0;

	list_each(it, head) {
		assert_true(i < n);
		assert_ptr_equal(container_of(it, struct item, link), want[i]);
		assert_ptr_equal(it->prev->next, it);
		assert_ptr_equal(it->next->prev, it);
		i++;
	}
	assert_int_equal(i, n);
	assert_int_equal(list_empty(head), n == 0);
	assert_ptr_equal(list_first(head), n ? &want[0]->link : NULL);
}

static void remove_at(struct item **a, unsigned *np, unsigned i)
{
	memmove(a + i, a + i + 1, (*np - i - 1) * sizeof(*a));
	--*np;
}

static void insert_at(struct item **a, unsigned *np, unsigned i,
		      struct item *it)
{
	memmove(a + i + 1, a + i, (*np - i) * sizeof(*a));
	a[i] = it;
	++*np;
}

static void random_model(void **state)
{
	struct list head = LIST_INIT(head);
	struct item items[N], *order[N];
	unsigned n = 0;

	for (unsigned i = 0; i < N; i++)
		list_init(&items[i].link);
	srandom(8);
	for (unsigned step = 0; step < 20000; step++) {
		struct item *it = &items[random() % N];
		unsigned at = 0;

		while (at < n && order[at] != it)
			at++;
		if (at < n) {
			list_del(&it->link);
			remove_at(order, &n, at);
		} else if (random() % 3 == 0) {
			list_add_head(&head, &it->link);
			insert_at(order, &n, 0, it);
		} else if (n && random() % 2) {
			at = (unsigned)random() % n;
			list_add_before(&order[at]->link, &it->link);
			insert_at(order, &n, at, it);
		} else {
			list_add_tail(&head, &it->link);
			insert_at(order, &n, n, it);
		}
		expect(&head, order, n);
	}
}

static void unlinking_twice_is_harmless(void **state)
{
	struct list head = LIST_INIT(head), a, b;

	list_init(&a);
	list_add_tail(&head, &a);
	list_add_tail(&head, &b);
	list_del(&a);
	list_del(&a);
	assert_true(list_empty(&a));
	assert_ptr_equal(list_first(&head), &b);
}

static void splicing_keeps_order(void **state)
{
	struct list to = LIST_INIT(to), from = LIST_INIT(from);
	struct item items[4];
	struct item *want[] = {&items[0], &items[1], &items[2], &items[3]};

	list_splice(&to, &from);
	expect(&to, want, 0);
	list_add_tail(&to, &items[0].link);
	list_add_tail(&to, &items[1].link);
	list_splice(&to, &from);
	expect(&to, want, 2);
	list_add_tail(&from, &items[2].link);
	list_add_tail(&from, &items[3].link);
	list_splice(&to, &from);
	expect(&to, want, 4);
	expect(&from, want, 0);
	list_splice(&from, &to);
	expect(&from, want, 4);
	expect(&to, want, 0);
}

static void a_safe_walk_may_unlink(void **state)
{
	struct list head = LIST_INIT(head);
	struct item items[N];
	unsigned n = 0;

	for (unsigned i = 0; i < N; i++)
		list_add_tail(&head, &items[i].link);
	list_each_safe(it, &head) {
		list_del(it);
		n++;
	}
	assert_int_equal(n, N);
	assert_true(list_empty(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_model),
		cmocka_unit_test(unlinking_twice_is_harmless),
		cmocka_unit_test(splicing_keeps_order),
		cmocka_unit_test(a_safe_walk_may_unlink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
