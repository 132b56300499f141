/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Software segmentation and checksums for exits that cannot take an offload.
 * Called by lan.c at the last moment, on the worker's thread: for the mask of
 * one exit, or a flood's for all exits that lack the same.
 */
#ifndef LAN_GSO_H
#define LAN_GSO_H

#include <stdint.h>

#include "lan/drop.h"
#include "lan/frame.h"
#include "lan/port.h"

/* What an exit must be able to do to take a frame: PORT_O_* bits. */
static inline uint32_t gso_need(const struct frame_offload *off)
{
	static const uint8_t need[] = {
		[FRAME_GSO_NONE] = 0,
		[FRAME_GSO_TCP4] = PORT_O_TSO4,
		[FRAME_GSO_TCP6] = PORT_O_TSO6,
		[FRAME_GSO_UDP4] = PORT_O_USO4,
		[FRAME_GSO_UDP6] = PORT_O_USO6,
		[FRAME_GSO_FRAG4] = PORT_O_UFO,
		[FRAME_GSO_FRAG6] = PORT_O_UFO,
	};
	uint32_t n = need[off->gso];

	if (off->flags & FRAME_F_NEEDS_CSUM)
		n |= PORT_O_CSUM;
	if (n && off->flags & FRAME_F_ECN)
		n |= PORT_O_ECN;
	return n;
}

/* Bytes of the longest frame that f becomes on the wire. */
static inline uint32_t gso_wire_len(const struct frame *f)
{
	uint32_t l4 = f->off.csum_start;
	uint32_t len;

	if (f->off.gso == FRAME_GSO_NONE)
		return f->len;
	len = l4 + 8;
	if (f->off.gso == FRAME_GSO_FRAG4)
		len = l4; /* IPv6 puts a header of 8 bytes in between */
	if (f->off.gso == FRAME_GSO_TCP4 || f->off.gso == FRAME_GSO_TCP6)
		len = l4 + (f->hdr[l4 + 12] >> 4) * 4u;
	len += f->off.gso_size;
	return len < f->len ? len : f->len;
}

/* What is left of a frame in the middle of which an exit was full. */
struct gso_rest {
	uint32_t pieces; /* that were taken; 0: there is no such frame */
	unsigned i;	 /* its index in the batch */
};

/* Sends the frames of mask through p in order, those of soft (a part of mask)
 * cut into pieces or summed here.  Returns the bits accepted, a prefix of
 * mask.  A frame that cannot be cut is accepted and counted as GSO_FAILED.
 *   A frame of which some pieces were taken and others not is accepted, the
 * lost pieces counted as PORT_FULL: its sender could not send the rest alone,
 * and TCP repairs it.  With rest, which is for who can, *rest says which frame
 * it is, and it is not accepted.  (A datagram's fragments have no rest.) */
uint64_t gso_send(struct port *p, struct drops *drops, const struct batch *b,
		  uint64_t mask, uint64_t soft, struct gso_rest *rest);

/* The same for several exits at once: what is cut is cut once, and goes out
 * piece by piece to all of them.  soft holds for each. */
struct gso_exit {
	struct port *port;
	uint64_t taken; /* out: the bits accepted, as above */
	/* inside only */
	bool is_full;	      /* it takes no more now */
	bool is_cut;	      /* of the source of the piece it took last .. */
	struct gso_rest last; /* .. it did not take what comes after */
};
void gso_send_all(struct gso_exit *exit, unsigned n, struct drops *drops,
		  const struct batch *b, uint64_t mask, uint64_t soft);

/* Takes the first pieces off f, as a rest says: it begins behind them.  hdr
 * (FRAME_HDR_MAX bytes) and iov (FRAME_IOV_MAX) are f's own, and f->hdr and
 * f->iov point to them. */
void gso_skip(struct frame *f, uint8_t *hdr, struct iovec *iov,
	      uint32_t pieces);

/* Completes the checksum of a lent frame where it lies, as f->off asks (which
 * is then cleared); no GSO. */
void gso_csum_in_place(struct lend_frame *f);

#endif
