/* SPDX-License-Identifier: BSD-3-Clause */
/* Folders of running networks; see rundir.h. */
#include "os/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

static const char lock_name[] = "lock";

static int base_path(char *buf, size_t len)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	int n;

	if (xdg && *xdg == '/')
		n = snprintf(buf, len, "%s/vmlan", xdg);
	else if (geteuid() == 0)
		n = snprintf(buf, len, "/run/vmlan");
	else
		n = snprintf(buf, len, "/tmp/vmlan-%u", geteuid());
	return n < 0 || (size_t)n >= len ? -ENAMETOOLONG : 0;
}

/* Opens the folder of all networks, which must be ours alone: in /tmp
 * another user could have put one there. */
static int open_base(const char *path, bool make, struct error *e)
{
	CLEANUP_FD int fd = -1;
	struct stat st;

	if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_errno(e, errno, "%s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno(e, errno, "%s", path);
	if (fstat(fd, &st) < 0 || st.st_uid != geteuid() ||
	    (st.st_mode & 022))
		return error_set(e, EXIT_PERMISSION,
				 "%s: belongs to another user or is writable "
				 "by others; remove it or set XDG_RUNTIME_DIR",
				 path);
	return fd_steal(&fd);
}

/* The lock of folder dir_fd, taken; -EWOULDBLOCK if somebody lives there. */
static int take_lock(int dir_fd, bool make)
{
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (make ? O_CREAT : 0);
	CLEANUP_FD int fd = openat(dir_fd, lock_name, flags, 0600);
	struct stat mine, there;

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	/* A sweep may have removed the file between open and lock. */
	if (fstat(fd, &mine) < 0 ||
	    fstatat(dir_fd, lock_name, &there, AT_SYMLINK_NOFOLLOW) < 0 ||
	    mine.st_ino != there.st_ino)
		return -EWOULDBLOCK;
	return fd_steal(&fd);
}

int rundir_make(const char *name, struct rundir *d, struct error *e)
{
	CLEANUP_FD int base = -1, dir = -1;
	char path[sizeof(d->path)];
	int r;

	*d = RUNDIR_NULL;
	r = base_path(path, sizeof(path));
	if (r < 0)
		return error_errno(e, r, "XDG_RUNTIME_DIR");
	base = open_base(path, true, e);
	if (base < 0)
		return base;
	if (snprintf(d->path, sizeof(d->path), "%s/%s", path, name) >=
	    (int)sizeof(d->path)) {
		*d = RUNDIR_NULL;
		return error_errno(e, ENAMETOOLONG, "%s/%s", path, name);
	}
	if (mkdirat(base, name, 0700) < 0 && errno != EEXIST)
		r = -errno;
	dir = openat(base, name,
		     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		r = -errno;
	if (r == 0)
		r = take_lock(dir, true);
	if (r >= 0) {
		d->lock_fd = r;
		return 0;
	}
	error_errno(e, r == -EWOULDBLOCK ? EEXIST : r, "%s", d->path);
	*d = RUNDIR_NULL;
	return r == -EWOULDBLOCK ? -EEXIST : r;
}

void rundir_release(struct rundir *d)
{
	fd_close(&d->lock_fd);
	d->path[0] = '\0';
}

/* Empties a folder whose lock is held, the lock file last. No folder of ours
 * has folders in it. */
static void empty(int dir_fd)
{
	int copy = dup(dir_fd);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *de;

	if (!d) {
		fd_close(&copy);
		return;
	}
	while ((de = readdir(d))) {
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0 &&
		    strcmp(de->d_name, lock_name) != 0)
			unlinkat(dir_fd, de->d_name, 0);
	}
	closedir(d);
	unlinkat(dir_fd, lock_name, 0);
}

static void remove_locked(int base, const char *name, int dir)
{
	empty(dir);
	unlinkat(base, name, AT_REMOVEDIR);
}

void rundir_remove(struct rundir *d)
{
	CLEANUP_FD int dir = -1;

	if (!d->path[0])
		return;
	dir = open(d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir >= 0)
		remove_locked(AT_FDCWD, d->path, dir);
	rundir_release(d);
}

static void sweep_one(int base, const char *name)
{
	CLEANUP_FD int dir = -1, lock = -1;

	dir = openat(base, name,
		     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return;
	lock = take_lock(dir, false);
	if (lock >= 0) {
		remove_locked(base, name, dir);
		return;
	}
	/* Without a lock file: killed between mkdir and lock, or between the
	 * two steps of a removal; a living owner makes the file at once. */
	if (lock == -ENOENT)
		unlinkat(base, name, AT_REMOVEDIR);
}

void rundir_sweep(void)
{
	CLEANUP_FD int base = -1;
	char path[96];
	struct dirent *de;
	int copy;
	DIR *d;

	if (base_path(path, sizeof(path)) < 0)
		return;
	base = open_base(path, false, NULL);
	copy = base < 0 ? -1 : dup(base);
	d = copy < 0 ? NULL : fdopendir(copy);
	if (!d) {
		fd_close(&copy);
		return;
	}
	while ((de = readdir(d))) {
		if (de->d_name[0] != '.')
			sweep_one(base, de->d_name);
	}
	closedir(d);
}
