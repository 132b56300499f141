/* SPDX-License-Identifier: BSD-3-Clause */
/* Captures; see capture.h. */
#include "keeper/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture/ring.h"
#include "control/request.h"
#include "keeper/machine.h"
#include "os/fdpass.h"
#include "os/memfd.h"

enum {
	STREAM_MEMORY = 8 << 20, /* bytes, if the client does not say */
	FRAME_ALL = 1 << 18,
};

_Static_assert((int)CONTROL_CAPTURE_MIN == (int)RING_MIN &&
		       (int)CONTROL_CAPTURE_MAX == (int)RING_MAX,
	       "one bound");

struct capture {
	struct list link; /* in keeper.captures */
	struct keeper *k; /* borrowed */
	uint32_t id;
	struct capture_request request;
	bool is_kept;
	bool runs;             /* an engine is to know of it */
	bool is_said;          /* that it began, and not yet that it is over */
	int ring;              /* owned memfd */
	/* Two sockets, owned; -1: is_kept or "last".  Each has flags of its
	 * own, and who reads the one, in whatever way, has no lock meanwhile
	 * for which the engine would wait: a pipe has, and an eventfd's flags
	 * are everybody's. */
	int wake, woken;
	struct loop_io io;     /* of the connection; fd -1: none */
	const struct mhd *mhd; /* borrowed, of the connection */
	struct MHD_UpgradeResponseHandle *handle; /* MHD's; NULL: none */
};

/* ---- the engine ---- */

static int send_add(struct keeper *k, const struct capture *c)
{
	const int fds[] = {c->ring, c->wake};
	union engine_msg m = {.capture_add = {
				      .port = c->id,
				      .snap_len = c->request.snap_len,
				      .size = c->request.memory,
				      .is_kept = c->is_kept,
			      }};

	/* As the names of ports are cut. */
	memcpy(m.capture_add.name, c->request.machine, ENGINE_NAME_LEN - 1);
	return engine_link_send(k, &m, ENGINE_MSG_CAPTURE_ADD, fds,
				c->wake < 0 ? 1 : 2);
}

static void say(struct capture *c, enum event_id id, json_t *lost)
{
	event_say(c->k, id, "{s:i,s:b,s:s*,s:o*}", "capture", (int)c->id,
		  "kept", c->is_kept, "machine",
		  c->request.machine[0] ? c->request.machine : NULL, "lost",
		  lost);
}

static void run(struct capture *c)
{
	c->runs = true;
	(void)send_add(c->k, c); /* or a new engine is told */
	c->is_said = true;
	say(c, EVENT_CAPTURE_STARTED, NULL);
}

/* With what was lost up to now, as far as who writes and reads the ring leave
 * that alone. */
static void say_over(struct capture *c)
{
	uint64_t n = ring_lost(c->ring);

	if (!c->is_said)
		return;
	c->is_said = false;
	say(c, EVENT_CAPTURE_STOPPED,
	    c->is_kept
		    ? NULL
		    : json_integer(n < INT64_MAX ? (json_int_t)n : INT64_MAX));
}

static void stop(struct capture *c)
{
	union engine_msg m = {.port = {.port = c->id}};

	if (!c->runs)
		return;
	c->runs = false;
	(void)engine_link_send(c->k, &m, ENGINE_MSG_CAPTURE_DEL, NULL, 0);
}

int captures_send(struct keeper *k)
{
	int r = 0;

	list_each (it, &k->captures) {
		const struct capture *c =
			container_of(it, struct capture, link);

		if (c->runs && r == 0)
			r = send_add(k, c);
	}
	return r;
}

/* ---- its life ---- */

static struct capture *capture_free(struct capture *c)
{
	stop(c);
	say_over(c);
	if (c->io.fd >= 0)
		loop_del(c->k->loop, &c->io);
	list_del(&c->link);
	fd_close(&c->ring);
	fd_close(&c->wake);
	fd_close(&c->woken);
	free(c);
	return NULL;
}

static struct capture *capture_new(struct keeper *k,
				   const struct capture_request *q)
{
	struct capture *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->k = k;
	c->id = ++k->last_capture;
	c->request = *q;
	c->ring = -1;
	c->wake = -1;
	c->woken = -1;
	c->io.fd = -1;
	list_add_tail(&k->captures, &c->link);
	return c;
}

/* What is written to the second is read at the first, and nothing comes the
 * other way. */
static int make_wake(int fds[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		       fds) < 0)
		return -errno;
	return shutdown(fds[1], SHUT_RD) < 0 ? -errno : 0;
}

static int make_ring(struct capture *c, struct error *e)
{
	const size_t len = ring_len(c->request.memory);
	int r = memfd_make_sparse("vmlan-capture", len, &c->ring);
	int fds[2] = {-1, -1};

	c->request.memory = (uint32_t)(len - RING_FIRST);
	if (!c->request.snap_len)
		c->request.snap_len = FRAME_ALL;
	if (r == 0 && !c->is_kept) {
		r = make_wake(fds);
		c->woken = fds[0];
		c->wake = fds[1];
	}
	return r < 0 ? error_errno(e, r, "%u bytes of memory for a capture",
				   c->request.memory)
		     : 0;
}

void capture_over(struct capture *c)
{
	if (c)
		capture_free(c);
}

/* MHD closes the connection in its next turn, and says so. */
static void hang_up(struct capture *c)
{
	struct MHD_UpgradeResponseHandle *handle = c->handle;

	stop(c);
	if (c->io.fd >= 0)
		loop_del(c->k->loop, &c->io);
	c->io.fd = -1;
	c->handle = NULL;
	if (handle)
		(void)c->mhd->upgrade_action(handle, MHD_UPGRADE_ACTION_CLOSE);
}

void captures_refused(struct keeper *k, uint32_t id, const char *why)
{
	list_each_safe (it, &k->captures) {
		struct capture *c = container_of(it, struct capture, link);
		const char *name = c->request.machine[0] ? c->request.machine
							 : k->c->network->name;

		if (c->id != id)
			continue;
		log_error(k->c->log, "engine refused a capture: %s", why);
		c->runs = false;
		if (c->is_kept) {
			log_error(k->c->log, "nothing of %s is kept now", name);
			capture_free(c);
		} else {
			hang_up(c);
		}
		return;
	}
}

void captures_stop(struct keeper *k)
{
	list_each (it, &k->captures) {
		struct capture *c = container_of(it, struct capture, link);

		hang_up(c);
		say_over(c);
	}
}

void captures_free(struct keeper *k)
{
	list_each_safe (it, &k->captures)
		capture_free(container_of(it, struct capture, link));
}

/* ---- its connection ---- */

/* The client has nothing to say but that it is over, and that it is gone. */
static void on_client(struct loop_io *io, uint32_t events)
{
	struct capture *c = container_of(io, struct capture, io);
	struct loop *loop = c->k->loop;
	char byte[64];
	ssize_t n = recv(io->fd, byte, sizeof(byte), MSG_DONTWAIT);

	if (events & (EPOLLHUP | EPOLLERR)) {
		hang_up(c);
		return;
	}
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	stop(c);
	loop_del(loop, io);
	if (n < 0 || loop_add_level(loop, io, 0) < 0) /* EPOLLHUP comes */
		hang_up(c);
}

/* The head of the answer is out: the connection is ours. */
static void on_upgrade(void *cls, struct MHD_Connection *conn, void *ctx,
		       const char *extra, size_t n_extra, MHD_socket sock,
		       struct MHD_UpgradeResponseHandle *handle)
{
	struct capture *c = cls;
	const int fds[] = {c->ring, c->woken};

	(void)conn;
	(void)ctx;
	(void)extra;
	(void)n_extra;
	c->handle = handle;
	c->io = (struct loop_io){.fd = sock, .fn = on_client};
	if (loop_add_level(c->k->loop, &c->io, EPOLLIN) < 0) {
		c->io.fd = -1;
		hang_up(c);
	} else if (fd_send(sock, "c", 1, fds, c->wake < 0 ? 1 : 2) < 0) {
		hang_up(c);
	} else if (!c->request.is_last) {
		fd_close(&c->woken); /* when it has gone nobody can be woken */
		run(c);
	}
}

enum MHD_Result capture_switch(struct capture *c, const struct mhd *mhd,
			       struct MHD_Connection *conn)
{
	struct MHD_Response *r =
		mhd->create_response_for_upgrade(on_upgrade, c);
	enum MHD_Result queued;

	if (!r)
		return MHD_NO;
	c->mhd = mhd;
	(void)mhd->add_response_header(r, MHD_HTTP_HEADER_UPGRADE,
				       CONTROL_CAPTURE_UPGRADE);
	queued = mhd->queue_response(conn, MHD_HTTP_SWITCHING_PROTOCOLS, r);
	mhd->destroy_response(r);
	return queued;
}

/* ---- requests ---- */

static struct capture *find_kept(struct keeper *k, const char *machine)
{
	list_each (it, &k->captures) {
		struct capture *c = container_of(it, struct capture, link);

		if (c->is_kept && strcmp(c->request.machine, machine) == 0)
			return c;
	}
	return NULL;
}

/* One more is too many, of the same sort. */
static int check_number(struct keeper *k, bool is_last, struct error *e)
{
	unsigned n = 0;

	list_each (it, &k->captures)
		n += container_of(it, struct capture, link)->request.is_last ==
		     is_last;
	if (n < CONTROL_CAPTURES_MAX)
		return 0;
	return error_set(e, EXIT_CONFLICT,
			 "%s has %d captures already; end one of them",
			 k->c->network->name, CONTROL_CAPTURES_MAX);
}

static int check_machine(struct keeper *k, const char *name, struct error *e)
{
	if (!name[0] || machine_find(k, name))
		return 0;
	return error_set(e, EXIT_NO_OBJECT, "%s has no machine %s",
			 k->c->network->name, name);
}

/* A ring of its own, which the engine is to write to. */
static int begin(struct keeper *k, const struct capture_request *q,
		 bool is_kept, struct capture **cp, struct error *e)
{
	struct capture *c;

	if (check_machine(k, q->machine, e) < 0 ||
	    check_number(k, false, e) < 0)
		return -1;
	c = capture_new(k, q);
	if (!c)
		return error_errno(e, ENOMEM, "capture");
	c->is_kept = is_kept;
	if (make_ring(c, e) < 0) {
		capture_free(c);
		return -1;
	}
	*cp = c;
	return 0;
}

/* The ring of what is kept. */
static int begin_last(struct keeper *k, const struct capture_request *q,
		      struct capture **cp, struct error *e)
{
	const struct capture *kept = find_kept(k, q->machine);
	const char *name = q->machine[0] ? q->machine : k->c->network->name;
	struct capture *c;

	if (!kept)
		return error_set(e, EXIT_NO_OBJECT,
				 "nothing of %s is kept; vmlan cap %s --keep "
				 "64mb begins with it",
				 name, name);
	if (check_number(k, true, e) < 0)
		return -1;
	c = capture_new(k, q);
	if (!c)
		return error_errno(e, ENOMEM, "capture");
	c->ring = fcntl(kept->ring, F_DUPFD_CLOEXEC, 0);
	if (c->ring < 0) {
		error_errno(e, errno, "capture");
		capture_free(c);
		return -1;
	}
	*cp = c;
	return 0;
}

int capture_post(struct keeper *k, const struct request *r, json_t **op,
		 struct error *e)
{
	struct capture_request q;

	*op = NULL;
	if (!r->upgrade || strcmp(r->upgrade, CONTROL_CAPTURE_UPGRADE) != 0)
		return error_set(
			e, EXIT_USAGE,
			"a capture takes \"Upgrade: " CONTROL_CAPTURE_UPGRADE
			"\"; vmlan cap asks for it");
	if (capture_request_parse(r->body, r->n_body, &q, e) < 0)
		return -EINVAL;
	if (!q.memory)
		q.memory = STREAM_MEMORY;
	return q.is_last ? begin_last(k, &q, r->capturep, e)
			 : begin(k, &q, false, r->capturep, e);
}

static json_t *one_capture(const struct capture *c)
{
	return json_pack("{s:b,s:i,s:s*,s:i,s:i}", "kept", c->is_kept, "number",
			 (int)c->id, "machine",
			 c->request.machine[0] ? c->request.machine : NULL,
			 "memory", (int)c->request.memory, "snaplen",
			 (int)c->request.snap_len);
}

int capture_keep(struct keeper *k, const struct request *r, json_t **op,
		 struct error *e)
{
	struct capture_request q;
	struct capture *old, *c = NULL;

	if (capture_request_parse(r->body, r->n_body, &q, e) < 0)
		return -EINVAL;
	q.is_last = false;
	if (q.memory && check_machine(k, q.machine, e) < 0)
		return -EINVAL; /* what is kept of one that has gone stays */
	old = find_kept(k, q.machine);
	if (old) /* its place, and its memory, are the new one's */
		capture_free(old);
	if (q.memory && begin(k, &q, true, &c, e) < 0)
		return -EINVAL;
	if (c)
		run(c);
	*op = c ? one_capture(c) : json_pack("{s:b}", "kept", false);
	return 0;
}

int capture_list(struct keeper *k, const struct request *r, json_t **op,
		 struct error *e)
{
	json_t *list = json_array();

	(void)r;
	(void)e;
	*op = NULL;
	list_each (it, &k->captures) {
		const struct capture *c =
			container_of(it, struct capture, link);

		if (c->runs &&
		    json_array_append_new(list, one_capture(c)) < 0) {
			json_decref(list);
			return 0;
		}
	}
	*op = json_pack("{s:o}", "captures", list);
	return 0;
}
