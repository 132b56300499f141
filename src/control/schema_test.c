/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of requests, and what is found and checked by it. */
#include "control/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/events.h"

/* ---- the table ---- */

/* Objects have keys, others have none, and each is said to be something. */
static void check_keys(const struct schema_key *keys)
{
	for (const struct schema_key *k = keys; k && k->name; k++) {
		bool is_deep = k->type == SCHEMA_OBJECT ||
			       k->type == SCHEMA_OBJECTS;

		assert_non_null(k->about);
		assert_true(strlen(k->about) > 1);
		assert_int_not_equal(k->about[strlen(k->about) - 1], '.');
		assert_int_equal(k->of != NULL, is_deep);
		for (const struct schema_key *o = keys; o != k; o++)
			assert_string_not_equal(o->name, k->name);
		check_keys(k->of);
	}
}

static void every_row_is_whole(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SCHEMA_N; i++) {
		const struct schema_request *r = &schema_requests[i];

		assert_non_null(r->method);
		assert_int_equal(r->path[0], '/');
		assert_true(strlen(r->about) > 1);
		assert_int_not_equal(r->about[strlen(r->about) - 1], '.');
		assert_true(r->body_form == SCHEMA_JSON ||
			    (r->body_form == SCHEMA_BYTES && !r->body));
		check_keys(r->query);
		check_keys(r->body);
		check_keys(r->answer);
	}
}

static void every_event_is_whole(void **state)
{
	(void)state;
	check_keys(event_head);
	for (unsigned i = 0; i < EVENT_N; i++) {
		assert_non_null(event_rows[i].name);
		assert_true(strlen(event_rows[i].about) > 1);
		check_keys(event_rows[i].keys);
	}
}

static void every_row_is_found(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SCHEMA_N; i++) {
		const struct schema_request *r = &schema_requests[i];
		char url[128], name[CONTROL_NAME_LEN];
		char allow[SCHEMA_ALLOW_LEN];
		size_t at = strcspn(r->path, "{");

		snprintf(url, sizeof(url), "%.*s%s%s", (int)at, r->path,
			 r->path[at] ? "a" : "",
			 r->path[at] ? strchr(r->path, '}') + 1 : "");
		assert_int_equal(schema_find(r->method, url, name, allow), i);
		assert_string_equal(name, r->path[at] ? "a" : "");
	}
}

static void names_in_paths(void **state)
{
	static const char *const none[] = {
		"", "/", "/v1/", "/v1/machines//life", "/v1/machines/",
		"/v1/machines/a/", "/v1/machines/a/lif",
		"/v1/machines/a/b/life", "/v1/machines/{name}x/y", "v1",
	};
	char name[CONTROL_NAME_LEN], allow[SCHEMA_ALLOW_LEN];
	char url[CONTROL_NAME_LEN + 32];

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		assert_int_equal(schema_find("PUT", none[i], name, allow),
				 SCHEMA_N);
		assert_string_equal(allow, "");
	}
	for (int len = CONTROL_NAME_LEN - 1; len <= CONTROL_NAME_LEN; len++) {
		snprintf(url, sizeof(url), "/v1/machines/%0*d", len, 7);
		assert_int_equal(schema_find("DELETE", url, name, allow),
				 len < CONTROL_NAME_LEN ? SCHEMA_DELETE_MACHINE
							: SCHEMA_N);
	}
	assert_int_equal(schema_find("PUT", "/v1/machines/a", name, allow),
			 SCHEMA_N);
	assert_string_equal(allow, "DELETE");
	assert_int_equal(schema_find("PUT", "/v1/leases", name, allow),
			 SCHEMA_N);
	assert_string_equal(allow, "GET, HEAD");
	assert_int_equal(schema_find("HEAD", "/v1/leases", name, allow),
			 SCHEMA_GET_LEASES);
}

/* ---- bodies and queries ---- */

static const struct schema_key inner[] = {
	{"n", SCHEMA_INTEGER, .about = "a number"},
	{NULL},
};

static const struct schema_key some[] = {
	{"text", SCHEMA_STRING, .about = "a text"},
	{"is", SCHEMA_BOOLEAN, true, "a truth"},
	{"list", SCHEMA_STRINGS, true, "texts"},
	{"o", SCHEMA_OBJECT, true, "one", inner},
	{"all", SCHEMA_OBJECTS, true, "several", inner},
	{NULL},
};

static const struct schema_request row = {
	"PUT", "/x", "is one", .body = some, .query = inner,
};

static void bodies(void **state)
{
	static const struct {
		const char *text;
		const char *line; /* NULL: it is good */
	} cases[] = {
		{"{\"text\": \"a\"}", NULL},
		{"{\"text\": \"a\", \"is\": false, \"list\": [\"b\"], "
		 "\"o\": {\"n\": 1}, \"all\": [{\"n\": 1}]}", NULL},
		{"{}", "names no \"text\""},
		{"{\"text\": 1}", "\"text\" must be of type string"},
		{"{\"text\": \"a\", \"is\": 1}", "of type boolean"},
		{"{\"text\": \"a\", \"list\": [1]}", "list of strings"},
		{"{\"text\": \"a\", \"list\": {}}", "list of strings"},
		{"{\"text\": \"a\", \"all\": [[]]}", "list of objects"},
		{"{\"text\": \"a\", \"o\": []}", "of type object"},
		{"{\"text\": \"a\", \"t\": 1}", "known are \"text\", \"is\""},
		{"{\"text\": \"a\",\n x}", "line 2, column 2, byte 16"},
		{"{\"text\": \"a\"} x", "line 1, column 15"},
		{"[]", "no JSON object"},
		{"", "no JSON object"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error e = ERROR_NULL;
		json_t *o = NULL;
		int r = schema_read(&row, cases[i].text, strlen(cases[i].text),
				    &o, &e);

		assert_int_equal(r, cases[i].line ? -1 : 0);
		assert_int_equal(o != NULL, !cases[i].line);
		json_decref(o);
		if (!cases[i].line)
			continue;
		assert_int_equal(e.code, EXIT_USAGE);
		if (!strstr(e.text, cases[i].line))
			fail_msg("%s: %s", cases[i].text, e.text);
	}
}

static void queries(void **state)
{
	static const struct schema_request bare = {"GET", "/y", "is another"};
	const char *good[] = {"n"}, *bad[] = {"n", "m"};
	struct error e = ERROR_NULL;

	(void)state;
	assert_int_equal(schema_check_query(&row, good, 1, &e), 0);
	assert_int_equal(schema_check_query(&bare, NULL, 0, &e), 0);
	assert_int_equal(schema_check_query(&row, bad, 2, &e), -1);
	assert_non_null(strstr(e.text, "known are \"n\""));
	e = ERROR_NULL;
	assert_int_equal(schema_check_query(&bare, good, 1, &e), -1);
	assert_non_null(strstr(e.text, "known is none here"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_whole),
		cmocka_unit_test(every_event_is_whole),
		cmocka_unit_test(every_row_is_found),
		cmocka_unit_test(names_in_paths),
		cmocka_unit_test(bodies),
		cmocka_unit_test(queries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
