/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What happens on a network, for whoever wants to follow it (control/events.h):
 * the last EVENTS_KEPT events, each a line of JSON, made once and read by all.
 * Nobody is waited for: a reader that comes too late finds a line that says
 * which numbers are gone.  The keeper's thread.
 *
 *	  1 .. oldest-1        oldest .. last          last+1 ..
 *	  gone: "lost"         kept                    to come
 */
#ifndef KEEPER_EVENTS_H
#define KEEPER_EVENTS_H

#include <jansson.h>
#include <stdint.h>

#include "base/mem.h"
#include "control/events.h"

enum { EVENTS_KEPT = 1024 };

struct keeper;

struct events {
	char *line[EVENTS_KEPT]; /* owned; that of seq at seq % EVENTS_KEPT */
	uint64_t last;		 /* 0: nothing has happened yet */
	/* There is another one; NULL: nobody is to hear of it. */
	void (*woke)(void *arg);
	void *arg;
};

/* All zero is one without events. */
void events_deinit(struct events *v);
/* Takes the keys of an event besides those of all, an object, NULL: there is no
 * memory for them.  Without memory the event is lost, by its number. */
void events_add(struct events *v, enum event_id id, json_t *keys);
/* What is to be told behind *seqp: the line, '\n' at its end, the caller's, and
 * *seqp moves behind it.  NULL: there is nothing yet, or (*is_fullp) there is
 * no memory. */
char *events_next(struct events *v, uint64_t *seqp, bool *is_fullp);

/* An event of a keeper's network, none if it has no network: keys as
 * json_pack(3) has them, "{}" for none. */
void event_say(struct keeper *k, enum event_id id, const char *fmt, ...);

#endif
