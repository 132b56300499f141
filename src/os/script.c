/* SPDX-License-Identifier: BSD-3-Clause */
/* Running a script; see script.h. */
#include "os/script.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"

enum { EXIT_NO_EXEC = 127 };

/* In the child: what failed, if exec() does, goes through the pipe. */
static void child(const char *path, const char *ifname, int tell)
{
	sigset_t none;
	int err;

	/* The keeper's blocked and ignored signals are no matter of the
	 * script. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	execl(path, path, ifname, (char *)NULL);
	err = errno;
	(void)!write(tell, &err, sizeof(err));
	_exit(EXIT_NO_EXEC);
}

static int wait_for(pid_t pid, int *statusp)
{
	while (waitpid(pid, statusp, 0) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return 0;
}

int script_run(const char *path, const char *ifname, struct error *e)
{
	CLEANUP_FD int told = -1;
	CLEANUP_FD int tell = -1;
	int fd[2], status = 0, err = 0, r;
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return error_errno(e, errno, "network script %s", path);
	told = fd[0];
	tell = fd[1];
	pid = fork();
	if (pid < 0)
		return error_errno(e, errno, "network script %s", path);
	if (pid == 0)
		child(path, ifname, tell);
	fd_close(&tell);
	r = wait_for(pid, &status);
	if (r < 0)
		return error_errno(e, r, "network script %s", path);
	if (read(told, &err, sizeof(err)) == sizeof(err))
		return error_set(e, EXIT_FAILED,
				 "network script %s cannot be run: %s "
				 "(script=no runs none)",
				 path, strerror(err));
	if (WIFSIGNALED(status))
		return error_set(e, EXIT_FAILED,
				 "network script %s %s was killed by signal %d "
				 "(%s)",
				 path, ifname, WTERMSIG(status),
				 strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status))
		return error_set(e, EXIT_FAILED,
				 "network script %s %s failed with status %d",
				 path, ifname, WEXITSTATUS(status));
	return 0;
}
