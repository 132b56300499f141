/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of `user` about names, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "grammar/user_opts.h"

static void expect_zone(const char *text, const char *zone, const char *domain)
{
	struct netdev_spec *s = NULL;
	struct user_opts o;
	struct error e = ERROR_NULL;

	if (netdev_parse(text, &s, &e) < 0 ||
	    netdev_user_resolve(s, &o, &e) < 0)
		fail_msg("%s: %s", text, e.text);
	assert_string_equal(o.zone, zone);
	assert_string_equal(o.domainname, domain);
	user_opts_deinit(&o);
	netdev_spec_free(s);
}

/* Guests search the zone unless they are told a domain, or another server. */
static void test_zone(void **state)
{
	static const struct {
		const char *text, *zone, *domain;
	} all[] = {
		{"user", "vm.lan", "vm.lan"},
		{"user,zone=off", "", ""},
		{"user,zone=lab.example.", "lab.example", "lab.example"},
		{"user,domainname=x.test", "vm.lan", "x.test"},
		{"user,dnssearch=x.test", "vm.lan", ""},
		{"user,nameserver=none", "vm.lan", ""},
		{"user,nameserver=192.0.2.1", "vm.lan", ""},
		{"user,udp=off", "vm.lan", ""},
		{"user,restrict=services", "vm.lan", "vm.lan"},
		{"user,restrict=on", "", ""},
		{"user,restrict=on,zone=vm.lan", "vm.lan", "vm.lan"},
		{"user,zone=corp.internal", "corp.internal", "corp.internal"},
	};

	for (size_t i = 0; i < array_len(all); i++)
		expect_zone(all[i].text, all[i].zone, all[i].domain);
}

static void test_servers(void **state)
{
	static const struct {
		const char *text, *domain, *ep;
	} all[] = {
		{"user,dns-server=192.0.2.1", "", "192.0.2.1:53"},
		{"user,dns-server=192.0.2.1:5353", "", "192.0.2.1:5353"},
		{"user,dns-server=127.0.0.53", "", "127.0.0.53:53"},
		{"user,dns-server=2001:db8::1", "", "[2001:db8::1]:53"},
		{"user,dns-server=[2001:db8::1]:99", "", "[2001:db8::1]:99"},
		{"user,dns-server=corp.example/[::1]", "corp.example",
		 "[::1]:53"},
		{"user,dns-server=lan/10.0.0.1:54,resolver=192.0.2.1", "lan",
		 "10.0.0.1:54"},
		{"user,restrict=services,dns-server=x/10.0.0.1", "x",
		 "10.0.0.1:53"},
	};

	for (size_t i = 0; i < array_len(all); i++) {
		struct netdev_spec *s = NULL;
		struct user_opts o;
		struct error e = ERROR_NULL;
		char text[ENDPOINT_STRLEN];

		if (netdev_parse(all[i].text, &s, &e) < 0 ||
		    netdev_user_resolve(s, &o, &e) < 0)
			fail_msg("%s: %s", all[i].text, e.text);
		assert_int_equal(o.n_dns_servers, 1);
		assert_string_equal(o.dns_servers->domain, all[i].domain);
		assert_string_equal(endpoint_format(&o.dns_servers->ep, text),
				    all[i].ep);
		user_opts_deinit(&o);
		netdev_spec_free(s);
	}
}

static void test_refused(void **state)
{
	static const char *const all[][2] = {
		{"user,zone=com",
		 "user: a whole top-level domain cannot be the network's, "
		 "give one below it, as vm.lan (zone=com)"},
		{"user,zone=internal.",
		 "user: a whole top-level domain cannot be the network's, "
		 "give one below it, as vm.lan (zone=internal.)"},
		{"user,zone=vm.LOCAL",
		 "user: names in .local are asked by mDNS, give another "
		 "(zone=vm.LOCAL)"},
		{"user,zone=a.localhost",
		 "user: names in .localhost are the loopback's, give another "
		 "(zone=a.localhost)"},
		{"user,zone=2.0.10.in-addr.arpa",
		 "user: names in .arpa belong to addresses, give another "
		 "(zone=2.0.10.in-addr.arpa)"},
		{"user,zone=a..b",
		 "user: Parameter 'zone' expects a domain name, not 'a..b'"},
		{"user,zone=", "user: 'zone' parameter cannot be empty"},
		{"user,dns-server=x",
		 "user: this is no [DOMAIN/]ADDRESS[:PORT] (dns-server=x)"},
		{"user,dns-server=192.0.2.1:0",
		 "user: this is no [DOMAIN/]ADDRESS[:PORT] "
		 "(dns-server=192.0.2.1:0)"},
		{"user,dns-server=192.0.2.1:65536",
		 "user: this is no [DOMAIN/]ADDRESS[:PORT] "
		 "(dns-server=192.0.2.1:65536)"},
		{"user,dns-server=[::1]53",
		 "user: this is no [DOMAIN/]ADDRESS[:PORT] "
		 "(dns-server=[::1]53)"},
		{"user,dns-server=/192.0.2.1",
		 "user: 'dns-server' parameter cannot be empty"},
		{"user,dns-server=a..b/192.0.2.1",
		 "user: Parameter 'dns-server' expects a domain name, not "
		 "'a..b'"},
		{"user,dns-server=224.0.0.1",
		 "user: nobody is found by this address "
		 "(dns-server=224.0.0.1)"},
		{"user,dns-server=fe80::1",
		 "user: nobody is found by this address "
		 "(dns-server=fe80::1)"},
		{"user,dns-server=x.vm.lan/192.0.2.1",
		 "user: names in the zone are answered here, and nobody is "
		 "asked for them (dns-server=x.vm.lan/192.0.2.1)"},
		{"user,dns-server=192.0.2.1,resolver=192.0.2.2",
		 "user: resolver= names one for all names already, give one "
		 "of the two (dns-server=192.0.2.1)"},
		{"user,dns-server=192.0.2.1,restrict=on",
		 "user: restrict=on lets no name server ask anybody "
		 "(dns-server=192.0.2.1)"},
	};

	for (size_t i = 0; i < array_len(all); i++) {
		struct netdev_spec *s = NULL;
		struct user_opts o;
		struct error e = ERROR_NULL;

		assert_int_equal(netdev_parse(all[i][0], &s, &e), 0);
		assert_int_equal(netdev_user_resolve(s, &o, &e), -1);
		assert_string_equal(e.text, all[i][1]);
		assert_int_equal(e.code, EXIT_USAGE);
		netdev_spec_free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zone),
		cmocka_unit_test(test_servers),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
