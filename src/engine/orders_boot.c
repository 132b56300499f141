/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keeper's orders of network boot, and the files of TFTP: the keeper opens
 * them, the engine reads.  As orders.c.
 */
/* #syscalls: preadv2 pread64 fadvise64 close */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/mem.h"
#include "engine/engine_priv.h"
#include "service/netboot.h"

enum { AHEAD_LEN = 1 << 20 }; /* of a file, fetched from the disk at once */

int engine_order_boot(struct engine *e, const struct msg_boot *m)
{
	struct gateway *gw = engine_gateway_find(e, m->port);
	struct netboot n = {
		.has_tftp = m->has_tftp,
		.is_folder = m->is_folder,
		.found = m->found,
		.server4 = m->server4,
	};

	_Static_assert(sizeof(n.bootfile) == sizeof(m->bootfile) &&
			       sizeof(n.server_name) == sizeof(m->server_name),
		       "one bound");
	if (!gw)
		return -EINVAL;
	memcpy(n.bootfile, m->bootfile, sizeof(n.bootfile));
	memcpy(n.server_name, m->server_name, sizeof(n.server_name));
	return gateway_boot(gw, &n);
}

/* No failure of the LAN: the guest is told, or did not wait. */
int engine_order_tftp(struct engine *e, const struct msg_tftp_file *m, int *fds,
		      unsigned n_fds)
{
	struct gateway *gw = engine_gateway_find(e, m->port);
	int err = m->err ? m->err : EMFILE; /* it found no room here */
	int r = -ENOENT;

	if (gw)
		r = gateway_tftp_opened(gw, m->number, n_fds ? fds[0] : -1,
					m->size, n_fds ? 0 : err);
	if (r == 0 && n_fds)
		fds[0] = -1;
	return 0;
}

static int files_open(void *arg, uint32_t whose, uint64_t number,
		      const char *path)
{
	union engine_msg m = {.tftp_want = {.port = whose, .number = number}};

	if (strlen(path) >= sizeof(m.tftp_want.path))
		return -ENAMETOOLONG;
	memcpy(m.tftp_want.path, path, strlen(path));
	return engine_tell(arg, &m, ENGINE_MSG_TFTP_WANT) < 0 ? -EAGAIN : 0;
}

/* Of a file whose file system knows of no other way: waits for the disk. */
static ssize_t read_waiting(int fd, uint8_t *p, size_t len, uint64_t at)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(fd, p + got, len - got, (off_t)(at + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		got += (size_t)n;
	}
	return (ssize_t)got;
}

/* What is in memory already; of the rest the kernel is told to fetch it. */
static ssize_t files_read(void *arg, int fd, void *p, size_t len, uint64_t at)
{
	size_t got = 0;

	(void)arg;
	if (at > (uint64_t)INT64_MAX - len)
		return -EFBIG;
	while (got < len) {
		struct iovec iov = {.iov_base = (uint8_t *)p + got,
				    .iov_len = len - got};
		ssize_t n = preadv2(fd, &iov, 1, (off_t)(at + got),
				    RWF_NOWAIT);

		if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
			return read_waiting(fd, p, len, at);
		if (n < 0 && errno == EAGAIN) {
			/* fails where reading will, and says less */
			(void)posix_fadvise(fd, (off_t)at, AHEAD_LEN,
					    POSIX_FADV_WILLNEED);
			return -EAGAIN;
		}
		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			break;
		got += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)got;
}

static void files_close(void *arg, int fd)
{
	(void)arg;
	fd_close(&fd);
}

struct tftp_files engine_tftp_files(struct engine *e)
{
	return (struct tftp_files){
		.open = files_open,
		.read = files_read,
		.close = files_close,
		.arg = e,
	};
}
