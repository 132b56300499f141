/* SPDX-License-Identifier: BSD-3-Clause */
/* What an engine in its sandbox can and cannot do. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/host_sock.h"
#include "os/loop.h"
#include "os/sandbox.h"

/* Runs fn in a sandboxed child; its wait status. */
static int in_sandbox(int (*before)(void), int (*fn)(void))
{
	struct error e = ERROR_NULL;
	struct log log = LOG_INIT(LOG_LEVEL_ERROR);
	pid_t pid = sandbox_fork(&log, &e);

	assert_true(pid >= 0);
	if (pid == 0) {
		if (sandbox_enter(NULL, 0, &e) < 0)
			_exit(100);
		if (before && before() != 0)
			_exit(101);
		if (sandbox_seccomp(&e) < 0)
			_exit(102);
		_exit(fn());
	}
	return sandbox_wait(pid, -1);
}

static int nothing(void)
{
	return 0;
}

static int root_is_empty(void)
{
	return access("/etc", F_OK) == 0 || access("/proc/self", F_OK) == 0 ||
	       open("/x", O_CREAT | O_RDWR, 0600) >= 0;
}

static int sees_only_itself(void)
{
	return getpid() != 1;
}

static int has_no_privilege(void)
{
	return mount("none", "/", "tmpfs", 0, NULL) == 0 ||
	       setuid(12345) == 0;
}

static void on_event(struct host_sock *s, unsigned events)
{
	(void)s;
	(void)events;
}

static int inet_works(void)
{
	struct host *h = NULL;
	struct loop *l = NULL;
	struct host_sock u = {.fd = -1, .event = on_event}, t = u;
	struct endpoint ep = {.ip = addr_v4(127, 0, 0, 1)};
	struct timer tm;

	if (loop_new(&l) < 0 || host_sock_new(l, NULL, &h) < 0)
		return 1;
	if (h->ops->open(h, &u, HOST_UDP, false) < 0 ||
	    h->ops->bind(h, &u, &ep) < 0 || h->ops->local(h, &u, &ep) < 0)
		return 2;
	if (h->ops->open(h, &t, HOST_TCP, false) < 0 ||
	    h->ops->connect(h, &t, &ep) == 0)
		return 3;
	timer_init(&tm, NULL);
	timer_arm(loop_wheel(l), &tm, *loop_now(l) + 1000000);
	timer_disarm(loop_wheel(l), &tm);
	if (loop_turn(l, 0) < 0)
		return 4;
	h->ops->close(h, &t, true);
	h->ops->close(h, &u, false);
	host_sock_free(h);
	loop_free(l);
	return 0;
}

static int opens_a_file(void)
{
	return (int)syscall(SYS_openat, AT_FDCWD, "/", O_RDONLY) >= 0 ? 50 : 51;
}

static int makes_unix_socket(void)
{
	(void)socket(AF_UNIX, SOCK_STREAM, 0);
	return 50;
}

static int makes_raw_socket(void)
{
	(void)socket(AF_INET, SOCK_RAW, 1);
	return 50;
}

static int makes_packet_socket(void)
{
	(void)socket(AF_PACKET, SOCK_DGRAM, 0);
	return 50;
}

static int traces(void)
{
	syscall(SYS_ptrace, 16, 1, 0, 0);
	return 50;
}

static int mounts(void)
{
	mount("none", "/", "tmpfs", 0, NULL);
	return 50;
}

static int unshares(void)
{
	syscall(SYS_unshare, 0x10000000);
	return 50;
}

static bool died_of_sigsys(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static void the_engine_can_do_its_work(void **state)
{
	int status = in_sandbox(NULL, inet_works);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void names_and_privileges_are_gone(void **state)
{
	assert_int_equal(in_sandbox(root_is_empty, nothing), 0);
	assert_int_equal(in_sandbox(sees_only_itself, nothing), 0);
	assert_int_equal(in_sandbox(has_no_privilege, nothing), 0);
}

static void other_calls_end_it(void **state)
{
	int (*const forbidden[])(void) = {makes_unix_socket, makes_raw_socket,
					  makes_packet_socket, traces, mounts,
					  unshares};
	int status;

	for (size_t i = 0; i < sizeof(forbidden) / sizeof(*forbidden); i++) {
		status = in_sandbox(NULL, forbidden[i]);
		if (!died_of_sigsys(status))
			fail_msg("call %zu: status %#x", i, (unsigned)status);
	}
	/* A sanitizer's build refuses, the ordinary one ends it. */
	status = in_sandbox(NULL, opens_a_file);
	assert_true(died_of_sigsys(status) ||
		    (WIFEXITED(status) && WEXITSTATUS(status) == 51));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_engine_can_do_its_work),
		cmocka_unit_test(names_and_privileges_are_gone),
		cmocka_unit_test(other_calls_end_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
