/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libmicrohttpd in the keeper's loop, without a thread of its own: its epoll
 * descriptor is one of the loop's, its timeouts are a timer's.  Connections
 * are handed to it.  Used by control.c and http.c.
 */
#ifndef KEEPER_HTTP_LOOP_H
#define KEEPER_HTTP_LOOP_H

#include "base/mem.h"
#include "base/timer.h"
#include "keeper/mhd.h"
#include "os/loop.h"

/* What such a daemon is started with. */
enum { HTTP_LOOP_FLAGS = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET };

struct http_loop {
	struct loop *loop; /* borrowed */
	struct mhd mhd;
	struct MHD_Daemon *daemon; /* owned */
	struct loop_io io;         /* fd is the daemon's own */
	struct timer timeout;
};

/* Loads libmicrohttpd, for a daemon to be started.  0, or -1 with *e. */
MUST_USE int http_loop_init(struct http_loop *h, struct error *e);
/* Takes the daemon (NULL: it could not be started), also if it fails: 0, or a
 * negative errno, and there is nothing to stop. */
MUST_USE int http_loop_start(struct http_loop *h, struct loop *loop,
			     struct MHD_Daemon *daemon);
/* Closes all connections.  Nothing happens to one that is all zero. */
void http_loop_stop(struct http_loop *h);
/* Has it take fd, a connected stream socket, which it closes in any case. */
MUST_USE bool http_loop_add(struct http_loop *h, int fd);
/* Has it do what is to be done, as after http_loop_add(). */
void http_loop_turn(struct http_loop *h);

#endif
