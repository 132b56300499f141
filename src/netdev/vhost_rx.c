/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames to a vhost-user guest: its receive queue (VIRTIO 1.3, 5.1.6.3).
 * Called by the lan on the worker's thread; see vhost_user.h.
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
#include "netdev/vhost_user.h"

#include <errno.h>
#include <string.h>

/* Where the next byte goes. */
struct spot {
	struct iovec *iov;
	size_t off;
};

/* The chains of one frame. */
struct place {
	unsigned n;	/* chains */
	unsigned n_iov; /* their pieces, at v->iov */
	unsigned n_read; /* descriptors: empty ones cost time, too */
	uint64_t len;	/* bytes they hold */
};

enum fit { FITS, NO_ROOM, NEVER };

/* Chains for which the interrupt can wait for the end of the loop's round:
 * answers, ACKs.  With more the guest can begin. */
enum { FEW = 2 };

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

static void tx_drop(struct vhost_user *v, enum drop_reason why, unsigned n)
{
	drop_n(v->env->drops, why, n);
	v->port.stats.tx_drops += n;
}

/* Finds need bytes in the chains from the nth on; which they are goes to
 * v->buffer[n..], their pieces to v->iov. */
static enum fit find_place(struct vhost_user *v, unsigned nth, uint64_t need,
			   struct place *p)
{
	struct vring *q = &v->s.ring[VHOST_RX];
	bool may_merge = vhost_has(&v->s, VIRTIO_NET_MRG_RXBUF);

	*p = (struct place){0};
	while (p->len < need) {
		unsigned at = nth + p->n, avail = vring_avail(q, at + 1);
		unsigned spent = p->n_iov > p->n_read ? p->n_iov : p->n_read;
		struct vchain c;
		int r;

		if ((p->n && !may_merge) || spent >= VHOST_CHAIN_IOV)
			return NEVER;
		if (avail <= at)
			return avail > nth && avail - nth >= q->size / 2
				       ? NEVER
				       : NO_ROOM;
		r = vring_chain(q, at, true, v->iov + p->n_iov,
				VHOST_CHAIN_IOV - spent, &c);
		if (r < 0) /* broken, or in too many pieces */
			return NEVER;
		v->buffer[at] = (struct vhost_buffer){
			.head = c.head,
			.len = c.len > UINT32_MAX ? UINT32_MAX
						  : (uint32_t)c.len};
		p->n_iov += c.n_iov;
		p->n_read += c.n_read;
		p->len += c.len;
		p->n++;
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

/* Used elements for the chains from nth on that hold len bytes; returns
 * their number. */
static unsigned push_chains(struct vhost_user *v, unsigned nth, uint64_t len)
{
	struct vring *q = &v->s.ring[VHOST_RX];
	unsigned n = 0;

	do {
		const struct vhost_buffer *c = &v->buffer[nth + n];
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

static void finish(struct vhost_user *v, unsigned n)
{
	struct vring *q = &v->s.ring[VHOST_RX];

	if (n == 0)
		return;
	vring_take(q, n);
	vring_publish(q, n);
	/* What else this round gives shares the interrupt. */
	if (n <= FEW)
		loop_defer(v->env->loop, &v->tell);
	else
		vring_signal(q);
}

/* ---- send ---- */

/* Writes f into the chains from nth on; *np: how many it took. */
static enum fit send_one(struct vhost_user *v, const struct frame *f,
			 unsigned nth, unsigned *np)
{
	uint64_t need = v->hdr_len + (uint64_t)f->len;
	struct place p;
	struct spot s = {.iov = v->iov};
	enum fit fit = find_place(v, nth, need, &p);

	*np = 0;
	if (fit != FITS)
		return fit;
	put_header(v, &s, &f->off, p.n);
	spot_put(&s, f->hdr, f->hdr_len);
	for (unsigned i = 0; i < f->n_iov; i++)
		spot_put(&s, f->iov[i].iov_base, f->iov[i].iov_len);
	log_pieces(v, v->iov, p.n_iov);
	*np = push_chains(v, nth, need);
	return FITS;
}

static bool can_send(const struct vhost_user *v)
{
	return v->fd >= 0 && !v->is_gone && vhost_ring_is_up(&v->s, VHOST_RX);
}

uint64_t vhost_send(struct port *p, const struct batch *b, uint64_t mask)
{
	struct vhost_user *v = vhost_of(p);
	unsigned n = 0, took = 0;
	uint64_t left = mask;

	while (left && can_send(v)) {
		const struct frame *f = &b->f[__builtin_ctzll(left)];
		enum fit fit = NEVER;

		if (f->len <= FRAME_MAX)
			fit = send_one(v, f, n, &took);
		if (fit == NO_ROOM)
			break;
		if (fit == NEVER && can_send(v))
			tx_drop(v, DROP_FRAME_LONG, 1);
		else if (fit == NEVER) /* found broken: below */
			break;
		n += fit == FITS ? took : 0;
		left &= left - 1;
	}
	if (left && !can_send(v)) {
		tx_drop(v, DROP_LINK_DOWN,
			(unsigned)__builtin_popcountll(left));
		left = 0;
	}
	finish(v, n);
	vhost_fault(v);
	return mask & ~left;
}

/* ---- lend and give ---- */

/* The pieces of a place behind its header, as the lend frame's own. */
static bool lend_pieces(struct vhost_user *v, struct lend *l,
			struct lend_frame *f, struct vhost_lent *t,
			unsigned n_iov)
{
	struct iovec *iov = v->iov;
	uint32_t hdr = v->hdr_len;

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
static bool lend_trash(struct vhost_user *v, struct lend *l,
		       struct lend_frame *f)
{
	if (l->n_iov == LEND_IOV_MAX)
		return false;
	f->iov = l->iov + l->n_iov++;
	f->iov[0] = (struct iovec){v->trash, f->want};
	f->n_iov = 1;
	return true;
}

unsigned vhost_lend(struct port *port, struct lend *l)
{
	struct vhost_user *v = vhost_of(port);
	unsigned want = l->n, n = 0;

	l->n = l->n_iov = 0;
	while (l->n < want) {
		struct lend_frame *f = &l->f[l->n];
		struct vhost_lent *t = &v->lent[l->n];
		enum fit fit = NEVER;
		struct place p = {0};

		if (can_send(v))
			fit = find_place(v, n, v->hdr_len + (uint64_t)f->want,
					 &p);
		*t = (struct vhost_lent){.first = n, .n = p.n};
		t->is_void = fit == NEVER;
		if (fit == NO_ROOM ||
		    (t->is_void ? !lend_trash(v, l, f)
				: !lend_pieces(v, l, f, t, p.n_iov)))
			break;
		n += t->is_void ? 0 : p.n;
		l->n++;
	}
	return l->n;
}

/* Chains before this frame's were not needed: its bytes move to the first of
 * them, for a receive queue has no gaps.  Returns the chains it takes. */
static unsigned move_up(struct vhost_user *v, const struct lend_frame *f,
			unsigned nth)
{
	uint64_t need = v->hdr_len + (uint64_t)f->len;
	uint32_t left = f->len;
	struct spot s = {.iov = v->iov};
	struct place p;

	if (find_place(v, nth, need, &p) != FITS)
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
	s = (struct spot){.iov = v->iov};
	put_header(v, &s, &f->off, p.n);
	log_pieces(v, v->iov, p.n_iov);
	return push_chains(v, nth, need);
}

/* The frame lies where it was lent. */
static unsigned give_one(struct vhost_user *v, const struct lend_frame *f,
			 struct vhost_lent *t)
{
	uint64_t need = v->hdr_len + (uint64_t)f->len;
	struct spot s = {.iov = t->hdr};
	unsigned n = push_chains(v, t->first, need);

	put_header(v, &s, &f->off, n);
	log_pieces(v, t->hdr, t->n_hdr);
	log_pieces(v, f->iov, f->n_iov);
	return n;
}

void vhost_give(struct port *port, struct lend *l)
{
	struct vhost_user *v = vhost_of(port);
	unsigned n = 0;

	for (unsigned i = 0; i < l->n_used; i++) {
		struct vhost_lent *t = &v->lent[i];
		unsigned took = 0;

		if (!t->is_void && can_send(v))
			took = t->first == n ? give_one(v, &l->f[i], t)
					     : move_up(v, &l->f[i], n);
		if (!took)
			tx_drop(v, can_send(v) ? DROP_FRAME_LONG
					       : DROP_LINK_DOWN, 1);
		n += took;
	}
	finish(v, n);
	vhost_fault(v);
}

/* ---- room ---- */

bool vhost_has_room(struct vhost_user *v)
{
	struct place p;

	if (!can_send(v))
		return true; /* what comes is dropped by name */
	return find_place(v, 0, v->hdr_len + (uint64_t)FRAME_MAX, &p) !=
	       NO_ROOM;
}
