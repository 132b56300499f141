/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker: one thread's event loop, clock, host sockets and drop counters.
 * Everything that changes on the fast path belongs to exactly one worker.
 * Made and run by the engine.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "base/host.h"
#include "base/log.h"
#include "lan/drop.h"
#include "os/host_sock.h"
#include "os/loop.h"

struct worker {
	struct loop *loop; /* owned */
	struct host *host; /* owned */
	struct log *log;   /* borrowed */
	struct drops *drops; /* borrowed: where it counts */
};

/* It counts in *drops, which outlives it. 0 or a negative errno; *wp is then
 * untouched. */
__attribute__((warn_unused_result)) int
worker_new(struct log *log, const struct host_sock_limits *limits,
	   struct drops *drops, struct worker **wp);
struct worker *worker_free(struct worker *w);

#endif
