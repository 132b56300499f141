/* SPDX-License-Identifier: BSD-3-Clause */
/* What the options of `user` turn off or replace, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grammar/user_opts.h"

static struct serving resolved(const char *text)
{
	struct netdev_spec *s = NULL;
	struct user_opts o;
	struct error e = ERROR_NULL;
	struct serving v;

	if (netdev_parse(text, &s, &e) < 0 ||
	    netdev_user_resolve(s, &o, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	v = o.serving;
	user_opts_deinit(&o);
	netdev_spec_free(s);
	return v;
}

static void assert_addr(const addr *a, const char *wanted)
{
	char text[ADDR_STRLEN];

	assert_string_equal(addr_format(a, text), wanted);
}

static void test_nothing_said_changes_nothing(void **state)
{
	const struct serving v = resolved("user"), none = {.lacks = 0};

	assert_memory_equal(&v, &none, sizeof(v));
}

static void test_parts(void **state)
{
	static const struct {
		const char *text;
		uint32_t lacks;
	} all[] = {
		{"user,dhcp=off", LACK_DHCP4},
		{"user,nodhcpv6", LACK_DHCP6},
		{"user,ra=off", LACK_RA},
		{"user,ndp=off", LACK_ND},
		{"user,tcp=off", LACK_TCP},
		{"user,udp=off", LACK_UDP},
		{"user,icmp=off", LACK_ICMP},
		{"user,tcp=off,udp=off,icmp=on", LACK_TCP | LACK_UDP},
		{"user,tcp=off,hostfwd=udp::53-:53", LACK_TCP},
	};

	for (size_t i = 0; i < array_len(all); i++)
		assert_int_equal(resolved(all[i].text).lacks, all[i].lacks);
}

static void test_addresses(void **state)
{
	struct serving v = resolved("user,mac=52:54:00:01:02:03,"
				    "nameserver=2001:db8::53,"
				    "resolver=127.0.0.53,"
				    "host-loopback=10.0.2.9");
	const mac m = {{0x52, 0x54, 0, 1, 2, 3}};

	assert_true(mac_eq(v.mac, m));
	assert_true(v.has_nameserver);
	assert_addr(&v.nameserver, "2001:db8::53");
	assert_addr(&v.resolver, "127.0.0.53");
	assert_addr(&v.host4, "10.0.2.9");
	assert_true(addr_is_unspecified(&v.host6));
	assert_false(v.hides_host);

	v = resolved("user,nameserver=none,host-loopback=off");
	assert_true(v.has_nameserver);
	assert_true(addr_is_unspecified(&v.nameserver));
	assert_true(v.hides_host);

	v = resolved("user,host-loopback=fec0::9");
	assert_addr(&v.host6, "fec0::9");
	assert_true(addr_is_unspecified(&v.host4));
}

static const struct {
	const char *text, *line;
} bad[] = {
	{"user,tcp=off,hostfwd=tcp::22-:22",
	 "user: hostfwd= needs what is turned off (tcp=off)"},
	{"user,udp=off,hostfwd=udp::53-:53",
	 "user: hostfwd= needs what is turned off (udp=off)"},
	{"user,tcp=off,guestfwd=tcp::80-cmd:cat",
	 "user: guestfwd= needs what is turned off (tcp=off)"},
	{"user,udp=off,tftp=/srv/boot",
	 "user: tftp= needs what is turned off (udp=off)"},
	{"user,udp=off,multicast=on",
	 "user: multicast= needs what is turned off (udp=off)"},
	{"user,mac=01:00:5e:00:00:01",
	 "user: NIC cannot have multicast MAC address "
	 "(mac=01:00:5e:00:00:01)"},
	{"user,mac=00:00:00:00:00:00",
	 "user: nobody can have this address (mac=00:00:00:00:00:00)"},
	{"user,mac=x", "user: invalid syntax for ethernet address 'x' (mac=)"},
	{"user,nameserver=x", "user: this is no address (nameserver=x)"},
	{"user,nameserver=off", "user: this is no address (nameserver=off)"},
	{"user,nameserver=224.0.0.1",
	 "user: nobody is found by this address (nameserver=224.0.0.1)"},
	{"user,nameserver=0.0.0.0",
	 "user: nobody is found by this address (nameserver=0.0.0.0)"},
	{"user,ipv6=off,nameserver=2001:db8::53",
	 "user: IPv6 is off (nameserver=2001:db8::53)"},
	{"user,ipv4=off,nameserver=192.0.2.53",
	 "user: IPv4 is off (nameserver=192.0.2.53)"},
	{"user,resolver=fe80::1",
	 "user: nobody is found by this address (resolver=fe80::1)"},
	{"user,resolver=none", "user: this is no address (resolver=none)"},
	{"user,host-loopback=none",
	 "user: this is no address (host-loopback=none)"},
	{"user,host-loopback=127.0.0.1",
	 "user: a guest would reach itself there (host-loopback=127.0.0.1)"},
	{"user,host-loopback=10.0.2.3",
	 "user: the address is somebody else's already "
	 "(host-loopback=10.0.2.3)"},
	{"user,host-loopback=10.0.2.15",
	 "user: the address is somebody else's already "
	 "(host-loopback=10.0.2.15)"},
	{"user,router=10.0.2.1,host-loopback=10.0.2.1",
	 "user: the address is somebody else's already "
	 "(host-loopback=10.0.2.1)"},
	{"user,host-loopback=10.0.2.255",
	 "user: nobody can have this address (host-loopback=10.0.2.255)"},
	{"user,ipv6=off,host-loopback=fec0::9",
	 "user: IPv6 is off (host-loopback=fec0::9)"},
	{"user,ipv6-net=fd00::/64,ipv6-follow=on,host-loopback=fd00::9",
	 "user: a network that moves along with the host's has no place for "
	 "it (host-loopback=fd00::9)"},
};

static void test_refused(void **state)
{
	for (size_t i = 0; i < array_len(bad); i++) {
		struct netdev_spec *s = NULL;
		struct user_opts o = USER_OPTS_NULL;
		struct error e = ERROR_NULL;

		if (netdev_parse(bad[i].text, &s, &e) == 0 &&
		    netdev_user_resolve(s, &o, &e) == 0)
			fail_msg("accepted: %s", bad[i].text);
		assert_int_equal(e.code, EXIT_USAGE);
		assert_string_equal(e.text, bad[i].line);
		netdev_spec_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_said_changes_nothing),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
