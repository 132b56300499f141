/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What server.c asks of the kinds it serves: a port over one connection that
 * belongs to somebody who wants to know when it goes.  Same worker, inside
 * this room only.
 */
#ifndef NETDEV_CONN_H
#define NETDEV_CONN_H

#include "netdev/netdev.h"

struct conn_args {
	const char *name; /* copied */
	uint32_t id;
	int fd; /* connected SOCK_STREAM, or -1 */
	bool reconnect;
	unsigned queues; /* vhost-user: as netdev_stream_config has it */
	/* The peer went; carrier is down.  Called from deferred work, may
	 * free the port.  NULL: ask want_fd if reconnect. */
	void (*gone)(void *arg, struct port *p);
	/* The port is about to be freed, whoever asked for it.  May be NULL. */
	void (*closed)(void *arg, struct port *p);
	void *arg;
};

/* As netdev_stream_new(). */
__attribute__((warn_unused_result)) int
stream_new(const struct netdev_env *env, const struct conn_args *a,
	   struct port **portp);
/* As netdev_vhost_new(). */
__attribute__((warn_unused_result)) int
vhost_new(const struct netdev_env *env, const struct conn_args *a,
	  struct port **portp);

#endif
