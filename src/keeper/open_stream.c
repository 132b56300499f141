/* SPDX-License-Identifier: BSD-3-Clause */
/* Opener of stream: listeners now, a client's connections when wanted. */
#include <stdio.h>
#include <string.h>

#include "keeper/plan.h"
#include "os/sock.h"

static struct sock_inet inet_of(const struct sock_addr_spec *a)
{
	return (struct sock_inet){
		.host = a->host,
		.port = a->port,
		.has_to = a->has_to,
		.to = a->to,
		.ipv4 = a->ipv4 != TRI_OFF,
		.ipv6 = a->ipv6 != TRI_OFF,
		.numeric = a->numeric,
		.mptcp = a->mptcp,
		.keep_alive = a->keep_alive == TRI_ON,
		.keep_alive_count = a->keep_alive_count,
		.keep_alive_idle = a->keep_alive_idle,
		.keep_alive_interval = a->keep_alive_interval,
	};
}

static int open_server(struct plan_netdev *n, const struct sock_addr_spec *a,
		       struct error *e)
{
	struct endpoint bound = {0};
	char text[ENDPOINT_STRLEN];
	struct sock_inet inet;
	int fd = -1;

	switch (a->type) {
	case SOCK_ADDR_UNIX:
		fd = sock_listen_unix(a->path, a->is_abstract, a->is_tight, e);
		if (fd >= 0 && !a->is_abstract)
			snprintf(n->unlink_path, sizeof(n->unlink_path), "%s",
				 a->path);
		if (fd >= 0)
			log_info(n->log, "%s: listening on unix:%s%s", n->name,
				 a->is_abstract ? "@" : "", a->path);
		break;
	case SOCK_ADDR_INET:
		inet = inet_of(a);
		fd = sock_listen_inet(&inet, &bound, e);
		if (fd >= 0)
			log_info(n->log, "%s: listening on tcp:%s", n->name,
				 endpoint_format(&bound, text));
		break;
	case SOCK_ADDR_FD:
		fd = sock_fd_take(a->fd, SOCK_STREAM, true, e);
		break;
	case SOCK_ADDR_VSOCK:
	case SOCK_ADDR_N_TYPES:
		return error_set(e, EXIT_USAGE,
				 "stream: addr.type=vsock is not built yet; "
				 "use unix or inet");
	}
	if (fd < 0)
		return fd;
	plan_server(n, fd, false);
	n->order.server_add.max = (uint32_t)spec_u64(n->spec, "max");
	return 0;
}

static int open_client(struct plan_netdev *n, const struct sock_addr_spec *a,
		       struct error *e)
{
	int fd = -1;

	if (a->type == SOCK_ADDR_VSOCK)
		return error_set(e, EXIT_USAGE,
				 "stream: addr.type=vsock is not built yet; "
				 "use unix or inet");
	if (a->type == SOCK_ADDR_FD) {
		fd = sock_fd_take(a->fd, SOCK_STREAM, false, e);
		if (fd < 0)
			return fd;
	}
	plan_client(n, fd, false);
	return 0;
}

int open_stream(struct plan_netdev *n, struct error *e)
{
	const struct sock_addr_spec *a = spec_addr(n->spec, "addr");

	if (spec_bool(n->spec, "server"))
		return open_server(n, a, e);
	return open_client(n, a, e);
}

int connect_stream(struct plan_netdev *n, struct error *e)
{
	const struct sock_addr_spec *a = spec_addr(n->spec, "addr");
	struct sock_inet inet;

	if (a->type == SOCK_ADDR_UNIX)
		return sock_connect_unix(a->path, a->is_abstract, a->is_tight,
					 e);
	inet = inet_of(a);
	return sock_connect_inet(&inet, e);
}
