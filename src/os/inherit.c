/* SPDX-License-Identifier: BSD-3-Clause */
/* Descriptors that a command was started with; see inherit.h. */
#include "os/inherit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

void inherited_close(void)
{
	DIR *d = opendir("/proc/self/fd");
	const struct dirent *de;

	while (d && (de = readdir(d))) {
		int fd = atoi(de->d_name); /* 0 for "." and ".." */
		int flags = fd > STDERR_FILENO ? fcntl(fd, F_GETFD) : -1;

		if (flags >= 0 && !(flags & FD_CLOEXEC))
			close(fd);
	}
	if (d)
		closedir(d);
}
