/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket: connections are accepted and their users judged here,
 * HTTP is libmicrohttpd's, without a thread of its own: its epoll descriptor
 * is one of the keeper's loop, its timeouts are a timer's.
 *
 * Nobody can hold the keeper up: sockets never block, CONTROL_CLIENTS_MAX are
 * served at a time and the others wait in the backlog, a body that is too long
 * is read and forgotten, and who is silent for CONTROL_CLIENT_S is closed.
 */
#include <errno.h>
#include <limits.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "control/protocol.h"
#include "keeper/requests.h"
#include "os/listener.h"
#include "os/sock.h"

struct control {
	struct keeper *keeper;
	int fd; /* owned, listening */
	struct listener listener; /* on while there is room */
	struct MHD_Daemon *http; /* owned */
	struct loop_io io;	 /* fd is its own */
	struct timer timeout;
	unsigned n_clients;
};

/* A request as it comes in, owned by its connection. */
struct incoming {
	char *body; /* owned */
	size_t n;
	bool is_cut;
};

/* Has the loop come back when the first client will have been silent for too
 * long. */
static void arm(struct control *c)
{
	struct loop *loop = c->keeper->loop;
	MHD_UNSIGNED_LONG_LONG ms;

	timer_disarm(loop_wheel(loop), &c->timeout);
	if (MHD_get_timeout(c->http, &ms) == MHD_YES)
		timer_arm(loop_wheel(loop), &c->timeout,
			  *loop_now(loop) + ms * 1000000u);
}

static void turn(struct control *c)
{
	MHD_run(c->http);
	arm(c);
}

static void on_http(struct loop_io *io, uint32_t events)
{
	(void)events;
	turn(container_of(io, struct control, io));
}

static void on_timeout(struct timer *t, uint64_t now_ns)
{
	(void)now_ns;
	turn(container_of(t, struct control, timeout));
}

/* ---- who comes ---- */

static void on_accept(struct listener *l, int fd)
{
	struct control *c = container_of(l, struct control, listener);
	const struct sockaddr_un nobody = {.sun_family = AF_UNIX};

	if (!sock_peer_may(fd)) {
		close(fd);
		return;
	}
	/* It closes the socket if it cannot take it. */
	(void)MHD_add_connection(c->http, fd, (const struct sockaddr *)&nobody,
				 sizeof(nobody.sun_family));
	turn(c);
}

/* libmicrohttpd took a connection, or closed one. */
static void on_client(void *cls, struct MHD_Connection *conn, void **ctx,
		      enum MHD_ConnectionNotificationCode code)
{
	struct control *c = cls;

	(void)conn;
	(void)ctx;
	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		if (++c->n_clients >= CONTROL_CLIENTS_MAX)
			listener_off(&c->listener);
		return;
	}
	c->n_clients--;
	if (c->fd >= 0) /* else it is being closed */
		(void)!listener_on(&c->listener, c->keeper->loop);
}

/* ---- what they ask ---- */

static struct incoming *incoming_new(void)
{
	struct incoming *in = calloc(1, sizeof(*in));

	if (!in)
		return NULL;
	in->body = malloc(CONTROL_REQUEST_MAX);
	if (!in->body) {
		free(in);
		return NULL;
	}
	return in;
}

static void take_piece(struct incoming *in, const char *data, size_t n)
{
	if (n > CONTROL_REQUEST_MAX - in->n)
		in->is_cut = true;
	if (in->is_cut)
		return;
	memcpy(in->body + in->n, data, n);
	in->n += n;
}

static enum MHD_Result answer(struct MHD_Connection *conn, unsigned status,
			      char *body)
{
	struct MHD_Response *r;
	enum MHD_Result queued;

	if (!body)
		return MHD_NO; /* no memory: the connection is closed */
	r = MHD_create_response_from_buffer(strlen(body), body,
					    MHD_RESPMEM_MUST_FREE);
	if (!r) {
		free(body);
		return MHD_NO;
	}
	(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE,
				      "application/json");
	queued = MHD_queue_response(conn, status, r);
	MHD_destroy_response(r);
	return queued;
}

/* Called at a request's head, for each piece of its body, and at its end. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn,
				  const char *url, const char *method,
				  const char *version, const char *data,
				  size_t *np, void **ctx)
{
	struct control *c = cls;
	struct incoming *in = *ctx;
	struct request r = {.method = method, .url = url};
	char *body = NULL;
	unsigned status;

	(void)version;
	if (!in) {
		*ctx = incoming_new();
		return *ctx ? MHD_YES : MHD_NO;
	}
	if (*np) {
		take_piece(in, data, *np);
		*np = 0;
		return MHD_YES;
	}
	r.body = in->body;
	r.n_body = in->n;
	r.is_cut = in->is_cut;
	status = request_answer(c->keeper, &r, &body);
	return answer(conn, status, body);
}

/* It has been answered, or its client has gone. */
static void on_completed(void *cls, struct MHD_Connection *conn, void **ctx,
			 enum MHD_RequestTerminationCode code)
{
	struct control *c = cls;
	struct incoming *in = *ctx;

	(void)conn;
	(void)code;
	if (in) {
		free(in->body);
		free(in);
	}
	*ctx = NULL;
	keeper_check_needed(c->keeper);
}

/* ---- its life ---- */

static int start_http(struct control *c)
{
	const union MHD_DaemonInfo *info;

	c->http = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET,
		0, NULL, NULL, on_request, c, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, c, MHD_OPTION_NOTIFY_CONNECTION, on_client, c,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONTROL_CLIENTS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONTROL_CLIENT_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)CONTROL_CLIENT_S, MHD_OPTION_END);
	info = c->http ? MHD_get_daemon_info(c->http,
					     MHD_DAEMON_INFO_EPOLL_FD)
		       : NULL;
	if (!info)
		return -ENOMEM;
	c->io = (struct loop_io){.fd = info->epoll_fd, .fn = on_http};
	return loop_add_level(c->keeper->loop, &c->io, EPOLLIN);
}

int control_open(struct keeper *k, struct error *e)
{
	struct control *c = calloc(1, sizeof(*c));
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	int r;

	if (!c)
		return error_errno(e, ENOMEM, "control socket");
	k->control = c;
	c->keeper = k;
	c->fd = -1;
	timer_init(&c->timeout, on_timeout);
	if (snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET,
		     k->c->network->dir) >= (int)sizeof(path))
		return error_set(e, EXIT_FAILED,
				 "%s/" CONTROL_SOCKET " is too long for a "
				 "socket's name; set XDG_RUNTIME_DIR to a "
				 "shorter path",
				 k->c->network->dir);
	r = start_http(c);
	if (r < 0)
		return error_errno(e, r, "control socket");
	c->fd = sock_listen_unix(path, false, false, e);
	if (c->fd < 0)
		return c->fd;
	c->listener = (struct listener){.io = {.fd = c->fd}, .fn = on_accept};
	r = listener_on(&c->listener, k->loop);
	return r < 0 ? error_errno(e, r, "control socket") : 0;
}

void control_close(struct keeper *k)
{
	struct control *c = k->control;

	if (!c)
		return;
	listener_off(&c->listener);
	fd_close(&c->fd);
	loop_del(k->loop, &c->io);
	if (c->http)
		MHD_stop_daemon(c->http);
	timer_disarm(loop_wheel(k->loop), &c->timeout);
	free(c);
	k->control = NULL;
}
