/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers that go on: GET /v1/events.  Each is one of libmicrohttpd's, made
 * of a callback that is suspended while there is nothing to tell.
 *
 *	         nothing more                an event, a hang-up
 *	telling --------------> suspended ------------------------> telling
 *	   | over, or its client has gone
 *	   v
 *	 freed, by libmicrohttpd
 *
 * A client that does not read stays as it is: no time ends it, it costs one
 * line of memory, and its events get lost (keeper/events.h). It makes place if
 * others want one.  Of control.c.
 */
#ifndef KEEPER_EVENT_STREAM_H
#define KEEPER_EVENT_STREAM_H

#include "base/list.h"
#include "keeper/events.h"
#include "keeper/http_loop.h"
#include "keeper/requests.h"

/* All of a network. */
struct event_streams {
	struct events *events;	/* borrowed */
	struct http_loop *http; /* borrowed */
	struct list all;	/* of struct event_stream, the oldest first */
	unsigned n;
	struct timer woken;	/* armed: something has happened */
	bool is_ending;
};

void event_streams_init(struct event_streams *s, struct events *v,
			struct http_loop *h);
/* What is there is told, and all come to an end; before http_loop_stop(). */
void event_streams_end(struct event_streams *s);
/* Answers r, whose query is of known keys: queued, or MHD_NO (no memory).  If
 * it cannot be *e says why, and nothing was queued. */
enum MHD_Result event_stream_open(struct event_streams *s,
				  struct MHD_Connection *conn,
				  const struct request *r, struct error *e);

#endif
