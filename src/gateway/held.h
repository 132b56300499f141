/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames for guests whose MAC is not known yet: a datagram by a forwarded port
 * for a machine that has said nothing so far.  They are kept while the guest
 * is asked for (neigh.h), few of them and not for long.  Used by the gateway;
 * one worker's thread.
 */
#ifndef GATEWAY_HELD_H
#define GATEWAY_HELD_H

#include "base/list.h"
#include "base/timer.h"
#include "gateway/neigh.h"

enum {
	HELD_MAX = 128,	   /* of one gateway */
	HELD_EACH_MAX = 64, /* of one guest: more than a datagram's fragments */
	HELD_BYTES_MAX = 256 << 10,
	HELD_SECONDS = 3,
};

struct held {
	struct neigh *neigh;	   /* borrowed, as env */
	const struct nat_env *env;
	struct list frames;
	struct timer timer;
	uint64_t ask_ns; /* when those who are held for are asked for again */
	unsigned n;
	size_t bytes;
};

void held_init(struct held *h, struct neigh *n, const struct nat_env *env);
/* What is still held is lost. */
void held_deinit(struct held *h);
/* Keeps a copy of f (env->hold), or drops it by name. */
void held_add(struct held *h, const addr *ip, const struct frame *f);
/* A guest has become known: what is held for it goes out soon. */
void held_known(struct held *h);

#endif
