/* SPDX-License-Identifier: BSD-3-Clause */
/* sd_listen_fds(3); see activation.h. */
#include "os/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

enum { FIRST_FD = 3 };

/* What the manager says of a descriptor that nobody has named. */
static const char unnamed[] = "unknown";

static bool is_number(const char *text, long *np)
{
	char *end;

	errno = 0;
	*np = strtol(text, &end, 10);
	return !errno && end != text && !*end;
}

static int option(int fd, int what)
{
	socklen_t len = sizeof(int);
	int v = -1;

	return getsockopt(fd, SOL_SOCKET, what, &v, &len) < 0 ? -1 : v;
}

/* A listening stream socket of the unix family: *sa is its address. */
static int check_kind(int fd, struct sockaddr_un *sa, struct error *e)
{
	socklen_t len = sizeof(*sa) - 1;

	memset(sa, 0, sizeof(*sa));
	if (fcntl(fd, F_GETFD) < 0)
		return error_set(e, EXIT_USAGE,
				 "LISTEN_FDS: descriptor %d is not open; leave "
				 "that variable to the service manager",
				 fd);
	if (option(fd, SO_DOMAIN) != AF_UNIX ||
	    option(fd, SO_TYPE) != SOCK_STREAM ||
	    option(fd, SO_ACCEPTCONN) != 1 ||
	    getsockname(fd, (struct sockaddr *)sa, &len) < 0)
		return error_set(e, EXIT_USAGE,
				 "descriptor %d of the service manager is no "
				 "listening unix socket; its unit takes "
				 "ListenStream= with a path, and Accept=no",
				 fd);
	return 0;
}

static int check(int fd, const char *name, const char *called,
		 const char *path, struct error *e)
{
	struct sockaddr_un sa;
	int r = check_kind(fd, &sa, e);

	if (r < 0)
		return r;
	if (*called && strcmp(called, unnamed) != 0 &&
	    strcmp(called, name) != 0)
		return error_set(e, EXIT_USAGE,
				 "descriptor %d of the service manager is "
				 "called '%s', not '%s'; its unit takes "
				 "FileDescriptorName=%s",
				 fd, called, name, name);
	if (strcmp(sa.sun_path, path) != 0)
		return error_set(e, EXIT_USAGE,
				 "descriptor %d of the service manager listens "
				 "at %s%s, not at %s, as ListenStream= of its "
				 "unit should say",
				 fd, sa.sun_path[0] ? "" : "@",
				 sa.sun_path[0] ? sa.sun_path
						: sa.sun_path + 1,
				 path);
	return 0;
}

static int take(long n, const char *name, const char *called,
		const char *path, int *fdp, struct error *e)
{
	int r;

	if (n != 1)
		return error_set(e, EXIT_USAGE,
				 "the service manager passes %ld descriptors; "
				 "one is taken, '%s', which listens at %s",
				 n, name, path);
	r = check(FIRST_FD, name, called, path, e);
	if (r < 0)
		return r;
	if (fcntl(FIRST_FD, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(FIRST_FD, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return error_errno(e, errno, "descriptor %d", FIRST_FD);
	*fdp = FIRST_FD;
	return 0;
}

int activation_take(const char *name, const char *path, int *fdp,
		    struct error *e)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	CLEANUP_FREE char *called = strdup(names ? names : "");
	long whose, n;
	int r = 0;

	*fdp = -1;
	if (!called)
		return error_errno(e, ENOMEM, "LISTEN_FDNAMES");
	/* Another process's are none of ours. */
	if (pid && fds && is_number(pid, &whose) && whose == getpid()) {
		if (!is_number(fds, &n) || n < 0)
			r = error_set(e, EXIT_USAGE,
				      "LISTEN_FDS=%s: not a number; leave that "
				      "variable to the service manager",
				      fds);
		else if (n)
			r = take(n, name, called, path, fdp, e);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return r;
}
