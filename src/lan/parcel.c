/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames under way on a cable, see parcel.h. */
#include "lan/parcel.h"

#include <assert.h>
#include <string.h>

#include "base/be.h"
#include "lan/offload.h"

enum {
	ECN_MASK = 3, /* of the TOS byte or traffic class */
	ECN_CE = 3,
	PIECE_LEN = sizeof(((struct parcel_piece *)NULL)->data),
	SMALL_LEN = PARCEL_SMALL - sizeof(struct parcel),
};

int parcel_store_init(struct parcel_store *s)
{
	int r = slab_init(&s->small, PARCEL_SMALL, PARCEL_SMALLS);

	if (r < 0)
		return r;
	r = slab_init(&s->piece, PARCEL_PIECE, PARCEL_PIECES);
	if (r < 0)
		slab_deinit(&s->small);
	return r;
}

void parcel_store_deinit(struct parcel_store *s)
{
	assert(s->small.n_used == 0 && s->piece.n_used == 0);
	slab_deinit(&s->small);
	slab_deinit(&s->piece);
}

static void pieces_free(struct parcel_store *s, struct parcel_piece *x)
{
	while (x) {
		struct parcel_piece *next = x->next;

		slab_free(&s->piece, x);
		x = next;
	}
}

static uint32_t head_len(const struct parcel *p)
{
	return p->len < PARCEL_HEAD ? p->len : PARCEL_HEAD;
}

/* What is behind the head of p. */
static bool put_more(struct parcel_store *s, struct parcel *p,
		     const struct frame *f)
{
	struct parcel_piece **at = &p->more;

	for (uint32_t off = PARCEL_HEAD; off < p->len; off += PIECE_LEN) {
		struct parcel_piece *x = slab_alloc_raw(&s->piece);
		uint32_t left = p->len - off;

		if (!x)
			return false;
		x->next = NULL;
		*at = x;
		at = &x->next;
		if (!frame_copy(f, off, left < PIECE_LEN ? left : PIECE_LEN,
				x->data))
			return false;
	}
	return true;
}

struct parcel *parcel_new(struct parcel_store *s, const struct frame *f)
{
	struct parcel *p = NULL;
	bool is_small;

	if (f->len <= SMALL_LEN)
		p = slab_alloc_raw(&s->small);
	is_small = p;
	if (!p)
		p = slab_alloc_raw(&s->piece);
	if (!p)
		return NULL;
	*p = (struct parcel){
		.len = f->len,
		.is_small = is_small,
		.is_valid = f->off.flags & FRAME_F_CSUM_VALID,
	};
	list_init(&p->link);
	if (frame_copy(f, 0, head_len(p), p->data) && put_more(s, p, f))
		return p;
	parcel_free(s, p);
	return NULL;
}

void parcel_free(struct parcel_store *s, struct parcel *p)
{
	pieces_free(s, p->more);
	slab_free(p->is_small ? &s->small : &s->piece, p);
}

uint8_t *parcel_byte(struct parcel *p, uint32_t off)
{
	struct parcel_piece *x = p->more;

	assert(off < p->len);
	if (off < PARCEL_HEAD)
		return p->data + off;
	for (off -= PARCEL_HEAD; off >= PIECE_LEN; off -= PIECE_LEN)
		x = x->next;
	return x->data + off;
}

bool parcel_frame(const struct parcel *p, struct frame *f, struct iovec *iov,
		  unsigned max)
{
	uint32_t left = p->len - head_len(p);
	unsigned n = 0;

	for (struct parcel_piece *x = p->more; x; x = x->next) {
		uint32_t now = left < PIECE_LEN ? left : PIECE_LEN;

		if (n == max)
			return false;
		iov[n++] = (struct iovec){.iov_base = x->data, .iov_len = now};
		left -= now;
	}
	*f = frame_flat(p->data, p->len);
	f->hdr_len = head_len(p);
	f->iov = iov;
	f->n_iov = n;
	if (p->is_valid)
		f->off.flags = FRAME_F_CSUM_VALID;
	return true;
}

bool parcel_mark(struct parcel *p)
{
	struct frame f = frame_flat(p->data, p->len);
	struct offload_layout l;
	uint32_t sum;
	uint8_t *ip;

	f.hdr_len = head_len(p);
	if (!offload_layout(&f, &l) || !l.ip_version)
		return false;
	ip = p->data + l.l3_off;
	if (l.ip_version == 6) {
		if (!(ip[1] >> 4 & ECN_MASK))
			return false;
		ip[1] |= ECN_CE << 4;
		return true;
	}
	if (!(ip[1] & ECN_MASK))
		return false;
	/* One that was wrong stays so (RFC 1624). */
	sum = (uint16_t)~get_be16(ip + 10) + (uint16_t)~get_be16(ip);
	ip[1] |= ECN_CE;
	sum += get_be16(ip);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put_be16(ip + 10, ~sum & 0xffff);
	return true;
}
