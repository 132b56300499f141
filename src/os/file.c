/* SPDX-License-Identifier: BSD-3-Clause */
/* Files; see file.h. */
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "os/clock.h"
#include "os/holder.h"

enum { LOCK_SAY_MS = 1000 }; /* who waits for longer wonders */

int file_give(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	CLEANUP_FD int at = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char same[32];
	struct stat st;

	if (at < 0 || fstat(at, &st) < 0)
		return -errno;
	if (((st.st_mode ^ mode) & S_IFMT) || st.st_uid != geteuid() ||
	    (S_ISSOCK(st.st_mode) && st.st_nlink > 1))
		return -ESTALE;
	snprintf(same, sizeof(same), "/proc/self/fd/%d", at);
	if (fchownat(at, "", uid, gid, AT_EMPTY_PATH) < 0 ||
	    chmod(same, mode & 07777) < 0) /* fchmod() is not for O_PATH */
		return -errno;
	return 0;
}

int file_write(int fd, const void *p, size_t len)
{
	const uint8_t *at = p;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_replace(const char *path, const void *data, size_t len)
{
	CLEANUP_FREE char *fresh = NULL;
	CLEANUP_FD int fd = -1;
	int r;

	if (asprintf(&fresh, "%s.new", path) < 0) {
		fresh = NULL;
		return -ENOMEM;
	}
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = file_write(fd, data, len);
	if (r == 0 && rename(fresh, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(fresh);
	return r;
}

int file_put(const char *path, const char *text)
{
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(text);
	ssize_t n = fd < 0 ? -1 : write(fd, text, len);

	if (n < 0)
		return -errno;
	return n == (ssize_t)len ? 0 : -EIO;
}

int file_open_plain(const char *path, off_t max)
{
	/* Not to wait for the other end of a FIFO. */
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	return st.st_size > max ? -EFBIG : fd_steal(&fd);
}

static void say_holder(int fd, const char *what)
{
	struct log log = LOG_INIT(LOG_LEVEL_WARN);
	char who[128];

	log_warn(&log, "waiting for %s, which has %s",
		 holder_of_file(fd, who, sizeof(who)), what);
}

/* In a process of its own, which has nothing else of its parent's and does not
 * outlive it. */
static _Noreturn void wait_for_lock(int fd, int how, pid_t parent)
{
	sigset_t all;
	int r;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(ECANCELED);
	if (fd > 0)
		(void)close_range(0, (unsigned)fd - 1, 0);
	(void)close_range((unsigned)fd + 1, ~0u, 0);
	do {
		r = flock(fd, how);
	} while (r < 0 && errno == EINTR);
	_exit(r < 0 ? errno : 0);
}

/* flock(2) waits without an end, so who does that is a process that can be
 * ended.  The lock that it gets is the file's as we have opened it, and so
 * ours.  (inotify would tell of a close before the lock is free.)  It ends
 * without a signal, for others have a say in whose children those tell of. */
static int await_lock(int fd, int how, int64_t until_ms)
{
	CLEANUP_FD int pidfd = -1;
	pid_t own = getpid();
	long pid = syscall(SYS_clone, CLONE_PIDFD, NULL, &pidfd, NULL, NULL);
	int status = 0, r;

	if (pid < 0)
		return -errno;
	if (pid == 0)
		wait_for_lock(fd, how, own);
	r = clock_await(pidfd, POLLIN, until_ms);
	if (r < 0)
		(void)!syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	while (waitpid((pid_t)pid, &status, __WALL) < 0 && errno == EINTR)
		;
	if (r < 0) /* it may have got it before it was ended */
		return flock(fd, how | LOCK_NB) == 0 ? 0 : r;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -ECANCELED;
}

int file_lock_silently(int fd, int how, unsigned wait_ms)
{
	if (flock(fd, how | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return -errno;
	return wait_ms ? await_lock(fd, how, now_ms() + wait_ms) : -ETIMEDOUT;
}

int file_lock(int fd, const char *what, unsigned wait_ms)
{
	unsigned unsaid = wait_ms < LOCK_SAY_MS ? wait_ms : LOCK_SAY_MS;
	int r = file_lock_silently(fd, LOCK_EX, unsaid);

	if (r != -ETIMEDOUT || wait_ms == unsaid)
		return r;
	say_holder(fd, what);
	return file_lock_silently(fd, LOCK_EX, wait_ms - unsaid);
}
