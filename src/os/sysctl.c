/* SPDX-License-Identifier: BSD-3-Clause */
/* Settings of the kernel; see sysctl.h. */
#include "os/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_LEN = 160 };

bool sysctl_is_name(const char *name)
{
	if (strncmp(name, "net/", 4) != 0)
		return false;
	for (const char *p = name; *p; p++) {
		/* An interface's name may be of any other bytes. */
		if ((uint8_t)*p <= ' ' || *p == 0x7f)
			return false;
		if (*p == '/' && (p[1] == '/' || !p[1]))
			return false;
		/* "." and ".." are no names of interfaces either. */
		if (*p == '/' && p[1] == '.')
			return false;
	}
	return true;
}

static int open_it(const char *name, int flags)
{
	char path[PATH_LEN];
	int fd;

	if (!sysctl_is_name(name))
		return -EINVAL;
	if (snprintf(path, sizeof(path), "/proc/sys/%s", name) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sysctl_get(const char *name, char *value, size_t room)
{
	CLEANUP_FD int fd = open_it(name, O_RDONLY);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, value, room);
	if (n < 0)
		return -errno;
	if ((size_t)n == room)
		return -E2BIG;
	value[n] = '\0';
	value[strcspn(value, "\n")] = '\0';
	return 0;
}

int sysctl_set(const char *name, const char *value)
{
	CLEANUP_FD int fd = open_it(name, O_WRONLY);
	size_t len = strlen(value);

	if (fd < 0)
		return fd;
	/* The kernel takes a value in one piece. */
	return write(fd, value, len) == (ssize_t)len ? 0 : -errno;
}
