/* SPDX-License-Identifier: BSD-3-Clause */
/* HTTP for guests; see http.h. */
#include "keeper/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/cloud.h"
#include "keeper/http_loop.h"
#include "keeper/http_text.h"
#include "os/rooted.h"

struct http {
	struct keeper *keeper;
	struct http_loop loop;
	struct list clients; /* of struct client */
	unsigned n_clients;
};

/* One connection of a guest's. */
struct client {
	struct list link;
	int fd; /* libmicrohttpd's; by it the connection is known */
	uint32_t port, from, netdev; /* as in msg_guestfwd_call */
};

/* What is sent for a path. */
struct reply {
	unsigned status;
	int fd;         /* owned; -1: only the status is said */
	struct stat st; /* of fd */
	const char *type;
	bool is_private; /* not to be kept by who carries it */
};

/* ---- what there is ---- */

static void reply_errno(struct reply *r, int err)
{
	switch (-err) {
	case ENOENT:
	case ENAMETOOLONG:
		r->status = MHD_HTTP_NOT_FOUND;
		break;
	case EACCES:
	case EPERM:
		r->status = MHD_HTTP_FORBIDDEN;
		break;
	default:
		r->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
	}
}

/* What was opened for it, or why it could not be. */
static void reply_fd(struct reply *r, int fd)
{
	r->fd = fd;
	if (fd < 0)
		reply_errno(r, fd);
	else
		r->status = MHD_HTTP_OK;
}

static const struct machine *machine_of(struct keeper *k,
					const struct client *c)
{
	const struct plan_netdev *n = plan_find(&k->plan, c->netdev);

	return n ? n->machine : NULL;
}

static void find_cloud(struct keeper *k, const struct client *c,
		       const char *name, struct reply *r)
{
	const struct machine *m = machine_of(k, c);
	bool is_user = strcmp(name, "user-data") == 0;

	if (!m || !m->has_cloud)
		return;
	r->type = "text/plain";
	r->is_private = true;
	if (strcmp(name, "vendor-data") == 0) {
		r->status = MHD_HTTP_OK; /* there is none: it is empty */
		return;
	}
	if (!is_user && strcmp(name, "meta-data") != 0)
		return;
	reply_fd(r, cloud_open(m, is_user ? CLOUD_USER_DATA : CLOUD_META_DATA,
			       &r->st));
}

static void find_boot(struct keeper *k, const struct client *c,
		      const char *name, struct reply *r)
{
	const struct plan_netdev *n = plan_find(&k->plan, c->port);

	if (!n || n->boot_dir < 0)
		return;
	r->type = http_type(name);
	reply_fd(r, rooted_open(n->boot_dir, name, &r->st));
}

static void find(struct keeper *k, const struct client *c, const char *url,
		 struct reply *r)
{
	static const size_t n_cloud = sizeof(HTTP_CLOUD) - 1;
	static const size_t n_boot = sizeof(HTTP_BOOT) - 1;
	char path[ROOTED_PATH_MAX + sizeof(HTTP_BOOT)];

	*r = (struct reply){.status = MHD_HTTP_NOT_FOUND, .fd = -1};
	if (!http_path(url, path, sizeof(path)))
		r->status = MHD_HTTP_BAD_REQUEST;
	else if (strncmp(path, HTTP_CLOUD, n_cloud) == 0)
		find_cloud(k, c, path + n_cloud, r);
	else if (strncmp(path, HTTP_BOOT, n_boot) == 0)
		find_boot(k, c, path + n_boot, r);
}

/* ---- what is said of it ---- */

static const char *header(const struct mhd *mhd, struct MHD_Connection *conn,
			  const char *name)
{
	return mhd->lookup_connection_value(conn, MHD_HEADER_KIND, name);
}

static void put(const struct mhd *mhd, struct MHD_Response *m, const char *name,
		const char *value)
{
	(void)mhd->add_response_header(m, name, value); /* no memory: without */
}

/* Only the status. */
static enum MHD_Result say_status(const struct mhd *mhd,
				  struct MHD_Connection *conn, unsigned status)
{
	struct MHD_Response *m = mhd->create_response_from_buffer(
		0, NULL, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result queued;

	if (!m)
		return MHD_NO;
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		put(mhd, m, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	queued = mhd->queue_response(conn, status, m);
	mhd->destroy_response(m);
	return queued;
}

/* True if the client has the file as it is. */
static bool has_it(const struct mhd *mhd, struct MHD_Connection *conn,
		   const char *tag, const char *date)
{
	const char *tags = header(mhd, conn, MHD_HTTP_HEADER_IF_NONE_MATCH);
	const char *since =
		header(mhd, conn, MHD_HTTP_HEADER_IF_MODIFIED_SINCE);

	if (tags)
		return http_has_tag(tags, tag);
	return since && strcmp(since, date) == 0;
}

/* The range that is asked for, if it is of the file as it is. */
static const char *range_of(const struct mhd *mhd, struct MHD_Connection *conn,
			    const char *tag, const char *date)
{
	const char *only = header(mhd, conn, MHD_HTTP_HEADER_IF_RANGE);

	if (only && strcmp(only, tag) != 0 && strcmp(only, date) != 0)
		return NULL;
	return header(mhd, conn, MHD_HTTP_HEADER_RANGE);
}

/* The part of the file, which the response takes; r keeps it if that is empty
 * (416), or NULL: no memory. */
static struct MHD_Response *file_part(const struct mhd *mhd, struct reply *r,
				      const char *range,
				      char text[HTTP_RANGE_LEN])
{
	uint64_t size = (uint64_t)r->st.st_size, from = 0, len = size;
	struct MHD_Response *m;

	text[0] = '\0';
	switch (http_range(range, size, &from, &len)) {
	case HTTP_RANGE_NONE:
		r->status = MHD_HTTP_RANGE_NOT_SATISFIABLE;
		http_content_range(0, 0, size, text);
		return mhd->create_response_from_buffer(0, NULL,
							MHD_RESPMEM_PERSISTENT);
	case HTTP_RANGE_PART:
		r->status = MHD_HTTP_PARTIAL_CONTENT;
		http_content_range(from, len, size, text);
		break;
	case HTTP_RANGE_WHOLE:
		break;
	}
	m = mhd->create_response_from_fd_at_offset64(len, r->fd, from);
	if (m)
		r->fd = -1;
	return m;
}

static enum MHD_Result send_file(const struct mhd *mhd,
				 struct MHD_Connection *conn, struct reply *r)
{
	char tag[HTTP_TAG_LEN], date[HTTP_DATE_LEN], range[HTTP_RANGE_LEN] = "";
	struct MHD_Response *m;
	enum MHD_Result queued;

	http_tag(&r->st, tag);
	http_date(r->st.st_mtim.tv_sec, date);
	if (has_it(mhd, conn, tag, date)) {
		r->status = MHD_HTTP_NOT_MODIFIED;
		m = mhd->create_response_from_buffer(0, NULL,
						     MHD_RESPMEM_PERSISTENT);
	} else {
		m = file_part(mhd, r, range_of(mhd, conn, tag, date), range);
	}
	if (!m)
		return MHD_NO; /* no memory: the connection is closed */
	put(mhd, m, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
	put(mhd, m, MHD_HTTP_HEADER_ETAG, tag);
	put(mhd, m, MHD_HTTP_HEADER_LAST_MODIFIED, date);
	put(mhd, m, MHD_HTTP_HEADER_CONTENT_TYPE, r->type);
	if (r->is_private)
		put(mhd, m, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (range[0])
		put(mhd, m, MHD_HTTP_HEADER_CONTENT_RANGE, range);
	queued = mhd->queue_response(conn, r->status, m);
	mhd->destroy_response(m);
	return queued;
}

/* ---- who asks ---- */

static struct client *client_at(struct http *h, int fd)
{
	list_each (it, &h->clients) {
		struct client *c = container_of(it, struct client, link);

		if (c->fd == fd)
			return c;
	}
	return NULL;
}

static struct client *client_of(struct http *h, struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *info = h->loop.mhd.get_connection_info(
		conn, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? client_at(h, info->connect_fd) : NULL;
}

/* Called at a request's head, for each piece of a body, and at its end. */
static enum MHD_Result on_request(void *cls, struct MHD_Connection *conn,
				  const char *url, const char *method,
				  const char *version, const char *data,
				  size_t *np, void **ctx)
{
	struct http *h = cls;
	const struct mhd *mhd = &h->loop.mhd;
	struct client *c = client_of(h, conn);
	enum MHD_Result queued;
	struct reply r;

	(void)version;
	(void)data;
	if (*np || !c)
		return MHD_NO; /* nothing here takes a body */
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
	    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		return say_status(mhd, conn, MHD_HTTP_METHOD_NOT_ALLOWED);
	if (!*ctx) { /* the answer is due at its end */
		*ctx = h;
		return MHD_YES;
	}
	find(h->keeper, c, url, &r);
	queued = r.fd < 0 ? say_status(mhd, conn, r.status)
			  : send_file(mhd, conn, &r);
	fd_close(&r.fd);
	return queued;
}

static void client_free(struct http *h, struct client *c)
{
	list_del(&c->link);
	h->n_clients--;
	free(c);
}

static void on_client(void *cls, struct MHD_Connection *conn, void **ctx,
		      enum MHD_ConnectionNotificationCode code)
{
	struct http *h = cls;
	struct client *c;

	(void)ctx;
	if (code != MHD_CONNECTION_NOTIFY_CLOSED)
		return;
	c = client_of(h, conn);
	if (c)
		client_free(h, c);
}

/* Paths stay as they came: http_path() refuses what would be cut short. */
static size_t keep_escapes(void *cls, struct MHD_Connection *conn, char *s)
{
	(void)cls;
	(void)conn;
	return strlen(s);
}

/* ---- its life ---- */

static struct http *http_new(struct keeper *k, struct error *e)
{
	struct http *h = calloc(1, sizeof(*h));
	struct MHD_Daemon *d;
	int r;

	if (!h) {
		error_errno(e, ENOMEM, "http");
		return NULL;
	}
	h->keeper = k;
	list_init(&h->clients);
	if (http_loop_init(&h->loop, e) < 0) {
		free(h);
		return NULL;
	}
	d = h->loop.mhd.start_daemon(
		HTTP_LOOP_FLAGS, 0, NULL, NULL, on_request, h,
		MHD_OPTION_NOTIFY_CONNECTION, on_client, h,
		MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
		/* As the keeper's own, which has SIGPIPE ignored. */
		MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CLIENTS_MAX,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_CLIENT_MEMORY,
		MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_CLIENT_S,
		MHD_OPTION_END);
	r = http_loop_start(&h->loop, k->loop, d);
	if (r == 0)
		return h;
	error_errno(e, r, "http");
	free(h);
	return NULL;
}

void http_close(struct keeper *k)
{
	struct http *h = k->http;

	if (!h)
		return;
	http_loop_stop(&h->loop);
	free(h);
	k->http = NULL;
}

static bool is_on(const struct plan_netdev *n)
{
	return n->has_cloud || n->boot_dir >= 0;
}

void http_serve_cloud(struct keeper *k, struct plan_netdev *n)
{
	bool was_on = is_on(n);

	n->has_cloud = true;
	if (!was_on)
		(void)!http_tell(k, n); /* or a new engine is told */
}

int http_tell(struct keeper *k, const struct plan_netdev *n)
{
	union engine_msg m = {.port = {.port = n->id}};

	if (!is_on(n))
		return 0;
	return engine_link_send(k, &m, ENGINE_MSG_HTTP_ADD, NULL, 0);
}

bool http_is_server(const struct plan_netdev *n, const struct endpoint *server)
{
	const struct msg_user_add *u = &n->order.user_add;
	bool found = is_on(n) && server->port == HTTP_PORT;
	bool is_dns = addr_eq(&server->ip, &u->v4.dns) ||
		      addr_eq(&server->ip, &u->v6.dns);

	for (unsigned i = 0; i < n->n_was6; i++)
		is_dns |= addr_eq(&server->ip, &n->was6[i].dns);
	return found && is_dns;
}

static unsigned count_clients(const struct http *h,
			      const struct msg_guestfwd_call *call)
{
	unsigned n = 0;

	list_each (it, &h->clients) {
		const struct client *c = container_of(it, struct client, link);

		n += c->port == call->port && c->from == call->from;
	}
	return n;
}

/* Room for one more of that guest's. */
static int check_room(const struct http *h,
		      const struct msg_guestfwd_call *call, struct error *e)
{
	unsigned n_own = count_clients(h, call);

	if (n_own < HTTP_CLIENTS_MAX - h->n_clients)
		return 0;
	return error_set(e, EXIT_FAILED,
			 "%u connections are open already, %u of them of this "
			 "guest, which is refused",
			 h->n_clients, n_own);
}

static int add_client(struct http *h, const struct msg_guestfwd_call *call,
		      int fd, struct error *e)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c) {
		close(fd);
		return error_errno(e, ENOMEM, "http");
	}
	*c = (struct client){.fd = fd,
			     .port = call->port,
			     .from = call->from,
			     .netdev = call->netdev};
	list_add_tail(&h->clients, &c->link);
	h->n_clients++;
	if (http_loop_add(&h->loop, fd))
		return 0;
	c = client_at(h, fd); /* on_client() may have been told of its end */
	if (c)
		client_free(h, c);
	return error_set(e, EXIT_FAILED, "http: no memory for a connection");
}

int http_call(struct keeper *k, const struct msg_guestfwd_call *call,
	      struct error *e)
{
	CLEANUP_FD int theirs = -1;
	int pair[2], r;

	if (!k->http)
		k->http = http_new(k, e);
	if (!k->http)
		return -1;
	r = check_room(k->http, call, e);
	if (r < 0)
		return r;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       pair) < 0)
		return error_errno(e, errno, "http: socketpair");
	theirs = pair[1];
	r = add_client(k->http, call, pair[0], e);
	if (r < 0)
		return r;
	http_loop_turn(&k->http->loop);
	return fd_steal(&theirs);
}
