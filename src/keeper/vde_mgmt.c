/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The socket of a VDE server's console: terminals (vdeterm, unixterm, socat)
 * connect, type a line and read the answer.  Only for our own user and root.
 *
 * A terminal that does not read its answers is not asked for more: until they
 * are gone nothing is read from it.
 */
#include <errno.h>
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
	int fd;			   /* owned; listens */
	struct listener listener;
	char path[108];
	struct list terminals;
	unsigned n_terminals;
};

struct terminal {
	struct list link;
	struct vde_mgmt *mgmt;
	struct loop_io io; /* fd: owned */
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

static void terminal_del(struct terminal *t)
{
	loop_del(loop_of(t->mgmt), &t->io);
	fd_close(&t->io.fd);
	list_del(&t->link);
	t->mgmt->n_terminals--;
	free(t->out);
	free(t);
}

/* Waits for one of the two; false: the kernel would not. */
static bool wait_for(struct terminal *t, uint32_t events)
{
	loop_del(loop_of(t->mgmt), &t->io);
	return loop_add_level(loop_of(t->mgmt), &t->io, events) == 0;
}

/* Sends what waits; false: the terminal is gone, or over. */
static bool flush(struct terminal *t)
{
	while (t->n_sent < t->n_out) {
		ssize_t n = send(t->io.fd, t->out + t->n_sent,
				 t->n_out - t->n_sent,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return wait_for(t, EPOLLOUT);
		if (n < 0)
			return false;
		t->n_sent += (size_t)n;
	}
	free(t->out);
	t->out = NULL;
	t->n_out = t->n_sent = 0;
	return !t->is_over && wait_for(t, EPOLLIN);
}

/* ---- lines ---- */

/* Answers the line that is whole. */
static void answer(struct terminal *t, FILE *out)
{
	t->line[t->n_line] = '\0';
	t->n_line = 0;
	if (t->is_skipping) {
		t->is_skipping = false;
		fprintf(out, "1%03d %s\n" VDE_PROMPT, E2BIG, strerror(E2BIG));
		return;
	}
	switch (vde_console_line(t->mgmt->server, t->line, out)) {
	case VDE_STAYS:
		fputs(VDE_PROMPT, out);
		return;
	case VDE_SHUTDOWN:
		loop_stop(loop_of(t->mgmt));
		t->mgmt->server->keeper->is_stopping = true;
		break;
	case VDE_LOGOUT:
		break;
	}
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

static bool talk(struct terminal *t)
{
	char buf[VDE_LINE_MAX];
	ssize_t n = recv(t->io.fd, buf, sizeof(buf), MSG_DONTWAIT);
	FILE *out;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	out = open_memstream(&t->out, &t->n_out);
	if (!out)
		return false;
	take_bytes(t, buf, (size_t)n, out);
	/* vdeterm sends no line end: what comes at once is a line. */
	if (t->n_line && n < (ssize_t)sizeof(buf) && !t->is_over)
		answer(t, out);
	return fclose(out) == 0 && flush(t);
}

static void on_terminal(struct loop_io *io, uint32_t events)
{
	struct terminal *t = container_of(io, struct terminal, io);

	(void)events;
	if (t->out ? !flush(t) : !talk(t))
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

static void on_comer(struct listener *l, int comer)
{
	struct vde_mgmt *m = container_of(l, struct vde_mgmt, listener);
	CLEANUP_FD int fd = comer;
	struct terminal *t;

	if (m->n_terminals >= TERMINALS_MAX || !sock_peer_may(fd))
		return;
	t = calloc(1, sizeof(*t));
	if (!t)
		return;
	t->mgmt = m;
	t->io = (struct loop_io){.fd = fd_steal(&fd), .fn = on_terminal};
	list_add_tail(&m->terminals, &t->link);
	m->n_terminals++;
	if (!greet(t))
		terminal_del(t);
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
	if (!m)
		return NULL;
	fd_close(&m->fd);
	sock_remove_unix(m->path);
	free(m);
	return NULL;
}

const char *vde_mgmt_path(const struct vde_mgmt *m)
{
	return m->path;
}
