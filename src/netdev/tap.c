/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port kinds `tap`, `netns`, `bridge`, `hostif`, `macvtap` and `router`: a
 * network interface of the host (or of another network namespace), by the
 * descriptors of /dev/net/tun attached to it (reference 1.5).  What the
 * interface is part of is the keeper's matter.
 *
 * Called by the lan (port hooks) and by the loop.  Each worker that has a queue
 * reads its own ones (tap_priv.h) and writes the first of them, so that order
 * is kept.  The kernel gives a flow to the queue that wrote of that flow last,
 * so answers come to the worker that has the flow.
 *
 * One system call moves one frame, both ways: the kernel knows no more.  What
 * makes it fast are the offloads of the header in front (vnethdr.h): one frame
 * carries up to 64 KiB.
 *
 * Carrier is the interface's own "up".  The kernel tells it by EIO on a write
 * and by writability; while it is down a slow timer looks again, too.  An
 * interface that was removed (EBADFD) is the end of the port: FAULT_IO.  Both
 * are worker 0's to act upon: the others ring for it.
 */
/* #syscalls: read write writev poll ppoll close mmap munmap eventfd2 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "netdev/tap_priv.h"
#include "netdev/vnethdr.h"

#define TAP_PROBE_NS UINT64_C(500000000)

enum {
	TAP_FRAME_ROOM = VNETHDR_LEN + FRAME_MAX + 64, /* one read, aligned */
	TAP_AREA = 1024 * 1024 + TAP_FRAME_ROOM,
	TAP_READS = 4 * FRAME_BATCH, /* reads of one recv() */
	TAP_MIN_FRAME = 60,	     /* shorter ones are padded */
	TAP_QUEUES_MAX = 1024,
	TAP_IOV = FRAME_IOV_MAX + 3, /* header, frame's hdr, padding */
};

static struct tap_part *part_of(struct port *p)
{
	return container_of(p, struct tap_part, port);
}

/* The port as worker 0 and everybody else knows it. */
static struct port *tap_port(const struct tap *t)
{
	return &t->part[0]->port;
}

/* In between, the parts of other workers are ours. */
static void tap_pause(const struct tap *t)
{
	if (t->n_parts > 1)
		t->env->pause(t->env->arg);
}

static void tap_resume(const struct tap *t)
{
	if (t->n_parts > 1)
		t->env->resume(t->env->arg);
}

/* ---- carrier ---- */

/* What was found out inside the lan, and perhaps not on worker 0. */
static void part_tell(struct tap_part *s, enum tap_news news)
{
	struct tap *t = s->tap;
	const uint64_t one = 1;
	unsigned before;

	if (news == TAP_NEWS_GONE)
		s->is_gone = true;
	before = atomic_fetch_or(&t->news, news);
	if (s == t->part[0])
		loop_defer(s->loop, &t->heard);
	else if (!(before & news))
		(void)!write(t->bell.fd, &one, sizeof(one)); /* as bell.c's */
}

/* In a pause. */
static void tap_detach(struct tap *t)
{
	for (unsigned i = 0; i < t->n_parts; i++) {
		struct tap_part *s = t->part[i];

		s->is_gone = true;
		loop_undefer(s->loop, &s->more);
		for (unsigned k = 0; k < s->n_queues; k++) {
			if (s->queue[k].io.fd >= 0)
				loop_del(s->loop, &s->queue[k].io);
			fd_close(&s->queue[k].io.fd);
			s->queue[k].ready = false;
		}
	}
}

static void tap_gone(struct tap *t)
{
	tap_pause(t);
	tap_detach(t);
	timer_disarm(loop_wheel(t->env->loop), &t->probe);
	port_fault(tap_port(t), FAULT_IO, "the interface was removed");
	lan_port_link(tap_port(t), false);
	tap_resume(t);
}

/* Is the interface up?  Asking also makes the kernel tell when it is. */
static bool tap_is_up(const struct tap *t)
{
	struct pollfd pfd = {.fd = t->part[0]->queue[0].io.fd,
			     .events = POLLOUT};

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLOUT);
}

static void tap_check(struct tap *t)
{
	bool up;

	if (t->part[0]->is_gone)
		return;
	up = tap_is_up(t);
	if (up)
		timer_disarm(loop_wheel(t->env->loop), &t->probe);
	else
		timer_arm(loop_wheel(t->env->loop), &t->probe,
			  *loop_now(t->env->loop) + TAP_PROBE_NS);
	if (up != tap_port(t)->carrier)
		lan_port_link(tap_port(t), up);
}

static void tap_probe(struct timer *timer, uint64_t now_ns)
{
	(void)now_ns;
	tap_check(container_of(timer, struct tap, probe));
}

static void tap_no_uso(struct tap *t)
{
	uint32_t uso = PORT_O_USO4 | PORT_O_USO6;
	struct port_caps caps = *lan_port_own_caps(tap_port(t));

	if (!(caps.offload & uso))
		return;
	caps.offload &= ~uso;
	lan_port_caps(tap_port(t), &caps);
}

static void tap_hear(struct tap *t)
{
	unsigned news = atomic_exchange(&t->news, 0);

	if (t->part[0]->queue[0].io.fd < 0)
		return; /* it is gone, and that was said */
	if (news & TAP_NEWS_GONE) {
		tap_gone(t);
		return;
	}
	if (news & TAP_NEWS_NO_USO)
		tap_no_uso(t);
	tap_check(t);
}

static void tap_heard(struct loop_work *w)
{
	tap_hear(container_of(w, struct tap, heard));
}

/* Edge-triggered, and never read: each ring is an event. */
static void tap_rung(struct loop_io *io, uint32_t events)
{
	(void)events;
	tap_hear(container_of(io, struct tap, bell));
}

/* ---- in ---- */

static struct tap_queue *part_ready(struct tap_part *s)
{
	for (unsigned i = 0; i < s->n_queues; i++) {
		struct tap_queue *q = &s->queue[(s->turn + i) % s->n_queues];

		if (q->ready)
			return q;
	}
	return NULL;
}

static void tap_rx_drop(struct tap_part *s, enum drop_reason why)
{
	drop(s->drops, why);
	s->port.stats.rx_drops++;
}

/* The n bytes read to at, header in front, as a frame; false: dropped. */
static bool tap_frame(struct tap_part *s, const uint8_t *at, size_t n,
		      struct frame *f)
{
	uint32_t hdr_len = s->tap->hdr_len;

	if (n < hdr_len + (size_t)FRAME_ETH_LEN) {
		tap_rx_drop(s, DROP_FRAME_SHORT);
		return false;
	}
	if (n > hdr_len + (size_t)FRAME_MAX) {
		tap_rx_drop(s, DROP_FRAME_LONG);
		return false;
	}
	*f = frame_flat(at + hdr_len, (uint32_t)(n - hdr_len));
	if (hdr_len && (!vnethdr_parse(at, f) || !frame_offload_check(f))) {
		tap_rx_drop(s, DROP_OFFLOAD_BAD);
		return false;
	}
	return true;
}

/* True if f, which came by q, is for the lan. */
static bool tap_passes(struct tap_part *s, const struct tap_queue *q,
		       const struct frame *f)
{
	struct tap *t = s->tap;

	if (t->legs)
		return tap_legs_in(t, q, f);
	if (t->beside ? !beside_gives(t->beside, f)
		      : t->hostif.n && !hostif_gives(&t->hostif, f)) {
		tap_rx_drop(s, DROP_NOT_THE_HOST);
		return false;
	}
	return true;
}

/* Bytes read to at, or 0 when queue q is empty or gone. */
static size_t tap_read(struct tap_queue *q, uint8_t *at)
{
	ssize_t n;

	do
		n = read(q->io.fd, at, TAP_FRAME_ROOM);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return (size_t)n;
	q->ready = false;
	if (n < 0 && errno != EAGAIN && errno != EIO && errno != ENOMEM)
		part_tell(q->part, TAP_NEWS_GONE);
	return 0;
}

static unsigned tap_recv(struct port *p, struct batch *b)
{
	struct tap_part *s = part_of(p);
	uint32_t off = 0;

	b->n = 0;
	s->turn = (s->turn + 1) % s->n_queues; /* none may keep us for good */
	for (unsigned i = 0; i < TAP_READS; i++) {
		struct tap_queue *q = part_ready(s);
		uint8_t *at = s->area + off;
		size_t n;

		if (!q || b->n == FRAME_BATCH ||
		    TAP_AREA - off < TAP_FRAME_ROOM)
			return b->n;
		n = tap_read(q, at);
		if (n && tap_frame(s, at, n, &b->f[b->n]) &&
		    tap_passes(s, q, &b->f[b->n])) {
			b->n++;
			off += (uint32_t)(n + 63) & ~UINT32_C(63);
		}
	}
	if (b->n == 0) /* nothing but bad frames: the others' turn */
		loop_defer(s->loop, &s->more);
	return b->n;
}

static void tap_done(struct port *p, struct batch *b)
{
	(void)p; /* the area is used again by the next recv */
	(void)b;
}

static void part_go(struct tap_part *s)
{
	if (s->is_gone || !part_ready(s))
		return;
	if (lan_port_readable(&s->port))
		loop_defer(s->loop, &s->more);
}

static void part_more(struct loop_work *w)
{
	part_go(container_of(w, struct tap_part, more));
}

/* ---- out ---- */

static void tap_tx_drop(struct tap_part *s, enum drop_reason why)
{
	drop(s->drops, why);
	s->port.stats.tx_drops++;
}

/* Pieces of header, frame and padding; 0 if the frame cannot be sent. */
static unsigned tap_pieces(const struct tap *t, const struct frame *f,
			   uint8_t *hdr, struct iovec *iov)
{
	static const uint8_t zeros[TAP_MIN_FRAME];
	unsigned n = 0, n_frame;

	if (f->len > FRAME_MAX)
		return 0;
	if (t->hdr_len) {
		vnethdr_emit(&f->off, hdr);
		iov[n++] = (struct iovec){hdr, VNETHDR_LEN};
	}
	n_frame = frame_iov(f, 0, iov + n, TAP_IOV - 2);
	if (n_frame == 0)
		return 0;
	n += n_frame;
	if (f->len < TAP_MIN_FRAME)
		iov[n++] = (struct iovec){(void *)zeros,
					  TAP_MIN_FRAME - f->len};
	return n;
}

/* A write failed for good: gives the loss its name. */
static void tap_refused(struct tap_part *s, const struct frame *f, int err)
{
	bool is_uso = f->off.gso == FRAME_GSO_UDP4 ||
		      f->off.gso == FRAME_GSO_UDP6;

	if (err == EIO) {
		tap_tx_drop(s, DROP_LINK_DOWN);
		part_tell(s, TAP_NEWS_CHECK);
	} else if (err == EFAULT) { /* the frame lay in a guest's memory */
		tap_tx_drop(s, DROP_MEMORY_GONE);
	} else if (err == EBADFD || err == ENODEV) {
		tap_tx_drop(s, DROP_LINK_DOWN);
		part_tell(s, TAP_NEWS_GONE);
	} else if (err == EINVAL && is_uso) { /* kernels before 6.2 */
		tap_tx_drop(s, DROP_GSO_FAILED);
		part_tell(s, TAP_NEWS_NO_USO);
	} else if (err == EMSGSIZE || err == E2BIG) {
		tap_tx_drop(s, DROP_FRAME_LONG);
	} else {
		tap_tx_drop(s, DROP_PEER_REFUSED);
	}
}

/* False if there is no room for f now. */
static bool tap_write(struct tap_part *s, const struct frame *f)
{
	const struct tap_queue *q = &s->queue[0];
	struct tap *t = s->tap;
	uint8_t hdr[VNETHDR_LEN];
	struct iovec iov[TAP_IOV];
	unsigned n;
	ssize_t r;

	if (s->is_gone) {
		tap_tx_drop(s, DROP_LINK_DOWN);
		return true;
	}
	if (t->beside && !beside_takes(t->beside, f))
		return true;
	if (!t->beside && t->hostif.n && !hostif_takes(&t->hostif, f)) {
		tap_tx_drop(s, DROP_NOT_THE_HOST);
		return true;
	}
	n = tap_pieces(t, f, hdr, iov);
	if (n == 0) {
		tap_tx_drop(s, DROP_FRAME_LONG);
		return true;
	}
	if (t->legs)
		q = tap_legs_out(t, f);
	do
		r = writev(q->io.fd, iov, (int)n);
	while (r < 0 && errno == EINTR);
	if (r >= 0)
		return true;
	if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
		return false;
	tap_refused(s, f, errno);
	return true;
}

static uint64_t tap_send(struct port *p, const struct batch *b, uint64_t mask)
{
	struct tap_part *s = part_of(p);
	uint64_t done = 0;

	for (uint64_t m = mask; m; m &= m - 1) {
		if (!tap_write(s, &b->f[__builtin_ctzll(m)]))
			break;
		done |= m & -m;
	}
	return done;
}

/* ---- life ---- */

static void tap_event(struct loop_io *io, uint32_t events)
{
	struct tap_queue *q = container_of(io, struct tap_queue, io);
	struct tap_part *s = q->part;

	if (!s->port.carrier && s == s->tap->part[0])
		tap_check(s->tap);
	if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		return;
	q->ready = true;
	part_go(s);
}

static struct tap_part *part_free(struct tap_part *s)
{
	if (!s)
		return NULL;
	if (s->area)
		munmap(s->area, TAP_AREA);
	free(s);
	return NULL;
}

/* Its queues are detached, or were never added. */
static void tap_free(struct tap *t)
{
	timer_disarm(loop_wheel(t->env->loop), &t->probe);
	loop_undefer(t->env->loop, &t->heard);
	loop_del(t->env->loop, &t->bell);
	fd_close(&t->bell.fd);
	t->legs = tap_legs_free(t->legs);
	t->beside = beside_free(t->beside);
	for (unsigned i = 0; i < t->n_parts; i++)
		t->part[i] = part_free(t->part[i]);
	free(t);
}

static void tap_close(struct port *p)
{
	struct tap *t = part_of(p)->tap;

	tap_pause(t);
	tap_detach(t);
	tap_resume(t);
	tap_free(t);
}

#define TAP_OPS(kind_)                                                         \
	{                                                                      \
		.kind = (kind_), .recv = tap_recv, .done = tap_done,           \
		.send = tap_send, .close = tap_close                           \
	}

/* The kinds that are taps, and whether they lead to more than one machine. */
static const struct tap_kind {
	struct port_ops ops;
	bool is_uplink;
} tap_kinds[] = {
	{TAP_OPS("tap"), false},    {TAP_OPS("netns"), false},
	{TAP_OPS("bridge"), true},  {TAP_OPS("hostif"), false},
	{TAP_OPS("macvtap"), true}, {TAP_OPS("router"), true},
};

static const struct tap_kind *tap_kind_find(const char *name)
{
	for (size_t i = 0; i < array_len(tap_kinds); i++) {
		if (strcmp(tap_kinds[i].ops.kind, name) == 0)
			return &tap_kinds[i];
	}
	return NULL;
}

int tap_queue_add(struct tap_part *s, unsigned i, int fd)
{
	struct tap_queue *q = &s->queue[i];
	/* On the one that is written room is watched, for the carrier. */
	bool is_watched = i == 0 && s == s->tap->part[0];
	int r;

	q->io = (struct loop_io){.fd = fd, .fn = tap_event};
	r = loop_add(s->loop, &q->io,
		     is_watched ? EPOLLIN | EPOLLOUT : EPOLLIN);
	if (r < 0)
		q->io.fd = -1;
	return r;
}

static struct tap_queue *tap_queue(const struct tap *t, unsigned q)
{
	return &t->part[q % t->n_parts]->queue[q / t->n_parts];
}

/* Those of one that failed are still the caller's.  In a pause. */
static int tap_add_queues(struct tap *t, const int *fds, unsigned n_fds)
{
	for (unsigned q = 0; q < n_fds; q++) {
		int r = tap_queue_add(t->part[q % t->n_parts], q / t->n_parts,
				      fds[q]);

		if (r == 0)
			continue;
		while (q--) {
			struct tap_queue *had = tap_queue(t, q);

			loop_del(had->part->loop, &had->io);
		}
		return r;
	}
	return 0;
}

/* The other workers have their parts from now on; in a pause. */
static int tap_add_legs(struct tap *t)
{
	int r = 0;

	for (unsigned i = 1; i < t->n_parts && r == 0; i++)
		r = t->env->leg(t->env->arg, tap_port(t), i,
				&t->part[i]->port);
	return r;
}

static void tap_set_host(struct tap *t, const struct prefix *ip, unsigned n)
{
	t->hostif.n = n < HOSTIF_IP_MAX ? n : HOSTIF_IP_MAX;
	for (unsigned i = 0; i < t->hostif.n; i++)
		t->hostif.ip[i] = ip[i];
}

void netdev_hostif_host(struct port *p, const struct prefix *ip, unsigned n)
{
	struct tap *t = part_of(p)->tap;

	tap_set_host(t, ip, n);
	if (t->beside)
		beside_changed(t->beside);
}

static struct port port_init(const struct tap_kind *kind,
			     const struct netdev_tap_config *c)
{
	struct port p = {
		.ops = &kind->ops,
		.caps = {.offload = c->vnet_hdr ? PORT_O_ALL : 0,
			 .max_frame = FRAME_MAX,
			 .queues = c->n_fds,
			 .queue_frames = c->queue_frames,
			 .lossy = true,
			 .is_uplink = kind->is_uplink},
		.id = c->id,
	};

	snprintf(p.name, sizeof(p.name), "%s", c->name);
	return p;
}

/* Part i of t, with so many queues; NULL: no memory. */
static struct tap_part *part_new(struct tap *t, unsigned i, unsigned n,
				 const struct port *p)
{
	const struct netdev_worker *w = i ? &t->env->workers[i - 1] : NULL;
	struct tap_part *s = mem_apart(
		1, sizeof(*s) + n * sizeof(struct tap_queue));

	if (!s)
		return NULL;
	s->port = *p;
	s->tap = t;
	s->loop = w ? w->loop : t->env->loop;
	s->drops = w ? w->drops : t->env->drops;
	s->n_queues = n;
	loop_work_init(&s->more, part_more);
	for (unsigned k = 0; k < n; k++)
		s->queue[k] = (struct tap_queue){.part = s, .io.fd = -1};
	s->area = mmap(NULL, TAP_AREA, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (s->area != MAP_FAILED)
		return s;
	s->area = NULL;
	return part_free(s);
}

static int tap_parts(struct tap *t, const struct tap_kind *kind,
		     const struct netdev_tap_config *c)
{
	unsigned n = c->has_legs ? TAP_LEGS_MAX : c->n_fds;
	const struct port p = port_init(kind, c);

	for (unsigned i = 0; i < t->n_parts; i++) {
		/* n, of which each gets every n_parts-th. */
		unsigned has = (n - i + t->n_parts - 1) / t->n_parts;

		t->part[i] = part_new(t, i, has, &p);
		if (!t->part[i])
			return -ENOMEM;
	}
	if (t->n_parts == 1)
		return 0;
	t->bell.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->bell.fd < 0)
		return -errno;
	return loop_add(t->env->loop, &t->bell, EPOLLIN);
}

static int tap_alloc(const struct netdev_env *env, const struct tap_kind *kind,
		     const struct netdev_tap_config *c, struct tap **tp)
{
	unsigned n_workers = env->n_workers + 1;
	unsigned n = c->n_fds < n_workers ? c->n_fds : n_workers;
	struct tap *t = calloc(1, sizeof(*t) + n * sizeof(t->part[0]));
	int r;

	if (!t)
		return -ENOMEM;
	t->env = env;
	t->hdr_len = c->vnet_hdr ? VNETHDR_LEN : 0;
	t->n_parts = n;
	t->bell = (struct loop_io){.fd = -1, .fn = tap_rung};
	tap_set_host(t, c->host_ip, c->n_host_ip);
	loop_work_init(&t->heard, tap_heard);
	timer_init(&t->probe, tap_probe);
	r = tap_parts(t, kind, c);
	if (r == 0 && c->has_legs)
		t->legs = tap_legs_new(t, c->mac);
	if (r == 0 && c->is_beside)
		t->beside = beside_new(env, tap_port(t), &t->hostif, c->mac);
	if (r == 0 &&
	    ((c->has_legs && !t->legs) || (c->is_beside && !t->beside)))
		r = -ENOMEM;
	if (r == 0)
		*tp = t;
	else
		tap_free(t);
	return r;
}

int netdev_tap_new(const struct netdev_env *env,
		   const struct netdev_tap_config *c, struct port **portp)
{
	const struct tap_kind *kind = tap_kind_find(c->kind);
	struct tap *t = NULL;
	int r;

	if (!kind || c->n_fds == 0 || c->n_fds > TAP_QUEUES_MAX ||
	    (c->has_legs && c->n_fds != 1) || c->n_host_ip > HOSTIF_IP_MAX ||
	    (c->is_beside && (c->has_legs || mac_is_zero(c->mac))))
		return -EINVAL;
	/* One thread has what those keep. */
	if (c->n_fds > 1 && (c->is_beside || c->n_host_ip))
		return -EINVAL;
	r = tap_alloc(env, kind, c, &t);
	if (r < 0)
		return r;
	lan_port_add(env->lan, tap_port(t));
	tap_pause(t);
	r = tap_add_legs(t);
	if (r == 0)
		r = tap_add_queues(t, c->fds, c->n_fds);
	if (r == 0)
		tap_check(t);
	else
		lan_port_del(tap_port(t));
	tap_resume(t);
	if (r == 0)
		*portp = tap_port(t);
	else
		tap_free(t);
	return r;
}
