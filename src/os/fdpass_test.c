/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptors over a socket: whole, close-on-exec, or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/fdpass.h"
#include "os/test_user.h"

/* The lowest free descriptor: tells whether one leaked. */
static int lowest(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void descriptors_travel(void **state)
{
	int pair[2], p[2], got[4];
	unsigned n = 9;
	char c = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	assert_int_equal(pipe(p), 0);
	assert_int_equal(fd_send(pair[0], "x", 1, p, 2), 0);
	assert_int_equal(fd_recv(pair[1], &c, 1, got, 4, &n), 1);
	assert_int_equal(n, 2);
	assert_true(fcntl(got[0], F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(got[1], "y", 1), 1);
	assert_int_equal(read(p[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	close(got[0]);
	close(got[1]);
	close(pair[0]);
	assert_int_equal(fd_recv(pair[1], &c, 1, got, 1, &n), 0);
	assert_int_equal(n, 0);
	assert_int_equal(fd_send(pair[1], "x", 1, NULL, 0), -EPIPE);
	close(pair[1]);
	close(p[0]);
	close(p[1]);
}

static void what_does_not_fit_is_refused_whole(void **state)
{
	int pair[2], p[2], got[1], first;
	unsigned n = 9;
	char c = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0,
				    pair),
			 0);
	assert_int_equal(pipe(p), 0);
	first = lowest();
	assert_int_equal(fd_send(pair[0], "x", 1, p, 2), 0);
	assert_int_equal(fd_recv(pair[1], &c, 1, got, 1, &n), -EMSGSIZE);
	assert_int_equal(n, 0);
	assert_int_equal(fd_send(pair[0], "x", 1, p, 2), 0);
	assert_int_equal(fd_recv(pair[1], &c, 1, NULL, 0, &n), -EMSGSIZE);
	assert_int_equal(fd_send(pair[0], "xy", 2, p, 1), 0);
	assert_int_equal(fd_recv(pair[1], &c, 1, got, 1, &n), -EMSGSIZE);
	assert_int_equal(n, 0);
	assert_int_equal(lowest(), first);
	assert_int_equal(fd_recv(pair[1], &c, 1, got, 1, &n), -EAGAIN);
	close(pair[0]);
	close(pair[1]);
	close(p[0]);
	close(p[1]);
}

static void sixty_four_go_at_once(void **state)
{
	int pair[2], fds[FDPASS_MAX + 1], got[FDPASS_MAX];
	unsigned n = 0;
	char c = 0;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	for (unsigned i = 0; i <= FDPASS_MAX; i++)
		fds[i] = pair[0];
	assert_int_equal(fd_send(pair[0], "x", 1, fds, FDPASS_MAX + 1),
			 -EINVAL);
	assert_int_equal(fd_send(pair[0], "x", 1, fds, FDPASS_MAX), 0);
	assert_int_equal(fd_recv(pair[1], &c, 1, got, FDPASS_MAX, &n), 1);
	assert_int_equal(n, FDPASS_MAX);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(close(got[i]), 0);
	close(pair[0]);
	close(pair[1]);
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_travel),
		cmocka_unit_test(what_does_not_fit_is_refused_whole),
		cmocka_unit_test(sixty_four_go_at_once),
	};

	return cmocka_run_group_tests_name("fdpass", tests, NULL, NULL);
}

int main(void)
{
	return test_as_both(group);
}
