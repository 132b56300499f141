/* SPDX-License-Identifier: BSD-3-Clause */
/* Starting a program for one connection; see command.h. */
#include "os/command.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/proc.h"
#include "os/rlimit.h"

enum { EXIT_NO_EXEC = 127 };

/* In the child: what failed, if exec() does, goes through the pipe. */
static void child(char *const argv[], unsigned long n_files, int sock,
		  int tell)
{
	sigset_t none;
	int err;

	/* The keeper's blocked and ignored signals are no matter of the
	 * program. */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	setsid();
	/* There are programs that close all they might have. */
	rlimit_set_nofile(n_files);
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if (dup2(sock, fd) < 0)
			_exit(EXIT_NO_EXEC);
	}
	/* Ours are so already; this is for what we inherited. */
	(void)close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC);
	execvp(argv[0], argv);
	err = errno;
	(void)!write(tell, &err, sizeof(err));
	_exit(EXIT_NO_EXEC);
}

int command_start(char *const argv[], unsigned long n_files, pid_t *pidp,
		  struct error *e)
{
	CLEANUP_FD int ours = -1;
	CLEANUP_FD int theirs = -1;
	CLEANUP_FD int told = -1;
	CLEANUP_FD int tell = -1;
	int pair[2], err = 0;
	pid_t pid;
	ssize_t n;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(e, errno, "command %s", argv[0]);
	ours = pair[0];
	theirs = pair[1];
	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_errno(e, errno, "command %s", argv[0]);
	told = pair[0];
	tell = pair[1];
	pid = fork();
	if (pid < 0)
		return error_errno(e, errno, "command %s", argv[0]);
	if (pid == 0)
		child(argv, n_files, theirs, tell);
	fd_close(&tell);
	do
		n = read(told, &err, sizeof(err));
	while (n < 0 && errno == EINTR);
	if (n != 0) {
		proc_bury(pid); /* nobody is told of it */
		return error_errno(e, n == sizeof(err) ? err : EIO,
				   "command %s cannot be run", argv[0]);
	}
	*pidp = pid;
	return fd_steal(&ours);
}
