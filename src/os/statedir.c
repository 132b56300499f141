/* SPDX-License-Identifier: BSD-3-Clause */
/* The folder of leases; see statedir.h. */
#include "os/statedir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int find_path(char *buf)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int n;

	if (xdg && *xdg == '/')
		n = snprintf(buf, STATEDIR_LEN, "%s/vmlan/leases", xdg);
	else if (geteuid() == 0)
		n = snprintf(buf, STATEDIR_LEN, "/var/lib/vmlan/leases");
	else if (home && *home == '/')
		n = snprintf(buf, STATEDIR_LEN, "%s/.local/state/vmlan/leases",
			     home);
	else
		return -ENOENT;
	return n < 0 || n >= STATEDIR_LEN ? -ENAMETOOLONG : 0;
}

/* All folders on the way that are not there. */
static int make_all(char *path)
{
	for (char *p = path + 1; (p = strchr(p, '/')); p++) {
		int r;

		*p = '\0';
		r = mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
		*p = '/';
		/* Whether it is there shows below. */
		if (r < 0 && r != -EROFS && r != -EACCES && r != -EPERM)
			return r;
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int statedir_open(char buf[static STATEDIR_LEN], struct error *e)
{
	CLEANUP_FD int fd = -1;
	struct stat st;
	int r = find_path(buf);

	if (r == -ENOENT)
		return error_set(e, EXIT_FAILED,
				 "neither HOME nor XDG_STATE_HOME is set");
	if (r == 0)
		r = make_all(buf);
	if (r < 0)
		return error_errno(e, r, "%s", buf);
	fd = open(buf, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(e, errno, "%s", buf);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return error_set(e, EXIT_PERMISSION,
				 "%s belongs to another user or is writable by "
				 "others",
				 buf);
	return fd_steal(&fd);
}
