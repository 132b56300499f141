/* SPDX-License-Identifier: BSD-3-Clause */
/* Processes with namespaces of their own; see enclave.h. */
#include "os/enclave.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "os/proc.h"
#include "os/rtnl.h"
#include "os/userns.h"

/* What the child tells its maker before it begins. */
struct report {
	int err; /* 0: it is set up */
	char what[64];
};

static int mount_own(const char *type, const char *where)
{
	const unsigned long flags = MS_NOSUID | MS_NODEV;
	/* Of /proc nothing is executed; /run may hold what is. */
	const unsigned long noexec = strcmp(type, "proc") == 0 ? MS_NOEXEC : 0;

	return mount(type, where, type, flags | noexec,
		     noexec ? NULL : "mode=0755") < 0
		       ? -errno
		       : 0;
}

static void set_up(bool is_users, uid_t uid, gid_t gid, struct report *rep)
{
	const char *what = "user namespace";
	int r = is_users ? userns_map(uid, gid, 0, 0) : 0;

	if (r == 0) {
		what = "mount namespace";
		if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
			r = -errno;
	}
	if (r == 0) {
		what = "/proc of its own";
		r = mount_own("proc", "/proc");
	}
	if (r == 0) {
		what = "/run of its own";
		r = mount_own("tmpfs", "/run");
	}
	if (r == 0) {
		what = "network namespace";
		r = rtnl_lo_up();
	}
	rep->err = -r;
	snprintf(rep->what, sizeof(rep->what), "%s", what);
}

static int await_report(pid_t pid, int fd, struct error *e)
{
	struct report rep = {.err = EIO};
	ssize_t n;

	do {
		n = read(fd, &rep, sizeof(rep));
	} while (n < 0 && errno == EINTR);
	if (n == sizeof(rep) && !rep.err)
		return 0;
	proc_bury(pid);
	rep.what[sizeof(rep.what) - 1] = '\0';
	return error_errno(e, rep.err, "no network of our own to try in: %s",
			   n == sizeof(rep) ? rep.what : "it died");
}

pid_t enclave_start(int (*fn)(void *arg), void *arg, struct error *e)
{
	const unsigned long flags = CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	bool is_users = false;
	int fd[2];
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return error_errno(e, errno, "pipe");
	fflush(NULL);
	pid = proc_fork(flags);
	if (pid < 0 && errno == EPERM) {
		is_users = true;
		pid = proc_fork(flags | CLONE_NEWUSER);
	}
	if (pid == 0) {
		struct report rep = {.err = 0};

		close(fd[0]);
		/* Should the maker be dead already, nobody reads the report. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_DFL);
		set_up(is_users, uid, gid, &rep);
		if (write(fd[1], &rep, sizeof(rep)) != sizeof(rep) || rep.err)
			_exit(EXIT_FAILED);
		close(fd[1]);
		_exit(fn(arg));
	}
	close(fd[1]);
	if (pid < 0) {
		error_errno(e, errno,
			    "no network of our own to try in: the kernel "
			    "denies this user namespaces (see vmlan doctor)");
	} else if (await_report(pid, fd[0], e) < 0) {
		pid = -1;
	}
	close(fd[0]);
	return pid;
}

bool enclave_is_users(void)
{
	return !userns_is_first();
}

pid_t enclave_child(void (*fn)(void *arg, int fd), void *arg, struct error *e)
{
	int fd[2];
	ssize_t n;
	pid_t pid;
	char byte;

	if (pipe2(fd, O_CLOEXEC) < 0)
		return error_errno(e, errno, "pipe");
	pid = fork();
	if (pid == 0) {
		close(fd[0]);
		fn(arg, fd[1]);
		_exit(EXIT_FAILED);
	}
	close(fd[1]);
	if (pid < 0) {
		close(fd[0]);
		return error_errno(e, errno, "fork");
	}
	do {
		n = read(fd[0], &byte, 1);
	} while (n < 0 && errno == EINTR);
	close(fd[0]);
	if (n == 1)
		return pid;
	(void)waitpid(pid, NULL, 0); /* it ends without a word */
	return 0;
}

struct room {
	void (*fn)(void *arg, int fd);
	void *arg;
};

static void in_room(void *arg, int fd)
{
	const struct room *r = arg;

	if (unshare(CLONE_NEWNET) == 0 && rtnl_lo_up() == 0)
		r->fn(r->arg, fd);
}

pid_t enclave_room(void (*fn)(void *arg, int fd), void *arg, struct error *e)
{
	struct room r = {.fn = fn, .arg = arg};
	pid_t pid = enclave_child(in_room, &r, e);

	return pid ? pid
		   : error_set(e, EXIT_FAILED,
			       "a network namespace is denied");
}

int enclave_net(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/ns/net",
		 pid ? (int)pid : (int)getpid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
