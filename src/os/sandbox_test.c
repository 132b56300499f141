/* SPDX-License-Identifier: BSD-3-Clause */
/* What an engine in its sandbox can and cannot do. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/host_sock.h"
#include "os/loop.h"
#include "os/sandbox.h"
#include "os/test_user.h"

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

/* No set has a capability, and none can come back. */
static int has_no_capability(void)
{
	struct {
		uint32_t version;
		int pid;
	} head = {0x20080522, 0}; /* capget(2), version 3 */
	uint32_t sets[2][3] = {{0}};

	if (syscall(SYS_capget, &head, sets) < 0)
		return 1;
	for (int i = 0; i < 6; i++) {
		if (((uint32_t *)sets)[i])
			return 1;
	}
	return prctl(PR_CAPBSET_READ, 0) != 0 ||
	       prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1;
}

static int cannot_be_looked_into(void)
{
	struct rlimit rl;

	return prctl(PR_GET_DUMPABLE) != 0 || getrlimit(RLIMIT_CORE, &rl) < 0 ||
	       rl.rlim_max != 0;
}

static int has_only_stderr(void)
{
	int n = 0;

	for (int fd = 3; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n || fcntl(2, F_GETFD) < 0;
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

static int types_for_the_user(void)
{
	ioctl(2, TIOCSTI, "x");
	return 50;
}

static int asks_for_signals(void)
{
	fcntl(2, F_SETOWN, 1);
	return 50;
}

static int makes_code(void)
{
	(void)mmap(NULL, 4096, PROT_READ | PROT_EXEC,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return 50;
}

static int turns_data_into_code(void)
{
	static _Alignas(4096) char page[4096];

	mprotect(page, sizeof(page), PROT_READ | PROT_EXEC);
	return 50;
}

static int signals_others(void)
{
	syscall(SYS_tgkill, getpid() + 1, getpid() + 1, 0);
	return 50;
}

static int aborts(void)
{
	signal(SIGSEGV, SIG_DFL); /* not cmocka's */
	abort();
}

static int changes_user(void)
{
	syscall(SYS_setuid, 12345);
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
	assert_int_equal(in_sandbox(has_no_capability, nothing), 0);
	assert_int_equal(in_sandbox(cannot_be_looked_into, nothing), 0);
	assert_int_equal(in_sandbox(has_only_stderr, nothing), 0);
}

/* A failed assertion ends as one, not as a forbidden call. */
static void it_can_abort(void **state)
{
	int status = in_sandbox(NULL, aborts);

	/* The first process of a namespace takes no SIGABRT: abort() then
	 * runs into a trap. */
	assert_true(WIFSIGNALED(status));
	assert_true(WTERMSIG(status) == SIGABRT || WTERMSIG(status) == SIGSEGV);
}

/* ids[2] of an engine, as the kernel counts them, seen from outside. */
static void the_user_stays_the_user(void **state)
{
	struct error e = ERROR_NULL;
	struct log log = LOG_INIT(LOG_LEVEL_ERROR);
	char path[64], line[128] = "";
	unsigned uid = 1, euid = 2;
	int hold[2];
	pid_t pid;
	FILE *f;

	assert_int_equal(pipe(hold), 0);
	pid = sandbox_fork(&log, &e);
	assert_true(pid >= 0);
	if (pid == 0) {
		close(hold[1]);
		_exit((int)read(hold[0], line, 1));
	}
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "Uid: %u %u", &uid, &euid) == 2)
			break;
	}
	fclose(f);
	assert_int_equal(uid, getuid());
	assert_int_equal(euid, geteuid());
	close(hold[0]);
	close(hold[1]);
	assert_int_equal(sandbox_wait(pid, -1), 0);
}

static void a_wait_has_an_end(void **state)
{
	struct error e = ERROR_NULL;
	struct log log = LOG_INIT(LOG_LEVEL_ERROR);
	pid_t pid = sandbox_fork(&log, &e);

	assert_true(pid >= 0);
	if (pid == 0) {
		for (;;)
			pause();
	}
	assert_int_equal(sandbox_wait(pid, 1), -ETIMEDOUT);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(WTERMSIG(sandbox_wait(pid, -1)), SIGKILL);
}

static void other_calls_end_it(void **state)
{
	int (*const forbidden[])(void) = {makes_unix_socket, makes_raw_socket,
					  makes_packet_socket, traces, mounts,
					  unshares, types_for_the_user,
					  asks_for_signals, makes_code,
					  turns_data_into_code, signals_others,
					  changes_user};
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

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_engine_can_do_its_work),
		cmocka_unit_test(names_and_privileges_are_gone),
		cmocka_unit_test(the_user_stays_the_user),
		cmocka_unit_test(other_calls_end_it),
		cmocka_unit_test(it_can_abort),
		cmocka_unit_test(a_wait_has_an_end),
	};

	return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}

int main(void)
{
	return test_as_both(group);
}
