/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The framing of stream links: u32 big-endian length, then that many bytes of
 * frame, nothing in between (reference 1.2).  Reads a byte stream cut anywhere
 * into whole frames that stay where they were read: no copy but of the last,
 * incomplete frame, and of that only when the buffer's end comes near.
 * Called by stream.c on the lan's worker; makes no system call.
 */
#ifndef NETDEV_FRAMING_H
#define NETDEV_FRAMING_H

#include <stdint.h>

#include "lan/frame.h"

enum {
	FRAMING_HEAD = 4, /* bytes of the length in front of a frame */
	FRAMING_LOW = FRAME_MAX + FRAMING_HEAD, /* room for any frame */
	FRAMING_ROOM = 256 * 1024 + FRAMING_LOW,
};

struct framing {
	uint8_t *buf;	/* owned, FRAMING_ROOM bytes */
	uint32_t start; /* first byte not yet handed out */
	uint32_t end;	/* one past the last byte received */
};

enum framing_result {
	FRAMING_FRAME, /* a whole frame */
	FRAMING_MORE,  /* the rest has yet to come */
	FRAMING_BAD,   /* a length that cannot be; stays at the front */
};

/* 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int framing_init(struct framing *f);
/* Accepts a zeroed object. */
void framing_deinit(struct framing *f);
/* Forgets all bytes (a new connection). */
void framing_reset(struct framing *f);

/* The next frame, *lenp bytes at *pp inside the buffer: there until
 * framing_space() is called.  Lengths of 0 are skipped; the frame may be
 * shorter than an Ethernet header. */
enum framing_result framing_next(struct framing *f, const uint8_t **pp,
				 uint32_t *lenp);
/* Where to receive, *roomp >= FRAMING_LOW bytes; frames handed out before may
 * be overwritten.  Only when framing_next() said FRAMING_MORE. */
uint8_t *framing_space(struct framing *f, uint32_t *roomp);
/* n bytes were received there. */
void framing_filled(struct framing *f, uint32_t n);

#endif
