/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the SMB server of `user` is, and where it cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grammar/user_opts.h"

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

static void test_servers(void **state)
{
	/* What its rules are, in order. */
	static const struct {
		const char *text;
		const char *servers;
	} all[] = {
		{"user", ""},
		{"user,smbserver=10.0.2.9", ""},
		{"user,smb=/x",
		 "10.0.2.4:139 10.0.2.4:445 [fec0::4]:139 [fec0::4]:445 "},
		{"user,smb=/x,net=192.168.7.0/24,ipv6-net=fd01::/64",
		 "192.168.7.4:139 192.168.7.4:445 [fd01::4]:139 "
		 "[fd01::4]:445 "},
		{"user,smb=/x,smbserver=10.0.2.9,ipv6-smbserver=fec0::9",
		 "10.0.2.9:139 10.0.2.9:445 [fec0::9]:139 [fec0::9]:445 "},
		{"user,smb=/x,ipv6=off", "10.0.2.4:139 10.0.2.4:445 "},
		{"user,smb=/x,ipv4=off", "[fec0::4]:139 [fec0::4]:445 "},
		/* Beside a rule of the same address. */
		{"user,smb=/x,ipv6=off,guestfwd=tcp::80-cmd:cat",
		 "10.0.2.4:80 10.0.2.4:139 10.0.2.4:445 "},
		{"user,smb=/x,ipv6=off,restrict=on,smb-readonly=on",
		 "10.0.2.4:139 10.0.2.4:445 "},
	};

	(void)state;
	for (size_t i = 0; i < array_len(all); i++) {
		struct error e = ERROR_NULL;
		char got[400] = "", text[ENDPOINT_STRLEN];
		struct user_opts o;

		if (resolve(all[i].text, &o, &e) < 0)
			fail_msg("%s: %s", all[i].text, e.text);
		for (unsigned k = 0; k < o.n_guestfwds; k++) {
			const struct guestfwd_rule *r = &o.guestfwds[k];

			strcat(got, endpoint_format(&r->server, text));
			strcat(got, " ");
			if (r->kind == GUESTFWD_SMB)
				assert_string_equal(r->target, "/x");
		}
		assert_string_equal(got, all[i].servers);
		user_opts_deinit(&o);
	}
}

#define TAKEN "user: Conflicting/invalid smbserver address (smbserver="
#define TAKEN6 "user: Conflicting/invalid smbserver address (ipv6-smbserver="

static void test_refused(void **state)
{
	static const char *const all[][2] = {
		{"user,smb=", "user: this is no folder (smb=)"},
		{"user,smbserver=x",
		 "user: Failed to parse SMB address (smbserver=x)"},
		{"user,smb=/x,ipv6-smbserver=10.0.2.4",
		 "user: Failed to parse SMB address "
		 "(ipv6-smbserver=10.0.2.4)"},
		{"user,smb=/x,smbserver=10.0.2.2", TAKEN "10.0.2.2)"},
		{"user,smb=/x,smbserver=10.0.2.3", TAKEN "10.0.2.3)"},
		{"user,smb=/x,smbserver=10.0.2.15", TAKEN "10.0.2.15)"},
		{"user,smb=/x,smbserver=10.0.2.255", TAKEN "10.0.2.255)"},
		{"user,smb=/x,smbserver=10.0.2.0", TAKEN "10.0.2.0)"},
		{"user,smb=/x,smbserver=10.0.3.4", TAKEN "10.0.3.4)"},
		{"user,smb=/x,smbserver=10.0.2.9,host-loopback=10.0.2.9",
		 TAKEN "10.0.2.9)"},
		{"user,smb=/x,smbserver=10.0.2.1,router=10.0.2.1",
		 TAKEN "10.0.2.1)"},
		{"user,smb=/x,dns=10.0.2.4", TAKEN " not given)"},
		{"user,smb=/x,guestfwd=tcp::445-cmd:cat", TAKEN " not given)"},
		{"user,smb=/x,net=10.0.2.0/30,dhcpstart=10.0.2.1,"
		 "dns=10.9.9.9",
		 TAKEN " not given)"},
		{"user,smb=/x,ipv6-smbserver=fec0::", TAKEN6 "fec0::)"},
		{"user,smb=/x,ipv6-smbserver=fec0::2", TAKEN6 "fec0::2)"},
		{"user,smb=/x,ipv6-smbserver=fd00::4", TAKEN6 "fd00::4)"},
		{"user,smb=/x,ipv6-host=fec0::4", TAKEN6 " not given)"},
		{"user,smb=/x,ipv6-smbserver=fec0::9,ipv6=off",
		 "user: IPv6 is off (ipv6-smbserver=fec0::9)"},
		{"user,smb=/x,smbserver=10.0.2.9,ipv4=off",
		 "user: IPv4 is off (smbserver=10.0.2.9)"},
		{"user,smb=/x,tcp=off",
		 "user: smb= needs what is turned off (tcp=off)"},
		{"user,smb-readonly=on",
		 "user: there is no folder to read without smb= "
		 "(smb-readonly=on)"},
	};

	(void)state;
	for (size_t i = 0; i < array_len(all); i++) {
		struct error e = ERROR_NULL;
		struct user_opts o;

		assert_true(resolve(all[i][0], &o, &e) < 0);
		assert_string_equal(e.text, all[i][1]);
		assert_int_equal(e.code, EXIT_USAGE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_servers),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
