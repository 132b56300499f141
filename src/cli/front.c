/* SPDX-License-Identifier: BSD-3-Clause */
/* A network's keeper in the foreground, for service managers; see start.h. */
#include <errno.h>
#include <time.h>

#include "cli/start.h"
#include "control/protocol.h"

enum {
	PAUSE_MS = 10,
	HELD_MS = 500, /* a command that only looks has a folder no longer */
};

/* What stays in the folder: the socket that is the service manager's. */
static const char *staying(const struct start *s)
{
	return s->control_fd < 0 ? NULL : CONTROL_SOCKET;
}

static int make(struct start *s, struct error *e)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
	int r = -EEXIST;

	for (int waited = 0; waited < HELD_MS; waited += PAUSE_MS) {
		*e = ERROR_NULL;
		r = rundir_make_around(s->name, start_spares, staying(s),
				       &s->dir, e);
		if (r != -EEXIST && r != -ESTALE)
			return r;
		nanosleep(&pause, NULL);
	}
	*e = ERROR_NULL;
	error_set(e, EXIT_CONFLICT,
		  "network %s runs already, not by this command; 'vmlan down "
		  "%s' first",
		  s->name, s->name);
	return r;
}

int start_in_front(struct start *s, struct error *e)
{
	int r = start_revive_in_front(s, e);

	if (r != -ENOENT)
		return r;
	r = make(s, e);
	return r < 0 ? r : start_taken(s, e);
}
