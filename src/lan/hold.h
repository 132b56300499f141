/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that their sender can wait with: kept where they are for an exit
 * that has no room now and says when it has (port.h, "Holding").
 *
 *      sender A --- queue ---> exit X     A queue for each pair, oldest frame
 *      sender A --- queue ---> exit Y     first.  port.hold has a sender's,
 *      sender B --- queue ---> exit X     port.holders an exit's, who is next
 *                                         first.
 *
 * While an exit has queues it was asked to say when it has room
 * (port.wants_room), and no sender that could hold sends past them: so each
 * pair's frames stay in order, and each sender gets its turn, of a batch.
 *
 * A frame waits for HOLD_NS at most.  An exit for which one waited that long
 * is believed no more for HOLD_DISTRUST_NS, nor before it took something:
 * what it refuses in that time is lost at once, as if it could not say.
 *
 * Called by lan.c and lan_port.c on the worker's thread.  Nothing here
 * allocates but hold_new().
 */
#ifndef LAN_HOLD_H
#define LAN_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "lan/drop.h"
#include "lan/frame.h"
#include "lan/gso.h"
#include "lan/port.h"

enum {
	HOLD_FRAMES = 512, /* of a sender, altogether */
	/* Of a sender for one exit, unless that is quick.  Linux's TCP leaves
	 * 1 ms and more of what it sends with the card (TSQ), of each flow; at
	 * a slow exit's pace it is little.  More would do harm where the
	 * card's bytes are counted whomever they are for (BQL). */
	HOLD_SLOW_BYTES = 1024 * 1024,
	HOLD_EXIT_BYTES = 4096 * 1024, /* ... whatever it is */
	HOLD_BYTES = 8192 * 1024,      /* of a sender, altogether */
};

/* An exit is quick while the first that waits has not waited so long. */
#define HOLD_QUICK_NS	 UINT64_C(10000000)
#define HOLD_NS		 UINT64_C(100000000)
#define HOLD_DISTRUST_NS UINT64_C(1000000000)

struct hold;

/* For a sender with the let_go hook that is on its lan; owned by the port.
 * NULL: no memory, it holds nothing. */
struct hold *hold_new(struct port *from);
/* All are let go; accepts NULL. */
struct hold *hold_free(struct hold *h);

/* Keeps those frames of mask for exit that the bounds allow, behind what is
 * there already; of rest's frame what is left.  Returns their bits; the others
 * are the caller's to lose. */
uint64_t hold_keep(struct port *from, struct port *exit,
		   const struct batch *b, uint64_t mask,
		   const struct gso_rest *rest);
/* The exit has room, or is down: sends, or drops, what is held for it until it
 * refuses again. */
void hold_serve(struct port *exit);
/* The link of the sender p went down: its frames are let go, from a timer. */
void hold_release_soon(struct port *p);

#endif
