/* SPDX-License-Identifier: BSD-3-Clause */
/* Programs for one connection: what they have, and what they have not. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/command.h"
#include "os/rlimit.h"

/* All that the program says until it ends; its wait status. */
static int run(const char *script, const char *say, char *out, size_t size)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};
	struct error e = ERROR_NULL;
	CLEANUP_FD int fd = -1;
	size_t len = 0;
	int status = -1;
	ssize_t n;
	pid_t pid;

	fd = command_start(argv, 0, &pid, &e);
	assert_true(fd >= 0);
	if (*say) /* else it may have ended already */
		assert_int_equal(write(fd, say, strlen(say)), strlen(say));
	shutdown(fd, SHUT_WR);
	while ((n = read(fd, out + len, size - 1 - len)) > 0)
		len += (size_t)n;
	out[len] = '\0';
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void test_three_streams_are_the_connection(void **state)
{
	char out[200];

	assert_int_equal(run("cat; echo out; echo err >&2", "in ", out,
			     sizeof(out)), 0);
	assert_string_equal(out, "in out\nerr\n");
	assert_int_equal(WEXITSTATUS(run("exit 3", "", out, sizeof(out))), 3);
}

static void test_nothing_else_is_inherited(void **state)
{
	char out[200], script[100];
	int fd = open("/dev/null", O_RDONLY); /* not close-on-exec */

	assert_true(fd > 2);
	snprintf(script, sizeof(script),
		 "test -e /proc/$$/fd/%d && echo open || echo shut", fd);
	run(script, "", out, sizeof(out));
	close(fd);
	assert_string_equal(out, "shut\n");
}

static void test_signals_are_as_ever(void **state)
{
	sigset_t set, old;
	char out[200];
	int status;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &old);
	status = run("kill -TERM $$; echo lived", "", out, sizeof(out));
	sigprocmask(SIG_SETMASK, &old, NULL);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGTERM);
	assert_string_equal(out, "");
}

static void test_a_session_of_its_own(void **state)
{
	char *argv[] = {(char *)"cat", NULL};
	struct error e = ERROR_NULL;
	CLEANUP_FD int fd = -1;
	pid_t pid;

	fd = command_start(argv, 0, &pid, &e);
	assert_true(fd >= 0);
	assert_int_equal(getsid(pid), pid);
	fd_close(&fd); /* the end of its input */
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_descriptors_it_may_have(void **state)
{
	char *argv[] = {(char *)"sh", (char *)"-c",
			(char *)"ulimit -Sn; ulimit -Hn", NULL};
	struct error e = ERROR_NULL;
	CLEANUP_FD int fd = -1;
	char out[100] = "", want[100];
	unsigned long old = rlimit_raise_nofile();
	struct rlimit rl;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &rl), 0);
	assert_int_equal(rl.rlim_cur, rl.rlim_max);
	fd = command_start(argv, 77, &pid, &e);
	assert_true(fd >= 0);
	while ((n = read(fd, out + len, sizeof(out) - 1 - len)) > 0)
		len += (size_t)n;
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	snprintf(want, sizeof(want), "77\n%lu\n", (unsigned long)rl.rlim_max);
	assert_string_equal(out, want);
	rlimit_set_nofile(old);
}

static void test_no_such_program(void **state)
{
	char *argv[] = {(char *)"/nonexistent/program", NULL};
	struct error e = ERROR_NULL;
	pid_t pid = -1;

	assert_true(command_start(argv, 0, &pid, &e) < 0);
	assert_string_equal(e.text, "command /nonexistent/program cannot be "
				    "run: No such file or directory");
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_three_streams_are_the_connection),
		cmocka_unit_test(test_nothing_else_is_inherited),
		cmocka_unit_test(test_signals_are_as_ever),
		cmocka_unit_test(test_a_session_of_its_own),
		cmocka_unit_test(test_descriptors_it_may_have),
		cmocka_unit_test(test_no_such_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
