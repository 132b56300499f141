/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A lane: the lan of a worker that is not the first.
 *
 * Worker 0's lan decides everything; a lane has copies of its answers and
 * carries only what it surely can: a frame from an address that is known
 * behind the very port it came by, to one address that is known behind another
 * port, with an alias at neither.  Everything else it punts: worker 0 takes it
 * as if it had come in by that port there.  So a lane learns nothing, floods
 * nothing, and forgets nothing by itself.  A frame that is carried may pass an
 * earlier one that was punted: once, when the lane gets to know an address.
 *
 * Its ports are legs: of each port of worker 0's lan one, with that port's id,
 * serial, link and abilities.  A leg's kind calls lan_port_readable(),
 * lan_port_room() and port_fault() for it on the lane's thread, and nothing
 * else: the rest comes from the port, in a pause (worker/lanes.h, which makes
 * lanes and uses all that is here).
 */
#ifndef LAN_LANE_H
#define LAN_LANE_H

#include "base/mem.h"
#include "lan/lan.h"

/* Part of lan_config.  The hooks are called on the lane's thread while a batch
 * is carried. */
struct lane_config {
	/* Those frames of b, which came by from, are worker 0's; returns the
	 * bits of those that went there. */
	uint64_t (*punt)(void *arg, struct port *from, const struct batch *b,
			 uint64_t mask);
	/* m behind p is used; told once in tell_ns at most. */
	void (*used)(void *arg, struct port *p, mac m);
	void *arg;
	uint64_t tell_ns;
};

/* The copy of worker 0's table: m behind leg is in that place (fdb_slot())
 * now; leg NULL: nothing is. */
void lane_mac(struct lan *lane, unsigned slot, mac m, struct port *leg);
/* What is known behind old is behind leg now; leg NULL: is forgotten. */
void lane_leg_moved(struct lan *lane, const struct port *old,
		    struct port *leg);
/* Puts leg on the lane as p's, carrier down: lane_leg_sync() is next. */
void lane_leg_add(struct lan *lane, struct port *leg, const struct port *p);
/* Link, fault and abilities of p are the leg's from now on, whether it has an
 * alias, and who looks at it (tap.h). */
void lane_leg_sync(struct port *leg, const struct port *p);

/* Frames that another worker's lane has sent here for exit; they came in by
 * from there (NULL: it has no leg here).  What is lost is counted.  Only from
 * the event loop. */
void lan_output(struct port *exit, struct port *from, const struct batch *b);

/* ---- worker 0's lan, for who keeps copies of it ---- */

/* Called at any time, from inside a batch as well. */
struct lan_watch {
	void (*added)(void *arg, struct port *p);
	void (*removed)(void *arg, struct port *p); /* it is there still */
	/* Up or not, abilities, an alias or none any more, who looks at it. */
	void (*changed)(void *arg, struct port *p);
	void (*mac)(void *arg, unsigned slot); /* see lan_mac_slot() */
	void *arg;
};

/* One for a lan, copied.  The ports that are there are not told, the places of
 * the MAC table are.  0 or -ENOMEM. */
MUST_USE int lan_watch(struct lan *lan, const struct lan_watch *w);
void lan_unwatch(struct lan *lan);
/* Places of the MAC table: 0 to this - 1. */
unsigned lan_mac_slots(const struct lan *lan);
/* What is in one of them while somebody watches: the port *mp is behind; NULL:
 * nothing. */
struct port *lan_mac_slot(const struct lan *lan, unsigned slot, mac *mp);
/* A lane has seen m behind p. */
void lan_mac_used(struct lan *lan, struct port *p, mac m);
/* True if p passes frames to and from its lan as they are. */
bool lan_port_is_plain(const struct port *p);

#endif
