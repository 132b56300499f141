/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that are under way on a cable: copies, in a store of bounded size.
 * Called by cable.c and fq.c on the worker's thread.
 */
#ifndef LAN_PARCEL_H
#define LAN_PARCEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/slab.h"
#include "lan/frame.h"

enum {
	PARCEL_SMALL = 256, /* bytes of memory of a short frame's .. */
	PARCEL_PIECE = 2048, /* .. and of each piece of another one's */
	PARCEL_SMALLS = 32768, /* 8 MiB */
	PARCEL_PIECES = 16384, /* 32 MiB */
	PARCEL_IOV_MAX = FRAME_MAX / (PARCEL_PIECE - 8) + 1,
};

struct parcel_piece {
	struct parcel_piece *next;
	uint8_t data[PARCEL_PIECE - 8];
};

/* A frame; its offload requests were done. */
struct parcel {
	struct list link; /* its holder's */
	uint64_t since_ns; /* it came .. */
	uint64_t delay_ns; /* .. is that long on its way .. */
	uint64_t due_ns;   /* .. and arrives then */
	uint32_t len;
	uint32_t flow;	   /* steer_frame() */
	bool is_small;
	bool overtakes;
	bool is_valid; /* somebody has verified its checksums */
	struct parcel_piece *more; /* owned: what is behind data */
	uint8_t data[];
};

enum { PARCEL_HEAD = PARCEL_PIECE - sizeof(struct parcel) };
_Static_assert((int)PARCEL_HEAD >= (int)FRAME_HDR_MAX, "as frame.h wants it");

struct parcel_store {
	struct slab small, piece;
};

/* Reserves address space; memory is touched as it fills. 0 or -ENOMEM. */
MUST_USE int parcel_store_init(struct parcel_store *s);
/* All parcels are back. */
void parcel_store_deinit(struct parcel_store *s);
/* A copy of f, which asks for nothing but FRAME_F_CSUM_VALID.  NULL: the store
 * is full. */
struct parcel *parcel_new(struct parcel_store *s, const struct frame *f);
/* It is on no list. */
void parcel_free(struct parcel_store *s, struct parcel *p);
/* Its byte at off < len. */
uint8_t *parcel_byte(struct parcel *p, uint32_t off);
/* *f is a view of it, with its pieces in iov.  False: those are more than
 * max. */
bool parcel_frame(const struct parcel *p, struct frame *f, struct iovec *iov,
		  unsigned max);
/* Says by ECN that it has met congestion (RFC 3168); false: its sender would
 * not understand. */
bool parcel_mark(struct parcel *p);

#endif
