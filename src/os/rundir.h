/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Folders of running networks: $XDG_RUNTIME_DIR/vmlan/NAME (root: /run/vmlan,
 * else /tmp/vmlan-UID).  Each holds a lock file whose flock(2) its owner
 * keeps for life; a folder whose lock nobody holds was left by a kill, and
 * the next command removes it.
 *
 * An engine that outlived its keeper is waited for before anybody has the
 * folder again: what it holds is not to be in the way of the next.
 *
 * What the journal of a folder says (os/journal.h) is undone before the folder
 * is removed, and the folder stays where that cannot be.  One whose journal is
 * to be kept outlives its owner: nobody holds it and nobody removes it until
 * it is opened for that.  Such ones are the host's, not a session's, and are
 * in /run/vmlan whatever XDG_RUNTIME_DIR says.
 */
#ifndef OS_RUNDIR_H
#define OS_RUNDIR_H

#include <stdbool.h>

#include "base/error.h"

struct rundir {
	char path[96]; /* "" = none */
	int lock_fd;   /* owned: locked while it is open anywhere */
	const char *stays; /* name of a file in it that is another's, and is
			    * not removed; borrowed; NULL: none */
};

#define RUNDIR_NULL ((struct rundir){.lock_fd = -1})

/* Makes the folder, empty, and takes its lock. -EEXIST with *e filled if a
 * living network has that name. */
__attribute__((warn_unused_result)) int
rundir_make(const char *name, struct rundir *d, struct error *e);
/* Whether the folder of that name, which nobody holds, is to be left as it is:
 * somebody may want what is written in it. */
typedef bool rundir_spares(const char *name);
/* As rundir_make(). -ESTALE: there is a folder that is spared. */
__attribute__((warn_unused_result)) int
rundir_make_sparing(const char *name, rundir_spares *spares, struct rundir *d,
		    struct error *e);
/* As rundir_make_sparing().  The file of that name in it stays (d->stays). */
__attribute__((warn_unused_result)) int
rundir_make_around(const char *name, rundir_spares *spares, const char *stays,
		   struct rundir *d, struct error *e);
/* As rundir_make(), in /run/vmlan. */
__attribute__((warn_unused_result)) int
rundir_make_system(const char *name, struct rundir *d, struct error *e);
/* Takes the lock of a folder in /run/vmlan that is there, and leaves what is
 * in it. -ENOENT: there is none (*e is not filled). */
__attribute__((warn_unused_result)) int
rundir_open_system(const char *name, struct rundir *d, struct error *e);
/* Opens the folder itself; -1 if it is gone, or another has its name. */
int rundir_fd(const struct rundir *d);
/* Takes the lock of a folder, waiting as long as wait_ms for whoever holds it,
 * and leaves what is in it, but undoes what its journal says. -EBUSY: somebody
 * holds it; -EXDEV: nobody does, but it has to stay as it is; -ENOENT or
 * another: there is none, or none any more. */
__attribute__((warn_unused_result)) int
rundir_take(const char *name, unsigned wait_ms, struct rundir *d);
/* The path that the folder has or would have.  Who sits in it is our own user
 * or root: a folder of all networks that is not ours alone is refused.
 * -ENOENT: there is no network at all (*e is not filled). */
__attribute__((warn_unused_result)) int
rundir_path(const char *name, char path[96], struct error *e);
/* True while somebody lives in the folder of that name. */
bool rundir_is_held(const char *name);
/* True if nobody lives there, nor was killed there, but it has a socket of this
 * name: a service manager's, which waits for whoever comes. */
bool rundir_awaits(const char *name, const char *socket);
/* The names of all folders, those nobody holds included, in order; *namesp and
 * each is the caller's to free.  0, or a negative errno. */
__attribute__((warn_unused_result)) int rundir_names(char ***namesp,
						     unsigned *np);
/* Forgets the folder without touching it: this process's part of the lock is
 * given up (a forked child's part keeps it). */
void rundir_release(struct rundir *d);
/* The lock of the folder's engine, taken, for that process alone: it is held
 * while the descriptor is open anywhere.  Negative: it cannot be had. */
int rundir_engine_lock(const char *path);
/* Waits until the engine that a killed keeper left is no more, for it has
 * interfaces and ports that a new one wants; a while, for it stays while a
 * machine that nobody knows of is connected. */
void rundir_await_engine(const struct rundir *d);
/* Undoes what its journal says, removes the folder with what is in it, and
 * the lock; another folder that has its name by now is left alone.  What cannot
 * be undone is said on stderr and stays written there for the next command. */
void rundir_remove(struct rundir *d);
/* Removes the folders that nobody holds, but for those that are spared (NULL:
 * none), as rundir_remove(). Two at once are safe. */
void rundir_sweep(rundir_spares *spares);

#endif
