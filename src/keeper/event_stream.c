/* SPDX-License-Identifier: BSD-3-Clause */
/* GET /v1/events; see event_stream.h. */
#include "keeper/event_stream.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "control/protocol.h"

enum {
	BLOCK = 32768, /* bytes that libmicrohttpd asks for at a time */
	TURNS_AT_END = 64,
};

#define MUTE_NS (CONTROL_CLIENT_S * UINT64_C(1000000000))

struct event_stream {
	struct list link;
	struct event_streams *of;
	struct MHD_Connection *conn;
	struct loop_io hangup; /* fd: libmicrohttpd's */
	uint64_t seq;          /* told last */
	char *line;            /* owned; being told, NULL: none */
	size_t len, at;
	uint64_t read_ns; /* when it took something last */
	bool follows;
	bool is_suspended;
	bool is_over;
};

static void resume(struct event_stream *s)
{
	if (!s->is_suspended)
		return;
	s->is_suspended = false;
	s->of->http->mhd.resume_connection(s->conn);
}

static void resume_all(struct event_streams *all)
{
	list_each (it, &all->all)
		resume(container_of(it, struct event_stream, link));
}

static void on_woken(struct timer *t, uint64_t now_ns)
{
	struct event_streams *all =
		container_of(t, struct event_streams, woken);

	(void)now_ns;
	resume_all(all);
	http_loop_turn(all->http);
}

/* events.woke: libmicrohttpd may be at work, and where it ends a connection it
 * holds a lock that resuming another one takes: not now. */
static void wake(void *arg)
{
	struct event_streams *all = arg;

	timer_arm(loop_wheel(all->http->loop), &all->woken,
		  *loop_now(all->http->loop));
}

void event_streams_init(struct event_streams *s, struct events *v,
			struct http_loop *h)
{
	*s = (struct event_streams){.events = v, .http = h};
	list_init(&s->all);
	timer_init(&s->woken, on_woken);
}

void event_streams_end(struct event_streams *s)
{
	s->is_ending = true;
	if (s->events)
		s->events->woke = NULL;
	timer_disarm(loop_wheel(s->http->loop), &s->woken);
	resume_all(s);
	/* Who reads has all then; who does not is not waited for. */
	for (unsigned i = 0; s->n && i < TURNS_AT_END; i++)
		http_loop_turn(s->http);
}

/* Nobody looks for the end of a suspended connection but we. */
static void on_hangup(struct loop_io *io, uint32_t events)
{
	struct event_stream *s = container_of(io, struct event_stream, hangup);
	struct http_loop *h = s->of->http;

	(void)events;
	loop_del(h->loop, io);
	s->is_over = true;
	resume(s);
	http_loop_turn(h);
}

/* What fits of the line that is told; a new one first if it was told. */
static size_t copy_piece(struct event_stream *s, char *buf, size_t room)
{
	bool is_full = false;
	size_t n;

	if (!s->line) {
		s->line = events_next(s->of->events, &s->seq, &is_full);
		s->is_over |= is_full;
		s->len = s->line ? strlen(s->line) : 0;
		s->at = 0;
	}
	n = s->len - s->at < room ? s->len - s->at : room;
	if (n)
		memcpy(buf, s->line + s->at, n);
	s->at += n;
	if (s->at == s->len) {
		free(s->line);
		s->line = NULL;
		s->len = s->at = 0;
	}
	return n;
}

static ssize_t on_room(void *cls, uint64_t pos, char *buf, size_t room)
{
	struct event_stream *s = cls;
	size_t n = 0, more;

	(void)pos;
	s->read_ns = *loop_now(s->of->http->loop);
	do {
		more = copy_piece(s, buf + n, room - n);
		n += more;
	} while (more && n < room);
	if (n)
		return (ssize_t)n;
	if (s->is_over || s->of->is_ending || !s->follows)
		return MHD_CONTENT_READER_END_OF_STREAM;
	s->is_suspended = true;
	s->of->http->mhd.suspend_connection(s->conn);
	return 0;
}

/* libmicrohttpd has done with it; its descriptor is open yet. */
static void on_free(void *cls)
{
	struct event_stream *s = cls;

	loop_del(s->of->http->loop, &s->hangup);
	list_del(&s->link);
	s->of->n--;
	free(s->line);
	free(s);
}

/* ---- its beginning ---- */

/* "12" */
static bool read_number(const char *text, uint64_t *np)
{
	uint64_t n = 0;

	if (!*text || strlen(text) > 15)
		return false;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return false;
		n = n * 10 + (uint64_t)(*text - '0');
	}
	*np = n;
	return true;
}

static int read_query(struct event_stream *s, const struct request *r,
		      struct error *e)
{
	const char *since = request_arg(r, "since");
	const char *follow = request_arg(r, "follow");
	uint64_t n = 1;

	if (since && strcmp(since, "now") == 0)
		s->seq = s->of->events->last;
	else if (since && !read_number(since, &s->seq))
		return error_set(e, EXIT_USAGE,
				 "since= is the number of an event, or now");
	if (follow && (!read_number(follow, &n) || n > 1))
		return error_set(e, EXIT_USAGE, "follow= is 0 or 1");
	s->follows = n;
	return 0;
}

/* One that has not read for long goes, if nobody else can. */
static int make_place(struct event_streams *all, struct error *e)
{
	uint64_t now = *loop_now(all->http->loop);
	struct event_stream *mute = NULL;

	if (all->n < CONTROL_STREAMS_MAX)
		return 0;
	list_each (it, &all->all) {
		struct event_stream *s =
			container_of(it, struct event_stream, link);

		if (!s->is_suspended && !s->is_over &&
		    now - s->read_ns > MUTE_NS &&
		    (!mute || s->read_ns < mute->read_ns))
			mute = s;
	}
	if (!mute)
		return error_set(e, EXIT_CONFLICT,
				 "%u readers follow the events, which is the "
				 "most there can be; end one of them",
				 all->n);
	mute->is_over = true;
	(void)shutdown(mute->hangup.fd, SHUT_RDWR);
	return 0;
}

static struct event_stream *stream_new(struct event_streams *all,
				       struct MHD_Connection *conn)
{
	const union MHD_ConnectionInfo *info =
		all->http->mhd.get_connection_info(
			conn, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct event_stream *s = info ? calloc(1, sizeof(*s)) : NULL;

	if (!s)
		return NULL;
	s->of = all;
	s->conn = conn;
	s->hangup = (struct loop_io){.fd = info->connect_fd, .fn = on_hangup};
	s->read_ns = *loop_now(all->http->loop);
	list_add_tail(&all->all, &s->link);
	all->n++;
	return s;
}

static enum MHD_Result queue(struct event_stream *s)
{
	const struct mhd *mhd = &s->of->http->mhd;
	struct MHD_Response *m = mhd->create_response_from_callback(
		MHD_SIZE_UNKNOWN, BLOCK, on_room, s, on_free);
	enum MHD_Result queued;

	if (!m) {
		on_free(s);
		return MHD_NO;
	}
	(void)mhd->add_response_header(m, MHD_HTTP_HEADER_CONTENT_TYPE,
				       "application/x-ndjson");
	(void)mhd->add_response_header(m, MHD_HTTP_HEADER_CACHE_CONTROL,
				       "no-store");
	(void)mhd->add_response_header(m, MHD_HTTP_HEADER_CONNECTION, "close");
	/* No time ends it: it is silent for as long as nothing happens. */
	(void)mhd->set_connection_option(s->conn, MHD_CONNECTION_OPTION_TIMEOUT,
					 0u);
	queued = mhd->queue_response(s->conn, MHD_HTTP_OK, m);
	mhd->destroy_response(m);
	return queued;
}

enum MHD_Result event_stream_open(struct event_streams *all,
				  struct MHD_Connection *conn,
				  const struct request *r, struct error *e)
{
	struct event_stream *s;

	if (make_place(all, e) < 0)
		return MHD_NO;
	s = stream_new(all, conn);
	if (!s)
		return MHD_NO;
	if (read_query(s, r, e) < 0 ||
	    loop_add_level(all->http->loop, &s->hangup, 0) < 0) {
		on_free(s);
		return MHD_NO;
	}
	all->events->woke = wake;
	all->events->arg = all;
	return queue(s);
}
