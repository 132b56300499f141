/* SPDX-License-Identifier: BSD-3-Clause */
/* Processes by number and start; see proc.h. */
#include "os/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	FIELD_STATE = 3, /* the first behind the name in parentheses */
	FIELD_STARTTIME = 22,
	KILL_WAIT_MS = 5000,
};

uint64_t proc_started(pid_t pid)
{
	char path[32], text[1024];
	CLEANUP_FD int fd = -1;
	const char *p;
	ssize_t n;

	if (pid <= 0)
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* The name may have blanks and parentheses in it. */
	p = strrchr(text, ')');
	if (!p || p[1] != ' ' || p[2] == 'Z' || p[2] == 'X')
		return 0;
	p += 2;
	for (int field = FIELD_STATE; field < FIELD_STARTTIME; field++) {
		p = strchr(p, ' ');
		if (!p)
			return 0;
		p++;
	}
	return strtoull(p, NULL, 10);
}

int proc_kill(pid_t pid, uint64_t started)
{
	CLEANUP_FD int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int err = errno;

	/* Looked at behind the pidfd: the number means that one still.  It may
	 * be a thread's by now, which has no such descriptor. */
	if (!started || proc_started(pid) != started)
		return -ESRCH;
	if (fd < 0)
		return -err;
	if (syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0)
		return -errno;
	return poll(&p, 1, KILL_WAIT_MS) == 1 ? 0 : -ETIMEDOUT;
}

pid_t proc_fork(unsigned long flags)
{
	return (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL,
			      NULL);
}

void proc_bury(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

uint64_t proc_netns(void)
{
	CLEANUP_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);

	if (fd < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len) < 0)
		return 0;
	return cookie;
}
