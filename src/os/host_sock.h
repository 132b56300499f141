/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The real struct host (base/host.h) over epoll and the kernel's sockets.
 * Used by the engine; one per loop.
 */
#ifndef OS_HOST_SOCK_H
#define OS_HOST_SOCK_H

#include "base/host.h"
#include "os/loop.h"

struct host_sock_limits {
	bool deny_peek_off; /* test switch: behave as before Linux 6.9 */
	bool deny_ping;	    /* test switch: no ping sockets */
	bool deny_gso;	    /* test switch: no UDP_SEGMENT / UDP_GRO */
};

__attribute__((warn_unused_result)) int
host_sock_new(struct loop *l, const struct host_sock_limits *limits,
	      struct host **hostp);
/* All its sockets have been closed before. */
struct host *host_sock_free(struct host *h);

#endif
