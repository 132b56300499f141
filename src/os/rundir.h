/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Folders of running networks: $XDG_RUNTIME_DIR/vmlan/NAME (root: /run/vmlan,
 * else /tmp/vmlan-UID).  Each holds a lock file whose flock(2) its owner
 * keeps for life; a folder whose lock nobody holds was left by a kill, and
 * the next command removes it.
 */
#ifndef OS_RUNDIR_H
#define OS_RUNDIR_H

#include "base/error.h"

struct rundir {
	char path[96]; /* "" = none */
	int lock_fd;   /* owned: locked while it is open anywhere */
};

#define RUNDIR_NULL ((struct rundir){.lock_fd = -1})

/* Makes the folder, empty, and takes its lock. -EEXIST with *e filled if a
 * living network has that name. */
__attribute__((warn_unused_result)) int
rundir_make(const char *name, struct rundir *d, struct error *e);
/* Forgets the folder without touching it: this process's part of the lock is
 * given up (a forked child's part keeps it). */
void rundir_release(struct rundir *d);
/* Removes the folder with what is in it, and the lock. */
void rundir_remove(struct rundir *d);
/* Removes the folders that nobody holds. Two at once are safe. */
void rundir_sweep(void);

#endif
