/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a leg of the gateway does with frames, and whose a flow is
 * (gateway_legs.h).  Called by the lane for each batch, and by
 * gateway_input.c; each worker's own thread.
 */
#include <netinet/in.h>
#include <stdio.h>

#include "gateway/gateway_priv.h"
#include "lan/tap.h"
#include "wire/tcp.h"

/* ---- mail ---- */

static void mail(struct carrier *c, unsigned to, const struct batch *b,
		 uint64_t mask)
{
	const struct gateway_legs *ls = c->gw->legs;

	/* What finds no room is counted. */
	(void)ls->mail(ls->mail_arg, &c->gw->port, c->me, to, b, mask);
}

static void flush(struct carrier *c, unsigned to)
{
	if (!(c->away & UINT64_C(1) << to))
		return;
	mail(c, to, c->b, c->to[to]);
	c->to[to] = 0;
	c->away &= ~(UINT64_C(1) << to);
}

void carrier_begin(struct carrier *c, const struct batch *b)
{
	c->b = b;
}

void carrier_end(struct carrier *c)
{
	while (c->away)
		flush(c, (unsigned)__builtin_ctzll(c->away));
	c->b = NULL;
}

/* True with its index if f is of the batch. */
static bool find_index(const struct carrier *c, const struct frame *f,
		       unsigned *ip)
{
	uintptr_t at = (uintptr_t)f - (uintptr_t)c->b->f;

	*ip = (unsigned)(at / sizeof(*f));
	return (uintptr_t)f >= (uintptr_t)c->b->f && at < sizeof(c->b->f) &&
	       *ip < c->b->n;
}

/* One that was put together of fragments goes behind those before it.  That it
 * may be cut on its way is what tells whoever gets it (UFO) that it may leave
 * in fragments. */
static void send_whole(struct carrier *c, unsigned to, const struct frame *f,
		       const struct packet *pkt)
{
	struct batch b;

	flush(c, to);
	b.n = 1;
	b.f[0] = *f;
	b.f[0].off.gso =
		pkt->ip_version == 4 ? FRAME_GSO_FRAG4 : FRAME_GSO_FRAG6;
	b.f[0].off.gso_size = NAT_MTU & ~7;
	b.f[0].off.csum_start = pkt->l4_off;
	mail(c, to, &b, 1);
}

static void send_away(struct carrier *c, unsigned to, const struct frame *f,
		      const struct packet *pkt)
{
	unsigned i;

	if (!find_index(c, f, &i)) {
		send_whole(c, to, f, pkt);
		return;
	}
	c->to[to] |= UINT64_C(1) << i;
	c->away |= UINT64_C(1) << to;
}

/* ---- whose it is ---- */

static bool is_syn(const struct packet *pkt, const struct frame *f)
{
	const unsigned flags = pkt->l4_off + 13u;

	return flags < f->hdr_len && f->hdr[flags] & TCP_SYN;
}

static void take(struct carrier *c, const struct packet *pkt,
		 const struct frame *f)
{
	if (pkt->proto == IPPROTO_TCP)
		tcp_input(c->tcp, pkt, f);
	else
		udp_input(c->udp, pkt, f);
}

/* Nobody else claims the bucket while f is looked at. */
static void take_held(struct carrier *c, const struct packet *pkt,
		      const struct frame *f, bool is_known)
{
	const struct endpoint any = {.port = 0};
	const struct endpoint *peer =
		pkt->proto == IPPROTO_TCP ? &pkt->dst : &any;
	uint32_t bucket = buckets_of(c->holds.b, pkt->proto, &pkt->src, peer);
	unsigned owner = c->me;
	bool is_held = bucket_hold(&c->holds, bucket, &owner);

	if (!is_held && !is_known) {
		send_away(c, owner, f, pkt);
		return;
	}
	take(c, pkt, f);
	if (is_held)
		bucket_release(&c->holds, bucket);
}

void carrier_carry(struct carrier *c, const struct packet *pkt,
		   const struct frame *f)
{
	bool is_tcp = pkt->proto == IPPROTO_TCP;
	bool is_known = is_tcp ? tcp_has(c->tcp, &pkt->src, &pkt->dst)
			       : udp_has(c->udp, &pkt->src);

	/* A SYN may end a flow and begin another. */
	if (is_known && !(is_tcp && is_syn(pkt, f)))
		take(c, pkt, f);
	else
		take_held(c, pkt, f, is_known);
}

/* ---- the leg as a port ---- */

static struct gateway_leg *leg_of(struct port *p)
{
	return container_of(p, struct gateway_leg, port);
}

/* What it sends is pushed into the lane as it is made. */
static unsigned leg_recv(struct port *p, struct batch *b)
{
	(void)p;
	(void)b;
	return 0;
}

static void leg_done(struct port *p, struct batch *b)
{
	(void)p;
	(void)b;
}

static void leg_input(struct gateway_leg *l, const struct frame *f)
{
	struct packet pkt;
	enum packet_result r = packet_parse(f->hdr, f->hdr_len, f->len, &pkt);

	if (frame_may_be_cut(f))
		pkt.df = false;
	if (r == PACKET_OK && gateway_is_shared(l->carrier.gw, &pkt))
		carrier_carry(&l->carrier, &pkt, f);
	else
		send_away(&l->carrier, 0, f, &pkt);
}

/* As each frame's leg_input(), and tells which were lost, and why. */
static __attribute__((noinline)) void
leg_input_tapped(struct gateway_leg *l, const struct batch *b, uint64_t mask)
{
	for (; mask; mask &= mask - 1) {
		unsigned i = (unsigned)__builtin_ctzll(mask);
		struct drops before = *l->nat.drops;

		leg_input(l, &b->f[i]);
		gateway_tell_lost(&l->port, b, i, &before, l->nat.drops);
	}
}

static uint64_t leg_send(struct port *p, const struct batch *b, uint64_t mask)
{
	struct gateway_leg *l = leg_of(p);

	if (l->is_busy) { /* as in gateway.c */
		drop_n(l->nat.drops, DROP_LAN_LOOP,
		       (unsigned)__builtin_popcountll(mask));
		return mask;
	}
	l->is_busy = true;
	carrier_begin(&l->carrier, b);
	if (lan_tap_wants(p))
		leg_input_tapped(l, b, mask);
	else
		for (uint64_t left = mask; left; left &= left - 1)
			leg_input(l, &b->f[__builtin_ctzll(left)]);
	carrier_end(&l->carrier);
	udp_flush(l->udp);
	tcp_flush(l->tcp);
	l->is_busy = false;
	return mask;
}

static void leg_room(struct port *p, struct port *other)
{
	struct gateway_leg *l = leg_of(p);

	(void)other;
	gateway_room(l->tcp, l->udp, &l->is_udp_turn);
}

void gateway_leg_port(struct gateway_leg *l)
{
	static const struct port_ops ops = {
		.kind = "user",
		.recv = leg_recv,
		.done = leg_done,
		.send = leg_send,
		.room = leg_room,
	};
	const struct port *first = &l->carrier.gw->port;

	l->port.ops = &ops;
	l->port.id = first->id;
	l->port.caps = first->caps;
	snprintf(l->port.name, sizeof(l->port.name), "%s", first->name);
}
