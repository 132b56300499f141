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

static const struct prefix hosts[] = {
	{.ip = {{[10] = 0xff, [11] = 0xff, 10, 0, 2, 2}}, .len = 96 + 24},
	{.ip = {{0xfd, [7] = 1, [15] = 2}}, .len = 64},
};

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
		{.proto = IPPROTO_TCP,
		 .host = {.ip = {{0}}, .port = 2222},
		 .guest = {.ip = {{0xfd, [7] = 1, [15] = 15}}, .port = 22}},
		{.proto = IPPROTO_UDP,
		 .host = {.ip = {{0x20, 0x01, [15] = 2}}, .port = 53},
		 .guest = {.ip = {{0xfd, [7] = 1, [15] = 16}}, .port = 53}},
	};
	struct site *s = *state;
	struct error e = ERROR_NULL;
	char name[ROUTER_TABLE_LEN];
	char *json = router_table("br0", hosts, 2);

	if (!has_nft())
		skip();
	assert_non_null(json);
	assert_string_equal(router_table_name("br0", name), "vmlan-br0");
	ok(change_nft_table, &s->j, ROUTER_TABLE_FAMILY, name, json);
	free(json);
	assert_int_equal(listed("ip saddr != 10.0.2.0/24 drop"), 1);
	assert_int_equal(listed("ip saddr 10.0.2.0/24 drop"), 1);
	assert_int_equal(listed("ip6 saddr { fd00:0:0:1::/64, fe80::/10 } "
				"update @neighbours"),
			 1);
	assert_int_equal(listed("ip6 saddr fd00:0:0:1::/64 drop"), 1);
	assert_int_equal(listed("size 512"), 1);
	assert_int_equal(listed("icmp type echo-request accept"), 1);
	assert_int_equal(listed("icmpv6 type echo-request accept"), 1);
	assert_int_equal(listed("masquerade"), 1);
	assert_int_equal(listed("policy drop"), 0);
	json = router_table_tap("br0", "tap7");
	assert_non_null(json);
	ok(nft_run, json, -1);
	free(json);
	assert_int_equal(listed("iifname \"tap7\" drop"), 1);
	assert_int_equal(listed("oifname \"tap7\" drop"), 2);
	for (int i = 0; i < 2; i++) {
		forward(v, 4);
		assert_int_equal(listed("fib daddr type local tcp dport 2222 "
					"dnat ip to 10.0.2.15:22"),
				 1);
		assert_int_equal(listed("fib daddr type local tcp "
					"dport 2222 ip6 saddr != fe80::/10 "
					"dnat ip6 to [fd00:0:0:1::f]:22"),
				 1);
		assert_int_equal(listed("ip6 daddr 2001::2 udp dport 53 ip6 "
					"saddr != fe80::/10 dnat ip6 to "
					"[fd00:0:0:1::10]:53"),
				 1);
		assert_int_equal(listed("nfproto ipv4 fib daddr type local "
					"tcp dport 2222 accept"),
				 1);
		assert_int_equal(listed("nfproto ipv6 fib daddr type local "
					"tcp dport 2222 accept"),
				 1);
		assert_int_equal(listed("ip daddr 192.0.2.2 udp dport 53 dnat "
					"ip to 10.0.2.16:5353"),
				 1);
	}
	forward(v, 1);
	assert_int_equal(listed("dnat ip"), 1);
	forward(v, 0);
	assert_int_equal(listed("dnat ip"), 0);
	assert_int_equal(listed("dport"), 0);
	site_undo(s);
	assert_int_equal(nft_table_find("inet", name, &e), 0);
}

/* A family that there is not has no way through. */
static void a_table_of_one_family(void **state)
{
	struct site *s = *state;

	if (!has_nft())
		skip();
	for (int i = 0; i < 2; i++) {
		char *json = router_table("br0", &hosts[i], 1);

		assert_non_null(json);
		ok(change_nft_table, &s->j, ROUTER_TABLE_FAMILY, "vmlan-br0",
		   json);
		free(json);
		assert_int_equal(listed("nfproto ipv6 drop"), 1);
		assert_int_equal(listed("nfproto ipv4 drop"), i);
		assert_int_equal(listed("ip saddr"), i ? 0 : 2);
		assert_int_equal(listed("ip6 saddr"), i ? 3 : 0);
		assert_int_equal(listed("icmp type"), i ? 0 : 2);
		assert_int_equal(listed("icmpv6 type"), i ? 3 : 0);
		site_undo(s);
	}
}

#define CHAIN(name, hook, policy)                                              \
	"{\"add\":{\"chain\":{\"family\":\"ip\",\"table\":\"theirs\","         \
	"\"name\":\"" name "\",\"type\":\"filter\",\"hook\":\"" hook           \
	"\",\"prio\":0,\"policy\":\"" policy "\"}}}"

/* chain NULL: there is none. */
static void expect_dropper(const char *ifname, bool with_v6, const char *chain)
{
	struct error e = ERROR_NULL;
	char found[64] = "";

	assert_int_equal(nft_find_dropper(ifname, with_v6, found,
					  sizeof(found), &e),
			 chain != NULL);
	assert_string_equal(found, chain ? chain : "");
}

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
	static const char of_ip6[] =
		"{\"nftables\":[{\"add\":{\"table\":{\"family\":\"ip6\","
		"\"name\":\"t6\"}}},{\"add\":{\"chain\":{\"family\":"
		"\"ip6\",\"table\":\"t6\",\"name\":\"F\",\"type\":"
		"\"filter\",\"hook\":\"forward\",\"prio\":0,"
		"\"policy\":\"drop\"}}}]}";

	(void)state;
	if (!has_nft())
		skip();
	expect_dropper("vm-a", true, NULL);
	ok(nft_run, of_ip6, -1);
	expect_dropper("vm-a", true, "ip6 t6 F");
	expect_dropper("vm-a", false, NULL);
	ok(nft_table_del, "ip6", "t6", -1);
	ok(nft_run, table, -1);
	expect_dropper("vm-a", false, NULL);
	ok(nft_run, drops, -1);
	expect_dropper("vm-a", false, "ip theirs FORWARD");
	ok(nft_run, knows, -1);
	expect_dropper("vm-a", false, NULL);
	expect_dropper("br0", false, "ip theirs FORWARD");
	ok(nft_table_del, "ip", "theirs", -1);
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_table_with_forwards,
						site_set_up, site_tear_down),
		cmocka_unit_test_setup_teardown(a_table_of_one_family,
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
