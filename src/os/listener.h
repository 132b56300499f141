/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A listening socket of a slow path, in a loop: each connection is handed to
 * its owner.  What the kernel lacks for one, descriptors or memory, it would
 * lack again at once: then whoever comes waits for a moment in the backlog.
 */
#ifndef OS_LISTENER_H
#define OS_LISTENER_H

#include "base/timer.h"
#include "os/loop.h"

/* Inside its owner's object, which owns fd, too. */
struct listener {
	struct loop *loop; /* borrowed; NULL: it was never on */
	struct loop_io io; /* fd: listening, non-blocking */
	struct timer again; /* armed: there was no descriptor */
	bool is_on;	   /* connections are taken, now or soon */
	/* A connection, close-on-exec and non-blocking; the owner's.  May
	 * turn the listener off. */
	void (*fn)(struct listener *l, int fd);
};

/* Takes connections from now on. Harmless twice. 0 or -errno. */
__attribute__((warn_unused_result)) int listener_on(struct listener *l,
						    struct loop *loop);
/* No longer: they wait. Harmless twice, and before the first listener_on(). */
void listener_off(struct listener *l);

#endif
