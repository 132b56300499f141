/* SPDX-License-Identifier: BSD-3-Clause */
/* Files beneath a folder; see rooted.h. */
#include "os/rooted.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int rooted_dir(const char *path, struct error *e)
{
	CLEANUP_FD int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return error_set(e, EXIT_NO_OBJECT,
				 "%s: there is no such folder", path);
	if (fd < 0 && errno == ENOTDIR)
		return error_set(e, EXIT_USAGE, "%s is no folder", path);
	/* Else it would show only with the first file. */
	if (fd < 0 || faccessat(fd, ".", X_OK, AT_EACCESS) < 0)
		return error_errno(e, errno, "%s", path);
	return fd_steal(&fd);
}

enum { TRIES = 32 };

/* The kernel's walk, which a link changed meanwhile does not lead astray. */
static int open_beneath(int root, const char *name, int flags)
{
	const struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd, n = 0;

	/* A rename somewhere else can make it uncertain whether the way led
	 * out.  It is the same word for a file with a lease (fcntl(2)), whose
	 * holder has most of a minute to give it up. */
	do {
		fd = (int)syscall(SYS_openat2, root, name, &how, sizeof(how));
	} while (fd < 0 && (errno == EINTR || errno == EAGAIN) && ++n < TRIES);
	if (fd >= 0)
		return fd;
	switch (errno) {
	case EXDEV: /* out of root */
	case ENOTDIR:
	case ELOOP:
		return -ENOENT;
	default:
		return -errno;
	}
}

int rooted_open(int root, const char *name, struct stat *st)
{
	CLEANUP_FD int seen = -1, fd = -1;

	name += strspn(name, "/");
	if (!*name)
		return -EACCES; /* root itself */
	if (strnlen(name, ROOTED_PATH_MAX) == ROOTED_PATH_MAX)
		return -ENAMETOOLONG;
	seen = open_beneath(root, name, O_PATH);
	if (seen < 0)
		return seen;
	if (fstat(seen, st) < 0)
		return -errno;
	if (!S_ISREG(st->st_mode))
		return -EACCES;
	/* Somebody may have put another there meanwhile. */
	fd = open_beneath(root, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return fd;
	if (fstat(fd, st) < 0)
		return -errno;
	return S_ISREG(st->st_mode) ? fd_steal(&fd) : -EACCES;
}

bool rooted_has(int root, const char *name, mode_t type)
{
	CLEANUP_FD int seen = open_beneath(root, name, O_PATH);
	struct stat st;

	return seen >= 0 && fstat(seen, &st) == 0 &&
	       (st.st_mode & S_IFMT) == type;
}
