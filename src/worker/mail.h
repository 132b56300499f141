/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Mail from one worker to another: a bounded ring with one writer and one
 * reader.  No lock, no allocation, no word that both write while it runs.
 *
 * A message is a cell (a kind, ids, a few words) and perhaps one frame, whose
 * bytes are copied into the ring.  They lie there one behind the other, each
 * as long as it is: a frame of 64 bytes takes 96, and there are no buffers of
 * a class that could run out before the others.  The reader's position gives
 * them back.  A ring found empty begins anew at its first byte, so that it
 * takes no more memory, and no more of the caches, than the longest burst did.
 *
 * The writer publishes what it wrote once in a round (outbox_publish()), or
 * when a quarter of the ring waits for that; only then the reader sees it, and
 * is woken if it sleeps.
 *
 *	writer's thread				reader's thread
 *
 *	mail_frames(), mail_post()  ...		mail_next()  ...
 *	outbox_publish(): head -------------->	  (what it gave is borrowed)
 *	  room again  <------------------------	mail_release(): tail
 *
 * Order of memory.  head is stored after the bytes it covers and loaded before
 * they are read (release, acquire); tail is stored after the last look at the
 * bytes it gives back and loaded before they are written again.  That both
 * stores are sequentially consistent is for the bells (bell.h): each end may
 * go to sleep for want of the other's.
 *
 * Full: a frame is lost as DROP_MAIL_FULL.  A message without one is not lost:
 * mail_post() says no and the writer is told when there is room.  The last
 * part of the ring is kept for those.
 *
 * One machine's flood is not to lose the frames of others, which share the
 * ring with it but for its worker alone: of the last quarter of the ring a
 * sender gets no more than a part, until the rest is enough again.
 */
#ifndef WORKER_MAIL_H
#define WORKER_MAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lan/drop.h"
#include "lan/frame.h"
#include "worker/bell.h"

enum {
	MAIL_IDS = 3,
	MAIL_WORDS = 4,
	MAIL_BYTES = 1 << 22, /* of a ring, if nobody says otherwise: 60
			       * frames of FRAME_MAX */
	MAIL_BYTES_MIN = 1 << 18,
	MAIL_NEWS_PART = 16, /* 1/16 of it takes no frames */
	MAIL_SENDER_PART = 32, /* ... and is a sender's of the last quarter */
};

struct mail;

struct mail_cell {
	uint16_t kind;   /* what it is: the users' own numbers */
	uint8_t n_words; /* of word that are sent; the reader sees 0 in the
			  * others */
	uint32_t who;    /* whose frame it is, for its part of the ring; 0:
			  * nobody's.  Not sent */
	uint32_t id[MAIL_IDS];
	uint64_t word[MAIL_WORDS];
};

/* All mails that one worker writes; the worker's own. */
struct outbox {
	struct mail *unpublished;
	struct mail *starved; /* mail_post() has said no */
};

struct mail_config {
	unsigned from, to;   /* the workers' numbers, for mail_from(), _to() */
	size_t bytes;        /* a power of two from MAIL_BYTES_MIN on; 0:
			      * MAIL_BYTES */
	struct outbox *box;  /* borrowed: the writer's */
	struct drops *drops; /* borrowed: the writer's */
	struct bell *writer; /* borrowed: rung when there is room */
	struct bell *reader; /* borrowed: rung when there is mail */
};

/* Address space; memory as it is used.  0 or -ENOMEM. */
MUST_USE int mail_new(const struct mail_config *c, struct mail **mp);
/* Neither end is used any more. */
struct mail *mail_free(struct mail *m);
unsigned mail_from(const struct mail *m);
unsigned mail_to(const struct mail *m);

/* ---- the writer's thread ---- */

/* A message of this cell for each frame of b whose bit is set, in order;
 * nothing of b is referenced afterwards.  Returns the bits of those that found
 * room; the others are counted. */
uint64_t mail_frames(struct mail *m, const struct mail_cell *c,
		     const struct batch *b, uint64_t mask);
/* A message without a frame.  False: no room; outbox_roomy() will give m. */
MUST_USE bool mail_post(struct mail *m, const struct mail_cell *c);
/* Shows the readers what was written since, and wakes those that sleep. */
void outbox_publish(struct outbox *o);
/* True if a mail that had no room is half empty by now.  is_last: before a
 * sleep, and surely: afterwards the writer's bell is rung. */
bool outbox_has_room(const struct outbox *o, bool is_last);
/* Such a mail, of which the box then lets go; NULL: no other. */
struct mail *outbox_roomy(struct outbox *o);

/* ---- the reader's thread ---- */

/* True if there is something.  is_last: before a sleep, and surely: afterwards
 * the reader's bell is rung. */
bool mail_is_waiting(const struct mail *m, bool is_last);
/* Takes the next message: its cell into *c, its frame into *f (f->len 0: it
 * has none), borrowed, in memory that nobody else writes, until
 * mail_release().  False: there is none, nothing is touched. */
MUST_USE bool mail_next(struct mail *m, struct mail_cell *c, struct frame *f);
/* What mail_next() gave is done with. */
void mail_release(struct mail *m);

#endif
