/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables are complete and consistent, and the help shows all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "grammar/kind.h"
#include "grammar/netdev_priv.h"

/* Kinds and keys as QEMU 11.1 has them, and ours. */
static const char *const keys[][2] = {
	{"none", ""},
	{"nic", "netdev macaddr model addr vectors"},
	{"user", "ipv4 ipv6 net ip host dns dhcpstart ipv6-net ipv6-prefix "
		 "ipv6-prefixlen ipv6-host ipv6-dns ipv6-follow ipv6-router "
		 "nat64 restrict multicast dns-server zone "
		 "router hostname domainname dnssearch mtu tftp bootfile "
		 "tftp-server-name smb smbserver ipv6-smbserver smb-readonly "
		 "hostfwd guestfwd dhcp dhcpv6 "
		 "ra ndp tcp udp icmp mac nameserver resolver ntp "
		 "host-loopback"},
	{"tap", "ifname fd fds script downscript helper br sndbuf vnet_hdr "
		"vhost vhostfd vhostfds vhostforce queues poll-us"},
	{"bridge", "br helper"},
	{"socket", "fd listen connect mcast udp localaddr reconnect-ms max"},
	{"stream", "addr server reconnect-ms max"},
	{"dgram", "local remote"},
	{"vde", "sock port group mode server max mgmt"},
	{"hubport", "hubid netdev"},
	{"l2tpv3", "src dst udp srcport dstport ipv6 txsession rxsession "
		   "txcookie rxcookie cookie64 counter pincounter offset"},
	{"vhost-user", "chardev queues vhostforce path fd server"},
	{"vhost-vdpa", "vhostdev vhostfd queues x-svq"},
	{"af-xdp", "ifname mode force-copy queues start-queue inhibit sock-fds "
		   "map-path map-start-index"},
	{"netmap", "ifname devname"},
	{"vmnet-host", "start-address end-address subnet-mask isolated "
		       "net-uuid"},
	{"vmnet-shared", "start-address end-address subnet-mask isolated "
			 "nat66-prefix"},
	{"vmnet-bridged", "ifname isolated"},
	{"passt", "path vhost-user quiet mtu address netmask gateway interface "
		  "outbound outbound-if4 outbound-if6 dns fqdn "
		  "map-host-loopback map-guest-addr dns-forward dns-host mac "
		  "search dhcp-dns dhcp-search tcp udp icmp dhcp ndp dhcpv6 "
		  "ra freebind ipv4 ipv6 tcp-ports udp-ports param"},
	{"netns", "path pid ifname queues vnet_hdr mac"},
	{"hostif", "ifname addr if mac mtu forward"},
	{"router", "br addr mtu"},
	{"vxlan", "vni remote local port learning ageing ttl df"},
	{"macvtap", "if mode mac queues"},
	{"packet", "if translate"},
};

static void test_every_key_is_known(void **state)
{
	char list[512];
	size_t n = 0;

	for (size_t i = 0; i < array_len(keys); i++) {
		const struct netdev_kind *k = netdev_kind_find(keys[i][0]);

		assert_non_null(k);
		strcpy(list, keys[i][1]);
		for (char *w = strtok(list, " "); w; w = strtok(NULL, " ")) {
			if (!netdev_option_find(k, w))
				fail_msg("%s has no %s", k->name, w);
		}
	}
	while (netdev_kinds[n].name)
		n++;
	assert_int_equal(n, array_len(keys));
}

/* The reference's (QEMU 11.1), a row each in the page's table. */
static const char *const members =
	"type host port to numeric ipv4 ipv6 keep-alive keep-alive-count "
	"keep-alive-idle keep-alive-interval mptcp path abstract tight str cid";
static const char *const forms[] = {
	"-netdev TYPE", "-netdev {", "-nic TYPE",    "-nic ..,model=",
	"-nic ..,mac=", "-nic none", "-net nic",     "-net TYPE",
	"-net ..,name=", "-net none", "-net hubport",
};

static void check_option(const struct netdev_kind *k,
			 const struct netdev_option *o)
{
	struct netdev_spec s = {.kind = k};
	struct value v = {.str = NULL};

	assert_non_null(o->help);
	assert_true(o->type < OPT_N_TYPES);
	assert_ptr_equal(netdev_option_find(k, o->name), o); /* no twins */
	if (o->deflt)
		assert_int_equal(value_set(&s, &v, o, o->name, o->deflt, NULL),
				 0);
	value_deinit(&v);
	if (o->accepts)
		assert_int_equal(
			value_set(&s, &v, o, o->name, o->accepts, NULL), 0);
	value_deinit(&v);
	if (o->flags & OPT_F_REQUIRED)
		assert_null(o->deflt);
	/* what needs a reason has one, and nothing is said twice */
	assert_int_equal(!!o->does,
			 !!(o->flags & (OPT_F_DIFFERS | OPT_F_NO_EFFECT |
					OPT_F_REFUSED)));
	assert_true(!o->accepts || (o->flags & (OPT_F_LATER | OPT_F_REFUSED)));
	if (k->is_extension)
		assert_true(o->flags & OPT_F_EXTENSION);
}

static void test_tables_are_consistent(void **state)
{
	for (const struct netdev_kind *k = netdev_kinds; k->name; k++) {
		assert_non_null(k->help);
		assert_ptr_equal(netdev_kind_find(k->name), k);
		assert_true(k->is_built == !k->not_built);
		assert_false(k->is_built && k->is_foreign);
		for (const struct netdev_option *o = k->options; o->name; o++)
			check_option(k, o);
	}
}

static void test_members_fit(void **state)
{
	unsigned n = 0;

	while (netdev_sockaddr_options[n].opt.name) {
		assert_true(netdev_sockaddr_options[n].types);
		n++;
	}
	assert_int_equal(n, SOCKADDR_N_MEMBERS);
}

static char *printed(void (*print)(const struct netdev_kind *, FILE *),
		     const struct netdev_kind *k)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	print(k, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void print_list(const struct netdev_kind *k, FILE *f)
{
	netdev_help(f);
}

static void print_scdoc(const struct netdev_kind *k, FILE *f)
{
	netdev_help_scdoc(f);
}

static void test_help_shows_all(void **state)
{
	char *list = printed(print_list, NULL);
	char *page = printed(print_scdoc, NULL);

	for (const struct netdev_kind *k = netdev_kinds; k->name; k++) {
		char *help = printed(netdev_kind_help, k);
		char name[64];

		assert_non_null(strstr(list, k->name));
		snprintf(name, sizeof(name), "## %s\n", k->name);
		assert_non_null(strstr(page, name));
		for (const struct netdev_option *o = k->options; o->name; o++) {
			snprintf(name, sizeof(name), "  %s=", o->name);
			assert_non_null(strstr(help, name));
		}
		free(help);
	}
	free(list);
	free(page);
}

static void print_does(const struct netdev_kind *k, FILE *f)
{
	netdev_does_scdoc(f);
}

/* Without scdoc's escapes. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (*text != '\\')
			*to++ = *text;
	}
	*to = '\0';
}

/* The table of a type, up to the next; the rest is cut off. */
static char *table_of(const char *page, const char *name)
{
	char head[64], *at, *end;

	snprintf(head, sizeof(head), "\n## %s\n", name);
	at = strstr(page, head);
	if (!at)
		fail_msg("no table of %s", name);
	at = strdup(at + strlen(head));
	end = strstr(at, "\n## ");
	if (end)
		*end = '\0';
	return at;
}

static void assert_rows(const char *page, const char *name, const char *words)
{
	char list[512], row[64], *table = table_of(page, name);

	strcpy(list, words);
	for (char *w = strtok(list, " "); w; w = strtok(NULL, " ")) {
		const struct netdev_kind *k = netdev_kind_find(name);
		const struct netdev_option *o =
			k ? netdev_option_find(k, w) : NULL;

		snprintf(row, sizeof(row), "*%s*", w);
		if (!(o && (o->flags & OPT_F_EXTENSION)) && !strstr(table, row))
			fail_msg("%s: no row of %s", name, w);
	}
	free(table);
}

static void test_table_has_all(void **state)
{
	char *page = printed(print_does, NULL);

	unescape(page);
	for (size_t i = 0; i < array_len(keys); i++) {
		const struct netdev_kind *k = netdev_kind_find(keys[i][0]);

		if (k->is_extension)
			continue;
		assert_rows(page, keys[i][0], "type");
		assert_rows(page, keys[i][0], keys[i][1]);
	}
	assert_rows(page, "addr., local. and remote.", members);
	for (size_t i = 0; i < array_len(forms); i++) {
		if (!strstr(page, forms[i]))
			fail_msg("no row of %s", forms[i]);
	}
	free(page);
}

static void test_help_marks(void **state)
{
	char *help = printed(netdev_kind_help, netdev_kind_find("stream"));

	assert_non_null(strstr(help, "addr.path="));
	assert_non_null(strstr(help, "[extension]")); /* max= */
	free(help);
	help = printed(netdev_kind_help, netdev_kind_find("netns"));
	assert_non_null(strstr(help, "netns: a tap made inside a network "
				     "namespace [extension]"));
	free(help);
	help = printed(netdev_kind_help, netdev_kind_find("user"));
	assert_non_null(strstr(help, "(default 10.0.2.0/24)"));
	free(help);
	help = printed(netdev_kind_help, netdev_kind_find("tap"));
	assert_non_null(strstr(help, "[without effect]")); /* vhost= */
	free(help);
	help = printed(netdev_kind_help, netdev_kind_find("vhost-user"));
	assert_non_null(strstr(help, "[refused]")); /* chardev= */
	free(help);
	help = printed(netdev_kind_help, netdev_kind_find("macvtap"));
	assert_non_null(strstr(help, "[not built yet, only 1]"));
	free(help);
	help = printed(netdev_kind_help, netdev_kind_find("passt"));
	assert_non_null(strstr(help, "[refused, only off]")); /* freebind= */
	free(help);
	help = printed(netdev_kind_help, netdev_kind_find("netmap"));
	assert_non_null(strstr(help, "Not here; "));
	free(help);
}

static void test_nearest_kind(void **state)
{
	assert_string_equal(netdev_kind_nearest("strem")->name, "stream");
	assert_string_equal(netdev_kind_nearest("USER")->name, "user");
	assert_string_equal(netdev_kind_nearest("vhostuser")->name,
			    "vhost-user");
	assert_non_null(netdev_kind_nearest(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key_is_known),
		cmocka_unit_test(test_tables_are_consistent),
		cmocka_unit_test(test_members_fit),
		cmocka_unit_test(test_help_shows_all),
		cmocka_unit_test(test_table_has_all),
		cmocka_unit_test(test_help_marks),
		cmocka_unit_test(test_nearest_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
