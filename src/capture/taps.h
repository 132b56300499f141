/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Captures of an engine: what its lans tell (lan/tap.h) goes into the rings
 * (ring.h) of those who want it.  Made and asked by the engine, on worker 0's
 * thread, and in a pause (worker/team.h) if there are others.
 *
 * What each worker's lan tells it puts in by itself: under a lock it takes the
 * places, with the time, so that what lies in a ring is in order; the bytes it
 * copies without.  The reader is shown all before the first record of a batch
 * that some worker still carries.
 *
 * A capture of all ports has each frame once, where it comes into the network:
 * by any port but a cable to another lan.  One of a port (by name, whenever a
 * port of that name is there) has what comes in and goes out by it.  A frame
 * that is lost says why in its record, and has one of its own, which is no
 * counted one, if it was lost on the way to the port that is looked at, or when
 * it had waited.
 */
#ifndef CAPTURE_TAPS_H
#define CAPTURE_TAPS_H

#include <stdint.h>

#include "base/timer.h"
#include "capture/ring.h"
#include "lan/tap.h"

struct taps;

/* A reader that waits is woken not sooner after the last time, unless a
 * quarter of its ring is full. */
#define TAPS_WAKE_NS UINT64_C(2000000)

struct taps_worker {
	struct timer_wheel *wheel; /* borrowed */
	const uint64_t *now_ns;	   /* borrowed: its clock */
};

struct taps_config {
	const struct taps_worker *workers; /* copied */
	unsigned n_workers;		   /* from 1 on */
	/* Since 1970, for the records; any worker's. */
	uint64_t (*wall_ns)(void);
	/* True for a port that leads to another lan of ours. */
	bool (*is_cable)(const struct port *p);
	/* What p has counted on all workers; NULL: that is p->stats. */
	void (*stats)(void *arg, const struct port *p, struct port_stats *s);
	void *arg;
};

struct taps_capture {
	uint32_t id;		 /* not 0 */
	enum ring_mode mode;
	const char *port;	 /* copied; "": all */
	uint32_t snap_len;	 /* bytes of a frame at most */
	int ring;		 /* borrowed; of ring_len(size) bytes */
	uint64_t size;
	int wake;		 /* a connected socket, whose peer is woken,
				  * taken if it begins; -1: none */
};

/* 0 with *tp set, or -ENOMEM. */
MUST_USE int taps_new(const struct taps_config *c, struct taps **tp);
/* All captures end; no lan has them any more. */
struct taps *taps_free(struct taps *t);
/* A lan is there, or a lane of that worker, before its ports are; it goes.  Not
 * while a batch is carried.  0 or -ENOMEM. */
MUST_USE int taps_lan_add(struct taps *t, struct lan *lan, unsigned worker);
void taps_lan_del(struct taps *t, struct lan *lan);
/* 0; -EEXIST for an id there is; -ENOSPC beyond TAP_MAX; what
 * ring_writer_open() says.  Not while a batch is carried; so for the next. */
MUST_USE int taps_start(struct taps *t, const struct taps_capture *c);
/* 0 or -ENOENT.  Not while a batch is carried.  *endedp is its ring, in which
 * nobody writes any more; NULL for -ENOENT.  The caller's, who closes it when
 * no worker waits: to take megabytes out of a map takes milliseconds. */
int taps_stop(struct taps *t, uint32_t id, struct ring_writer *endedp);

#endif
