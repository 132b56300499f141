/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The folder of what outlives a network that has a name, its leases:
 * $XDG_STATE_HOME/vmlan/leases, else /var/lib/vmlan/leases of root, else
 * ~/.local/state/vmlan/leases.  One that is another user's, or that others may
 * write to, is not used.
 */
#ifndef OS_STATEDIR_H
#define OS_STATEDIR_H

#include "base/error.h"
#include "base/mem.h"

enum { STATEDIR_LEN = 512 };

/* Opens it, makes it if there is none, and its path in buf (for people).
 * Negative with *e filled. */
MUST_USE int statedir_open(char buf[static STATEDIR_LEN], struct error *e);

#endif
