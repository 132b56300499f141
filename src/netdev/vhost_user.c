/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port kind `vhost-user`: the virtqueues of a guest's network card in its
 * own memory, without a copy through the VMM (reference 6).
 *
 * Called by the lan (port hooks) and by the loop (messages, kicks, deferred
 * work); one worker's thread.
 *
 * In:  chains of the transmit queue, up to 64 frames at a time.  Headers are
 *      copied, the rest stays in guest memory until done(), which gives all
 *      chains back with one index and at most one interrupt: all but those of
 *      frames that the lan holds (port.h), which come back with let_go().
 *      Kicks are off while there is something to read.
 * Out: vhost_rx.c.
 *
 * Carrier is there while both rings run.  A ring that breaks the rules is the
 * port's fault and stays so until the driver starts it anew; a connection that
 * breaks the protocol ends.
 */
/* #syscalls: close fcntl=F_GETFL fcntl=F_SETFL */
#include "netdev/vhost_user.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "wire/eth.h"

enum {
	MESSAGES = 64, /* of one turn */
	RECV_TRIES = 4,
	ROOM_TRIES = 4,
	/* A driver stops its queue when fewer descriptors are free than a
	 * packet may take (Linux: 19), and asks to be woken when three
	 * quarters of what is out are back.  With more of it held than the
	 * other quarter it would sleep, and all machines wait for one. */
	HOLD_SPARE = 32,
	RARP_LEN = 60,
};

/* ---- carrier and caps ---- */

static uint32_t offload_of(const struct vhost_session *s)
{
	static const struct {
		uint8_t feature;
		uint8_t offload;
	} map[] = {
		{VIRTIO_NET_GUEST_TSO4, PORT_O_TSO4},
		{VIRTIO_NET_GUEST_TSO6, PORT_O_TSO6},
		{VIRTIO_NET_GUEST_ECN, PORT_O_ECN},
		{VIRTIO_NET_GUEST_USO4, PORT_O_USO4},
		{VIRTIO_NET_GUEST_USO6, PORT_O_USO6},
	};
	uint32_t offload = PORT_O_CSUM;

	if (!vhost_has(s, VIRTIO_NET_GUEST_CSUM))
		return 0; /* the others need it (VIRTIO 1.3, 5.1.3.1) */
	for (unsigned i = 0; i < array_len(map); i++)
		if (vhost_has(s, map[i].feature))
			offload |= map[i].offload;
	return offload;
}

static bool is_up(const struct vhost_user *v)
{
	return v->fd >= 0 && vhost_ring_is_up(&v->s, VHOST_RX) &&
	       vhost_ring_is_up(&v->s, VHOST_TX);
}

static uint32_t hold_max(uint32_t size)
{
	return size > HOLD_SPARE ? (size - HOLD_SPARE) / 4 : 0;
}

static void on_changed(void *arg)
{
	struct vhost_user *v = arg;
	struct port_caps caps = v->port.caps;
	bool up = is_up(v);

	v->hdr_len = vhost_has(&v->s, VIRTIO_VERSION_1) ||
				     vhost_has(&v->s, VIRTIO_NET_MRG_RXBUF)
			     ? VNETHDR_LEN
			     : VNETHDR_LEN - 2;
	caps.offload = offload_of(&v->s);
	if (caps.offload != v->port.caps.offload)
		lan_port_caps(&v->port, &caps);
	if (!v->s.ring[VHOST_TX].is_running)
		v->port.hold_max = 0;
	else if (!v->port.hold_max)
		v->port.hold_max = hold_max(v->s.ring[VHOST_TX].size);
	if (up && v->port.fault)
		port_fault_clear(&v->port);
	if (up != v->port.carrier)
		lan_port_link(&v->port, up);
	vhost_fault(v);
	/* Frames may wait in it since before it was started or enabled. */
	if (v->s.ring[VHOST_TX].is_running)
		loop_defer(v->env->loop, &v->more);
	if (v->room_wanted)
		loop_defer(v->env->loop, &v->room);
}

void vhost_fault(struct vhost_user *v)
{
	for (unsigned i = 0; i < VHOST_RINGS; i++) {
		if (v->s.ring[i].is_running && v->s.ring[i].is_broken &&
		    !v->port.fault)
			port_fault(&v->port, FAULT_RING,
				   "its %s queue is broken: a descriptor or "
				   "index outside its bounds; the driver has "
				   "to start it anew",
				   i == VHOST_RX ? "receive" : "transmit");
	}
}

/* The guest came here by a migration: its switches are to know. */
static void on_announce(void *arg, const uint8_t guest[static 6])
{
	struct vhost_user *v = arg;
	uint8_t p[RARP_LEN] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	static const uint8_t head[] = {ETH_T_RARP >> 8, ETH_T_RARP & 0xff,
				       0, 1, 8, 0, 6, 4, 0, 3};
	struct batch b = {.n = 1};

	memcpy(p + 6, guest, 6);
	memcpy(p + 12, head, sizeof(head));
	memcpy(p + 22, guest, 6);
	memcpy(p + 32, guest, 6);
	b.f[0] = frame_flat(p, sizeof(p));
	(void)lan_input(&v->port, &b, false); /* nothing is kept */
}

/* Its queue stops, or memory goes. */
static void on_release(void *arg)
{
	struct vhost_user *v = arg;

	lan_port_release(&v->port);
}

/* ---- in ---- */

static void tx_drop(struct vhost_user *v, enum drop_reason why)
{
	drop(v->env->drops, why);
	v->port.stats.rx_drops++;
}

/* Copies n bytes from the front of iov, which then begins behind them. */
static void iov_pull(struct iovec **iovp, unsigned *n_iovp, uint8_t *to,
		     size_t n)
{
	while (n) {
		struct iovec *v = *iovp;
		size_t here = v->iov_len < n ? v->iov_len : n;

		memcpy(to, v->iov_base, here);
		to += here;
		n -= here;
		v->iov_base = (uint8_t *)v->iov_base + here;
		v->iov_len -= here;
		if (v->iov_len == 0) {
			++*iovp;
			--*n_iovp;
		}
	}
}

enum taken { TAKEN, DROPPED, NO_PLACE };

/* What is behind the first bytes, left in place or in the bounce buffer. */
static enum taken take_tail(struct vhost_user *v, struct frame *f,
			    struct iovec *iov, unsigned n)
{
	uint32_t len = f->len - f->hdr_len;

	if (n <= FRAME_IOV_MAX && v->n_tx_iov + n <= VHOST_TX_IOV) {
		struct iovec *to = v->tx_iov + v->n_tx_iov;

		memcpy(to, iov, n * sizeof(*to));
		v->n_tx_iov += n;
		f->iov = to;
		f->n_iov = n;
		return TAKEN;
	}
	if (v->bounce_used || n <= FRAME_IOV_MAX)
		return NO_PLACE;
	v->bounce_used = true;
	f->hold_cost = 0;
	iov_pull(&iov, &n, v->bounce, len);
	v->tx_iov[v->n_tx_iov] = (struct iovec){v->bounce, len};
	f->iov = &v->tx_iov[v->n_tx_iov++];
	f->n_iov = 1;
	return TAKEN;
}

/* The chain in v->iov as a frame. */
static enum taken take_frame(struct vhost_user *v, const struct vchain *c,
			     struct frame *f, uint8_t *hdr)
{
	uint8_t vnet[VNETHDR_LEN] = {0};
	struct iovec *iov = v->iov;
	unsigned n = c->n_iov;
	enum taken r = TAKEN;

	if (c->len < v->hdr_len + (uint64_t)FRAME_ETH_LEN) {
		tx_drop(v, DROP_FRAME_SHORT);
		return DROPPED;
	}
	if (c->len > v->hdr_len + (uint64_t)FRAME_MAX) {
		tx_drop(v, DROP_FRAME_LONG);
		return DROPPED;
	}
	if (v->n_tx_iov == VHOST_TX_IOV)
		return NO_PLACE;
	iov_pull(&iov, &n, vnet, v->hdr_len);
	*f = (struct frame){.hdr = hdr,
			    .len = (uint32_t)c->len - v->hdr_len,
			    .cookie = v->n_heads << 16 | c->head,
			    .hold_cost = (uint16_t)c->n_desc};
	f->hdr_len = f->len < FRAME_HDR_MAX ? f->len : FRAME_HDR_MAX;
	iov_pull(&iov, &n, hdr, f->hdr_len);
	if (n)
		r = take_tail(v, f, iov, n);
	if (r != TAKEN)
		return r;
	if (!vnethdr_parse(vnet, f) || !frame_offload_check(f)) {
		tx_drop(v, DROP_OFFLOAD_BAD);
		return DROPPED;
	}
	return TAKEN;
}

/* The next chain: its frame at b->f[b->n], if it is one.  False: stop. */
static bool take_chain(struct vhost_user *v, struct batch *b)
{
	struct vring *q = &v->s.ring[VHOST_TX];
	enum taken what = DROPPED;
	struct vchain c;
	int r;

	if (vring_avail(q, v->n_heads + 1) <= v->n_heads)
		return false;
	r = vring_chain(q, v->n_heads, false, v->iov, VHOST_CHAIN_IOV, &c);
	if (r == -EPROTO)
		return false;
	if (r < 0)
		tx_drop(v, DROP_FRAME_LONG);
	else if (!v->s.is_enabled[VHOST_TX])
		tx_drop(v, DROP_LINK_DOWN_IN);
	else
		what = take_frame(v, &c, &b->f[b->n], v->hdr[b->n]);
	if (what == NO_PLACE)
		return false;
	v->is_held[v->n_heads] = false;
	v->head[v->n_heads++] = c.head;
	b->n += what == TAKEN;
	return true;
}

/* n chains are pushed. */
static void publish(struct vhost_user *v, unsigned n)
{
	struct vring *q = &v->s.ring[VHOST_TX];

	if (n)
		vring_publish(q, n);
	if (v->n_held)
		vring_note(q, v->held, v->n_held);
	vring_signal(q);
}

/* Gives the chains of the last recv back. */
static void return_heads(struct vhost_user *v)
{
	struct vring *q = &v->s.ring[VHOST_TX];
	unsigned n = 0;

	for (unsigned i = 0; i < v->n_heads; i++) {
		if (!v->is_held[i])
			vring_push(q, n++, v->head[i], 0);
	}
	v->n_heads = 0;
	publish(v, n);
}

/* The queue is empty: a kick is to tell of more, or the loop's look.  True if
 * there is more already. */
static bool wait_for_more(struct vhost_user *v)
{
	if (!loop_looks(v->env->loop))
		return vring_want_kick(&v->s.ring[VHOST_TX]);
	loop_poll_on(v->env->loop, &v->poll);
	return false;
}

static unsigned vhost_recv(struct port *p, struct batch *b)
{
	struct vhost_user *v = vhost_of(p);
	struct vring *q = &v->s.ring[VHOST_TX];

	b->n = 0;
	if (v->fd < 0 || v->is_gone || !q->is_running)
		return 0;
	vring_no_kick(q);
	for (unsigned i = 0; i < RECV_TRIES; i++) {
		v->n_heads = v->n_tx_iov = 0;
		v->bounce_used = false;
		while (b->n < FRAME_BATCH && v->n_heads < VHOST_TX_HEADS &&
		       take_chain(v, b))
			;
		vring_take(q, v->n_heads);
		if (b->n)
			return b->n;
		if (v->n_heads)
			return_heads(v);
		else if (q->is_broken || !wait_for_more(v))
			break;
		else
			vring_no_kick(q);
	}
	if (q->is_broken)
		vhost_fault(v);
	else if (vring_avail(q, 1)) /* nothing but rubbish: others' turn */
		loop_defer(v->env->loop, &v->more);
	return 0;
}

static void vhost_done(struct port *p, struct batch *b)
{
	struct vhost_user *v = vhost_of(p);

	for (uint64_t m = b->held; m; m &= m - 1) {
		uint32_t cookie = b->f[__builtin_ctzll(m)].cookie;

		assert(v->n_held < HOLD_FRAMES);
		v->is_held[cookie >> 16] = true;
		v->held[v->n_held++] = (uint16_t)cookie;
	}
	return_heads(v);
}

/* Most come in the order in which they were held. */
static void held_del(struct vhost_user *v, uint16_t head)
{
	unsigned i = 0;

	while (i < v->n_held && v->held[i] != head)
		i++;
	assert(i < v->n_held);
	v->n_held--;
	memmove(v->held + i, v->held + i + 1,
		(v->n_held - i) * sizeof(v->held[0]));
}

static void vhost_let_go(struct port *p, const uint32_t *cookie, unsigned n)
{
	struct vhost_user *v = vhost_of(p);
	struct vring *q = &v->s.ring[VHOST_TX];

	for (unsigned i = 0; i < n; i++)
		held_del(v, (uint16_t)cookie[i]);
	if (!q->is_running || !q->used) /* they have no place any more */
		return;
	for (unsigned i = 0; i < n; i++)
		vring_push(q, i, (uint16_t)cookie[i], 0);
	publish(v, n);
}

static void read_frames(struct vhost_user *v)
{
	if (lan_port_readable(&v->port))
		loop_defer(v->env->loop, &v->more);
}

static void vhost_more(struct loop_work *w)
{
	read_frames(container_of(w, struct vhost_user, more));
}

/* ---- looks, kicks and room ---- */

static bool poll_look(struct loop_poll *p)
{
	struct vring *q = &container_of(p, struct vhost_user, poll)
				   ->s.ring[VHOST_TX];

	return vring_avail(q, 1) || q->is_broken;
}

static void poll_found(struct loop_poll *p)
{
	read_frames(container_of(p, struct vhost_user, poll));
}

static bool poll_stop(struct loop_poll *p)
{
	return vring_want_kick(
		&container_of(p, struct vhost_user, poll)->s.ring[VHOST_TX]);
}

static void tell_room(struct vhost_user *v)
{
	if (!v->room_wanted || v->is_gone)
		return;
	for (unsigned i = 0; !vhost_has_room(v); i++) {
		vhost_fault(v);
		if (!vring_want_kick(&v->s.ring[VHOST_RX]))
			return;
		if (i == ROOM_TRIES) { /* it plays with the index */
			loop_defer(v->env->loop, &v->room);
			return;
		}
	}
	vring_no_kick(&v->s.ring[VHOST_RX]);
	v->room_wanted = false;
	lan_port_room(&v->port);
}

static void vhost_room(struct loop_work *w)
{
	tell_room(container_of(w, struct vhost_user, room));
}

static void vhost_tell(struct loop_work *w)
{
	vring_signal(&container_of(w, struct vhost_user, tell)
			      ->s.ring[VHOST_RX]);
}

static void vhost_want_room(struct port *p)
{
	struct vhost_user *v = vhost_of(p);

	v->room_wanted = true;
	loop_defer(v->env->loop, &v->room);
}

static void on_rx_kick(struct loop_io *io, uint32_t events)
{
	(void)events; /* every write is an edge: the counter is never read */
	tell_room(container_of(io, struct vhost_user, kick[VHOST_RX]));
}

static void on_tx_kick(struct loop_io *io, uint32_t events)
{
	(void)events;
	read_frames(container_of(io, struct vhost_user, kick[VHOST_TX]));
}

static void on_kick_fd(void *arg, unsigned i, int fd)
{
	struct vhost_user *v = arg;
	struct loop_io *io = &v->kick[i];

	if (io->fd >= 0) {
		loop_del(v->env->loop, io);
		fd_close(&io->fd);
	}
	if (fd < 0)
		return;
	*io = (struct loop_io){.fd = fd,
			       .fn = i == VHOST_RX ? on_rx_kick : on_tx_kick};
	if (loop_add(v->env->loop, io, EPOLLIN) < 0) {
		log_warn(v->env->log, "%s: its kick is no eventfd",
			 v->port.name);
		fd_close(&io->fd);
	}
}

/* ---- life ---- */

static void hangup(struct vhost_user *v)
{
	if (v->is_gone)
		return;
	v->is_gone = true;
	loop_defer(v->env->loop, &v->gone);
}

static void detach(struct vhost_user *v)
{
	if (v->fd < 0)
		return;
	vhost_session_deinit(&v->s);
	loop_del(v->env->loop, &v->io);
	fd_close(&v->fd);
	loop_undefer(v->env->loop, &v->more);
	loop_undefer(v->env->loop, &v->next);
	loop_undefer(v->env->loop, &v->tell);
	loop_poll_off(v->env->loop, &v->poll);
}

static void vhost_gone(struct loop_work *w)
{
	struct vhost_user *v = container_of(w, struct vhost_user, gone);
	bool wanted = v->room_wanted;

	detach(v);
	v->is_gone = false;
	v->room_wanted = false;
	if (v->port.fault)
		port_fault_clear(&v->port);
	lan_port_link(&v->port, false);
	if (wanted)
		lan_port_room(&v->port);
	/* Either may free v or give it a new connection: last. */
	if (v->args.gone)
		v->args.gone(v->args.arg, &v->port);
	else if (v->args.reconnect && v->env->want_fd)
		v->env->want_fd(v->env->arg, &v->port);
}

static void read_messages(struct vhost_user *v)
{
	int r = 1;

	/* The ring may be stopped by one: with nothing left untold. */
	vring_signal(&v->s.ring[VHOST_RX]);
	for (unsigned i = 0; i < MESSAGES && r == 1; i++)
		r = vhost_session_step(&v->s);
	if (r == 1) {
		loop_defer(v->env->loop, &v->next);
		return;
	}
	if (r == 0)
		return;
	if (r == -EPROTO)
		log_warn(v->env->log,
			 "%s: the vhost-user front end sent %s; the "
			 "connection is closed",
			 v->port.name, v->s.why);
	/* What it had sent before is still there. */
	if (v->s.ring[VHOST_TX].is_running)
		(void)lan_port_readable(&v->port);
	hangup(v);
}

static void vhost_next(struct loop_work *w)
{
	read_messages(container_of(w, struct vhost_user, next));
}

static void on_message(struct loop_io *io, uint32_t events)
{
	struct vhost_user *v = container_of(io, struct vhost_user, io);

	(void)events; /* the end is found by reading */
	if (!v->is_gone)
		read_messages(v);
}

static void vhost_free(struct vhost_user *v)
{
	free(v->hdr);
	free(v->tx_iov);
	free(v->bounce);
	free(v->iov);
	free(v->buffer);
	free(v->trash);
	free(v);
}

static void vhost_close(struct port *p)
{
	struct vhost_user *v = vhost_of(p);

	if (v->args.closed)
		v->args.closed(v->args.arg, p);
	detach(v);
	loop_undefer(v->env->loop, &v->gone);
	loop_undefer(v->env->loop, &v->room);
	vhost_free(v);
}

static const struct port_ops vhost_ops = {
	.kind = "vhost-user",
	.recv = vhost_recv,
	.done = vhost_done,
	.send = vhost_send,
	.want_room = vhost_want_room,
	.lend = vhost_lend,
	.give = vhost_give,
	.let_go = vhost_let_go,
	.close = vhost_close,
};

/* Takes fd as the connection; on failure it is still the caller's. */
static int attach(struct vhost_user *v, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	int flags = fcntl(fd, F_GETFL);
	int r;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return -errno;
	if (getsockname(fd, (struct sockaddr *)&ss, &len) < 0)
		return -errno;
	if (ss.ss_family != AF_UNIX)
		return -EPROTOTYPE; /* descriptors travel by no other */
	v->io = (struct loop_io){.fd = fd, .fn = on_message};
	vhost_session_init(&v->s, fd, &v->hooks);
	r = loop_add(v->env->loop, &v->io, EPOLLIN | EPOLLRDHUP);
	if (r < 0)
		return r;
	v->fd = fd;
	return 0;
}

int netdev_vhost_attach(struct port *p, int fd)
{
	struct vhost_user *v = vhost_of(p);

	if (v->fd >= 0 || v->is_gone)
		return -EISCONN;
	return attach(v, fd);
}

static struct vhost_user *vhost_alloc(void)
{
	struct vhost_user *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->hdr = calloc(FRAME_BATCH, sizeof(*v->hdr));
	v->tx_iov = calloc(VHOST_TX_IOV, sizeof(*v->tx_iov));
	v->bounce = malloc(FRAME_MAX);
	v->iov = calloc(VHOST_CHAIN_IOV, sizeof(*v->iov));
	v->buffer = calloc(VRING_SIZE_MAX, sizeof(*v->buffer));
	v->trash = malloc(FRAME_MAX);
	if (v->hdr && v->tx_iov && v->bounce && v->iov && v->buffer &&
	    v->trash)
		return v;
	vhost_free(v);
	return NULL;
}

int vhost_new(const struct netdev_env *env, const struct conn_args *a,
	      struct port **portp)
{
	struct vhost_user *v = vhost_alloc();
	int r;

	if (!v)
		return -ENOMEM;
	v->port = (struct port){
		.ops = &vhost_ops,
		.caps = {.max_frame = FRAME_MAX, .queues = 1},
		.id = a->id,
	};
	snprintf(v->port.name, sizeof(v->port.name), "%s", a->name);
	v->env = env;
	v->args = *a;
	v->fd = -1;
	v->io = (struct loop_io){.fd = -1};
	v->hooks = (struct vhost_hooks){
		.changed = on_changed,
		.kick_fd = on_kick_fd,
		.announce = on_announce,
		.release = on_release,
		.arg = v,
	};
	for (unsigned i = 0; i < VHOST_RINGS; i++)
		v->kick[i] = (struct loop_io){.fd = -1};
	v->poll = (struct loop_poll){
		.look = poll_look, .fn = poll_found, .stop = poll_stop};
	loop_poll_init(&v->poll);
	loop_work_init(&v->more, vhost_more);
	loop_work_init(&v->next, vhost_next);
	loop_work_init(&v->gone, vhost_gone);
	loop_work_init(&v->room, vhost_room);
	loop_work_init(&v->tell, vhost_tell);
	vhost_session_init(&v->s, -1, &v->hooks);
	lan_port_add(env->lan, &v->port);
	r = a->fd >= 0 ? attach(v, a->fd) : 0;
	if (r < 0) {
		lan_port_del(&v->port);
		vhost_free(v);
		return r;
	}
	*portp = &v->port;
	return 0;
}

int netdev_vhost_new(const struct netdev_env *env,
		     const struct netdev_stream_config *c, struct port **portp)
{
	return vhost_new(env,
			 &(struct conn_args){.name = c->name,
					     .id = c->id,
					     .fd = c->fd,
					     .reconnect = c->reconnect},
			 portp);
}
