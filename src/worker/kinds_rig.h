/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * For tests of port kinds that have a leg on each worker: what the engine gives
 * them, made of a world (lanes_rig.h).
 */
#ifndef WORKER_KINDS_RIG_H
#define WORKER_KINDS_RIG_H

#include "netdev/netdev.h"
#include "worker/lanes_rig.h"

struct kinds {
	struct world *w; /* borrowed */
	struct netdev_env env;
	struct netdev_worker workers[MAX_WORKERS];
	unsigned n_pauses; /* that kinds made */
};

void kinds_init(struct kinds *k, struct world *w);

#endif
