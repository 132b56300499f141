/* SPDX-License-Identifier: BSD-3-Clause */
/* Settings of the host that several networks want; see journal.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/file.h"
#include "os/journal.h"

/* Where networks' folders are: beside the journal's own, and, as root's
 * runtime folder depends on how he came to be root, in the other two. */
static const char *const bases[] = {"..", "/run/vmlan", "/run/user/0/vmlan"};

/* Beside the networks' folders; a name that no network has. */
#define LOCK_FILE "../.settings"

int journal_shared_lock(const struct journal *j)
{
	CLEANUP_FD int fd =
		openat(j->dir_fd, LOCK_FILE,
		       O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	int r = fd < 0 ? -errno
		       : file_lock(fd, "the lock of the host's settings",
				   FILE_LOCK_MS);

	return r < 0 ? r : fd_steal(&fd);
}

static bool is_same_setting(const struct undo *a, const struct undo *b)
{
	return a->type == UNDO_SYSCTL && b->type == UNDO_SYSCTL &&
	       strcmp(a->sysctl.name, b->sysctl.name) == 0 &&
	       strcmp(a->sysctl.is, b->sysctl.is) == 0;
}

/* Journals that begin alike are of one boot and one namespace. */
static bool find_in(int dir_fd, const uint8_t *head, const struct undo *mine,
		    struct undo *found)
{
	CLEANUP_FD int fd =
		openat(dir_fd, JOURNAL_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	CLEANUP_FREE uint8_t *p = NULL;
	uint32_t off = JOURNAL_HEAD_LEN, n;
	int len = fd < 0 ? -1 : journal_load(fd, &p);

	if (len < JOURNAL_HEAD_LEN || memcmp(p, head, JOURNAL_HEAD_LEN) != 0)
		return false;
	while ((n = journal_read(p, (size_t)len, off, found))) {
		if (is_same_setting(mine, found))
			return true;
		off += n;
	}
	return false;
}

static bool is_same_folder(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 &&
	       sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev;
}

static bool find_below(const struct journal *j, const char *path,
		       const uint8_t *head, const struct undo *mine,
		       struct undo *found)
{
	int base = openat(j->dir_fd, path,
			  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = base < 0 ? NULL : fdopendir(base);
	struct dirent *de;
	bool is_found = false;

	if (!d) {
		fd_close(&base);
		return false;
	}
	while (!is_found && (de = readdir(d))) {
		CLEANUP_FD int dir = -1;

		if (de->d_name[0] == '.')
			continue;
		dir = openat(base, de->d_name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (dir >= 0 && !is_same_folder(dir, j->dir_fd))
			is_found = find_in(dir, head, mine, found);
	}
	closedir(d);
	return is_found;
}

bool journal_shared_find(const struct journal *j, const struct undo *mine,
			 struct undo *found)
{
	const size_t n = geteuid() == 0 ? array_len(bases) : 1;
	uint8_t head[JOURNAL_HEAD_LEN];

	if (pread(j->fd, head, sizeof(head), 0) != sizeof(head))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (find_below(j, bases[i], head, mine, found))
			return true;
	}
	return false;
}
