/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port kind `stream`: frames with a length in front over one connected
 * stream socket, unix or TCP (reference 1.2, 1.3).
 *
 * Called by the lan (port hooks) and by the loop (readiness, deferred work);
 * one worker's thread.
 *
 * In:  one read takes what there is, up to the buffer's end; whole frames are
 *      shown to the lan where they lie (framing.h).
 * Out: one sendmsg for all frames of a call.  When the socket is full in the
 *      middle of a frame, the rest of that frame goes to `spill`, which has
 *      room for just one; the frames after it are refused.  Hence nothing is
 *      lost while the peer is there, and a frame is never cut.
 *
 * A peer that goes is noticed in recv or send, but acted upon in deferred
 * work (stream_hangup, stream_gone): the lan may be in the middle of a batch.
 */
/* #syscalls: recvfrom sendto sendmsg getsockopt setsockopt close */
#include "netdev/conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/list.h"
#include "base/mem.h"
#include "netdev/framing.h"

#define STREAM_RETRY_NS UINT64_C(2000000) /* after a shortage of memory */

enum {
	STREAM_READS = 8,	    /* reads of one recv() that gave no frame */
	STREAM_IOV = 256,	    /* pieces of one sendmsg */
	STREAM_SNDBUF = 1024 * 1024 /* unix: the kernel cuts it to wmem_max */
};

struct stream {
	struct port port;
	const struct netdev_env *env; /* borrowed */
	struct conn_args args;      /* name and fd are not used later */
	int fd;			      /* owned; -1: no peer */
	struct loop_io io;
	struct loop_work more; /* go on reading after the others' turn */
	struct loop_work gone; /* the peer went */
	struct loop_work room; /* room was asked for while there was some */
	struct timer retry;    /* the kernel was short of memory */

	struct framing rx;
	bool rx_dry;  /* the last read emptied the socket */
	bool rx_hup;  /* end of stream is announced: read up to it */
	bool is_gone; /* `gone` is queued */

	uint8_t *spill;	     /* owned, FRAMING_LOW bytes */
	uint32_t spill_off;  /* next byte of it to send */
	uint32_t spill_len;  /* bytes left to send */
	bool tx_blocked;     /* the socket was full; EPOLLOUT or retry tells */
	bool tx_dead;	     /* the peer takes no more */
	bool tx_room_wanted; /* somebody waits for lan_port_room() */
};

/* One sendmsg: whole frames with their lengths. */
struct tx_chunk {
	struct iovec iov[STREAM_IOV];
	uint8_t head[FRAME_BATCH][FRAMING_HEAD];
	unsigned n_iov;
	uint64_t bits; /* frames in it */
	size_t len;
};

static struct stream *stream_of(struct port *p)
{
	return container_of(p, struct stream, port);
}

/* ---- peer gone ---- */

static void stream_hangup(struct stream *s)
{
	if (s->is_gone)
		return;
	s->is_gone = true;
	loop_defer(s->env->loop, &s->gone);
}

/* What is left of a frame cut in half will not be sent. */
static void stream_spill_drop(struct stream *s)
{
	if (s->spill_len) {
		drop(s->env->drops, DROP_LINK_DOWN);
		s->port.stats.tx_drops++;
	}
	s->spill_off = s->spill_len = 0;
}

static void stream_detach(struct stream *s)
{
	if (s->fd < 0)
		return;
	loop_del(s->env->loop, &s->io);
	fd_close(&s->fd);
	loop_undefer(s->env->loop, &s->more);
	timer_disarm(loop_wheel(s->env->loop), &s->retry);
	stream_spill_drop(s);
	s->tx_blocked = s->tx_dead = false;
	s->rx_dry = s->rx_hup = false;
	framing_reset(&s->rx);
}

static void stream_gone(struct loop_work *w)
{
	struct stream *s = container_of(w, struct stream, gone);
	bool wanted = s->tx_room_wanted;

	stream_detach(s);
	s->is_gone = false;
	s->tx_room_wanted = false;
	lan_port_link(&s->port, false);
	if (wanted)
		lan_port_room(&s->port);
	/* Either may free s or give it a new connection: last. */
	if (s->args.gone)
		s->args.gone(s->args.arg, &s->port);
	else if (s->args.reconnect && s->env->want_fd)
		s->env->want_fd(s->env->arg, &s->port);
}

/* ---- in ---- */

/* Takes whole frames into b; false when the peer broke the framing. */
static bool stream_take(struct stream *s, struct batch *b)
{
	const uint8_t *p = NULL;
	uint32_t len = 0;

	b->n = 0;
	while (b->n < FRAME_BATCH) {
		switch (framing_next(&s->rx, &p, &len)) {
		case FRAMING_MORE:
			return true;
		case FRAMING_BAD:
			return b->n > 0; /* those before it are good */
		case FRAMING_FRAME:
			break;
		}
		if (len < FRAME_ETH_LEN) {
			drop(s->env->drops, DROP_FRAME_SHORT);
			s->port.stats.rx_drops++;
			continue;
		}
		b->f[b->n++] = frame_flat(p, len);
	}
	return true;
}

/* Reads once; false when there is nothing (more) to read now. */
static bool stream_fill(struct stream *s)
{
	uint32_t room;
	uint8_t *at;
	ssize_t n;

	if (s->rx_dry && !s->rx_hup)
		return false;
	at = framing_space(&s->rx, &room);
	do
		n = recv(s->fd, at, room, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == ENOMEM)) {
		s->rx_dry = true;
		return false;
	}
	if (n <= 0) {
		stream_hangup(s);
		return false;
	}
	/* A short read has emptied the socket: the next byte is a new edge.
	 * End of stream is not, hence rx_hup. */
	s->rx_dry = (size_t)n < room;
	framing_filled(&s->rx, (uint32_t)n);
	return true;
}

static unsigned stream_recv(struct port *p, struct batch *b)
{
	struct stream *s = stream_of(p);

	b->n = 0;
	if (s->fd < 0 || s->is_gone)
		return 0;
	for (unsigned i = 0; i < STREAM_READS; i++) {
		if (!stream_take(s, b)) {
			port_fault(p, FAULT_FRAMING,
				   "a frame of more than %u bytes was "
				   "announced; the connection is closed",
				   (unsigned)FRAME_MAX);
			stream_hangup(s);
			return 0;
		}
		if (b->n)
			return b->n;
		if (!stream_fill(s))
			return 0;
	}
	/* A peer that sends nothing but empty frames must not keep us. */
	loop_defer(s->env->loop, &s->more);
	return 0;
}

static void stream_done(struct port *p, struct batch *b)
{
	(void)p; /* the frames lie in front of rx.start: nothing to give back */
	(void)b;
}

static void stream_read(struct stream *s)
{
	if (lan_port_readable(&s->port))
		loop_defer(s->env->loop, &s->more);
}

static void stream_more(struct loop_work *w)
{
	stream_read(container_of(w, struct stream, more));
}

/* ---- out ---- */

/* As many frames of mask as fit into one sendmsg. */
static void chunk_fill(struct tx_chunk *c, const struct batch *b, uint64_t mask)
{
	c->n_iov = 0;
	c->bits = 0;
	c->len = 0;
	while (mask) {
		unsigned i = (unsigned)__builtin_ctzll(mask);
		const struct frame *f = &b->f[i];
		uint8_t *head = c->head[i];
		unsigned n;

		if (STREAM_IOV - c->n_iov < 2)
			return;
		n = frame_iov(f, 0, &c->iov[c->n_iov + 1],
			      STREAM_IOV - c->n_iov - 1);
		if (n == 0)
			return;
		head[0] = (uint8_t)(f->len >> 24);
		head[1] = (uint8_t)(f->len >> 16);
		head[2] = (uint8_t)(f->len >> 8);
		head[3] = (uint8_t)f->len;
		c->iov[c->n_iov] = (struct iovec){head, FRAMING_HEAD};
		c->n_iov += n + 1;
		c->len += FRAMING_HEAD + f->len;
		c->bits |= UINT64_C(1) << i;
		mask &= mask - 1;
	}
}

/* Keeps what of frame f the socket did not take after `sent` bytes of it. */
static void stream_spill(struct stream *s, const struct frame *f,
			 const uint8_t *head, uint32_t sent)
{
	uint32_t n = 0, off = 0;

	for (; sent < FRAMING_HEAD; sent++)
		s->spill[n++] = head[sent];
	off = sent - FRAMING_HEAD;
	if (!frame_copy(f, off, f->len - off, s->spill + n))
		abort(); /* sum(iov) == len - hdr_len: the frame is ours */
	s->spill_off = 0;
	s->spill_len = n + f->len - off;
}

/* The bits of c that n bytes of it cover; a frame cut in half is covered. */
static uint64_t stream_covered(struct stream *s, const struct batch *b,
			       const struct tx_chunk *c, size_t n)
{
	uint64_t done = 0;

	for (uint64_t m = c->bits; m && n; m &= m - 1) {
		unsigned i = (unsigned)__builtin_ctzll(m);
		const struct frame *f = &b->f[i];

		done |= UINT64_C(1) << i;
		if (n < FRAMING_HEAD + (size_t)f->len) {
			stream_spill(s, f, c->head[i], (uint32_t)n);
			break;
		}
		n -= FRAMING_HEAD + (size_t)f->len;
	}
	return done;
}

/* True if the socket said "later" rather than "never". */
static bool is_later(int err)
{
	return err == EAGAIN || err == EINTR || err == ENOBUFS || err == ENOMEM;
}

/* Waits for room: by event, or by time where there is none (a shortage of
 * memory has no event of its own). */
static void stream_later(struct stream *s, int err)
{
	s->tx_blocked = true;
	if (loop_out(s->env->loop, &s->io, true) < 0 || err != EAGAIN)
		timer_arm(loop_wheel(s->env->loop), &s->retry,
			  *loop_now(s->env->loop) + STREAM_RETRY_NS);
}

/* The socket takes no more: what the peer sent before is still read, the end
 * of stream found there is the end of the connection.  It may never come (a
 * peer that only stopped reading): who waits for room is told, and frames are
 * lost from now on. */
static void stream_tx_dead(struct stream *s)
{
	s->tx_dead = true;
	s->tx_blocked = false;
	timer_disarm(loop_wheel(s->env->loop), &s->retry);
	stream_spill_drop(s);
	s->rx_hup = true;
	loop_defer(s->env->loop, &s->more);
	loop_defer(s->env->loop, &s->room);
}

static void stream_drop(struct stream *s, enum drop_reason why, uint64_t mask)
{
	unsigned n = (unsigned)__builtin_popcountll(mask);

	drop_n(s->env->drops, why, n);
	s->port.stats.tx_drops += n;
}

static uint64_t stream_push(struct stream *s, const struct batch *b,
			    const struct tx_chunk *c)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)c->iov,
			     .msg_iovlen = c->n_iov};
	ssize_t n;

	n = sendmsg(s->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno == EFAULT) { /* of a guest's, and only its loss */
		stream_drop(s, DROP_MEMORY_GONE, c->bits & -c->bits);
		return c->bits & -c->bits;
	}
	if (n < 0) {
		if (is_later(errno))
			stream_later(s, errno);
		else
			stream_tx_dead(s);
		return 0;
	}
	if ((size_t)n < c->len)
		stream_later(s, EAGAIN);
	return stream_covered(s, b, c, (size_t)n);
}

/* The frames of mask that no peer can take: longer than the format knows. */
static uint64_t too_long(const struct batch *b, uint64_t mask)
{
	uint64_t bad = 0;

	for (; mask; mask &= mask - 1) {
		unsigned i = (unsigned)__builtin_ctzll(mask);

		if (b->f[i].len > FRAME_MAX)
			bad |= UINT64_C(1) << i;
	}
	return bad;
}

static uint64_t stream_send(struct port *p, const struct batch *b,
			    uint64_t mask)
{
	struct stream *s = stream_of(p);
	uint64_t bad = too_long(b, mask), left = mask & ~bad;
	struct tx_chunk c;

	if (s->fd >= 0 && (s->tx_blocked || s->spill_len))
		return 0;
	while (left && s->fd >= 0 && !s->tx_dead && !s->is_gone) {
		uint64_t done;

		chunk_fill(&c, b, left);
		if (!c.bits) { /* more pieces than any frame may have */
			bad |= left & -left;
			left &= left - 1;
			continue;
		}
		done = stream_push(s, b, &c);
		left &= ~done;
		if (s->tx_blocked || (done != c.bits && !s->tx_dead))
			break; /* no room, and perhaps a frame cut in half */
	}
	if (left && (s->fd < 0 || s->tx_dead || s->is_gone)) {
		stream_drop(s, DROP_LINK_DOWN, left);
		left = 0;
	}
	if (left) /* those too long behind the first refused wait with it */
		bad &= (left & -left) - 1;
	stream_drop(s, DROP_FRAME_LONG, bad);
	return left ? mask & ((left & -left) - 1) : mask;
}

static bool stream_has_room(const struct stream *s)
{
	return !s->tx_blocked && !s->spill_len;
}

/* The socket can be written again. */
static void stream_write(struct stream *s)
{
	while (s->spill_len) {
		ssize_t n = send(s->fd, s->spill + s->spill_off, s->spill_len,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			if (is_later(errno))
				stream_later(s, errno);
			else
				stream_tx_dead(s);
			return;
		}
		s->spill_off += (uint32_t)n;
		s->spill_len -= (uint32_t)n;
	}
	s->tx_blocked = false;
	if (!s->tx_room_wanted)
		return;
	s->tx_room_wanted = false;
	lan_port_room(&s->port);
}

static void stream_retry(struct timer *t, uint64_t now_ns)
{
	(void)now_ns;
	stream_write(container_of(t, struct stream, retry));
}

static void stream_want_room(struct port *p)
{
	struct stream *s = stream_of(p);

	s->tx_room_wanted = true;
	if (stream_has_room(s))
		loop_defer(s->env->loop, &s->room);
}

static void stream_room(struct loop_work *w)
{
	struct stream *s = container_of(w, struct stream, room);

	if (!s->tx_room_wanted || !stream_has_room(s))
		return;
	s->tx_room_wanted = false;
	lan_port_room(&s->port);
}

/* ---- life ---- */

static void stream_event(struct loop_io *io, uint32_t events)
{
	struct stream *s = container_of(io, struct stream, io);

	if ((events & EPOLLOUT) && !stream_has_room(s))
		stream_write(s);
	else if (events & EPOLLOUT) /* again, and for nothing: no longer */
		(void)loop_out(s->env->loop, &s->io, false);
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		s->rx_hup = true;
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
		s->rx_dry = false;
		stream_read(s);
	}
}

static void stream_close(struct port *p)
{
	struct stream *s = stream_of(p);

	if (s->args.closed)
		s->args.closed(s->args.arg, p);
	stream_detach(s);
	loop_undefer(s->env->loop, &s->more);
	loop_undefer(s->env->loop, &s->gone);
	loop_undefer(s->env->loop, &s->room);
	framing_deinit(&s->rx);
	free(s->spill);
	free(s);
}

static const struct port_ops stream_ops = {
	.kind = "stream",
	.recv = stream_recv,
	.done = stream_done,
	.send = stream_send,
	.want_room = stream_want_room,
	.close = stream_close,
};

/* Refuses what is no stream socket, sets what makes it fast. */
static int stream_tune(int fd)
{
	int type = 0, domain = 0, on = 1, size = STREAM_SNDBUF;
	socklen_t len = sizeof(type);

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return -errno;
	len = sizeof(domain);
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) < 0)
		return -errno;
	if (type != SOCK_STREAM)
		return -EPROTOTYPE;
	/* Both are wishes: the link works without.  TCP sizes its buffers
	 * itself, and better than wmem_max would let us. */
	if (domain == AF_UNIX)
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size,
				 sizeof(size));
	else
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
				 sizeof(on));
	return 0;
}

/* Takes fd as the connection; on failure it is still the caller's. */
static int stream_attach(struct stream *s, int fd)
{
	int r = stream_tune(fd);

	if (r < 0)
		return r;
	s->io = (struct loop_io){.fd = fd, .fn = stream_event};
	r = loop_add(s->env->loop, &s->io, EPOLLIN | EPOLLRDHUP);
	if (r < 0)
		return r;
	s->fd = fd;
	port_fault_clear(&s->port);
	lan_port_link(&s->port, true);
	return 0;
}

int netdev_stream_attach(struct port *p, int fd)
{
	struct stream *s = stream_of(p);

	if (s->fd >= 0 || s->is_gone)
		return -EISCONN;
	return stream_attach(s, fd);
}

int stream_new(const struct netdev_env *env, const struct conn_args *a,
	       struct port **portp)
{
	struct stream *s = calloc(1, sizeof(*s));
	int r = -ENOMEM;

	if (!s)
		return -ENOMEM;
	*s = (struct stream){
		.port = {.ops = &stream_ops,
			 .caps = {.max_frame = FRAME_MAX, .queues = 1},
			 .id = a->id},
		.env = env,
		.args = *a,
		.fd = -1,
		.io = {.fd = -1, .fn = stream_event},
	};
	snprintf(s->port.name, sizeof(s->port.name), "%s", a->name);
	loop_work_init(&s->more, stream_more);
	loop_work_init(&s->gone, stream_gone);
	loop_work_init(&s->room, stream_room);
	timer_init(&s->retry, stream_retry);
	s->spill = malloc(FRAMING_LOW);
	if (!s->spill || framing_init(&s->rx) < 0)
		goto err_free;
	lan_port_add(env->lan, &s->port);
	if (a->fd >= 0) {
		r = stream_attach(s, a->fd);
		if (r < 0)
			goto err_del;
	}
	*portp = &s->port;
	return 0;

err_del:
	lan_port_del(&s->port);
err_free:
	framing_deinit(&s->rx);
	free(s->spill);
	free(s);
	return r;
}

int netdev_stream_new(const struct netdev_env *env,
		      const struct netdev_stream_config *c, struct port **portp)
{
	return stream_new(env,
			  &(struct conn_args){.name = c->name,
						.id = c->id,
						.fd = c->fd,
						.reconnect = c->reconnect},
			  portp);
}
