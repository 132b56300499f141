/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lanes of a team: for each network a lane (lan/lane.h) on every worker but
 * the first, which has the network itself.
 *
 *	worker 0: the lan			worker i: its lane
 *
 *	port A, with queue 0			leg A, with a queue, or
 *	port B					mail leg B
 *
 *	takes what was punted  <--- mail ----	punts what it is not sure of
 *	MAC table, changes  ------- mail --->	its copy
 *	an entry's age  <---------- mail ----	which it uses
 *	decides about the port  <-- mail ----	a fault of a leg
 *	ports, links, aliases  ---- pause -->	legs
 *	leg A sends  <------------- mail --->	mail leg A
 *
 * Worker 0's lan tells by itself when a port comes, goes or changes
 * (lan_watch), and of its MAC table.  A port has a mail leg on each lane until
 * lanes_leg_set() gives it one with a queue.  Where there was no memory for a
 * leg, the port is not known on that lane, and all that is for it is punted.
 *
 * News of the MAC table may come late, and several as one, but none is lost:
 * the places that changed are noted once each, and so many of them are told in
 * a millisecond (LANES_NEWS), in the order in which they began to wait.  So
 * addresses that a machine invents cost a bounded part of the mail.
 *
 * Ports are named by their serial, which is never used twice: mail for one that
 * has gone is dropped as LINK_DOWN, from one that has gone as LINK_DOWN_IN.
 *
 * The threads: lanes_take(), _taken() and _room() are for whose mail it is,
 * lanes_send() for who sends; everything else is worker 0's.
 */
#ifndef WORKER_LANES_H
#define WORKER_LANES_H

#include "lan/lane.h"
#include "worker/team.h"

struct lanes;
struct lanes_net;

/* mail_cell.kind; id[0] is the network's number. */
enum lanes_kind {
	LANES_PUNT = 0x100, /* a frame; id[1]: its entrance */
	LANES_SEND,  /* a frame; id[1]: its exit, [2]: its entrance */
	LANES_MAC,   /* id[1]: place in the table, [2]: port or 0; word: MAC */
	LANES_USED,  /* id[1]: port; word: MAC */
	LANES_FAULT, /* id[1]: port */
	LANES_KINDS_END
};

enum { LANES_NEWS = 128 };
#define LANES_NEWS_NS UINT64_C(1000000)
/* How often at most a lane tells that an address is used; several times in
 * what the table gives it, LAN_AGE_SECONDS. */
#define LANES_TELL_NS (UINT64_C(5) * 1000000000)

/* t is borrowed.  0 with *lp set, or -ENOMEM. */
MUST_USE int lanes_new(struct team *t, struct lanes **lp);
/* All networks are gone. */
struct lanes *lanes_free(struct lanes *l);

/* Gives lan, which is worker 0's and borrowed, its lanes; it may have ports
 * already.  tell_ns: 0 is LANES_TELL_NS.  0 with *np set, or -ENOMEM. */
MUST_USE int lanes_net_new(struct lanes *l, struct lan *lan, uint64_t tell_ns,
			   struct lanes_net **np);
/* Before its lan goes, and the team.  Legs of kinds are on no lane any more. */
struct lanes_net *lanes_net_free(struct lanes_net *n);
/* The lane of worker i, which is not the first. */
struct lan *lanes_lane(const struct lanes_net *n, unsigned i);

/* On worker i, not the first, p's leg is this one from now on; NULL: it has no
 * queue there (any more).  Borrowed until then, or until p goes: no hook is
 * called afterwards.  Not from inside a hook, as lan_port_add().  0, or
 * -ENOMEM: the leg is on no lane. */
MUST_USE int lanes_leg_set(struct lanes_net *n, struct port *p, unsigned i,
			   struct port *leg);
/* On worker me: these frames, which came by the port that lan_ingress() of its
 * lane (of the first's lan) names, go to worker `to` for the port of that
 * serial, as what a mail leg sends.  Returns the bits of those that found room;
 * the others are counted. */
uint64_t lanes_send(const struct lanes_net *n, unsigned me, unsigned to,
		    uint32_t serial, const struct batch *b, uint64_t mask);
/* What went through p on all workers.  When p has gone from its lan that is
 * what p->stats says. */
void lanes_port_stats(struct lanes_net *n, const struct port *p,
		      struct port_stats *sum);

/* A message of one of the kinds above has come from worker `from`.  Frames are
 * kept, borrowed, until others come or lanes_taken(), which is called before
 * mail_release(). */
void lanes_take(struct lanes *l, unsigned me, unsigned from,
		const struct mail_cell *c, const struct frame *f);
void lanes_taken(struct lanes *l, unsigned me);
/* There is room in m again, see team_ops. */
void lanes_room(struct lanes *l, unsigned me, struct mail *m);

#endif
