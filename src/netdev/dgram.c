/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port kind `dgram`: one frame per datagram, no header (reference 1.4),
 * over UDP, UDP multicast and unix datagram sockets.
 *
 * Called by the lan (port hooks) and by the loop; one worker's thread.
 *
 * In:  recvmmsg into 64 buffers side by side.  The memory is reserved, not
 *      touched: a page is paid for when a frame was that long.
 * Out: sendmmsg for all frames of a call.
 *
 * The kind may lose frames, by nature and by name; a full socket refuses
 * frames, so that the sender may wait.  Nothing a peer does is a fault: any
 * length is a frame, a refusal costs the frame.
 *
 * On a multicast group the kernel gives us back what we sent.  We know it by
 * its source, `self`: an address and port nobody else sends from, hence the
 * separate socket tx_fd.
 */
/* #syscalls: recvmmsg sendmmsg getsockopt setsockopt getsockname connect */
/* #syscalls: close mmap munmap */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/list.h"
#include "base/mem.h"
#include "netdev/netdev.h"
#include "os/sockaddr.h"

#define DGRAM_RETRY_NS UINT64_C(2000000)    /* unix: look for room again */
#define DGRAM_ASK_NS   UINT64_C(1000000000) /* between two want_fd */

enum {
	/* Three cache lines more than a frame: slots that start at the same
	 * place of a page would fight for one set of the cache. */
	DGRAM_SLOT = FRAME_MAX + 192,
	DGRAM_AREA = FRAME_BATCH * DGRAM_SLOT,
	DGRAM_TRIES = 16, /* errors or empty batches of one recv() */
	DGRAM_SOCKBUF = 1024 * 1024,
	DGRAM_IOV = 512, /* pieces of one sendmmsg */
	UDP4_MAX = 65507,
	UDP6_MAX = 65527,
};

struct dgram {
	struct port port;
	const struct netdev_env *env; /* borrowed */
	int fd;			      /* owned */
	int tx_fd;		      /* owned; -1: fd sends */
	struct loop_io io;
	struct loop_work more; /* go on reading after the others' turn */
	struct loop_work ask;  /* tell the keeper that the peer is gone */
	struct timer retry;    /* looks for room where no event tells */
	uint64_t ask_after_ns; /* not before */
	struct sockaddr_storage to; /* where to send */
	socklen_t to_len;      /* 0: connected */
	struct endpoint self;  /* is_multicast: the source of our frames */
	bool is_multicast;
	bool is_unix;
	bool is_dry;	     /* the last batch emptied the socket */
	bool is_room_wanted; /* somebody waits for lan_port_room() */
	uint8_t *area;	     /* owned mapping, DGRAM_AREA bytes */
	struct mmsghdr in[FRAME_BATCH];
	struct iovec in_iov[FRAME_BATCH];
	struct sockaddr_storage from[FRAME_BATCH]; /* multicast only */
};

/* One sendmmsg. */
struct dgram_out {
	struct mmsghdr msg[FRAME_BATCH];
	struct iovec iov[DGRAM_IOV];
	uint8_t index[FRAME_BATCH]; /* of the frame in the batch */
	unsigned n;		    /* messages */
	unsigned n_iov;
};

static struct dgram *dgram_of(struct port *p)
{
	return container_of(p, struct dgram, port);
}

/* ---- in ---- */

static void dgram_rx_drop(struct dgram *d, enum drop_reason why)
{
	drop(d->env->drops, why);
	d->port.stats.rx_drops++;
}

static bool dgram_is_own(const struct dgram *d,
			 const struct sockaddr_storage *from)
{
	struct endpoint ep;

	return d->is_multicast && sockaddr_to(from, &ep) &&
	       endpoint_eq(&ep, &d->self);
}

/* Takes the first n messages into b. */
static void dgram_take(struct dgram *d, struct batch *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		const struct mmsghdr *m = &d->in[i];

		if (dgram_is_own(d, &d->from[i]))
			dgram_rx_drop(d, DROP_SELF_ECHO);
		else if (m->msg_len > FRAME_MAX ||
			 (m->msg_hdr.msg_flags & MSG_TRUNC))
			dgram_rx_drop(d, DROP_FRAME_LONG);
		else if (m->msg_len < FRAME_ETH_LEN)
			dgram_rx_drop(d, DROP_FRAME_SHORT);
		else
			b->f[b->n++] = frame_flat(d->in_iov[i].iov_base,
						  m->msg_len);
	}
}

static void dgram_in_init(struct dgram *d)
{
	for (unsigned i = 0; i < FRAME_BATCH; i++) {
		d->in_iov[i] = (struct iovec){d->area + i * DGRAM_SLOT,
					      DGRAM_SLOT};
		d->in[i].msg_hdr = (struct msghdr){
			.msg_iov = &d->in_iov[i],
			.msg_iovlen = 1,
		};
		if (d->is_multicast)
			d->in[i].msg_hdr.msg_name = &d->from[i];
	}
}

/* Number of messages, 0 when there are none, -1 when it should be asked
 * again. */
static int dgram_read(struct dgram *d)
{
	int n;

	if (d->is_multicast) /* the kernel wrote the lengths it used there */
		for (unsigned i = 0; i < FRAME_BATCH; i++)
			d->in[i].msg_hdr.msg_namelen = sizeof(d->from[i]);
	n = recvmmsg(d->fd, d->in, FRAME_BATCH, MSG_DONTWAIT, NULL);
	if (n < 0 && (errno == EAGAIN || errno == ENOMEM)) {
		d->is_dry = true;
		return 0;
	}
	if (n < 0) {
		/* What the socket heard about an earlier send. */
		if (errno != EINTR)
			dgram_rx_drop(d, DROP_PEER_REFUSED);
		return -1;
	}
	/* Fewer than asked for: the next datagram is a new edge. */
	d->is_dry = n < FRAME_BATCH;
	return n;
}

static unsigned dgram_recv(struct port *p, struct batch *b)
{
	struct dgram *d = dgram_of(p);

	b->n = 0;
	for (unsigned i = 0; i < DGRAM_TRIES; i++) {
		int n;

		if (d->is_dry)
			return 0;
		n = dgram_read(d);
		if (n > 0)
			dgram_take(d, b, (unsigned)n);
		if (b->n)
			return b->n;
	}
	/* Nothing but errors and what was dropped: the others' turn. */
	loop_defer(d->env->loop, &d->more);
	return 0;
}

static void dgram_done(struct port *p, struct batch *b)
{
	(void)p; /* the buffers are used again by the next recv */
	(void)b;
}

static void dgram_go(struct dgram *d)
{
	if (lan_port_readable(&d->port))
		loop_defer(d->env->loop, &d->more);
}

static void dgram_more(struct loop_work *w)
{
	dgram_go(container_of(w, struct dgram, more));
}

/* ---- out ---- */

static void dgram_tx_drop(struct dgram *d, enum drop_reason why)
{
	drop(d->env->drops, why);
	d->port.stats.tx_drops++;
}

/* As many frames of mask as fit into one call. */
static void dgram_fill(struct dgram *d, struct dgram_out *o,
		       const struct batch *b, uint64_t mask)
{
	o->n = o->n_iov = 0;
	for (; mask; mask &= mask - 1) {
		unsigned i = (unsigned)__builtin_ctzll(mask);
		struct iovec *iov = &o->iov[o->n_iov];
		unsigned n;

		if (b->f[i].len > d->port.caps.max_frame)
			return;
		n = frame_iov(&b->f[i], 0, iov, DGRAM_IOV - o->n_iov);
		if (n == 0)
			return;
		o->index[o->n] = (uint8_t)i;
		o->msg[o->n++] = (struct mmsghdr){
			.msg_hdr = {.msg_name = d->to_len ? &d->to : NULL,
				    .msg_namelen = d->to_len,
				    .msg_iov = iov,
				    .msg_iovlen = n},
		};
		o->n_iov += n;
	}
}

/* The peer of a unix socket is not there: somebody should look for it. */
static void dgram_lost(struct dgram *d)
{
	uint64_t now = *loop_now(d->env->loop);

	if (!d->is_unix || d->to_len || !d->env->want_fd ||
	    now < d->ask_after_ns)
		return;
	d->ask_after_ns = now + DGRAM_ASK_NS;
	loop_defer(d->env->loop, &d->ask);
}

static void dgram_ask(struct loop_work *w)
{
	struct dgram *d = container_of(w, struct dgram, ask);

	d->env->want_fd(d->env->arg, &d->port);
}

/* The first frame of a call was not sent: counts it as lost, or returns false
 * if it may be sent later. */
static bool dgram_refused(struct dgram *d, int err)
{
	if (err == EAGAIN || err == EINTR || err == ENOBUFS || err == ENOMEM)
		return false;
	if (err == EMSGSIZE) {
		dgram_tx_drop(d, DROP_FRAME_LONG);
		return true;
	}
	dgram_tx_drop(d, DROP_PEER_REFUSED);
	dgram_lost(d);
	return true;
}

/* Sends the messages of o in order; returns the number dealt with. */
static unsigned dgram_push(struct dgram *d, struct dgram_out *o)
{
	int fd = d->tx_fd >= 0 ? d->tx_fd : d->fd;
	unsigned at = 0;
	bool again = false;

	while (at < o->n) {
		int n = sendmmsg(fd, o->msg + at, o->n - at,
				 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0) {
			at += (unsigned)n;
			again = false;
			continue;
		}
		/* UDP tells of a refusal by failing the next send: that one
		 * was not tried and gets its own chance. */
		if (errno == ECONNREFUSED && !d->is_unix && !again) {
			dgram_tx_drop(d, DROP_PEER_REFUSED);
			again = true;
			continue;
		}
		if (!dgram_refused(d, errno))
			break;
		again = false;
		at++;
	}
	return at;
}

static uint64_t dgram_send(struct port *p, const struct batch *b, uint64_t mask)
{
	struct dgram *d = dgram_of(p);
	uint64_t left = mask;
	struct dgram_out o;

	while (left) {
		unsigned n;

		dgram_fill(d, &o, b, left);
		if (o.n == 0) { /* the first of them can never be sent */
			dgram_tx_drop(d, DROP_FRAME_LONG);
			left &= left - 1;
			continue;
		}
		n = dgram_push(d, &o);
		for (unsigned i = 0; i < n; i++)
			left &= ~(UINT64_C(1) << o.index[i]);
		if (n < o.n)
			break;
	}
	return mask & ~left;
}

/* A socket that is not connected gets no event when its peer's queue has room
 * again, and a shortage of memory has none either: look again soon. */
static void dgram_want_room(struct port *p)
{
	struct dgram *d = dgram_of(p);

	d->is_room_wanted = true;
	/* Without the event there is still the time. */
	(void)loop_out(d->env->loop, &d->io, true);
	timer_arm(loop_wheel(d->env->loop), &d->retry,
		  *loop_now(d->env->loop) + DGRAM_RETRY_NS);
}

static void dgram_room(struct dgram *d)
{
	if (!d->is_room_wanted)
		return;
	d->is_room_wanted = false;
	timer_disarm(loop_wheel(d->env->loop), &d->retry);
	lan_port_room(&d->port);
}

static void dgram_retry(struct timer *t, uint64_t now_ns)
{
	(void)now_ns;
	dgram_room(container_of(t, struct dgram, retry));
}

/* ---- life ---- */

static void dgram_event(struct loop_io *io, uint32_t events)
{
	struct dgram *d = container_of(io, struct dgram, io);

	if ((events & EPOLLOUT) && d->is_room_wanted)
		dgram_room(d);
	else if (events & EPOLLOUT) /* again, and for nothing: no longer */
		(void)loop_out(d->env->loop, &d->io, false);
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
		d->is_dry = false;
		dgram_go(d);
	}
}

static void dgram_free(struct dgram *d)
{
	timer_disarm(loop_wheel(d->env->loop), &d->retry);
	loop_undefer(d->env->loop, &d->more);
	loop_undefer(d->env->loop, &d->ask);
	if (d->area)
		munmap(d->area, DGRAM_AREA);
	free(d);
}

static void dgram_close(struct port *p)
{
	struct dgram *d = dgram_of(p);

	loop_del(d->env->loop, &d->io);
	fd_close(&d->fd);
	fd_close(&d->tx_fd);
	dgram_free(d);
}

static const struct port_ops dgram_ops = {
	.kind = "dgram",
	.recv = dgram_recv,
	.done = dgram_done,
	.send = dgram_send,
	.want_room = dgram_want_room,
	.close = dgram_close,
};

/* ---- making one ---- */

static void dgram_sockbuf(int fd)
{
	int size = DGRAM_SOCKBUF;

	/* Wishes: the kernel cuts them to what it allows. */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
}

/* Where our own frames seem to come from. */
static int dgram_find_self(struct dgram *d, const struct netdev_dgram_config *c)
{
	struct sockaddr_storage name = {0};
	socklen_t len = sizeof(name);

	d->self = c->self;
	if (!addr_is_unspecified(&c->self.ip))
		return 0;
	if (d->tx_fd < 0)
		return -EDESTADDRREQ;
	/* Connected, the sending socket has one source for good. */
	if (connect(d->tx_fd, (struct sockaddr *)&d->to, d->to_len) < 0)
		return -errno;
	d->to_len = 0;
	if (getsockname(d->tx_fd, (struct sockaddr *)&name, &len) < 0)
		return -errno;
	return sockaddr_to(&name, &d->self) ? 0 : -EAFNOSUPPORT;
}

/* Reads what kind of socket it is, finds the peer's name. */
static int dgram_address(struct dgram *d, const struct netdev_dgram_config *c)
{
	int type = 0, family = 0;
	socklen_t len = sizeof(type);

	if (getsockopt(c->fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
		return -errno;
	len = sizeof(family);
	if (getsockopt(c->fd, SOL_SOCKET, SO_DOMAIN, &family, &len) < 0)
		return -errno;
	if (type != SOCK_DGRAM)
		return -EPROTOTYPE;
	d->is_unix = family == AF_UNIX;
	d->port.caps.max_frame = family == AF_UNIX  ? FRAME_MAX
				 : family == AF_INET ? UDP4_MAX
						     : UDP6_MAX;
	if (c->is_connected)
		return 0;
	if (family == AF_UNIX) {
		struct sockaddr_un un = {.sun_family = AF_UNIX};

		memcpy(un.sun_path, c->remote_path, sizeof(un.sun_path));
		memcpy(&d->to, &un, sizeof(un));
		d->to_len = sizeof(un);
		return 0;
	}
	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	if (family == AF_INET && !addr_is_v4(&c->remote.ip))
		return -EAFNOSUPPORT;
	d->to_len = sockaddr_from(&c->remote, &d->to);
	return 0;
}

static int dgram_init(struct dgram *d, const struct netdev_dgram_config *c)
{
	int r = dgram_address(d, c);

	if (r < 0)
		return r;
	d->tx_fd = c->tx_fd > 0 ? c->tx_fd : -1;
	d->is_multicast = c->is_multicast;
	if (d->is_multicast) {
		r = dgram_find_self(d, c);
		if (r < 0)
			return r;
	}
	d->area = mmap(NULL, DGRAM_AREA, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (d->area == MAP_FAILED) {
		d->area = NULL;
		return -ENOMEM;
	}
	dgram_sockbuf(c->fd);
	if (d->tx_fd >= 0)
		dgram_sockbuf(d->tx_fd);
	dgram_in_init(d);
	return 0;
}

int netdev_dgram_new(const struct netdev_env *env,
		     const struct netdev_dgram_config *c, struct port **portp)
{
	struct dgram *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->env = env;
	d->port.ops = &dgram_ops;
	d->port.caps = (struct port_caps){.queues = 1, .lossy = true};
	d->port.id = c->id;
	snprintf(d->port.name, sizeof(d->port.name), "%s", c->name);
	loop_work_init(&d->more, dgram_more);
	loop_work_init(&d->ask, dgram_ask);
	timer_init(&d->retry, dgram_retry);
	r = dgram_init(d, c);
	if (r < 0)
		goto err_free;
	d->io = (struct loop_io){.fd = c->fd, .fn = dgram_event};
	r = loop_add(env->loop, &d->io, EPOLLIN);
	if (r < 0)
		goto err_free;
	d->fd = c->fd;
	lan_port_add(env->lan, &d->port);
	lan_port_link(&d->port, true);
	*portp = &d->port;
	return 0;

err_free:
	dgram_free(d);
	return r;
}
