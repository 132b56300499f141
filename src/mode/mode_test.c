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
		{"internal:in,dhcp=on",
		 "user,net=10.0.2.0/24,restrict=on,zone=vm.lan"},
		{"internal:in,exec=on", ""},
		{"internal:in,dhcp=on,exec=on",
		 "user,net=10.0.2.0/24,restrict=on,zone=vm.lan"},
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

static bool wlan_is_wireless(const char *ifname)
{
	return strcmp(ifname, "wlan0") == 0;
}

/* "!N": refused with that status. */
struct expansion {
	const char *text, *as_user, *as_root;
};

static void assert_expands(const struct expansion *rows, size_t n_rows)
{
	const struct prefix route = {.ip = addr_v4(172, 16, 0, 0),
				     .len = 96 + 12};
	struct mode_host h = {.routes = &route,
			      .n_routes = 1,
			      .is_wireless = wlan_is_wireless};
	char buf[1024];

	for (unsigned i = 0; i < 2 * n_rows; i++) {
		bool as_root = i % 2;
		const char *want =
			as_root ? rows[i / 2].as_root : rows[i / 2].as_user;
		char *said;

		h.may_make_links = h.may_make_macvtaps = as_root;
		expand(rows[i / 2].text, &h, buf, sizeof(buf));
		said = strstr(buf, " (");
		if (said && buf[0] != '!')
			*said = '\0';
		if (want[0] == '!' ? strncmp(buf, want, 3) != 0
				   : strcmp(buf, want) != 0)
			fail_msg("%s: '%s', not '%s'", rows[i / 2].text, buf,
				 want);
	}
}

/* What root may, and how a card is shared with Wi-Fi in mind. */
static void test_on_the_hosts_networks(void **state)
{
	static const struct expansion rows[] = {
		{"bridged,bridge=br0", "bridge,br=br0", "bridge,br=br0"},
		{"bridged:x,bridge=br1,helper=/a,,b",
		 "bridge,br=br1,helper=/a,,b", "bridge,br=br1,helper=/a,,b"},
		{"bridged,if=eth0", "packet,if=eth0",
		 "macvtap,if=eth0 hostif,if=eth0"},
		{"bridged,if=eth0,via=packet", "packet,if=eth0",
		 "packet,if=eth0 hostif,if=eth0"},
		{"bridged,if=eth0,host=off", "packet,if=eth0",
		 "macvtap,if=eth0"},
		{"bridged,if=eth0,host=on", "!6 ",
		 "macvtap,if=eth0 hostif,if=eth0"},
		{"bridged,if=eth0,via=macvtap", "macvtap,if=eth0",
		 "macvtap,if=eth0 hostif,if=eth0"},
		{"bridged,if=eth0,translate=on", "packet,if=eth0,translate=on",
		 "packet,if=eth0,translate=on hostif,if=eth0"},
		{"bridged,if=wlan0", "packet,if=wlan0,translate=on",
		 "packet,if=wlan0,translate=on hostif,if=wlan0"},
		{"bridged,if=wlan0,translate=off", "packet,if=wlan0",
		 "macvtap,if=wlan0 hostif,if=wlan0"},
		{"bridged,if=wlan0,via=macvtap", "macvtap,if=wlan0",
		 "macvtap,if=wlan0 hostif,if=wlan0"},
		{"hostonly:lab",
		 "user,net=192.168.56.0/24,host=192.168.56.2,"
		 "dns=192.168.56.3,zone=vm.lan,restrict=on",
		 "hostif,ifname=vm-lab,addr=192.168.56.1/24 "
		 "user,net=192.168.56.0/24,host=192.168.56.2,"
		 "dns=192.168.56.3,zone=vm.lan,restrict=on"},
		{"hostonly:a-very-long-name,addr=10.9.0.3/24,mtu=900,"
		 "dhcpstart=10.9.0.7,dnssearch=a,dnssearch=b",
		 "user,net=10.9.0.0/24,host=10.9.0.1,dns=10.9.0.2,mtu=900,"
		 "dhcpstart=10.9.0.7,dnssearch=a,dnssearch=b,"
		 "zone=vm.lan,restrict=on",
		 "hostif,ifname=vm-a-very-long-,addr=10.9.0.3/24,mtu=900 "
		 "user,net=10.9.0.0/24,host=10.9.0.1,dns=10.9.0.2,mtu=900,"
		 "dhcpstart=10.9.0.7,dnssearch=a,dnssearch=b,"
		 "zone=vm.lan,restrict=on"},
		{"hostonly:x,addr=10.9.0.2/24,dhcp=off", "",
		 "hostif,ifname=vm-x,addr=10.9.0.2/24"},
		{"hostonly:x,addr=10.9.0.2/24,ifname=h0", "!6 ",
		 "hostif,ifname=h0,addr=10.9.0.2/24 user,net=10.9.0.0/24,"
		 "host=10.9.0.1,dns=10.9.0.3,zone=vm.lan,restrict=on"},
		{"hostonly:x,addr=172.16.5.1/24", "!5 ", "!5 "},
		{"natnet:lab,backend=kernel", "!6 ",
		 "router,br=vm-lab,addr=10.0.2.2/24 "
		 "user,net=10.0.2.0/24,host=10.0.2.1,router=10.0.2.2,"
		 "restrict=services"},
		{"natnet:a-very-long-name,backend=kernel,host=10.9.0.1,"
		 "net=10.9.0.0/24,mtu=900,dnssearch=a",
		 "!6 ",
		 "router,br=vm-a-very-long-,addr=10.9.0.1/24,mtu=900 "
		 "user,net=10.9.0.0/24,mtu=900,dnssearch=a,"
		 "host=10.9.0.2,router=10.9.0.1,restrict=services"},
		{"natnet:x,ifname=br-x,backend=kernel,net=10.9.0.0/29,"
		 "dhcpstart=10.9.0.1",
		 "!6 ",
		 "router,br=br-x,addr=10.9.0.2/29 "
		 "user,net=10.9.0.0/29,dhcpstart=10.9.0.1,host=10.9.0.4,"
		 "router=10.9.0.2,restrict=services"},
		{"natnet:x,backend=kernel,net=172.16.5.0/24", "!6 ", "!5 "},
		{"natnet:x,backend=kernel,ifname=a b", "!6 ", "!2 "},
	};

	assert_expands(rows, array_len(rows));
}

static void test_services(void **state)
{
	static const struct expansion rows[] = {
		{"hostonly:x,addr=10.9.0.4/24,smb=/a,,b,smb-readonly=on",
		 "user,net=10.9.0.0/24,host=10.9.0.1,dns=10.9.0.2,"
		 "smbserver=10.9.0.3,smb=/a,,b,smb-readonly=on,zone=vm.lan,"
		 "restrict=on",
		 "hostif,ifname=vm-x,addr=10.9.0.4/24 "
		 "user,net=10.9.0.0/24,host=10.9.0.1,dns=10.9.0.2,"
		 "smbserver=10.9.0.3,smb=/a,,b,smb-readonly=on,zone=vm.lan,"
		 "restrict=on"},
		{"hostonly:x,addr=10.9.0.1/24,smb=/a,smbserver=10.9.0.9,"
		 "mtu=900",
		 "user,net=10.9.0.0/24,host=10.9.0.2,dns=10.9.0.3,"
		 "smb=/a,smbserver=10.9.0.9,mtu=900,"
		 "zone=vm.lan,restrict=on",
		 "hostif,ifname=vm-x,addr=10.9.0.1/24,mtu=900 "
		 "user,net=10.9.0.0/24,host=10.9.0.2,dns=10.9.0.3,"
		 "smb=/a,smbserver=10.9.0.9,mtu=900,"
		 "zone=vm.lan,restrict=on"},
		{"natnet:x,smb=/a,backend=kernel", "!6 ",
		 "router,br=vm-x,addr=10.0.2.2/24 "
		 "user,net=10.0.2.0/24,smb=/a,host=10.0.2.1,"
		 "router=10.0.2.2,restrict=services"},
		{"internal:x,dhcp=on,smb=/a",
		 "user,net=10.0.2.0/24,smb=/a,restrict=on,"
		 "zone=vm.lan",
		 "user,net=10.0.2.0/24,smb=/a,restrict=on,"
		 "zone=vm.lan"},
	};

	assert_expands(rows, array_len(rows));
}

/* The host's own network there: the next is taken. */
static void test_hostonly_moves(void **state)
{
	const struct prefix route = {.ip = addr_v4(192, 168, 56, 0),
				     .len = 96 + 23};
	const struct mode_host h = {
		.routes = &route, .n_routes = 1, .may_make_links = true};
	char buf[1024];

	expand("hostonly:x,dhcp=off", &h, buf, sizeof(buf));
	assert_string_equal(buf, "hostif,ifname=vm-x,addr=192.168.58.1/24 "
				 "(the host is 192.168.58.1/24 on it)");
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"", "no mode"},
		{"wifi", "'wifi' is no mode"},
		{"wi\nfi", "'wi?fi' is no mode"},
		{"bridged", "bridge=br0 names a bridge of the host"},
		{"bridged,bridge=br0,if=eth0", "not both"},
		{"bridged,bridge=br0,via=packet", "are for if="},
		{"bridged,bridge=br0,host=on", "are for if="},
		{"bridged,if=eth0,host=yes", "must be on or off"},
		{"bridged,if=eth0,helper=/x", "helper= is for bridge="},
		{"bridged,if=eth0,via=tap", "must be macvtap or packet"},
		{"bridged,if=eth0,translate=maybe", "must be on or off"},
		{"bridged,if=eth0,via=macvtap,translate=on", "leave via= out"},
		{"bridged,bridge=a/b", "name of an interface"},
		{"bridged,mtu=900", "no key 'mtu'; it knows bridge, helper"},
		{"hostonly", "hostonly:lab"},
		{"hostonly:x,dhcp=maybe", "must be on or off"},
		{"hostonly:x,dhcp=off,smb=/a", "there is no server for smb="},
		{"internal:x,smb=/a", "without dhcp=on"},
		{"nat,smb=/a,smbserver=10.0.2.2", "Conflicting/invalid"},
		{"hostonly:x,addr=10.0.0.1", "must be an IPv4 address"},
		{"hostonly:x,addr=fd00::1/64", "must be an IPv4 address"},
		{"hostonly:x,net=10.0.0.0/8", "no key 'net'; it knows addr"},
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
		{"natnet:a,ifname=x", "is for backend=kernel"},
		{"natnet:a,backend=magic", "must be user or kernel"},
		{"natnet:a,dhcp=on", "no key 'dhcp'"},
		{"internal:a,dhcp=maybe", "must be on or off"},
		{"internal:a,exec=maybe", "must be on or off"},
		{"internal:a,exec=on,mtu=900", "without dhcp=on"},
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
	char text[16 * (MODE_OPTIONS_MAX + 2)] = "natnet:a", buf[1024];

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
	h.may_make_links = true;
	expand("natnet:lab,backend=kernel", &h, buf, sizeof(buf));
	assert_non_null(strstr(buf, "(the network is 10.0.3.0/24, "));
	assert_non_null(strstr(buf, "; the host's kernel is its router, "
				    "10.0.3.2)"));
	h = (struct mode_host){.routes = wide, .n_routes = 2};
	expand("nat", &h, buf, sizeof(buf));
	assert_non_null(strstr(buf, "user,net=172.28.0.0/24"));
	h = (struct mode_host){.routes = all, .n_routes = 3};
	expand("nat", &h, buf, sizeof(buf));
	assert_non_null(strstr(buf, "!5 the host has routes into all"));
	expand("nat,net=100.64.0.0/24", &h, buf, sizeof(buf));
	assert_string_equal(buf, "user,net=100.64.0.0/24");
}

static void test_ipv6(void **state)
{
	static const struct {
		const char *text, *netdevs; /* or how it begins */
	} rows[] = {
		{"nat,ipv6=off", "user,net=10.0.2.0/24,ipv6=off"},
		{"nat,ipv6=on,ipv6-net=fd01::/64",
		 "user,net=10.0.2.0/24,ipv6-net=fd01::/64"},
		{"nat,ipv4=off,ipv6-net=fd01::/64",
		 "user,ipv4=off,ipv6-net=fd01::/64"},
		{"nat,ipv4=on,mtu=1279", "user,net=10.0.2.0/24,mtu=1279"},
		{"natnet:x,ipv4=off,ipv6=off", "!2 user: IPv4 and IPv6 dis"},
		{"natnet:x,ipv6=yes", "!2 natnet: ipv6= must be on or off"},
		{"natnet:x,prefix=host",
		 "!5 natnet: prefix=host: the host has no IPv6 prefix shorter"},
		{"natnet:x,prefix=mine",
		 "!2 natnet: prefix= must be host or ula"},
		{"natnet:x,prefix=host,ipv6-net=fd00::",
		 "!2 natnet: prefix= chooses what ipv6-net= names"},
		{"natnet:x,prefix=host,ipv6=off",
		 "!2 natnet: prefix= is for IPv6"},
		{"natnet:x,ipv6-net=fe80::/64", "!2 user: a network of guests"},
		{"natnet:x,ipv6-net=fd77::/48",
		 "!5 natnet: ipv6-net=fd77::/48: the host has a route to "
		 "fd77:0:0:1::/64"},
		{"natnet:x,ipv6=off,ipv6-net=fd01::/64",
		 "!2 natnet: ipv6-net= is for IPv6, which ipv6=off turns off"},
		{"hostonly:x,ipv6=off,ipv6-net=fd01::/64",
		 "!2 hostonly: ipv6-net= is for IPv6, which ipv6=off turns "
		 "off"},
		{"nat,ipv6=off,ipv6-host=fd01::2",
		 "!2 user: IPv6 disabled but prefix/host6/dns6 provided"},
		{"nat,ipv6=on,mtu=1279",
		 "!2 nat: IPv6 takes an mtu= of 1280, and ipv6=on asks for "
		 "it"},
		{"nat,ipv4=off,mtu=1279", "!2 user: IPv6 takes an mtu= of"},
		{"nat,prefix=ula,mtu=1279",
		 "!2 nat: IPv6 takes an mtu= of 1280, and prefix=ula asks for "
		 "it"},
		{"hostonly:x,ipv6=on,mtu=1279", "!2 hostonly: IPv6 takes"},
		{"nat,ipv4=off,nat64=on,ipv6-net=fd01::/64",
		 "user,ipv4=off,nat64=on,ipv6-net=fd01::/64"},
		{"natnet:x,nat64=on,ipv6=off", "!2 user: NAT64 is for guests"},
		{"natnet:x,nat64=on,backend=kernel",
		 "!2 natnet: nat64=on is for backend=user"},
		{"natnet:x,backend=kernel,ipv6-net=fd01::/64",
		 "router,br=vm-x,addr=10.0.2.2/24,addr=fd01::2/64 "
		 "user,net=10.0.2.0/24,ipv6-net=fd01::/64,host=10.0.2.1,"
		 "router=10.0.2.2,ipv6-host=fd01::1,ipv6-router=fe80::1,"
		 "restrict=services (the host's kernel is its router, 10.0.2.2 "
		 "and fd01::2)"},
		{"natnet:x,backend=kernel,ipv6-net=fd01::/64,ipv6-host=fd01::1,"
		 "net=10.9.0.0/24,host=10.9.0.1",
		 "router,br=vm-x,addr=10.9.0.1/24,addr=fd01::1/64 "
		 "user,ipv6-net=fd01::/64,net=10.9.0.0/24,host=10.9.0.2,"
		 "router=10.9.0.1,ipv6-host=fd01::2,ipv6-router=fe80::1,"
		 "restrict=services"},
		{"natnet:x,backend=kernel,ipv6-net=fd01::/64,"
		 "net=10.9.0.0/24,host=10.9.0.3,dns=10.9.0.4",
		 "router,br=vm-x,addr=10.9.0.3/24,addr=fd01::4/64 "},
		{"natnet:x,backend=kernel,ipv4=off,ipv6-net=fd01::/64",
		 "router,br=vm-x,addr=fd01::2/64 user,ipv4=off,"
		 "ipv6-net=fd01::/64,ipv6-host=fd01::1,ipv6-router=fe80::1,"
		 "restrict=services (the host's kernel is its router, "
		 "fd01::2)"},
		{"natnet:x,backend=kernel,ipv6=off",
		 "router,br=vm-x,addr=10.0.2.2/24 user,net=10.0.2.0/24,"
		 "ipv6=off,host=10.0.2.1,router=10.0.2.2,restrict=services "
		 "(the host's kernel is its router, 10.0.2.2)"},
		{"natnet:x,backend=kernel,mtu=1000",
		 "router,br=vm-x,addr=10.0.2.2/24,mtu=1000 user,"},
		{"hostonly:x,ipv6-net=fd01::/64",
		 "hostif,ifname=vm-x,addr=192.168.56.1/24,addr=fd01::1/64 "
		 "user,net=192.168.56.0/24,host=192.168.56.2,"
		 "dns=192.168.56.3,ipv6-net=fd01::/64,"
		 "zone=vm.lan,restrict=on (the host "
		 "is 192.168.56.1/24 and fd01::1/64 on it)"},
		{"hostonly:x,ipv6=off",
		 "hostif,ifname=vm-x,addr=192.168.56.1/24 "
		 "user,net=192.168.56.0/24,host=192.168.56.2,"
		 "dns=192.168.56.3,ipv6=off,zone=vm.lan,restrict=on"},
		{"internal:x", ""},
	};
	struct prefix route = {.len = 64};
	const struct mode_host h = {.routes = &route,
				    .n_routes = 1,
				    .host_id = "a@0",
				    .may_make_links = true,
				    .may_have_ipv6 = true};
	char buf[1024];

	assert_true(addr_parse("fd77:0:0:1::", &route.ip));
	for (size_t i = 0; i < array_len(rows); i++) {
		const char *want = rows[i].netdevs;

		expand(rows[i].text, &h, buf, sizeof(buf));
		if (strncmp(buf, want, strlen(want)) != 0)
			fail_msg("%s: '%s', not '%s'", rows[i].text, buf, want);
	}
}

/* The network that an expansion names by ipv6-net=. */
static struct prefix net6(const char *text, const struct mode_host *h)
{
	char buf[1024], ip[ADDR_STRLEN] = "";
	struct prefix p = {.len = 0};
	const char *at;

	expand(text, h, buf, sizeof(buf));
	at = strstr(buf, "ipv6-net=");
	if (!at)
		fail_msg("%s: %s", text, buf);
	at += strlen("ipv6-net=");
	memcpy(ip, at, strcspn(at, "/"));
	assert_true(addr_parse(ip, &p.ip));
	p.len = (uint8_t)atoi(at + strcspn(at, "/") + 1);
	return p;
}

/* The same each time; another of another network, user or host; moved out of
 * the way of a route. */
static void test_own_prefixes(void **state)
{
	struct mode_host h = {.host_id = "a@0"};
	struct prefix first = net6("natnet:x", &h), p = net6("natnet:x", &h);
	struct prefix other;
	char text[ADDR_STRLEN];

	assert_int_equal(first.ip.b[0], 0xfd);
	assert_int_equal(first.len, 64);
	assert_true(addr_eq(&first.ip, &p.ip));
	/* for ever: guests have it in their files */
	assert_string_equal(addr_format(&first.ip, text),
			    "fd26:aa67:4b34:299f::");
	p = net6("internal:x,dhcp=on", &h);
	assert_true(addr_eq(&first.ip, &p.ip));
	p = net6("natnet:y", &h);
	assert_false(addr_eq(&first.ip, &p.ip));
	/* a network of each machine */
	h.machine = "web";
	p = net6("nat", &h);
	h.machine = "db";
	other = net6("nat", &h);
	assert_false(addr_eq(&other.ip, &p.ip));
	h.machine = "web";
	other = net6("nat", &h);
	assert_true(addr_eq(&other.ip, &p.ip));
	h.host_id = "a@1";
	p = net6("natnet:x", &h);
	assert_false(addr_eq(&first.ip, &p.ip));
	h = (struct mode_host){
		.host_id = "a@0", .routes = &first, .n_routes = 1};
	first.len = 48;
	p = net6("natnet:x", &h);
	assert_int_equal(p.ip.b[0], 0xfd);
	assert_false(prefix_has(&first, &p.ip));
}

/* The machines have IPv6 among themselves, and the host does not. */
static void test_a_host_without_ipv6(void **state)
{
	const struct mode_host h = {.host_id = "a@0", .may_make_links = true};
	char buf[1024];

	expand("hostonly:x,ipv6-net=fd01::/64", &h, buf, sizeof(buf));
	assert_string_equal(
		buf, "hostif,ifname=vm-x,addr=192.168.56.1/24 "
		     "user,net=192.168.56.0/24,host=192.168.56.2,"
		     "dns=192.168.56.3,ipv6-net=fd01::/64,"
		     "zone=vm.lan,restrict=on (the "
		     "host is 192.168.56.1/24 on it, without IPv6, which it "
		     "has turned off: net.ipv6.conf.default.disable_ipv6)");
	expand("hostonly:x,ipv6=off,dhcp=off", &h, buf, sizeof(buf));
	assert_string_equal(buf, "hostif,ifname=vm-x,addr=192.168.56.1/24 "
				 "(the host is 192.168.56.1/24 on it)");
}

static void test_the_hosts_prefix(void **state)
{
	struct prefix mine[2] = {{.len = 56}, {.len = 60}};
	struct prefix routes[17] = {{.len = 56}};
	struct mode_host h = {.host_id = "a@0",
			      .routes = routes,
			      .n_routes = 1,
			      .delegated = mine,
			      .n_delegated = 1};
	struct prefix p;
	char buf[1024];

	assert_true(addr_parse("2001:db8:0:ff00::", &mine[0].ip));
	routes[0] = mine[0];
	p = net6("natnet:x,prefix=host", &h);
	expand("natnet:x,prefix=host", &h, buf, sizeof(buf));
	assert_non_null(strstr(buf, "::/64,ipv6-follow=on"));
	assert_int_equal(p.len, 64);
	assert_true(prefix_has(&mine[0], &p.ip));
	assert_false(addr_eq(&mine[0].ip, &p.ip));
	/* all of it is in use */
	mine[0].len = 60;
	for (uint8_t i = 0; i < 16; i++) {
		routes[i + 1] = (struct prefix){.ip = mine[0].ip, .len = 64};
		routes[i + 1].ip.b[7] |= i;
	}
	h.n_routes = 17;
	expand("natnet:x,prefix=host", &h, buf, sizeof(buf));
	assert_non_null(strstr(buf, "!5 natnet: prefix=host: "));
	assert_true(addr_parse("2001:db8:0:10::", &mine[1].ip));
	h.n_delegated = 2;
	p = net6("natnet:x,prefix=host", &h);
	assert_true(prefix_has(&mine[1], &p.ip));
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
		cmocka_unit_test(test_on_the_hosts_networks),
		cmocka_unit_test(test_services),
		cmocka_unit_test(test_hostonly_moves),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_many_options),
		cmocka_unit_test(test_subnets),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_own_prefixes),
		cmocka_unit_test(test_a_host_without_ipv6),
		cmocka_unit_test(test_the_hosts_prefix),
		cmocka_unit_test(test_help_names_all_that_is_built),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
