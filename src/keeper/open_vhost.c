/* SPDX-License-Identifier: BSD-3-Clause */
/* Opener of vhost-user: a unix socket, either side of it. */
#include <stdio.h>
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
	plan_server(n, fd, true);
	return 0;
}

int open_vhost(struct plan_netdev *n, struct error *e)
{
	int fd = -1;

	if (spec_bool(n->spec, "server"))
		return open_server(n, e);
	if (spec_has(n->spec, "fd")) {
		fd = take_fd(n, false, e);
		if (fd < 0)
			return fd;
	}
	plan_client(n, fd, true);
	return 0;
}

int connect_vhost(struct plan_netdev *n, struct error *e)
{
	return sock_connect_unix(spec_str(n->spec, "path"), false, false, e);
}
