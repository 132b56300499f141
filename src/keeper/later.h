/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An answer that comes later than its request, for the engine has to be asked
 * first: until then the connection is suspended, and costs nobody anything.
 *
 *	request_answer() sets *laterp --> suspended --later_over()--> answered
 *	                                                                 |
 *	                             later_free(), the connection's end <+
 *
 * Who makes one sees to it that it is over within a bounded time, and before
 * the control socket is closed: libmicrohttpd does not look at the client of a
 * suspended connection.  Embedded in what waits; the keeper's thread.
 */
#ifndef KEEPER_LATER_H
#define KEEPER_LATER_H

#include "keeper/http_loop.h"
#include "keeper/requests.h"

struct later {
	struct MHD_Connection *conn; /* that is suspended; NULL: none */
	struct http_loop *http;	     /* borrowed, its */
	bool is_over;
	bool is_dropped; /* nobody is there any more to be told */
	/* It is over: makes *a what there is to say to r. */
	void (*answer)(struct later *l, const struct request *r,
		       struct answer *a);
	/* The connection is done with it, over or not. */
	void (*free)(struct later *l);
};

/* There is an answer.  The last thing: l may be gone after it. */
void later_over(struct later *l);
/* Of control.c: suspends the connection of one that is not over. */
enum MHD_Result later_wait(struct later *l, struct MHD_Connection *conn,
			   struct http_loop *h);
/* Its client has been sent away: its connection goes on, to its end. */
void later_drop(struct later *l);
void later_answer(struct later *l, const struct request *r, struct answer *a);
void later_free(struct later *l); /* NULL is fine */

#endif
