/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames of a vhost-user guest: its transmit queues (VIRTIO 1.3, 5.1.6.2).
 * Called by the lan and by the loop (kicks, looks, deferred work) on the leg's
 * worker; see vhost_user.h.
 *
 * A recv takes chains of one queue, up to 64 frames, and the next recv begins
 * with the queue behind it.  Headers are copied, the rest stays in guest memory
 * until done(), which gives all chains back with one index and at most one
 * interrupt: all but those of frames that the lan holds (port.h), which come
 * back with let_go().  A queue's kicks are off while there is something to
 * read in it.
 *
 * Of what a flow was sent on last the guest's answers go to the same pair
 * (5.1.6.5.6); noted here, used by vhost_rx.c.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "lan/steer.h"
#include "netdev/vhost_user.h"

enum {
	RECV_TRIES = 4,
	/* A driver stops its queue when fewer descriptors are free than a
	 * packet may take (Linux: 19), and asks to be woken when three
	 * quarters of what is out are back.  With more of it held than the
	 * other quarter it would sleep, and all machines wait for one. */
	HOLD_SPARE = 32,
	/* A frame's cookie: the chain's head, its place among those of the
	 * recv, its pair. */
	COOKIE_NTH = 16,
	COOKIE_PAIR = 24,
};

_Static_assert(VRING_SIZE_MAX <= 1 << COOKIE_NTH &&
		       VHOST_TX_HEADS <= 1 << (COOKIE_PAIR - COOKIE_NTH) &&
		       VHOST_PAIRS_MAX <= 1 << (32 - COOKIE_PAIR),
	       "a cookie's parts");

static void tx_drop(struct vhost_leg *g, enum drop_reason why)
{
	drop(g->drops, why);
	g->port.stats.rx_drops++;
}

/* ---- frames ---- */

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
static enum taken take_tail(struct vhost_leg *g, struct frame *f,
			    struct iovec *iov, unsigned n)
{
	uint32_t len = f->len - f->hdr_len;

	if (n <= FRAME_IOV_MAX && g->n_tx_iov + n <= VHOST_TX_IOV) {
		struct iovec *to = g->tx_iov + g->n_tx_iov;

		memcpy(to, iov, n * sizeof(*to));
		g->n_tx_iov += n;
		f->iov = to;
		f->n_iov = n;
		return TAKEN;
	}
	if (g->bounce_used || n <= FRAME_IOV_MAX)
		return NO_PLACE;
	g->bounce_used = true;
	f->hold_cost = 0;
	iov_pull(&iov, &n, g->bounce, len);
	g->tx_iov[g->n_tx_iov] = (struct iovec){g->bounce, len};
	f->iov = &g->tx_iov[g->n_tx_iov++];
	f->n_iov = 1;
	return TAKEN;
}

/* The flow's frames go to this pair from now on.  Written where it changes
 * only. */
static void note_flow(struct vhost_leg *g, const struct frame *f, unsigned q)
{
	uint32_t flow = steer_frame(f);
	uint8_t *at = &g->steer[flow % VHOST_STEER];

	if (flow && *at != q + 1)
		*at = (uint8_t)(q + 1);
}

/* The chain in g->iov as a frame. */
static enum taken take_frame(struct vhost_leg *g, const struct vchain *c,
			     struct frame *f, uint8_t *hdr)
{
	const uint8_t hdr_len = g->v->hdr_len;
	uint8_t vnet[VNETHDR_LEN] = {0};
	struct iovec *iov = g->iov;
	unsigned n = c->n_iov;
	enum taken r = TAKEN;

	if (c->len < hdr_len + (uint64_t)FRAME_ETH_LEN) {
		tx_drop(g, DROP_FRAME_SHORT);
		return DROPPED;
	}
	if (c->len > hdr_len + (uint64_t)FRAME_MAX) {
		tx_drop(g, DROP_FRAME_LONG);
		return DROPPED;
	}
	if (g->n_tx_iov == VHOST_TX_IOV)
		return NO_PLACE;
	iov_pull(&iov, &n, vnet, hdr_len);
	*f = (struct frame){.hdr = hdr,
			    .len = (uint32_t)c->len - hdr_len,
			    .cookie = (uint32_t)g->from->q << COOKIE_PAIR |
				      g->n_heads << COOKIE_NTH | c->head,
			    .hold_cost = (uint16_t)c->n_desc};
	f->hdr_len = f->len < FRAME_HDR_MAX ? f->len : FRAME_HDR_MAX;
	iov_pull(&iov, &n, hdr, f->hdr_len);
	if (n)
		r = take_tail(g, f, iov, n);
	if (r != TAKEN)
		return r;
	if (!vnethdr_parse(vnet, f) || !frame_offload_check(f)) {
		tx_drop(g, DROP_OFFLOAD_BAD);
		return DROPPED;
	}
	if (g->n_up > 1)
		note_flow(g, f, g->from->q);
	return TAKEN;
}

/* ---- chains ---- */

/* True if the chain nth from last_avail on, the next to be taken, was sent
 * while the queue was enabled. */
static bool is_sent(struct vhost_ring *r, unsigned nth)
{
	if (r->is_enabled)
		return true;
	if (r->has_mark && (uint16_t)(r->q.last_avail + nth) == r->mark)
		r->has_mark = false;
	return r->has_mark;
}

/* The next chain: its frame at b->f[b->n], if it is one.  False: stop. */
static bool take_chain(struct vhost_leg *g, struct batch *b)
{
	struct vhost_ring *ring = &g->from->ring[VHOST_TX];
	struct vring *q = &ring->q;
	enum taken what = DROPPED;
	struct vchain c;
	int r;

	if (vring_avail(q, g->n_heads + 1) <= g->n_heads)
		return false;
	r = vring_chain(q, g->n_heads, false, g->iov, VHOST_CHAIN_IOV, &c);
	if (r == -EPROTO)
		return false;
	if (r < 0)
		tx_drop(g, DROP_FRAME_LONG);
	else if (!is_sent(ring, g->n_heads))
		tx_drop(g, DROP_LINK_DOWN_IN);
	else
		what = take_frame(g, &c, &b->f[b->n], g->hdr[b->n]);
	if (what == NO_PLACE)
		return false;
	g->is_held[g->n_heads] = false;
	g->head[g->n_heads++] = c.head;
	b->n += what == TAKEN;
	return true;
}

/* n chains are pushed. */
static void publish(struct vhost_pair *p, unsigned n)
{
	struct vring *q = &p->ring[VHOST_TX].q;

	if (n)
		vring_publish(q, n);
	if (p->n_held)
		vring_note(q, p->held, p->n_held);
	vring_signal(q);
}

/* Gives the chains of the last recv back. */
static void return_heads(struct vhost_leg *g)
{
	struct vring *q = &g->from->ring[VHOST_TX].q;
	unsigned n = 0;

	for (unsigned i = 0; i < g->n_heads; i++) {
		if (!g->is_held[i])
			vring_push(q, n++, g->head[i], 0);
	}
	g->n_heads = 0;
	publish(g->from, n);
}

/* ---- recv and done ---- */

/* The queue is empty: a kick is to tell of more, or the loop's look.  True if
 * there is more already. */
static bool wait_for_more(struct vhost_pair *p)
{
	if (!loop_looks(p->leg->loop))
		return vring_want_kick(&p->ring[VHOST_TX].q);
	loop_poll_on(p->leg->loop, &p->poll);
	return false;
}

static void set_ready(struct vhost_pair *p, bool is_ready)
{
	uint32_t bit = vhost_bit(p);

	p->leg->ready = is_ready ? p->leg->ready | bit
				 : p->leg->ready & ~bit;
}

static uint32_t hold_max(uint32_t size)
{
	return size > HOLD_SPARE ? (size - HOLD_SPARE) / 4 : 0;
}

/* Frames of one queue; 0: it is empty, or has had its turn. */
static unsigned recv_pair(struct vhost_pair *p, struct batch *b)
{
	struct vring *q = &p->ring[VHOST_TX].q;
	struct vhost_leg *g = p->leg;

	if (!q->is_running) {
		set_ready(p, false);
		return 0;
	}
	g->from = p;
	g->port.hold_max = g->held_cost - p->cost + hold_max(q->size);
	vring_no_kick(q);
	for (unsigned i = 0; i < RECV_TRIES; i++) {
		g->n_heads = g->n_tx_iov = 0;
		g->bounce_used = false;
		while (b->n < FRAME_BATCH && g->n_heads < VHOST_TX_HEADS &&
		       take_chain(g, b))
			;
		vring_take(q, g->n_heads);
		if (b->n)
			return b->n;
		if (g->n_heads)
			return_heads(g);
		else if (q->is_broken || !wait_for_more(p))
			break;
		else
			vring_no_kick(q);
	}
	if (q->is_broken)
		vhost_fault(g);
	/* Else nothing but rubbish: others' turn. */
	set_ready(p, vring_avail(q, 1) > 0);
	return 0;
}

/* The first pair with something to read, from the turn on. */
static struct vhost_pair *next_pair(const struct vhost_leg *g, uint32_t of)
{
	uint32_t behind = of >> g->turn << g->turn;

	return vhost_first(g, behind ? behind : of);
}

unsigned vhost_recv(struct port *port, struct batch *b)
{
	struct vhost_leg *g = vhost_leg_of(port);
	const struct vhost_user *v = g->v;
	uint32_t left = g->ready;

	b->n = 0;
	if (v->fd < 0 || v->is_gone)
		return 0;
	while (left && !port->fault) {
		struct vhost_pair *p = next_pair(g, left);

		left &= ~vhost_bit(p);
		g->turn = (p->q + 1) % v->n_pairs;
		if (recv_pair(p, b))
			return b->n;
	}
	if (g->ready && !port->fault)
		loop_defer(g->loop, &g->more);
	return 0;
}

void vhost_done(struct port *port, struct batch *b)
{
	struct vhost_leg *g = vhost_leg_of(port);
	struct vhost_pair *p = g->from;

	for (uint64_t m = b->held; m; m &= m - 1) {
		const struct frame *f = &b->f[__builtin_ctzll(m)];

		assert(p->n_held < HOLD_FRAMES);
		g->is_held[f->cookie >> COOKIE_NTH & 0xff] = true;
		p->held[p->n_held] = (uint16_t)f->cookie;
		p->held_cost[p->n_held++] = f->hold_cost;
		p->cost += f->hold_cost;
		g->held_cost += f->hold_cost;
	}
	return_heads(g);
}

/* ---- what was held ---- */

/* Most come in the order in which they were held. */
static void held_del(struct vhost_pair *p, uint16_t head)
{
	unsigned i = 0;

	while (i < p->n_held && p->held[i] != head)
		i++;
	assert(i < p->n_held);
	p->cost -= p->held_cost[i];
	p->leg->held_cost -= p->held_cost[i];
	p->n_held--;
	memmove(p->held + i, p->held + i + 1,
		(p->n_held - i) * sizeof(p->held[0]));
	memmove(p->held_cost + i, p->held_cost + i + 1,
		(p->n_held - i) * sizeof(p->held_cost[0]));
}

void vhost_let_go(struct port *port, const uint32_t *cookie, unsigned n)
{
	struct vhost_leg *g = vhost_leg_of(port);
	uint32_t touched = 0;

	for (unsigned i = 0; i < n; i++) {
		struct vhost_pair *p = g->v->pair[cookie[i] >> COOKIE_PAIR];
		struct vring *q = &p->ring[VHOST_TX].q;

		held_del(p, (uint16_t)cookie[i]);
		if (!q->is_running || !q->used) /* it has no place any more */
			continue;
		if (!(touched & vhost_bit(p)))
			p->n = 0;
		touched |= vhost_bit(p);
		vring_push(q, p->n++, (uint16_t)cookie[i], 0);
	}
	for (; touched; touched &= touched - 1) {
		struct vhost_pair *p = vhost_first(g, touched);

		publish(p, p->n);
	}
}

/* ---- kicks and looks ---- */

static void read_frames(struct vhost_leg *g)
{
	if (lan_port_readable(&g->port))
		loop_defer(g->loop, &g->more);
}

void vhost_more(struct loop_work *w)
{
	read_frames(container_of(w, struct vhost_leg, more));
}

void vhost_all_ready(struct vhost_leg *g)
{
	g->ready = g->mine;
}

void vhost_tx_kick(struct loop_io *io, uint32_t events)
{
	struct vhost_pair *p =
		container_of(io, struct vhost_pair, kick[VHOST_TX]);

	(void)events; /* every write is an edge: the counter is never read */
	set_ready(p, true);
	read_frames(p->leg);
}

static bool poll_look(struct loop_poll *poll)
{
	struct vring *q = &container_of(poll, struct vhost_pair, poll)
				   ->ring[VHOST_TX].q;

	return vring_avail(q, 1) || q->is_broken;
}

static void poll_found(struct loop_poll *poll)
{
	struct vhost_pair *p = container_of(poll, struct vhost_pair, poll);

	set_ready(p, true);
	read_frames(p->leg);
}

static bool poll_stop(struct loop_poll *poll)
{
	return vring_want_kick(&container_of(poll, struct vhost_pair, poll)
					->ring[VHOST_TX].q);
}

void vhost_poll_init(struct loop_poll *p)
{
	*p = (struct loop_poll){
		.look = poll_look, .fn = poll_found, .stop = poll_stop};
	loop_poll_init(p);
}
