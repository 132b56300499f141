/* SPDX-License-Identifier: BSD-3-Clause */
/* Shared memory of a length that stays; see memfd.h.  Called by the keeper. */
#include "os/memfd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

static int make(const char *name, size_t len, bool is_there, int *fdp)
{
	CLEANUP_FD int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r = 0;

	if (fd < 0 || ftruncate(fd, (off_t)len) < 0 ||
	    fcntl(fd, F_ADD_SEALS,
		  F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	do {
		if (is_there)
			r = fallocate(fd, 0, 0, (off_t)len);
	} while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	*fdp = fd_steal(&fd);
	return 0;
}

int memfd_make(const char *name, size_t len, int *fdp)
{
	return make(name, len, true, fdp);
}

/* Where the kernel promises no more than it has, it is SIGBUS to touch a page
 * for which there is no memory, not somebody's end (proc_sys_vm(5)). */
static bool is_strict(void)
{
	CLEANUP_FD int fd =
		open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC);
	char c = '0';

	return fd >= 0 && read(fd, &c, 1) == 1 && c == '2';
}

int memfd_make_sparse(const char *name, size_t len, int *fdp)
{
	return make(name, len, is_strict(), fdp);
}
