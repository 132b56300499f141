/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames to a vhost-user guest: its receive queues (VIRTIO 1.3, 5.1.6.3).
 * Called by the lan and by the loop (kicks, deferred work) on the leg's worker;
 * see vhost_user.h.
 *
 * With several queues on the leg a frame goes to the pair on which the guest
 * sent of its flow last (5.1.6.5.6), and if it did not, to one of those that
 * are up, by the flow's number.  What is of no flow, or for a pair that is not
 * up, goes to the leg's first: of worker 0's, pair 0.  A flow's frames stay in
 * order but when it moves.  A frame that its queue has no room for stops those
 * behind it, as with one queue: the leg has room again when that queue has.
 *
 * A frame takes as many chains as it needs where MRG_RXBUF was negotiated,
 * else one.  What was written is published with one index at the end of the
 * call, and told with at most one interrupt, a little of it at the end of the
 * loop's round.
 *
 *    last_avail
 *        |  frame 0   |  frame 1 |   frame 2 .. |
 *        [c0][c1][c2] [c3][c4]   [c5][c6]  ...      chains on offer
 *
 * Drivers put new buffers in when about half the queue is used up, and not
 * before: waiting for more than half of it may be waiting for ever.  So a
 * frame that does not fit although half the queue is on offer never will, and
 * is lost by name.
 */
#include <errno.h>
#include <string.h>

#include "lan/steer.h"
#include "netdev/vhost_user.h"

/* Where the next byte goes. */
struct spot {
	struct iovec *iov;
	size_t off;
};

/* The chains of one frame. */
struct place {
	unsigned n;	/* chains */
	unsigned n_iov; /* their pieces, at leg.iov */
	unsigned n_read; /* descriptors: empty ones cost time, too */
	uint64_t len;	/* bytes they hold */
};

enum fit { FITS, NO_ROOM, NEVER };

/* Chains for which the interrupt can wait for the end of the loop's round:
 * answers, ACKs.  With more the guest can begin. */
enum { FEW = 2, ROOM_TRIES = 4 };

static void spot_put(struct spot *s, const void *from, size_t n)
{
	const uint8_t *p = from;

	while (n) {
		size_t here = s->iov->iov_len - s->off;

		if (here > n)
			here = n;
		/* Source and destination may both be the guest's. */
		memmove((uint8_t *)s->iov->iov_base + s->off, p, here);
		p += here;
		n -= here;
		s->off += here;
		if (s->off == s->iov->iov_len) {
			s->iov++;
			s->off = 0;
		}
	}
}

static void tx_drop(struct vhost_leg *g, enum drop_reason why, unsigned n)
{
	drop_n(g->drops, why, n);
	g->port.stats.tx_drops += n;
}

static bool can_send(const struct vhost_pair *p)
{
	const struct vhost_user *v = p->leg->v;

	return v->fd >= 0 && !v->is_gone &&
	       vhost_ring_is_up(&p->ring[VHOST_RX]);
}

/* ---- which queue ---- */

/* Where it goes that has no better place. */
static struct vhost_pair *any_pair(const struct vhost_leg *g)
{
	return g->n_up ? g->v->pair[g->up[0]] : vhost_first(g, g->mine);
}

static struct vhost_pair *pair_of(struct vhost_leg *g, uint32_t flow)
{
	struct vhost_pair *p;
	uint8_t last;

	if (g->n_up <= 1 || !flow)
		return any_pair(g);
	last = g->steer[flow % VHOST_STEER];
	if (!last)
		last = (uint8_t)(g->up[flow / VHOST_STEER % g->n_up] + 1);
	p = g->v->pair[last - 1];
	/* It may be another leg's by now. */
	return p->leg == g && can_send(p) ? p : any_pair(g);
}

static struct vhost_pair *pair_for(struct vhost_leg *g, const struct frame *f)
{
	return g->n_up <= 1 ? any_pair(g) : pair_of(g, steer_frame(f));
}

/* ---- places ---- */

/* Finds need bytes in p's chains from the nth on; which they are goes to
 * leg.buffer[nth..], their pieces to leg.iov. */
static enum fit find_place(struct vhost_pair *p, unsigned nth, uint64_t need,
			   struct place *at)
{
	struct vhost_leg *g = p->leg;
	struct vring *q = &p->ring[VHOST_RX].q;
	bool may_merge = vhost_has(&g->v->s, VIRTIO_NET_MRG_RXBUF);

	*at = (struct place){0};
	while (at->len < need) {
		unsigned i = nth + at->n, avail = vring_avail(q, i + 1);
		unsigned spent = at->n_iov > at->n_read ? at->n_iov
							: at->n_read;
		struct vchain c;
		int r;

		if ((at->n && !may_merge) || spent >= VHOST_CHAIN_IOV)
			return NEVER;
		if (avail <= i)
			return avail > nth && avail - nth >= q->size / 2
				       ? NEVER
				       : NO_ROOM;
		r = vring_chain(q, i, true, g->iov + at->n_iov,
				VHOST_CHAIN_IOV - spent, &c);
		if (r < 0) /* broken, or in too many pieces */
			return NEVER;
		g->buffer[i] = (struct vhost_buffer){
			.head = c.head,
			.len = c.len > UINT32_MAX ? UINT32_MAX
						  : (uint32_t)c.len};
		at->n_iov += c.n_iov;
		at->n_read += c.n_read;
		at->len += c.len;
		at->n++;
	}
	return FITS;
}

static void put_header(const struct vhost_user *v, struct spot *s,
		       const struct frame_offload *off, unsigned n_chains)
{
	uint8_t h[VNETHDR_LEN];
	uint16_t n = (uint16_t)n_chains;

	vnethdr_emit(off, h);
	memcpy(h + VNETHDR_LEN - 2, &n, sizeof(n));
	spot_put(s, h, v->hdr_len);
}

/* Used elements for p's chains from nth on that hold len bytes; returns their
 * number. */
static unsigned push_chains(struct vhost_pair *p, unsigned nth, uint64_t len)
{
	struct vring *q = &p->ring[VHOST_RX].q;
	unsigned n = 0;

	do {
		const struct vhost_buffer *c = &p->leg->buffer[nth + n];
		uint32_t here = len < c->len ? (uint32_t)len : c->len;

		vring_push(q, nth + n, c->head, here);
		len -= here;
		n++;
	} while (len);
	return n;
}

static void log_pieces(struct vhost_user *v, const struct iovec *iov,
		       unsigned n)
{
	if (!v->s.log.is_on)
		return;
	for (unsigned i = 0; i < n; i++)
		vlog_bytes(&v->s.log, &v->s.mem, iov[i].iov_base,
			   iov[i].iov_len);
}

/* n of p's chains are used. */
static void finish(struct vhost_pair *p, unsigned n)
{
	struct vring *q = &p->ring[VHOST_RX].q;
	struct vhost_leg *g = p->leg;

	if (n == 0)
		return;
	vring_take(q, n);
	vring_publish(q, n);
	/* What else this round gives shares the interrupt. */
	if (n <= FEW) {
		g->untold |= vhost_bit(p);
		loop_defer(g->loop, &g->tell);
	} else {
		vring_signal(q);
	}
}

void vhost_tell_now(struct vhost_leg *g)
{
	for (; g->untold; g->untold &= g->untold - 1) {
		struct vhost_pair *p = vhost_first(g, g->untold);

		vring_signal(&p->ring[VHOST_RX].q);
	}
}

void vhost_tell(struct loop_work *w)
{
	vhost_tell_now(container_of(w, struct vhost_leg, tell));
}

/* ---- send ---- */

/* Writes f into p's chains from the p->n-th on, which it adds to. */
static enum fit send_one(struct vhost_pair *p, const struct frame *f)
{
	struct vhost_leg *g = p->leg;
	uint64_t need = g->v->hdr_len + (uint64_t)f->len;
	struct place at;
	struct spot s = {.iov = g->iov};
	enum fit fit = find_place(p, p->n, need, &at);

	if (fit != FITS)
		return fit;
	put_header(g->v, &s, &f->off, at.n);
	spot_put(&s, f->hdr, f->hdr_len);
	for (unsigned i = 0; i < f->n_iov; i++)
		spot_put(&s, f->iov[i].iov_base, f->iov[i].iov_len);
	log_pieces(g->v, g->iov, at.n_iov);
	p->n += push_chains(p, p->n, need);
	return FITS;
}

/* Publishes what was written to the pairs. */
static void finish_all(struct vhost_leg *g, uint32_t touched)
{
	for (; touched; touched &= touched - 1) {
		struct vhost_pair *p = vhost_first(g, touched);

		finish(p, p->n);
	}
}

uint64_t vhost_send(struct port *port, const struct batch *b, uint64_t mask)
{
	struct vhost_leg *g = vhost_leg_of(port);
	uint32_t touched = 0;
	uint64_t left = mask;
	bool is_down = false;

	while (left) {
		const struct frame *f = &b->f[__builtin_ctzll(left)];
		struct vhost_pair *p = pair_for(g, f);
		enum fit fit = NEVER;

		if (!(touched & vhost_bit(p)))
			p->n = 0;
		touched |= vhost_bit(p);
		if (can_send(p) && f->len <= FRAME_MAX)
			fit = send_one(p, f);
		if (fit == NO_ROOM) {
			g->refused |= vhost_bit(p);
			break;
		}
		is_down = fit == NEVER && !can_send(p);
		if (is_down) /* or was found broken */
			break;
		if (fit == NEVER)
			tx_drop(g, DROP_FRAME_LONG, 1);
		left &= left - 1;
	}
	finish_all(g, touched);
	if (left)
		vhost_fault(g);
	if (is_down) {
		tx_drop(g, DROP_LINK_DOWN,
			(unsigned)__builtin_popcountll(left));
		left = 0;
	}
	return mask & ~left;
}

/* ---- lend and give ---- */

/* The pieces of a place behind its header, as the lend frame's own. */
static bool lend_pieces(struct vhost_leg *g, struct lend *l,
			struct lend_frame *f, struct vhost_lent *t,
			unsigned n_iov)
{
	struct iovec *iov = g->iov;
	uint32_t hdr = g->v->hdr_len;

	t->n_hdr = 0;
	for (; n_iov && hdr; n_iov--, iov++) {
		size_t here = iov->iov_len < hdr ? iov->iov_len : hdr;

		t->hdr[t->n_hdr++] = (struct iovec){iov->iov_base, here};
		iov->iov_base = (uint8_t *)iov->iov_base + here;
		iov->iov_len -= here;
		hdr -= (uint32_t)here;
		if (iov->iov_len)
			break;
	}
	if (l->n_iov + n_iov > LEND_IOV_MAX)
		return false;
	f->iov = l->iov + l->n_iov;
	f->n_iov = n_iov;
	memcpy(f->iov, iov, n_iov * sizeof(*iov));
	l->n_iov += n_iov;
	return true;
}

/* Something to write to, so that the borrower goes on: dropped at give. */
static bool lend_trash(struct vhost_leg *g, struct lend *l,
		       struct lend_frame *f)
{
	if (l->n_iov == LEND_IOV_MAX)
		return false;
	f->iov = l->iov + l->n_iov++;
	f->iov[0] = (struct iovec){g->trash, f->want};
	f->n_iov = 1;
	return true;
}

unsigned vhost_lend(struct port *port, struct lend *l)
{
	struct vhost_leg *g = vhost_leg_of(port);
	struct vhost_pair *p = pair_of(g, l->flow);
	unsigned want = l->n, n = 0;

	g->to = p;
	l->n = l->n_iov = 0;
	while (l->n < want) {
		struct lend_frame *f = &l->f[l->n];
		struct vhost_lent *t = &g->lent[l->n];
		enum fit fit = NEVER;
		struct place at = {0};

		if (can_send(p))
			fit = find_place(p, n,
					 g->v->hdr_len + (uint64_t)f->want,
					 &at);
		if (fit == NO_ROOM)
			g->refused |= vhost_bit(p);
		*t = (struct vhost_lent){.first = n, .n = at.n};
		t->is_void = fit == NEVER;
		if (fit == NO_ROOM ||
		    (t->is_void ? !lend_trash(g, l, f)
				: !lend_pieces(g, l, f, t, at.n_iov)))
			break;
		n += t->is_void ? 0 : at.n;
		l->n++;
	}
	return l->n;
}

/* Chains before this frame's were not needed: its bytes move to the first of
 * them, for a receive queue has no gaps.  Returns the chains it takes. */
static unsigned move_up(struct vhost_pair *p, const struct lend_frame *f,
			unsigned nth)
{
	struct vhost_leg *g = p->leg;
	struct vhost_user *v = g->v;
	uint64_t need = v->hdr_len + (uint64_t)f->len;
	uint32_t left = f->len;
	struct spot s = {.iov = g->iov};
	struct place at;

	if (find_place(p, nth, need, &at) != FITS)
		return 0;
	/* A chain that begins where or before the bytes lie now: copied from
	 * the front, none is overwritten before it has moved. The header goes
	 * last, over nothing that is still wanted. */
	for (uint32_t skip = v->hdr_len; skip;) {
		size_t here = s.iov->iov_len - s.off;

		here = here < skip ? here : skip;
		s.off += here;
		skip -= (uint32_t)here;
		if (s.off == s.iov->iov_len) {
			s.iov++;
			s.off = 0;
		}
	}
	for (unsigned i = 0; i < f->n_iov && left; i++) {
		size_t here = f->iov[i].iov_len < left ? f->iov[i].iov_len
						       : left;

		spot_put(&s, f->iov[i].iov_base, here);
		left -= (uint32_t)here;
	}
	s = (struct spot){.iov = g->iov};
	put_header(v, &s, &f->off, at.n);
	log_pieces(v, g->iov, at.n_iov);
	return push_chains(p, nth, need);
}

/* The frame lies where it was lent. */
static unsigned give_one(struct vhost_pair *p, const struct lend_frame *f,
			 struct vhost_lent *t)
{
	struct vhost_user *v = p->leg->v;
	uint64_t need = v->hdr_len + (uint64_t)f->len;
	struct spot s = {.iov = t->hdr};
	unsigned n = push_chains(p, t->first, need);

	put_header(v, &s, &f->off, n);
	log_pieces(v, t->hdr, t->n_hdr);
	log_pieces(v, f->iov, f->n_iov);
	return n;
}

void vhost_give(struct port *port, struct lend *l)
{
	struct vhost_leg *g = vhost_leg_of(port);
	struct vhost_pair *p = g->to;
	unsigned n = 0;

	for (unsigned i = 0; i < l->n_used; i++) {
		struct vhost_lent *t = &g->lent[i];
		unsigned took = 0;

		if (!t->is_void && can_send(p))
			took = t->first == n ? give_one(p, &l->f[i], t)
					     : move_up(p, &l->f[i], n);
		if (!took)
			tx_drop(g, can_send(p) ? DROP_FRAME_LONG
					       : DROP_LINK_DOWN, 1);
		n += took;
	}
	finish(p, n);
	if (p->ring[VHOST_RX].q.is_broken)
		vhost_fault(g);
}

/* ---- room ---- */

/* True if a frame of FRAME_MAX bytes, or the longest the guest can take,
 * would be accepted. */
static bool has_room(struct vhost_pair *p)
{
	struct place at;

	if (!can_send(p))
		return true; /* what comes goes elsewhere, or is dropped */
	return find_place(p, 0, p->leg->v->hdr_len + (uint64_t)FRAME_MAX,
			  &at) != NO_ROOM;
}

/* True if p has room; else a kick will tell, or it is looked at again. */
static bool get_room(struct vhost_pair *p)
{
	struct vring *q = &p->ring[VHOST_RX].q;
	struct vhost_leg *g = p->leg;

	for (unsigned i = 0; !has_room(p); i++) {
		vhost_fault(g);
		if (!vring_want_kick(q))
			return false;
		if (i == ROOM_TRIES) { /* it plays with the index */
			loop_defer(g->loop, &g->room);
			return false;
		}
	}
	vring_no_kick(q);
	return true;
}

static void tell_room(struct vhost_leg *g)
{
	if (!g->room_wanted || g->v->is_gone)
		return;
	for (; g->refused; g->refused &= g->refused - 1)
		if (!get_room(vhost_first(g, g->refused)))
			return;
	g->room_wanted = false;
	lan_port_room(&g->port);
}

void vhost_room(struct loop_work *w)
{
	tell_room(container_of(w, struct vhost_leg, room));
}

void vhost_want_room(struct port *p)
{
	struct vhost_leg *g = vhost_leg_of(p);

	g->room_wanted = true;
	if (!g->refused)
		g->refused = vhost_bit(any_pair(g));
	loop_defer(g->loop, &g->room);
}

void vhost_rx_kick(struct loop_io *io, uint32_t events)
{
	(void)events; /* every write is an edge: the counter is never read */
	tell_room(container_of(io, struct vhost_pair, kick[VHOST_RX])->leg);
}
