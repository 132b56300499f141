/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One direction of a cable that is spoilt on purpose (vmlan link).
 *
 *	frame -> lost? -> a bit flipped? -> twice? -> rate -> delay -> out
 *	         \____ chance, by the seed ____/      fq.h   in order
 *
 * All that is left to chance is drawn when a frame comes, from a stream of
 * numbers for each kind of spoiling: the same seed and the same frames make the
 * same losses, however long each takes.  The rate stands before the delay, as
 * where a slow link is followed by a long way: what waits for its turn waits in
 * a queue that CoDel keeps short, what is on its way is out of reach.
 *
 * Frames arrive in the order in which they came, also with jitter, but those
 * that reorder= has overtake: they skip the delay.  A corrupt frame has one
 * bit flipped behind its Ethernet header, so it arrives where it was to go.
 *
 * Frames are frames on the wire: whoever calls has cut and summed them.  They
 * are copied (parcel.h); what finds no room is lost as LINK_QUEUE.
 *
 * The wheel's ticks are a millisecond: a frame leaves up to half of one earlier
 * or later than it should, on the average as it should, and a rate is made up
 * for.  A frame's delay begins when it is put, not when the worker's clock was
 * read: on a busy host that may be long before it was sent.  Called by
 * port_cable.c on the worker's thread.
 */
#ifndef LAN_CABLE_H
#define LAN_CABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/impair.h"
#include "base/mem.h"
#include "base/timer.h"
#include "lan/drop.h"
#include "lan/frame.h"

struct cable;

struct cable_config {
	struct timer_wheel *wheel; /* borrowed */
	const uint64_t *now_ns;	   /* borrowed: the worker's clock */
	/* Where it is read, for frames that came after; NULL: it stands still
	 * while they come. */
	uint64_t (*read_ns)(void);
	struct drops *drops;	   /* borrowed: all that is lost .. */
	uint64_t *n_lost;	   /* .. and here, too */
	/* The frames of b go on; returns the bits that found no room.  With
	 * keeps they come again, when cable_room() is called or a moment
	 * later; without it that is the last try, and out counts them.  May
	 * lead back to cable_put(), _room() and _clear(), not _free(). */
	uint64_t (*out)(void *arg, const struct batch *b, bool keeps);
	/* f is lost here; may be NULL. */
	void (*lost)(void *arg, const struct frame *f, enum drop_reason why);
	void *arg;
	uint64_t stream; /* of numbers: another one for each direction */
	uint64_t stall_ns; /* so long frames that are due wait for room */
};

/* After a frame that is due has waited in vain for stall_ns, nothing waits for
 * so long. */
#define CABLE_DISTRUST_NS UINT64_C(1000000000)

/* One that spoils nothing. 0 with *cp set, or -ENOMEM. */
MUST_USE int cable_new(const struct cable_config *cfg, struct cable **cp);
/* What is under way is lost as LINK_DOWN; accepts NULL. */
struct cable *cable_free(struct cable *c);
/* From now on it does that to what comes; what is under way stays so.  The
 * numbers begin anew if the seed is another one, or restarts. 0 or -ENOMEM
 * (nothing has changed). */
MUST_USE int cable_set(struct cable *c, const struct impair *set,
		       uint64_t seed, bool restarts);
/* Takes those frames of b, copied or lost by name. */
void cable_put(struct cable *c, const struct batch *b, uint64_t mask);
/* What out() leads to has room again. */
void cable_room(struct cable *c);
/* What is under way is lost, as that. */
void cable_clear(struct cable *c, enum drop_reason why);
/* What is under way arrives now. */
void cable_flush(struct cable *c);
/* Frames under way. */
unsigned cable_count(const struct cable *c);

#endif
