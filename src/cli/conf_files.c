/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where configuration files are, and whose they may be; see conf.h.  What is in
 * one makes vmlan open devices and run programs, so one that somebody else
 * could have written is not read.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/conf.h"
#include "os/file.h"

#define SYSTEM_FOLDER "/etc/vmlan"
#define SUFFIX	      ".conf"

enum {
	SUFFIX_LEN = sizeof(SUFFIX) - 1,
	FILE_MAX = 1 << 20, /* bytes */
};

static int no_memory(struct error *e)
{
	return error_errno(e, ENOMEM, "configuration files");
}

/* ---- folders ---- */

/* The user's own; the caller frees.  NULL: there is none. */
static char *own_folder(void)
{
	const char *config = getenv("XDG_CONFIG_HOME");
	const char *home = getenv("HOME");
	char *path = NULL;

	/* Relative ones are to be ignored (XDG base directories, 0.8). */
	if (config && *config == '/')
		return asprintf(&path, "%s/vmlan", config) < 0 ? NULL : path;
	if (home && *home == '/')
		return asprintf(&path, "%s/.config/vmlan", home) < 0 ? NULL
								     : path;
	return NULL;
}

/* 0, or why there is nothing.  What cannot be read says so later. */
static int look(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? 0 : -errno;
}

/* Where we may not even look (HOME of before a change of the user) is nothing
 * of ours, and a home that is /dev/null has no folder for it. */
static bool is_there(const char *path)
{
	int r = look(path);

	return r != -ENOENT && r != -ENOTDIR && r != -EACCES;
}

/* FOLDER/NAME.conf; the caller frees.  NULL: no memory, or no folder. */
static char *path_in(const char *folder, const char *name)
{
	char *path = NULL;

	if (!folder || asprintf(&path, "%s/%s" SUFFIX, folder, name) < 0)
		return NULL;
	return path;
}

static bool has_suffix(const char *name)
{
	size_t n = strlen(name);

	return n > SUFFIX_LEN && name[0] != '.' &&
	       strcmp(name + n - SUFFIX_LEN, SUFFIX) == 0;
}

/* ---- a file ---- */

/* True if it can be believed; else the conf has the problem. */
static bool check_owner(struct conf *c, const char *path, const struct stat *st)
{
	const struct conf_at at = {path, 0};
	bool is_roots = geteuid() == 0 ||
			strncmp(path, SYSTEM_FOLDER "/",
				sizeof(SYSTEM_FOLDER)) == 0;
	bool is_open = st->st_mode & S_IWOTH;

	if (st->st_uid != 0 && st->st_uid != geteuid()) {
		conf_wrong(c, &at, "it belongs to user %u, who is neither you "
				   "nor root; chown it, or copy what is right "
				   "in it",
			   (unsigned)st->st_uid);
		return false;
	}
	if (is_roots && (is_open || ((st->st_mode & S_IWGRP) && st->st_gid))) {
		conf_wrong(c, &at, "others than root may write to it; look at "
				   "what is in it, then chmod go-w");
		return false;
	}
	if (is_open)
		conf_warn(c, &at, "all users may write to it; chmod o-w");
	return true;
}

static int read_all(int fd, char *buf, size_t room, size_t *np)
{
	*np = 0;
	while (*np < room) {
		ssize_t n = read(fd, buf + *np, room - *np);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		*np += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* What cannot be read is a problem. */
static int read_file(struct conf *c, const char *path)
{
	CLEANUP_FD int fd = file_open_plain(path, FILE_MAX);
	CLEANUP_FREE char *buf = fd < 0 ? NULL : malloc(FILE_MAX);
	const char *kept = conf_file(c, path);
	struct stat st;
	size_t n = 0;
	int r = 0;

	if (!kept || (fd >= 0 && !buf))
		return -ENOMEM;
	if (fd < 0)
		r = fd;
	else if (fstat(fd, &st) < 0)
		r = -errno;
	else if (!check_owner(c, kept, &st))
		return 0;
	else
		r = read_all(fd, buf, FILE_MAX, &n);
	if (r == -EINVAL)
		conf_wrong(c, &(struct conf_at){kept, 0},
			   "it is no ordinary file; copy what is in it to one");
	else if (r < 0)
		conf_wrong(c, &(struct conf_at){kept, 0},
			   "it cannot be read: %s", strerror(-r));
	return r < 0 ? 0 : conf_text(c, buf, n);
}

/* ---- those of a network ---- */

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_all(char **v, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		free(v[i]);
	free(v);
}

/* The paths of what ends in .conf there, in order; none if there is no folder.
 * 0, or a negative errno. */
static int list_folder(const char *folder, char ***vp, unsigned *np)
{
	DIR *dir = opendir(folder);
	struct dirent *d;

	*vp = NULL;
	*np = 0;
	if (!dir)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -errno;
	while ((d = readdir(dir))) {
		char **more, *path;

		if (!has_suffix(d->d_name))
			continue;
		more = reallocarray(*vp, *np + 1, sizeof(*more));
		if (more)
			*vp = more;
		if (!more || asprintf(&path, "%s/%s", folder, d->d_name) < 0) {
			free_all(*vp, *np);
			closedir(dir);
			return -ENOMEM;
		}
		more[(*np)++] = path;
	}
	closedir(dir);
	if (*np)
		qsort(*vp, *np, sizeof(**vp), by_bytes);
	return 0;
}

static int read_drop_ins(struct conf *c, const char *path)
{
	CLEANUP_FREE char *folder = NULL;
	const char *kept = c->files[0].path;
	char **v;
	unsigned n;
	int r;

	if (asprintf(&folder, "%s.d", path) < 0) {
		folder = NULL;
		return -ENOMEM;
	}
	r = list_folder(folder, &v, &n);
	if (r < 0 && r != -ENOMEM) {
		conf_wrong(c, &(struct conf_at){kept, 0},
			   "the drop-ins in %s.d cannot be read: %s", path,
			   strerror(-r));
		return 0;
	}
	for (unsigned i = 0; i < n && r == 0; i++)
		r = read_file(c, v[i]);
	free_all(v, n);
	return r;
}

/* "/etc/vmlan/lab.conf": "lab", the caller's. */
static char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;
	size_t n = strlen(base);

	return strndup(base, has_suffix(base) ? n - SUFFIX_LEN : n);
}

/* Where its relative paths begin. */
static char *folder_of(const char *path)
{
	CLEANUP_FREE char *whole = realpath(path, NULL);
	const char *p = whole ? whole : path, *slash = strrchr(p, '/');

	return slash ? strndup(p, slash == p ? 1 : (size_t)(slash - p))
		     : strdup(".");
}

/* The system's of the same name is not looked at. */
static int check_place(struct conf *c, const char *path, const char *name)
{
	CLEANUP_FREE char *folder = own_folder();
	CLEANUP_FREE char *own = path_in(folder, name);
	CLEANUP_FREE char *other = path_in(SYSTEM_FOLDER, name);

	if (!other)
		return -ENOMEM;
	if (own && strcmp(path, own) == 0 && is_there(other))
		conf_warn(c, &(struct conf_at){c->files[0].path, 0},
			  "it is looked at in place of %s; move one of them",
			  other);
	return 0;
}

static int load(const char *path, const char *name, struct conf *c,
		struct error *e)
{
	struct error why = ERROR_NULL;
	bool is_name = mode_name_ok(name, &why);
	int r;

	conf_init(c, is_name ? name : "");
	c->folder = folder_of(path);
	r = c->folder ? read_file(c, path) : -ENOMEM;
	if (r == 0)
		r = check_place(c, path, name);
	if (r == 0)
		r = read_drop_ins(c, path);
	if (r == 0 && is_name)
		r = conf_finish(c, e);
	else if (r == 0)
		conf_wrong(c, &(struct conf_at){c->files[0].path, 0},
			   "%s; name the file as its network", why.text);
	if (r < 0) {
		conf_deinit(c);
		return no_memory(e);
	}
	return 0;
}

int conf_load_file(const char *path, struct conf *c, struct error *e)
{
	CLEANUP_FREE char *name = name_of(path);

	if (!name)
		return no_memory(e);
	return look(path) == -ENOENT ? -ENOENT : load(path, name, c, e);
}

int conf_load(const char *name, struct conf *c, struct error *e)
{
	CLEANUP_FREE char *folder = own_folder();
	CLEANUP_FREE char *own = path_in(folder, name);
	CLEANUP_FREE char *other = path_in(SYSTEM_FOLDER, name);

	if (!other)
		return no_memory(e);
	if (own && is_there(own))
		return load(own, name, c, e);
	return is_there(other) ? load(other, name, c, e) : -ENOENT;
}

/* True if v has that network. */
static bool has_name(char *const *v, unsigned n, const char *path)
{
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(strrchr(v[i], '/'), strrchr(path, '/')) == 0)
			return true;
	}
	return false;
}

/* By the name of the network. */
static int by_name(const void *a, const void *b)
{
	return strcmp(strrchr(*(char *const *)a, '/'),
		      strrchr(*(char *const *)b, '/'));
}

int conf_list(bool is_all, char ***vp, unsigned *np, struct error *e)
{
	CLEANUP_FREE char *folder = own_folder();
	char **system = NULL, **more;
	unsigned n = 0;
	int r;

	*vp = NULL;
	*np = 0;
	r = folder && is_there(folder) ? list_folder(folder, vp, np) : 0;
	if (r < 0)
		return error_errno(e, r, "%s", folder);
	if (is_all)
		r = list_folder(SYSTEM_FOLDER, &system, &n);
	more = r < 0 ? NULL : reallocarray(*vp, *np + n + 1, sizeof(*more));
	if (!more) {
		free_all(*vp, *np);
		free_all(system, n);
		return error_errno(e, r < 0 ? r : -ENOMEM, SYSTEM_FOLDER);
	}
	*vp = more;
	for (unsigned i = 0; i < n; i++) {
		if (has_name(*vp, *np, system[i]))
			free(system[i]);
		else
			more[(*np)++] = system[i];
	}
	free(system);
	qsort(more, *np, sizeof(*more), by_name);
	return 0;
}
