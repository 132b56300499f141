/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors over a socket; see fdpass.h.
 * #syscalls: sendmsg recvmsg close
 */
#include "os/fdpass.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
	struct cmsghdr head; /* for its alignment */
	unsigned char bytes[CMSG_SPACE(FDPASS_MAX * sizeof(int))];
};

int fd_send(int sock, const void *msg, size_t len, const int *fds,
	    unsigned n_fds)
{
	struct iovec iov = {.iov_base = (void *)msg, .iov_len = len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	union control ctrl;
	ssize_t n;

	if (n_fds > FDPASS_MAX)
		return -EINVAL;
	if (n_fds) {
		struct cmsghdr *c;

		memset(&ctrl, 0, sizeof(ctrl));
		m.msg_control = &ctrl;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	do {
		n = sendmsg(sock, &m, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == len ? 0 : -EIO;
}

/* Stores up to max descriptors of one control message, closes the rest. */
static unsigned take_fds(const struct cmsghdr *c, int *fds, unsigned max,
			 unsigned have, unsigned *lostp)
{
	size_t bytes = c->cmsg_len - CMSG_LEN(0);

	for (size_t i = 0; i < bytes / sizeof(int); i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
		if (have < max) {
			fds[have++] = fd;
		} else {
			close(fd);
			++*lostp;
		}
	}
	return have;
}

ssize_t fd_recv(int sock, void *msg, size_t len, int *fds, unsigned max_fds,
		unsigned *n_fdsp)
{
	struct iovec iov = {.iov_base = msg, .iov_len = len};
	union control ctrl;
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = &ctrl,
			   .msg_controllen = sizeof(ctrl)};
	unsigned n = 0, lost = 0;
	ssize_t got;

	*n_fdsp = 0;
	do {
		got = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return -errno;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			n = take_fds(c, fds, max_fds, n, &lost);
	}
	if (lost || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC))) {
		for (unsigned i = 0; i < n; i++)
			close(fds[i]);
		return -EMSGSIZE;
	}
	*n_fdsp = n;
	return got;
}
