/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine's sandbox; see sandbox.h for the stages.
 *
 * What the C library itself needs, for memory, exit, time and abort():
 * #syscalls: munmap mremap madvise brk futex exit exit_group
 * #syscalls: rt_sigreturn rt_sigprocmask clock_gettime restart_syscall
 * #syscalls: getrandom write writev getpid gettid rt_sigaction
 * #syscalls-sanitize: sigaltstack sched_yield gettimeofday nanosleep
 * #syscalls-sanitize: readlink prctl kill getrlimit prlimit64 read
 * #syscalls-sanitize: sched_getaffinity clone lseek fstat newfstatat pipe2
 * #syscalls-sanitize: ioctl=TCGETS
 * By rules of their own, below: socket mmap mprotect madvise tgkill.
 */
#include "os/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h> /* the requests that are listed */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cap-ng.h>
#include <seccomp.h>

#include "base/mem.h"
#include "os/proc.h"
#include "os/userns.h"
#include "syscalls_list.h" /* generated: tools/syscalls.py */

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif

/* Only clone() gives a process a user namespace that the others then belong
 * to, and a pid namespace at all.  Best first; the last is a plain fork. */
static const struct {
	unsigned long flags;
	const char *without; /* what is then missing, for the log */
} born_in[] = {
	{CLONE_NEWUSER | CLONE_NEWPID, NULL},
	{CLONE_NEWUSER, "pid"},
	{CLONE_NEWPID, "user"},
	{0, "user and pid"},
};

/* These it enters itself, one by one. */
static const struct {
	int flag;
	const char *name;
} entered[] = {
	{CLONE_NEWNS, "mount"},
	{CLONE_NEWIPC, "ipc"},
	{CLONE_NEWUTS, "uts"},
	{CLONE_NEWCGROUP, "cgroup"},
};

static void warn_lost(struct log *log, const char *which)
{
	log_warn(log,
		 "the kernel denies the engine namespaces (%s); it runs with "
		 "less isolation (see user_namespaces(7))",
		 which);
}

static void enter_namespaces(struct log *log)
{
	char lost[64] = "";
	size_t len = 0;

	for (size_t i = 0; i < array_len(entered); i++) {
		if (unshare(entered[i].flag) < 0)
			len += (size_t)snprintf(lost + len, sizeof(lost) - len,
						"%s%s", len ? ", " : "",
						entered[i].name);
	}
	if (len)
		warn_lost(log, lost);
}

/* The caller's ids stay what they are, so that ping_group_range and the owner
 * of sockets mean the same inside; all others are nobody. */
pid_t sandbox_fork(struct log *log, struct error *e)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	pid_t pid = -1;

	for (size_t i = 0; i < array_len(born_in); i++) {
		pid = proc_fork(born_in[i].flags);
		if (pid == 0) {
			if (born_in[i].flags & CLONE_NEWUSER)
				/* Who has no number there is nobody, and works
				 * as well. */
				(void)!userns_map(uid, gid, uid, gid);
			enter_namespaces(log);
			return 0;
		}
		if (pid > 0) {
			if (born_in[i].without)
				warn_lost(log, born_in[i].without);
			return pid;
		}
	}
	return error_errno(e, errno, "cannot start the engine");
}

/* Closes everything above stderr that is not in the list. */
static int close_others(const int *fds, unsigned n)
{
	unsigned from = 3;

	for (;;) {
		unsigned next = ~0u;

		for (unsigned i = 0; i < n; i++) {
			if (fds[i] >= 0 && (unsigned)fds[i] >= from &&
			    (unsigned)fds[i] < next)
				next = (unsigned)fds[i];
		}
		if (next > from &&
		    syscall(SYS_close_range, from, next == ~0u ? ~0u : next - 1,
			    0) < 0)
			return -errno;
		if (next == ~0u)
			return 0;
		from = next + 1;
	}
}

static int null_stdio(void)
{
	CLEANUP_FD int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0 || dup2(fd, 0) < 0 || dup2(fd, 1) < 0)
		return -errno;
	return 0;
}

/* The root becomes an empty tmpfs that cannot be written.  Without a mount
 * namespace of its own nothing is touched, least of all by root: then seccomp
 * alone keeps names away (1). */
static int empty_root(void)
{
	static const char options[] = "mode=0555,nr_inodes=1,size=4096";
	const unsigned long flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

	if (unshare(CLONE_NEWNS) < 0)
		return 1;
	if (mount("", "/", "", MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("vmlan", "/tmp", "tmpfs", flags | MS_RDONLY, options) < 0 ||
	    chdir("/tmp") < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return -errno;
	return 0;
}

static int drop_capabilities(void)
{
	static const struct rlimit no_core;
	bool may_bound;

	/* It may know our parent's number: it hears of fork(), not of clone().
	 */
	capng_setpid(getpid());
	may_bound = capng_get_caps_process() == 0 &&
		    capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	setrlimit(RLIMIT_CORE, &no_core);
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	capng_clear(CAPNG_SELECT_ALL);
	/* The bounding set needs CAP_SETPCAP; with no new privileges an
	 * unprivileged process gains nothing from it anyway. */
	if (may_bound && capng_apply(CAPNG_SELECT_BOUNDS) < 0)
		return -EPERM;
	return capng_apply(CAPNG_SELECT_CAPS) < 0 ? -EPERM : 0;
}

int sandbox_enter(const int *fds, unsigned n, struct error *e)
{
	int r = null_stdio();

	if (r == 0)
		r = close_others(fds, n);
	if (r < 0)
		return error_errno(e, r, "sandbox: descriptors");
	r = empty_root();
	if (r < 0)
		return error_errno(e, r, "sandbox: empty root");
	r = drop_capabilities();
	if (r < 0)
		return error_errno(e, r, "sandbox: capabilities");
	return 0;
}

/* socket() only for the Internet's streams and datagrams. */
static int allow_sockets(scmp_filter_ctx ctx)
{
	static const int families[] = {AF_INET, AF_INET6};
	static const int types[] = {SOCK_STREAM, SOCK_DGRAM};
	const scmp_datum_t mask = 0xf; /* without SOCK_NONBLOCK, _CLOEXEC */
	int r = 0;

	for (size_t f = 0; f < array_len(families); f++) {
		for (size_t t = 0; t < array_len(types) && r == 0; t++)
			r = seccomp_rule_add(
				ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
				SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[f]),
				SCMP_A1(SCMP_CMP_MASKED_EQ, mask,
					(scmp_datum_t)types[t]));
	}
	return r;
}

static int allow_listed(scmp_filter_ctx ctx)
{
	static const char *const names[] = {SYSCALLS_ALLOWED};

	for (size_t i = 0; i < array_len(names); i++) {
		int nr = seccomp_syscall_resolve_name(names[i]);
		int r;

		if (nr < 0)
			continue; /* not on this machine */
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ioctl() and fcntl() for what is listed: on the terminal that stderr may be,
 * TIOCSTI would type for the user. */
static int allow_requests(scmp_filter_ctx ctx)
{
	static const struct {
		const char *name;
		scmp_datum_t request;
	} list[] = {SYSCALLS_REQUESTS};
	/* The kernel looks at 32 bits of it. */
	const scmp_datum_t mask = UINT32_MAX;

	for (size_t i = 0; i < array_len(list); i++) {
		int r = seccomp_rule_add(
			ctx, SCMP_ACT_ALLOW,
			seccomp_syscall_resolve_name(list[i].name), 1,
			SCMP_A1(SCMP_CMP_MASKED_EQ, mask, list[i].request));

		if (r < 0)
			return r;
	}
	return 0;
}

/* Memory, but none that can be executed; signals, but only to itself. */
static int allow_memory_and_abort(scmp_filter_ctx ctx)
{
	static const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
	int r = 0;

	for (size_t i = 0; i < array_len(calls) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (r == 0)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				     SCMP_A0(SCMP_CMP_EQ,
					     (scmp_datum_t)getpid()));
	return r;
}

/* Advice about its own memory, but none that takes pages away from others who
 * have the same (MADV_REMOVE): the keeper, where counters are. */
static int allow_advice(scmp_filter_ctx ctx)
{
	static const int list[] = {MADV_DONTNEED, MADV_FREE, MADV_DONTDUMP,
				   MADV_HUGEPAGE, MADV_NOHUGEPAGE};
	const scmp_datum_t mask = UINT32_MAX; /* an int to the kernel */
	int r = 0;

	for (size_t i = 0; i < array_len(list) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(madvise), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, mask,
					     (scmp_datum_t)list[i]));
	return r;
}

/* A sanitizer that reports wants to open files: it may not, nor die of it. */
static int refuse_quietly(scmp_filter_ctx ctx)
{
	static const char *const names[] = {SYSCALLS_REFUSED};

	for (size_t i = 0; i < array_len(names); i++) {
		int nr = names[i] ? seccomp_syscall_resolve_name(names[i]) : -1;
		int r;

		if (nr < 0)
			continue;
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EACCES), nr, 0);
		if (r < 0)
			return r;
	}
	return 0;
}

int sandbox_seccomp(struct error *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (!ctx)
		return error_errno(e, ENOMEM, "sandbox: seccomp");
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH,
			     SCMP_ACT_KILL_PROCESS);
	/* All threads or none: one that was left out could make the calls. */
	if (r == 0)
		r = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (r == 0)
		r = allow_listed(ctx);
	if (r == 0)
		r = allow_requests(ctx);
	if (r == 0)
		r = allow_memory_and_abort(ctx);
	if (r == 0)
		r = allow_advice(ctx);
	if (r == 0)
		r = allow_sockets(ctx);
	if (r == 0)
		r = refuse_quietly(ctx);
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	if (r < 0)
		return error_errno(e, r, "sandbox: seccomp");
	return 0;
}

int sandbox_wait(pid_t pid, int ms)
{
	CLEANUP_FD int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	int status = 0;
	int n;

	do {
		n = fd >= 0 && ms >= 0 ? poll(&p, 1, ms) : 1;
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return -ETIMEDOUT;
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return 0; /* somebody has taken its status */
	}
	return status;
}
