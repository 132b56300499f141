/* SPDX-License-Identifier: BSD-3-Clause */
/* What the control socket shows of counters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "keeper/stats.h"

static void assert_shows(const struct counters *c, const char *want)
{
	json_t *o = stats_object("lab", 5, c);
	char *text;

	assert_non_null(o);
	text = json_dumps(o, JSON_COMPACT | JSON_PRESERVE_ORDER);
	assert_string_equal(text, want);
	free(text);
	json_decref(o);
}

static void only_what_there_was(void **state)
{
	struct counters_slot slots[COUNTERS_WORKERS] = {0};
	const struct counters c = {.fd = -1, .slots = slots};
	struct drops *d = &slots[COUNTERS_WORKERS - 1].drops;

	assert_shows(&c, "{\"network\":\"lab\",\"uptime-ms\":5,\"drops\":[]}");
	drop_n(d, DROP_DNS_SAME, 3);
	drop(d, DROP_FRAME_SHORT);
	assert_shows(&c,
		     "{\"network\":\"lab\",\"uptime-ms\":5,\"drops\":["
		     "{\"name\":\"FRAME_SHORT\","
		     "\"text\":\"frame shorter than an Ethernet header\","
		     "\"count\":1},"
		     "{\"name\":\"DNS_SAME\","
		     "\"text\":\"DNS question asked too often at once\","
		     "\"count\":3}]}");
}

/* An engine that was taken over can write what it likes. */
static void any_number_is_one(void **state)
{
	struct counters_slot slots[COUNTERS_WORKERS] = {0};
	const struct counters c = {.fd = -1, .slots = slots};
	json_t *o, *drops, *v;
	size_t i;

	memset(slots, 0xff, sizeof(slots));
	o = stats_object("lab", 5, &c);
	assert_non_null(o);
	drops = json_object_get(o, "drops");
	assert_int_equal(json_array_size(drops), DROP_N);
	json_array_foreach(drops, i, v)
		assert_true(json_integer_value(json_object_get(v, "count")) ==
			    INT64_MAX);
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_there_was),
		cmocka_unit_test(any_number_is_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
