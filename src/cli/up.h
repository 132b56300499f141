/* SPDX-License-Identifier: BSD-3-Clause */
/* A network that is kept, started or started anew; for up and apply. */
#ifndef CLI_UP_H
#define CLI_UP_H

#include "cli/cli.h"
#include "cli/conf.h"

struct up_wanted {
	const char *name;
	const struct mode_spec *mode;
	const struct conf *conf; /* NULL: no file says so */
	const struct cli_common *common;
	int verbosity;
};

/* Starts it, and says that: 0; 1: it runs already, in that mode and with what
 * is asked for; -ENOENT: it has just ended; else negative with *e. */
MUST_USE int up_start(const struct up_wanted *w, struct error *e);
/* Starts it anew, with the machines that are plugged in; where that cannot be
 * it is as before, if that can be.  0, or negative with *e. */
MUST_USE int up_restart(const struct up_wanted *w, struct error *e);

#endif
