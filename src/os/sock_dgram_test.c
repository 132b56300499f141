/* SPDX-License-Identifier: BSD-3-Clause */
/* UDP sockets by name, in a network namespace of the test's own. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/sock.h"
#include "os/sockaddr.h"
#include "os/test_user.h"

static struct endpoint local_of(int fd)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);
	struct endpoint ep = {0};

	assert_int_equal(getsockname(fd, (struct sockaddr *)&ss, &len), 0);
	assert_true(sockaddr_to(&ss, &ep));
	return ep;
}

static void send_to(int fd, const struct endpoint *ep, const char *text)
{
	struct sockaddr_storage ss;
	socklen_t len = sockaddr_from(ep, &ss);

	assert_int_equal(sendto(fd, text, strlen(text), 0,
				(struct sockaddr *)&ss, len),
			 strlen(text));
}

/* Expects text at fd; its source. */
static struct endpoint expect(int fd, const char *text)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);
	struct endpoint ep = {0};
	char buf[64];
	ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&ss,
			     &len);

	assert_int_equal(n, strlen(text));
	assert_memory_equal(buf, text, strlen(text));
	assert_true(sockaddr_to(&ss, &ep));
	return ep;
}

static void addresses_keep_their_meaning(void **state)
{
	static const char *const texts[] = {"0.0.0.0", "127.0.0.1", "::",
					    "::1", "fd00::1:2"};
	struct sockaddr_storage ss;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct endpoint a = {.port = 4321}, b = {0};

		assert_true(addr_parse(texts[i], &a.ip));
		(void)sockaddr_from(&a, &ss);
		assert_int_equal(ss.ss_family,
				 strchr(texts[i], ':') ? AF_INET6 : AF_INET);
		assert_true(sockaddr_to(&ss, &b));
		assert_true(endpoint_eq(&a, &b));
	}
	ss.ss_family = AF_UNIX;
	assert_false(sockaddr_to(&ss, &(struct endpoint){0}));
}

/* Behind which interface fe80::1 is stays known, and is not part of what is
 * sent. */
static void addresses_keep_their_link(void **state)
{
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6,
				    .sin6_port = 7,
				    .sin6_scope_id = 0x12345,
				    .sin6_addr.s6_addr = {0xfe, 0x80,
							  [15] = 1}};
	const struct in6_addr wire = sin6.sin6_addr;
	struct sockaddr_storage ss = {0};
	struct endpoint ep[2];

	for (unsigned i = 0; i < 2; i++) {
		memcpy(&ss, &sin6, sizeof(sin6));
		assert_true(sockaddr_to(&ss, &ep[i]));
		assert_true(addr_is_link_local6(&ep[i].ip));
		memset(&ss, 0, sizeof(ss));
		assert_int_equal(sockaddr_from(&ep[i], &ss), sizeof(sin6));
		memcpy(&sin6, &ss, sizeof(sin6));
		assert_int_equal(sin6.sin6_scope_id, 0x12345 + i);
		assert_memory_equal(&sin6.sin6_addr, &wire, sizeof(wire));
		sin6.sin6_scope_id++;
	}
	assert_false(endpoint_eq(&ep[0], &ep[1]));
	/* all others are the same by whatever way they came */
	sin6.sin6_addr.s6_addr[0] = 0xfd;
	memcpy(&ss, &sin6, sizeof(sin6));
	assert_true(sockaddr_to(&ss, &ep[0]));
	assert_memory_equal(ep[0].ip.b, &sin6.sin6_addr, 16);
}

static void two_talk(void **state)
{
	struct endpoint any = {.ip = addr_v4(127, 0, 0, 1)}, a_ep, b_ep, from;
	struct error e = ERROR_NULL;
	int a = sock_dgram_inet("127.0.0.1", "0", &any, &e);
	int b = sock_dgram_inet("localhost", "0", &any, &e);

	assert_true(a >= 0 && b >= 0);
	a_ep = local_of(a);
	b_ep = local_of(b);
	send_to(a, &b_ep, "hello");
	from = expect(b, "hello");
	assert_true(endpoint_eq(&from, &a_ep));
	close(a);
	close(b);
}

static void a_busy_port_names_its_holder(void **state)
{
	struct endpoint any = {.ip = addr_v4(127, 0, 0, 1)};
	struct error e = ERROR_NULL;
	char port[8], pid[32];
	int a = sock_dgram_inet("127.0.0.1", "0", &any, &e);

	assert_true(a >= 0);
	snprintf(port, sizeof(port), "%u", local_of(a).port);
	snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
	assert_true(sock_dgram_inet("127.0.0.1", port, &any, &e) < 0);
	assert_int_equal(e.code, EXIT_CONFLICT);
	assert_non_null(strstr(e.text, pid));
	close(a);
}

static void refusals_say_why(void **state)
{
	struct endpoint v6 = {.ip = {{[15] = 1}}};
	struct error e = ERROR_NULL;

	assert_true(sock_dgram_inet("127.0.0.1", "0", &v6, &e) < 0);
	assert_int_equal(e.code, EXIT_USAGE);
	e = ERROR_NULL;
	assert_true(sock_dgram_inet("192.0.2.1", "0",
				    &(struct endpoint){
					    .ip = addr_v4(192, 0, 2, 2)},
				    &e) < 0);
	assert_non_null(strstr(e.text, "192.0.2.1"));
	e = ERROR_NULL;
	assert_true(sock_resolve("127.0.0.1", "no-such-service", true, &v6,
				 &e) < 0);
	assert_non_null(strstr(e.text, "127.0.0.1"));
}

/* Two machines of one group on one host: each hears both, and knows its own
 * frames by their source. */
static void members_know_their_own(void **state)
{
	const struct endpoint group = {.ip = addr_v4(230, 0, 0, 1),
				       .port = 1234};
	struct sock_mcast a = SOCK_MCAST_NULL, b = SOCK_MCAST_NULL;
	struct error e = ERROR_NULL;
	struct endpoint from;

	if (sock_dgram_mcast(&group, "127.0.0.1", &a, &e) < 0 ||
	    sock_dgram_mcast(&group, "127.0.0.1", &b, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_not_equal(a.self.port, b.self.port);
	assert_int_not_equal(a.self.port, group.port);
	send_to(a.tx_fd, &group, "from a");
	from = expect(a.rx_fd, "from a");
	assert_true(endpoint_eq(&from, &a.self));
	from = expect(b.rx_fd, "from a");
	assert_false(endpoint_eq(&from, &b.self));
	/* Bound to the group: what is sent to the host itself stays out. */
	send_to(a.tx_fd,
		&(struct endpoint){.ip = addr_v4(127, 0, 0, 1),
				   .port = group.port},
		"unicast");
	assert_int_equal(recv(b.rx_fd, &from, sizeof(from), MSG_DONTWAIT), -1);
	close(a.rx_fd);
	close(a.tx_fd);
	close(b.rx_fd);
	close(b.tx_fd);
}

static void groups_can_be_refused(void **state)
{
	const struct endpoint group = {.ip = addr_v4(230, 0, 0, 1),
				       .port = 1234};
	struct sock_mcast m = SOCK_MCAST_NULL;
	struct error e = ERROR_NULL;

	/* The namespace has no route but to itself. */
	assert_true(sock_dgram_mcast(&group, NULL, &m, &e) < 0);
	assert_non_null(strstr(e.text, "230.0.0.1:1234"));
	assert_int_equal(m.rx_fd, -1);
	assert_int_equal(m.tx_fd, -1);
	e = ERROR_NULL;
	assert_true(sock_dgram_mcast(&group, "eth0", &m, &e) < 0);
	assert_int_equal(e.code, EXIT_USAGE);
	e = ERROR_NULL;
	assert_true(sock_dgram_mcast(&group, "::1", &m, &e) < 0);
	assert_int_equal(e.code, EXIT_USAGE);
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_keep_their_meaning),
		cmocka_unit_test(addresses_keep_their_link),
		cmocka_unit_test(two_talk),
		cmocka_unit_test(a_busy_port_names_its_holder),
		cmocka_unit_test(refusals_say_why),
		cmocka_unit_test(members_know_their_own),
		cmocka_unit_test(groups_can_be_refused),
	};

	return cmocka_run_group_tests_name("sock_dgram", tests, NULL, NULL);
}

static int both(void)
{
	return test_in_netns(group);
}

int main(void)
{
	return test_as_both(both);
}
