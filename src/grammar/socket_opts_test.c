/* SPDX-License-Identifier: BSD-3-Clause */
/* The five ways of `socket`, and what QEMU says to those that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "grammar/socket_opts.h"

static void test_ways(void **state)
{
	static const struct {
		const char *text;
		enum socket_way way;
		const char *host;
		uint16_t port;
		const char *local;
		uint16_t local_port;
		int fd;
	} all[] = {
		{"socket,listen=:1234", SOCKET_LISTEN, "0.0.0.0", 1234, "", 0,
		 -1},
		{"socket,id=s,listen=localhost:0x50,max=1", SOCKET_LISTEN,
		 "localhost", 80, "", 0, -1},
		{"socket,connect=127.0.0.1:1234,reconnect-ms=5", SOCKET_CONNECT,
		 "127.0.0.1", 1234, "", 0, -1},
		{"socket,mcast=230.0.0.1:65535", SOCKET_MCAST, "230.0.0.1",
		 65535, "", 0, -1},
		{"socket,mcast=bus.example:5,localaddr=127.0.0.1", SOCKET_MCAST,
		 "bus.example", 5, "127.0.0.1", 0, -1},
		{"socket,udp=10.0.0.1:7,localaddr=:8", SOCKET_UDP, "10.0.0.1",
		 7, "0.0.0.0", 8, -1},
		{"{\"type\":\"socket\",\"udp\":\"h:7\",\"localaddr\":\"l:0\"}",
		 SOCKET_UDP, "h", 7, "l", 0, -1},
		{"socket,fd=7", SOCKET_FD, "", 0, "", 0, 7},
	};

	for (size_t i = 0; i < array_len(all); i++) {
		struct netdev_spec *s = NULL;
		struct error e = ERROR_NULL;
		struct socket_opts o;

		if (netdev_parse(all[i].text, &s, &e) < 0)
			fail_msg("%s: %s", all[i].text, e.text);
		assert_int_equal(socket_opts_get(s, &o, &e), 0);
		assert_int_equal(o.way, all[i].way);
		assert_string_equal(o.at.host, all[i].host);
		assert_int_equal(o.at.port, all[i].port);
		assert_string_equal(o.local.host, all[i].local);
		assert_int_equal(o.local.port, all[i].local_port);
		assert_int_equal(o.fd, all[i].fd);
		netdev_spec_free(s);
	}
}

#define ONE "exactly one of listen=, connect=, mcast= or udp= is required"

static void test_refusals(void **state)
{
	static const char *const all[][2] = {
		{"socket", ONE},
		{"socket,localaddr=1.2.3.4", ONE},
		{"socket,listen=:1,connect=:2", ONE},
		{"socket,fd=3,listen=:1", ONE " (fd= counts as one)"},
		{"socket,listen=:1,localaddr=1.2.3.4",
		 "localaddr= is only valid with mcast= or udp="},
		{"socket,fd=3,localaddr=1.2.3.4",
		 "localaddr= is only valid with mcast= or udp="},
		{"socket,udp=1.2.3.4:5", "localaddr= is mandatory with udp="},
		{"socket,listen=1234",
		 "host address '1234' doesn't contain ':' separating host from "
		 "port (listen=)"},
		{"socket,udp=a:1,localaddr=b",
		 "host address 'b' doesn't contain ':' separating host from "
		 "port (localaddr=)"},
		{"socket,listen=a:b", "port number 'b' is invalid (listen=)"},
		{"socket,listen=:", "port number '' is invalid (listen=)"},
		{"socket,listen=::1:12003",
		 "port number ':1:12003' is invalid; for IPv6 use stream or "
		 "dgram (listen=)"},
		{"socket,connect=[::1]:2000",
		 "port number ':1]:2000' is invalid; for IPv6 use stream or "
		 "dgram (connect=)"},
		{"socket,connect=a:99999",
		 "port number '99999' is invalid, the highest is 65535 "
		 "(connect=)"},
		{"socket,connect=a:0",
		 "port number '0' is invalid, it names no peer (connect=)"},
		{"socket,mcast=10.0.0.1:5",
		 "specified mcastaddr 10.0.0.1 (0x0a000001) does not contain a "
		 "multicast address"},
		{"socket,mcast=230.0.0.1:5,localaddr=xx",
		 "localaddr 'xx' is not a valid IPv4 address"},
		{"socket,fd=x",
		 "Invalid file descriptor number 'x' (fd=; names of QMP's "
		 "getfd are not known here)"},
		{"socket,connect=a:1,max=1",
		 "Parameter 'max' is only valid with listen="},
		{"socket,listen=a:1,reconnect-ms=1",
		 "Parameter 'reconnect-ms' is only valid with connect="},
		{"socket,listne=:1",
		 "Invalid parameter 'listne'; did you mean 'listen'?"},
	};

	for (size_t i = 0; i < array_len(all); i++) {
		struct netdev_spec *s = NULL;
		struct error e = ERROR_NULL;

		if (netdev_parse(all[i][0], &s, &e) >= 0)
			fail_msg("accepted: %s", all[i][0]);
		assert_int_equal(e.code, EXIT_USAGE);
		assert_memory_equal(e.text, "socket: ", 8);
		assert_string_equal(e.text + 8, all[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
