/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of `user` resolved: defaults, masks, and every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grammar/user_opts.h"

/* A text and the one line it is answered with. */
struct bad {
	const char *text, *line;
};

static const struct bad bad_users[] = {
	{"user,net=10.0.2.0/33",
	 "user: Invalid netmask provided (must be in range 4-32) "
	 "(net=10.0.2.0/33)"},
	{"user,net=10.0.2.0/3",
	 "user: Invalid netmask provided (must be in range 4-32) "
	 "(net=10.0.2.0/3)"},
	{"user,net=10.0.2.0/x",
	 "user: Failed to parse netmask (trailing chars) "
	 "(net=10.0.2.0/x)"},
	{"user,net=10.0.2.0/255.0.255.0",
	 "user: Invalid netmask provided (its ones must be "
	 "contiguous) (net=10.0.2.0/255.0.255.0)"},
	{"user,net=224.0.0.0",
	 "user: a network of guests cannot be multicast, reserved or "
	 "loopback (net=224.0.0.0)"},
	{"user,net=1000",
	 "user: a network of guests cannot be multicast, reserved or "
	 "loopback (net=1000)"},
	{"user,net=abc", "user: Failed to parse netmask (net=abc)"},
	{"user,net=", "user: Failed to parse netmask (net=)"},
	{"user,net=/24", "user: Failed to parse netmask (net=/24)"},
	{"user,net=10.0.2.0/", "user: Failed to parse netmask (trailing chars) "
			       "(net=10.0.2.0/)"},
	{"user,net=10.0.2.0/24/3",
	 "user: Failed to parse netmask (trailing chars) "
	 "(net=10.0.2.0/24/3)"},
	{"user,net=10.0.3.0/24,ip=10.0.3.0",
	 "user: net= and ip= are two spellings of one thing, give "
	 "net= only"},
	{"user,host=10.0.3.2",
	 "user: Host doesn't belong to network (host=10.0.3.2)"},
	{"user,host=10.0.2.0",
	 "user: 10.0.2.0 is the network address of the network; set "
	 "host= to another (host=10.0.2.0)"},
	{"user,host=10.0.2.255",
	 "user: 10.0.2.255 is the broadcast address of the network; "
	 "set host= to another (host=10.0.2.255)"},
	{"user,mtu=575", "user: Parameter 'mtu' expects a number from 576 to "
			 "65520, not 575"},
	{"user,mtu=65521", "user: Parameter 'mtu' expects a number from 576 "
			   "to 65520, not 65521"},
	{"user,host=x", "user: Failed to parse host (host=x)"},
	{"user,dns=x", "user: Failed to parse DNS (dns=x)"},
	{"user,dns=10.0.2.2",
	 "user: DNS must be different from host (dns=10.0.2.2)"},
	{"user,dns=224.0.0.1", "user: the name server cannot have this address "
			       "(dns=224.0.0.1)"},
	{"user,dhcpstart=10.0.2.250",
	 "user: the 16 leases run past the network; the last "
	 "dhcpstart that fits is 10.0.2.239 (dhcpstart=10.0.2.250)"},
	{"user,dhcpstart=10.0.2.240",
	 "user: the 16 leases run past the network; the last "
	 "dhcpstart that fits is 10.0.2.239 (dhcpstart=10.0.2.240)"},
	{"user,dhcpstart=10.0.3.1",
	 "user: DHCP doesn't belong to network (dhcpstart=10.0.3.1)"},
	{"user,dhcpstart=10.0.2.3",
	 "user: DHCP must be different from host and DNS "
	 "(dhcpstart=10.0.2.3)"},
	{"user,dhcpstart=z",
	 "user: Failed to parse DHCP start address (dhcpstart=z)"},
	{"user,net=10.0.2.0/28",
	 "user: 10.0.2.15 is the broadcast address of the network; "
	 "set dhcpstart= to another (dhcpstart= not given)"},
	{"user,net=10.0.2.0/29",
	 "user: 10.0.2.7 is the broadcast address of the network; "
	 "set dhcpstart= to another (dhcpstart= not given)"},
	{"user,net=10.0.2.0/30",
	 "user: DHCP must be different from host and DNS (dhcpstart= "
	 "not given)"},
	{"user,net=10.0.2.0/32",
	 "user: DNS must be different from host (dns= not given)"},
	{"user,hostname=", "user: 'hostname' parameter cannot be empty"},
	{"user,hostname=a b",
	 "user: Parameter 'hostname' expects a domain name, not 'a b'"},
	{"user,domainname=", "user: 'domainname' parameter cannot be empty"},
	{"user,tftp=", "user: 'tftp' parameter cannot be empty"},
	{"user,bootfile=", "user: 'bootfile' parameter cannot be empty"},
	{"user,tftp-server-name=",
	 "user: 'tftp-server-name' parameter cannot be empty"},
	{"user,domainname=a..b",
	 "user: Parameter 'domainname' expects a domain name, not "
	 "'a..b'"},
	{"user,dnssearch=a.b,dnssearch=-x",
	 "user: Parameter 'dnssearch' expects a domain name, not '-x'"},
	{"user,dnssearch=a,dnssearch=b,dnssearch=c,dnssearch=d,"
	 "dnssearch=e,dnssearch=f,dnssearch=g,dnssearch=h,dnssearch=i",
	 "user: Parameter 'dnssearch' is given 9 times, at most 8 fit"},
	{"user,restrict=on,dns=10.0.3.3",
	 "user: DNS doesn't belong to network (dns=10.0.3.3)"},
	{"user,restrict=services,dns=10.0.3.3",
	 "user: DNS doesn't belong to network (dns=10.0.3.3)"},
	{"user,router=x", "user: Failed to parse router (router=x)"},
	{"user,router=10.0.3.1",
	 "user: Router doesn't belong to network (router=10.0.3.1)"},
	{"user,router=0.0.0.0",
	 "user: Router doesn't belong to network (router=0.0.0.0)"},
	{"user,router=10.0.2.3",
	 "user: Router must be different from host, DNS and the first guest "
	 "(router=10.0.2.3)"},
	{"user,router=10.0.2.255",
	 "user: 10.0.2.255 is the broadcast address of the network; set "
	 "router= to another (router=10.0.2.255)"},
	{"user,guestfwd=tcp::80",
	 "user: Invalid guest forwarding rule 'tcp::80' (Missing - "
	 "separator)"},
	{"user,guestfwd=tcp:10.0.3.1:80-cmd:cat",
	 "user: Conflicting/invalid host:port in guest forwarding rule "
	 "'tcp:10.0.3.1:80-cmd:cat'"},
	{"user,guestfwd=tcp:10.0.2.0:80-cmd:cat",
	 "user: Conflicting/invalid host:port in guest forwarding rule "
	 "'tcp:10.0.2.0:80-cmd:cat'"},
	{"user,guestfwd=tcp:10.0.2.255:80-cmd:cat",
	 "user: Conflicting/invalid host:port in guest forwarding rule "
	 "'tcp:10.0.2.255:80-cmd:cat'"},
	{"user,guestfwd=tcp:10.0.2.3:53-cmd:cat",
	 "user: Conflicting/invalid host:port in guest forwarding rule "
	 "'tcp:10.0.2.3:53-cmd:cat'"},
	{"user,guestfwd=tcp::80-cmd:cat,guestfwd=tcp:10.0.2.4:80-cmd:dd",
	 "user: Conflicting/invalid host:port in guest forwarding rule "
	 "'tcp:10.0.2.4:80-cmd:dd'"},
	{"user,guestfwd=tcp:10.0.2.15:80-cmd:cat",
	 "user: guest forwarding rule 'tcp:10.0.2.15:80-cmd:cat' has the "
	 "address of the first guest (dhcpstart=)"},
	{"user,hostfwd=tcp::2222-:22x",
	 "user: Invalid host forwarding rule 'tcp::2222-:22x' (Bad "
	 "guest port)"},
	{"user,hostfwd=",
	 "user: Invalid host forwarding rule '' (No : separators)"},
	{"{\"type\":\"user\",\"hostfwd\":[{\"str\":\"x\"}]}",
	 "user: Invalid host forwarding rule 'x' (No : separators)"},
};

static void resolved(const char *text, struct user_opts *o)
{
	struct netdev_spec *s = NULL;
	struct error e = ERROR_NULL;

	if (netdev_parse(text, &s, &e) < 0 || netdev_user_resolve(s, o, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	netdev_spec_free(s);
}

static void test_bad_users(void **state)
{
	for (size_t i = 0; i < array_len(bad_users); i++) {
		const struct bad *b = &bad_users[i];
		struct netdev_spec *s = NULL;
		struct error e = ERROR_NULL;
		struct user_opts o;

		if (netdev_parse(b->text, &s, &e) < 0)
			fail_msg("not parsed: %s: %s", b->text, e.text);
		if (netdev_user_resolve(s, &o, &e) >= 0)
			fail_msg("accepted: %s", b->text);
		assert_null(o.hostfwds);
		assert_int_equal(e.code, EXIT_USAGE);
		assert_string_equal(e.text, b->line);
		netdev_spec_free(s);
	}
}

/* Text, then network/length, host, dns, dhcpstart. */
static const char *const nets[][2] = {
	{"user", "10.0.2.0/24 10.0.2.2 10.0.2.3 10.0.2.15"},
	{"user,net=10.0.3.0", "10.0.0.0/8 10.0.2.2 10.0.2.3 10.0.2.15"},
	{"user,net=172.20.1.1",
	 "172.16.0.0/12 172.16.2.2 172.16.2.3 172.16.2.15"},
	{"user,net=172.32.1.1",
	 "172.32.0.0/16 172.32.2.2 172.32.2.3 172.32.2.15"},
	{"user,net=192.168.5.0",
	 "192.168.0.0/16 192.168.2.2 192.168.2.3 192.168.2.15"},
	{"user,net=198.19.0.0",
	 "198.18.0.0/15 198.18.2.2 198.18.2.3 198.18.2.15"},
	{"user,net=200.1.2.9", "200.1.2.0/24 200.1.2.2 200.1.2.3 200.1.2.15"},
	{"user,net=192.168.5.77/24",
	 "192.168.5.0/24 192.168.5.2 192.168.5.3 192.168.5.15"},
	{"user,net=192.168.5.0/255.255.254.0",
	 "192.168.4.0/23 192.168.4.2 192.168.4.3 192.168.4.15"},
	{"user,net=192.168.0.0/16",
	 "192.168.0.0/16 192.168.2.2 192.168.2.3 192.168.2.15"},
	{"user,net=10.0.2.32/27", "10.0.2.32/27 10.0.2.34 10.0.2.35 10.0.2.47"},
	{"user,net=10.0.2.0/28,dhcpstart=10.0.2.4",
	 "10.0.2.0/28 10.0.2.2 10.0.2.3 10.0.2.4"},
	{"user,net=10.0.2.4/30,host=10.0.2.5,dns=1.1.1.1,dhcpstart=10.0.2.6",
	 "10.0.2.4/30 10.0.2.5 1.1.1.1 10.0.2.6"},
	{"user,ip=192.168.9.1",
	 "192.168.9.0/24 192.168.9.2 192.168.9.3 192.168.9.15"},
	{"user,host=10.0.2.100,dns=10.0.2.101,dhcpstart=10.0.2.239",
	 "10.0.2.0/24 10.0.2.100 10.0.2.101 10.0.2.239"},
	{"user,net=10.77/16", "10.0.0.0/16 10.0.2.2 10.0.2.3 10.0.2.15"},
};

static void test_networks(void **state)
{
	for (size_t i = 0; i < array_len(nets); i++) {
		char net[ADDR_STRLEN], host[ADDR_STRLEN], dns[ADDR_STRLEN];
		char dhcp[ADDR_STRLEN], got[256];
		struct user_opts o;

		resolved(nets[i][0], &o);
		snprintf(got, sizeof(got), "%s/%d %s %s %s",
			 addr_format(&o.v4.net.ip, net), o.v4.net.len - 96,
			 addr_format(&o.v4.gw, host),
			 addr_format(&o.v4.dns, dns),
			 addr_format(&o.dhcp_start4, dhcp));
		assert_string_equal(got, nets[i][1]);
		user_opts_deinit(&o);
	}
}

static void test_names(void **state)
{
	struct user_opts o;

	resolved("user,hostname=a-1,domainname=example.org.,dnssearch=x_y.z,"
		 "dnssearch=b",
		 &o);
	assert_string_equal(o.hostname, "a-1");
	assert_string_equal(o.domainname, "example.org.");
	assert_int_equal(o.n_dnssearch, 2);
	assert_string_equal(o.dnssearch[0], "x_y.z");
	assert_string_equal(o.dnssearch[1], "b");
	user_opts_deinit(&o);
	resolved("user,mtu=576", &o);
	assert_int_equal(o.mtu, 576);
	user_opts_deinit(&o);
	resolved("user,mtu=65520", &o);
	assert_int_equal(o.mtu, 65520);
	user_opts_deinit(&o);
	resolved("user", &o);
	assert_string_equal(o.hostname, "");
	assert_int_equal(o.n_dnssearch, 0);
	assert_int_equal(o.mtu, 1500);
	user_opts_deinit(&o);
}

/* Labels of 63 bytes fit, names of 253 bytes, one more does not. */
static void test_name_lengths(void **state)
{
	char name[300], text[400];
	struct netdev_spec *s = NULL;
	struct error e = ERROR_NULL;
	struct user_opts o;

	memset(name, 'a', sizeof(name));
	name[63] = name[127] = name[191] = '.';
	name[253] = '\0';
	snprintf(text, sizeof(text), "user,hostname=%s", name);
	resolved(text, &o);
	assert_int_equal(strlen(o.hostname), 253);
	user_opts_deinit(&o);

	name[253] = 'a';
	name[254] = '\0';
	snprintf(text, sizeof(text), "user,domainname=%s", name);
	assert_int_equal(netdev_parse(text, &s, &e), 0);
	assert_true(netdev_user_resolve(s, &o, &e) < 0);
	s = netdev_spec_free(s);

	memset(name, 'a', 256);
	name[256] = '\0';
	snprintf(text, sizeof(text), "user,domainname=%s", name);
	e = ERROR_NULL;
	assert_int_equal(netdev_parse(text, &s, &e), 0);
	assert_true(netdev_user_resolve(s, &o, &e) < 0);
	assert_string_equal(e.text, "user: 'domainname' parameter cannot "
				    "exceed 255 bytes");
	s = netdev_spec_free(s);

	name[64] = '\0'; /* one label of 64 */
	snprintf(text, sizeof(text), "user,hostname=%s", name);
	assert_int_equal(netdev_parse(text, &s, &e), 0);
	assert_true(netdev_user_resolve(s, &o, &e) < 0);
	netdev_spec_free(s);
}

static void test_guestfwds(void **state)
{
	struct user_opts o;

	resolved("user,guestfwd=tcp::80-cmd:cat -u,"
		 "guestfwd=tcp:10.0.2.3:54-tcp:localhost:22,"
		 "guestfwd=tcp:10.0.2.2:80-unix:/run/x", &o);
	assert_int_equal(o.n_guestfwds, 3);
	assert_int_equal(addr_u32(&o.guestfwds[0].server.ip), 0x0a000204);
	assert_int_equal(o.guestfwds[0].server.port, 80);
	assert_string_equal(o.guestfwds[0].target, "cat -u");
	assert_int_equal(addr_u32(&o.guestfwds[1].server.ip), 0x0a000203);
	assert_int_equal(addr_u32(&o.guestfwds[2].server.ip), 0x0a000202);
	user_opts_deinit(&o);
}

static void test_restrict(void **state)
{
	static const struct {
		const char *text;
		bool is_restricted, keeps_services;
	} rows[] = {
		{"user", false, false},
		{"user,restrict=off", false, false},
		{"user,norestrict", false, false},
		{"user,restrict", true, false},
		{"user,restrict=on", true, false},
		{"user,restrict=yes", true, false},
		{"user,restrict=services", true, true},
		{"{\"type\":\"user\",\"id\":\"n\",\"restrict\":true}",
		 true, false},
		{"{\"type\":\"user\",\"id\":\"n\","
		 "\"restrict\":\"services\"}", true, true},
	};

	for (size_t i = 0; i < array_len(rows); i++) {
		struct user_opts o;

		resolved(rows[i].text, &o);
		assert_int_equal(o.is_restricted, rows[i].is_restricted);
		assert_int_equal(o.keeps_services, rows[i].keeps_services);
		user_opts_deinit(&o);
	}
}

static void test_router(void **state)
{
	struct user_opts o;

	resolved("user", &o);
	assert_true(addr_is_unspecified(&o.router4));
	user_opts_deinit(&o);
	resolved("user,router=10.0.2.1", &o);
	assert_int_equal(addr_u32(&o.router4), 0x0a000201);
	user_opts_deinit(&o);
}

static void test_hostfwds(void **state)
{
	struct user_opts o;

	resolved("user,hostfwd=tcp:127.0.0.1:2222-:22,"
		 "hostfwd=udp::53-10.0.2.20:5353",
		 &o);
	assert_int_equal(o.n_hostfwds, 2);
	assert_int_equal(o.hostfwds[0].proto, IPPROTO_TCP);
	assert_int_equal(o.hostfwds[0].host_lo, 2222);
	assert_true(o.hostfwds[0].has_host_ip);
	assert_true(addr_is_unspecified(&o.hostfwds[0].guest_ip));
	assert_int_equal(o.hostfwds[1].proto, IPPROTO_UDP);
	assert_int_equal(o.hostfwds[1].guest_lo, 5353);
	assert_false(o.hostfwds[1].has_host_ip);
	assert_int_equal(addr_u32(&o.hostfwds[1].guest_ip), 0x0a000214);
	user_opts_deinit(&o);
	assert_null(o.hostfwds);
	user_opts_deinit(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_users),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_name_lengths),
		cmocka_unit_test(test_guestfwds),
		cmocka_unit_test(test_restrict),
		cmocka_unit_test(test_router),
		cmocka_unit_test(test_hostfwds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
