/* SPDX-License-Identifier: BSD-3-Clause */
/* What vmlan top makes of two samples. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/top_model.h"

static json_t *parse(const char *text)
{
	json_t *o = json_loads(text, 0, NULL);

	assert_non_null(o);
	return o;
}

static const char network[] =
	"{\"mode\":\"natnet\",\"serving\":true,\"kept\":true,\"engine\":7,"
	"\"machines\":[{\"name\":\"web\",\"connected\":true,\"mac\":\"52:54\","
	"\"addresses\":[\"10.0.2.15\",\"fe80::1\"]},{\"name\":\"db\","
	"\"connected\":true,\"addresses\":[],\"cable\":{\"up\":false}}]}";

/* Two machines and a gateway after ms, with so many bytes each. */
static void take(struct top_model *m, const char *net, int ms, long web,
		 long db, const char *flows)
{
	json_t *n = parse(net), *f = flows ? parse(flows) : NULL;
	json_t *s = json_pack(
		"{s:i,s:[{s:s,s:I},{s:s,s:I}],s:[{s:s,s:s,s:s,s:b,s:I,s:I,s:I},"
		"{s:s,s:s,s:I,s:I},{s:s,s:s,s:b,s:I}]}",
		"uptime-ms", ms, "drops", "name", "FULL", "count",
		(json_int_t)web / 100, "name", "SHORT", "count", (json_int_t)3,
		"ports", "name", "m0", "machine", "web", "kind", "stream",
		"connected", 1, "rx-bytes", (json_int_t)web, "rx-frames",
		(json_int_t)web / 10, "tx-bytes", (json_int_t)web * 2, "name",
		"m1", "machine", "db", "rx-bytes", (json_int_t)db, "tx-drops",
		(json_int_t)db, "name", "user", "kind", "user", "connected", 1,
		"rx-bytes", (json_int_t)web * 9);

	assert_non_null(s);
	assert_int_equal(top_model_take(m, n, s, f, ms), 0);
	json_decref(n);
	json_decref(s);
	json_decref(f);
}

static const struct top_machine *machine(const struct top_model *m,
					 const char *name)
{
	int at = top_model_place(m, name);

	assert_true(at >= 0);
	return &m->machines[at];
}

static void is_near(double a, double b)
{
	assert_true(a > b - 0.001 && a < b + 0.001);
}

static void test_rates(void **state)
{
	struct top_model m = TOP_MODEL_NULL;

	(void)state;
	take(&m, network, 1000, 1000, 100, NULL);
	assert_false(machine(&m, "web")->has_rates);
	assert_false(m.has_flows);
	assert_int_equal(m.n_real, 2);
	assert_int_equal(m.n_machines, 3);
	assert_true(machine(&m, "db")->cable == TOP_CABLE_PULLED);
	assert_string_equal(machine(&m, "web")->about, "10.0.2.15");
	is_near(m.drops[0].rate, -1);

	take(&m, network, 3000, 5000, 300, NULL);
	assert_true(machine(&m, "web")->has_rates);
	is_near(machine(&m, "web")->rates[TOP_RX_BYTES], 2000);
	is_near(machine(&m, "web")->rates[TOP_TX_BYTES], 4000);
	is_near(machine(&m, "web")->rates[TOP_RX_FRAMES], 200);
	is_near(top_model_sum(&m, TOP_RX_BYTES), 2100);
	assert_string_equal(m.drops[0].name, "FULL");
	is_near(m.drops[0].rate, 20);
	is_near(m.drops[1].rate, 0);

	/* The same moment again tells nothing new. */
	take(&m, network, 3000, 5000, 300, NULL);
	assert_false(machine(&m, "web")->has_rates);
	top_model_forget(&m);
	assert_false(m.has_sample);
}

/* What begins anew has no rate, and not one of 2^64. */
static void test_resets(void **state)
{
	static const char other[] =
		"{\"engine\":8,\"machines\":[{\"name\":\"web\"},"
		"{\"name\":\"db\"}]}";
	struct top_model m = TOP_MODEL_NULL;

	(void)state;
	take(&m, network, 1000, 1000, 500, NULL);
	take(&m, network, 2000, 4000, 100, NULL);
	assert_true(machine(&m, "web")->has_rates);
	assert_false(machine(&m, "db")->has_rates);
	is_near(machine(&m, "db")->rates[TOP_RX_BYTES], 0);
	take(&m, other, 3000, 9000, 900, NULL);
	assert_true(m.has_other_engine);
	assert_false(machine(&m, "web")->has_rates);
	take(&m, other, 500, 9000, 900, NULL); /* its clock too */
	assert_false(machine(&m, "web")->has_rates);
	take(&m, other, 1500, 10000, 900, NULL);
	assert_false(m.has_other_engine);
	is_near(machine(&m, "web")->rates[TOP_RX_BYTES], 1000);
	top_model_forget(&m);
}

static void test_order(void **state)
{
	struct top_model m = TOP_MODEL_NULL;

	(void)state;
	take(&m, network, 1000, 0, 0, NULL);
	take(&m, network, 2000, 100, 5000, NULL);
	assert_string_equal(m.machines[0].name, "db");
	assert_string_equal(m.machines[2].name, "user"); /* though it is more */
	m.sort = TOP_BY_TO;
	top_model_arrange(&m);
	assert_string_equal(m.machines[0].name, "web");
	m.sort = TOP_BY_LOST;
	top_model_arrange(&m);
	assert_string_equal(m.machines[0].name, "db");
	m.sort = TOP_BY_NAME;
	strcpy(m.filter, "WE");
	top_model_arrange(&m);
	assert_int_equal(m.n_shown_machines, 1);
	assert_string_equal(m.machines[0].name, "web");
	assert_int_equal(top_model_place(&m, "db"), -1);
	strcpy(m.filter, "0.2.15");
	top_model_arrange(&m);
	assert_int_equal(m.n_shown_machines, 1);
	m.filter[0] = '\0';
	top_model_arrange(&m);
	assert_int_equal(m.n_shown_machines, 3);
	top_model_forget(&m);
}

#define FLOW(guest, peer, sent, age)                                           \
	"{\"proto\":\"tcp\",\"machine\":\"web\",\"guest\":\"" guest            \
	"\",\"peer\":\"" peer "\",\"direction\":\"out\",\"state\":\"open\","   \
	"\"age-ms\":" age ",\"sent-bytes\":" sent ",\"received-bytes\":10,"    \
	"\"rtt-us\":250}"

static void test_flows(void **state)
{
	struct top_model m = TOP_MODEL_NULL;

	(void)state;
	take(&m, network, 1000, 0, 0,
	     "{\"flows\":[" FLOW("1:1", "9:1", "100", "50") ","
	     FLOW("1:2", "9:1", "900", "50") "],\"more\":false}");
	assert_true(m.has_flows && m.n_flows == 2);
	assert_false(m.flows[0].has_rates);
	assert_string_equal(m.flows[0].guest, "1:2"); /* has sent more */
	take(&m, network, 2000, 0, 0,
	     "{\"flows\":[" FLOW("1:1", "9:1", "5100", "1050") ","
	     FLOW("1:2", "9:1", "800", "10") ","
	     FLOW("1:3", "9:1", "700", "300") ","
	     FLOW("1:4", "9:1", "99999", "5000") "],\"more\":true}");
	assert_true(m.has_more);
	assert_string_equal(m.flows[0].guest, "1:1");
	is_near(m.flows[0].sent_rate, 5000);
	assert_int_equal(m.flows[0].rtt_us, 250);
	/* The port was used again, by one that is young. */
	assert_string_equal(m.flows[1].guest, "1:2");
	is_near(m.flows[1].sent_rate, 800);
	is_near(m.flows[2].sent_rate, 700);
	/* An old one that was left out before: nobody knows. */
	assert_string_equal(m.flows[3].guest, "1:4");
	assert_false(m.flows[3].has_rates);
	strcpy(m.filter, "1:3");
	top_model_arrange(&m);
	assert_int_equal(m.n_shown_flows, 1);
	assert_string_equal(m.flows[0].guest, "1:3");
	top_model_forget(&m);
}

/* Texts of others do nothing to a terminal, and answers of another kind
 * nothing to us. */
static void test_hostile(void **state)
{
	struct top_model m = TOP_MODEL_NULL;
	json_t *odd[] = {
		parse("{\"machines\":[{\"name\":\"a\\u001b[2J\\u00e9\"},3,"
		      "\"x\",{}],\"engine\":\"no\",\"mode\":[]}"),
		parse("{\"machines\":{},\"ports\":5}"),
		parse("{\"ports\":[{\"name\":7,\"rx-bytes\":-5},[],"
		      "null],\"drops\":[null,{\"count\":\"many\"}],"
		      "\"uptime-ms\":{}}"),
		parse("{\"flows\":[1,{\"peer\":{}}],\"more\":\"yes\"}"),
		parse("{\"flows\":\"none\"}"),
	};

	(void)state;
	for (unsigned i = 0; i < 2 * array_len(odd); i++) {
		size_t n = array_len(odd);

		for (unsigned k = 0; k < n * n; k++)
			assert_int_equal(top_model_take(&m, odd[i % n],
							odd[k % n], odd[k / n],
							i * 100 + k), 0);
	}
	assert_int_equal(top_model_take(&m, odd[0], odd[2], odd[3], 1), 0);
	m.sort = TOP_BY_NAME;
	top_model_arrange(&m);
	assert_int_equal(top_model_place(&m, "a?[2J??"), 3);
	for (size_t i = 0; i < array_len(odd); i++)
		json_decref(odd[i]);
	top_model_forget(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_resets),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_flows),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
