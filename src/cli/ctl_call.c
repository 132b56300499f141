/* SPDX-License-Identifier: BSD-3-Clause */
/* A request that nobody waits for; see ctl_call.h. */
#include "cli/ctl_call.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cli/ctl_priv.h"
#include "control/protocol.h"
#include "os/clock.h"

enum { ROOM_FIRST = 32768, READS_PER_TURN = 16 };

static int connect_to(const struct sockaddr_un *sa)
{
	CLEANUP_FD int fd = socket(
		AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	/* A unix socket's peer is there at once, or its backlog is full. */
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0)
		return errno == EAGAIN ? -EBUSY : -errno;
	return fd_steal(&fd);
}

int ctl_call_begin(struct ctl_call *c, const char *name, const char *method,
		   const char *path, const char *body, struct error *e)
{
	struct ctl_asked q = {.text = NULL};
	struct sockaddr_un sa;
	int r = ctl_address(name, &sa, e);

	*c = CTL_CALL_NULL;
	if (r < 0)
		return r;
	r = connect_to(&sa);
	if (ctl_is_gone(r))
		return -ENOENT;
	if (r < 0)
		return error_errno(e, r, "%s: its keeper does not answer",
				   name);
	c->fd = r;
	if (ctl_request(method, path, "close", body, body ? strlen(body) : 0,
			&q) < 0) {
		ctl_call_end(c);
		return error_errno(e, ENOMEM, "%s", name);
	}
	c->text = q.text;
	c->len = q.len;
	c->since_ms = now_ms();
	return 0;
}

short ctl_call_events(const struct ctl_call *c)
{
	return c->sent < c->len ? POLLIN | POLLOUT : POLLIN;
}

/* 0 when there is no more to send, or nobody who takes it: one that is refused
 * before its end is answered as well. */
static int send_some(struct ctl_call *c)
{
	while (c->sent < c->len) {
		ssize_t n = send(c->fd, c->text + c->sent, c->len - c->sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return -EAGAIN;
		if (n < 0 && errno != EPIPE)
			return -errno;
		c->sent = n < 0 ? c->len : c->sent + (size_t)n;
	}
	return 0;
}

static int make_room(struct ctl_call *c)
{
	size_t room = c->room ? 2 * c->room : ROOM_FIRST;
	char *more;

	if (c->n < c->room)
		return 0;
	if (room > CONTROL_ANSWER_MAX)
		return -EMSGSIZE;
	more = realloc(c->answer, room);
	if (!more)
		return -ENOMEM;
	c->answer = more;
	c->room = room;
	return 0;
}

/* What there is of the answer, but for the keys' sake not all at once. */
static int read_some(struct ctl_call *c, struct control_answer *a)
{
	for (unsigned i = 0; i < READS_PER_TURN; i++) {
		int r = make_room(c);
		ssize_t n;

		if (r < 0)
			return r;
		n = recv(c->fd, c->answer + c->n, c->room - c->n,
			 MSG_DONTWAIT);
		if (n < 0)
			return errno == EINTR ? -EAGAIN : -errno;
		if (n == 0)
			return -ECONNRESET;
		c->n += (size_t)n;
		r = control_answer_parse(c->answer, c->n, a);
		if (r != -EAGAIN)
			return r;
	}
	return -EAGAIN;
}

int ctl_call_turn(struct ctl_call *c, const char *name, json_t **answerp,
		  struct error *e)
{
	struct control_answer a = {0};
	int sent = send_some(c);
	int r = sent < 0 && sent != -EAGAIN ? sent : read_some(c, &a);

	if (r == -EAGAIN && now_ms() - c->since_ms < CONTROL_ASK_S * 1000)
		return r;
	if (r == -EAGAIN)
		r = -ETIMEDOUT;
	if (r == 0)
		r = ctl_judge(name, &a, answerp, e);
	else if (ctl_is_gone(r))
		r = -ENOENT;
	else
		error_errno(e, r, "%s: its keeper does not answer", name);
	ctl_call_end(c);
	return r;
}

void ctl_call_end(struct ctl_call *c)
{
	fd_close(&c->fd);
	free(c->text);
	free(c->answer);
	*c = CTL_CALL_NULL;
}
