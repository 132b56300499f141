/* SPDX-License-Identifier: BSD-3-Clause */
/* dhcp-option=, reserve= and route=, alone and as keys of user. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grammar/user_opts.h"

static void is_option(const char *text, unsigned code, const char *value,
		      size_t len)
{
	struct error e = ERROR_NULL;
	struct dhcp_option o;

	if (dhcp_option_parse(text, &o, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	assert_int_equal(o.code, code);
	assert_int_equal(o.len, len);
	assert_memory_equal(o.value, value, len);
}

#define IS_OPTION(text, code, value)                                           \
	is_option(text, code, value, sizeof(value) - 1)

static void is_no_option(const char *text, const char *why)
{
	struct error e = ERROR_NULL;
	struct dhcp_option o;

	assert_true(dhcp_option_parse(text, &o, &e) < 0);
	assert_int_equal(e.code, EXIT_USAGE);
	if (!strstr(e.text, why))
		fail_msg("%s: %s", text, e.text);
}

static void test_options_by_name_and_number(void **state)
{
	IS_OPTION("router:10.0.2.9", 3, "\12\0\2\11");
	IS_OPTION("ntp-server:10.0.2.4+10.0.2.5", 42,
		  "\12\0\2\4\12\0\2\5");
	IS_OPTION("42:10.0.2.4", 42, "\12\0\2\4");
	IS_OPTION("domain-name:vm.lan", 15, "vm.lan");
	IS_OPTION("root-path:10.0.2.4:/a/b,ro", 17, "10.0.2.4:/a/b,ro");
	IS_OPTION("mtu:1400", 26, "\5\170");
	IS_OPTION("time-offset:0x01020304", 2, "\1\2\3\4");
	IS_OPTION("domain-search:vm.lan+a.", 119, "\2vm\3lan\0\1a\0");
	IS_OPTION("classless-static-route:10.9.0.0/16/10.0.2.7+0.0.0.0/0/"
		  "10.0.2.2",
		  121, "\20\12\11\12\0\2\7\0\12\0\2\2");
	IS_OPTION("200:hex:01:02ff", 200, "\1\2\377");
	IS_OPTION("200:text:a:b", 200, "a:b");
	IS_OPTION("200:u16:258", 200, "\1\2");
	IS_OPTION("200:ip:10.0.2.4", 200, "\12\0\2\4");
	IS_OPTION("vendor-encap:0a", 43, "\12");
	IS_OPTION("router:", 3, "");
	IS_OPTION("option6:information-refresh-time:600", 32, "\0\0\2\130");
	IS_OPTION("option6:bootfile-param:a+bc", 60, "\0\1a\0\2bc");
	IS_OPTION("option6:ntp-server:fd00::5", 56,
		  "\0\1\0\20\375\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5");
}

static void test_options_that_are_none(void **state)
{
	is_no_option("router", "[WHO/]NAME:VALUE");
	is_no_option("rooter:10.0.2.4", "no option of that name");
	is_no_option("53:u8:1", "server's own");
	is_no_option("51:u32:60", "lease=");
	is_no_option("255:hex:00", "1 to 254");
	is_no_option("300:u8:1", "1 to 254");
	is_no_option("option6:65536:u8:1", "1 to 65535");
	is_no_option("option6:3:hex:00", "server's own");
	is_no_option("200:10", "what the value is");
	is_no_option("router:10.0.2.4+", "IPv4 addresses");
	is_no_option("router:fd00::1", "IPv4 addresses");
	is_no_option("option6:dns-server:10.0.2.3", "IPv6 addresses");
	is_no_option("mtu:65536", "65535");
	is_no_option("200:hex:0", "hexadecimal");
	is_no_option("domain-search:a..b", "names of DNS");
	is_no_option("classless-static-route:10.9.0.1/16/10.0.2.7",
		     "PREFIX/LENGTH/VIA");
}

static void test_who(void **state)
{
	struct error e = ERROR_NULL;
	struct dhcp_option o;

	assert_int_equal(dhcp_option_parse("52:54:00:00:00:07/mtu:1400", &o,
					   &e), 0);
	assert_int_equal(o.who.kind, DHCP_WHO_MAC);
	assert_memory_equal(o.who.b, "\x52\x54\0\0\0\7", 6);
	assert_int_equal(dhcp_option_parse("id:01:52540000/mtu:1400", &o, &e),
			 0);
	assert_int_equal(o.who.kind, DHCP_WHO_ID);
	assert_int_equal(o.who.len, 5);
	assert_int_equal(dhcp_option_parse("duid:000300/option6:41:U", &o, &e),
			 0);
	assert_int_equal(o.who.kind, DHCP_WHO_DUID);
	assert_true(o.is_v6);
	assert_int_equal(dhcp_option_parse("name:Alice/mtu:1400", &o, &e), 0);
	assert_int_equal(o.who.kind, DHCP_WHO_NAME);
	assert_memory_equal(o.who.b, "alice", 5);
	/* a group is nobody */
	is_no_option("53:54:00:00:00:07/mtu:1400", "server's own");
}

static void test_reservations(void **state)
{
	struct error e = ERROR_NULL;
	struct dhcp_reservation v;
	static const char *const bad[] = {
		"", "52:54:00:00:00:07", "52:54:00:00:00:07/",
		"52:54:00:00:00:07/alice", "10.0.2.50/alice",
		"name:a/10.0.2.50/10.0.2.51", "name:a/10.0.2.50/b/c",
		"name:a/224.0.0.1", "name:a/fe80::1", "id:zz/10.0.2.50"};

	assert_int_equal(dhcp_reservation_parse(
				 "52:54:00:00:00:07/10.0.2.50/fd00::50/alice",
				 &v, &e),
			 0);
	assert_int_equal(addr_u32(&v.ip4), 0x0a000232);
	assert_int_equal(v.ip6.b[15], 0x50);
	assert_string_equal(v.name, "alice");
	assert_int_equal(dhcp_reservation_parse("name:bob/fd00::51", &v, &e),
			 0);
	assert_true(addr_is_unspecified(&v.ip4));
	for (size_t i = 0; i < array_len(bad); i++) {
		struct error why = ERROR_NULL;

		assert_true(dhcp_reservation_parse(bad[i], &v, &why) < 0);
		assert_int_equal(why.code, EXIT_USAGE);
	}
}

static int resolve(const char *text, struct user_opts *o, struct error *e)
{
	struct netdev_spec *s = NULL;
	int r;

	*e = ERROR_NULL;
	*o = USER_OPTS_NULL;
	r = netdev_parse(text, &s, e);
	if (r == 0)
		r = netdev_user_resolve(s, o, e);
	netdev_spec_free(s);
	return r;
}

static void test_keys_of_user(void **state)
{
	struct error e;
	struct user_opts o;

	if (resolve("user,lease=600,dhcpstart=10.0.2.100,dhcpend=10.0.2.120,"
		    "reserve=52:54:00:00:00:07/10.0.2.20/alice,"
		    "reserve=name:bob/fec0::21,dhcp-option=tftp-server:boot,"
		    "route=10.9.0.0/16/10.0.2.7,ntp-server=10.0.2.4,"
		    "ntp-server=fec0::4",
		    &o, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(o.serving.lease_s, 600);
	assert_int_equal(addr_u32(&o.serving.dhcp_last), 0x0a000278);
	assert_int_equal(addr_u32(&o.serving.dhcp_lowest), 0x0a000214);
	assert_int_equal(o.dhcp.n_reservations, 2);
	assert_int_equal(o.dhcp.n_options, 5);
	/* the way out is among the routes */
	assert_int_equal(o.dhcp.options[0].code, 121);
	assert_int_equal(o.dhcp.options[0].len, 12);
	assert_memory_equal(o.dhcp.options[0].value + 7, "\0\12\0\2\2", 5);
	user_opts_deinit(&o);
	assert_int_equal(resolve("user,lease=infinite,route=0.0.0.0/0/10.0.2.7",
				 &o, &e),
			 0);
	assert_true(o.serving.lease_s == DHCP_FOREVER);
	assert_int_equal(o.dhcp.options[0].len, 5);
	user_opts_deinit(&o);
}

/* Each has its own in both families, whatever their numbers. */
static void test_reservations_that_cross(void **state)
{
	struct user_opts o;
	struct error e;

	(void)state;
	assert_int_equal(resolve("user,reserve=name:a/10.0.2.50/fec0::33,"
				 "reserve=name:b/10.0.2.51/fec0::32",
				 &o, &e),
			 0);
	user_opts_deinit(&o);
	assert_int_equal(resolve("user,ipv6=off,reserve=name:a/10.0.2.50,"
				 "reserve=name:b/10.0.2.51",
				 &o, &e),
			 0);
	user_opts_deinit(&o);
}

static void test_keys_that_make_no_sense(void **state)
{
	static const char *const bad[] = {
		"user,lease=59",
		"user,lease=never",
		"user,dhcpend=10.0.2.14",
		"user,dhcpend=10.0.2.255",
		"user,dhcpend=10.0.3.1",
		"user,reserve=name:a/10.0.2.2",
		"user,reserve=name:a/10.0.2.255",
		"user,reserve=name:a/10.0.3.1",
		"user,reserve=name:a/fec0::1:0:0:1",
		"user,reserve=name:a/fec0::3",
		"user,reserve=name:a/10.0.2.50,reserve=name:b/10.0.2.50",
		/* fec0::32 goes with 10.0.2.50, as does what is its number */
		"user,reserve=name:a/10.0.2.50,reserve=name:b/fec0::32",
		"user,reserve=name:a/fec0::32,reserve=name:b/10.0.2.50",
		"user,reserve=name:a/10.0.2.50,"
		"reserve=name:b/10.0.2.51/fec0::32",
		"user,guestfwd=tcp:10.0.2.100:80-tcp:127.0.0.1:80,"
		"reserve=name:a/fec0::64",
		"user,host=10.0.2.9,reserve=name:a/fec0::9",
		"user,ipv6=off,reserve=name:a/fec0::20",
		"user,net=10.0.0.0/8,dhcpstart=10.0.0.100,"
		"reserve=name:a/10.1.0.1",
		"user,dhcp-option=router:x",
		"user,route=10.0.0.0/33/10.0.2.7",
		"user,ntp-server=time",
	};
	struct error e;
	struct user_opts o;

	for (size_t i = 0; i < array_len(bad); i++) {
		if (resolve(bad[i], &o, &e) == 0)
			fail_msg("%s is taken", bad[i]);
		assert_int_equal(e.code, EXIT_USAGE);
		assert_null(strpbrk(e.text, "\n"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_by_name_and_number),
		cmocka_unit_test(test_options_that_are_none),
		cmocka_unit_test(test_who),
		cmocka_unit_test(test_reservations),
		cmocka_unit_test(test_keys_of_user),
		cmocka_unit_test(test_reservations_that_cross),
		cmocka_unit_test(test_keys_that_make_no_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
