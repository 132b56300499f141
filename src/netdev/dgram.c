/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port kind `dgram`: one frame per datagram, no header (reference 1.4),
 * over UDP, UDP multicast and unix datagram sockets.  mmsg.h is the port; what
 * is particular stands here.  `vde` is the same once the keeper has the port of
 * a VDE switch, or has given one (reference 1.7).
 *
 * Called by the lan (port hooks) and by the loop; one worker's thread.
 *
 * Any length is a frame, a refusal costs the frame.
 *
 * On a multicast group the kernel gives us back what we sent.  We know it by
 * its source, `self`: an address and port nobody else sends from, hence the
 * separate socket tx_fd.
 */
/* #syscalls: getsockopt getsockname connect */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/mem.h"
#include "netdev/mmsg.h"
#include "netdev/netdev.h"
#include "os/sockaddr.h"

#define DGRAM_ASK_NS UINT64_C(1000000000) /* between two want_fd */

struct dgram {
	struct mmsg mmsg;
	struct loop_work ask;  /* tell the keeper that the peer is gone */
	uint64_t ask_after_ns; /* not before */
	struct sockaddr_storage to; /* where to send */
	socklen_t to_len;      /* 0: connected */
	struct endpoint self;  /* is_multicast: the source of our frames */
	bool is_multicast;
	bool is_unix;
};

static struct dgram *dgram_of(struct mmsg *m)
{
	return container_of(m, struct dgram, mmsg);
}

static bool dgram_is_own(const struct dgram *d,
			 const struct sockaddr_storage *from)
{
	struct endpoint ep;

	return d->is_multicast && sockaddr_to(from, &ep) &&
	       endpoint_eq(&ep, &d->self);
}

static void dgram_take(struct mmsg *m, struct batch *b, unsigned n)
{
	struct dgram *d = dgram_of(m);

	for (unsigned i = 0; i < n; i++) {
		if (dgram_is_own(d, &m->from[i]))
			mmsg_rx_drop(m, DROP_SELF_ECHO);
		else
			mmsg_take(m, b, i, 0);
	}
}

static void dgram_fill(struct mmsg *m, struct mmsg_out *o,
		       const struct batch *b, uint64_t mask)
{
	const struct dgram *d = dgram_of(m);
	const struct mmsg_dest dest = {.to = &d->to, .to_len = d->to_len};

	for (; mask; mask &= mask - 1) {
		if (!mmsg_put(m, o, b, (unsigned)__builtin_ctzll(mask), &dest,
			      true))
			return;
	}
}

/* The peer of a unix socket is not there: somebody should look for it. */
static void dgram_lost(struct mmsg *m)
{
	struct dgram *d = dgram_of(m);
	uint64_t now = *loop_now(m->env->loop);

	if (!d->is_unix || d->to_len || !m->env->want_fd ||
	    now < d->ask_after_ns)
		return;
	d->ask_after_ns = now + DGRAM_ASK_NS;
	loop_defer(m->env->loop, &d->ask);
}

static void dgram_ask(struct loop_work *w)
{
	struct mmsg *m = &container_of(w, struct dgram, ask)->mmsg;

	m->env->want_fd(m->env->arg, &m->port);
}

static void dgram_close(struct port *p)
{
	struct dgram *d = container_of(p, struct dgram, mmsg.port);

	loop_undefer(d->mmsg.env->loop, &d->ask);
	mmsg_close(&d->mmsg);
	free(d);
}

static const struct mmsg_ops dgram_mmsg_ops = {
	.take = dgram_take,
	.fill = dgram_fill,
	.lost = dgram_lost,
};

#define DGRAM_OPS(name)                                                        \
	{                                                                      \
		.kind = (name), .recv = mmsg_recv, .done = mmsg_done,          \
		.send = mmsg_send, .want_room = mmsg_want_room,                \
		.close = dgram_close,                                          \
	}

static const struct port_ops dgram_ops = DGRAM_OPS("dgram");
static const struct port_ops vde_ops = DGRAM_OPS("vde");

/* ---- making one ---- */

/* Where our own frames seem to come from. */
static int dgram_find_self(struct dgram *d, const struct netdev_dgram_config *c)
{
	struct sockaddr_storage name = {0};
	socklen_t len = sizeof(name);

	d->self = c->self;
	if (!addr_is_unspecified(&c->self.ip))
		return 0;
	if (c->tx_fd <= 0)
		return -EDESTADDRREQ;
	/* Connected, the sending socket has one source for good. */
	if (connect(c->tx_fd, (struct sockaddr *)&d->to, d->to_len) < 0)
		return -errno;
	d->to_len = 0;
	if (getsockname(c->tx_fd, (struct sockaddr *)&name, &len) < 0)
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
	d->mmsg.refuses_late = !d->is_unix;
	d->mmsg.port.caps.max_frame = family == AF_UNIX	  ? FRAME_MAX
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

	d->is_multicast = d->mmsg.keeps_from = c->is_multicast;
	if (r == 0 && d->is_multicast)
		r = dgram_find_self(d, c);
	return r;
}

int netdev_dgram_new(const struct netdev_env *env,
		     const struct netdev_dgram_config *c, struct port **portp)
{
	struct dgram *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	mmsg_init(&d->mmsg, env, c->name, c->id);
	d->mmsg.ops = &dgram_mmsg_ops;
	d->mmsg.port.ops = c->is_vde ? &vde_ops : &dgram_ops;
	d->mmsg.port.caps.is_uplink = c->is_uplink;
	loop_work_init(&d->ask, dgram_ask);
	r = dgram_init(d, c);
	if (r == 0)
		r = mmsg_open(&d->mmsg, c->fd, c->tx_fd > 0 ? c->tx_fd : -1);
	if (r < 0) {
		dgram_close(&d->mmsg.port);
		return r;
	}
	*portp = &d->mmsg.port;
	return 0;
}
