/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Copying out of, pointing into and summing a frame whose bytes lie in several
 * pieces.  Called by the port kinds, the gateway and the lan on the worker
 * that owns the batch; nothing here has state.
 */
#include "lan/frame.h"

#include <stddef.h>
#include <string.h>

#include "wire/csum.h"

/* Piece 0 of a frame is hdr, piece i is iov[i - 1]. */
static inline struct iovec piece_get(const struct frame *f, unsigned i)
{
	if (i > 0)
		return f->iov[i - 1];
	return (struct iovec){.iov_base = (void *)(uintptr_t)f->hdr,
			      .iov_len = f->hdr_len};
}

/* The bytes of piece i from *offp on, at most *leftp; the three move on to the
 * next piece.  Length 0 when all of piece i is skipped. */
static inline struct iovec piece_take(const struct frame *f, unsigned i,
				      uint32_t *offp, uint32_t *leftp)
{
	struct iovec v = piece_get(f, i);

	if (*offp >= v.iov_len) {
		*offp -= (uint32_t)v.iov_len;
		v.iov_len = 0;
		return v;
	}
	v.iov_base = (uint8_t *)v.iov_base + *offp;
	v.iov_len -= *offp;
	*offp = 0;
	if (v.iov_len > *leftp)
		v.iov_len = *leftp;
	*leftp -= (uint32_t)v.iov_len;
	return v;
}

bool frame_copy(const struct frame *f, uint32_t off, uint32_t len, void *to)
{
	uint8_t *p = to;

	if (off > f->len || len > f->len - off)
		return false;
	for (unsigned i = 0; len > 0 && i <= f->n_iov; i++) {
		struct iovec v = piece_take(f, i, &off, &len);

		if (v.iov_len == 0)
			continue;
		memcpy(p, v.iov_base, v.iov_len);
		p += v.iov_len;
	}
	return len == 0;
}

unsigned frame_iov(const struct frame *f, uint32_t off, struct iovec *iov,
		   unsigned max)
{
	uint32_t left = off < f->len ? f->len - off : 0;
	unsigned n = 0;

	for (unsigned i = 0; left > 0 && i <= f->n_iov; i++) {
		struct iovec v = piece_take(f, i, &off, &left);

		if (v.iov_len == 0)
			continue;
		if (n == max)
			return 0;
		iov[n++] = v;
	}
	return n;
}

/* The sum of bytes that begin at an odd offset of the data: RFC 1071 2(B),
 * the same sum with its bytes swapped. */
static uint64_t sum_swap(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (sum >> 8 | sum << 8) & 0xffff;
}

uint64_t frame_sum(const struct frame *f, uint32_t off, uint64_t sum)
{
	uint32_t left = off < f->len ? f->len - off : 0;
	bool is_odd = false;

	for (unsigned i = 0; left > 0 && i <= f->n_iov; i++) {
		struct iovec v = piece_take(f, i, &off, &left);

		if (is_odd)
			sum += sum_swap(csum_add(v.iov_base, v.iov_len, 0));
		else
			sum = csum_add(v.iov_base, v.iov_len, sum);
		is_odd ^= v.iov_len & 1;
	}
	return sum;
}
