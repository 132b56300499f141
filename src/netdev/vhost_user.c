/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port kind `vhost-user`: the virtqueues of a guest's network card in its
 * own memory, without a copy through the VMM (reference 6).
 *
 * Here: its life, its connection, what messages change.  Frames: vhost_tx.c,
 * vhost_rx.c; on which worker: vhost_leg.c.  Called by the lan (port hooks) and
 * by the loop (messages, deferred work) of worker 0; vhost_fault() by any, for
 * a leg of its own.
 *
 * Carrier is there while both rings of pair 0 run.  A ring that breaks the
 * rules is the port's fault and stays so until the driver starts it anew; a
 * connection that breaks the protocol ends.  The guest enables and disables
 * pairs as it likes.
 */
/* #syscalls: close fcntl=F_GETFL fcntl=F_SETFL */
#include "netdev/vhost_user.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/mem.h"
#include "os/clock.h"
#include "wire/eth.h"

enum {
	MESSAGES = 64, /* of one turn */
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
	const struct vhost_ring *ring = v->pair[0]->ring;

	return v->fd >= 0 && vhost_ring_is_up(&ring[VHOST_RX]) &&
	       vhost_ring_is_up(&ring[VHOST_TX]);
}

static bool is_broken(const struct vhost_ring *r)
{
	return r->q.is_running && r->q.is_broken;
}

static bool any_broken(const struct vhost_user *v)
{
	unsigned i = 0;

	while (i < v->s.n_rings && !is_broken(v->ring[i]))
		i++;
	return i < v->s.n_rings;
}

static void on_begin(void *arg)
{
	struct vhost_user *v = arg;

	if (!v->n_away)
		return;
	v->has_begun = true;
	vhost_enter(v);
	/* A ring may be stopped: with nothing left untold. */
	for (unsigned i = 1; i < v->n_legs; i++)
		vhost_tell_now(v->leg[i]);
}

static void on_end(void *arg)
{
	struct vhost_user *v = arg;

	if (!v->has_begun)
		return;
	v->has_begun = false;
	vhost_leave(v);
}

/* Frames may wait in its queues since before they were started or enabled. */
static void go_on(struct vhost_leg *g)
{
	vhost_all_ready(g);
	loop_defer(g->loop, &g->more);
	if (g->room_wanted)
		loop_defer(g->loop, &g->room);
}

/* Between begin and end. */
static void on_changed(void *arg)
{
	struct vhost_user *v = arg;
	struct port_caps caps = *lan_port_own_caps(v->port);
	bool was_up = port_is_up(v->port), up = is_up(v);
	uint64_t from = clock_worked_ns();
	bool tells;

	v->hdr_len = vhost_has(&v->s, VIRTIO_VERSION_1) ||
				     vhost_has(&v->s, VIRTIO_NET_MRG_RXBUF)
			     ? VNETHDR_LEN
			     : VNETHDR_LEN - 2;
	tells = caps.offload != offload_of(&v->s);
	caps.offload = offload_of(&v->s);
	if (tells)
		lan_port_caps(v->port, &caps);
	if (up && v->port->fault && !any_broken(v))
		port_fault_clear(v->port);
	vhost_settle(v);
	if (up != v->port->carrier)
		lan_port_link(v->port, up);
	vhost_fault(v->leg[0]);
	/* The lanes were told, in a pause. */
	tells |= port_is_up(v->port) != was_up;
	if (v->env->n_workers && tells)
		vhost_charge(v, clock_worked_ns() - from);
	go_on(v->leg[0]);
	/* Who moves just now goes on by itself. */
	for (unsigned i = 1; v->has_begun && i < v->n_legs; i++) {
		if (v->leg[i]->mine)
			go_on(v->leg[i]);
	}
}

/* "receive queue", with its number where there are several. */
static void ring_name(const struct vhost_user *v, unsigned i, char *buf,
		      size_t len)
{
	const char *way = i % VHOST_RINGS == VHOST_RX ? "receive" : "transmit";

	if (v->n_pairs == 1)
		snprintf(buf, len, "%s queue", way);
	else
		snprintf(buf, len, "%s queue %u", way, i / VHOST_RINGS);
}

void vhost_fault(struct vhost_leg *g)
{
	const struct vhost_user *v = g->v;
	uint32_t left = g->port.fault ? 0 : g->mine;
	char name[32];

	for (; left; left &= left - 1) {
		unsigned i = vhost_first(g, left)->q * VHOST_RINGS;

		if (!is_broken(v->ring[i]) && !is_broken(v->ring[++i]))
			continue;
		ring_name(v, i, name, sizeof(name));
		port_fault(&g->port, FAULT_RING,
			   "its %s is broken: a descriptor or index outside "
			   "its bounds; the driver has to start it anew",
			   name);
		return;
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
	(void)lan_input(v->port, &b, false); /* nothing is kept */
}

/* Memory goes. */
static void on_release(void *arg)
{
	struct vhost_user *v = arg;

	for (unsigned i = 0; i < v->n_legs; i++) {
		if (i == 0 || v->leg[i]->mine)
			lan_port_release(&v->leg[i]->port);
	}
}

/* A transmit queue stops. */
static void on_stop(void *arg, unsigned i)
{
	const struct vhost_user *v = arg;
	const struct vhost_pair *p = v->pair[i / VHOST_RINGS];

	if (p->n_held)
		lan_port_release(&p->leg->port);
}

static void on_kick_fd(void *arg, unsigned i, int fd)
{
	const struct vhost_user *v = arg;
	struct vhost_pair *p = v->pair[i / VHOST_RINGS];
	unsigned way = i % VHOST_RINGS;
	struct loop_io *io = &p->kick[way];

	if (io->fd >= 0) {
		loop_del(p->leg->loop, io);
		fd_close(&io->fd);
	}
	*io = (struct loop_io){.fd = fd,
			       .fn = way == VHOST_RX ? vhost_rx_kick
						     : vhost_tx_kick};
	vhost_kick_on(p, way);
}

/* ---- life ---- */

static void hangup(struct vhost_user *v)
{
	if (v->is_gone)
		return;
	vhost_recall(v);
	v->is_gone = true;
	loop_defer(v->env->loop, &v->gone);
}

static void detach(struct vhost_user *v)
{
	if (v->fd < 0)
		return;
	vhost_recall(v);
	vhost_session_deinit(&v->s);
	loop_del(v->env->loop, &v->io);
	fd_close(&v->fd);
	loop_undefer(v->env->loop, &v->next);
	timer_disarm(loop_wheel(v->env->loop), &v->later);
	vhost_leg_stop(v->leg[0]);
	vhost_settle(v);
}

static void vhost_gone(struct loop_work *w)
{
	struct vhost_user *v = container_of(w, struct vhost_user, gone);
	bool wanted = v->leg[0]->room_wanted;

	detach(v);
	v->is_gone = false;
	v->leg[0]->room_wanted = false;
	if (v->port->fault)
		port_fault_clear(v->port);
	lan_port_link(v->port, false);
	if (wanted)
		lan_port_room(v->port);
	/* Either may free v or give it a new connection: last. */
	if (v->args.gone)
		v->args.gone(v->args.arg, v->port);
	else if (v->args.reconnect && v->env->want_fd)
		v->env->want_fd(v->env->arg, v->port);
}

static void read_messages(struct vhost_user *v)
{
	int r = 1;

	/* A ring may be stopped by one: with nothing left untold. */
	vhost_tell_now(v->leg[0]);
	for (unsigned i = 0; i < MESSAGES && r == 1; i++) {
		if (vhost_must_wait(v))
			return;
		r = vhost_session_step(&v->s);
	}
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
			 v->port->name, v->s.why);
	/* What it had sent before is still there. */
	vhost_recall(v);
	vhost_all_ready(v->leg[0]);
	(void)lan_port_readable(v->port);
	hangup(v);
}

static void vhost_next(struct loop_work *w)
{
	read_messages(container_of(w, struct vhost_user, next));
}

static void vhost_later(struct timer *t, uint64_t now_ns)
{
	(void)now_ns;
	read_messages(container_of(t, struct vhost_user, later));
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
	vhost_legs_free(v);
	free(v);
}

static void vhost_close(struct port *p)
{
	struct vhost_user *v = vhost_of(p);

	if (v->args.closed)
		v->args.closed(v->args.arg, p);
	detach(v);
	loop_undefer(v->env->loop, &v->gone);
	loop_undefer(v->env->loop, &v->leg[0]->room);
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

static unsigned n_rings(const struct vhost_user *v)
{
	return v->n_pairs * VHOST_RINGS;
}

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
	vhost_session_init(&v->s, fd, &v->hooks, v->ring, n_rings(v));
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

static struct vhost_user *vhost_alloc(const struct netdev_env *env,
				      const struct conn_args *a)
{
	struct vhost_user *v = calloc(1, sizeof(*v));

	if (!v)
		return NULL;
	v->env = env;
	v->args = *a;
	v->n_pairs = a->queues ? a->queues : 1;
	if (!vhost_legs_new(v)) {
		vhost_free(v);
		return NULL;
	}
	for (unsigned i = 0; i < v->n_legs; i++)
		v->leg[i]->port.ops = &vhost_ops;
	return v;
}

int vhost_new(const struct netdev_env *env, const struct conn_args *a,
	      struct port **portp)
{
	struct vhost_user *v;
	int r;

	if (a->queues > VHOST_PAIRS_MAX)
		return -EINVAL;
	v = vhost_alloc(env, a);
	if (!v)
		return -ENOMEM;
	v->port->caps = (struct port_caps){.max_frame = FRAME_MAX,
					   .queues = v->n_pairs};
	v->port->id = a->id;
	snprintf(v->port->name, sizeof(v->port->name), "%s", a->name);
	v->fd = -1;
	v->io = (struct loop_io){.fd = -1};
	v->hooks = (struct vhost_hooks){
		.begin = on_begin,
		.end = on_end,
		.changed = on_changed,
		.kick_fd = on_kick_fd,
		.announce = on_announce,
		.stop = on_stop,
		.release = on_release,
		.arg = v,
	};
	loop_work_init(&v->next, vhost_next);
	loop_work_init(&v->gone, vhost_gone);
	timer_init(&v->later, vhost_later);
	vhost_session_init(&v->s, -1, &v->hooks, v->ring, n_rings(v));
	lan_port_add(env->lan, v->port);
	r = a->fd >= 0 ? attach(v, a->fd) : 0;
	if (r < 0) {
		lan_port_del(v->port);
		vhost_free(v);
		return r;
	}
	*portp = v->port;
	return 0;
}

int netdev_vhost_new(const struct netdev_env *env,
		     const struct netdev_stream_config *c, struct port **portp)
{
	return vhost_new(env,
			 &(struct conn_args){.name = c->name,
					     .id = c->id,
					     .fd = c->fd,
					     .queues = c->queues,
					     .reconnect = c->reconnect},
			 portp);
}
