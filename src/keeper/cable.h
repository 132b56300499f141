/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The cable of a machine that somebody pulls or spoils (vmlan link): what was
 * asked for, until when, and what was before.  A new engine is told it with the
 * netdev, a new keeper finds it in the state.
 */
#ifndef KEEPER_CABLE_H
#define KEEPER_CABLE_H

#include <jansson.h>

#include "keeper/machine.h"

/* With m's life. */
void cable_init(struct machine *m);
void cable_stop(struct machine *m);
/* True if it is as it should be. */
bool cable_is_plain(const struct machine *m);
/* PUT /v1/machines/NAME/link with that body.  Negative with *e filled: nothing
 * has changed. */
MUST_USE int cable_request(struct machine *m, const json_t *o,
			   struct error *e);
/* What GET shows; NULL: no memory. */
json_t *cable_object(const struct machine *m);
/* Tells the engine, which has n's order, of the cable of n's machine; one that
 * is as it should be needs no telling. */
MUST_USE int cable_tell(struct keeper *k, const struct plan_netdev *n);
/* For the state: NULL if it is as it should be; and from there, before there is
 * an engine. */
json_t *cable_print(const struct machine *m);
void cable_restore(struct machine *m, const json_t *o);

#endif
