/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Captures, as the keeper sees them: it makes the memory and hands it to the
 * engine and to the client; of what is in it, it reads no more than how
 * many frames were lost, and maps nothing.
 *
 *	client			keeper			engine
 *	POST /v1/captures ->	makes ring, sockets
 *			<- 101, both		both ->	writes
 *	reads
 *	shutdown(SHUT_WR) ->	CAPTURE_DEL ->		counts, "over"
 *	reads to the end
 *	close() ->		forgets
 *
 * One that is kept has no client; who wants its last seconds gets its ring.
 * Used by control.c and requests.c.
 */
#ifndef KEEPER_CAPTURE_H
#define KEEPER_CAPTURE_H

#include "keeper/keeper_priv.h"
#include "keeper/mhd.h"
#include "keeper/requests.h"

struct capture;

/* The three requests, as requests.c has them.  After capture_post() the
 * connection is *r->capturep's: capture_switch() is next, and capture_over() in
 * any case. */
MUST_USE int capture_post(struct keeper *k, const struct request *r,
			  json_t **op, struct error *e);
MUST_USE int capture_keep(struct keeper *k, const struct request *r,
			  json_t **op, struct error *e);
MUST_USE int capture_list(struct keeper *k, const struct request *r,
			  json_t **op, struct error *e);
/* Queues the answer by which the connection becomes the capture's; mhd is
 * borrowed until capture_over(). */
enum MHD_Result capture_switch(struct capture *c, const struct mhd *mhd,
			       struct MHD_Connection *conn);
/* The connection is closed, whoever did it: frees c. */
void capture_over(struct capture *c);

/* Tells a new engine of those that run: 0 or a negative errno. */
MUST_USE int captures_send(struct keeper *k);
/* The engine could not begin with it. */
void captures_refused(struct keeper *k, uint32_t id, const char *why);
/* The network ends: connections first, what is kept when nobody has one. */
void captures_stop(struct keeper *k);
void captures_free(struct keeper *k);

#endif
