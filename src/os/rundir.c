/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Folders of running networks; see rundir.h.
 *
 * Two locks: that of a folder's lock file says that somebody lives there, and
 * is kept; that of the folder of all is held for the moment in which folders
 * are made, swept or removed, so that those never meet.
 */
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

#include "base/log.h"
#include "base/mem.h"
#include "os/file.h"
#include "os/journal.h"

enum { ENGINE_WAIT_MS = 3000 };

static const char lock_name[] = "lock";
static const char engine_name[] = "engine";
static const char system_base[] = "/run/vmlan";

static int base_path(char *buf, size_t len)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	int n;

	if (xdg && *xdg == '/')
		n = snprintf(buf, len, "%s/vmlan", xdg);
	else if (geteuid() == 0)
		n = snprintf(buf, len, "%s", system_base);
	else
		n = snprintf(buf, len, "/tmp/vmlan-%u", geteuid());
	return n < 0 || (size_t)n >= len ? -ENAMETOOLONG : 0;
}

/* The folder of all networks must be ours alone: in /tmp another user could
 * have put one there. */
static int check_base(const char *path, const struct stat *st, struct error *e)
{
	if (S_ISDIR(st->st_mode) && st->st_uid == geteuid() &&
	    !(st->st_mode & 022))
		return 0;
	error_set(e, EXIT_PERMISSION,
		  "%s: belongs to another user or is writable by others; "
		  "remove it or set XDG_RUNTIME_DIR",
		  path);
	return -EPERM;
}

/* Opens and locks it. */
static int lock_base(const char *path, bool make, struct error *e)
{
	CLEANUP_FD int fd = -1;
	struct stat st;
	int r;

	if (make && mkdir(path, 0700) < 0 && errno != EEXIST)
		return error_errno(e, errno, "%s", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_errno(e, errno, "%s", path);
	if (fstat(fd, &st) < 0)
		return error_errno(e, errno, "%s", path);
	if (check_base(path, &st, e) < 0)
		return -EPERM;
	r = file_lock(fd, "the lock of all networks", 2 * FILE_LOCK_MS);
	return r < 0 ? error_errno(e, r, "%s: lock", path) : fd_steal(&fd);
}

/* The lock of folder dir_fd, taken; -EWOULDBLOCK if somebody lives there. */
static int take_lock(int dir_fd, bool make)
{
	int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (make ? O_CREAT : 0);
	CLEANUP_FD int fd = openat(dir_fd, lock_name, flags, 0600);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	return fd_steal(&fd);
}

/* Opens a folder for reading its entries; NULL if it cannot be. */
static DIR *entries(int dir_fd)
{
	int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);

	if (!d)
		fd_close(&copy);
	return d;
}

/* Removes the files and sockets of a folder whose lock is held, except the
 * lock file, and the one that stays, if any.  No folder of ours has folders in
 * it; those stay. */
static void empty(int dir_fd, const char *stays)
{
	DIR *d = entries(dir_fd);
	struct dirent *de;

	if (!d)
		return;
	while ((de = readdir(d))) {
		if (strcmp(de->d_name, lock_name) != 0 &&
		    (!stays || strcmp(de->d_name, stays) != 0))
			(void)unlinkat(dir_fd, de->d_name, 0);
	}
	closedir(d);
}

/* A name that is one component, and not of the kind that sweeps pass over. */
static bool is_name(const char *name)
{
	return *name && *name != '.' && !strchr(name, '/');
}

/* Undoes what the folder's journal says; its lock is held.  False: the folder
 * has to stay, and if that is no secret, *e says why.  What belongs to another
 * namespace is none of ours to talk about. */
static bool settle(int dir_fd, struct error *e)
{
	int r = journal_settle(dir_fd, e);

	if (r == -EXDEV)
		*e = ERROR_NULL;
	return r == 0;
}

static void say_unsettled(const char *name, const struct error *e)
{
	struct log log = LOG_INIT(LOG_LEVEL_WARN);

	if (e->code != EXIT_DONE)
		log_warn(&log, "%s: what it changed on this host could not all "
			       "be undone: %s", name, e->text);
}

int rundir_engine_lock(const char *path)
{
	char full[sizeof(((struct rundir *)0)->path) + sizeof(engine_name)];
	CLEANUP_FD int fd = -1;

	snprintf(full, sizeof(full), "%s/%s", path, engine_name);
	fd = open(full, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return -errno;
	return fd_steal(&fd);
}

static void await_engine(int dir_fd)
{
	CLEANUP_FD int fd =
		openat(dir_fd, engine_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0) /* or it stays */
		(void)!file_lock_silently(fd, LOCK_SH, ENGINE_WAIT_MS);
}

void rundir_await_engine(const struct rundir *d)
{
	CLEANUP_FD int dir = rundir_fd(d);

	if (dir >= 0)
		await_engine(dir);
}

static int make_folder(int base, const char *name, rundir_spares *spares,
		       const char *stays)
{
	CLEANUP_FD int dir = -1, lock = -1;
	struct error e = ERROR_NULL;
	bool is_free;

	if (mkdirat(base, name, 0700) < 0 && errno != EEXIST)
		return -errno;
	dir = openat(base, name,
		     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return -errno;
	lock = take_lock(dir, true);
	if (lock < 0)
		return lock;
	if (spares && spares(name))
		return -ESTALE;
	await_engine(dir);
	is_free = settle(dir, &e);
	say_unsettled(name, &e);
	if (!is_free)
		return -EEXIST;
	empty(dir, stays); /* of what a killed one left */
	return fd_steal(&lock);
}

static int make_in(const char *path, const char *name, rundir_spares *spares,
		   const char *stays, struct rundir *d, struct error *e)
{
	CLEANUP_FD int base = -1;
	char full[sizeof(d->path)];
	int r;

	*d = RUNDIR_NULL;
	if (!is_name(name)) {
		error_set(e, EXIT_USAGE,
			  "'%s' cannot be a name: it is empty, begins with a "
			  "dot or has a slash in it",
			  name);
		return -EINVAL;
	}
	if (snprintf(full, sizeof(full), "%s/%s", path, name) >=
	    (int)sizeof(full))
		return error_errno(e, ENAMETOOLONG, "%s/%s", path, name);
	base = lock_base(path, true, e);
	if (base < 0)
		return base;
	r = make_folder(base, name, spares, stays);
	if (r == -EWOULDBLOCK)
		r = -EEXIST;
	if (r < 0)
		return error_errno(e, r, "%s", full);
	memcpy(d->path, full, sizeof(full));
	d->lock_fd = r;
	d->stays = stays;
	return 0;
}

int rundir_make(const char *name, struct rundir *d, struct error *e)
{
	return rundir_make_sparing(name, NULL, d, e);
}

int rundir_make_sparing(const char *name, rundir_spares *spares,
			struct rundir *d, struct error *e)
{
	return rundir_make_around(name, spares, NULL, d, e);
}

int rundir_make_around(const char *name, rundir_spares *spares,
		       const char *stays, struct rundir *d, struct error *e)
{
	char path[sizeof(d->path)];
	int r = base_path(path, sizeof(path));

	*d = RUNDIR_NULL;
	if (r < 0)
		return error_errno(e, r, "XDG_RUNTIME_DIR");
	return make_in(path, name, spares, stays, d, e);
}

int rundir_make_system(const char *name, struct rundir *d, struct error *e)
{
	return make_in(system_base, name, NULL, NULL, d, e);
}

int rundir_open_system(const char *name, struct rundir *d, struct error *e)
{
	CLEANUP_FD int base = -1, dir = -1;
	struct stat st;
	int r;

	*d = RUNDIR_NULL;
	if (stat(system_base, &st) < 0 && errno == ENOENT)
		return -ENOENT;
	base = lock_base(system_base, false, e);
	if (base < 0)
		return base;
	dir = openat(base, name,
		     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 && errno == ENOENT)
		return -ENOENT;
	r = dir < 0 ? -errno : take_lock(dir, true);
	if (r == -EWOULDBLOCK)
		r = -EBUSY;
	if (r < 0)
		return error_errno(e, r, "%s/%s", system_base, name);
	d->lock_fd = r;
	snprintf(d->path, sizeof(d->path), "%s/%s", system_base, name);
	return 0;
}

/* Whether the lock that is held is this folder's: one that was moved away or
 * deleted may have a successor of its name. */
static bool has_lock(int dir_fd, int lock_fd)
{
	struct stat there, held;

	return fstatat(dir_fd, lock_name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       fstat(lock_fd, &held) == 0 && there.st_ino == held.st_ino &&
	       there.st_dev == held.st_dev;
}

int rundir_fd(const struct rundir *d)
{
	CLEANUP_FD int fd =
		open(d->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && !has_lock(fd, d->lock_fd)) {
		errno = ENOENT;
		return -1;
	}
	return fd_steal(&fd);
}

void rundir_release(struct rundir *d)
{
	fd_close(&d->lock_fd);
	d->path[0] = '\0';
}

static void remove_folder(int base, const char *name, int dir_fd,
			  const char *stays)
{
	struct error e = ERROR_NULL;
	bool is_free;

	await_engine(dir_fd);
	is_free = settle(dir_fd, &e);
	say_unsettled(name, &e);
	if (!is_free)
		return;
	empty(dir_fd, stays);
	(void)unlinkat(dir_fd, lock_name, 0);
	/* It stays if something in it does. */
	(void)unlinkat(base, name, AT_REMOVEDIR);
}

void rundir_remove(struct rundir *d)
{
	CLEANUP_FD int base = -1, dir = -1;
	char path[sizeof(d->path)];
	char *name;

	if (!d->path[0])
		return;
	memcpy(path, d->path, sizeof(path));
	name = strrchr(path, '/');
	*name++ = '\0';
	base = lock_base(path, false, NULL);
	if (base >= 0)
		dir = openat(base, name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir >= 0 && has_lock(dir, d->lock_fd))
		remove_folder(base, name, dir, d->stays);
	rundir_release(d);
}

static void sweep_one(int base, const char *name, rundir_spares *spares)
{
	CLEANUP_FD int dir = -1, lock = -1;

	dir = openat(base, name,
		     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return;
	lock = take_lock(dir, false);
	if (lock >= 0 && (!spares || !spares(name)))
		remove_folder(base, name, dir, NULL);
	/* Without a lock file: killed between two steps of making or removing,
	 * and nothing of it is left but the folder; or a socket in it waits. */
	if (lock == -ENOENT)
		(void)unlinkat(base, name, AT_REMOVEDIR);
}

static void sweep_base(const char *path, rundir_spares *spares)
{
	CLEANUP_FD int base = -1;
	struct dirent *de;
	DIR *d;

	base = lock_base(path, false, NULL);
	d = base < 0 ? NULL : entries(base);
	if (!d)
		return;
	while ((de = readdir(d))) {
		if (de->d_name[0] != '.')
			sweep_one(base, de->d_name, spares);
	}
	closedir(d);
}

void rundir_sweep(rundir_spares *spares)
{
	char path[sizeof(((struct rundir *)0)->path)];
	int r = base_path(path, sizeof(path));

	if (r == 0)
		sweep_base(path, spares);
	if (geteuid() == 0 && (r < 0 || strcmp(path, system_base) != 0))
		sweep_base(system_base, NULL);
}

int rundir_path(const char *name, char path[96], struct error *e)
{
	char base[sizeof(((struct rundir *)0)->path)];
	struct stat st;
	int r = base_path(base, sizeof(base));

	if (r < 0)
		return error_errno(e, r, "XDG_RUNTIME_DIR");
	if (lstat(base, &st) < 0)
		return errno == ENOENT ? -ENOENT
				       : error_errno(e, errno, "%s", base);
	r = check_base(base, &st, e);
	if (r < 0)
		return r;
	if (snprintf(path, sizeof(base), "%s/%s", base, name) >=
	    (int)sizeof(base))
		return error_errno(e, ENAMETOOLONG, "%s/%s", base, name);
	return 0;
}

bool rundir_is_held(const char *name)
{
	CLEANUP_FD int base = -1, dir = -1, lock = -1;
	char path[sizeof(((struct rundir *)0)->path)];

	if (!is_name(name) || base_path(path, sizeof(path)) < 0)
		return false;
	base = lock_base(path, false, NULL);
	if (base >= 0)
		dir = openat(base, name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return false;
	lock = take_lock(dir, false);
	return lock == -EWOULDBLOCK;
}

bool rundir_awaits(const char *name, const char *socket)
{
	CLEANUP_FD int dir = -1;
	char path[sizeof(((struct rundir *)0)->path)];
	struct error e = ERROR_NULL;
	struct stat st;

	if (!is_name(name) || rundir_path(name, path, &e) < 0)
		return false;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return dir >= 0 &&
	       fstatat(dir, lock_name, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
	       errno == ENOENT &&
	       fstatat(dir, socket, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISSOCK(st.st_mode);
}

static int name_cmp(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int add_name(char ***namesp, unsigned *np, const char *name)
{
	char **more = reallocarray(*namesp, *np + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	*namesp = more;
	more[*np] = strdup(name);
	if (!more[*np])
		return -ENOMEM;
	(*np)++;
	return 0;
}

int rundir_names(char ***namesp, unsigned *np)
{
	CLEANUP_FD int base = -1;
	char path[sizeof(((struct rundir *)0)->path)];
	struct dirent *de;
	int r = 0;
	DIR *d;

	*namesp = NULL;
	*np = 0;
	r = base_path(path, sizeof(path));
	if (r < 0)
		return r;
	base = lock_base(path, false, NULL);
	d = base < 0 ? NULL : entries(base);
	if (!d)
		return base == -ENOENT ? 0 : base;
	while (r == 0 && (de = readdir(d))) {
		if (de->d_name[0] != '.')
			r = add_name(namesp, np, de->d_name);
	}
	closedir(d);
	if (*np)
		qsort(*namesp, *np, sizeof(**namesp), name_cmp);
	return r;
}

/* Opens the folder's lock, and takes it if it is free: else it is only open. */
static int open_lock(int dir_fd, bool *is_takenp)
{
	CLEANUP_FD int fd =
		openat(dir_fd, lock_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return -errno;
	*is_takenp = flock(fd, LOCK_EX | LOCK_NB) == 0;
	return fd_steal(&fd);
}

int rundir_take(const char *name, unsigned wait_ms, struct rundir *d)
{
	CLEANUP_FD int base = -1, dir = -1, lock = -1;
	char path[sizeof(d->path)], full[sizeof(d->path)];
	struct error e = ERROR_NULL;
	bool is_taken = false;

	*d = RUNDIR_NULL;
	if (!is_name(name) || base_path(path, sizeof(path)) < 0 ||
	    rundir_path(name, full, &e) < 0)
		return -EINVAL;
	base = lock_base(path, false, &e);
	if (base >= 0)
		dir = openat(base, name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	lock = dir < 0 ? -ENOENT : open_lock(dir, &is_taken);
	if (lock < 0)
		return lock;
	if (!is_taken) {
		/* Who holds it wants the lock of all when he ends. */
		fd_close(&base);
		if (!wait_ms || file_lock_silently(lock, LOCK_EX, wait_ms) < 0)
			return -EBUSY;
		base = lock_base(path, false, &e);
		if (base < 0)
			return base;
		if (!has_lock(dir, lock))
			return -ENOENT; /* he has removed it */
	}
	if (!settle(dir, &e))
		return -EXDEV;
	memcpy(d->path, full, sizeof(full));
	d->lock_fd = fd_steal(&lock);
	return 0;
}
