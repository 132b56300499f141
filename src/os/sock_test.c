/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Internet streams by name, descriptors taken over, forwarded ports and who
 * holds them; in a network namespace of the test's own.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cap-ng.h>
#include <cmocka.h>

#include "base/mem.h"
#include "os/holder.h"
#include "os/rlimit.h"
#include "os/sock.h"
#include "os/test_user.h"

static void expect_error(int fd, const struct error *e, enum exit_code code,
			 const char *word)
{
	assert_true(fd < 0);
	if (e->code != code || !strstr(e->text, word))
		fail_msg("code %d, not %d with '%s': %s", e->code, code, word,
			 e->text);
}

static void wait_writable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};

	assert_int_equal(poll(&p, 1, -1), 1);
}

static void streams_connect(void **state)
{
	struct sock_inet a = {.host = "127.0.0.1", .port = "0", .ipv4 = true,
			      .ipv6 = true, .keep_alive = true,
			      .keep_alive_idle = 77};
	struct error e = ERROR_NULL;
	struct endpoint bound;
	socklen_t len = sizeof(int);
	char port[8];
	int l, c, v = 0;

	l = sock_listen_inet(&a, &bound, &e);
	assert_true(l >= 0);
	snprintf(port, sizeof(port), "%u", bound.port);
	a.port = port;
	c = sock_connect_inet(&a, &e);
	assert_true(c >= 0);
	wait_writable(c);
	assert_int_equal(sock_connect_result(c, &e), 0);
	assert_int_equal(getsockopt(c, IPPROTO_TCP, 4 /* TCP_KEEPIDLE */, &v,
				    &len),
			 0);
	assert_int_equal(v, 77);
	assert_true(fcntl(c, F_GETFL) & O_NONBLOCK);
	close(c);
	close(l);
	expect_error(sock_connect_inet(&a, &e), &e, EXIT_FAILED, "refused");
}

static void busy_ports_name_their_holder(void **state)
{
	struct sock_inet a = {.host = "127.0.0.1", .port = "7001",
			      .ipv4 = true, .ipv6 = true};
	struct error e = ERROR_NULL;
	struct endpoint bound;
	char pid[32];
	int l[3];

	snprintf(pid, sizeof(pid), "pid %d", (int)getpid());
	l[0] = sock_listen_inet(&a, &bound, &e);
	assert_true(l[0] >= 0);
	expect_error(sock_listen_inet(&a, &bound, &e), &e, EXIT_CONFLICT, pid);
	/* to= goes on to the next, as far as it says */
	e = ERROR_NULL;
	a.has_to = true;
	a.to = 7002;
	l[1] = sock_listen_inet(&a, &bound, &e);
	assert_true(l[1] >= 0);
	assert_int_equal(bound.port, 7002);
	expect_error(sock_listen_inet(&a, &bound, &e), &e, EXIT_CONFLICT,
		     "7001 to 7002");
	e = ERROR_NULL;
	a.to = 7000;
	expect_error(sock_listen_inet(&a, &bound, &e), &e, EXIT_USAGE,
		     "to=7000");
	/* any address, both families by one socket */
	e = ERROR_NULL;
	a = (struct sock_inet){.port = "7003", .ipv4 = true, .ipv6 = true};
	l[2] = sock_listen_inet(&a, &bound, &e);
	assert_true(l[2] >= 0);
	assert_true(addr_is_unspecified(&bound.ip));
	for (int i = 0; i < 3; i++)
		close(l[i]);
}

static void families_can_be_chosen(void **state)
{
	struct sock_inet a = {.host = "localhost", .port = "7010",
			      .ipv6 = true};
	struct error e = ERROR_NULL;
	struct endpoint bound;
	int l, c;

	a.host = "::1";
	l = sock_listen_inet(&a, &bound, &e);
	assert_true(l >= 0);
	assert_false(addr_is_v4(&bound.ip));
	a.ipv4 = true;
	c = sock_connect_inet(&a, &e);
	assert_true(c >= 0);
	close(c);
	close(l);
	a.ipv6 = false; /* an IPv6 address, and only IPv4 allowed */
	expect_error(sock_connect_inet(&a, &e), &e, EXIT_FAILED, "::1");
	e = ERROR_NULL;
	a.ipv4 = false;
	expect_error(sock_connect_inet(&a, &e), &e, EXIT_USAGE, "neither");
}

/* localhost is ::1 first on many hosts; a listener on 127.0.0.1 is found. */
static void each_address_of_a_name_is_tried(void **state)
{
	struct sock_inet a = {.host = "127.0.0.1", .port = "7020",
			      .ipv4 = true, .ipv6 = true};
	struct error e = ERROR_NULL;
	struct endpoint bound;
	int l = sock_listen_inet(&a, &bound, &e), c;

	assert_true(l >= 0);
	a.host = "localhost";
	c = sock_connect_inet(&a, &e);
	assert_true(c >= 0);
	wait_writable(c);
	assert_int_equal(sock_connect_result(c, &e), 0);
	close(c);
	close(l);
}

static void names_that_mean_nothing(void **state)
{
	struct sock_inet a = {.host = "no.such.host.invalid", .port = "1",
			      .ipv4 = true, .ipv6 = true, .numeric = true};
	struct error e = ERROR_NULL;
	struct endpoint bound;

	expect_error(sock_connect_inet(&a, &e), &e, EXIT_FAILED,
		     "no.such.host.invalid");
	a.host = "127.0.0.1";
	a.port = "http";
	e = ERROR_NULL;
	expect_error(sock_listen_inet(&a, &bound, &e), &e, EXIT_FAILED, "http");
	a.host = "192.0.2.1"; /* not ours */
	a.port = "7030";
	e = ERROR_NULL;
	expect_error(sock_listen_inet(&a, &bound, &e), &e, EXIT_FAILED,
		     "192.0.2.1:7030");
}

static int stream(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static void descriptors_are_checked(void **state)
{
	struct error e = ERROR_NULL;
	int pair[2], pipes[2], fd, got;

	expect_error(sock_fd_take(999, SOCK_STREAM, false, &e), &e, EXIT_USAGE,
		     "999");
	assert_int_equal(pipe(pipes), 0);
	e = ERROR_NULL;
	expect_error(sock_fd_take(pipes[0], SOCK_STREAM, false, &e), &e,
		     EXIT_USAGE, "not a socket");
	fd = stream();
	e = ERROR_NULL;
	expect_error(sock_fd_take(fd, SOCK_DGRAM, false, &e), &e, EXIT_USAGE,
		     "stream socket");
	e = ERROR_NULL;
	expect_error(sock_fd_take(fd, SOCK_STREAM, true, &e), &e, EXIT_USAGE,
		     "does not listen");
	e = ERROR_NULL;
	expect_error(sock_fd_take(fd, SOCK_STREAM, false, &e), &e, EXIT_USAGE,
		     "not connected");
	assert_int_equal(listen(fd, 1), 0);
	e = ERROR_NULL;
	expect_error(sock_fd_take(fd, SOCK_STREAM, false, &e), &e, EXIT_USAGE,
		     "listens");
	e = ERROR_NULL;
	got = sock_fd_take(fd, SOCK_STREAM, true, &e);
	assert_true(got >= 0);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_true(fcntl(got, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(got, F_GETFL) & O_NONBLOCK);
	close(got);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	got = sock_fd_take(pair[0], SOCK_STREAM, false, &e);
	assert_true(got >= 0);
	close(got);
	close(pair[1]);
	close(pipes[0]);
	close(pipes[1]);
}

static void check_forward(uint8_t proto)
{
	struct endpoint ep = {.ip = addr_v4(127, 0, 0, 1)};
	struct error e = ERROR_NULL;
	char pid[32];
	int a, b;

	snprintf(pid, sizeof(pid), "(pid %d)", (int)getpid());
	a = sock_listen_forward(proto, &ep, &e);
	assert_true(a >= 0);
	assert_int_not_equal(ep.port, 0);
	expect_error(sock_listen_forward(proto, &ep, &e), &e, EXIT_CONFLICT,
		     pid);
	/* the same port of another address is another */
	ep.ip = addr_v4(127, 0, 0, 2);
	e = ERROR_NULL;
	b = sock_listen_forward(proto, &ep, &e);
	assert_true(b >= 0);
	close(a);
	close(b);
	ep.ip = addr_v4(192, 0, 2, 1);
	expect_error(sock_listen_forward(proto, &ep, &e), &e, EXIT_USAGE,
		     "no such address");
}

static void forwards_listen(void **state)
{
	check_forward(IPPROTO_TCP);
	check_forward(IPPROTO_UDP);
}

/* A port is free for the next of ours when it is retired, though somebody has
 * the socket open still; and for nobody else of UDP. */
static void retired_ports_are_free(void **state)
{
	static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
	struct sockaddr_in sin = {.sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct endpoint ep = {.ip = addr_v4(127, 0, 0, 1)};
		int old = sock_listen_forward(protos[i], &ep, NULL), fd;
		char got[8];

		assert_true(old >= 0);
		sock_retire_forward(old, protos[i]);
		fd = sock_listen_forward(protos[i], &ep, NULL);
		assert_int_equal(fd >= 0, protos[i] == IPPROTO_TCP);
		if (fd < 0)
			fd = sock_listen_again(&ep);
		assert_true(fd >= 0);
		if (protos[i] == IPPROTO_UDP) {
			sin.sin_port = htons(ep.port);
			assert_int_equal(sendto(fd, "x", 1, 0,
						(struct sockaddr *)&sin,
						sizeof(sin)),
					 1);
			assert_int_equal(recv(fd, got, sizeof(got), 0), 1);
			/* it is not given away again */
			assert_true(sock_listen_again(&ep) < 0);
		}
		close(fd);
		close(old);
	}
}

/* Without capabilities, as an ordinary user of the host has none. */
static int low_port(void *arg)
{
	struct endpoint ep = {.ip = addr_v4(127, 0, 0, 1), .port = 80};
	struct error e = ERROR_NULL;

	(void)arg;
	capng_clear(CAPNG_SELECT_CAPS);
	if (capng_apply(CAPNG_SELECT_CAPS) < 0)
		return 2;
	if (sock_listen_forward(IPPROTO_TCP, &ep, &e) >= 0)
		return 1;
	return e.code != EXIT_PERMISSION ||
	       !strstr(e.text, "ip_unprivileged_port_start");
}

static void low_ports_name_the_remedy(void **state)
{
	assert_int_equal(test_in_child(low_port, NULL), 0);
}

static void holders_of_others_are_told_apart(void **state)
{
	const struct endpoint ep = {.ip = addr_v4(127, 0, 0, 1), .port = 7099};
	char buf[128];

	assert_string_equal(holder_of_port(IPPROTO_TCP, &ep, buf, sizeof(buf)),
			    "another process");
	/* room for a part only: cut, not overrun */
	assert_int_equal(strlen(holder_of_port(IPPROTO_UDP, &ep, buf, 8)), 7);
}

/* The port of one address is another's than that of the next. */
static void a_holder_has_the_address(void **state)
{
	static const struct {
		const char *held, *asked;
		bool is_holder;
	} rows[] = {
		{"127.0.0.1", "127.0.0.1", true},
		{"127.0.0.1", "0.0.0.0", true},
		{"127.0.0.1", "127.0.0.2", false},
		{"127.0.0.1", "::1", false},
		{"0.0.0.0", "127.0.0.9", true},
		{"::1", "::1", true},
		{"::1", "::", true},
		{"::1", "127.0.0.1", false},
		{"::", "::1", true},
		{"::", "127.0.0.1", true},
	};

	for (size_t i = 0; i < array_len(rows); i++) {
		struct endpoint held = {.port = 0}, asked;
		char buf[128], pid[32];
		CLEANUP_FD int fd = -1;

		assert_true(addr_parse(rows[i].held, &held.ip));
		fd = sock_listen_forward(IPPROTO_TCP, &held, NULL);
		if (fd < 0 && !addr_is_v4(&held.ip))
			continue; /* a host without IPv6 */
		assert_true(fd >= 0);
		asked.port = held.port;
		assert_true(addr_parse(rows[i].asked, &asked.ip));
		holder_of_port(IPPROTO_TCP, &asked, buf, sizeof(buf));
		snprintf(pid, sizeof(pid), "(pid %d)", (int)getpid());
		if ((strstr(buf, pid) != NULL) != rows[i].is_holder)
			fail_msg("%s, %s: %s", rows[i].held, rows[i].asked,
				 buf);
	}
}

/* Whatever a process calls itself. */
static void a_holder_is_named_in_plain_letters(void **state)
{
	struct endpoint ep = {.ip = addr_v4(127, 0, 0, 1)};
	CLEANUP_FD int fd = sock_listen_forward(IPPROTO_TCP, &ep, NULL);
	char buf[128], name[16];

	assert_true(fd >= 0);
	assert_int_equal(prctl(PR_GET_NAME, name), 0);
	assert_int_equal(prctl(PR_SET_NAME, "a\x1b[2J\xff z"), 0);
	holder_of_port(IPPROTO_TCP, &ep, buf, sizeof(buf));
	assert_int_equal(prctl(PR_SET_NAME, name), 0);
	assert_memory_equal(buf, "a?[2J? z (pid ", 14);
}

/* Others wait meanwhile: who has so many files is not searched to the end. */
static void a_search_has_an_end(void **state)
{
	struct endpoint ep = {.ip = addr_v4(127, 0, 0, 1)};
	const unsigned long before = rlimit_raise_nofile();
	char buf[128], pid[32];
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), last = null;
	int fd;

	assert_true(null >= 0);
	while (last >= 0 && last < HOLDER_LOOKS_EACH)
		last = fcntl(null, F_DUPFD_CLOEXEC, last + 1);
	fd = sock_listen_forward(IPPROTO_TCP, &ep, NULL);
	if (last < 0 || fd < 0) { /* a host that grants less */
		assert_int_equal(close_range((unsigned)null, ~0U, 0), 0);
		rlimit_set_nofile(before);
		skip();
	}
	assert_true(holder_find_port(IPPROTO_TCP, &ep, buf, sizeof(buf)));
	assert_string_equal(buf, "another process");
	assert_int_equal(close_range((unsigned)null, (unsigned)last, 0), 0);
	holder_of_port(IPPROTO_TCP, &ep, buf, sizeof(buf));
	snprintf(pid, sizeof(pid), "(pid %d)", (int)getpid());
	assert_non_null(strstr(buf, pid));
	close(fd);
	rlimit_set_nofile(before);
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_holder_is_named_in_plain_letters),
		cmocka_unit_test(streams_connect),
		cmocka_unit_test(busy_ports_name_their_holder),
		cmocka_unit_test(families_can_be_chosen),
		cmocka_unit_test(each_address_of_a_name_is_tried),
		cmocka_unit_test(names_that_mean_nothing),
		cmocka_unit_test(descriptors_are_checked),
		cmocka_unit_test(forwards_listen),
		cmocka_unit_test(retired_ports_are_free),
		cmocka_unit_test(low_ports_name_the_remedy),
		cmocka_unit_test(holders_of_others_are_told_apart),
		cmocka_unit_test(a_holder_has_the_address),
		cmocka_unit_test(a_search_has_an_end),
	};

	return cmocka_run_group_tests_name("sock", tests, NULL, NULL);
}

static int both(void)
{
	return test_in_netns(group);
}

int main(void)
{
	return test_as_both(both);
}
