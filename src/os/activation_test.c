/* SPDX-License-Identifier: BSD-3-Clause */
/* What a service manager passes is taken if it is what is wanted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <fcntl.h>

#include "os/activation.h"
#include "os/sock.h"

static char dir[] = "/tmp/vmlan-activation-XXXXXX";
static char path[64], other[64];

struct passed {
	int fd; /* becomes 3; -1: none is there */
	const char *fds, *names; /* NULL: not said */
	bool is_other_pids;
};

/* In a child, as the number of the descriptor is given: 0 taken, 1 there is
 * none, else what the line says has to have text in it. */
static int child(const struct passed *p, const char *text)
{
	struct error e = ERROR_NULL;
	char pid[16];
	int fd = -1, r;

	if (p->fd < 0)
		close(3);
	else if (dup2(p->fd, 3) < 0 || fcntl(3, F_SETFD, 0) < 0)
		return 90;
	snprintf(pid, sizeof(pid), "%d", (int)getpid() + p->is_other_pids);
	setenv("LISTEN_PID", pid, 1);
	if (p->fds)
		setenv("LISTEN_FDS", p->fds, 1);
	if (p->names)
		setenv("LISTEN_FDNAMES", p->names, 1);
	r = activation_take("control", path, &fd, &e);
	if (getenv("LISTEN_PID") || getenv("LISTEN_FDS") ||
	    getenv("LISTEN_FDNAMES"))
		return 91;
	if (r < 0 && (e.code != EXIT_USAGE || fd != -1 || !text ||
		      !strstr(e.text, text) || strchr(e.text, '\n')))
		return 92;
	if (r < 0)
		return 2;
	if (fd < 0)
		return 1;
	return fd == 3 && fcntl(3, F_GETFD) == FD_CLOEXEC &&
			       (fcntl(3, F_GETFL) & O_NONBLOCK)
		       ? 0
		       : 93;
}

static int passing(int fd, const char *fds, const char *names, bool other_pid,
		   const char *text)
{
	struct passed p = {fd, fds, names, other_pid};
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(child(&p, text));
	assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_taken(void **state)
{
	struct error e = ERROR_NULL;
	int fd = sock_listen_unix(path, false, false, &e);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(passing(fd, "1", "control", false, NULL), 0);
	assert_int_equal(passing(fd, "1", NULL, false, NULL), 0);
	assert_int_equal(passing(fd, "1", "unknown", false, NULL), 0);
	/* Nothing, or another's. */
	assert_int_equal(passing(fd, "0", "", false, NULL), 1);
	assert_int_equal(passing(fd, NULL, "control", false, NULL), 1);
	assert_int_equal(passing(fd, "1", "control", true, NULL), 1);
	close(fd);
}

static void test_refused(void **state)
{
	struct error e = ERROR_NULL;
	int fd = sock_listen_unix(path, false, false, &e);
	int wrong = sock_listen_unix(other, false, false, &e);
	int pair[2], abstract;

	(void)state;
	assert_true(fd >= 0 && wrong >= 0);
	assert_int_equal(passing(fd, "2", "control:b", false, "2 descriptors"),
			 2);
	assert_int_equal(passing(fd, "x", NULL, false, "LISTEN_FDS=x"), 2);
	assert_int_equal(passing(fd, "-1", NULL, false, "LISTEN_FDS=-1"), 2);
	assert_int_equal(passing(fd, "1", "web", false, "'web'"), 2);
	assert_int_equal(passing(wrong, "1", "control", false, other), 2);
	assert_int_equal(passing(-1, "1", "control", false, "not open"), 2);
	abstract = sock_listen_unix("vmlan-activation", true, true, &e);
	assert_true(abstract >= 0);
	assert_int_equal(passing(abstract, "1", NULL, false,
				 "@vmlan-activation"),
			 2);
	close(abstract);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(passing(pair[0], "1", NULL, false, "no listening"), 2);
	close(pair[0]);
	close(pair[1]);
	assert_int_equal(pipe(pair), 0);
	assert_int_equal(passing(pair[0], "1", NULL, false, "no listening"), 2);
	close(pair[0]);
	close(pair[1]);
	close(fd);
	close(wrong);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/control", dir);
	snprintf(other, sizeof(other), "%s/other", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	unlink(other);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
