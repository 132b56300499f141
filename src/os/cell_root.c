/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is to be seen in a cell.  The host's part of it is taken as detached
 * mounts first, for it may lie anywhere, /tmp included, which is covered then.
 * Called by cell.c in the cell's first process.
 */
#include "os/cell_root.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/file.h"

#define HERE "/tmp" /* where it is put together */

enum {
	PATH_LEN = 64,
	LINK_LEN = 256,
};

static const unsigned long tmpfs_flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;

/* The host's, by their names in the cell. */
static const struct {
	const char *name;
	const char *from; /* NULL: cell_config.dir */
	unsigned attr;	  /* MOUNT_ATTR_* */
	bool is_dir;
	bool is_needed;
} shown[] = {
	{"/share", NULL, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
	 MOUNT_ATTR_NOEXEC, true, true},
	{"/usr", "/usr", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
	 MOUNT_ATTR_RDONLY, true, true},
	{"/etc/ld.so.cache", "/etc/ld.so.cache", MOUNT_ATTR_NOSUID |
	 MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY, false,
	 false},
	{"/dev/null", "/dev/null", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
	 false, true},
	{"/dev/urandom", "/dev/urandom", MOUNT_ATTR_NOSUID |
	 MOUNT_ATTR_NOEXEC, false, true},
};

/* Links into /usr, or folders, as on the host. */
static const char *const beside_usr[] = {"/bin",   "/sbin",  "/lib",
					 "/lib32", "/lib64", "/libx32"};

static const char *const folders[] = {"/etc", "/dev", "/proc", "/tmp",
				      "/var", "/run", CELL_STATE};

enum { TREES_MAX = array_len(shown) + array_len(beside_usr) };

struct tree {
	int fd;
	const char *name;
	bool is_dir;
};

/* A copy of that mount, and those below it, that is nowhere yet. */
static int take(const char *from, unsigned attr, int *fdp)
{
	struct mount_attr a = {.attr_set = attr};

	*fdp = open_tree(AT_FDCWD, from,
			 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (*fdp < 0)
		return -errno;
	return mount_setattr(*fdp, "", AT_EMPTY_PATH | AT_RECURSIVE, &a,
			     sizeof(a)) < 0
		       ? -errno
		       : 0;
}

/* 0, or -ESTALE. */
static int check_seen(int fd, const struct stat *seen)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return st.st_dev == seen->st_dev && st.st_ino == seen->st_ino ? 0
								     : -ESTALE;
}

static int take_all(const struct cell_config *c, struct tree *t, unsigned *np,
		    const char **whatp)
{
	const unsigned plain = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			       MOUNT_ATTR_RDONLY;
	int r;

	for (size_t i = 0; i < array_len(shown); i++) {
		unsigned attr = shown[i].attr;

		if (!shown[i].from && c->is_readonly)
			attr |= MOUNT_ATTR_RDONLY;
		*whatp = shown[i].from ? shown[i].from : c->dir;
		r = take(*whatp, attr, &t[*np].fd);
		if (r == 0 && !shown[i].from && c->seen)
			r = check_seen(t[*np].fd, c->seen);
		if (r < 0 && shown[i].is_needed)
			return r;
		t[*np].name = shown[i].name;
		t[*np].is_dir = shown[i].is_dir;
		*np += r == 0;
	}
	for (size_t i = 0; i < array_len(beside_usr); i++) {
		struct stat st;

		*whatp = beside_usr[i];
		if (lstat(*whatp, &st) < 0 || !S_ISDIR(st.st_mode))
			continue;
		r = take(*whatp, plain, &t[*np].fd);
		if (r < 0)
			return r;
		t[*np].name = *whatp;
		t[(*np)++].is_dir = true;
	}
	return 0;
}

/* From now on nothing is done as anybody else.  The rights in the cell stay:
 * its root, whom they would go with, is nobody. */
static int become_user(void)
{
	/* Where that is denied, they are those of the user outside. */
	(void)!setgroups(0, NULL);
	if (setresgid(CELL_ID, CELL_ID, CELL_ID) < 0 ||
	    setresuid(CELL_ID, CELL_ID, CELL_ID) < 0)
		return -errno;
	return 0;
}

static const char *here(const char *name, char buf[static PATH_LEN])
{
	snprintf(buf, PATH_LEN, HERE "%s", name);
	return buf;
}

static int make_file(const char *name, const char *text)
{
	char path[PATH_LEN];
	CLEANUP_FD int fd = open(here(name, path),
				 O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
				 0644);

	return fd < 0 ? -errno : file_write(fd, text, strlen(text));
}

static int place(const struct tree *t)
{
	char path[PATH_LEN];
	int r = 0;

	if (!t->is_dir)
		r = make_file(t->name, "");
	else if (mkdir(here(t->name, path), 0755) < 0)
		r = -errno;
	if (r < 0)
		return r;
	return move_mount(t->fd, "", AT_FDCWD, here(t->name, path),
			  MOVE_MOUNT_F_EMPTY_PATH) < 0
		       ? -errno
		       : 0;
}

static int make_links(void)
{
	char to[LINK_LEN], path[PATH_LEN];

	for (size_t i = 0; i < array_len(beside_usr); i++) {
		ssize_t n = readlink(beside_usr[i], to, sizeof(to) - 1);

		if (n < 0)
			continue;
		to[n] = '\0';
		if (symlink(to, here(beside_usr[i], path)) < 0)
			return -errno;
	}
	return 0;
}

static int build(const struct cell_config *c, const struct tree *t, unsigned n,
		 const char **whatp)
{
	char path[PATH_LEN];
	int r = 0;

	*whatp = "a memory of its own";
	if (mount("vmlan", HERE, "tmpfs", tmpfs_flags,
		  "mode=0755,size=1m,nr_inodes=64") < 0)
		return -errno;
	for (size_t i = 0; i < array_len(folders); i++) {
		if (mkdir(here(folders[i], path), 0755) < 0)
			return -errno;
	}
	/* Databases and logs of what is served; no more than this. */
	if (mount("vmlan", here(CELL_STATE, path), "tmpfs", tmpfs_flags,
		  "mode=0700,size=64m,nr_inodes=4096") < 0)
		return -errno;
	for (unsigned i = 0; i < n && r == 0; i++) {
		*whatp = t[i].name;
		r = place(&t[i]);
	}
	if (r == 0)
		r = make_links();
	for (const struct cell_file *f = c->files; f->path && r == 0; f++) {
		*whatp = f->path;
		r = make_file(f->path, f->text);
	}
	/* Of the cell's processes and nothing of the kernel's.  Where part of
	 * the host's /proc is covered the kernel gives none, and programs do
	 * without. */
	(void)!mount("proc", here("/proc", path), "proc", tmpfs_flags,
		     "subset=pid");
	return r;
}

static int enter(void)
{
	struct mount_attr a = {.attr_set = MOUNT_ATTR_RDONLY};

	if (chdir(HERE) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 ||
	    umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ||
	    mount_setattr(AT_FDCWD, "/", 0, &a, sizeof(a)) < 0)
		return -errno;
	return 0;
}

int cell_root(const struct cell_config *c, const char **whatp)
{
	struct tree trees[TREES_MAX];
	unsigned n = 0;
	int r = 0;

	*whatp = "the host's mounts";
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		r = -errno;
	if (r == 0)
		r = take_all(c, trees, &n, whatp);
	if (r == 0) {
		*whatp = "its user";
		r = become_user();
	}
	if (r == 0)
		r = build(c, trees, n, whatp);
	if (r == 0) {
		*whatp = "its root";
		r = enter();
	}
	/* What was not placed goes with the process. */
	return r;
}
