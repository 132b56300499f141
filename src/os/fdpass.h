/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One message with descriptors beside it, over a SOCK_SEQPACKET or unix
 * socket (unix(7), SCM_RIGHTS).  Never blocks for longer than the socket
 * itself is set to.
 */
#ifndef OS_FDPASS_H
#define OS_FDPASS_H

#include <stddef.h>
#include <sys/types.h>

enum { FDPASS_MAX = 64 }; /* descriptors with one message */

/* 0, or a negative errno: -EAGAIN only on a non-blocking socket. */
__attribute__((warn_unused_result)) int
fd_send(int sock, const void *msg, size_t len, const int *fds, unsigned n_fds);
/* Bytes received (0: the peer is gone) or a negative errno.  Received
 * descriptors are close-on-exec and the caller's; more than max_fds, or a
 * message longer than len, is -EMSGSIZE and everything of it is closed. */
__attribute__((warn_unused_result)) ssize_t
fd_recv(int sock, void *msg, size_t len, int *fds, unsigned max_fds,
	unsigned *n_fdsp);

#endif
