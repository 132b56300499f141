/* SPDX-License-Identifier: BSD-3-Clause */
/* The ring of events: what a reader finds, early or late. */
#include "keeper/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void add(struct events *v, unsigned n)
{
	while (n--)
		events_add(v, EVENT_NETWORK_KEPT,
			   json_pack("{s:b}", "kept", 1));
}

/* The next line's, an object; NULL: there is none. */
static json_t *next(struct events *v, uint64_t *seqp)
{
	bool is_full;
	char *line = events_next(v, seqp, &is_full);
	json_t *o;

	assert_false(is_full);
	if (!line)
		return NULL;
	assert_int_equal(line[strlen(line) - 1], '\n');
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
	o = json_loads(line, 0, NULL);
	free(line);
	assert_non_null(o);
	return o;
}

static json_int_t number(const json_t *o, const char *key)
{
	assert_true(json_is_integer(json_object_get(o, key)));
	return json_integer_value(json_object_get(o, key));
}

static const char *type_of(const json_t *o)
{
	return json_string_value(json_object_get(o, "type"));
}

static void expect_lost(struct events *v, uint64_t *seqp, json_int_t from,
			json_int_t to)
{
	json_t *o = next(v, seqp);

	assert_string_equal(type_of(o), "lost");
	assert_int_equal(number(o, "from"), from);
	assert_int_equal(number(o, "to"), to);
	assert_int_equal(number(o, "seq"), to);
	assert_int_equal(*seqp, to);
	json_decref(o);
}

static void expect(struct events *v, uint64_t *seqp, json_int_t seq)
{
	json_t *o = next(v, seqp);

	assert_string_equal(type_of(o), "network-kept");
	assert_int_equal(number(o, "seq"), seq);
	assert_int_equal(*seqp, seq);
	assert_int_equal(strlen(json_string_value(json_object_get(o, "time"))),
			 strlen("2026-11-22T19:33:00.123Z"));
	json_decref(o);
}

static void in_order(void **state)
{
	struct events v = {.last = 0};
	uint64_t seq = 0;

	(void)state;
	assert_null(next(&v, &seq));
	add(&v, 2);
	expect(&v, &seq, 1);
	expect(&v, &seq, 2);
	assert_null(next(&v, &seq));
	add(&v, 1);
	expect(&v, &seq, 3);
	assert_null(next(&v, &seq));
	events_deinit(&v);
}

static void late(void **state)
{
	struct events v = {.last = 0};
	uint64_t seq = 0;

	(void)state;
	add(&v, EVENTS_KEPT);
	expect(&v, &seq, 1);
	add(&v, 1); /* in the place of the first, which was read */
	expect(&v, &seq, 2);
	add(&v, 3);
	expect_lost(&v, &seq, 3, 4);
	for (unsigned i = 0; i < EVENTS_KEPT; i++)
		expect(&v, &seq, 5 + (json_int_t)i);
	assert_null(next(&v, &seq));
	seq = 0;
	expect_lost(&v, &seq, 1, 4);
	add(&v, 5 * EVENTS_KEPT);
	expect_lost(&v, &seq, 5, 5 * EVENTS_KEPT + 4);
	expect(&v, &seq, 5 * EVENTS_KEPT + 5);
	events_deinit(&v);
}

static void without_memory(void **state)
{
	struct events v = {.last = 0};
	uint64_t seq = 0;

	(void)state;
	add(&v, 1);
	events_add(&v, EVENT_WARNING, NULL);
	events_add(&v, EVENT_WARNING, NULL);
	add(&v, 1);
	events_add(&v, EVENT_WARNING, NULL);
	expect(&v, &seq, 1);
	expect_lost(&v, &seq, 2, 3);
	expect(&v, &seq, 4);
	expect_lost(&v, &seq, 5, 5);
	assert_null(next(&v, &seq));
	events_deinit(&v);
}

static void of_another_keeper(void **state)
{
	struct events v = {.last = 0};
	uint64_t seq = 500;
	json_t *o;

	(void)state;
	add(&v, 2);
	o = next(&v, &seq);
	assert_string_equal(type_of(o), "anew");
	assert_int_equal(number(o, "since"), 500);
	json_decref(o);
	expect(&v, &seq, 1);
	expect(&v, &seq, 2);
	assert_null(next(&v, &seq));
	events_deinit(&v);
}

static void count(void *arg)
{
	++*(unsigned *)arg;
}

static void wakes(void **state)
{
	unsigned n = 0;
	struct events v = {.woke = count, .arg = &n};

	(void)state;
	add(&v, 3);
	assert_int_equal(n, 3);
	events_deinit(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order),
		cmocka_unit_test(late),
		cmocka_unit_test(without_memory),
		cmocka_unit_test(of_another_keeper),
		cmocka_unit_test(wakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
