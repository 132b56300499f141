/* SPDX-License-Identifier: BSD-3-Clause */
/* Port forwards in all spellings, and every refusal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grammar/port_spec.h"

/* A text and the one line it is answered with. */
struct bad {
	const char *text, *line;
};

static const struct bad bad_hostfwds[] = {
	{"", "Invalid host forwarding rule '' (No : separators)"},
	{"tcp", "Invalid host forwarding rule 'tcp' (No : separators)"},
	{"x::1-:2",
	 "Invalid host forwarding rule 'x::1-:2' (Bad protocol name)"},
	{"tcp:2222-:22",
	 "Invalid host forwarding rule 'tcp:2222-:22' (Bad host "
	 "address)"},
	{"tcp::2222:22",
	 "Invalid host forwarding rule 'tcp::2222:22' (Bad host port "
	 "separator)"},
	{"tcp::2222-22",
	 "Invalid host forwarding rule 'tcp::2222-22' (Missing guest "
	 "address)"},
	{"tcp::-:22",
	 "Invalid host forwarding rule 'tcp::-:22' (Bad host port)"},
	{"tcp::x-:22",
	 "Invalid host forwarding rule 'tcp::x-:22' (Bad host port)"},
	{"tcp::65536-:22",
	 "Invalid host forwarding rule 'tcp::65536-:22' (Bad host "
	 "port)"},
	{"tcp::22-:0",
	 "Invalid host forwarding rule 'tcp::22-:0' (Bad guest port)"},
	{"tcp::22-:22x",
	 "Invalid host forwarding rule 'tcp::22-:22x' (Bad guest "
	 "port)"},
	{"tcp::22-1.2.3.999:22",
	 "Invalid host forwarding rule 'tcp::22-1.2.3.999:22' (Bad "
	 "guest address)"},
	{"tcp:1.2.3.4x:22-:22",
	 "Invalid host forwarding rule 'tcp:1.2.3.4x:22-:22' (Bad "
	 "host address)"},
	{"tcp:[::x]:22-:22",
	 "Invalid host forwarding rule 'tcp:[::x]:22-:22' (Bad host "
	 "address)"},
	{"tcp:[::1:22-:22",
	 "Invalid host forwarding rule 'tcp:[::1:22-:22' (Bad host "
	 "address)"},
	{"tcp:[::1]x:22-:22",
	 "Invalid host forwarding rule 'tcp:[::1]x:22-:22' (Bad host "
	 "address)"},
	{"tcp:[::1]22-:22",
	 "Invalid host forwarding rule 'tcp:[::1]22-:22' (Bad host "
	 "address)"},
	{"tcp:[127.0.0.1]:22-:22",
	 "Invalid host forwarding rule 'tcp:[127.0.0.1]:22-:22' (Bad host "
	 "address)"},
	{"tcp:[fe80::1]:22-:22",
	 "Invalid host forwarding rule 'tcp:[fe80::1]:22-:22' (Bad host "
	 "address: fe80::/10 means another one on each interface; listen on "
	 "[::])"},
	{"tcp:[fe80::1%eth0]:22-:22",
	 "Invalid host forwarding rule 'tcp:[fe80::1%eth0]:22-:22' (Bad host "
	 "address: binding to an interface (%) is not built yet; listen on "
	 "[::])"},
	{"udp:[ff02::1]:22-:22",
	 "Invalid host forwarding rule 'udp:[ff02::1]:22-:22' (Bad host "
	 "address: a group's, which nobody listens on alone; listen on [::])"},
	{"tcp::22-[::]:22",
	 "Invalid host forwarding rule 'tcp::22-[::]:22' (Bad guest address)"},
	{"tcp:::1:22-:22",
	 "Invalid host forwarding rule 'tcp:::1:22-:22' (Bad host port)"},
	{"tcp::22-[::ffff:10.0.2.15]:22",
	 "Invalid host forwarding rule 'tcp::22-[::ffff:10.0.2.15]:22' (Bad "
	 "guest address)"},
	{"tcp::22-[fec0::5]x:22",
	 "Invalid host forwarding rule 'tcp::22-[fec0::5]x:22' (Bad guest "
	 "address)"},
	{"tcp::22-fec0::5:22",
	 "Invalid host forwarding rule 'tcp::22-fec0::5:22' (Bad guest "
	 "address)"},
	{"tcp::22-[fec0::5]",
	 "Invalid host forwarding rule 'tcp::22-[fec0::5]' (Missing guest "
	 "address)"},
	{"unix:/a-b-:0", "Invalid host forwarding rule 'unix:/a-b-:0' (Bad "
			 "guest port)"},
	{"unix:/a-22", "Invalid host forwarding rule 'unix:/a-22' (Missing "
		       "guest address)"},
	{"unix:a-:22", "Invalid host forwarding rule 'unix:a-:22' (unix socket "
		       "path must be absolute)"},
	{"unix:-:22", "Invalid host forwarding rule 'unix:-:22' (Missing unix "
		      "socket path)"},
	{"unix:/a", "Invalid host forwarding rule 'unix:/a' (Missing - "
		    "separator)"},
	{"tcp::+22-:22",
	 "Invalid host forwarding rule 'tcp::+22-:22' (Bad host port)"},
	{"tcp:: 22-:22",
	 "Invalid host forwarding rule 'tcp:: 22-:22' (Bad host port)"},
};

static const struct bad bad_specs[] = {
	{"~22", "port spec '~22': exclusions (~) are not built yet; name "
		"the ports"},
	{"22,~23", "port spec '~23': exclusions (~) are not built yet; name "
		   "the ports"},
	{"all", "port spec 'all': this word of passt is not built yet; name "
		"the ports"},
	{"otherhost:80:80",
	 "port spec 'otherhost:80:80': it begins with neither a port, an "
	 "address, tcp: nor udp:"},
	{"localhost:80",
	 "port spec 'localhost:80': an address is followed by two ports, "
	 "ADDRESS:HOSTPORT:GUESTPORT"},
	{"localhosts:80:80",
	 "port spec 'localhosts:80:80': the host address is not an IPv4 "
	 "address"},
	{"[::ffff:1.2.3.4]:80:80",
	 "port spec '[::ffff:1.2.3.4]:80:80': the host address is not an IPv6 "
	 "address"},
	{"1::5/80", "port spec '1::5/80': an IPv6 address is written in "
		    "brackets, [ADDRESS]:HOSTPORT:GUESTPORT"},
	{"::1:80:80", "port spec '::1:80:80': an IPv6 address is written in "
		      "brackets, [ADDRESS]:HOSTPORT:GUESTPORT"},
	{"::1/80", "port spec '::1/80': an IPv6 address is written in "
		   "brackets, [ADDRESS]:HOSTPORT:GUESTPORT"},
	{"2001:db8::1:80:80",
	 "port spec '2001:db8::1:80:80': an IPv6 address is written in "
	 "brackets, [ADDRESS]:HOSTPORT:GUESTPORT"},
	{"fe80::1%eth0:80:80",
	 "port spec 'fe80::1%eth0:80:80': an IPv6 address is written in "
	 "brackets, [ADDRESS]:HOSTPORT:GUESTPORT"},
	{"fd00:1:2:3:4:5:6:7:80:80",
	 "port spec 'fd00:1:2:3:4:5:6:7:80:80': an IPv6 address is written in "
	 "brackets, [ADDRESS]:HOSTPORT:GUESTPORT"},
	{"[fe80::1%eth0]:80:80",
	 "port spec '[fe80::1%eth0]:80:80': binding to an interface (%) is not "
	 "built yet; listen on [::]"},
	{"[ff02::1]:80:80",
	 "port spec '[ff02::1]:80:80': a group's, which nobody listens on "
	 "alone; listen on [::]"},
	{"[::]:80:80,[::1]:80:81",
	 "port spec '[::1]:80:81': its host port is named twice"},
	{"127.0.0.1:80-82:80-82,0.0.0.0:81:81",
	 "port spec '0.0.0.0:81:81': its host port is named twice"},
	{"localhost:80:80,[::]:80:81",
	 "port spec '[::]:80:81': its host port is named twice"},
	{"[::1]:80:80,localhost:80:81",
	 "port spec 'localhost:80:81': its host port is named twice"},
	{"localhost:80:80,127.0.0.1:80:81",
	 "port spec '127.0.0.1:80:81': its host port is named twice"},
	{"[::1", "port spec '[::1': '[' without its ']'"},
	{"[zz]:80:80",
	 "port spec '[zz]:80:80': the host address is not an IPv6 "
	 "address"},
	{"80/sctp", "port spec '80/sctp': the protocol behind '/' is neither "
		    "tcp nor udp"},
	{"80/", "port spec '80/': the protocol behind '/' is neither tcp "
		"nor udp"},
	{"0", "port spec '0': port 0 is any of the host's; name the guest's, "
	      "0:PORT"},
	{"0:0", "port spec '0:0': a port is a number from 1 to 65535, a "
		"range is LOW-HIGH"},
	{"0:22-23", "port spec '0:22-23': a range needs its host ports named"},
	{"unix:/a:0", "Invalid host forwarding rule 'unix:/a:0' (Missing - "
		      "separator)"},
	{"unix:/:22", "Invalid host forwarding rule 'unix:/:22' (Missing - "
		      "separator)"},
	{"unix:a:22", "Invalid host forwarding rule 'unix:a:22' (Missing - "
		      "separator)"},
	{"65536", "port spec '65536': a port is a number from 1 to 65535, a "
		  "range is LOW-HIGH"},
	{"22-21", "port spec '22-21': the range runs backwards"},
	{"22-80:32", "port spec '22-80:32': the two ranges differ in length"},
	{"1:2:3", "port spec '1:2:3': the host address is not an IPv4 address"},
	{"1:2:3:4", "port spec '1:2:3:4': the host address is not an IPv4 "
		    "address"},
	{"127.0.0.1:80",
	 "port spec '127.0.0.1:80': an address is followed by two "
	 "ports, ADDRESS:HOSTPORT:GUESTPORT"},
	{"300.0.0.1:80:80",
	 "port spec '300.0.0.1:80:80': the host address is not an "
	 "IPv4 address"},
	{"127.0.0.1%lo/80",
	 "port spec '127.0.0.1%lo/80': binding to an interface (%) "
	 "is not built yet"},
	{"127.0.0.1/1.2.3.4:80:80",
	 "port spec '127.0.0.1/1.2.3.4:80:80': the host address is "
	 "given twice"},
	{":80", "Invalid host forwarding rule ':80' (Missing : separator)"},
	{"80:", "port spec '80:': a port is a number from 1 to 65535, a "
		"range is LOW-HIGH"},
	{"", "port spec '': an item is empty"},
	{"80,,81", "port spec '': an item is empty"},
	{"80,80", "port spec '80': its host port is named twice"},
	{"80,80:81", "port spec '80:81': its host port is named twice"},
	{"2222:22,tcp::2222-:23",
	 "port spec 'tcp::2222-:23': its host port is named twice"},
	{"80 ", "port spec '80 ': a port is a number from 1 to 65535, a "
		"range is LOW-HIGH"},
	{"-5", "port spec '-5': a port is a number from 1 to 65535, a "
	       "range is LOW-HIGH"},
	{"1-", "port spec '1-': a port is a number from 1 to 65535, a "
	       "range is LOW-HIGH"},
	{"sctp::1-:2",
	 "port spec 'sctp::1-:2': it begins with neither a port, an "
	 "address, tcp: nor udp:"},
	{"a", "port spec 'a': it begins with neither a port, an address, tcp: "
	      "nor udp:"},
	{"999999", "port spec '999999': a port is a number from 1 to 65535, a "
		   "range is LOW-HIGH"},
};

static void test_bad_hostfwds(void **state)
{
	for (size_t i = 0; i < array_len(bad_hostfwds); i++) {
		struct error e = ERROR_NULL;
		struct port_rule r;

		if (hostfwd_parse(bad_hostfwds[i].text, &r, &e) >= 0)
			fail_msg("accepted: %s", bad_hostfwds[i].text);
		assert_int_equal(e.code, EXIT_USAGE);
		assert_string_equal(e.text, bad_hostfwds[i].line);
	}
}

static void test_bad_specs(void **state)
{
	for (size_t i = 0; i < array_len(bad_specs); i++) {
		struct error e = ERROR_NULL;
		struct port_rule r[4];
		unsigned n = 99;

		if (port_spec_parse(bad_specs[i].text, r, 4, &n, &e) >= 0)
			fail_msg("accepted: %s", bad_specs[i].text);
		assert_int_equal(n, 99); /* written on success only */
		assert_int_equal(e.code, EXIT_USAGE);
		assert_string_equal(e.text, bad_specs[i].line);
	}
}

static void test_hostfwd(void **state)
{
	struct port_rule r;

	assert_int_equal(hostfwd_parse(":127.1:0x10-10.0.2.20:022", &r, NULL),
			 0);
	assert_int_equal(r.proto, IPPROTO_TCP);
	assert_true(r.has_host_ip);
	assert_true(addr_is_loopback(&r.host_ip));
	assert_int_equal(r.host_lo, 16);
	assert_int_equal(r.host_hi, 16);
	assert_int_equal(addr_u32(&r.guest_ip), 0x0a000214);
	assert_int_equal(r.guest_lo, 18);
	assert_string_equal(r.unix_path, "");

	assert_int_equal(hostfwd_parse("udp::0-:53", &r, NULL), 0);
	assert_int_equal(r.proto, IPPROTO_UDP);
	assert_false(r.has_host_ip);
	assert_true(addr_is_unspecified(&r.host_ip));
	assert_true(addr_is_v4(&r.host_ip));
	assert_int_equal(r.host_lo, 0);
	assert_true(addr_is_unspecified(&r.guest_ip));
}

/* A spec of -p, and its rules as they print. */
static const char *const specs[][2] = {
	{"tcp::2222-:22", "tcp::2222-:22"},
	{"udp:0.0.0.0:53-10.0.2.9:5353", "udp:0.0.0.0:53-10.0.2.9:5353"},
	{"::2222-:22", "tcp::2222-:22"},
	{"2222:22", "tcp::2222-:22"},
	{"2222:22/tcp", "tcp::2222-:22"},
	{"127.0.0.1:8080:80/udp", "udp:127.0.0.1:8080-:80"},
	{"0.0.0.0:80:80", "tcp:0.0.0.0:80-:80"},
	{"127.0.0.1::80", "tcp:127.0.0.1:0-:80"},
	{"80", "tcp::80-:80"},
	{"80/udp", "udp::80-:80"},
	{"80-81", "80-81:80-81/tcp"},
	{"8000-8010:8000-8010", "8000-8010:8000-8010/tcp"},
	{"1.2.3.4:80-81:90-91/udp", "1.2.3.4:80-81:90-91/udp"},
	{"22-80:32-90", "22-80:32-90/tcp"},
	{"2222:22,8080:80", "tcp::2222-:22 tcp::8080-:80"},
	{"127.0.0.1/2222:22,8080:80",
	 "tcp:127.0.0.1:2222-:22 tcp:127.0.0.1:8080-:80"},
	{"127.0.0.1/22-23/udp", "127.0.0.1:22-23:22-23/udp"},
	{"80,80/udp", "tcp::80-:80 udp::80-:80"},
	{"127.0.0.1:80:80,127.0.0.2:80:80",
	 "tcp:127.0.0.1:80-:80 tcp:127.0.0.2:80-:80"},
	{"1-65535", "1-65535:1-65535/tcp"},
	{"[::1]:8080:80", "tcp:[::1]:8080-:80"},
	{"[::]/80/udp", "udp:[::]:80-:80"},
	{"[2001:DB8::0:1]:80-81:90-91", "[2001:db8::1]:80-81:90-91/tcp"},
	{"[::1]/80,81:82", "tcp:[::1]:80-:80 tcp:[::1]:81-:82"},
	{"tcp::80-[fec0::15]:81", "tcp::80-[fec0::15]:81"},
	{"tcp:[::1]:80-[fec0::15]:81", "tcp:[::1]:80-[fec0::15]:81"},
	{"tcp:127.0.0.1:80-[fec0::15]:81", "tcp:127.0.0.1:80-[fec0::15]:81"},
	{"unix:/a-[fec0::15]:81", "unix:/a-[fec0::15]:81"},
	{"unix:/a:81", "unix:/a-:81"},
	{"unix:/a-b:c:81,unix:/d:82", "unix:/a-b:c-:81 unix:/d-:82"},
	{"localhost:80:81", "tcp:localhost:80-:81"},
	{"0:22,0:23/udp", "tcp::0-:22 udp::0-:23"},
	{"localhost:0:22", "tcp:localhost:0-:22"},
	{"udp:localhost:0-:81", "udp:localhost:0-:81"},
	{"localhost/80-82", "localhost:80-82:80-82/tcp"},
	{"localhost/80,81", "tcp:localhost:80-:80 tcp:localhost:81-:81"},
	{"0.0.0.0:80:80,[::]:80:80,0.0.0.0:80:80/udp",
	 "tcp:0.0.0.0:80-:80 tcp:[::]:80-:80 udp:0.0.0.0:80-:80"},
	{"0.0.0.0:80:80,[::1]:80:80",
	 "tcp:0.0.0.0:80-:80 tcp:[::1]:80-:80"},
	{"127.0.0.1::80,::81-:82", "tcp:127.0.0.1:0-:80 tcp::81-:82"},
	{"127.0.0.1:80:80,[::1]:80:80",
	 "tcp:127.0.0.1:80-:80 tcp:[::1]:80-:80"},
};

static void test_unix(void **state)
{
	static const char text[] = "unix:/tmp/a-b.sock-10.0.2.16:22";
	char buf[PORT_RULE_STRLEN], long_path[200];
	struct port_rule r[2];
	unsigned n;

	assert_int_equal(hostfwd_parse(text, r, NULL), 0);
	assert_string_equal(r->unix_path, "/tmp/a-b.sock");
	assert_int_equal(r->guest_lo, 22);
	assert_int_equal(r->proto, IPPROTO_TCP);
	assert_string_equal(port_rule_format(r, buf), text);
	assert_int_equal(port_spec_parse("unix:/a-:22,unix:/b-:22", r, 2, &n,
					 NULL), 0);
	assert_int_equal(n, 2);
	assert_true(port_spec_parse("unix:/a-:22,unix:/a-:23", r, 2, &n,
				    NULL) < 0);
	/* 107 bytes fit, 108 do not */
	snprintf(long_path, sizeof(long_path), "unix:/%0106d-:22", 0);
	assert_int_equal(hostfwd_parse(long_path, r, NULL), 0);
	assert_int_equal(strlen(r->unix_path), 107);
	snprintf(long_path, sizeof(long_path), "unix:/%0107d-:22", 0);
	assert_true(hostfwd_parse(long_path, r, NULL) < 0);
}

static void test_specs(void **state)
{
	for (size_t i = 0; i < array_len(specs); i++) {
		char got[512] = "", one[PORT_RULE_STRLEN];
		struct error e = ERROR_NULL;
		struct port_rule r[4];
		unsigned n = 0;

		if (port_spec_parse(specs[i][0], r, 4, &n, &e) < 0)
			fail_msg("%s: %s", specs[i][0], e.text);
		for (unsigned j = 0; j < n; j++) {
			strcat(got, j ? " " : "");
			strcat(got, port_rule_format(&r[j], one));
		}
		assert_string_equal(got, specs[i][1]);
	}
}

static void test_too_many(void **state)
{
	struct error e = ERROR_NULL;
	struct port_rule r[2];
	unsigned n;

	assert_int_equal(port_spec_parse("1,2", r, 2, &n, &e), 0);
	assert_int_equal(n, 2);
	assert_true(port_spec_parse("1,2,3", r, 2, &n, &e) < 0);
	assert_string_equal(e.text,
			    "port spec '3': there are too many forwards");
}

static void test_too_long(void **state)
{
	char text[2000];
	struct error e = ERROR_NULL;
	struct port_rule r;
	unsigned n;

	memset(text, '1', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_true(port_spec_parse(text, &r, 1, &n, &e) < 0);
	assert_non_null(strstr(e.text, "11..': it is too long"));
	memcpy(text, "tcp::", 5);
	e = ERROR_NULL;
	assert_true(hostfwd_parse(text, &r, &e) < 0);
	assert_non_null(strstr(e.text, "11..' (it is too long)"));
	text[300] = '-';
	text[305] = '\0';
	assert_true(hostfwd_parse(text, &r, NULL) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_hostfwds),
		cmocka_unit_test(test_bad_specs),
		cmocka_unit_test(test_hostfwd),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_specs),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
