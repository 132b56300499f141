/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The console of a VDE server: terminals (vdeterm, unixterm, socat) connect to
 * its socket, type a line and read the answer.  Only for our own user and root.
 * Or it is our own standard input and output, as a vde_switch in the foreground
 * has it: what ends one ends the other.
 *
 * A terminal that does not read its answers is not asked for more: until they
 * are gone nothing is read from it.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "keeper/vde.h"
#include "os/file.h"
#include "os/sock.h"

enum { TERMINALS_MAX = 16 };

struct vde_mgmt {
	struct vde_server *server; /* borrowed */
	int fd;			   /* owned; listens; -1: stdin and stdout */
	struct listener listener;
	char path[108];
	struct list terminals;
	unsigned n_terminals;
};

struct terminal {
	struct list link;
	struct vde_mgmt *mgmt;
	/* One of the two waits.  Of a socket they have the same descriptor,
	 * which is owned. */
	struct loop_io in, out_io;
	struct loop_work again; /* a file's, which is always readable */
	bool is_person; /* who is shown a prompt */
	char line[VDE_LINE_MAX];
	size_t n_line;
	bool is_skipping; /* the rest of a line that was too long */
	char *out;	  /* owned; what it has not read yet */
	size_t n_out, n_sent;
	bool is_over; /* it ends when that is sent */
};

static struct loop *loop_of(const struct vde_mgmt *m)
{
	return m->server->keeper->loop;
}

static bool is_stdio(const struct terminal *t)
{
	return t->mgmt->fd < 0;
}

static void stop_waiting(struct terminal *t)
{
	loop_del(loop_of(t->mgmt), &t->in);
	loop_del(loop_of(t->mgmt), &t->out_io);
	loop_undefer(loop_of(t->mgmt), &t->again);
}

static void terminal_del(struct terminal *t)
{
	stop_waiting(t);
	if (!is_stdio(t))
		fd_close(&t->in.fd);
	list_del(&t->link);
	t->mgmt->n_terminals--;
	free(t->out);
	free(t);
}

/* Waits for the next line; false: the kernel would not. */
static bool wait_line(struct terminal *t)
{
	int r;

	stop_waiting(t);
	r = loop_add_level(loop_of(t->mgmt), &t->in, EPOLLIN);
	if (r == -EPERM) /* a file, or /dev/null */
		loop_defer(loop_of(t->mgmt), &t->again);
	return r == 0 || r == -EPERM;
}

static bool wait_room(struct terminal *t)
{
	stop_waiting(t);
	return loop_add_level(loop_of(t->mgmt), &t->out_io, EPOLLOUT) == 0;
}

/* As write(), at once.  Others have our standard output, too, and it must
 * block as they expect: of a pipe or a terminal that has room a little is taken
 * without waiting. */
static ssize_t put(const struct terminal *t, const char *p, size_t n)
{
	struct pollfd room = {.fd = t->out_io.fd, .events = POLLOUT};

	if (!is_stdio(t))
		return send(t->out_io.fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (poll(&room, 1, 0) <= 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(t->out_io.fd, p, n < _POSIX_PIPE_BUF ? n
							  : _POSIX_PIPE_BUF);
}

/* Sends what waits; false: the terminal is gone, or over. */
static bool flush(struct terminal *t)
{
	while (t->n_sent < t->n_out) {
		ssize_t n = put(t, t->out + t->n_sent, t->n_out - t->n_sent);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return wait_room(t);
		if (n < 0 && !is_stdio(t))
			return false;
		if (n < 0) /* nobody reads, but somebody may type */
			break;
		t->n_sent += (size_t)n;
	}
	free(t->out);
	t->out = NULL;
	t->n_out = t->n_sent = 0;
	return !t->is_over && wait_line(t);
}

/* ---- lines ---- */

static void end_keeper(const struct terminal *t)
{
	loop_stop(loop_of(t->mgmt));
	t->mgmt->server->keeper->is_stopping = true;
}

static void prompt(const struct terminal *t, FILE *out)
{
	if (t->is_person)
		fputs(VDE_PROMPT, out);
}

/* Answers the line that is whole. */
static void answer(struct terminal *t, FILE *out)
{
	t->line[t->n_line] = '\0';
	t->n_line = 0;
	if (t->is_skipping) {
		t->is_skipping = false;
		fprintf(out, "1%03d %s\n", E2BIG, strerror(E2BIG));
		prompt(t, out);
		return;
	}
	switch (vde_console_line(t->mgmt->server, t->line, out)) {
	case VDE_STAYS:
		prompt(t, out);
		return;
	case VDE_SHUTDOWN:
		end_keeper(t);
		break;
	case VDE_LOGOUT:
		if (!is_stdio(t))
			break;
		prompt(t, out); /* there is no session to end */
		return;
	}
	if (!is_stdio(t))
		fputs("9999 END OF SESSION", out);
	t->is_over = true;
}

static void take_bytes(struct terminal *t, const char *p, size_t n, FILE *out)
{
	for (; n && !t->is_over; n--, p++) {
		if (*p == '\n')
			answer(t, out);
		else if (t->n_line < sizeof(t->line) - 1)
			t->line[t->n_line++] = *p ? *p : '?';
		else
			t->is_skipping = true;
	}
}

/* Answers what was read, n bytes, 0 at the end of our standard input. */
static bool answer_bytes(struct terminal *t, const char *p, size_t n)
{
	FILE *out = open_memstream(&t->out, &t->n_out);
	bool is_line;

	if (!out)
		return false;
	take_bytes(t, p, n, out);
	/* vdeterm sends no line end: what comes at once is a line.  In a pipe
	 * it may come in pieces, and the last one without. */
	is_line = is_stdio(t) ? n == 0 : n < VDE_LINE_MAX;
	if (t->n_line && is_line && !t->is_over)
		answer(t, out);
	if (n == 0 && !t->is_over) {
		log_info(t->mgmt->server->netdev->log,
			 "%s: end of the console's input; ending",
			 t->mgmt->server->netdev->name);
		t->is_over = true;
		end_keeper(t);
	}
	return fclose(out) == 0 && flush(t);
}

static bool talk(struct terminal *t)
{
	char buf[VDE_LINE_MAX];
	ssize_t n = read(t->in.fd, buf, sizeof(buf));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return wait_line(t);
	if (n <= 0 && !is_stdio(t))
		return false;
	return answer_bytes(t, buf, n < 0 ? 0 : (size_t)n);
}

static void on_line(struct loop_io *io, uint32_t events)
{
	struct terminal *t = container_of(io, struct terminal, in);

	(void)events;
	if (!talk(t))
		terminal_del(t);
}

static void on_file(struct loop_work *w)
{
	struct terminal *t = container_of(w, struct terminal, again);

	if (!talk(t))
		terminal_del(t);
}

static void on_room(struct loop_io *io, uint32_t events)
{
	struct terminal *t = container_of(io, struct terminal, out_io);

	(void)events;
	if (!flush(t))
		terminal_del(t);
}

/* ---- who comes ---- */

static bool greet(struct terminal *t)
{
	FILE *out = open_memstream(&t->out, &t->n_out);

	if (!out)
		return false;
	vde_console_greet(out);
	fputs(VDE_PROMPT, out);
	return fclose(out) == 0 && flush(t);
}

static struct terminal *terminal_new(struct vde_mgmt *m, int in, int out)
{
	struct terminal *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->mgmt = m;
	t->in = (struct loop_io){.fd = in, .fn = on_line};
	t->out_io = (struct loop_io){.fd = out, .fn = on_room};
	loop_work_init(&t->again, on_file);
	t->is_person = true;
	list_add_tail(&m->terminals, &t->link);
	m->n_terminals++;
	return t;
}

static void on_comer(struct listener *l, int comer)
{
	struct vde_mgmt *m = container_of(l, struct vde_mgmt, listener);
	CLEANUP_FD int fd = comer;
	struct terminal *t;

	if (m->n_terminals >= TERMINALS_MAX || !sock_peer_may(fd))
		return;
	t = terminal_new(m, fd, fd);
	if (!t)
		return;
	(void)fd_steal(&fd);
	if (!greet(t))
		terminal_del(t);
}

/* A vde_switch begins with nothing, and has a prompt behind each answer. */
static int start_stdio(struct vde_mgmt *m)
{
	struct terminal *t = terminal_new(m, STDIN_FILENO, STDOUT_FILENO);

	if (!t)
		return -ENOMEM;
	t->is_person = isatty(STDOUT_FILENO) == 1;
	return wait_line(t) ? 0 : -ENOMEM;
}

/* ---- its life ---- */

int vde_mgmt_open(struct vde_server *s, const char *path, struct error *e)
{
	struct vde_mgmt *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return error_errno(e, ENOMEM, "mgmt");
	m->server = s;
	list_init(&m->terminals);
	snprintf(m->path, sizeof(m->path), "%s", path);
	m->fd = -1;
	if (vde_mgmt_is_stdio(path)) {
		s->mgmt = m;
		return 0;
	}
	m->fd = sock_listen_unix(path, false, false, e);
	if (m->fd < 0) {
		r = m->fd;
		free(m);
		return r;
	}
	s->mgmt = m;
	r = file_give(path, S_IFSOCK | 0600, (uid_t)-1, (gid_t)-1);
	return r < 0 ? error_errno(e, r, "%s", path) : 0;
}

int vde_mgmt_start(struct vde_mgmt *m)
{
	if (m->fd < 0)
		return start_stdio(m);
	m->listener = (struct listener){.io = {.fd = m->fd}, .fn = on_comer};
	return listener_on(&m->listener, loop_of(m));
}

void vde_mgmt_stop(struct vde_mgmt *m)
{
	listener_off(&m->listener);
	list_each_safe(it, &m->terminals)
		terminal_del(container_of(it, struct terminal, link));
}

struct vde_mgmt *vde_mgmt_free(struct vde_mgmt *m)
{
	bool has_socket;

	if (!m)
		return NULL;
	has_socket = m->fd >= 0;
	fd_close(&m->fd); /* what lives would stay */
	if (has_socket)
		sock_remove_unix(m->path);
	free(m);
	return NULL;
}

const char *vde_mgmt_path(const struct vde_mgmt *m)
{
	return m->fd >= 0 ? m->path : NULL;
}

bool vde_mgmt_is_stdio(const char *path)
{
	return strcmp(path, "-") == 0;
}
