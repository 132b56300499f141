/* SPDX-License-Identifier: BSD-3-Clause */
/* Signals as events of a loop (signalfd). The keeper's one thread. */
#ifndef OS_SIGWATCH_H
#define OS_SIGWATCH_H

#include "os/loop.h"

struct sigwatch;

/* Blocks the signals and calls fn(arg, signo) for each from the loop. What
 * the process was started to ignore (nohup, a shell's background job) stays
 * ignored. */
__attribute__((warn_unused_result)) int
sigwatch_new(struct loop *l, const int *signals, unsigned n,
	     void (*fn)(void *arg, int signo), void *arg,
	     struct sigwatch **wp);
/* Stops watching and unblocks them again; those still waiting are dropped. */
struct sigwatch *sigwatch_free(struct sigwatch *w);

#endif
