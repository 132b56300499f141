/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes to and fro; see pump.h. */
#include "cli/pump.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* One direction.  It is read again when all is written. */
struct half {
	uint8_t buf[65536];
	size_t at, n; /* what is to be written: n bytes from at on */
	bool has_ended;
};

struct pump {
	int in, out, sock;
	struct half up, down; /* in to sock, sock to out */
};

static bool is_later(ssize_t n)
{
	return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void wrote(struct half *h, ssize_t n)
{
	h->at += (size_t)n;
	h->n -= (size_t)n;
}

static void up_read(struct pump *p)
{
	ssize_t n = read(p->in, p->up.buf, sizeof(p->up.buf));

	if (is_later(n))
		return;
	if (n > 0) {
		p->up.at = 0;
		p->up.n = (size_t)n;
		return;
	}
	p->up.has_ended = true;
	shutdown(p->sock, SHUT_WR);
}

/* Who takes nothing more may still have something to say. */
static void up_write(struct pump *p)
{
	struct half *h = &p->up;
	ssize_t n = send(p->sock, h->buf + h->at, h->n,
			 MSG_DONTWAIT | MSG_NOSIGNAL);

	if (is_later(n))
		return;
	if (n >= 0) {
		wrote(h, n);
		return;
	}
	h->n = 0;
	h->has_ended = true;
}

static int down_read(struct pump *p)
{
	ssize_t n = recv(p->sock, p->down.buf, sizeof(p->down.buf),
			 MSG_DONTWAIT);

	if (is_later(n))
		return 0;
	if (n < 0)
		return -errno;
	p->down.at = 0;
	p->down.n = (size_t)n;
	if (n == 0) {
		p->down.has_ended = true;
		close(p->out);
	}
	return 0;
}

/* A pipe that says it can be written takes so much without blocking. */
static int down_write(struct pump *p)
{
	struct half *h = &p->down;
	ssize_t n = write(p->out, h->buf + h->at,
			  h->n < PIPE_BUF ? h->n : PIPE_BUF);

	if (is_later(n))
		return 0;
	if (n < 0)
		return -EPIPE;
	wrote(h, n);
	return 0;
}

static int turn(struct pump *p)
{
	const bool reads_up = !p->up.has_ended && !p->up.n;
	const bool reads_down = !p->down.has_ended && !p->down.n;
	const bool uses_sock = reads_down || p->up.n;
	struct pollfd f[] = {
		{.fd = reads_up ? p->in : -1, .events = POLLIN},
		{.fd = uses_sock ? p->sock : -1,
		 .events = (short)((reads_down ? POLLIN : 0) |
				   (p->up.n ? POLLOUT : 0))},
		/* Says POLLERR, asked or not, when nobody reads it; a socket
		 * POLLHUP. */
		{.fd = p->down.has_ended ? -1 : p->out,
		 .events = p->down.n ? POLLOUT : 0},
	};
	int r = 0;

	if (poll(f, sizeof(f) / sizeof(f[0]), -1) < 0)
		return errno == EINTR ? 0 : -errno;
	if (f[2].revents & (POLLERR | POLLHUP | POLLNVAL))
		return -EPIPE;
	if (f[0].revents)
		up_read(p);
	if (f[1].revents && p->up.n)
		up_write(p);
	if (f[1].revents && reads_down)
		r = down_read(p);
	if (r == 0 && f[2].revents && p->down.n)
		r = down_write(p);
	return r;
}

int pump(int in, int out, int sock)
{
	CLEANUP_FREE struct pump *p = calloc(1, sizeof(*p));
	int r = 0;

	if (!p)
		return -ENOMEM;
	p->in = in;
	p->out = out;
	p->sock = sock;
	while (r == 0 && !(p->up.has_ended && p->down.has_ended))
		r = turn(p);
	return r;
}
