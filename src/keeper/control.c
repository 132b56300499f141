/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The control socket: connections are accepted and their users judged here,
 * HTTP is libmicrohttpd's (http_loop.h).
 *
 * Nobody can hold the keeper up, nor keep others out: sockets never block, a
 * body that is too long is read and forgotten, and who is silent for
 * CONTROL_CLIENT_S is closed.  CONTROL_CLIENTS_MAX are served at a time; when
 * there are so many, the one that has gone longest without a request's end is
 * closed for the next, once it had HELD_NS: a command's request comes whole and
 * is answered at once, so these are the ones that hold a place and ask nothing.
 * It is told so (408), unless it does not read its answer; and who has sent
 * something that we have not come to read yet has that time once more, and who
 * waits for the engine LOOK_TIMES.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "control/protocol.h"
#include "keeper/capture.h"
#include "keeper/event_stream.h"
#include "keeper/http_loop.h"
#include "keeper/later.h"
#include "keeper/requests.h"
#include "os/listener.h"
#include "os/sock.h"

enum {
	BODY_FIRST = 4096, /* bytes that a body has room for at first */
	LOOK_TIMES = 8,    /* HELD_NS, that an engine's answer may take */
};

#define HELD_NS UINT64_C(250000000)

struct control {
	struct keeper *keeper;
	int fd;                   /* owned, listening */
	struct listener listener; /* on while there is room */
	struct http_loop http;
	struct event_streams streams;
	struct list clients; /* of struct client, by since_ns */
	struct timer room;   /* armed: somebody will have had HELD_NS */
	unsigned n_clients;
};

/* A connection, owned by libmicrohttpd's. */
struct client {
	struct list link;    /* alone: it stays, as for events */
	int fd;              /* libmicrohttpd's */
	uint64_t since_ns;   /* its last request's end, or it came */
	bool is_told;        /* an answer is on its way to it */
	unsigned n_spared;   /* times, since its last request */
	struct later *waits; /* for this, the engine's answer; borrowed, NULL:
			      * it does not */
};

/* A request as it comes in, owned by its connection. */
struct incoming {
	enum schema_id id;
	char name[CONTROL_NAME_LEN];
	char allow[SCHEMA_ALLOW_LEN];
	char *body; /* owned */
	size_t n;
	size_t room; /* of body */
	size_t max;
	bool is_cut;
	struct capture *capture; /* whose the connection is; NULL: nobody's */
	struct later *later;     /* owned: its answer; NULL: it is at once */
};

/* ---- who comes ---- */

/* Its time begins anew. */
static void to_the_end(struct control *c, struct client *it)
{
	it->since_ns = *loop_now(c->keeper->loop);
	list_del(&it->link);
	list_add_tail(&c->clients, &it->link);
}

/* Something of its request is here, which libmicrohttpd has not read. */
static bool has_sent(const struct client *it)
{
	char byte;

	return recv(it->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

/* Its connection ends, and libmicrohttpd, which has said nothing to it since
 * its last request, tells us. */
static void send_away(struct client *it)
{
	static const char body[] = "{\"error\":\"no request has come in time, "
				   "and others wait: ask again\",\"code\":1}\n";
	char text[256];
	int n = snprintf(text, sizeof(text),
			 "HTTP/1.1 408 Request Timeout\r\n"
			 "Connection: close\r\n"
			 "Content-Type: application/json\r\n"
			 "Content-Length: %zu\r\n\r\n%s",
			 sizeof(body) - 1, body);

	if (!it->is_told)
		(void)send(it->fd, text, (size_t)n,
			   MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(it->fd, SHUT_RDWR);
	list_del(&it->link);
	list_init(&it->link);
	if (!it->waits)
		return;
	later_drop(it->waits);
	it->waits = NULL;
}

static bool is_spared(struct client *it)
{
	unsigned most = it->waits ? LOOK_TIMES : 1;

	if (it->is_told || it->n_spared >= most ||
	    (!it->waits && !has_sent(it)))
		return false;
	it->n_spared++;
	return true;
}

/* If there is none left: whoever holds a place for nothing gives it up now, or
 * when his time is over. */
static void free_place(struct control *c)
{
	struct timer_wheel *wheel = loop_wheel(c->keeper->loop);
	uint64_t now = *loop_now(c->keeper->loop);

	timer_disarm(wheel, &c->room);
	while (c->n_clients >= CONTROL_CLIENTS_MAX &&
	       !list_empty(&c->clients)) {
		struct client *first =
			container_of(c->clients.next, struct client, link);

		if (now - first->since_ns < HELD_NS) {
			timer_arm(wheel, &c->room, first->since_ns + HELD_NS);
			return;
		}
		if (!is_spared(first)) {
			send_away(first);
			http_loop_turn(&c->http);
			return;
		}
		to_the_end(c, first);
	}
}

static void on_room(struct timer *t, uint64_t now_ns)
{
	(void)now_ns;
	free_place(container_of(t, struct control, room));
}

static void on_accept(struct listener *l, int fd)
{
	struct control *c = container_of(l, struct control, listener);

	if (!sock_peer_may(fd)) {
		close(fd);
		return;
	}
	(void)!http_loop_add(&c->http, fd); /* or it has closed it */
	http_loop_turn(&c->http);
	free_place(c);
}

static struct client *client_of(const struct control *c,
				struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *info = c->http.mhd.get_connection_info(
		conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* Without memory for it, it is closed for nobody. */
static struct client *client_new(struct control *c, struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *info = c->http.mhd.get_connection_info(
		conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct client *it = info ? calloc(1, sizeof(*it)) : NULL;

	if (!it)
		return NULL;
	it->fd = info->connect_fd;
	it->since_ns = *loop_now(c->keeper->loop);
	list_add_tail(&c->clients, &it->link);
	return it;
}

static void client_free(struct client *it)
{
	if (it)
		list_del(&it->link);
	free(it);
}

/* It has asked something. */
static void client_asked(struct control *c, struct client *it)
{
	if (!it)
		return;
	it->is_told = true;
	it->n_spared = 0;
	if (!list_empty(&it->link))
		to_the_end(c, it);
}

/* It makes room for nobody from now on. */
static void client_stays(struct client *it)
{
	if (!it)
		return;
	list_del(&it->link);
	list_init(&it->link);
}

/* libmicrohttpd took a connection, or closed one. */
static void on_client(void *cls, struct MHD_Connection *conn, void **ctx,
		      enum MHD_ConnectionNotificationCode code)
{
	struct control *c = cls;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*ctx = client_new(c, conn);
		if (++c->n_clients >= CONTROL_CLIENTS_MAX)
			listener_off(&c->listener);
		return;
	}
	client_free(*ctx);
	*ctx = NULL;
	c->n_clients--;
	if (c->fd >= 0) /* else it is being closed */
		(void)!listener_on(&c->listener, c->keeper->loop);
}

/* ---- what they ask ---- */

static struct incoming *incoming_new(const char *method, const char *url)
{
	struct incoming *in = calloc(1, sizeof(*in));

	if (!in)
		return NULL;
	in->room = BODY_FIRST;
	in->id = schema_find(method, url, in->name, in->allow);
	in->max = request_max(in->id);
	in->body = malloc(in->room);
	if (!in->body) {
		free(in);
		return NULL;
	}
	return in;
}

/* For n bytes more, which are not too many. */
static bool make_room(struct incoming *in, size_t n)
{
	char *more;

	while (in->room - in->n < n)
		in->room *= 2;
	more = realloc(in->body, in->room);
	if (more)
		in->body = more;
	return more != NULL;
}

static bool take_piece(struct incoming *in, const char *data, size_t n)
{
	if (n > in->max - in->n)
		in->is_cut = true;
	if (in->is_cut)
		return true;
	if (n > in->room - in->n && !make_room(in, n))
		return false;
	memcpy(in->body + in->n, data, n);
	in->n += n;
	return true;
}

/* Takes a's text. */
static enum MHD_Result say(const struct control *c, struct MHD_Connection *conn,
			   struct answer *a, const char *allow)
{
	const struct mhd *mhd = &c->http.mhd;
	struct MHD_Response *r;
	enum MHD_Result queued;

	if (!a->text)
		return MHD_NO; /* no memory: the connection is closed */
	r = mhd->create_response_from_buffer(strlen(a->text), a->text,
					     MHD_RESPMEM_MUST_FREE);
	if (!r) {
		free(a->text);
		return MHD_NO;
	}
	(void)mhd->add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE,
				       a->type);
	if (a->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		(void)mhd->add_response_header(r, MHD_HTTP_HEADER_ALLOW, allow);
	queued = mhd->queue_response(conn, a->status, r);
	mhd->destroy_response(r);
	return queued;
}

static enum MHD_Result take_arg(void *cls, enum MHD_ValueKind kind,
				const char *key, const char *value)
{
	struct request *r = cls;

	(void)kind;
	r->has_more_args = r->n_args == REQUEST_ARGS_MAX;
	if (r->has_more_args)
		return MHD_NO;
	r->keys[r->n_args] = key;
	r->values[r->n_args++] = value ? value : "";
	return MHD_YES;
}

/* The events, which who follows them may do for as long as he likes. */
static enum MHD_Result follow(struct control *c, struct MHD_Connection *conn,
			      const struct request *r)
{
	struct error e = ERROR_NULL;
	struct answer a;
	enum MHD_Result queued;

	queued = event_stream_open(&c->streams, conn, r, &e);
	if (e.code != EXIT_DONE) {
		request_refuse(r, &e, &a);
		return say(c, conn, &a, "");
	}
	if (queued == MHD_YES)
		client_stays(client_of(c, conn));
	return queued;
}

/* Its answer is there, or comes: then all begins again here. */
static enum MHD_Result say_later(struct control *c, struct MHD_Connection *conn,
				 struct incoming *in, const struct request *r)
{
	struct client *it = client_of(c, conn);
	struct later *l = in->later;
	struct answer a;

	if (l->is_dropped)
		return MHD_NO;
	if (it) {
		it->waits = l->is_over ? NULL : l;
		it->is_told = l->is_over;
	}
	if (!l->is_over)
		return later_wait(l, conn, &c->http);
	later_answer(l, r, &a);
	return say(c, conn, &a, in->allow);
}

/* It is whole. */
static enum MHD_Result answer(struct control *c, struct MHD_Connection *conn,
			      const char *url, struct incoming *in)
{
	struct request r = {
		.id = in->id,
		.url = url,
		.body = in->body,
		.n_body = in->n,
		.is_cut = in->is_cut,
		.upgrade = c->http.mhd.lookup_connection_value(
			conn, MHD_HEADER_KIND, MHD_HTTP_HEADER_UPGRADE),
		.capturep = &in->capture,
		.laterp = &in->later,
	};
	struct answer a;

	if (in->later)
		return say_later(c, conn, in, &r);
	memcpy(r.name, in->name, sizeof(r.name));
	memcpy(r.allow, in->allow, sizeof(r.allow));
	c->http.mhd.get_connection_values(conn, MHD_GET_ARGUMENT_KIND, take_arg,
					  &r);
	client_asked(c, client_of(c, conn));
	request_answer(c->keeper, &r, &a);
	if (in->capture) {
		client_stays(client_of(c, conn));
		return capture_switch(in->capture, &c->http.mhd, conn);
	}
	if (in->later)
		return say_later(c, conn, in, &r);
	return a.is_stream ? follow(c, conn, &r) : say(c, conn, &a, in->allow);
}

/* Called at a request's head, for each piece of its body, and at its end. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn,
				  const char *url, const char *method,
				  const char *version, const char *data,
				  size_t *np, void **ctx)
{
	struct incoming *in = *ctx;

	(void)version;
	if (!in) {
		*ctx = incoming_new(method, url);
		return *ctx ? MHD_YES : MHD_NO;
	}
	if (*np) {
		if (!take_piece(in, data, *np))
			return MHD_NO; /* no memory: as in say() */
		*np = 0;
		return MHD_YES;
	}
	return answer(cls, conn, url, in);
}

/* It has been answered, or its client has gone. */
static void on_completed(void *cls, struct MHD_Connection *conn, void **ctx,
			 enum MHD_RequestTerminationCode code)
{
	struct control *c = cls;
	struct incoming *in = *ctx;
	struct client *it = client_of(c, conn);

	(void)code;
	if (it) {
		it->is_told = false;
		it->waits = NULL;
	}
	if (in) {
		capture_over(in->capture);
		later_free(in->later);
		free(in->body);
		free(in);
	}
	*ctx = NULL;
	keeper_check_needed(c->keeper);
}

/* ---- its life ---- */

static int start_http(struct control *c, struct error *e)
{
	struct MHD_Daemon *d;
	int r;

	r = http_loop_init(&c->http, e);
	if (r < 0)
		return r;
	d = c->http.mhd.start_daemon(
		HTTP_LOOP_FLAGS | MHD_ALLOW_UPGRADE | MHD_ALLOW_SUSPEND_RESUME,
		0, NULL, NULL, on_request, c, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, c, MHD_OPTION_NOTIFY_CONNECTION, on_client, c,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONTROL_CLIENTS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)CONTROL_CLIENT_MEMORY, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)CONTROL_CLIENT_S, MHD_OPTION_END);

	r = http_loop_start(&c->http, c->keeper->loop, d);
	return r < 0 ? error_errno(e, r, "control socket") : 0;
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
	list_init(&c->clients);
	timer_init(&c->room, on_room);
	event_streams_init(&c->streams, &k->events, &c->http);
	if (snprintf(path, sizeof(path), "%s/" CONTROL_SOCKET,
		     k->c->network->dir) >= (int)sizeof(path))
		return error_set(e, EXIT_FAILED,
				 "%s/" CONTROL_SOCKET " is too long for a "
				 "socket's name; set XDG_RUNTIME_DIR to a "
				 "shorter path",
				 k->c->network->dir);
	r = start_http(c, e);
	if (r < 0)
		return r;
	c->fd = k->c->network->control_fd;
	if (c->fd < 0)
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
	event_say(k, EVENT_NETWORK_ENDING, "{}");
	if (c->http.daemon)
		event_streams_end(&c->streams);
	http_loop_stop(&c->http);
	timer_disarm(loop_wheel(k->loop), &c->room);
	free(c);
	free(k->v1);
	k->v1 = NULL;
	k->control = NULL;
}
