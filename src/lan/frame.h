/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frame is a view of one Ethernet frame; a batch is up to 64 of them.
 *
 * Who calls: every port kind fills batches (recv) and empties them (send);
 * the lan carries them across.  One batch belongs to one worker's thread.
 *
 * A frame owns nothing.  It is borrowed for one call: what it points at is
 * valid until the port's done() (for what recv filled; until let_go(), port.h,
 * for what the lan holds) or until the call returns (for what a caller passed
 * to lan_input()).  Whoever must keep a
 * frame longer (delay, ARP pending, reassembly, a half-written stream) copies
 * it into a bounded store of its own.
 *
 * Parse the copy, move the tail
 * -----------------------------
 * The bytes of a frame come in two parts:
 *
 *      hdr, hdr_len        the first bytes, in memory that only this worker
 *                          can write.  All parsing happens here, and these
 *                          very bytes leave at the exit: what was judged is
 *                          what is sent.
 *      iov, n_iov          the rest (len - hdr_len bytes), where the guest
 *                          left it.  It may be guest memory that changes
 *                          under us: it is moved, summed, never believed.
 *
 * A port whose frames lie in private memory anyway (stream, dgram, tap) sets
 * hdr to the whole frame and n_iov to 0.  A port over guest memory copies
 * min(len, FRAME_HDR_MAX) bytes.  Hence the invariant every consumer may rely
 * on:  hdr_len >= min(len, FRAME_HDR_MAX)  and  sum(iov) == len - hdr_len.
 *
 * Offload requests (struct frame_offload) mean what the virtio_net_hdr fields
 * of the same names mean (VIRTIO 1.3, 5.1.6.2), in host order.  They are
 * checked against the frame once, at recv, by frame_offload_check(); after
 * that they are trusted.
 */
#ifndef LAN_FRAME_H
#define LAN_FRAME_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
	FRAME_BATCH = 64,     /* frames in a batch; a mask is one uint64_t */
	FRAME_HDR_MAX = 192,  /* bytes copied from guest memory for parsing:
			       * Ethernet 14 + 2 tags 8 + IP 60 + TCP 60 and
			       * room for IPv6 extension headers */
	FRAME_MAX = 69632,    /* largest frame, QEMU's NET_BUFSIZE */
	FRAME_ETH_LEN = 14,   /* shortest frame that has a MAC header */
	FRAME_IOV_MAX = 64,   /* pieces of one frame's tail */
};

/* What the sender of a frame left for a later hand to do. */
enum frame_gso {
	FRAME_GSO_NONE,
	FRAME_GSO_TCP4, /* cut the TCP payload into gso_size pieces */
	FRAME_GSO_TCP6,
	FRAME_GSO_UDP4, /* USO: cut into datagrams of gso_size payload */
	FRAME_GSO_UDP6,
	FRAME_GSO_FRAG4, /* UFO: one datagram longer than the wire's MTU, to
			  * be cut into IP fragments of gso_size bytes behind
			  * the IP header, a multiple of 8 */
	FRAME_GSO_FRAG6,
	FRAME_GSO_N
};

enum frame_flag {
	FRAME_F_NEEDS_CSUM = 1 << 0, /* sum from csum_start to the end, store
				      * at csum_start + csum_offset; the field
				      * holds the pseudo-header sum already */
	FRAME_F_CSUM_VALID = 1 << 1, /* somebody verified the checksums */
	FRAME_F_ECN = 1 << 2,	     /* TCP GSO: CWR only on the first piece */
};

struct frame_offload {
	uint8_t flags;	      /* FRAME_F_* */
	uint8_t gso;	      /* enum frame_gso */
	uint16_t gso_size;    /* payload bytes per piece; 0 without gso */
	uint16_t hdr_len;     /* bytes of all headers as the sender says;
			       * with gso only, a hint as in virtio: <= len
			       * and no more is promised */
	uint16_t csum_start;  /* from the frame's first byte */
	uint16_t csum_offset; /* from csum_start */
};

struct frame {
	const uint8_t *hdr;	  /* borrowed, private memory */
	const struct iovec *iov;  /* borrowed; the bytes after hdr */
	uint32_t len;		  /* bytes of the whole frame */
	uint32_t hdr_len;	  /* bytes at hdr, see the invariant above */
	uint32_t n_iov;		  /* pieces at iov, 0 when hdr is everything */
	uint32_t cookie;	  /* the receiving port's own (a ring index) */
	struct frame_offload off; /* zero: an ordinary frame, sums in place */
	uint16_t hold_cost; /* of port.hold_max, to keep it beyond done(); 0 =
			     * it cannot be kept.  Then hdr_len is at most
			     * FRAME_HDR_MAX.  See port.h, Holding */
};

struct batch {
	unsigned n; /* frames in use, <= FRAME_BATCH */
	uint64_t held; /* set for done(): those the lan holds beyond it */
	struct frame f[FRAME_BATCH];
};

/* The mask of all frames of b. */
static inline uint64_t batch_mask(const struct batch *b)
{
	return b->n == FRAME_BATCH ? ~UINT64_C(0) : (UINT64_C(1) << b->n) - 1;
}

/* The bytes of those frames of b. */
static inline uint64_t batch_bytes(const struct batch *b, uint64_t mask)
{
	uint64_t sum = 0;

	for (; mask; mask &= mask - 1)
		sum += b->f[__builtin_ctzll(mask)].len;
	return sum;
}

/* A frame of len private bytes at p, no offload request. */
static inline struct frame frame_flat(const uint8_t *p, uint32_t len)
{
	return (struct frame){.hdr = p, .len = len, .hdr_len = len};
}

/* Copies len bytes from offset off of f to to; false (and nothing sensible
 * in to) if the frame is shorter.  off + len may not wrap. */
bool frame_copy(const struct frame *f, uint32_t off, uint32_t len, void *to);

/* Pieces of f from byte off on, into iov[max]; returns their number, or 0
 * when they do not fit or nothing is left.  The pieces are borrowed. */
unsigned frame_iov(const struct frame *f, uint32_t off, struct iovec *iov,
		   unsigned max);

/* Ones-complement sum (RFC 1071), unfolded, of f from byte off to its end,
 * continued from sum.  off must be even relative to the sum's start. */
uint64_t frame_sum(const struct frame *f, uint32_t off, uint64_t sum);

/* True if the offload request of f can be carried out: header and checksum
 * fields inside the first FRAME_HDR_MAX bytes of hdr, gso consistent with the
 * headers found there.  The checksum field is where a checksum may be, never
 * in MACs, IP header or ports; with gso csum_start is the transport header, so
 * that the headers end at csum_start + 8 (UDP) or + TCP's data offset.  Called
 * once, at recv, by each port that takes offload requests from outside; a
 * frame that fails is dropped as DROP_OFFLOAD_BAD. */
bool frame_offload_check(const struct frame *f);

/* True if it is to be cut into IP fragments on its way (UFO). */
static inline bool frame_may_be_cut(const struct frame *f)
{
	return f->off.gso == FRAME_GSO_FRAG4 || f->off.gso == FRAME_GSO_FRAG6;
}

#endif
