/* SPDX-License-Identifier: BSD-3-Clause */
/* What an engine in its sandbox can and cannot do. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
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

#include "os/fdpass.h"
#include "os/host_sock.h"
#include "os/loop.h"
#include "os/sandbox.h"
#include "os/sock.h"
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

#define TRY(what)                                                              \
	do {                                                                   \
		if (!(what))                                                   \
			return __LINE__ % 100 + 100;                           \
	} while (0)

static int tcp_works(struct host *h, struct loop *l, int listener)
{
	struct host_sock c = {.fd = -1, .event = on_event}, a = c, s = c;
	struct endpoint ep, peer;
	char buf[16] = "hello";
	struct iovec v = {.iov_base = buf, .iov_len = 5};
	int n = 0;

	TRY(h->ops->adopt(h, &s, listener) == 0);
	TRY(h->ops->local(h, &s, &ep) == 0);
	TRY(h->ops->open(h, &c, HOST_TCP, false) == 0);
	TRY(h->ops->set(h, &c, HOST_OPT_NODELAY, 1) == 0);
	TRY(h->ops->connect(h, &c, &ep) == -EINPROGRESS);
	while (h->ops->accept(h, &s, &a, &peer) == -EAGAIN)
		TRY(loop_turn(l, -1) == 0);
	TRY(h->ops->error(h, &c) == 0);
	TRY(h->ops->send(h, &c, &v, 1, 0) == 5);
	TRY(h->ops->get(h, &c, HOST_OPT_SNDQ, &n) == 0);
	TRY(h->ops->get(h, &c, HOST_OPT_MTU, &n) == 0);
	while (h->ops->recv(h, &a, &v, 1, HOST_PEEK) != 5)
		TRY(loop_turn(l, -1) == 0);
	TRY(h->ops->recv(h, &a, &v, 1, HOST_DISCARD) == 5);
	TRY(h->ops->shutdown(h, &c) == 0);
	h->ops->close(h, &c, false);
	h->ops->close(h, &a, true);
	h->ops->close(h, &s, false);
	return 0;
}

static int udp_works(struct host *h)
{
	struct host_sock a = {.fd = -1, .event = on_event}, b = a;
	struct endpoint ep = {.ip = addr_v4(127, 0, 0, 1)};
	char buf[16] = "hello";
	struct iovec v = {.iov_base = buf, .iov_len = 5};
	struct host_msg m = {.iov = &v, .n_iov = 1};
	struct host_err e;

	TRY(h->ops->open(h, &a, HOST_UDP, false) == 0);
	TRY(h->ops->open(h, &b, HOST_UDP, false) == 0);
	TRY(h->ops->set(h, &a, HOST_OPT_RECVERR, 1) == 0);
	TRY(h->ops->bind(h, &b, &ep) == 0);
	TRY(h->ops->local(h, &b, &m.ep) == 0);
	TRY(h->ops->send_batch(h, &a, &m, 1) == 1);
	TRY(h->ops->recv_batch(h, &b, &m, 1) == 1);
	TRY(h->ops->recv_err(h, &a, &e) == 0);
	h->ops->close(h, &a, false);
	h->ops->close(h, &b, false);
	/* The host's affair whether this is allowed, not the sandbox's. */
	if (h->ops->open(h, &a, HOST_PING, false) == 0)
		h->ops->close(h, &a, false);
	return 0;
}

static void ring(struct timer *t, uint64_t now_ns)
{
	(void)t;
	(void)now_ns;
}

/* A turn that sleeps until a timer is due; memory that comes and goes. */
static int loop_works(struct loop *l)
{
	struct log log = LOG_INIT(LOG_LEVEL_ERROR);
	struct timer t;
	char *volatile p = malloc(8 << 20);

	TRY(p);
	p = realloc(p, 16 << 20);
	TRY(p);
	free(p);
	log_warn(&log, "not written: the level is lower");
	timer_init(&t, ring);
	timer_arm(loop_wheel(l), &t, *loop_now(l) + 1000000);
	TRY(loop_turn(l, -1) == 0);
	timer_disarm(loop_wheel(l), &t);
	return 0;
}

static int channel_works(const int pair[2])
{
	unsigned n = 0;
	int fd = -1;
	char c = 'x';

	TRY(fd_send(pair[0], &c, 1, pair, 1) == 0);
	TRY(fd_recv(pair[1], &c, 1, &fd, 1, &n) == 1);
	TRY(n == 1);
	close(fd);
	return 0;
}

/* Everything this room does for an engine, from inside. */
static int engine_works(const int pair[2], int listener)
{
	struct host *h = NULL;
	struct loop *l = NULL;
	int r;

	TRY(loop_new(&l) == 0);
	TRY(host_sock_new(l, NULL, &h) == 0);
	r = tcp_works(h, l, listener);
	if (!r)
		r = udp_works(h);
	if (!r)
		r = loop_works(l);
	if (!r)
		r = channel_works(pair);
	host_sock_free(h);
	loop_free(l);
	return r;
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

/* Of memory that the keeper reads, too. */
static int takes_pages_away(void)
{
	static _Alignas(4096) char page[4096];

	/* the kernel looks at the lower half of the advice */
	(void)syscall(SYS_madvise, page, sizeof(page), 1L << 32 | MADV_REMOVE);
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

/* A thread that was made before the list of calls and goes on after it. */
struct second {
	pthread_t thread;
	pthread_barrier_t gate; /* it is there; it may go on */
	int (*fn)(void);
	int r;
};

static struct second second;

static void *second_main(void *arg)
{
	struct second *s = arg;

	pthread_barrier_wait(&s->gate);
	pthread_barrier_wait(&s->gate);
	s->r = s->fn();
	return NULL;
}

static int begin_second(void)
{
	int r = pthread_barrier_init(&second.gate, NULL, 2);

	if (r == 0)
		r = pthread_create(&second.thread, NULL, second_main, &second);
	if (r == 0)
		pthread_barrier_wait(&second.gate);
	return r;
}

static int end_second(void)
{
	pthread_barrier_wait(&second.gate);
	pthread_join(second.thread, NULL);
	return second.r;
}

/* Its capabilities are asked for before: capget() is no call of an engine. */
static int second_has_no_capability(void)
{
	second.fn = has_no_capability;
	if (begin_second() != 0)
		return -1;
	return end_second();
}

static bool died_of_sigsys(int status)
{
	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
}

static void the_engine_can_do_its_work(void **state)
{
	struct endpoint ep = {.ip = addr_v4(127, 0, 0, 1)};
	struct log log = LOG_INIT(LOG_LEVEL_ERROR);
	struct error e = ERROR_NULL;
	int fds[3], status;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	fds[2] = sock_listen_forward(IPPROTO_TCP, &ep, &e);
	assert_true(fds[2] >= 0);
	pid = sandbox_fork(&log, &e);
	assert_true(pid >= 0);
	if (pid == 0) {
		if (sandbox_enter(fds, 3, &e) < 0 || sandbox_seccomp(&e) < 0)
			_exit(99);
		_exit(engine_works(fds, fds[2]));
	}
	status = sandbox_wait(pid, -1);
	if (status)
		fail_msg("status %#x: 100 + line number %% 100, or a signal",
			 (unsigned)status);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
}

/* What holds for one thread holds for all. */
static void threads_are_in_it_too(void **state)
{
	int (*const forbidden[])(void) = {makes_unix_socket, traces,
					  changes_user};
	int status;

	assert_int_equal(in_sandbox(second_has_no_capability, nothing), 0);
	second.fn = nothing;
	assert_int_equal(in_sandbox(begin_second, end_second), 0);
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(*forbidden); i++) {
		second.fn = forbidden[i];
		status = in_sandbox(begin_second, end_second);
		if (!died_of_sigsys(status))
			fail_msg("call %zu: status %#x", i, (unsigned)status);
	}
	/* No more threads. */
	second.fn = nothing;
	status = in_sandbox(NULL, begin_second);
	assert_true(died_of_sigsys(status));
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
					  turns_data_into_code,
					  takes_pages_away, signals_others,
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

static int no_more_namespaces(void)
{
	static const char *const kinds[] = {"user", "mnt", "pid", "ipc", "uts",
					    "cgroup"};
	char path[64];
	int fd;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		snprintf(path, sizeof(path), "/proc/sys/user/max_%s_namespaces",
			 kinds[i]);
		fd = open(path, O_WRONLY);
		if (fd < 0 || write(fd, "0", 1) != 1)
			return -1;
		close(fd);
	}
	return 0;
}

/* Root in a mount namespace, and the kernel gives no other: the engine must
 * leave this one alone. */
static int denied(void *arg)
{
	(void)arg;
	if (test_enter_netns() < 0 || unshare(CLONE_NEWNS) < 0)
		return 77;
	if (no_more_namespaces() < 0)
		return 1;
	if (in_sandbox(NULL, nothing) != 0)
		return 2;
	return access("/etc", F_OK) < 0 || access("/proc/self", F_OK) < 0;
}

static void without_namespaces_the_rest_holds(void **state)
{
	int status = test_in_child(denied, NULL);

	if (status == 77)
		skip();
	assert_int_equal(status, 0);
}

static int group(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_engine_can_do_its_work),
		cmocka_unit_test(names_and_privileges_are_gone),
		cmocka_unit_test(threads_are_in_it_too),
		cmocka_unit_test(the_user_stays_the_user),
		cmocka_unit_test(other_calls_end_it),
		cmocka_unit_test(without_namespaces_the_rest_holds),
		cmocka_unit_test(it_can_abort),
		cmocka_unit_test(a_wait_has_an_end),
	};

	return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}

int main(void)
{
	return test_as_both(group);
}
