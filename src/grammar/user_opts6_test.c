/* SPDX-License-Identifier: BSD-3-Clause */
/* The IPv6 options of `user` resolved: families, defaults, and every
 * refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "grammar/user_opts.h"

/* A text and the one line it is answered with. */
static const char *const bad_users[][2] = {
	{"user,ipv6-net=x", "user: Failed to parse IPv6 prefix (ipv6-net=x)"},
	{"user,ipv6-net=", "user: Failed to parse IPv6 prefix (ipv6-net=)"},
	{"user,ipv6-net=/64",
	 "user: Failed to parse IPv6 prefix (ipv6-net=/64)"},
	{"user,ipv6-net=10.0.2.0",
	 "user: Failed to parse IPv6 prefix (ipv6-net=10.0.2.0)"},
	{"user,ipv6-net=::ffff:10.0.2.0/120",
	 "user: Failed to parse IPv6 prefix (ipv6-net=::ffff:10.0.2.0/120)"},
	{"user,ipv6-net=fd00::/",
	 "user: parameter 'ipv6-net' expects a number after '/'"},
	{"user,ipv6-net=fd00::/x",
	 "user: parameter 'ipv6-net' expects a number after '/'"},
	{"user,ipv6-net=fd00::/64/3",
	 "user: parameter 'ipv6-net' expects a number after '/'"},
	{"user,ipv6-net=fd00::/127",
	 "user: Invalid IPv6 prefix provided (IPv6 prefix length must be "
	 "between 0 and 126) (ipv6-net=fd00::/127)"},
	{"user,ipv6-net=fd00::/99999999999999999999",
	 "user: Invalid IPv6 prefix provided (IPv6 prefix length must be "
	 "between 0 and 126) (ipv6-net=fd00::/99999999999999999999)"},
	{"user,ipv6-prefix=x",
	 "user: Failed to parse IPv6 prefix (ipv6-prefix=x)"},
	{"user,ipv6-prefixlen=-1",
	 "user: Invalid IPv6 prefix provided (IPv6 prefix length must be "
	 "between 0 and 126) (ipv6-prefixlen=-1)"},
	{"user,ipv6-prefix=fd00::,ipv6-prefixlen=127",
	 "user: Invalid IPv6 prefix provided (IPv6 prefix length must be "
	 "between 0 and 126) (ipv6-prefixlen=127)"},
	{"user,ipv6-net=fd00::,ipv6-prefixlen=64",
	 "user: ipv6-net= and ipv6-prefix= are two spellings of one thing, "
	 "give ipv6-net= only"},
	{"user,ipv6-net=ff02::/64",
	 "user: a network of guests cannot be multicast, reserved, loopback "
	 "or of the link (ipv6-net=ff02::/64)"},
	{"user,ipv6-net=::1/64",
	 "user: a network of guests cannot be multicast, reserved, loopback "
	 "or of the link (ipv6-net=::1/64)"},
	{"user,ipv6-net=fe80::/64",
	 "user: a network of guests cannot be multicast, reserved, loopback "
	 "or of the link (ipv6-net=fe80::/64)"},
	{"user,ipv6-prefix=f800::,ipv6-prefixlen=4",
	 "user: a network of guests cannot be multicast, reserved, loopback "
	 "or of the link (ipv6-prefix=f800::)"},
	{"user,nat64=on,ipv6=off",
	 "user: NAT64 is for guests with IPv6, and that is off (nat64=on)"},
	{"user,nat64=on,ipv4=on",
	 "user: NAT64 is for guests with IPv6, and that is off (nat64=on)"},
	{"user,ipv6-follow=on,ipv6-net=2001:db8::/64,ipv6-router=fe80::1",
	 "user: the network of another router does not move "
	 "(ipv6-follow=on)"},
	{"user,ipv6-follow=on",
	 "user: what follows the host is a /64 given by ipv6-net= "
	 "(ipv6-follow=on)"},
	{"user,ipv6-follow=on,ipv6-net=2001:db8::/80",
	 "user: what follows the host is a /64 given by ipv6-net= "
	 "(ipv6-follow=on)"},
	{"user,nat64=on,mtu=600",
	 "user: IPv6 takes an mtu= of 1280 (mtu=600)"},
	{"user,ipv6-host=x", "user: Failed to parse IPv6 host (ipv6-host=x)"},
	{"user,ipv6-host=fd00::1",
	 "user: IPv6 Host doesn't belong to network (ipv6-host=fd00::1)"},
	{"user,ipv6-host=fec0::",
	 "user: this is the address of all routers of the network (RFC 4291 "
	 "2.6.1) (ipv6-host=fec0::)"},
	{"user,ipv6-dns=x", "user: Failed to parse IPv6 DNS (ipv6-dns=x)"},
	{"user,ipv6-dns=10.0.2.3",
	 "user: Failed to parse IPv6 DNS (ipv6-dns=10.0.2.3)"},
	{"user,ipv6-dns=fec0::2",
	 "user: IPv6 DNS must be different from IPv6 host (ipv6-dns=fec0::2)"},
	{"user,ipv6-host=fec0::3",
	 "user: IPv6 DNS must be different from IPv6 host (ipv6-dns= not "
	 "given)"},
	{"user,ipv6-router=fd00::1",
	 "user: a router is known by its address of the link (fe80::/10) "
	 "(ipv6-router=fd00::1)"},
	{"user,ipv6-router=fe80::2",
	 "user: this is the gateway's own address (ipv6-router=fe80::2)"},
	{"user,ipv6-router=fe80::1,ipv6=off",
	 "user: IPv6 disabled but prefix/host6/dns6 provided"},
	{"user,ipv6-dns=ff02::1",
	 "user: nobody can have this address (ipv6-dns=ff02::1)"},
	{"user,ipv6-dns=::1",
	 "user: nobody can have this address (ipv6-dns=::1)"},
	{"user,ipv6-dns=fe80::3",
	 "user: nobody can have this address (ipv6-dns=fe80::3)"},
	{"user,ipv6-dns=fec0::",
	 "user: this is the address of all routers of the network (RFC 4291 "
	 "2.6.1) (ipv6-dns=fec0::)"},
	{"user,restrict=on,ipv6-dns=fd00::3",
	 "user: IPv6 DNS doesn't belong to network (ipv6-dns=fd00::3)"},
	{"user,ipv4=off,mtu=1279",
	 "user: IPv6 takes an mtu= of 1280 (mtu=1279)"},
	{"user,ipv4=on,ipv6=on,mtu=1279",
	 "user: IPv6 takes an mtu= of 1280 (mtu=1279)"},
	{"user,guestfwd=tcp:[fec0::9]:80-cmd:cat,ipv6=off",
	 "user: Conflicting/invalid host:port in guest forwarding rule "
	 "'tcp:[fec0::9]:80-cmd:cat'"},
	{"user,ipv6=on,guestfwd=tcp:10.0.2.9:80-cmd:cat",
	 "user: Conflicting/invalid host:port in guest forwarding rule "
	 "'tcp:10.0.2.9:80-cmd:cat'"},
	{"user,ipv6-net=fd00::/64,guestfwd=tcp:[fec0::9]:80-cmd:cat",
	 "user: Conflicting/invalid host:port in guest forwarding rule "
	 "'tcp:[fec0::9]:80-cmd:cat'"},
	{"user,ipv6=on,guestfwd=tcp:[fec0::3]:53-cmd:cat",
	 "user: Conflicting/invalid host:port in guest forwarding rule "
	 "'tcp:[fec0::3]:53-cmd:cat'"},
	{"user,ipv6=on,guestfwd=tcp:[fec0::]:53-cmd:cat",
	 "user: Conflicting/invalid host:port in guest forwarding rule "
	 "'tcp:[fec0::]:53-cmd:cat'"},
};

static int resolve(const char *text, struct user_opts *o, struct error *e)
{
	struct netdev_spec *s = NULL;
	int r = netdev_parse(text, &s, e);

	*o = USER_OPTS_NULL;
	if (r == 0)
		r = netdev_user_resolve(s, o, e);
	netdev_spec_free(s);
	return r;
}

static void refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(bad_users); i++) {
		struct error e = ERROR_NULL;
		struct user_opts o;

		if (resolve(bad_users[i][0], &o, &e) >= 0)
			fail_msg("accepted: %s", bad_users[i][0]);
		assert_int_equal(e.code, EXIT_USAGE);
		assert_string_equal(e.text, bad_users[i][1]);
	}
}

/* Text, then network/length, host, dns. */
static const char *const nets[][2] = {
	{"user", "fec0::/64 fec0::2 fec0::3"},
	{"user,ipv6-net=fd00:1::", "fd00:1::/64 fd00:1::2 fd00:1::3"},
	{"user,ipv6-net=fd00:1::77/64", "fd00:1::/64 fd00:1::2 fd00:1::3"},
	{"user,ipv6-net=fd00::/0", "fd00::/64 fd00::2 fd00::3"},
	{"user,ipv6-net=fd00::/126", "fd00::/126 fd00::2 fd00::3"},
	{"user,ipv6-net=fd00::/0048", "fd00::/48 fd00::2 fd00::3"},
	{"user,ipv6-prefix=fd01::,ipv6-prefixlen=80",
	 "fd01::/80 fd01::2 fd01::3"},
	{"user,ipv6-prefixlen=0", "fec0::/64 fec0::2 fec0::3"},
	{"user,ipv6-host=fec0::1,ipv6-dns=2001:db8::53",
	 "fec0::/64 fec0::1 2001:db8::53"},
	{"{\"type\":\"user\",\"id\":\"n\",\"ipv6-prefix\":\"fd02::\","
	 "\"ipv6-prefixlen\":56}",
	 "fd02::/56 fd02::2 fd02::3"},
};

static void networks(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_len(nets); i++) {
		char net[ADDR_STRLEN], host[ADDR_STRLEN], dns[ADDR_STRLEN];
		char got[256];
		struct error e = ERROR_NULL;
		struct user_opts o;

		if (resolve(nets[i][0], &o, &e) < 0)
			fail_msg("%s: %s", nets[i][0], e.text);
		snprintf(got, sizeof(got), "%s/%d %s %s",
			 addr_format(&o.v6.net.ip, net), o.v6.net.len,
			 addr_format(&o.v6.gw, host),
			 addr_format(&o.v6.dns, dns));
		assert_string_equal(got, nets[i][1]);
		user_opts_deinit(&o);
	}
}

/* One that is on alone turns the other off, as in QEMU. */
static void families(void **state)
{
	static const struct {
		const char *text;
		bool v4, v6;
	} rows[] = {
		{"user", true, true},
		{"user,ipv4=on", true, false},
		{"user,ipv6=on", false, true},
		{"user,ipv4=off", false, true},
		{"user,ipv6=off", true, false},
		{"user,ipv4=on,ipv6=on", true, true},
		{"user,ipv4=off,ipv6=on", false, true},
		{"user,ipv4=on,ipv6=off", true, false},
		{"user,ipv6-net=fd00::/64", true, true},
		{"user,mtu=1280,ipv6-host=fec0::1", true, true},
		{"user,mtu=1279", true, false},
		{"user,mtu=1279,ipv6=off", true, false},
	};

	(void)state;
	for (size_t i = 0; i < array_len(rows); i++) {
		struct error e = ERROR_NULL;
		struct user_opts o;

		if (resolve(rows[i].text, &o, &e) < 0)
			fail_msg("%s: %s", rows[i].text, e.text);
		if (o.v4.is_on != rows[i].v4 || o.v6.is_on != rows[i].v6)
			fail_msg("%s: %d %d", rows[i].text, o.v4.is_on,
				 o.v6.is_on);
		user_opts_deinit(&o);
	}
}

static void servers(void **state)
{
	struct error e = ERROR_NULL;
	struct user_opts o;
	char text[ENDPOINT_STRLEN];

	(void)state;
	assert_int_equal(resolve("user,ipv6=on,guestfwd=tcp::80-cmd:cat,"
				 "guestfwd=tcp:[fec0::3]:54-cmd:cat",
				 &o, &e),
			 0);
	assert_int_equal(o.n_guestfwds, 2);
	assert_string_equal(endpoint_format(&o.guestfwds[0].server, text),
			    "[fec0::4]:80");
	assert_string_equal(endpoint_format(&o.guestfwds[1].server, text),
			    "[fec0::3]:54");
	user_opts_deinit(&o);
	assert_int_equal(resolve("user,net=10.9.0.0/29,dhcpstart=10.9.0.5,"
				 "guestfwd=tcp::80-cmd:cat",
				 &o, &e),
			 0);
	assert_string_equal(endpoint_format(&o.guestfwds[0].server, text),
			    "10.9.0.4:80");
	user_opts_deinit(&o);
}

static void nat64(void **state)
{
	struct error e = ERROR_NULL;
	struct user_opts o;

	(void)state;
	assert_int_equal(resolve("user,ipv6=on", &o, &e), 0);
	assert_false(o.nat64);
	user_opts_deinit(&o);
	assert_int_equal(resolve("user,ipv6=on,nat64=on", &o, &e), 0);
	assert_true(o.nat64 && o.v6.is_on && !o.v4.is_on);
	user_opts_deinit(&o);
	assert_int_equal(resolve("user,nat64=on", &o, &e), 0);
	assert_true(o.nat64 && o.v6.is_on && o.v4.is_on);
	user_opts_deinit(&o);
}

static void machines_addresses(void **state)
{
	static const struct {
		const char *ip;
		bool has;
	} rows[] = {
		{"fec0::", false},     {"fec0::2", true},
		{"fec0::1:2", true},   {"fec0:0:0:1::2", false},
		{"10.0.2.255", false}, {"10.0.2.254", true},
	};
	struct error e = ERROR_NULL;
	struct user_opts o;

	(void)state;
	assert_int_equal(resolve("user,ipv4=on,ipv6=on", &o, &e), 0);
	for (size_t i = 0; i < array_len(rows); i++) {
		addr ip;

		assert_true(addr_parse(rows[i].ip, &ip));
		assert_int_equal(user_opts_has(&o, &ip), rows[i].has);
	}
	user_opts_deinit(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refusals),
		cmocka_unit_test(networks),
		cmocka_unit_test(families),
		cmocka_unit_test(servers),
		cmocka_unit_test(nat64),
		cmocka_unit_test(machines_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
