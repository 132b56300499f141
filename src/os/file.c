/* SPDX-License-Identifier: BSD-3-Clause */
/* Files; see file.h. */
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "os/holder.h"

enum {
	LOCK_PAUSE_MS = 10,
	LOCK_SAY_MS = 1000, /* who waits for longer wonders */
};

int file_write(int fd, const void *p, size_t len)
{
	const uint8_t *at = p;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		at += n;
		len -= (size_t)n;
	}
	return 0;
}

int file_put(const char *path, const char *text)
{
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(text);
	ssize_t n = fd < 0 ? -1 : write(fd, text, len);

	if (n < 0)
		return -errno;
	return n == (ssize_t)len ? 0 : -EIO;
}

int file_open_plain(const char *path, off_t max)
{
	/* Not to wait for the other end of a FIFO. */
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	return st.st_size > max ? -EFBIG : fd_steal(&fd);
}

static void say_holder(int fd, const char *what)
{
	struct log log = LOG_INIT(LOG_LEVEL_WARN);
	char who[128];

	log_warn(&log, "waiting for %s, which has %s",
		 holder_of_file(fd, who, sizeof(who)), what);
}

int file_lock(int fd, const char *what, unsigned wait_ms)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_MS * 1000000L};

	for (unsigned waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0;
	     waited += LOCK_PAUSE_MS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (waited >= wait_ms)
			return -ETIMEDOUT;
		if (waited == LOCK_SAY_MS)
			say_holder(fd, what);
		nanosleep(&pause, NULL);
	}
	return 0;
}
