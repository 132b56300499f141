/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared memory of a length that stays; see memfd.h.  Called by the keeper. */
#include "os/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

int memfd_make_empty(const char *name, size_t len, int *fdp)
{
	CLEANUP_FD int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, (off_t)len) < 0 ||
	    fcntl(fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	*fdp = fd_steal(&fd);
	return 0;
}

int memfd_fill(int fd, size_t from, size_t len)
{
	int r;

	do {
		r = fallocate(fd, 0, (off_t)from, (off_t)len);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

int memfd_make(const char *name, size_t len, int *fdp)
{
	CLEANUP_FD int fd = -1;
	int r = memfd_make_empty(name, len, &fd);

	if (r == 0)
		r = memfd_fill(fd, 0, len);
	if (r == 0)
		*fdp = fd_steal(&fd);
	return r;
}
