/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port kind `af-xdp`: queues of an interface of the host by AF_XDP sockets,
 * which the keeper made (os/xsk.h); we map their rings and bind them.
 *
 * Called by the lan (port hooks) and by the loop; one worker's thread.
 *
 * In:  frames lie in the UMEM as they came, 64 of one queue in a batch, and are
 *      borrowed from there; done() gives their chunks back to the kernel.
 * Out: a frame is copied into a chunk of the queue that its MACs choose, so
 *      that those between two machines stay in order; one system call for all
 *      of a call's frames, if the kernel sleeps.
 *
 * A chunk is ours or the kernel's, which a bit says, and who has it is known
 * from no ring but from that bit: a ring that names one of ours, or none, is
 * broken, and costs the port (FAULT_RING).
 *
 * Carrier is the interface's own "up", asked when the watching socket has an
 * error, and by a slow timer while it is down (or where nobody watches).  An
 * interface that was removed is the end of the port: FAULT_IO.
 */
/* #syscalls: bind sendto recvfrom getsockopt close mmap munmap */
#include <errno.h>
#include <linux/if_xdp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/list.h"
#include "base/mem.h"
#include "netdev/netdev.h"
#include "netdev/xsk_ring.h"
#include "os/xsk.h"

#define AX_PROBE_NS UINT64_C(500000000)
#define AX_RETRY_NS UINT64_C(2000000) /* look for room again */
#define AX_BIND_NS  UINT64_C(10000000)
#define NS_PER_MS   UINT64_C(1000000)

enum { AX_KICKS = 8 }; /* system calls for one send(): each takes some 32 */

struct ax;

struct ax_queue {
	struct ax *owner; /* borrowed */
	int fd;		  /* owned */
	struct loop_io io;
	struct xsk_ring fill, rx, tx, sent;
	uint8_t *umem; /* XSK_UMEM_LEN bytes of the owner's mapping */
	uint64_t kernels[XSK_CHUNKS / 64]; /* bit: the kernel has the chunk */
	uint16_t free[XSK_RING]; /* chunks to send with */
	unsigned n_free;
	bool is_dirty; /* entries of tx are not committed */
};

struct ax {
	struct port port;
	const struct netdev_env *env; /* borrowed */
	int ifindex;
	uint32_t first_queue;
	uint16_t bind_flags;
	int watch, link; /* owned; -1: none */
	struct loop_io watch_io;
	uint8_t *umem; /* owned mapping */
	size_t umem_len;
	struct ax_queue *queues; /* owned [n_queues] */
	unsigned n_queues;
	unsigned n_bound; /* of them, in order */
	unsigned turn;	  /* the queue that is read first */
	bool is_broken;	  /* a ring is: the port ends when it may */
	bool is_over;	  /* nothing of it is open any more */
	bool is_room_wanted;
	uint64_t give_up_ns;	/* until then a queue may be in use */
	struct timer bind_timer; /* armed while one is */
	struct timer probe;	/* looks at the carrier */
	struct timer retry;	/* looks for room where no event tells */
	struct loop_work more;	/* go on reading after the others' turn */
	struct loop_work recheck;
	/* Between recv and done: chunks of this queue. */
	struct ax_queue *lender;
	uint16_t held[FRAME_BATCH];
	unsigned n_held;
};

static struct ax *ax_of(struct port *p)
{
	return container_of(p, struct ax, port);
}

static bool chunk_is_kernels(const struct ax_queue *q, unsigned i)
{
	return q->kernels[i / 64] >> (i % 64) & 1;
}

static void chunk_give(struct ax_queue *q, unsigned i)
{
	q->kernels[i / 64] |= UINT64_C(1) << (i % 64);
}

static void chunk_take(struct ax_queue *q, unsigned i)
{
	q->kernels[i / 64] &= ~(UINT64_C(1) << (i % 64));
}

/* The ring's number of entries, none if it is broken. */
static uint32_t ax_count(struct ax *k, const struct xsk_ring *r, uint32_t n)
{
	if (n <= r->n)
		return n;
	k->is_broken = true;
	loop_defer(k->env->loop, &k->recheck);
	return 0;
}

static void ax_retry_soon(struct ax *k)
{
	if (!timer_is_armed(&k->retry))
		timer_arm(loop_wheel(k->env->loop), &k->retry,
			  *loop_now(k->env->loop) + AX_RETRY_NS);
}

/* ---- carrier ---- */

/* What the interface is: 0, ENETDOWN, or ENXIO when it is gone. A packet
 * socket refuses to send nothing, but after those. */
static int ax_state(const struct ax *k)
{
	int fd = k->watch >= 0 ? k->watch : k->queues[0].fd;

	if (sendto(fd, NULL, 0, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0) >= 0)
		return 0;
	if (errno == ENETDOWN)
		return ENETDOWN;
	return errno == ENXIO || errno == ENODEV ? ENXIO : 0;
}

static void ax_shut(struct ax *k)
{
	struct loop *l = k->env->loop;

	timer_disarm(loop_wheel(l), &k->bind_timer);
	timer_disarm(loop_wheel(l), &k->probe);
	timer_disarm(loop_wheel(l), &k->retry);
	loop_undefer(l, &k->more);
	loop_undefer(l, &k->recheck);
	if (k->watch_io.registered)
		loop_del(l, &k->watch_io);
	for (unsigned i = 0; i < k->n_queues; i++) {
		struct ax_queue *q = &k->queues[i];

		if (q->io.registered)
			loop_del(l, &q->io);
		xsk_ring_unmap(&q->fill);
		xsk_ring_unmap(&q->rx);
		xsk_ring_unmap(&q->tx);
		xsk_ring_unmap(&q->sent);
		fd_close(&q->fd);
	}
	fd_close(&k->watch);
	fd_close(&k->link);
	if (k->umem)
		munmap(k->umem, k->umem_len);
	k->umem = NULL;
	k->is_over = true;
}

static void ax_end(struct ax *k, enum port_fault why, const char *text)
{
	ax_shut(k);
	port_fault(&k->port, why, "%s", text);
	lan_port_link(&k->port, false);
}

static void ax_check(struct ax *k)
{
	int state;

	if (k->is_over || k->n_bound < k->n_queues)
		return;
	if (k->is_broken) {
		ax_end(k, FAULT_RING, "a ring of the interface is broken");
		return;
	}
	state = ax_state(k);
	if (state == ENXIO) {
		ax_end(k, FAULT_IO, "the interface was removed");
		return;
	}
	if (state == 0 && k->watch >= 0)
		timer_disarm(loop_wheel(k->env->loop), &k->probe);
	else
		timer_arm(loop_wheel(k->env->loop), &k->probe,
			  *loop_now(k->env->loop) + AX_PROBE_NS);
	if ((state == 0) == k->port.carrier)
		return;
	lan_port_link(&k->port, state == 0);
	if (state == 0) /* what waited */
		ax_retry_soon(k);
}

static void ax_probe(struct timer *t, uint64_t now_ns)
{
	(void)now_ns;
	ax_check(container_of(t, struct ax, probe));
}

static void ax_recheck(struct loop_work *w)
{
	ax_check(container_of(w, struct ax, recheck));
}

/* Its error is told once: the next one is a new event. */
static void ax_watch(struct loop_io *io, uint32_t events)
{
	struct ax *k = container_of(io, struct ax, watch_io);
	socklen_t len = sizeof(int);
	int err;

	(void)events;
	(void)getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	loop_defer(k->env->loop, &k->recheck);
}

/* ---- in ---- */

static void ax_rx_drop(struct ax *k, enum drop_reason why)
{
	drop(k->env->drops, why);
	k->port.stats.rx_drops++;
}

/* The held chunks are the kernel's again. */
static void ax_refill(struct ax *k)
{
	struct ax_queue *q = k->lender;

	if (!k->n_held || k->is_over)
		return;
	for (unsigned i = 0; i < k->n_held; i++) {
		*xsk_ring_chunk(&q->fill) = (uint64_t)k->held[i] * XSK_CHUNK;
		chunk_give(q, k->held[i]);
	}
	k->n_held = 0;
	xsk_ring_commit(&q->fill);
	if (xsk_ring_sleeps(&q->fill)) /* a driver that ran out of chunks */
		(void)!recvfrom(q->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
}

/* Entry d as a frame, which may be a dropped one; false: no such chunk. */
static bool ax_frame(struct ax *k, struct ax_queue *q, const struct xdp_desc *d,
		     struct batch *b)
{
	uint64_t at = d->addr, i = at / XSK_CHUNK;
	uint32_t len = d->len;

	if (i >= XSK_RING || !chunk_is_kernels(q, (unsigned)i) ||
	    len > XSK_CHUNK - at % XSK_CHUNK)
		return false;
	chunk_take(q, (unsigned)i);
	k->held[k->n_held++] = (uint16_t)i;
	if (len < FRAME_ETH_LEN)
		ax_rx_drop(k, DROP_FRAME_SHORT);
	else
		b->f[b->n++] = frame_flat(q->umem + at, len);
	return true;
}

/* False: nothing was there. */
static bool ax_read(struct ax *k, struct ax_queue *q, struct batch *b)
{
	uint32_t n = ax_count(k, &q->rx, xsk_ring_ready(&q->rx));

	if (n == 0)
		return false;
	k->lender = q;
	for (uint32_t i = 0; i < n && i < FRAME_BATCH; i++) {
		if (!ax_frame(k, q, xsk_ring_desc(&q->rx), b)) {
			(void)ax_count(k, &q->rx, UINT32_MAX);
			break;
		}
	}
	xsk_ring_commit(&q->rx);
	return true;
}

static unsigned ax_recv(struct port *p, struct batch *b)
{
	struct ax *k = ax_of(p);
	bool had_any = false;

	b->n = 0;
	for (unsigned i = 0; i < k->n_queues; i++) {
		struct ax_queue *q = &k->queues[k->turn++ % k->n_queues];

		if (k->is_broken || k->is_over)
			return 0;
		had_any |= ax_read(k, q, b);
		if (b->n)
			return b->n;
		ax_refill(k); /* what was dropped */
	}
	if (had_any)
		loop_defer(k->env->loop, &k->more);
	return 0;
}

static void ax_done(struct port *p, struct batch *b)
{
	(void)b;
	ax_refill(ax_of(p));
}

static void ax_go(struct ax *k)
{
	if (!k->is_over && lan_port_readable(&k->port))
		loop_defer(k->env->loop, &k->more);
}

static void ax_more(struct loop_work *w)
{
	ax_go(container_of(w, struct ax, more));
}

static void ax_event(struct loop_io *io, uint32_t events)
{
	struct ax *k = container_of(io, struct ax_queue, io)->owner;

	if (events & (EPOLLERR | EPOLLHUP))
		loop_defer(k->env->loop, &k->recheck);
	ax_go(k);
}

/* ---- out ---- */

static void ax_tx_drop(struct ax *k, enum drop_reason why)
{
	drop(k->env->drops, why);
	k->port.stats.tx_drops++;
}

/* Chunks that the kernel has sent are free again. */
static void ax_reclaim(struct ax *k, struct ax_queue *q)
{
	uint32_t n = ax_count(k, &q->sent, xsk_ring_ready(&q->sent));

	for (uint32_t j = 0; j < n; j++) {
		uint64_t i = *xsk_ring_chunk(&q->sent) / XSK_CHUNK;

		if (i < XSK_RING || i >= XSK_CHUNKS ||
		    !chunk_is_kernels(q, (unsigned)i)) {
			(void)ax_count(k, &q->sent, UINT32_MAX);
			return;
		}
		chunk_take(q, (unsigned)i);
		q->free[q->n_free++] = (uint16_t)i;
	}
	if (n)
		xsk_ring_commit(&q->sent);
}

/* Entries that the kernel has not read. */
static uint32_t ax_waiting(struct ax *k, const struct ax_queue *q)
{
	return q->tx.n - ax_count(k, &q->tx, xsk_ring_room(&q->tx));
}

/* Has the kernel send what waits in q.  What it does not take stays there, and
 * is tried again: it has no event for that. */
static void ax_kick(struct ax *k, struct ax_queue *q)
{
	uint32_t left = ax_waiting(k, q), before = left + 1;

	for (unsigned i = 0; i < AX_KICKS && left && left < before; i++) {
		if (!xsk_ring_sleeps(&q->tx))
			return;
		before = left;
		if (sendto(q->fd, NULL, 0, MSG_DONTWAIT | MSG_NOSIGNAL, NULL,
			   0) < 0 &&
		    (errno == ENETDOWN || errno == ENXIO)) {
			loop_defer(k->env->loop, &k->recheck);
			return; /* until it is up */
		}
		left = ax_waiting(k, q);
	}
	if (left)
		ax_retry_soon(k);
}

static struct ax_queue *ax_choose(struct ax *k, const struct frame *f)
{
	unsigned h = f->hdr_len < FRAME_ETH_LEN ? 0 : f->hdr[5] ^ f->hdr[11];

	return &k->queues[h % k->n_queues];
}

/* False: no room. */
static bool ax_put(struct ax *k, struct ax_queue *q, const struct frame *f)
{
	struct xdp_desc *d;
	uint64_t at;

	if (!q->n_free)
		ax_reclaim(k, q);
	if (!q->n_free || !ax_count(k, &q->tx, xsk_ring_room(&q->tx)))
		return false;
	at = (uint64_t)q->free[q->n_free - 1] * XSK_CHUNK;
	if (!frame_copy(f, 0, f->len, q->umem + at)) {
		ax_tx_drop(k, DROP_MEMORY_GONE);
		return true;
	}
	chunk_give(q, q->free[--q->n_free]);
	d = xsk_ring_desc(&q->tx);
	*d = (struct xdp_desc){.addr = at, .len = f->len};
	q->is_dirty = true;
	return true;
}

static void ax_flush(struct ax *k)
{
	for (unsigned i = 0; i < k->n_queues; i++) {
		struct ax_queue *q = &k->queues[i];

		if (!q->is_dirty)
			continue;
		q->is_dirty = false;
		xsk_ring_commit(&q->tx);
		ax_kick(k, q);
	}
}

static uint64_t ax_send(struct port *p, const struct batch *b, uint64_t mask)
{
	struct ax *k = ax_of(p);
	uint64_t left = mask;
	bool is_up = !k->is_over && !k->is_broken && k->n_bound == k->n_queues;

	for (; left; left &= left - 1) {
		const struct frame *f = &b->f[__builtin_ctzll(left)];

		if (!is_up)
			ax_tx_drop(k, DROP_LINK_DOWN);
		else if (f->len > k->port.caps.max_frame)
			ax_tx_drop(k, DROP_FRAME_LONG);
		else if (!ax_put(k, ax_choose(k, f), f))
			break;
	}
	if (is_up)
		ax_flush(k);
	return mask & ~left;
}

/* A frame of any machine would be taken. */
static bool ax_has_room(struct ax *k)
{
	for (unsigned i = 0; i < k->n_queues; i++) {
		struct ax_queue *q = &k->queues[i];

		if (!q->n_free)
			ax_reclaim(k, q);
		if (!q->n_free)
			return false;
	}
	return true;
}

static void ax_want_room(struct port *p)
{
	struct ax *k = ax_of(p);

	k->is_room_wanted = true;
	ax_retry_soon(k);
}

static void ax_retry(struct timer *t, uint64_t now_ns)
{
	struct ax *k = container_of(t, struct ax, retry);

	(void)now_ns;
	for (unsigned i = 0; i < k->n_queues; i++)
		ax_kick(k, &k->queues[i]);
	if (!k->is_room_wanted || !k->port.carrier)
		return;
	if (!ax_has_room(k)) {
		ax_retry_soon(k);
		return;
	}
	k->is_room_wanted = false;
	lan_port_room(&k->port);
}

/* ---- life ---- */

/* Everything that needs a socket that is bound. */
static int ax_begin(struct ax *k)
{
	struct loop *l = k->env->loop;
	int r = 0;

	for (unsigned i = 0; i < k->n_queues && r == 0; i++)
		r = loop_add(l, &k->queues[i].io, EPOLLIN);
	if (r == 0 && k->watch >= 0)
		r = loop_add(l, &k->watch_io, EPOLLIN);
	if (r == 0)
		ax_check(k);
	return r;
}

/* Those queues that are not bound yet: 0, -EBUSY while one is in use and may
 * yet be free, or why not. */
static int ax_bind(struct ax *k)
{
	while (k->n_bound < k->n_queues) {
		struct sockaddr_xdp a = {
			.sxdp_family = AF_XDP,
			.sxdp_flags = k->bind_flags,
			.sxdp_ifindex = (uint32_t)k->ifindex,
			.sxdp_queue_id = k->first_queue + k->n_bound,
		};

		if (bind(k->queues[k->n_bound].fd, (struct sockaddr *)&a,
			 sizeof(a)) < 0)
			return -errno;
		k->n_bound++;
	}
	return 0;
}

static void ax_bind_again(struct timer *t, uint64_t now_ns)
{
	struct ax *k = container_of(t, struct ax, bind_timer);
	int r = ax_bind(k);

	if (r == -EBUSY && now_ns < k->give_up_ns) {
		timer_arm(loop_wheel(k->env->loop), t, now_ns + AX_BIND_NS);
		return;
	}
	if (r == 0)
		r = ax_begin(k);
	if (r < 0) /* who hears of it says why */
		ax_shut(k);
	if (k->env->settled)
		k->env->settled(k->env->arg, &k->port, r); /* the last thing */
}

static void ax_free(struct ax *k)
{
	ax_shut(k);
	free(k->queues);
	free(k);
}

static void ax_close(struct port *p)
{
	ax_free(ax_of(p));
}

static const struct port_ops ax_ops = {
	.kind = "af-xdp",
	.recv = ax_recv,
	.done = ax_done,
	.send = ax_send,
	.want_room = ax_want_room,
	.close = ax_close,
};

static int ax_map(struct ax_queue *q)
{
	struct xdp_mmap_offsets o = {0};
	socklen_t len = sizeof(o);
	int r;

	if (getsockopt(q->fd, SOL_XDP, XDP_MMAP_OFFSETS, &o, &len) < 0)
		return -errno;
	if (len != sizeof(o)) /* before 5.4 there are no flags */
		return -EOPNOTSUPP;
	r = xsk_ring_map(&q->rx, q->fd, XDP_PGOFF_RX_RING, &o.rx, XSK_RING,
			 sizeof(struct xdp_desc), false);
	if (r == 0)
		r = xsk_ring_map(&q->tx, q->fd, XDP_PGOFF_TX_RING, &o.tx,
				 XSK_RING, sizeof(struct xdp_desc), true);
	if (r == 0)
		r = xsk_ring_map(&q->fill, q->fd, XDP_UMEM_PGOFF_FILL_RING,
				 &o.fr, XSK_RING, sizeof(uint64_t), true);
	if (r == 0)
		r = xsk_ring_map(&q->sent, q->fd,
				 XDP_UMEM_PGOFF_COMPLETION_RING, &o.cr,
				 XSK_RING, sizeof(uint64_t), false);
	return r;
}

static int ax_queue_init(struct ax *k, struct ax_queue *q, uint8_t *umem)
{
	int r = ax_map(q);

	if (r < 0)
		return r;
	q->umem = umem;
	q->owner = k;
	q->io = (struct loop_io){.fd = q->fd, .fn = ax_event};
	for (unsigned i = 0; i < XSK_RING; i++) {
		*xsk_ring_chunk(&q->fill) = (uint64_t)i * XSK_CHUNK;
		chunk_give(q, i);
		q->free[q->n_free++] = (uint16_t)(XSK_CHUNKS - 1 - i);
	}
	xsk_ring_commit(&q->fill);
	return 0;
}

/* Takes nothing of c but copies. */
static struct ax *ax_alloc(const struct netdev_env *env,
			   const struct netdev_af_xdp_config *c)
{
	struct ax *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->queues = calloc(c->n_fds, sizeof(*k->queues));
	if (!k->queues) {
		free(k);
		return NULL;
	}
	k->port = (struct port){
		.ops = &ax_ops,
		.caps = {.max_frame = XSK_FRAME_MAX,
			 .queues = c->n_fds,
			 .queue_frames = XSK_RING,
			 .lossy = true,
			 .is_uplink = true},
		.id = c->id,
	};
	snprintf(k->port.name, sizeof(k->port.name), "%s", c->name);
	k->env = env;
	k->ifindex = c->ifindex;
	k->first_queue = c->first_queue;
	k->bind_flags = (uint16_t)(XDP_USE_NEED_WAKEUP |
				   (c->copies ? XDP_COPY : 0));
	k->n_queues = c->n_fds;
	k->watch = k->link = -1;
	for (unsigned i = 0; i < k->n_queues; i++)
		k->queues[i].fd = -1;
	loop_work_init(&k->more, ax_more);
	loop_work_init(&k->recheck, ax_recheck);
	timer_init(&k->bind_timer, ax_bind_again);
	timer_init(&k->probe, ax_probe);
	timer_init(&k->retry, ax_retry);
	return k;
}

static int ax_init(struct ax *k, const struct netdev_af_xdp_config *c)
{
	int r = 0;

	k->umem_len = (size_t)k->n_queues * XSK_UMEM_LEN;
	k->umem = mmap(NULL, k->umem_len, PROT_READ | PROT_WRITE, MAP_SHARED,
		       c->umem, 0);
	if (k->umem == MAP_FAILED) {
		k->umem = NULL;
		return -errno;
	}
	for (unsigned i = 0; i < k->n_queues && r == 0; i++) {
		k->queues[i].fd = c->fds[i];
		r = ax_queue_init(k, &k->queues[i],
				  k->umem + (size_t)i * XSK_UMEM_LEN);
	}
	k->watch = c->watch;
	k->link = c->link;
	k->watch_io = (struct loop_io){.fd = c->watch, .fn = ax_watch};
	return r == 0 ? ax_bind(k) : r;
}

/* The caller's descriptors are his again. */
static void ax_disown(struct ax *k)
{
	struct loop *l = k->env->loop;

	for (unsigned i = 0; i < k->n_queues; i++) {
		if (k->queues[i].io.registered)
			loop_del(l, &k->queues[i].io);
		k->queues[i].fd = -1;
	}
	if (k->watch_io.registered)
		loop_del(l, &k->watch_io);
	k->watch = k->link = -1;
}

int netdev_af_xdp_new(const struct netdev_env *env,
		      const struct netdev_af_xdp_config *c, struct port **portp)
{
	struct ax *k = c->n_fds ? ax_alloc(env, c) : NULL;
	uint64_t now = *loop_now(env->loop);
	int umem = c->umem;
	int r;

	if (!k)
		return -ENOMEM;
	r = ax_init(k, c);
	if (r < 0 && r != -EBUSY) {
		ax_disown(k);
		ax_free(k);
		return r;
	}
	lan_port_add(env->lan, &k->port);
	if (r == 0)
		r = ax_begin(k);
	if (r == -EBUSY) {
		k->give_up_ns = now + c->patience_ms * NS_PER_MS;
		timer_arm(loop_wheel(env->loop), &k->bind_timer,
			  now + AX_BIND_NS);
	} else if (r < 0) {
		ax_disown(k);
		lan_port_del(&k->port);
		ax_free(k);
		return r;
	}
	fd_close(&umem); /* the mapping holds it */
	*portp = &k->port;
	return 0;
}

bool netdev_af_xdp_waits(const struct port *p)
{
	const struct ax *k = container_of(p, struct ax, port);

	return !k->is_over && k->n_bound < k->n_queues;
}
