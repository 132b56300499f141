/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A program as a child: it gets the signals that its parent gets, and its end
 * is the parent's.  Used by run and exec.
 */
#ifndef CLI_CHILD_H
#define CLI_CHILD_H

#include <signal.h>
#include <sys/types.h>

#include "base/mem.h"

/* Blocks what is passed on, and tells it at a descriptor, the caller's;
 * *oldp: the mask that the child begins with. -errno. */
MUST_USE int child_signals(sigset_t *oldp);
/* Reads one signal at sfd and passes it on. */
void child_pass_on(pid_t pid, int sfd);
/* What its parent does meanwhile. */
struct child_duty {
	int fd; /* borrowed; -1 = none */
	/* When fd is readable, or the time is over: ms until the next call, -1
	 * as long as fd is not. */
	int (*turn)(struct child_duty *d);
};
/* Waits for its end, passing on signals meanwhile and doing d's duty, which may
 * be NULL: its wait status, -1 with errno. */
int child_wait(pid_t pid, int sfd, struct child_duty *d);

#endif
