/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port kind `l2tpv3`: Ethernet frames in L2TPv3 data messages (reference
 * 1.9, wire/l2tpv3.h), over UDP or IP protocol 115, between two that were
 * told the same.  mmsg.h is the port; what is particular stands here.
 *
 * Called by the lan (port hooks) and by the loop; one worker's thread.
 *
 * Over UDP the socket is not connected: a peer behind a NAT may send from
 * another port than it hears on.  So its address is looked at here, and its
 * port is not.  Over IP the socket is connected, but it has heard everybody
 * from when it was made until then.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netdev/mmsg.h"
#include "netdev/netdev.h"
#include "os/sockaddr.h"

enum {
	COUNTER_MASK = 0xffffff, /* RFC 3931 4.6: 24 bits; flags above */
	IP4_MAX = 65535,	 /* bytes of a packet */
	IP4_HDR = 20,
	IP6_MAX = 65535, /* behind the header */
};

struct l2tpv3 {
	struct mmsg mmsg;
	struct l2tpv3_form tx, rx;
	bool counts;	/* the counter moves */
	bool skips_ip4; /* messages come with IPv4's header */
	addr peer;
	struct sockaddr_storage to;
	socklen_t to_len; /* 0: connected */
	uint8_t hdr[FRAME_BATCH][L2TPV3_HDR_MAX]; /* of the messages of a
						   * call; all but counters
						   * stays as it is */
};

static struct l2tpv3 *l2tpv3_of(struct mmsg *m)
{
	return container_of(m, struct l2tpv3, mmsg);
}

static bool is_peers(const struct l2tpv3 *l, const struct sockaddr_storage *ss)
{
	struct endpoint ep;

	return sockaddr_to(ss, &ep) && addr_eq(&ep.ip, &l->peer);
}

/* Takes the headers of message i, *offp being where the frame begins. */
static enum drop_reason check(struct l2tpv3 *l, unsigned i, uint32_t *offp)
{
	static const enum drop_reason reasons[] = {
		[L2TPV3_OK] = DROP_N,
		[L2TPV3_E_SHORT] = DROP_TUNNEL_SHORT,
		[L2TPV3_E_VERSION] = DROP_TUNNEL_BAD,
		[L2TPV3_E_SESSION] = DROP_TUNNEL_ID,
		[L2TPV3_E_COOKIE] = DROP_TUNNEL_COOKIE,
	};
	uint32_t len = l->mmsg.in[i].msg_len;
	struct rd r = rd_init(l->mmsg.in_iov[i].iov_base, len);
	enum l2tpv3_result got;

	if (!is_peers(l, &l->mmsg.from[i]))
		return DROP_TUNNEL_PEER;
	if (l->skips_ip4 && !l2tpv3_skip_ip4(&r))
		return DROP_TUNNEL_SHORT;
	got = l2tpv3_parse(&r, &l->rx);
	*offp = len - (uint32_t)rd_left(&r);
	return reasons[got];
}

static void l2tpv3_take(struct mmsg *m, struct batch *b, unsigned n)
{
	struct l2tpv3 *l = l2tpv3_of(m);

	for (unsigned i = 0; i < n; i++) {
		uint32_t off = 0;
		enum drop_reason why = check(l, i, &off);

		if (why != DROP_N)
			mmsg_rx_drop(m, why);
		else
			mmsg_take(m, b, i, off);
	}
}

static void put_counter(struct l2tpv3 *l, unsigned i)
{
	/* The first message's is 1. */
	uint32_t n = (l->mmsg.n_out + i + 1) & COUNTER_MASK;
	struct wr w = wr_init(l->hdr[i] + l2tpv3_counter_at(&l->tx), 4);

	wr_u32(&w, n);
}

static void l2tpv3_fill(struct mmsg *m, struct mmsg_out *o,
			const struct batch *b, uint64_t mask)
{
	struct l2tpv3 *l = l2tpv3_of(m);
	struct mmsg_dest d = {.hdr_len = l2tpv3_len(&l->tx),
			      .to = &l->to,
			      .to_len = l->to_len};

	for (; mask && o->n < FRAME_BATCH; mask &= mask - 1) {
		d.hdr = l->hdr[o->n];
		if (l->counts)
			put_counter(l, o->n);
		if (!mmsg_put(m, o, b, (unsigned)__builtin_ctzll(mask), &d,
			      true))
			return;
	}
}

static void l2tpv3_close(struct port *p)
{
	struct l2tpv3 *l = container_of(p, struct l2tpv3, mmsg.port);

	mmsg_close(&l->mmsg);
	free(l);
}

static const struct mmsg_ops l2tpv3_mmsg_ops = {
	.take = l2tpv3_take,
	.fill = l2tpv3_fill,
};

static const struct port_ops l2tpv3_ops = {
	.kind = "l2tpv3",
	.recv = mmsg_recv,
	.done = mmsg_done,
	.send = mmsg_send,
	.want_room = mmsg_want_room,
	.close = l2tpv3_close,
};

/* What a datagram or packet carries, its headers taken off. */
static uint32_t max_frame(const struct l2tpv3 *l)
{
	bool is_v4 = addr_is_v4(&l->peer);
	uint32_t max = is_v4 ? IP4_MAX - IP4_HDR : IP6_MAX;

	if (l->tx.is_udp)
		max = is_v4 ? UDP4_MAX : UDP6_MAX;
	return max - (uint32_t)l2tpv3_len(&l->tx);
}

static bool is_valid(const struct l2tpv3_form *f)
{
	return (f->cookie_len == 0 || f->cookie_len == 4 ||
		f->cookie_len == 8) &&
	       f->offset <= L2TPV3_OFFSET_MAX;
}

int netdev_l2tpv3_new(const struct netdev_env *env,
		      const struct netdev_l2tpv3_config *c, struct port **portp)
{
	struct l2tpv3 *l;
	int r;

	if (!is_valid(&c->tx) || !is_valid(&c->rx) ||
	    c->tx.is_udp != c->rx.is_udp)
		return -EINVAL;
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	mmsg_init(&l->mmsg, env, c->name, c->id);
	l->mmsg.ops = &l2tpv3_mmsg_ops;
	l->mmsg.keeps_from = true;
	l->mmsg.refuses_late = true;
	l->mmsg.port.ops = &l2tpv3_ops;
	l->mmsg.port.caps.is_uplink = true;
	l->tx = c->tx;
	l->rx = c->rx;
	l->peer = c->remote.ip;
	l->skips_ip4 = !c->tx.is_udp && addr_is_v4(&l->peer);
	l->counts = c->tx.has_counter && !c->pins_counter;
	l->mmsg.port.caps.max_frame = max_frame(l);
	if (c->tx.is_udp)
		l->to_len = sockaddr_from(&c->remote, &l->to);
	for (unsigned i = 0; i < FRAME_BATCH; i++) {
		struct wr w = wr_init(l->hdr[i], L2TPV3_HDR_MAX);

		l2tpv3_emit(&w, &l->tx, 0);
	}
	r = mmsg_open(&l->mmsg, c->fd, -1);
	if (r < 0) {
		l2tpv3_close(&l->mmsg.port);
		return r;
	}
	*portp = &l->mmsg.port;
	return 0;
}
