/* SPDX-License-Identifier: BSD-3-Clause */
/* A tap in another namespace; see netns.h. */
#include "os/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/fdpass.h"
#include "os/link.h"

/* What the child tells. */
struct answer {
	struct error error; /* code EXIT_DONE: it worked */
	char ifname[16];
	bool vnet_hdr;
};

static int open_ns(const struct netns_opts *o, const char *kind,
		   struct error *e)
{
	char path[64];
	const char *name = o->path;
	int fd;

	if (!name) {
		snprintf(path, sizeof(path), "/proc/%d/ns/%s", o->pid, kind);
		name = path;
	}
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT && !o->path)
		return error_set(e, EXIT_NO_OBJECT,
				 "there is no process with pid %d", o->pid);
	return fd < 0 ? error_errno(e, errno, "%s", name) : fd;
}

static bool same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 &&
	       sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev;
}

/* Joins the process's user namespace unless we are in it already. */
static int join_user(const struct netns_opts *o, struct error *e)
{
	CLEANUP_FD int mine = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	CLEANUP_FD int fd = -1;

	if (o->path)
		return 0;
	fd = open_ns(o, "user", e);
	if (fd < 0)
		return fd;
	if (same_file(mine, fd))
		return 0;
	if (setns(fd, CLONE_NEWUSER) < 0)
		return error_errno(e, errno,
				   "cannot join the user namespace of process "
				   "%d",
				   o->pid);
	return 0;
}

static int in_child(const struct netns_opts *o, struct tap_result *t,
		    struct error *e)
{
	struct tap_opts to = {
		.ifname = o->ifname,
		.queues = o->queues,
		.vnet_hdr = o->vnet_hdr,
	};
	struct link_change c = {
		.ifname = t->ifname,
		.txqlen = TAP_TXQLEN,
		.mac = o->mac,
	};
	CLEANUP_FD int fd = open_ns(o, "net", e);
	int r;

	if (fd < 0)
		return fd;
	r = join_user(o, e);
	if (r < 0)
		return r;
	if (setns(fd, CLONE_NEWNET) < 0)
		return error_errno(e, errno,
				   "cannot join the network namespace %s%s",
				   o->path ? o->path : "",
				   errno == EPERM ? " (it belongs to another "
						    "user)"
						  : "");
	r = tap_open(&to, t, e);
	if (r < 0)
		return r;
	r = link_set(&c);
	if (r < 0)
		return error_errno(e, r, "%s", t->ifname);
	/* Up last: a MAC can be refused while it is up. */
	c = (struct link_change){.ifname = t->ifname, .up = true};
	r = link_set(&c);
	if (r < 0)
		return error_errno(e, r, "%s: cannot set it up", t->ifname);
	return 0;
}

static void child(const struct netns_opts *o, int sock)
{
	struct tap_result t = TAP_RESULT_NULL;
	struct answer a = {.error = ERROR_NULL};
	int r = in_child(o, &t, &a.error);

	memcpy(a.ifname, t.ifname, sizeof(a.ifname));
	a.vnet_hdr = t.vnet_hdr;
	if (r < 0)
		t.n_fds = 0;
	r = fd_send(sock, &a, sizeof(a), t.fds, t.n_fds);
	_exit(r < 0);
}

int netns_tap_open(const struct netns_opts *o, struct tap_result *t,
		   struct error *e)
{
	CLEANUP_FD int mine = -1, theirs = -1;
	struct answer a;
	int pair[2];
	ssize_t n;
	pid_t pid;

	_Static_assert((int)FDPASS_MAX <= (int)TAP_QUEUES_MAX, "room for all");
	*t = TAP_RESULT_NULL;
	if (o->queues > FDPASS_MAX)
		return error_set(e, EXIT_USAGE, "netns: at most %d queues",
				 FDPASS_MAX);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(e, errno, "netns");
	mine = pair[0];
	theirs = pair[1];
	pid = fork();
	if (pid < 0)
		return error_errno(e, errno, "netns");
	if (pid == 0)
		child(o, theirs);
	fd_close(&theirs);
	n = fd_recv(mine, &a, sizeof(a), t->fds, FDPASS_MAX, &t->n_fds);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != sizeof(a))
		return error_set(e, EXIT_FAILED,
				 "netns: the helper that joins the namespace "
				 "died");
	if (a.error.code != EXIT_DONE) {
		a.error.text[sizeof(a.error.text) - 1] = '\0';
		return error_set(e, a.error.code, "netns: %s", a.error.text);
	}
	memcpy(t->ifname, a.ifname, sizeof(t->ifname));
	t->vnet_hdr = a.vnet_hdr;
	return 0;
}
