/* SPDX-License-Identifier: BSD-3-Clause */
/* Namespaces for programs that speak with guests; see cell.h. */
#include "os/cell.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "os/cell_root.h"
#include "os/fdpass.h"
#include "os/proc.h"
#include "os/rlimit.h"
#include "os/rtnl.h"
#include "os/userns.h"

enum {
	NAMESPACES = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID |
		     CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
	EXIT_NO_EXEC = 127,
};

struct cell {
	pid_t pid; /* of its first process, a child of ours */
	int pidfd; /* owned */
	int life;  /* owned; while it is open the first process lives */
};

/* What children tell before they are what they should be. */
struct report {
	int err;   /* 0: it went well */
	pid_t pid; /* of who becomes the program */
	char what[96];
};

static void tell(int sock, int err, const char *what)
{
	struct report rep = {.err = err};

	snprintf(rep.what, sizeof(rep.what), "%s", what);
	(void)!fd_send(sock, &rep, sizeof(rep), NULL, 0);
}

/* -1: no report came.  *fdp: what came with it, -1: nothing. */
static int hear(int sock, struct report *rep, int *fdp)
{
	unsigned n_fds = 0;
	ssize_t n;

	do {
		n = fd_recv(sock, rep, sizeof(*rep), fdp, fdp ? 1 : 0, &n_fds);
	} while (n == -EINTR);
	if (fdp && n_fds == 0)
		*fdp = -1;
	rep->what[sizeof(rep->what) - 1] = '\0';
	return n == (ssize_t)sizeof(*rep) ? 0 : -1;
}

/* ---- the first process ---- */

static void null_stdio(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; i <= STDERR_FILENO && fd >= 0; i++)
		(void)dup2(fd, i);
}

static _Noreturn void hold(const struct cell_config *c, int sock)
{
	static const char name[] = "vmlan";
	const char *what = "its network";
	struct report go;
	int r;

	/* Who maps its user has gone. */
	if (hear(sock, &go, NULL) < 0)
		_exit(EXIT_FAILED);
	setsid();
	prctl(PR_SET_NAME, "vmlan-cell");
	umask(022);
	/* Orphans of programs are nobody's to wait for. */
	signal(SIGCHLD, SIG_IGN);
	if (sock > 3)
		(void)close_range(3, (unsigned)sock - 1, 0);
	(void)close_range((unsigned)sock + 1, ~0u, 0);
	(void)!sethostname(name, sizeof(name) - 1); /* not the host's */
	r = rtnl_lo_up();
	if (r == 0)
		r = cell_root(c, &what);
	null_stdio();
	tell(sock, -r, what);
	/* Nothing comes but the end. */
	if (r == 0)
		(void)hear(sock, &go, NULL);
	_exit(r < 0 ? EXIT_FAILED : 0);
}

/* ---- its maker ---- */

static int set_up(struct cell *l, const struct cell_config *c, struct error *e)
{
	struct report rep = {.err = 0};
	int r = userns_map_child(l->pid, geteuid() != 0, c->uid, c->gid,
				 CELL_ID, CELL_ID);

	if (r < 0)
		return error_errno(e, r, "cannot map user %u into a user "
					 "namespace", c->uid);
	if (fd_send(l->life, &rep, sizeof(rep), NULL, 0) < 0 ||
	    hear(l->life, &rep, NULL) < 0)
		return error_set(e, EXIT_FAILED,
				 "the process that was to have namespaces of "
				 "its own died");
	return rep.err ? error_errno(e, rep.err,
				     "namespaces of its own: %s", rep.what)
		       : 0;
}

int cell_new(const struct cell_config *c, struct cell **cp, struct error *e)
{
	struct cell *l = calloc(1, sizeof(*l));
	int pair[2] = {-1, -1}, r;

	if (!l || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
			     pair) < 0) {
		free(l);
		return error_errno(e, errno, "namespaces of its own");
	}
	l->pidfd = -1;
	l->life = pair[0];
	l->pid = proc_fork(NAMESPACES);
	r = l->pid < 0 ? -errno : 0;
	if (l->pid == 0) {
		fd_close(&l->life);
		hold(c, pair[1]);
	}
	fd_close(&pair[1]);
	if (r < 0) {
		fd_close(&l->life);
		free(l);
		return error_errno(e, r,
				   "the kernel denies user namespaces (vmlan "
				   "doctor tells why)");
	}
	l->pidfd = (int)syscall(SYS_pidfd_open, l->pid, 0);
	r = l->pidfd < 0 ? error_errno(e, errno, "namespaces of its own")
			 : set_up(l, c, e);
	if (r < 0) {
		pid_t pid = l->pid;

		cell_free(l);
		proc_bury(pid);
		return r;
	}
	*cp = l;
	return 0;
}

struct cell *cell_free(struct cell *c)
{
	if (!c)
		return NULL;
	/* By its number nobody else can be met: it is not waited for yet, or
	 * the descriptor says that it has ended. */
	if (c->pidfd < 0)
		kill(c->pid, SIGKILL);
	else
		(void)!syscall(SYS_pidfd_send_signal, c->pidfd, SIGKILL, NULL,
			       0);
	fd_close(&c->pidfd);
	fd_close(&c->life);
	free(c);
	return NULL;
}

bool cell_is_alive(const struct cell *c)
{
	struct pollfd p = {.fd = c->pidfd, .events = POLLIN};

	return poll(&p, 1, 0) == 0;
}

/* ---- programs ---- */

/* Two ends of a connection of the loopback, where nobody but the cell's own
 * can be: of them the one is told by its port. */
static int connect_pair(int *farp, int *nearp)
{
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr *sa = (struct sockaddr *)&a;
	CLEANUP_FD int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CLEANUP_FD int far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CLEANUP_FD int near = -1;
	struct sockaddr_in own;
	socklen_t len = sizeof(a);

	if (door < 0 || far < 0 || bind(door, sa, len) < 0 ||
	    listen(door, SOMAXCONN) < 0 || getsockname(door, sa, &len) < 0 ||
	    connect(far, sa, len) < 0)
		return -errno;
	len = sizeof(own);
	if (getsockname(far, (struct sockaddr *)&own, &len) < 0)
		return -errno;
	do {
		fd_close(&near);
		len = sizeof(a);
		near = accept4(door, sa, &len, SOCK_CLOEXEC);
		if (near < 0)
			return -errno;
	} while (a.sin_port != own.sin_port);
	*farp = fd_steal(&far);
	*nearp = fd_steal(&near);
	return 0;
}

static _Noreturn void become(char *const argv[], unsigned long n_files,
			     int sock, int say)
{
	static const char *const env[] = {"PATH=/usr/sbin:/usr/bin", "HOME=/",
					  NULL};
	static const struct rlimit no_core;
	sigset_t none;

	setsid();
	null_stdio();
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	umask(022);
	rlimit_set_nofile(n_files);
	setrlimit(RLIMIT_CORE, &no_core);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    dup2(sock, STDIN_FILENO) == STDIN_FILENO &&
	    close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
		execve(argv[0], argv, (char *const *)env);
	tell(say, errno, argv[0]);
	_exit(EXIT_NO_EXEC);
}

/* A process in the cell, which its maker is to wait for; then ends. */
static _Noreturn void enter(const struct cell *c, char *const argv[],
			    unsigned long n_files, int say)
{
	struct report rep = {.what = "namespaces of its own"};
	int far = -1, near = -1, r;

	r = setns(c->pidfd, NAMESPACES) < 0 ? -errno : 0;
	if (r == 0)
		r = connect_pair(&far, &near);
	if (r == 0) {
		(void)!setgroups(0, NULL); /* as in cell_root() */
		if (setresgid(CELL_ID, CELL_ID, CELL_ID) < 0 ||
		    setresuid(CELL_ID, CELL_ID, CELL_ID) < 0 || chdir("/") < 0)
			r = -errno;
	}
	if (r == 0) {
		rep.pid = proc_fork(CLONE_PARENT);
		r = rep.pid < 0 ? -errno : 0;
	}
	if (r == 0 && rep.pid == 0)
		become(argv, n_files, near, say);
	rep.err = -r;
	(void)!fd_send(say, &rep, sizeof(rep), &far, r == 0);
	_exit(0);
}

/* What the two tell, in either order, until the one has ended and the other is
 * the program. */
static int await_program(int sock, pid_t *pidp, struct error *e)
{
	CLEANUP_FD int far = -1;
	struct report rep, sum = {.what = "it died"};
	int fd;

	while (hear(sock, &rep, &fd) == 0) {
		if (fd >= 0)
			far = fd;
		if (rep.pid)
			sum.pid = rep.pid;
		if (!rep.err)
			continue;
		sum.err = rep.err;
		memcpy(sum.what, rep.what, sizeof(sum.what));
	}
	if (!sum.err && far >= 0) {
		*pidp = sum.pid;
		return fd_steal(&far);
	}
	if (sum.pid > 0)
		proc_bury(sum.pid);
	return error_errno(e, sum.err ? sum.err : EIO, "cannot be run: %s",
			   sum.what);
}

int cell_start(struct cell *c, char *const argv[], unsigned long n_files,
	       pid_t *pidp, struct error *e)
{
	int pair[2], r;
	pid_t middle;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(e, errno, "%s", argv[0]);
	middle = fork();
	r = middle < 0 ? -errno : 0;
	if (middle == 0)
		enter(c, argv, n_files, pair[1]);
	fd_close(&pair[1]);
	if (r == 0) {
		r = await_program(pair[0], pidp, e);
		proc_bury(middle);
	} else {
		r = error_errno(e, r, "%s", argv[0]);
	}
	fd_close(&pair[0]);
	return r;
}
