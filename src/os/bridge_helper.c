/* SPDX-License-Identifier: BSD-3-Clause */
/* QEMU's bridge helper; see bridge_helper.h. */
#include "os/bridge_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/clock.h"
#include "os/fdpass.h"

enum {
	EXIT_NO_EXEC = 127,
	SAID_MAX = 512, /* bytes kept of what the helper said */
	FDS_MAX = 1,
};

#define ACL_FILE "/etc/qemu/bridge.conf"

/* As QEMU, a command line is told by its blank. */
static bool is_command(const char *helper)
{
	return strpbrk(helper, " \t") != NULL;
}

static void exec_helper(const char *helper, const char *bridge, int fd)
{
	CLEANUP_FREE char *line = NULL;
	char fd_arg[32], br_arg[64];

	snprintf(fd_arg, sizeof(fd_arg), "--fd=%d", fd);
	snprintf(br_arg, sizeof(br_arg), "--br=%s", bridge);
	if (!is_command(helper)) {
		execl(helper, helper, "--use-vnet", fd_arg, br_arg,
		      (char *)NULL);
		return;
	}
	if (asprintf(&line, "%s --use-vnet %s %s", helper, fd_arg,
		     strstr(helper, "--br=") ? "" : br_arg) >= 0)
		execl("/bin/sh", "sh", "-c", line, (char *)NULL);
}

/* In the child.  What the helper says on its standard error is ours to tell,
 * in one line. */
static void child(const char *helper, const char *bridge, int sock, int said)
{
	sigset_t none;
	int fd;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	fd = dup(sock); /* not closed by exec */
	if (fd >= 0 && dup2(said, STDERR_FILENO) >= 0)
		exec_helper(helper, bridge, fd);
	dprintf(said, "cannot be run: %s", strerror(errno));
	_exit(EXIT_NO_EXEC);
}

/* The first line, until the helper's end, or that of the time. */
static void listen_to(int fd, char *text, int64_t until_ms)
{
	char rest[256];
	size_t len = 0;
	ssize_t n;

	/* One that never stops is always ready. */
	while (now_ms() < until_ms &&
	       clock_await(fd, POLLIN, until_ms) == 0) {
		bool is_full = len == SAID_MAX - 1;

		n = is_full ? read(fd, rest, sizeof(rest))
			    : read(fd, text + len, SAID_MAX - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		if (!is_full)
			len += (size_t)n;
	}
	text[len] = '\0';
	text[strcspn(text, "\r\n")] = '\0';
}

/* What is likely to be missing. */
static const char *remedy(const char *helper, const char *said)
{
	struct stat st;

	if (strstr(said, "acl") || strstr(said, "access denied"))
		return "; " ACL_FILE " needs the line 'allow ";
	if (is_command(helper) || stat(helper, &st) < 0)
		return NULL;
	if (geteuid() != 0 && !(st.st_mode & S_ISUID) &&
	    getxattr(helper, "security.capability", NULL, 0) < 0)
		return "; it is not setuid root (chmod u+s it), and " ACL_FILE
		       " needs the line 'allow ";
	return NULL;
}

static int refused(const char *helper, const char *bridge, const char *said,
		   struct error *e)
{
	const char *what = remedy(helper, said);
	bool is_missing = strstr(said, "cannot be run");

	return error_set(e, is_missing ? EXIT_FAILED : EXIT_PERMISSION,
			 "bridge helper failed: a tap on %s takes root, or %s, "
			 "which says: %s%s%s%s",
			 bridge, helper, *said ? said : "nothing",
			 what ? what : "", what ? bridge : "", what ? "'" : "");
}

/* Of a helper that has ended: what others still have of the socket is no
 * matter. */
static int take_fd(int sock)
{
	char byte;
	int fd = -1;
	unsigned n = 0;
	ssize_t r = fcntl(sock, F_SETFL, O_NONBLOCK);

	if (r == 0)
		r = fd_recv(sock, &byte, 1, &fd, FDS_MAX, &n);
	return r >= 0 && n == 1 ? fd : -1;
}

/* The helper's status, after its end; false: its time is over. */
static bool await_end(pid_t pid, int *statusp, int64_t until_ms)
{
	CLEANUP_FD int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	bool is_late = pidfd >= 0 && clock_await(pidfd, POLLIN, until_ms) < 0;

	/* Root's may not be ended: then it is not waited for. */
	if (is_late && kill(pid, SIGKILL) < 0)
		return false;
	while (waitpid(pid, statusp, 0) < 0 && errno == EINTR)
		;
	return !is_late;
}

int bridge_helper_run(const char *helper, const char *bridge,
		      unsigned patience_ms, struct error *e)
{
	int64_t until_ms = patience_ms ? now_ms() + patience_ms : INT64_MAX;
	CLEANUP_FD int ours = -1, theirs = -1, hear = -1, say = -1, fd = -1;
	char said[SAID_MAX];
	int pair[2], status = 0;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(e, errno, "bridge helper");
	ours = pair[0];
	theirs = pair[1];
	if (pipe2(pair, O_CLOEXEC) < 0)
		return error_errno(e, errno, "bridge helper");
	hear = pair[0];
	say = pair[1];
	pid = fork();
	if (pid < 0)
		return error_errno(e, errno, "bridge helper");
	if (pid == 0)
		child(helper, bridge, theirs, say);
	fd_close(&theirs);
	fd_close(&say);
	listen_to(hear, said, until_ms);
	if (!await_end(pid, &status, until_ms))
		return error_set(e, EXIT_FAILED,
				 "bridge helper failed: %s for %s did not end "
				 "within %u s",
				 helper, bridge, patience_ms / 1000);
	if (status == 0)
		fd = take_fd(ours);
	if (fd < 0)
		return refused(helper, bridge, said, e);
	return fd_steal(&fd);
}
