/* SPDX-License-Identifier: BSD-3-Clause */
/* The router's table: nft takes it, and its forwards come and go. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "os/nft.h"
#include "os/router_table.h"
#include "os/test_site.h"
#include "os/test_user.h"

static const struct prefix host = {
	.ip = {{[10] = 0xff, [11] = 0xff, 10, 0, 2, 2}}, .len = 96 + 24};

static bool has_nft(void)
{
	char path[256];

	return nft_find(path, sizeof(path));
}

/* How often text is in what nft lists of the table. */
static unsigned listed(const char *text)
{
	FILE *f = popen("nft list table inet vmlan-br0", "re");
	char line[512];
	unsigned n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, text) != NULL;
	assert_int_equal(pclose(f), 0);
	return n;
}

static void forward(const struct router_forward *v, unsigned n)
{
	char *json = router_table_forwards("br0", v, n);

	assert_non_null(json);
	ok(nft_run, json, -1);
	free(json);
}

static void a_table_with_forwards(void **state)
{
	const struct router_forward v[] = {
		{.proto = IPPROTO_TCP,
		 .host = {.ip = addr_v4(0, 0, 0, 0), .port = 2222},
		 .guest = {.ip = addr_v4(10, 0, 2, 15), .port = 22}},
		{.proto = IPPROTO_UDP,
		 .host = {.ip = addr_v4(192, 0, 2, 2), .port = 53},
		 .guest = {.ip = addr_v4(10, 0, 2, 16), .port = 5353}},
	};
	struct site *s = *state;
	struct error e = ERROR_NULL;
	char name[ROUTER_TABLE_LEN];
	char *json = router_table("br0", &host);

	if (!has_nft())
		skip();
	assert_non_null(json);
	assert_string_equal(router_table_name("br0", name), "vmlan-br0");
	ok(change_nft_table, &s->j, ROUTER_TABLE_FAMILY, name, json);
	free(json);
	assert_int_equal(listed("ip saddr != 10.0.2.0/24 drop"), 1);
	assert_int_equal(listed("ip saddr 10.0.2.0/24 drop"), 1);
	assert_int_equal(listed("masquerade"), 1);
	assert_int_equal(listed("policy drop"), 0);
	json = router_table_tap("br0", "tap7");
	assert_non_null(json);
	ok(nft_run, json, -1);
	free(json);
	assert_int_equal(listed("iifname \"tap7\" drop"), 1);
	assert_int_equal(listed("oifname \"tap7\" drop"), 2);
	for (int i = 0; i < 2; i++) {
		forward(v, 2);
		assert_int_equal(listed("fib daddr type local tcp dport 2222 "
					"dnat ip to 10.0.2.15:22"),
				 1);
		assert_int_equal(listed("tcp dport 2222 accept"), 1);
		assert_int_equal(listed("ip daddr 192.0.2.2 udp dport 53 dnat "
					"ip to 10.0.2.16:5353"),
				 1);
	}
	forward(v, 1);
	assert_int_equal(listed("dnat ip to"), 1);
	forward(v, 0);
	assert_int_equal(listed("dnat ip to"), 0);
	assert_int_equal(listed("dport"), 0);
	site_undo(s);
	assert_int_equal(nft_table_find("inet", name, &e), 0);
}

#define CHAIN(name, hook, policy)                                              \
	"{\"add\":{\"chain\":{\"family\":\"ip\",\"table\":\"theirs\","         \
	"\"name\":\"" name "\",\"type\":\"filter\",\"hook\":\"" hook           \
	"\",\"prio\":0,\"policy\":\"" policy "\"}}}"

static void what_others_drop(void **state)
{
	static const char table[] = "{\"nftables\":[{\"add\":{\"table\":{"
				    "\"family\":\"ip\",\"name\":\"theirs\"}}},"
				    CHAIN("in", "input", "drop") "," CHAIN(
					    "fwd", "forward", "accept") "]}";
	static const char drops[] =
		"{\"nftables\":[" CHAIN("FORWARD", "forward", "drop") "]}";
	static const char knows[] =
		"{\"nftables\":[{\"add\":{\"rule\":{\"family\":\"ip\","
		"\"table\":\"theirs\",\"chain\":\"FORWARD\",\"expr\":["
		"{\"match\":{\"op\":\"==\",\"left\":{\"meta\":{\"key\":"
		"\"iifname\"}},\"right\":\"vm-*\"}},{\"accept\":null}]}}}]}";
	struct error e = ERROR_NULL;
	char found[64] = "";

	(void)state;
	if (!has_nft())
		skip();
	assert_int_equal(nft_find_dropper("vm-a", found, sizeof(found), &e), 0);
	ok(nft_run, table, -1);
	assert_int_equal(nft_find_dropper("vm-a", found, sizeof(found), &e), 0);
	ok(nft_run, drops, -1);
	assert_int_equal(nft_find_dropper("vm-a", found, sizeof(found), &e), 1);
	assert_string_equal(found, "ip theirs FORWARD");
	ok(nft_run, knows, -1);
	assert_int_equal(nft_find_dropper("vm-a", found, sizeof(found), &e), 0);
	assert_int_equal(nft_find_dropper("br0", found, sizeof(found), &e), 1);
	ok(nft_table_del, "ip", "theirs", -1);
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_table_with_forwards,
						site_set_up, site_tear_down),
		cmocka_unit_test(what_others_drop),
	};

	return cmocka_run_group_tests_name("router_table", tests, NULL, NULL);
}

static int in_netns(void)
{
	return test_in_netns(group);
}

int main(void)
{
	return test_as_both(in_netns);
}
