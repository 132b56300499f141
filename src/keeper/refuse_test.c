/* SPDX-License-Identifier: BSD-3-Clause */
/* From which address and port a client hears that it is refused, whatever an
 * engine says. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "keeper/keeper_priv.h"
#include "os/sockaddr.h"

static const struct endpoint client = {
	.ip = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127, 0, 0, 5}},
	.port = 999};

static void test_an_own_address_stays(void **state)
{
	const addr own = addr_v4(127, 0, 0, 9);
	addr a = own;

	(void)state;
	assert_true(refuse_source(&client, &a));
	assert_true(addr_eq(&a, &own));
}

/* ::1 is all that every host has of IPv6. */
static void test_of_ipv6(void **state)
{
	const struct endpoint client6 = {.ip = {{[15] = 1}}, .port = 999};
	const addr own = {{[15] = 1}};
	const addr t[] = {
		own,
		{{0}},
		{{0x20, 0x01, 0x0d, 0xb8, [15] = 1}}, /* RFC 3849 */
		{{0xff, 0x02, [15] = 1}},
		addr_v4(127, 0, 0, 1),
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(t) / sizeof(*t); i++) {
		addr a = t[i];

		assert_true(refuse_source(&client6, &a));
		assert_true(addr_eq(&a, &own));
	}
}

static void test_others_do_not(void **state)
{
	const addr t[] = {
		addr_v4(0, 0, 0, 0),
		addr_v4(192, 0, 2, 1), /* nobody's (RFC 5737) */
		addr_v4(224, 0, 0, 1),
		addr_v4(127, 255, 255, 255), /* these two can be bound to */
		addr_v4(255, 255, 255, 255),
		{{[15] = 1}},
	};
	const addr own = addr_v4(127, 0, 0, 1);

	(void)state;
	for (unsigned i = 0; i < sizeof(t) / sizeof(*t); i++) {
		addr a = t[i];

		assert_true(refuse_source(&client, &a));
		assert_true(addr_eq(&a, &own));
	}
}

/* Who cannot be spoken to is told nothing. */
static void test_a_group_is_no_client(void **state)
{
	const struct endpoint all = {.ip = addr_v4(127, 255, 255, 255),
				     .port = 999};
	addr a = addr_v4(127, 0, 0, 9);

	(void)state;
	assert_false(refuse_source(&all, &a));
}

static int bound(int domain, int type, int proto, const addr *a)
{
	int fd = socket(domain, type | SOCK_CLOEXEC, proto);
	const struct endpoint ep = {.ip = *a};
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_from(&ep, &ss);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&ss, len), 0);
	return fd;
}

static void test_the_port_is_the_sockets(void **state)
{
	const addr t[] = {addr_v4(0, 0, 0, 0), addr_v4(127, 0, 0, 9),
			  {{0}}, {{[15] = 1}}};
	struct endpoint own;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		int fd = bound(i < 2 ? AF_INET : AF_INET6, SOCK_DGRAM, 0,
			       &t[i]);
		struct sockaddr_storage ss;
		socklen_t len = sizeof(ss);
		struct endpoint want;

		assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len),
				 0);
		assert_true(sockaddr_to(&ss, &want) && want.port);
		assert_true(refuse_port(fd, &own));
		assert_true(endpoint_eq(&own, &want));
		assert_true(addr_eq(&own.ip, &t[i]));
		close(fd);
	}
}

/* A socket of another kind, without a port, none at all. */
static void test_other_sockets_have_none(void **state)
{
	const addr v4 = addr_v4(127, 0, 0, 1), v6 = {{[15] = 1}};
	struct endpoint own;
	int fds[4], pair[2];

	(void)state;
	fds[0] = bound(AF_INET, SOCK_STREAM, 0, &v4);
	fds[1] = bound(AF_INET6, SOCK_STREAM, 0, &v6);
	fds[2] = bound(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE, &v4);
	fds[3] = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* no port */
	for (unsigned i = 0; i < 4; i++) {
		assert_false(refuse_port(fds[i], &own));
		close(fds[i]);
	}
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	assert_false(refuse_port(pair[0], &own));
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(pipe(pair), 0);
	assert_false(refuse_port(pair[0], &own));
	close(pair[0]);
	close(pair[1]);
	assert_false(refuse_port(-1, &own));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_own_address_stays),
		cmocka_unit_test(test_of_ipv6),
		cmocka_unit_test(test_others_do_not),
		cmocka_unit_test(test_a_group_is_no_client),
		cmocka_unit_test(test_the_port_is_the_sockets),
		cmocka_unit_test(test_other_sockets_have_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
