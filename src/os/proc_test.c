/* SPDX-License-Identifier: BSD-3-Clause */
/* Processes are told from others that had their number. */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/proc.h"

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		for (;;)
			pause();
	}
	assert_true(pid > 0);
	return pid;
}

static void test_started(void **state)
{
	uint64_t own = proc_started(getpid());
	pid_t pid = sleeper();

	assert_true(own > 0);
	assert_int_equal(proc_started(getpid()), own);
	assert_true(proc_started(pid) >= own);
	assert_int_equal(proc_started(0), 0);
	assert_int_equal(proc_started(-1), 0);
	assert_int_equal(proc_started(1 << 30), 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT), 0);
	assert_int_equal(proc_started(pid), 0); /* nobody waited for it yet */
	waitpid(pid, NULL, 0);
}

static void test_strange_names(void **state)
{
	uint64_t own = proc_started(getpid());

	assert_int_equal(prctl(PR_SET_NAME, "a) Z (b"), 0);
	assert_int_equal(proc_started(getpid()), own);
}

static void test_kill(void **state)
{
	pid_t pid = sleeper();
	uint64_t started = proc_started(pid);
	int status;

	assert_int_equal(proc_kill(pid, started + 1), -ESRCH);
	assert_int_equal(proc_kill(pid, 0), -ESRCH);
	assert_int_equal(proc_started(pid), started);
	assert_int_equal(proc_kill(pid, started), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(proc_kill(pid, started), -ESRCH);
}

static void test_children(void **state)
{
	pid_t own = getpid(), pid = proc_fork(0);

	if (pid == 0)
		_exit(getppid() == own ? 0 : 1);
	assert_true(pid > 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT), 0);
	proc_bury(pid);
	assert_int_equal(waitpid(pid, NULL, 0), -1);
	assert_int_equal(errno, ECHILD);
	pid = sleeper();
	kill(pid, SIGKILL);
	proc_bury(pid); /* however it ends */
	assert_int_equal(kill(pid, 0), -1);
	proc_bury(pid); /* it is nobody's, and not waited for */
	/* What no kernel gives. */
	assert_int_equal(proc_fork(CLONE_FS | CLONE_NEWNS), -1);
	assert_int_equal(errno, EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_started),
		cmocka_unit_test(test_strange_names),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_children),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
