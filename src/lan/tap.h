/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who looks on while a lan carries frames (a capture).
 *
 * A lan tells one observer (struct lan_tap) of each frame that comes in or goes
 * out by a port whose port.tap is not zero, in step with port.stats, and of
 * each that is lost between those.  Without an observer that costs a test of
 * lan->tap for a batch, and one of port.tap for each exit.  All calls are on
 * the lan's thread.  A lane (lane.h) has an observer as any lan has: it is told
 * of what the lane carries by itself, at legs, whose tap is that of the port.
 * What the lane punts it has back; worker 0's observer is told of it.
 *
 * in() comes before the lan has judged a frame.  What becomes of it is told
 * later in the same call of lan_input(), by the frame's place in the batch; the
 * observer keeps what it needs for that in the struct tap_batch of that call.
 */
#ifndef LAN_TAP_H
#define LAN_TAP_H

#include "lan/drop.h"
#include "lan/port.h"

enum { TAP_MAX = 8 }; /* who look on, each a bit of port.tap */

/* One batch that has come in; the observer's, on the lan's stack. */
struct tap_batch {
	struct port *from;
	uint64_t at[TAP_MAX][FRAME_BATCH];
};

struct lan_tap {
	/* Between the two the others are called; they nest. */
	void (*begin)(void *arg);
	void (*end)(void *arg);
	/* These frames of b have come in by from, whose tap is not zero; t is
	 * filled. */
	void (*in)(void *arg, struct port *from, const struct batch *b,
		   struct tap_batch *t);
	/* Their sender keeps these, and they are not counted: they will come
	 * again. */
	void (*back)(void *arg, struct tap_batch *t, uint64_t mask);
	/* exit, whose tap is not zero, has taken these. */
	void (*out)(void *arg, struct port *exit, const struct batch *b,
		    uint64_t mask);
	/* These are lost at `at`, an exit (is_exit) or the entrance.  t: what
	 * in() filled for them, NULL if it was not told of them just now. */
	void (*lost)(void *arg, const struct tap_batch *t, struct port *at,
		     bool is_exit, const struct batch *b, uint64_t mask,
		     enum drop_reason why);
	/* p is new (and port.tap the observer's to set); p goes. */
	void (*added)(void *arg, struct port *p);
	void (*removed)(void *arg, struct port *p);
	void *arg;
};

/* Sets the observer, borrowed until it is NULL again; then no port's tap is
 * set.  Ports that are there are not told.  Not while a batch is carried. */
void lan_tap_set(struct lan *lan, const struct lan_tap *tap);
/* Sets port.tap.  Not while a batch is carried. */
void lan_tap_port(struct port *p, uint8_t tap);

/* True inside send() if losses of p are to be told. */
bool lan_tap_wants(const struct port *p);
/* Inside send() of p: frame i of the batch that p was given whole is lost. */
void lan_tap_lost(struct port *p, const struct batch *b, unsigned i,
		  enum drop_reason why);

#endif
