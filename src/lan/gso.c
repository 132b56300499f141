/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Software segmentation (TCP: TSO, UDP: USO, IP: UFO) and checksums, at the
 * last moment and only for an exit that cannot do them.  Called by lan.c on
 * the worker's thread; everything lives on the stack of gso_send(), because a
 * send() may lead back here.
 *
 * A piece is a frame of its own: FRAME_HDR_MAX private bytes (the headers,
 * corrected, and as much payload as fits, so that the invariant of frame.h
 * holds for the next lan too), and behind them pointers to where the rest of
 * the payload lies.  Pieces go out in batches of 64, in order with the
 * ordinary frames around them.
 */
#include "lan/gso.h"

#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "base/be.h"
#include "base/hash.h"
#include "lan/lan_priv.h"
#include "lan/offload.h"
#include "wire/csum.h"

enum {
	GSO_IOV_MAX = 256, /* pieces of all tails of one output batch */
	IP6_FRAG_LEN = 8,
	GSO_HDR_MAX = FRAME_HDR_MAX + IP6_FRAG_LEN,
	TCP_FIN = 0x01,
	TCP_PSH = 0x08,
	TCP_CWR = 0x80,
};

/* A place in the bytes of a frame: in hdr (piece 0) or iov[piece - 1]. */
struct cursor {
	const struct frame *f;
	unsigned piece;
	size_t off;
};

/* Frames on their way to their exits. */
struct gso_out {
	struct gso_exit *exit; /* borrowed [n_exits] */
	unsigned n_exits;
	unsigned n_open; /* exits that are not full */
	struct drops *drops;
	uint64_t has_rest; /* source frames that need not be lost in part */
	unsigned n_iov;
	uint8_t source[FRAME_BATCH]; /* frame of the source batch */
	struct batch b;
	struct iovec iov[GSO_IOV_MAX];
	uint8_t hdr[FRAME_BATCH][GSO_HDR_MAX];
};

/* One frame being cut. */
struct gso_cut {
	const struct frame *f;
	struct offload_layout l;
	struct cursor at;	/* next payload byte */
	uint32_t left;		/* payload bytes from there on */
	uint32_t index;		/* of the next piece */
};

/* The next run of at most len bytes in one piece; the cursor moves on. */
static struct iovec cursor_run(struct cursor *c, uint32_t len)
{
	struct iovec v = {0};

	while (c->piece <= c->f->n_iov) {
		v.iov_base = (void *)(uintptr_t)c->f->hdr;
		v.iov_len = c->f->hdr_len;
		if (c->piece > 0)
			v = c->f->iov[c->piece - 1];
		if (c->off < v.iov_len)
			break;
		c->off -= v.iov_len;
		c->piece++;
		v.iov_len = 0;
	}
	if (v.iov_len == 0)
		return v;
	v.iov_base = (uint8_t *)v.iov_base + c->off;
	v.iov_len -= c->off;
	if (v.iov_len > len)
		v.iov_len = len;
	c->off += v.iov_len;
	return v;
}

static bool cursor_copy(struct cursor *c, uint32_t len, uint8_t *to)
{
	while (len > 0) {
		struct iovec v = cursor_run(c, len);

		if (v.iov_len == 0)
			return false;
		memcpy(to, v.iov_base, v.iov_len);
		to += v.iov_len;
		len -= (uint32_t)v.iov_len;
	}
	return true;
}

/* Pieces of the next len bytes; their number in *np. */
static bool cursor_iov(struct cursor *c, uint32_t len, struct iovec *iov,
		       unsigned max, uint32_t *np)
{
	unsigned n = 0;

	while (len > 0) {
		struct iovec v = cursor_run(c, len);

		if (v.iov_len == 0 || n == max)
			return false;
		iov[n++] = v;
		len -= (uint32_t)v.iov_len;
	}
	*np = n;
	return true;
}

static void exit_took(struct gso_exit *e, unsigned source)
{
	e->taken |= UINT64_C(1) << source;
	if (e->last.i != source)
		e->last = (struct gso_rest){.i = source};
	e->last.pieces++;
}

/* n pieces of a source are not for e, who may have taken others of it. */
static void exit_left(struct gso_out *o, struct gso_exit *e, unsigned source,
		      unsigned n)
{
	if (!(e->taken & UINT64_C(1) << source))
		return;
	if (o->has_rest & UINT64_C(1) << source)
		e->is_cut = true;
	else
		drop_n(o->drops, DROP_PORT_FULL, n);
}

/* What the port says to be lost is one of these pieces, not a frame of the
 * batch that the lan is carrying. */
static uint64_t send_out(struct port *p, const struct batch *b,
			       uint64_t mask)
{
	struct tap_batch *whole = p->lan->tapped;
	uint64_t got;

	p->lan->tapped = NULL;
	got = p->ops->send(p, b, mask) & mask;
	p->lan->tapped = whole;
	return got;
}

static void exit_flush(struct gso_out *o, struct gso_exit *e, uint64_t mask)
{
	uint64_t got = 0;

	if (!e->is_full && port_is_up(e->port))
		got = send_out(e->port, &o->b, mask);
	for (unsigned i = 0; i < o->b.n; i++) {
		if (got & UINT64_C(1) << i)
			exit_took(e, o->source[i]);
		else
			exit_left(o, e, o->source[i], 1);
	}
	if (e->is_full || (got == mask && port_is_up(e->port)))
		return;
	e->is_full = true;
	o->n_open--;
}

/* Sends what is collected.  What an exit had no room for belongs to frames
 * that are lost in part (counted here) or not taken at all. */
static void out_flush(struct gso_out *o)
{
	uint64_t mask = batch_mask(&o->b);

	if (!mask)
		return;
	for (unsigned i = 0; i < o->n_exits; i++)
		exit_flush(o, &o->exit[i], mask);
	o->b.n = 0;
	o->n_iov = 0;
}

/* The next free header buffer; NULL if the exits are full. */
static uint8_t *out_room(struct gso_out *o)
{
	if (o->b.n == FRAME_BATCH)
		out_flush(o);
	return o->n_open ? o->hdr[o->b.n] : NULL;
}

/* The frame cannot be cut: no exit will have it. */
static void gso_failed(struct gso_out *o, unsigned source)
{
	for (unsigned i = 0; i < o->n_exits; i++) {
		if (o->exit[i].is_full)
			continue;
		drop(o->drops, DROP_GSO_FAILED);
		o->exit[i].taken |= UINT64_C(1) << source;
	}
}

static void out_push(struct gso_out *o, const struct frame *f,
		     unsigned source)
{
	o->source[o->b.n] = (uint8_t)source;
	o->b.f[o->b.n] = *f;
	o->b.n++;
}

static unsigned iov_room(const struct gso_out *o)
{
	unsigned n = GSO_IOV_MAX - o->n_iov;

	return n < FRAME_IOV_MAX ? n : FRAME_IOV_MAX;
}

/* Makes out a frame of head private bytes at hdr and the next tail bytes at
 * *at.  With too few iovecs left, flushes and says so by *retryp. */
static bool out_tail(struct gso_out *o, struct cursor *at, uint32_t tail,
		     struct frame *f, bool *retryp)
{
	struct cursor c = *at;

	*retryp = false;
	if (cursor_iov(&c, tail, o->iov + o->n_iov, iov_room(o), &f->n_iov)) {
		f->iov = o->iov + o->n_iov;
		o->n_iov += f->n_iov;
		*at = c;
		return true;
	}
	*retryp = o->b.n > 0;
	out_flush(o);
	return false;
}

static void fix_ip(uint8_t *h, const struct gso_cut *cut, uint32_t len)
{
	uint8_t *ip = h + cut->l.l3_off;
	uint32_t ip_len = len - cut->l.l3_off;

	if (cut->l.ip_version == 6) {
		put_be16(ip + 4, ip_len - 40);
		return;
	}
	put_be16(ip + 2, ip_len);
	put_be16(ip + 4, get_be16(ip + 4) + cut->index);
	put_be16(ip + 10, 0);
	put_be16(ip + 10, csum_fold(csum_add(ip, (ip[0] & 15) * 4u, 0)));
}

static void fix_l4(uint8_t *h, const struct gso_cut *cut, uint32_t len,
		   bool is_last)
{
	uint8_t *l4 = h + cut->l.l4_off;

	if (cut->l.proto == IPPROTO_UDP) {
		put_be16(l4 + 4, len - cut->l.l4_off);
		return;
	}
	put_be32(l4 + 4,
		 get_be32(l4 + 4) + cut->index * cut->f->off.gso_size);
	if (!is_last)
		l4[13] &= (uint8_t)~(TCP_FIN | TCP_PSH);
	if (cut->index > 0)
		l4[13] &= (uint8_t)~TCP_CWR;
}

static void fix_csum(uint8_t *h, const struct gso_cut *cut,
		     const struct frame *f)
{
	uint32_t l4 = cut->l.l4_off;
	uint8_t *field = h + l4 + cut->f->off.csum_offset;
	uint64_t pseudo = offload_pseudo(h, &cut->l, f->len - l4);

	put_be16(field, 0);
	put_be16(field, csum_stored(frame_sum(f, l4, pseudo),
				    cut->f->off.csum_offset));
}

/* Begins the next piece of n bytes: f with front bytes of headers, of which
 * the first `copied` are the source's, and the bytes behind them; returns its
 * private bytes.  NULL: no room (!o->n_open), a retry after a flush (*retryp),
 * or a frame of too many small pieces. */
static uint8_t *piece_begin(struct gso_out *o, struct gso_cut *cut, uint32_t n,
			    uint32_t copied, uint32_t front, struct frame *f,
			    bool *retryp)
{
	struct cursor at = cut->at;
	uint8_t *h = out_room(o);
	/* The source's private bytes are all used up, so that what is left has
	 * no more pieces than the source. */
	uint32_t max = FRAME_HDR_MAX + front - copied;
	uint32_t head;

	*retryp = false;
	if (!h)
		return NULL;
	*f = (struct frame){.hdr = h, .len = front + n};
	f->hdr_len = f->len < max ? f->len : max;
	head = f->hdr_len - front;
	memcpy(h, cut->f->hdr, copied);
	if (!cursor_copy(&at, head, h + front) ||
	    !out_tail(o, &at, n - head, f, retryp))
		return NULL;
	cut->at = at;
	return h;
}

static uint32_t piece_len(const struct gso_cut *cut)
{
	uint32_t n = cut->f->off.gso_size;

	return n < cut->left ? n : cut->left;
}

/* Cuts off and pushes the next piece.  False: as piece_begin(). */
static bool cut_piece(struct gso_out *o, struct gso_cut *cut, unsigned source,
		      bool *retryp)
{
	uint32_t n = piece_len(cut);
	struct frame f;
	uint8_t *h = piece_begin(o, cut, n, cut->l.payload_off,
				 cut->l.payload_off, &f, retryp);

	if (!h)
		return false;
	fix_ip(h, cut, f.len);
	fix_l4(h, cut, f.len, n == cut->left);
	fix_csum(h, cut, &f);
	out_push(o, &f, source);
	cut->left -= n;
	cut->index++;
	return true;
}

typedef bool (*piece_fn)(struct gso_out *o, struct gso_cut *cut,
			 unsigned source, bool *retryp);

/* All pieces of one frame. */
static void send_pieces(struct gso_out *o, struct gso_cut *cut, unsigned source,
			piece_fn piece)
{
	uint32_t size = cut->f->off.gso_size;
	bool retry;

	while (cut->left > 0) {
		if (piece(o, cut, source, &retry) || retry)
			continue;
		if (o->n_open) {
			gso_failed(o, source);
			return;
		}
		for (unsigned i = 0; i < o->n_exits; i++)
			exit_left(o, &o->exit[i], source,
				  (cut->left + size - 1) / size);
		return;
	}
}

static void send_gso(struct gso_out *o, const struct frame *f, unsigned source)
{
	struct gso_cut cut = {.f = f};

	if (!offload_layout(f, &cut.l) || cut.l.payload_off >= f->len ||
	    f->off.gso_size == 0) {
		gso_failed(o, source);
		return;
	}
	cut.at = (struct cursor){.f = f, .off = cut.l.payload_off};
	cut.left = f->len - cut.l.payload_off;
	send_pieces(o, &cut, source, cut_piece);
}

/* ---- IP fragments (UFO) ---- */

/* One datagram being cut; c.at and c.left: of what is behind the IP header. */
struct frag_cut {
	struct gso_cut c;
	uint32_t off;	 /* of the next fragment */
	uint32_t id;	 /* IPv6 */
	uint8_t csum[2]; /* of the whole datagram, complete */
};

/* An identification nobody foresees (RFC 7739): of the datagram and of a key,
 * which is the address of a stack and the time. */
static uint32_t frag_id(const struct gso_out *o, const struct frag_cut *cut)
{
	struct hash_key key = {(uintptr_t)o, *o->exit[0].port->lan->now_ns};
	uint8_t seed[44];

	memcpy(seed, cut->c.f->hdr + cut->c.l.l3_off + 8, 32); /* addresses */
	memcpy(seed + 32, cut->c.f->hdr + cut->c.l.l4_off, 8); /* UDP */
	memcpy(seed + 40, cut->csum, 2);
	memset(seed + 42, 0, 2);
	return (uint32_t)hash_bytes(&key, seed, sizeof(seed));
}

/* The IP header of the fragment of n bytes at cut->off; h has the datagram's,
 * and for IPv6 room for the fragment header behind it (RFC 8200 4.5). */
static void frag_ip(uint8_t *h, const struct frag_cut *cut, uint32_t n)
{
	uint8_t *ip = h + cut->c.l.l3_off;
	bool more = n < cut->c.left;

	if (cut->c.l.ip_version == 4) {
		put_be16(ip + 2, 20 + n);
		put_be16(ip + 6, cut->off / 8 | (more ? 0x2000 : 0));
		put_be16(ip + 10, 0);
		put_be16(ip + 10, csum_fold(csum_add(ip, 20, 0)));
		return;
	}
	put_be16(ip + 4, IP6_FRAG_LEN + n);
	ip[6] = IPPROTO_FRAGMENT;
	ip[40] = IPPROTO_UDP;
	ip[41] = 0;
	put_be16(ip + 42, cut->off | more);
	put_be32(ip + 44, cut->id);
}

/* As cut_piece(); a frag_cut's c. */
static bool cut_fragment(struct gso_out *o, struct gso_cut *c, unsigned source,
			 bool *retryp)
{
	struct frag_cut *cut = container_of(c, struct frag_cut, c);
	uint32_t n = piece_len(c), front = c->l.l4_off;
	struct frame f;
	uint8_t *h;

	if (c->l.ip_version == 6)
		front += IP6_FRAG_LEN;
	h = piece_begin(o, c, n, c->l.l4_off, front, &f, retryp);
	if (!h)
		return false;
	if (cut->off == 0) /* at least 8 bytes of it are here */
		memcpy(h + front + 6, cut->csum, sizeof(cut->csum));
	frag_ip(h, cut, n);
	out_push(o, &f, source);
	cut->off += n;
	c->left -= n;
	return true;
}

/* A datagram as IP fragments, its checksum made first. */
static void send_fragments(struct gso_out *o, const struct frame *f,
			   unsigned source)
{
	struct frag_cut cut = {.c.f = f};

	o->has_rest &= ~(UINT64_C(1) << source);
	if (!offload_layout(f, &cut.c.l) || f->off.gso_size < 8) {
		gso_failed(o, source);
		return;
	}
	put_be16(cut.csum, csum_stored(frame_sum(f, cut.c.l.l4_off, 0),
				       f->off.csum_offset));
	cut.id = frag_id(o, &cut);
	cut.c.at = (struct cursor){.f = f, .off = cut.c.l.l4_off};
	cut.c.left = f->len - cut.c.l.l4_off;
	send_pieces(o, &cut.c, source, cut_fragment);
}

/* One ordinary frame whose checksum is missing. */
static void send_csum(struct gso_out *o, const struct frame *f,
		      unsigned source)
{
	uint32_t head = f->hdr_len < FRAME_HDR_MAX ? f->hdr_len
						   : FRAME_HDR_MAX;
	struct cursor at = {.f = f, .off = head};
	struct frame out = {.len = f->len, .hdr_len = head};
	bool is_done, retry;
	uint8_t *field;
	uint8_t *h;

	do {
		h = out_room(o);
		if (!h)
			return;
		is_done = out_tail(o, &at, f->len - head, &out, &retry);
	} while (!is_done && retry);
	if (!is_done) {
		gso_failed(o, source);
		return;
	}
	memcpy(h, f->hdr, head);
	out.hdr = h;
	field = h + f->off.csum_start + f->off.csum_offset;
	put_be16(field, csum_stored(frame_sum(&out, f->off.csum_start, 0),
				    f->off.csum_offset));
	out_push(o, &out, source);
}

static void out_frame(struct gso_out *o, const struct frame *f, unsigned i,
		      bool is_soft)
{
	if (!is_soft) {
		if (out_room(o))
			out_push(o, f, i);
	} else if (f->off.gso == FRAME_GSO_FRAG4 ||
		   f->off.gso == FRAME_GSO_FRAG6) {
		send_fragments(o, f, i);
	} else if (f->off.gso != FRAME_GSO_NONE) {
		send_gso(o, f, i);
	} else {
		send_csum(o, f, i);
	}
}

static void send_all(struct gso_exit *exit, unsigned n, struct drops *drops,
		     const struct batch *b, uint64_t mask, uint64_t soft,
		     uint64_t has_rest)
{
	struct gso_out o;

	for (unsigned i = 0; i < n; i++)
		exit[i] = (struct gso_exit){.port = exit[i].port,
					    .last.i = FRAME_BATCH};
	o.exit = exit;
	o.n_exits = o.n_open = n;
	o.drops = drops;
	o.has_rest = has_rest;
	o.n_iov = 0;
	o.b.n = 0; /* the arrays are filled as far as they are used */
	for (; mask && o.n_open; mask &= mask - 1) {
		unsigned i = (unsigned)__builtin_ctzll(mask);

		out_frame(&o, &b->f[i], i, soft >> i & 1);
	}
	out_flush(&o);
}

uint64_t gso_send(struct port *p, struct drops *drops, const struct batch *b,
		  uint64_t mask, uint64_t soft, struct gso_rest *rest)
{
	struct gso_exit e = {.port = p};

	send_all(&e, 1, drops, b, mask, soft, rest ? soft : 0);
	if (rest)
		*rest = e.is_cut ? e.last : (struct gso_rest){0};
	if (e.is_cut)
		e.taken &= ~(UINT64_C(1) << e.last.i);
	return e.taken;
}

void gso_send_all(struct gso_exit *exit, unsigned n, struct drops *drops,
		  const struct batch *b, uint64_t mask, uint64_t soft)
{
	send_all(exit, n, drops, b, mask, soft, 0);
}

/* The headers of what is left of cut->f, whose length is right already. */
static void rest_headers(uint8_t *h, const struct gso_cut *cut)
{
	struct frame *f = (struct frame *)(uintptr_t)cut->f;
	uint32_t l4 = cut->l.l4_off;

	fix_ip(h, cut, f->len);
	fix_l4(h, cut, f->len, true);
	put_be16(h + l4 + f->off.csum_offset,
		 (uint16_t)~csum_fold(offload_pseudo(h, &cut->l,
						     f->len - l4)));
	f->off.flags |= FRAME_F_NEEDS_CSUM;
	f->off.flags &= (uint8_t)~FRAME_F_ECN; /* the first piece had it */
	f->off.hdr_len = cut->l.payload_off; /* as said it may be too much */
	if (cut->left > f->off.gso_size)
		return;
	f->off.gso = FRAME_GSO_NONE;
	f->off.gso_size = f->off.hdr_len = 0;
}

void gso_skip(struct frame *f, uint8_t *hdr, struct iovec *iov,
	      uint32_t pieces)
{
	struct gso_cut cut = {.f = f, .index = pieces};
	struct iovec tail[FRAME_IOV_MAX];
	uint8_t head[FRAME_HDR_MAX];
	uint32_t skip = pieces * f->off.gso_size, n;
	bool is_whole = offload_layout(f, &cut.l);

	/* It was cut a moment ago. */
	assert(is_whole && f->hdr == hdr && f->iov == iov);
	assert(cut.l.payload_off <= FRAME_HDR_MAX &&
	       skip < f->len - cut.l.payload_off);
	cut.left = f->len - cut.l.payload_off - skip;
	cut.at = (struct cursor){.f = f, .off = cut.l.payload_off + skip};
	n = FRAME_HDR_MAX - cut.l.payload_off;
	if (n > cut.left)
		n = cut.left;
	is_whole = cursor_copy(&cut.at, n, head) &&
		   cursor_iov(&cut.at, cut.left - n, tail, FRAME_IOV_MAX,
			      &f->n_iov);
	assert(is_whole); /* sum(iov) == len - hdr_len */
	memcpy(hdr + cut.l.payload_off, head, n);
	memcpy(iov, tail, f->n_iov * sizeof(*iov));
	f->hdr_len = cut.l.payload_off + n;
	f->len -= skip;
	rest_headers(hdr, &cut);
}

void gso_csum_in_place(struct lend_frame *lent)
{
	struct frame f = {.iov = lent->iov, .n_iov = lent->n_iov,
			  .len = lent->len};
	uint8_t field[2];

	put_be16(field, csum_stored(frame_sum(&f, lent->off.csum_start, 0),
				    lent->off.csum_offset));
	lend_put(lent, lent->off.csum_start + lent->off.csum_offset, field,
		 sizeof(field));
	lent->off.flags &= (uint8_t)~FRAME_F_NEEDS_CSUM;
}
