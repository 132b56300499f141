/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory by which frames that an engine captures get to who writes them
 * down: a ring of records, one writer, one reader, in other processes.
 *
 *	+--------+--------------------------------------------------+
 *	| head,  | record | record | .. |pad| record | ..      |pad|  |
 *	| low .. |<----------- block ------->|<------ block ------>|  |
 *	+--------+--------------------------------------------------+
 *	  RING_FIRST bytes      a power of two of bytes
 *
 * Positions are numbers of bytes since ever; where one lies is its rest modulo
 * the size.  A record lies in one block, with a pad behind the last one.
 *
 * RING_STREAM: the reader follows the writer and says how far it has read
 * (tail).  Who has no room loses the record and counts it.
 * RING_KEPT: the writer never stops: it takes the block of the oldest records,
 * says so first (low), and the reader, who is here only now and then, copies
 * all of it and throws away what was taken meanwhile.
 *
 * Nobody believes the other: the writer reads nothing but tail and is_waiting,
 * and every value of those is sensible to it; the reader checks each record
 * before it looks inside.  A writer that comes after another (a new engine)
 * goes on where the head is.
 */
#ifndef CAPTURE_RING_H
#define CAPTURE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "lan/frame.h"
#include "lan/port.h"

enum {
	RING_FIRST = 4096,	/* bytes before the records */
	RING_MIN = 1 << 20,	/* bytes of records */
	RING_MAX = 1 << 30,
	RING_BLOCK_MIN = 1 << 17, /* > any record */
	RING_BLOCKS = 16,	/* unless they were shorter than that */
	RING_SPARE = 1 << 16,	/* of a stream: no frame's, for what is said
				 * of ports */
};

#define RING_NOWHERE UINT64_MAX /* the record found no room */

enum ring_mode {
	RING_STREAM,
	RING_KEPT,
};

enum ring_type {
	RING_PAD,   /* nothing up to the block's end; len and type only */
	RING_VOID,  /* nothing */
	RING_FRAME,
	RING_BEGIN, /* what a port has counted when the capture begins, .. */
	RING_END,   /* .. ends, or the port goes: struct ring_count */
	RING_TYPES
};

enum ring_dir {
	RING_IN = 1,  /* from the machine into the network */
	RING_OUT = 2,
};

struct ring_record {
	uint32_t len;	    /* of all, a multiple of 8 */
	uint8_t type;	    /* enum ring_type */
	uint8_t dir;	    /* enum ring_dir; of a count: what is captured */
	uint16_t lost;	    /* enum drop_reason + 1; 0: it is not lost */
	uint64_t when_ns;   /* since 1970 */
	uint32_t frame_len; /* bytes that the frame has .. */
	uint32_t data_len;  /* .. and that follow here */
	struct frame_offload off;
	uint8_t is_out;	    /* it was lost at `at` on its way there, and no
			     * exit has it */
	char port[PORT_NAME_LEN]; /* by which it came or went */
	char at[PORT_NAME_LEN];	  /* if lost: where */
};

/* port_stats */
struct ring_count {
	uint64_t rx_frames, tx_frames, rx_bytes, tx_bytes, rx_drops, tx_drops;
};

struct ring_shared;

/* The writer's. */
struct ring_writer {
	struct ring_shared *shared; /* owned mapping; NULL: none */
	uint8_t *data;		    /* in it */
	uint64_t size, block;	    /* of data */
	uint64_t head;		    /* next record; published up to .. */
	uint64_t told;		    /* .. this */
	uint64_t low;
	uint64_t lost;
	enum ring_mode mode;
};

/* Bytes of a ring with this many of records, rounded down to what can be: of
 * what memfd_make_sparse() makes. */
size_t ring_len(uint64_t n);

/* Maps fd, which stays the caller's and has ring_len(n) bytes.  0 or a negative
 * errno. */
MUST_USE int ring_writer_open(struct ring_writer *w, int fd, uint64_t n,
			      enum ring_mode mode);
void ring_writer_close(struct ring_writer *w);
/* As ring_put_frame() without the bytes, which ring_fill_frame() then copies:
 * perhaps beside other calls for this ring, but for ring_publish() of it, and
 * not of a kept ring, where others may take its place meanwhile. */
uint64_t ring_reserve_frame(struct ring_writer *w,
			    const struct ring_record *r);
void ring_fill_frame(const struct ring_writer *w, uint64_t at,
		     const struct frame *f, uint32_t data_len);
/* Appends r, which says all but len; with it the first r->data_len bytes of f,
 * or that many at data.  Returns where it is, or RING_NOWHERE (a frame is then
 * counted). */
uint64_t ring_put_frame(struct ring_writer *w, const struct ring_record *r,
			const struct frame *f);
uint64_t ring_put(struct ring_writer *w, const struct ring_record *r,
		  const void *data);
/* Of one that has not been published: it is lost; it is none.  (What a kept
 * ring had to show before its time stays as it is.) */
void ring_set_lost(struct ring_writer *w, uint64_t at, unsigned why,
		   const char where[PORT_NAME_LEN]);
void ring_set_void(struct ring_writer *w, uint64_t at);
/* Shows the reader what there is before `end`, a record's place or w->head.
 * True if there is something new. */
bool ring_publish(struct ring_writer *w, uint64_t end);
/* No more comes. */
void ring_writer_over(struct ring_writer *w);
/* True, once, if the reader waits for something. */
bool ring_reader_waits(struct ring_writer *w);
/* Bytes that the reader has not read, as it says. */
uint64_t ring_unread(const struct ring_writer *w);

/* The reader's. */
struct ring_reader {
	struct ring_shared *shared; /* owned mapping; NULL: none */
	size_t len;		    /* of the mapping */
	uint8_t *copy;		    /* owned; of a kept ring */
	const uint8_t *data;
	uint64_t size, block;
	uint64_t tail, head;	    /* of what is to be read */
	enum ring_mode mode;
};

enum {
	RING_R_NONE,	/* nothing more now */
	RING_R_RECORD,
	RING_R_DAMAGED, /* what is there is no record: it is skipped */
};

/* Maps fd, which stays the caller's, if it has a length that a ring can have:
 * 0 or a negative errno.  Of a kept ring there are the records of this
 * moment. */
MUST_USE int ring_reader_open(struct ring_reader *r, int fd,
			      enum ring_mode mode);
void ring_reader_close(struct ring_reader *r);
/* Of memory that somebody else has, len bytes and no more, aligned as a page;
 * for tests.  0 or -EINVAL. */
MUST_USE int ring_reader_init(struct ring_reader *r, void *memory, size_t len,
			      enum ring_mode mode);
/* The next record: *rp is a checked copy, and the bytes behind it at *datap,
 * which the writer may still change, until ring_reader_done(). */
int ring_reader_next(struct ring_reader *r, struct ring_record *rp,
		     const uint8_t **datap);
/* The writer may have the place of what was read. */
void ring_reader_done(struct ring_reader *r);
/* The reader is going to wait; false: there is something already. */
bool ring_reader_wait(struct ring_reader *r);
/* No more comes. */
bool ring_reader_is_over(const struct ring_reader *r);
/* True if something else than a frame found no room. */
bool ring_reader_has_gaps(const struct ring_reader *r);
/* Frames that found no room since ever. */
uint64_t ring_reader_lost(const struct ring_reader *r);
/* The same of a ring that is not mapped here, of whoever has it: any number; 0
 * if fd is no ring. */
uint64_t ring_lost(int fd);

#endif
