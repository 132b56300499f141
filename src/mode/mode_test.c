/* SPDX-License-Identifier: BSD-3-Clause */
/* Modes: what each expands to, and what is refused in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "mode/mode.h"

/* Netdevs joined by blanks; "!CODE TEXT" if it is refused. */
static const char *expand(const char *text, const struct mode_host *h,
			  char *buf, size_t len)
{
	struct error e = ERROR_NULL;
	struct mode_netdevs n = {.n = 0};
	struct mode_spec s;

	buf[0] = '\0';
	if (mode_parse(text, &s, &e) < 0 || mode_expand(&s, h, &n, &e) < 0)
		snprintf(buf, len, "!%d %.900s", e.code, e.text);
	for (unsigned i = 0; i < n.n; i++) {
		size_t at = strlen(buf);

		snprintf(buf + at, len - at, "%s%s", at ? " " : "", n.text[i]);
	}
	if (n.said[0]) {
		size_t at = strlen(buf);

		snprintf(buf + at, len - at, " (%s)", n.said);
	}
	mode_netdevs_deinit(&n);
	mode_spec_deinit(&s);
	return buf;
}

static void test_expansions(void **state)
{
	static const struct {
		const char *text, *netdevs;
	} rows[] = {
		{"none", ""},
		{"nat", "user,net=10.0.2.0/24"},
		{"nat,net=192.168.9.0/24", "user,net=192.168.9.0/24"},
		{"nat,mtu=9000,dnssearch=a,dnssearch=b",
		 "user,net=10.0.2.0/24,mtu=9000,dnssearch=a,dnssearch=b"},
		{"natnet:lab", "user,net=10.0.2.0/24"},
		{"natnet:lab,backend=user", "user,net=10.0.2.0/24"},
		{"internal:in", ""},
		{"internal:in,dhcp=off", ""},
		{"internal:in,dhcp=on", "user,net=10.0.2.0/24,restrict=on"},
		{"generic,netdev=hubport,,hubid=1", "hubport,hubid=1"},
		{"generic:w,netdev=stream,,addr.type=unix,,addr.path=/a,,,,b,"
		 "netdev=user",
		 "stream,addr.type=unix,addr.path=/a,,b user"},
	};
	const struct mode_host h = {.n_routes = 0};
	char buf[1024];

	for (size_t i = 0; i < array_len(rows); i++)
		assert_string_equal(expand(rows[i].text, &h, buf, sizeof(buf)),
				    rows[i].netdevs);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"", "no mode"},
		{"wifi", "'wifi' is no mode"},
		{"wi\nfi", "'wi?fi' is no mode"},
		{"bridged", "not built yet"},
		{"hostonly:x", "not built yet"},
		{"nat:lab", "natnet:lab is shared"},
		{"none:lab", "no name"},
		{"natnet", "natnet:lab"},
		{"natnet:", "a name is missing"},
		{"natnet:nat", "'nat' is a mode"},
		{"natnet:a/b", "cannot be a network's name"},
		{"natnet:.a", "cannot be a network's name"},
		{"internal", "internal:lab"},
		{"natnet:a,colour=red", "no key 'colour'; it knows net, host"},
		{"none,net=1", "it has none"},
		{"natnet:a,mtu", "mtu= needs a value"},
		{"natnet:a,mtu=", "mtu= needs a value"},
		{"natnet:a,", "no key ''"},
		{"natnet:a,mtu=900,mtu=901", "mtu= is given twice"},
		{"natnet:a,mtu=x", "mtu"},
		{"natnet:a,backend=kernel", "not built yet"},
		{"natnet:a,backend=magic", "must be user"},
		{"natnet:a,dhcp=on", "no key 'dhcp'"},
		{"internal:a,dhcp=maybe", "must be on or off"},
		{"internal:a,mtu=900", "without dhcp=on"},
		{"generic", "name its uplink"},
		{"generic,netdev=usr", "usr"},
	};
	const struct mode_host h = {.n_routes = 0};
	char buf[1024];

	for (size_t i = 0; i < array_len(rows); i++) {
		expand(rows[i].text, &h, buf, sizeof(buf));
		if (strncmp(buf, "!2 ", 3) != 0 || !strstr(buf, rows[i].says))
			fail_msg("%s: %s", rows[i].text, buf);
	}
}

static void test_too_many_options(void **state)
{
	const struct mode_host h = {.n_routes = 0};
	char text[2048] = "natnet:a", buf[1024];

	for (int i = 0; i <= MODE_OPTIONS_MAX; i++)
		strcat(text, ",dnssearch=a");
	expand(text, &h, buf, sizeof(buf));
	assert_non_null(strstr(buf, "more than"));
}

static void test_subnets(void **state)
{
	const struct prefix lan = {.ip = addr_v4(10, 0, 2, 0), .len = 96 + 25};
	const struct prefix wide[] = {
		{.ip = addr_v4(192, 0, 2, 0), .len = 96 + 24},
		{.ip = addr_v4(10, 0, 0, 0), .len = 96 + 8},
	};
	const struct prefix all[] = {
		{.ip = addr_v4(10, 0, 0, 0), .len = 96 + 8},
		{.ip = addr_v4(172, 16, 0, 0), .len = 96 + 12},
		{.ip = addr_v4(192, 168, 0, 0), .len = 96 + 16},
	};
	struct mode_host h = {.routes = &lan, .n_routes = 1};
	char buf[1024];

	assert_string_equal(expand("nat", &h, buf, sizeof(buf)),
			    "user,net=10.0.3.0/24 (the network is 10.0.3.0/24, "
			    "for the host has a route to 10.0.2.0/25)");
	expand("nat,net=10.0.2.128/25", &h, buf, sizeof(buf));
	assert_string_equal(buf, "user,net=10.0.2.128/25");
	expand("natnet:a,net=10.0.0.0/16", &h, buf, sizeof(buf));
	assert_non_null(strstr(buf, "!5 natnet: net=10.0.0.0/16: the host has "
				    "a route to 10.0.2.0/25"));
	h = (struct mode_host){.routes = wide, .n_routes = 2};
	expand("nat", &h, buf, sizeof(buf));
	assert_non_null(strstr(buf, "user,net=172.28.0.0/24"));
	h = (struct mode_host){.routes = all, .n_routes = 3};
	expand("nat", &h, buf, sizeof(buf));
	assert_non_null(strstr(buf, "!5 the host has routes into all"));
	expand("nat,net=100.64.0.0/24", &h, buf, sizeof(buf));
	assert_string_equal(buf, "user,net=100.64.0.0/24");
}

static void test_help_names_all_that_is_built(void **state)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	mode_help(f);
	assert_int_equal(fclose(f), 0);
	for (const struct mode *m = modes; m->word; m++)
		assert_int_equal(strstr(text, m->word) != NULL,
				 m->expand != NULL);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expansions),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_many_options),
		cmocka_unit_test(test_subnets),
		cmocka_unit_test(test_help_names_all_that_is_built),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
