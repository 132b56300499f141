/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of a lan, shared by lan.c (carrying), lan_port.c (ports, room)
 * and lend.c.  One worker's thread.
 */
#ifndef LAN_LAN_PRIV_H
#define LAN_LAN_PRIV_H

#include "base/slab.h"
#include "lan/alias.h"
#include "lan/fdb.h"
#include "lan/fdb_copy.h"
#include "lan/hold.h"
#include "lan/lan.h"
#include "lan/lane.h"
#include "lan/snoop.h"
#include "lan/tap.h"

enum {
	LAN_DEPTH_MAX = 8,    /* lan_input() inside lan_input() of one lan */
	LAN_WAITERS = 64,     /* bits of port.waiters */
	LAN_CLASHES = 32,     /* pairs of ports remembered as told */
	LAN_ALIASES = 512,    /* more machines than share one MAC, and some
			       * for those that would take all */
	LAN_SCRATCH_ALIGN = 64,
	/* One more than lends can nest: a lend from scratch is open only
	 * while its give is carried. */
	LAN_SCRATCH_MAX = LAN_DEPTH_MAX + 2,
};

#define LAN_CLASH_NS (UINT64_C(60) * 1000000000)

/* A pair of ports control was told about; a.serial < b.serial. */
struct lan_clash {
	uint32_t a, b;	  /* port.serial; 0 = unused */
	uint64_t told_ns;
};

/* What a lan has that is a lane. */
struct lane {
	struct lane_config c;
	struct fdb_copy table;
};

struct lan {
	char *name; /* owned */
	bool is_hub;
	struct lane *lane;	    /* owned; NULL: it is none */
	unsigned depth;		    /* lan_input() calls under way */
	unsigned busy;		    /* calls that run hooks under way, depth
				     * included: waiters are told later */
	struct port *ingress;	    /* whose batch lan_input() carries */
	bool lend_open;		    /* between lan_lend() and lan_give() */
	const struct lan_tap *tap;  /* borrowed; NULL: nobody looks on */
	struct tap_batch *tapped;   /* what lan_input() carries, with tap */
	struct list ports;	    /* of port.link_all */
	struct fdb fdb;		    /* unused in a hub */
	struct snoop snoop;
	const uint64_t *now_ns;	    /* borrowed */
	uint64_t (*read_ns)(void);  /* may be NULL */
	struct talk *talk;	    /* borrowed, or NULL */
	struct drops *drops;	    /* borrowed */
	struct timer_wheel *wheel;  /* borrowed */
	struct lan_events events;
	struct lan_watch watch;	    /* hooks NULL: nobody */
	uint32_t last_serial;
	/* Senders that can wait, by their bit.  The last bit is shared by
	 * all that come when the others are taken. */
	struct port *waiter[LAN_WAITERS - 1];
	struct list wake;	    /* of port.link_wake */
	struct timer wake_timer;
	struct lan_clash clash[LAN_CLASHES];
	struct alias alias[LAN_ALIASES];
	struct list free_aliases; /* those of no port */
	struct slab scratch;	    /* objects of 64 frames of FRAME_MAX */
	uint8_t *lent[LAN_SCRATCH_MAX]; /* a stack of them */
	unsigned n_lent;
};

/* True if an exit that refuses says when it has room, and may be trusted not
 * to lose what it took: the sender can keep its frames. */
static inline bool port_can_refuse(const struct port *p)
{
	return !p->caps.lossy && p->ops->want_room;
}

/* 0 or -ENOMEM. */
MUST_USE int lane_new(const struct lane_config *c, unsigned fdb_max,
		      struct lane **lp);
struct lane *lane_free(struct lane *l);
/* The port dst is known behind, or NULL. */
struct port *lane_find(const struct lane *l, mac dst);
/* The one exit of f, which came by from; NULL: worker 0 is to take it. */
struct port *lane_exit(struct port *from, const struct frame *f);
/* True if what exit lends to from needs no look of worker 0's: from is known
 * by an address, which nobody has taken, and neither has an alias. */
bool lane_may_lend(const struct port *from, const struct port *exit);
/* It is to take those of b. */
void lane_punt(struct port *from, const struct batch *b, uint64_t mask);

/* The one port frames to dst leave by, or NULL: they are flooded. */
static inline struct port *lan_exit(const struct lan *lan, mac dst)
{
	if (lan->is_hub || mac_is_group(dst))
		return NULL;
	if (lan->lane)
		return lane_find(lan->lane, dst);
	return fdb_find(&lan->fdb, dst);
}

/* Sends frames of from that were held for exit, as lan_input() would.  Returns
 * those it had no room for; the others are sent or dropped. */
uint64_t lan_carry_held(struct port *from, struct port *exit,
			const struct batch *b, struct gso_rest *rest);
/* Frames that came in by from, and that it has counted, are through its cable:
 * as lan_input(). */
uint64_t lan_carry_cabled(struct port *from, const struct batch *b, bool keep);
/* A place among the senders that wait, for port.wait_slot; and it waits no
 * more. */
uint32_t lan_waiter_take(struct lan *lan, struct port *p);
void lan_waiter_give(struct lan *lan, struct port *p);
/* exit is to say when it has room (lan_port_room()). */
void lan_ask_room(struct port *exit);
/* sender was told "no room" by exit: its room hook is to be called. */
void lan_wait(struct port *sender, struct port *exit);
/* The others' copies of p are to follow it (lan_watch). */
static inline void lan_port_news(struct port *p)
{
	const struct lan_watch *w = &p->lan->watch;

	if (w->changed)
		w->changed(w->arg, p);
}
/* tap.c: for lan->tap, if there is one. */
void tap_out(struct port *exit, const struct batch *b, uint64_t mask);
void tap_lost(struct lan *lan, struct port *at, bool is_exit,
	      const struct batch *b, uint64_t mask, enum drop_reason why);
/* One that was held for exit. */
void tap_lost_frame(struct port *exit, const struct frame *f,
		    enum drop_reason why);
/* Frames that are about to be given, of p's view, with lan->tap. */
void tap_lent(struct port *p, const struct lend *l, bool is_out);
/* As lan_port_room(), but later: for callers deep inside a batch. */
void lan_wake_later(struct port *exit);
/* Does what lan_wake_later() put off. */
void lan_wake_now(struct lan *lan);

#endif
