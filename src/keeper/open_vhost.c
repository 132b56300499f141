/* SPDX-License-Identifier: BSD-3-Clause */
/* Opener of vhost-user: a unix socket, either side of it. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "keeper/plan.h"
#include "os/sock.h"

/* The socket of fd=; the grammar has seen to it that it is one number. */
static int take_fd(const struct plan_netdev *n, bool listening, struct error *e)
{
	int fd = -1;

	if (spec_fds(n->spec, "fd", &fd, 1) != 1)
		return error_set(e, EXIT_USAGE, "vhost-user: no fd=");
	return sock_fd_take(fd, SOCK_STREAM, listening, e);
}

static int open_server(struct plan_netdev *n, struct error *e)
{
	struct msg_server_add *m = &n->order.server_add;
	const char *path = spec_str(n->spec, "path");
	int fd;

	if (path)
		fd = sock_listen_unix(path, false, false, e);
	else
		fd = take_fd(n, true, e);
	if (fd < 0)
		return fd;
	if (path) {
		snprintf(n->unlink_path, sizeof(n->unlink_path), "%s", path);
		log_info(n->log, "%s: listening on unix:%s", n->name, path);
	}
	n->fds[0] = fd;
	n->n_fds = 1;
	m->port = n->id;
	m->lan = n->lan;
	m->is_vhost = true;
	memcpy(m->name, n->name, sizeof(m->name));
	n->order.head.type = ENGINE_MSG_SERVER_ADD;
	return 0;
}

int open_vhost(struct plan_netdev *n, struct error *e)
{
	struct msg_stream_add *m = &n->order.stream_add;

	if (spec_bool(n->spec, "server"))
		return open_server(n, e);
	m->port = n->id;
	m->lan = n->lan;
	m->is_vhost = true;
	memcpy(m->name, n->name, sizeof(m->name));
	n->order.head.type = ENGINE_MSG_STREAM_ADD;
	if (spec_has(n->spec, "fd")) {
		int fd = take_fd(n, false, e);

		if (fd < 0)
			return fd;
		n->fds[0] = fd;
		n->n_fds = 1;
		n->gives_fds = true;
		return 0;
	}
	n->is_client = true;
	n->is_waiting = true;
	n->reconnect_ms = spec_u64(n->spec, "reconnect-ms");
	m->reconnect = n->reconnect_ms > 0;
	return 0;
}

int connect_vhost(struct plan_netdev *n, struct error *e)
{
	return sock_connect_unix(spec_str(n->spec, "path"), false, false, e);
}
