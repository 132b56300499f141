/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Unix sockets by name; see sock.h.
 *
 * A socket file outlives its owner, so a listener must remove what is stale
 * and nothing else.  Stale is what refuses a connection; but so does a socket
 * between its bind() and listen().  Therefore all of us look, remove, bind and
 * listen under a lock on the folder: of two that start at once one finds the
 * other alive.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/file.h"
#include "os/sock.h"

enum {
	BACKLOG = 4096,
	LOCK_MS = 1000,
};

struct unix_name {
	const char *path;
	bool is_abstract;
	struct sockaddr_un sa;
	socklen_t len;
};

static int name_init(struct unix_name *n, const char *path, bool is_abstract,
		     bool is_tight, struct error *e)
{
	size_t len = strlen(path);
	size_t at = is_abstract ? 1 : 0;

	*n = (struct unix_name){.path = path,
				.is_abstract = is_abstract,
				.sa = {.sun_family = AF_UNIX},
				.len = sizeof(n->sa)};
	if (!len)
		return error_set(e, EXIT_USAGE, "UNIX socket path is empty");
	if (len + at >= sizeof(n->sa.sun_path))
		return error_set(e, EXIT_USAGE,
				 "UNIX socket path '%s' is too long (at most "
				 "%zu bytes)",
				 path, sizeof(n->sa.sun_path) - 1 - at);
	memcpy(n->sa.sun_path + at, path, len);
	if (is_abstract && is_tight)
		n->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				     1 + len);
	return 0;
}

static int new_socket(int type, struct error *e)
{
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? error_errno(e, errno, "socket") : fd;
}

/* Locks the folder of path: a descriptor, or -1 where that cannot be had, for
 * anybody may hold the lock of a folder that he can read. */
static int lock_folder(const char *path)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	const char *slash = strrchr(path, '/');
	int fd;

	snprintf(folder, sizeof(folder), "%.*s",
		 slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && file_lock_silently(fd, LOCK_EX, LOCK_MS) < 0)
		fd_close(&fd);
	return fd;
}

/* Makes room for a socket of the type at the name: nothing is there, or a
 * socket that nobody has any more. */
static int clear_name(const struct unix_name *n, int type, struct error *e)
{
	CLEANUP_FD int fd = -1;
	struct stat st;

	if (lstat(n->path, &st) < 0)
		return errno == ENOENT ? 0
				       : error_errno(e, errno, "%s", n->path);
	if (!S_ISSOCK(st.st_mode))
		return error_set(e, EXIT_CONFLICT,
				 "%s: exists and is not a socket; remove it or "
				 "use another path",
				 n->path);
	fd = new_socket(type, e);
	if (fd < 0)
		return fd;
	/* EAGAIN: its backlog is full.  EPERM: it has a peer. */
	if (connect(fd, (const struct sockaddr *)&n->sa, n->len) == 0 ||
	    errno == EAGAIN || errno == EPERM)
		return error_set(e, EXIT_CONFLICT,
				 "%s: somebody %s there already; stop that or "
				 "use another path",
				 n->path,
				 type == SOCK_STREAM ? "listens" : "reads");
	if (errno == EPROTOTYPE)
		return error_set(
			e, EXIT_CONFLICT,
			"%s: is a socket of another type; remove it or "
			"use another path",
			n->path);
	if (errno != ECONNREFUSED && errno != ENOENT)
		return error_errno(e, errno, "%s", n->path);
	if (unlink(n->path) < 0 && errno != ENOENT)
		return error_errno(e, errno, "%s: stale socket", n->path);
	return 0;
}

/* A new socket of the type, bound to the name; a stream listens. */
static int open_at(const struct unix_name *n, int type, struct error *e)
{
	CLEANUP_FD int lock = n->is_abstract ? -1 : lock_folder(n->path);
	CLEANUP_FD int fd = -1;
	int r = n->is_abstract ? 0 : clear_name(n, type, e);

	(void)lock; /* held until the return */
	if (r < 0)
		return r;
	fd = new_socket(type, e);
	if (fd < 0)
		return fd;
	if (bind(fd, (const struct sockaddr *)&n->sa, n->len) < 0) {
		if (errno == ENOENT)
			return error_set(e, EXIT_FAILED,
					 "cannot bind unix:%s: its folder does "
					 "not exist; make it first",
					 n->path);
		return error_errno(e, errno, "cannot bind unix:%s%s",
				   n->is_abstract ? "@" : "", n->path);
	}
	if (type == SOCK_STREAM && listen(fd, BACKLOG) < 0)
		return error_errno(e, errno, "cannot listen on unix:%s%s",
				   n->is_abstract ? "@" : "", n->path);
	return fd_steal(&fd);
}

int sock_listen_unix(const char *path, bool is_abstract, bool is_tight,
		     struct error *e)
{
	struct unix_name n;
	int r = name_init(&n, path, is_abstract, is_tight, e);

	return r < 0 ? r : open_at(&n, SOCK_STREAM, e);
}

bool sock_peer_may(int fd)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
	       (who.uid == 0 || who.uid == geteuid());
}

void sock_remove_unix(const char *path)
{
	CLEANUP_FD int lock = lock_folder(path);
	struct unix_name n;

	(void)lock; /* held until the return */
	if (name_init(&n, path, false, false, NULL) == 0 &&
	    clear_name(&n, SOCK_STREAM, NULL) < 0)
		(void)clear_name(&n, SOCK_DGRAM, NULL); /* or it stays */
}

void sock_file_of(const char *path, struct sock_file *f)
{
	struct stat st;

	*f = (struct sock_file){.ino = 0};
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		*f = (struct sock_file){.dev = st.st_dev, .ino = st.st_ino};
}

void sock_file_remove(const char *path, const struct sock_file *f)
{
	CLEANUP_FD int lock = lock_folder(path);
	struct sock_file now;

	(void)lock; /* held until the return */
	sock_file_of(path, &now);
	if (now.ino && now.ino == f->ino && now.dev == f->dev)
		unlink(path);
}

int sock_connect_unix(const char *path, bool is_abstract, bool is_tight,
		      struct error *e)
{
	CLEANUP_FD int fd = -1;
	struct unix_name n;
	int r = name_init(&n, path, is_abstract, is_tight, e);

	if (r < 0)
		return r;
	fd = new_socket(SOCK_STREAM, e);
	if (fd < 0)
		return fd;
	if (connect(fd, (struct sockaddr *)&n.sa, n.len) < 0)
		return error_errno(e, errno, "cannot connect to unix:%s%s",
				   is_abstract ? "@" : "", path);
	return fd_steal(&fd);
}

int sock_dgram_unix(const char *path, struct error *e)
{
	struct unix_name n;
	int r = name_init(&n, path, false, false, e);

	return r < 0 ? r : open_at(&n, SOCK_DGRAM, e);
}

int sock_dgram_unix_tx(struct error *e)
{
	return new_socket(SOCK_DGRAM, e);
}

int sock_dgram_unix_point(int fd, const char *path)
{
	struct unix_name n;

	if (name_init(&n, path, false, false, NULL) < 0)
		return -ENAMETOOLONG;
	return connect(fd, (struct sockaddr *)&n.sa, n.len) < 0 ? -errno : 0;
}

int sock_dgram_unix_point_for(int fd, const char *path, uid_t uid,
			      struct error *e)
{
	/* What is judged is what is connected to. */
	CLEANUP_FD int at = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char same[32];
	struct stat st;
	int r;

	if (at < 0 || fstat(at, &st) < 0)
		return error_errno(e, errno, "%s", path);
	if (!S_ISSOCK(st.st_mode) ||
	    (uid != st.st_uid && uid != 0 && uid != geteuid()))
		return error_set(e, EXIT_PERMISSION,
				 "%s is not a socket of its own", path);
	snprintf(same, sizeof(same), "/proc/self/fd/%d", at);
	r = sock_dgram_unix_point(fd, same);
	return r < 0 ? error_errno(e, r, "its data socket %s", path) : 0;
}
