/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A cell: namespaces of their own (user, mount, pid, network, ipc, uts) for
 * programs of the host that speak with guests.  In there is /usr, to read, one
 * folder of the host's, /share, and a small memory for everything else; no
 * process but the cell's, no network but a loopback, and one user, who has no
 * capability.  Whatever becomes of such a program, it has that folder.
 *
 * The cell's first process holds it and does nothing else.  It ends when its
 * maker does, and with it the kernel ends all others and forgets the memory: so
 * there is nothing to undo, whoever is killed.
 */
#ifndef OS_CELL_H
#define OS_CELL_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/mem.h"

enum { CELL_ID = 1000 }; /* user and group in it */

/* Where programs may write, besides in /share. */
#define CELL_STATE "/state"

struct cell_file {
	const char *path; /* "/etc/NAME" */
	const char *text;
};

struct cell_config {
	const char *dir; /* of the host's, to be /share */
	/* What it was when it was looked at: another one that somebody has put
	 * there since is refused.  NULL: it was not. */
	const struct stat *seen;
	bool is_readonly;
	/* Who its user is outside: the caller, or anybody if that is root. */
	uid_t uid;
	gid_t gid;
	const struct cell_file *files; /* path NULL ends them */
};

struct cell;

/* All borrowed for the call.  -1 or a negative errno with one line in *e. */
MUST_USE int cell_new(const struct cell_config *c, struct cell **cp,
		      struct error *e);
/* Ends all that runs in it.  Who started that has its ends to wait for, and
 * the end of one more child.  NULL-safe; returns NULL. */
struct cell *cell_free(struct cell *c);
/* False: its first process was killed, and nothing can be started any more. */
bool cell_is_alive(const struct cell *c);
/* Starts argv[0], a path, in a session of its own with one end of a TCP
 * connection of the cell's loopback as its stdin and no other descriptor but
 * /dev/null.  n_files is its limit of descriptors.  Returns the other end, the
 * caller's, and *pidp, a child to be waited for; or negative with one line in
 * *e, and no child is left. */
MUST_USE int cell_start(struct cell *c, char *const argv[],
			unsigned long n_files, pid_t *pidp, struct error *e);

#endif
