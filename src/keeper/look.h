/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests that only the engine can answer: what it counts and lists
 * (control/look.h).
 *
 *	request --> look_begin() --> waits --> asked, turn by turn --> over
 *	              |                          (one at a time)        |
 *	              +--- connection suspended ------------------------+
 *
 * The engine is asked for a turn when the one before has come, so neither it
 * nor the keeper does much at once.  What came is text at once, of bounded
 * length.  An engine that ends, or is silent for LOOK_PATIENCE_S, ends the
 * request with one line.  The keeper's thread.
 */
#ifndef KEEPER_LOOK_H
#define KEEPER_LOOK_H

#include "keeper/requests.h"

enum {
	LOOK_PATIENCE_S = 10,
	LOOK_TURNS_MAX = 65536, /* of one listing; no engine needs as many */
};

void looks_init(struct keeper *k);
/* All that wait end now. */
void looks_end(struct keeper *k);
/* The engine says LOOKED; it has ended; there is another. */
void looks_take(struct keeper *k, const struct msg_look *m);
void looks_engine_lost(struct keeper *k);
void looks_engine_new(struct keeper *k);

/* Functions of requests.c; *r->laterp is set. */
int look_stats(struct keeper *k, const struct request *r, json_t **op,
	       struct error *e);
int look_macs(struct keeper *k, const struct request *r, json_t **op,
	      struct error *e);
int look_flows(struct keeper *k, const struct request *r, json_t **op,
	       struct error *e);
/* As gvproxy counts (look_gvproxy.c). */
int look_gvproxy(struct keeper *k, const struct request *r, json_t **op,
		 struct error *e);
int look_cam(struct keeper *k, const struct request *r, json_t **op,
	     struct error *e);

#endif
