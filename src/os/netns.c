/* SPDX-License-Identifier: BSD-3-Clause */
/* A tap in another namespace; see netns.h. */
#include "os/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/fdpass.h"
#include "os/proc.h"
#include "os/rtnl.h"

/* What the child tells. */
struct answer {
	struct error error; /* code EXIT_DONE: it worked */
	char ifname[16];
	bool vnet_hdr;
	uint32_t queue_frames;
};

static int open_net(const struct netns_opts *o, struct error *e)
{
	char path[64];
	const char *name = o->path;
	int fd;

	if (!name) {
		snprintf(path, sizeof(path), "/proc/%d/ns/net", o->pid);
		name = path;
	}
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (errno == ENOENT && !o->path)
		return error_set(e, EXIT_NO_OBJECT,
				 "there is no process with pid %d", o->pid);
	if (errno == ENOENT)
		return error_set(e, EXIT_NO_OBJECT,
				 "%s: there is no such network namespace",
				 name);
	return error_errno(e, errno, "%s", name);
}

static bool same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 &&
	       sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev;
}

/* Joins the user namespace that owns the network, unless we are in it.  One
 * that the kernel does not show is above us or a stranger's: then joining the
 * network tells what is wrong. */
static void join_owner(int net)
{
	CLEANUP_FD int mine = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	CLEANUP_FD int owner = ioctl(net, NS_GET_USERNS);

	if (owner >= 0 && !same_file(mine, owner))
		(void)setns(owner, CLONE_NEWUSER); /* as said above */
}

static int join(const struct netns_opts *o, int net, struct error *e)
{
	char who[32];
	int err;

	join_owner(net);
	if (setns(net, CLONE_NEWNET) == 0)
		return 0;
	err = errno;
	snprintf(who, sizeof(who), "process %d", o->pid);
	if (err == EINVAL)
		return error_set(e, EXIT_USAGE, "%s is no network namespace",
				 o->path ? o->path : who);
	return error_errno(e, err, "cannot join the network namespace of %s%s",
			   o->path ? o->path : who,
			   err == EPERM ? " (it belongs to another user)" : "");
}

static int in_child(const struct netns_opts *o, struct tap_result *t,
		    struct error *e)
{
	struct tap_opts to = {
		.ifname = o->ifname,
		.queues = o->queues,
		.vnet_hdr = o->vnet_hdr,
	};
	struct rtnl_link_change c = {
		.ifname = t->ifname,
		.mac = o->mac,
	};
	CLEANUP_FD int net = open_net(o, e);
	int r;

	if (net < 0)
		return net;
	r = join(o, net, e);
	if (r < 0)
		return r;
	r = tap_open(&to, t, e);
	if (r < 0)
		return r;
	r = rtnl_link_set(&c);
	if (r < 0)
		return error_errno(e, r, "%s", t->ifname);
	/* Up last: a MAC can be refused while it is up. */
	c = (struct rtnl_link_change){.ifname = t->ifname, .up = true};
	r = rtnl_link_set(&c);
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
	a.queue_frames = t.queue_frames;
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
	/* The child has nothing more to do: this does not last. */
	proc_bury(pid);
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
	t->queue_frames = a.queue_frames;
	return 0;
}
