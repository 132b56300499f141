/* SPDX-License-Identifier: BSD-3-Clause */
/* What vmlan top shows, on screens of all sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/top_view.h"

/* n machines, flows and reasons, of which some are long. */
static void fill(struct top_model *m, unsigned n, int64_t now_ms)
{
	json_t *machines = json_array(), *ports = json_array();
	json_t *drops = json_array(), *flows = json_array();
	json_t *o, *s, *f;

	for (unsigned i = 0; i < n; i++) {
		char name[64], peer[64];

		snprintf(name, sizeof(name), "m%u%s", i,
			 i % 3 ? "" : "-with-a-name-as-long-as-they-may-be");
		snprintf(peer, sizeof(peer), i % 2 ? "192.0.2.1:%u"
						   : "[2001:db8::%u]:443",
			 i + 1);
		json_array_append_new(
			machines, json_pack("{s:s,s:b,s:[s]}", "name", name,
					    "connected", i != 1, "addresses",
					    "10.0.2.15"));
		json_array_append_new(
			ports, json_pack("{s:s,s:s,s:I,s:I}", "machine", name,
					 "name", "p", "rx-bytes",
					 (json_int_t)now_ms * i * 1000,
					 "tx-drops", (json_int_t)i));
		json_array_append_new(
			drops, json_pack("{s:s,s:s,s:I}", "name", name, "text",
					 "why it was lost", "count",
					 (json_int_t)now_ms * i));
		json_array_append_new(
			flows, json_pack("{s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:s*}",
					 "proto", "tcp", "machine", name,
					 "guest", "10.0.2.15:40000", "peer",
					 peer, "state", "established",
					 "sent-bytes", (int)now_ms, "rtt-us",
					 1500, "name",
					 i % 2 ? "example.org" : NULL));
	}
	o = json_pack("{s:s,s:b,s:b,s:i,s:o}", "mode", "natnet", "serving", 1,
		      "kept", 1, "engine", 5, "machines", machines);
	s = json_pack("{s:I,s:o,s:o}", "uptime-ms", (json_int_t)now_ms, "ports",
		      ports, "drops", drops);
	f = json_pack("{s:b,s:o}", "more", 1, "flows", flows);
	assert_int_equal(top_model_take(m, o, s, f, now_ms), 0);
	json_decref(o);
	json_decref(s);
	json_decref(f);
}

static bool is_captured(void *arg, const char *machine)
{
	(void)arg;
	return strcmp(machine, "m2") == 0;
}

static const struct top_look plain = {
	.network = "lab", .status = "", .trouble = "", .selected = "m1",
	.is_captured = is_captured,
};

static char *text_of(const struct top_grid *g)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	top_grid_print(g, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void is_shown(const char *text, const char *what)
{
	assert_non_null(text);
	if (!strstr(text, what))
		fail_msg("no '%s' in\n%s", what, text ? text : "");
}

static void test_text(void **state)
{
	struct top_model m = TOP_MODEL_NULL;
	struct top_grid g = TOP_GRID_NULL;
	struct top_look look = plain;
	char *text;

	(void)state;
	look.has_no_keys = true;
	fill(&m, 4, 1000);
	fill(&m, 4, 2000);
	assert_int_equal(top_grid_init(&g, top_view_rows(&m, 20), 130), 0);
	top_view_draw(&m, &look, &g);
	text = text_of(&g);
	is_shown(text, "network lab  natnet, up, 4 machines, for 2 s  by "
		       "traffic\n");
	is_shown(text, "from machines 48.0 Mbit/s, 0 pkt/s; to machines");
	is_shown(text, "\nC m2                       up       16.0 Mbit/s      "
		       " 0      0 bit/s       0       0 10.0.2.15\n");
	is_shown(text, "\n  m1                       loose    8.00 Mbit/s ");
	is_shown(text, "\n  m3-with-a-name-as-long-~ up ");
	is_shown(text, "tcp  10.0.2.15:40000          -> example.org:2 ");
	is_shown(text, "-> [2001:db8::1]:443 ");
	is_shown(text, " 1.50 ms established\n");
	is_shown(text, "\n   3.00 k    6.00 k why it was lost\n");
	is_shown(text, "  0 and more\n");
	free(text);
	top_grid_deinit(&g);
	top_model_forget(&m);
}

/* Nothing is written where there is no screen (the sanitizer sees it), and the
 * keys stay on the last line. */
static void test_sizes(void **state)
{
	struct top_model m = TOP_MODEL_NULL;
	struct top_grid g = TOP_GRID_NULL;

	(void)state;
	for (unsigned n = 0; n < 60; n += 1 + n) {
		fill(&m, n, 1000);
		fill(&m, n, 2000);
		for (int rows = 1; rows < 70; rows += 1 + rows / 8) {
			for (int columns = 1; columns < 250;
			     columns += 1 + columns / 5) {
				struct top_look look = plain;

				look.has_help = columns % 7 == 3;
				assert_int_equal(
					top_grid_init(&g, rows, columns), 0);
				top_view_draw(&m, &look, &g);
				assert_int_equal(
					g.text[(rows - 1) * columns], 'q');
			}
		}
		top_model_forget(&m);
	}
	assert_int_equal(top_grid_init(&g, 0, -1), 0);
	top_view_draw(&m, &plain, &g);
	top_grid_deinit(&g);
}

/* The selected machine is on the screen, however many there are. */
static void test_selected(void **state)
{
	struct top_model m = TOP_MODEL_NULL;
	struct top_grid g = TOP_GRID_NULL;
	struct top_look look = plain;
	char *text;

	(void)state;
	fill(&m, 50, 1000);
	m.sort = TOP_BY_NAME;
	top_model_arrange(&m);
	look.selected = m.machines[49].name;
	assert_int_equal(top_grid_init(&g, 30, 100), 0);
	top_view_draw(&m, &look, &g);
	text = text_of(&g);
	is_shown(text, "\n  m9-with-a-name-as~ ");
	assert_int_equal(strstr(text, "  m8 ") != NULL, 1);
	for (int y = 0, n = 0; y < 30; y++) {
		n += (g.attrs[y * 100] & TOP_REVERSE) != 0;
		if (y == 29)
			assert_int_equal(n, 2); /* it, and the keys */
	}
	free(text);
	look.status = "said";
	look.trouble = "no answer";
	top_view_draw(&m, &look, &g);
	text = text_of(&g);
	is_shown(text, "\nsaid\n");
	is_shown(text, "\nno answer\n");
	free(text);
	top_grid_deinit(&g);
	top_model_forget(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_selected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
