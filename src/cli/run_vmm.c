/* SPDX-License-Identifier: BSD-3-Clause */
/* The VMM as a child: exec, signals passed on, end told plainly. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/child.h"
#include "cli/run.h"

static int fail(int code, const char *fmt, const char *program, int err)
{
	struct error e = {.code = (enum exit_code)code};

	snprintf(e.text, sizeof(e.text), fmt, program, strerror(err));
	return cli_fail(&e);
}

/* In the child. On failure errno goes through the pipe. */
static void exec_vmm(char **args, int fail_fd, const sigset_t *mask)
{
	int err;

	/* Ignored signals stay so: a shell asks that of its background jobs. */
	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(args[0], args);
	err = errno;
	(void)!write(fail_fd, &err, sizeof(err)); /* nobody else to tell */
	_exit(127);
}

/* The errno of a failed exec, or 0. */
static int exec_result(int fd)
{
	int err = 0;
	ssize_t n;

	do {
		n = read(fd, &err, sizeof(err));
	} while (n < 0 && errno == EINTR);
	return n == sizeof(err) ? err : 0;
}

static int tell_end(const char *program, int status)
{
	if (WIFSIGNALED(status)) {
		int signo = WTERMSIG(status);

		fprintf(stderr, "vmlan: %s was killed by signal %d (%s)\n",
			program, signo, strsignal(signo));
		return 128 + signo;
	}
	if (WEXITSTATUS(status))
		fprintf(stderr, "vmlan: %s ended with status %d\n", program,
			WEXITSTATUS(status));
	return WEXITSTATUS(status);
}

int run_vmm(struct run *r, char **args)
{
	CLEANUP_FD int fail_r = -1, fail_w = -1, sfd = -1;
	sigset_t old;
	int pipefd[2];
	int err, status;
	pid_t pid;

	sfd = child_signals(&old);
	if (sfd < 0 || pipe2(pipefd, O_CLOEXEC) < 0)
		return fail(EXIT_RUN_FAILED, "run: cannot start %s: %s",
			    args[0], errno);
	fail_r = pipefd[0];
	fail_w = pipefd[1];
	pid = fork();
	if (pid == 0)
		exec_vmm(args, fail_w, &old);
	if (pid < 0)
		return fail(EXIT_RUN_FAILED, "run: cannot start %s: %s",
			    args[0], errno);
	fd_close(&fail_w);
	err = exec_result(fail_r);
	if (err) {
		(void)waitpid(pid, NULL, 0); /* it has told us all */
		if (err == ENOENT)
			return fail(EXIT_RUN_NOT_FOUND,
				    "%s: not found; is it installed? (%s)",
				    args[0], err);
		return fail(EXIT_RUN_CANNOT, "%s: cannot be executed: %s",
			    args[0], err);
	}
	r->has_started = true;
	run_nets_hold(r, pid);
	status = child_wait(pid, sfd, NULL);
	if (status < 0)
		return fail(EXIT_RUN_FAILED, "run: lost sight of %s: %s",
			    args[0], errno);
	return tell_end(args[0], status);
}
