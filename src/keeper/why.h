/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vmlan why: what would become of a packet, without one.  The keeper says what
 * it knows (machines, forwards, netdevs, the host's routes), the engine what it
 * decides (ports, switch, gateway, names), each by what decides about packets.
 *
 *	              +---- a name: its addresses are asked; ---+
 *	              |     the other family                    |
 *	              v                                         |
 *	request --> the keeper's steps --> the engine's steps --+
 *	                 | no                   | no            v
 *	                 |                      |          the host's
 *	                 +----------------------+---> answered <+
 *
 * An engine that does not answer costs the one who asked WAIT_NS.
 */
#ifndef KEEPER_WHY_H
#define KEEPER_WHY_H

#include <jansson.h>

#include "keeper/keeper_priv.h"
#include "keeper/requests.h"

/* GET /v1/why. */
MUST_USE int why_get(struct keeper *k, const struct request *r, json_t **op,
		     struct error *e);
/* The engine has answered. */
void why_told(struct keeper *k, const struct msg_why *m);
/* It does not any more: who waits is told so. */
void whys_end(struct keeper *k);

#endif
