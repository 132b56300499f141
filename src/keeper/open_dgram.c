/* SPDX-License-Identifier: BSD-3-Clause */
/* Opener of dgram: bound sockets, and where their datagrams go. */
#include <stdio.h>
#include <string.h>

#include "keeper/plan.h"
#include "os/sock.h"

static int open_unix(struct plan_netdev *n, const struct sock_addr_spec *local,
		     const struct sock_addr_spec *remote, struct error *e)
{
	struct msg_dgram_add *m = &n->order.dgram_add;
	int fd;

	if (strlen(remote->path) >= sizeof(m->remote_path))
		return error_set(e, EXIT_USAGE,
				 "dgram: UNIX socket path '%s' is too long",
				 remote->path);
	fd = sock_dgram_unix(local->path, e);
	if (fd < 0)
		return fd;
	n->fds[n->n_fds++] = fd;
	/* The engine cannot send to a name: a second socket is connected for
	 * it, now or, as long as nobody is there, when it asks (WANT_FD). */
	fd = sock_dgram_unix_tx(e);
	if (fd < 0)
		return fd;
	n->fds[n->n_fds++] = fd;
	n->points_tx = true;
	m->is_connected = true;
	if (sock_dgram_unix_point(fd, remote->path) < 0)
		log_info(n->log, "%s: nobody reads unix:%s yet", n->name,
			 remote->path);
	snprintf(m->remote_path, sizeof(m->remote_path), "%s", remote->path);
	snprintf(n->unlink_path, sizeof(n->unlink_path), "%s", local->path);
	return 0;
}

static int open_multicast(struct plan_netdev *n, const struct endpoint *group,
			  const struct sock_addr_spec *local, struct error *e)
{
	struct msg_dgram_add *m = &n->order.dgram_add;
	struct sock_mcast s = SOCK_MCAST_NULL;
	int r;

	r = sock_dgram_mcast(group, local ? local->host : NULL, &s, e);
	if (r < 0)
		return r;
	n->fds[n->n_fds++] = s.rx_fd;
	n->fds[n->n_fds++] = s.tx_fd;
	m->is_multicast = true;
	m->remote = *group;
	m->self = s.self;
	return 0;
}

static int open_inet(struct plan_netdev *n, const struct sock_addr_spec *local,
		     const struct sock_addr_spec *remote, struct error *e)
{
	struct msg_dgram_add *m = &n->order.dgram_add;
	struct endpoint to;
	int fd;

	fd = sock_resolve(remote->host, remote->port, remote->numeric, &to, e);
	if (fd < 0)
		return fd;
	if (addr_is_multicast(&to.ip))
		return open_multicast(n, &to, local, e);
	if (!local)
		return error_set(e, EXIT_USAGE,
				 "dgram requires local= parameter");
	fd = sock_dgram_inet(local->host, local->port, &to, e);
	if (fd < 0)
		return fd;
	n->fds[n->n_fds++] = fd;
	m->remote = to;
	return 0;
}

static int open_fd(struct plan_netdev *n, const struct sock_addr_spec *local,
		   struct error *e)
{
	int fd = sock_fd_take(local->fd, SOCK_DGRAM, false, e);

	if (fd < 0)
		return fd;
	n->fds[n->n_fds++] = fd;
	n->order.dgram_add.is_connected = true;
	return 0;
}

int open_dgram(struct plan_netdev *n, struct error *e)
{
	const struct sock_addr_spec *local = spec_addr(n->spec, "local");
	const struct sock_addr_spec *remote = spec_addr(n->spec, "remote");
	struct msg_dgram_add *m = &n->order.dgram_add;
	int r;

	if (!remote)
		r = open_fd(n, local, e);
	else if (remote->type == SOCK_ADDR_UNIX)
		r = open_unix(n, local, remote, e);
	else
		r = open_inet(n, local, remote, e);
	if (r < 0)
		return r;
	m->port = n->id;
	m->lan = n->lan;
	memcpy(m->name, n->name, sizeof(m->name));
	n->order.head.type = ENGINE_MSG_DGRAM_ADD;
	return 0;
}
