/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port kinds `tap`, `netns`, `bridge`, `hostif`, `macvtap` and `router`: a
 * network interface of the host (or of another network namespace), by the
 * descriptors of /dev/net/tun attached to it (reference 1.5).  What the
 * interface is part of is the keeper's matter.
 *
 * Called by the lan (port hooks) and by the loop; one worker's thread.  All
 * queues are read; queue 0 alone is written, so that order is kept.
 *
 * One system call moves one frame, both ways: the kernel knows no more.  What
 * makes it fast are the offloads of the header in front (vnethdr.h): one frame
 * carries up to 64 KiB.
 *
 * Carrier is the interface's own "up".  The kernel tells it by EIO on a write
 * and by writability; while it is down a slow timer looks again, too.  An
 * interface that was removed (EBADFD) is the end of the port: FAULT_IO.
 */
/* #syscalls: read writev poll ppoll close mmap munmap */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static struct tap *tap_of(struct port *p)
{
	return container_of(p, struct tap, port);
}

/* ---- carrier ---- */

static void tap_end(struct tap *t)
{
	if (t->is_gone)
		return;
	t->is_gone = true;
	loop_defer(t->env->loop, &t->gone);
}

static void tap_detach(struct tap *t)
{
	for (unsigned i = 0; i < t->n_queues; i++) {
		if (t->queue[i].io.fd >= 0)
			loop_del(t->env->loop, &t->queue[i].io);
		fd_close(&t->queue[i].io.fd);
		t->queue[i].ready = false;
	}
}

static void tap_gone(struct loop_work *w)
{
	struct tap *t = container_of(w, struct tap, gone);

	tap_detach(t);
	timer_disarm(loop_wheel(t->env->loop), &t->probe);
	port_fault(&t->port, FAULT_IO, "the interface was removed");
	lan_port_link(&t->port, false);
}

/* Is the interface up?  Asking also makes the kernel tell when it is. */
static bool tap_is_up(const struct tap *t)
{
	struct pollfd pfd = {.fd = t->queue[0].io.fd, .events = POLLOUT};

	return poll(&pfd, 1, 0) == 1 && (pfd.revents & POLLOUT);
}

static void tap_check(struct tap *t)
{
	bool up;

	if (t->is_gone)
		return;
	up = tap_is_up(t);
	if (up)
		timer_disarm(loop_wheel(t->env->loop), &t->probe);
	else
		timer_arm(loop_wheel(t->env->loop), &t->probe,
			  *loop_now(t->env->loop) + TAP_PROBE_NS);
	if (up != t->port.carrier)
		lan_port_link(&t->port, up);
}

static void tap_probe(struct timer *timer, uint64_t now_ns)
{
	(void)now_ns;
	tap_check(container_of(timer, struct tap, probe));
}

/* What a send found out and could not act upon inside the lan. */
static void tap_recheck(struct loop_work *w)
{
	struct tap *t = container_of(w, struct tap, recheck);
	uint32_t uso = PORT_O_USO4 | PORT_O_USO6;
	struct port_caps caps = t->port.caps;

	if (t->no_uso && (caps.offload & uso)) {
		caps.offload &= ~uso;
		lan_port_caps(&t->port, &caps);
	}
	tap_check(t);
}

/* ---- in ---- */

static struct tap_queue *tap_ready(struct tap *t)
{
	for (unsigned i = 0; i < t->n_queues; i++) {
		struct tap_queue *q = &t->queue[(t->turn + i) % t->n_queues];

		if (q->ready)
			return q;
	}
	return NULL;
}

static void tap_rx_drop(struct tap *t, enum drop_reason why)
{
	drop(t->env->drops, why);
	t->port.stats.rx_drops++;
}

/* The n bytes read to at, header in front, as a frame; false: dropped. */
static bool tap_frame(struct tap *t, const uint8_t *at, size_t n,
		      struct frame *f)
{
	if (n < t->hdr_len + (size_t)FRAME_ETH_LEN) {
		tap_rx_drop(t, DROP_FRAME_SHORT);
		return false;
	}
	if (n > t->hdr_len + (size_t)FRAME_MAX) {
		tap_rx_drop(t, DROP_FRAME_LONG);
		return false;
	}
	*f = frame_flat(at + t->hdr_len, (uint32_t)(n - t->hdr_len));
	if (t->hdr_len &&
	    (!vnethdr_parse(at, f) || !frame_offload_check(f))) {
		tap_rx_drop(t, DROP_OFFLOAD_BAD);
		return false;
	}
	return true;
}

/* True if f, which came by q, is for the lan. */
static bool tap_passes(struct tap *t, const struct tap_queue *q,
		       const struct frame *f)
{
	if (t->legs)
		return tap_legs_in(t, q, f);
	if (t->beside ? !beside_gives(t->beside, f)
		      : t->hostif.n && !hostif_gives(&t->hostif, f)) {
		tap_rx_drop(t, DROP_NOT_THE_HOST);
		return false;
	}
	return true;
}

/* Bytes read to at, or 0 when queue q is empty or gone. */
static size_t tap_read(struct tap *t, struct tap_queue *q, uint8_t *at)
{
	ssize_t n;

	do
		n = read(q->io.fd, at, TAP_FRAME_ROOM);
	while (n < 0 && errno == EINTR);
	if (n > 0)
		return (size_t)n;
	q->ready = false;
	if (n < 0 && errno != EAGAIN && errno != EIO && errno != ENOMEM)
		tap_end(t);
	return 0;
}

static unsigned tap_recv(struct port *p, struct batch *b)
{
	struct tap *t = tap_of(p);
	uint32_t off = 0;

	b->n = 0;
	t->turn = (t->turn + 1) % t->n_queues; /* none may keep us for good */
	for (unsigned i = 0; i < TAP_READS; i++) {
		struct tap_queue *q = tap_ready(t);
		uint8_t *at = t->area + off;
		size_t n;

		if (!q || b->n == FRAME_BATCH ||
		    TAP_AREA - off < TAP_FRAME_ROOM)
			return b->n;
		n = tap_read(t, q, at);
		if (n && tap_frame(t, at, n, &b->f[b->n]) &&
		    tap_passes(t, q, &b->f[b->n])) {
			b->n++;
			off += (uint32_t)(n + 63) & ~UINT32_C(63);
		}
	}
	if (b->n == 0) /* nothing but bad frames: the others' turn */
		loop_defer(t->env->loop, &t->more);
	return b->n;
}

static void tap_done(struct port *p, struct batch *b)
{
	(void)p; /* the area is used again by the next recv */
	(void)b;
}

static void tap_go(struct tap *t)
{
	if (t->is_gone || !tap_ready(t))
		return;
	if (lan_port_readable(&t->port))
		loop_defer(t->env->loop, &t->more);
}

static void tap_more(struct loop_work *w)
{
	tap_go(container_of(w, struct tap, more));
}

/* ---- out ---- */

static void tap_tx_drop(struct tap *t, enum drop_reason why)
{
	drop(t->env->drops, why);
	t->port.stats.tx_drops++;
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
static void tap_refused(struct tap *t, const struct frame *f, int err)
{
	bool is_uso = f->off.gso == FRAME_GSO_UDP4 ||
		      f->off.gso == FRAME_GSO_UDP6;

	if (err == EIO) {
		tap_tx_drop(t, DROP_LINK_DOWN);
		loop_defer(t->env->loop, &t->recheck);
	} else if (err == EFAULT) { /* the frame lay in a guest's memory */
		tap_tx_drop(t, DROP_MEMORY_GONE);
	} else if (err == EBADFD || err == ENODEV) {
		tap_tx_drop(t, DROP_LINK_DOWN);
		tap_end(t);
	} else if (err == EINVAL && is_uso) { /* kernels before 6.2 */
		tap_tx_drop(t, DROP_GSO_FAILED);
		t->no_uso = true;
		loop_defer(t->env->loop, &t->recheck);
	} else if (err == EMSGSIZE || err == E2BIG) {
		tap_tx_drop(t, DROP_FRAME_LONG);
	} else {
		tap_tx_drop(t, DROP_PEER_REFUSED);
	}
}

/* False if there is no room for f now. */
static bool tap_write(struct tap *t, const struct frame *f)
{
	uint8_t hdr[VNETHDR_LEN];
	struct iovec iov[TAP_IOV];
	const struct tap_queue *q;
	unsigned n;
	ssize_t r;

	if (t->is_gone) {
		tap_tx_drop(t, DROP_LINK_DOWN);
		return true;
	}
	if (t->beside && !beside_takes(t->beside, f))
		return true;
	if (!t->beside && t->hostif.n && !hostif_takes(&t->hostif, f)) {
		tap_tx_drop(t, DROP_NOT_THE_HOST);
		return true;
	}
	n = tap_pieces(t, f, hdr, iov);
	if (n == 0) {
		tap_tx_drop(t, DROP_FRAME_LONG);
		return true;
	}
	q = t->legs ? tap_legs_out(t, f) : &t->queue[0];
	do
		r = writev(q->io.fd, iov, (int)n);
	while (r < 0 && errno == EINTR);
	if (r >= 0)
		return true;
	if (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)
		return false;
	tap_refused(t, f, errno);
	return true;
}

static uint64_t tap_send(struct port *p, const struct batch *b, uint64_t mask)
{
	struct tap *t = tap_of(p);
	uint64_t done = 0;

	for (uint64_t m = mask; m; m &= m - 1) {
		if (!tap_write(t, &b->f[__builtin_ctzll(m)]))
			break;
		done |= m & -m;
	}
	return done;
}

/* ---- life ---- */

static void tap_event(struct loop_io *io, uint32_t events)
{
	struct tap_queue *q = container_of(io, struct tap_queue, io);

	if (!q->tap->port.carrier)
		tap_check(q->tap);
	if (!(events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
		return;
	q->ready = true;
	tap_go(q->tap);
}

static void tap_free(struct tap *t)
{
	timer_disarm(loop_wheel(t->env->loop), &t->probe);
	loop_undefer(t->env->loop, &t->more);
	loop_undefer(t->env->loop, &t->gone);
	loop_undefer(t->env->loop, &t->recheck);
	t->legs = tap_legs_free(t->legs);
	t->beside = beside_free(t->beside);
	if (t->area)
		munmap(t->area, TAP_AREA);
	free(t);
}

static void tap_close(struct port *p)
{
	struct tap *t = tap_of(p);

	tap_detach(t);
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

int tap_queue_add(struct tap *t, unsigned i, int fd)
{
	struct tap_queue *q = &t->queue[i];
	int r;

	q->io = (struct loop_io){.fd = fd, .fn = tap_event};
	/* Room is watched on the queue that is written. */
	r = loop_add(t->env->loop, &q->io,
		     i == 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
	if (r < 0)
		q->io.fd = -1;
	return r;
}

/* Those of one that failed are still the caller's. */
static int tap_add_queues(struct tap *t, const int *fds, unsigned n_fds)
{
	for (unsigned i = 0; i < n_fds; i++) {
		int r = tap_queue_add(t, i, fds[i]);

		if (r < 0) {
			while (i--)
				loop_del(t->env->loop, &t->queue[i].io);
			return r;
		}
	}
	return 0;
}

static void tap_set_host(struct tap *t, const struct prefix *ip, unsigned n)
{
	t->hostif.n = n < HOSTIF_IP_MAX ? n : HOSTIF_IP_MAX;
	for (unsigned i = 0; i < t->hostif.n; i++)
		t->hostif.ip[i] = ip[i];
}

void netdev_hostif_host(struct port *p, const struct prefix *ip, unsigned n)
{
	struct tap *t = tap_of(p);

	tap_set_host(t, ip, n);
	if (t->beside)
		beside_changed(t->beside);
}

static struct tap *tap_alloc(const struct netdev_env *env,
			     const struct tap_kind *kind,
			     const struct netdev_tap_config *c)
{
	unsigned n = c->has_legs ? TAP_LEGS_MAX : c->n_fds;
	struct tap *t = calloc(1, sizeof(*t) + n * sizeof(t->queue[0]));
	uint32_t offload = c->vnet_hdr ? PORT_O_ALL : 0;

	if (!t)
		return NULL;
	t->port = (struct port){
		.ops = &kind->ops,
		.caps = {.offload = offload,
			 .max_frame = FRAME_MAX,
			 .queues = c->n_fds,
			 .queue_frames = c->queue_frames,
			 .lossy = true,
			 .is_uplink = kind->is_uplink},
		.id = c->id,
	};
	snprintf(t->port.name, sizeof(t->port.name), "%s", c->name);
	t->env = env;
	t->hdr_len = c->vnet_hdr ? VNETHDR_LEN : 0;
	t->n_queues = n;
	tap_set_host(t, c->host_ip, c->n_host_ip);
	for (unsigned i = 0; i < n; i++)
		t->queue[i] = (struct tap_queue){.tap = t, .io.fd = -1};
	loop_work_init(&t->more, tap_more);
	loop_work_init(&t->gone, tap_gone);
	loop_work_init(&t->recheck, tap_recheck);
	timer_init(&t->probe, tap_probe);
	t->area = mmap(NULL, TAP_AREA, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->area == MAP_FAILED)
		t->area = NULL;
	return t;
}

int netdev_tap_new(const struct netdev_env *env,
		   const struct netdev_tap_config *c, struct port **portp)
{
	const struct tap_kind *kind = tap_kind_find(c->kind);
	struct tap *t;
	int r = -ENOMEM;

	if (!kind || c->n_fds == 0 || c->n_fds > TAP_QUEUES_MAX ||
	    (c->has_legs && c->n_fds != 1) || c->n_host_ip > HOSTIF_IP_MAX ||
	    (c->is_beside && (c->has_legs || mac_is_zero(c->mac))))
		return -EINVAL;
	t = tap_alloc(env, kind, c);
	if (!t)
		return -ENOMEM;
	if (c->has_legs)
		t->legs = tap_legs_new(t, c->mac);
	if (c->is_beside)
		t->beside = beside_new(env, &t->port, &t->hostif, c->mac);
	if (!t->area || (c->has_legs && !t->legs) ||
	    (c->is_beside && !t->beside))
		goto err_free;
	lan_port_add(env->lan, &t->port);
	r = tap_add_queues(t, c->fds, c->n_fds);
	if (r < 0)
		goto err_del;
	tap_check(t);
	*portp = &t->port;
	return 0;

err_del:
	lan_port_del(&t->port);
err_free:
	tap_free(t);
	return r;
}
