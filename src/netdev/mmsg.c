/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames over a datagram socket; see mmsg.h. */
/* #syscalls: recvmmsg sendmmsg getsockopt setsockopt close mmap munmap */
#include "netdev/mmsg.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"

#define MMSG_RETRY_NS UINT64_C(2000000) /* look for room again */

enum {
	MMSG_TRIES = 16, /* errors or empty batches of one recv() */
	MMSG_SOCKBUF = 1024 * 1024,
};

static struct mmsg *mmsg_of(struct port *p)
{
	return container_of(p, struct mmsg, port);
}

/* ---- in ---- */

void mmsg_rx_drop(struct mmsg *m, enum drop_reason why)
{
	drop(m->env->drops, why);
	m->port.stats.rx_drops++;
}

void mmsg_take(struct mmsg *m, struct batch *b, unsigned i, uint32_t off)
{
	const struct mmsghdr *h = &m->in[i];
	uint32_t len = h->msg_len - off;

	if (len > FRAME_MAX || (h->msg_hdr.msg_flags & MSG_TRUNC))
		mmsg_rx_drop(m, DROP_FRAME_LONG);
	else if (len < FRAME_ETH_LEN)
		mmsg_rx_drop(m, DROP_FRAME_SHORT);
	else
		b->f[b->n++] = frame_flat(
			(uint8_t *)m->in_iov[i].iov_base + off, len);
}

/* Number of messages, 0 when there are none, -1 when it should be asked
 * again. */
static int read_batch(struct mmsg *m)
{
	int n;

	if (m->keeps_from) /* the kernel wrote the lengths it used there */
		for (unsigned i = 0; i < FRAME_BATCH; i++)
			m->in[i].msg_hdr.msg_namelen = sizeof(m->from[i]);
	n = recvmmsg(m->fd, m->in, FRAME_BATCH, MSG_DONTWAIT, NULL);
	if (n < 0 && (errno == EAGAIN || errno == ENOMEM)) {
		m->is_dry = true;
		return 0;
	}
	if (n < 0) {
		/* What the socket heard about an earlier send. */
		if (errno != EINTR)
			mmsg_rx_drop(m, DROP_PEER_REFUSED);
		return -1;
	}
	/* Fewer than asked for: the next datagram is a new edge. */
	m->is_dry = n < FRAME_BATCH;
	return n;
}

unsigned mmsg_recv(struct port *p, struct batch *b)
{
	struct mmsg *m = mmsg_of(p);

	b->n = 0;
	for (unsigned i = 0; i < MMSG_TRIES; i++) {
		int n;

		if (m->is_dry)
			return 0;
		n = read_batch(m);
		if (n > 0)
			m->ops->take(m, b, (unsigned)n);
		if (b->n)
			return b->n;
	}
	/* Nothing but errors and what was dropped: the others' turn. */
	loop_defer(m->env->loop, &m->more);
	return 0;
}

void mmsg_done(struct port *p, struct batch *b)
{
	(void)p; /* the buffers are used again by the next recv */
	(void)b;
}

static void go(struct mmsg *m)
{
	if (lan_port_readable(&m->port))
		loop_defer(m->env->loop, &m->more);
}

static void on_more(struct loop_work *w)
{
	go(container_of(w, struct mmsg, more));
}

/* ---- out ---- */

void mmsg_tx_drop(struct mmsg *m, enum drop_reason why)
{
	drop(m->env->drops, why);
	m->port.stats.tx_drops++;
}

bool mmsg_put(const struct mmsg *m, struct mmsg_out *o, const struct batch *b,
	      unsigned i, const struct mmsg_dest *d, bool is_last)
{
	struct iovec *iov = &o->iov[o->n_iov];
	unsigned has_hdr = d->hdr != NULL, n;

	if (b->f[i].len > m->port.caps.max_frame || o->n == FRAME_BATCH ||
	    MMSG_IOV - o->n_iov <= has_hdr)
		return false;
	n = frame_iov(&b->f[i], 0, iov + has_hdr,
		      MMSG_IOV - o->n_iov - has_hdr);
	if (n == 0)
		return false;
	if (has_hdr)
		iov[0] = (struct iovec){(void *)d->hdr, d->hdr_len};
	n += has_hdr;
	o->index[o->n] = (uint8_t)i;
	if (is_last)
		o->ends |= UINT64_C(1) << o->n;
	o->msg[o->n++] = (struct mmsghdr){
		.msg_hdr = {.msg_name = d->to_len ? (void *)d->to : NULL,
			    .msg_namelen = d->to_len,
			    .msg_iov = iov,
			    .msg_iovlen = n},
	};
	o->n_iov += n;
	return true;
}

/* The first message of a call was not sent: counts it as lost, or returns
 * false if it may be sent later. */
static bool is_refused(struct mmsg *m, int err)
{
	if (err == EAGAIN || err == EINTR || err == ENOBUFS || err == ENOMEM)
		return false;
	if (err == EMSGSIZE) {
		mmsg_tx_drop(m, DROP_FRAME_LONG);
		return true;
	}
	mmsg_tx_drop(m, DROP_PEER_REFUSED);
	if (m->ops->lost)
		m->ops->lost(m);
	return true;
}

/* Sends the messages of o in order; returns the number dealt with. */
static unsigned push(struct mmsg *m, struct mmsg_out *o)
{
	int fd = m->tx_fd >= 0 ? m->tx_fd : m->fd;
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
		/* The socket tells of a refusal by failing the next send: that
		 * one was not tried and gets its own chance. */
		if (m->refuses_late && !again &&
		    (errno == ECONNREFUSED || errno == ENOPROTOOPT)) {
			mmsg_tx_drop(m, DROP_PEER_REFUSED);
			again = true;
			continue;
		}
		if (!is_refused(m, errno))
			break;
		again = false;
		at++;
	}
	m->n_out += at;
	return at;
}

uint64_t mmsg_send(struct port *p, const struct batch *b, uint64_t mask)
{
	struct mmsg *m = mmsg_of(p);
	uint64_t left = mask;
	struct mmsg_out o;

	o.part = 0;
	while (left) {
		unsigned n;

		o.n = o.n_iov = 0;
		o.ends = 0;
		m->ops->fill(m, &o, b, left);
		if (o.n == 0) { /* the first of them can never be sent */
			mmsg_tx_drop(m, DROP_FRAME_LONG);
			left &= left - 1;
			continue;
		}
		n = push(m, &o);
		for (unsigned i = 0; i < n; i++) {
			o.part++;
			if (!(o.ends >> i & 1))
				continue;
			left &= ~(UINT64_C(1) << o.index[i]);
			o.part = 0;
		}
		if (n < o.n)
			break;
	}
	if (left && o.part) { /* some have it: the others lose it */
		mmsg_tx_drop(m, DROP_PORT_FULL);
		left &= left - 1;
	}
	return mask & ~left;
}

/* A socket that is not connected gets no event when its peer's queue has room
 * again, and a shortage of memory has none either: look again soon. */
void mmsg_want_room(struct port *p)
{
	struct mmsg *m = mmsg_of(p);

	m->is_room_wanted = true;
	/* Without the event there is still the time. */
	(void)loop_out(m->env->loop, &m->io, true);
	timer_arm(loop_wheel(m->env->loop), &m->retry,
		  *loop_now(m->env->loop) + MMSG_RETRY_NS);
}

static void tell_room(struct mmsg *m)
{
	if (!m->is_room_wanted)
		return;
	m->is_room_wanted = false;
	timer_disarm(loop_wheel(m->env->loop), &m->retry);
	lan_port_room(&m->port);
}

static void on_retry(struct timer *t, uint64_t now_ns)
{
	(void)now_ns;
	tell_room(container_of(t, struct mmsg, retry));
}

/* ---- life ---- */

static void on_event(struct loop_io *io, uint32_t events)
{
	struct mmsg *m = container_of(io, struct mmsg, io);

	if ((events & EPOLLOUT) && m->is_room_wanted)
		tell_room(m);
	else if (events & EPOLLOUT) /* again, and for nothing: no longer */
		(void)loop_out(m->env->loop, &m->io, false);
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
		m->is_dry = false;
		go(m);
	}
}

void mmsg_init(struct mmsg *m, const struct netdev_env *env, const char *name,
	       uint32_t id)
{
	m->env = env;
	m->fd = m->tx_fd = -1;
	m->port.caps = (struct port_caps){.queues = 1, .lossy = true};
	m->port.id = id;
	snprintf(m->port.name, sizeof(m->port.name), "%s", name);
	loop_work_init(&m->more, on_more);
	timer_init(&m->retry, on_retry);
}

/* Never less than whoever opened it had the right to. */
static void grow(int fd, int option)
{
	int size = 0, wanted = MMSG_SOCKBUF;
	socklen_t len = sizeof(size);

	/* Wishes: the kernel cuts them to what it allows, and tells twice as
	 * much as was asked for. */
	if (getsockopt(fd, SOL_SOCKET, option, &size, &len) == 0 &&
	    size < 2 * wanted)
		(void)setsockopt(fd, SOL_SOCKET, option, &wanted,
				 sizeof(wanted));
}

static void prepare_in(struct mmsg *m)
{
	for (unsigned i = 0; i < FRAME_BATCH; i++) {
		m->in_iov[i] = (struct iovec){m->area + i * MMSG_SLOT,
					      MMSG_SLOT};
		m->in[i].msg_hdr = (struct msghdr){
			.msg_iov = &m->in_iov[i],
			.msg_iovlen = 1,
		};
		if (m->keeps_from)
			m->in[i].msg_hdr.msg_name = &m->from[i];
	}
}

int mmsg_open(struct mmsg *m, int fd, int tx_fd)
{
	int r;

	m->area = mmap(NULL, MMSG_AREA, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (m->area == MAP_FAILED) {
		m->area = NULL;
		return -ENOMEM;
	}
	prepare_in(m);
	m->io = (struct loop_io){.fd = fd, .fn = on_event};
	r = loop_add(m->env->loop, &m->io, EPOLLIN);
	if (r < 0)
		return r;
	grow(fd, SO_RCVBUF);
	grow(tx_fd >= 0 ? tx_fd : fd, SO_SNDBUF);
	m->fd = fd;
	m->tx_fd = tx_fd;
	lan_port_add(m->env->lan, &m->port);
	lan_port_link(&m->port, true);
	return 0;
}

void mmsg_close(struct mmsg *m)
{
	timer_disarm(loop_wheel(m->env->loop), &m->retry);
	loop_undefer(m->env->loop, &m->more);
	if (m->fd >= 0)
		loop_del(m->env->loop, &m->io);
	fd_close(&m->fd);
	fd_close(&m->tx_fd);
	if (m->area)
		munmap(m->area, MMSG_AREA);
	m->area = NULL;
}
