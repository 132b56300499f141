/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where a capture's bytes go.  Who reads them from a pipe may stand still, and
 * whoever wants the capture to end is heard nevertheless.
 */
#ifndef CLI_CAP_SINK_H
#define CLI_CAP_SINK_H

#include <stdbool.h>
#include <stdio.h>

#include "base/mem.h"

enum { CAP_SINK_STILL_MS = 3000 }; /* told to end, a reader has that long */

struct cap_sink {
	FILE *f;	 /* owned; NULL: closed */
	int fd;		 /* owned, but for the standard output */
	int signals; /* a signalfd that does not block, borrowed; or -1 */
	unsigned n_told; /* signals heard: to end, and to end at once */
	int err; /* errno of the first write that failed; ECANCELED: told to
		  * end, and nobody reads */
	bool is_pipe, is_socket;
	bool has_no_nowait; /* the kernel's pipes, before Linux 6.4 */
};

#define CAP_SINK_NULL ((struct cap_sink){.fd = -1, .signals = -1})

/* A buffered stream into fd, which is the sink's whatever the outcome: 0 or a
 * negative errno. */
MUST_USE int cap_sink_open(struct cap_sink *s, int fd);
/* Takes a signal off s->signals; false: there was none. */
bool cap_sink_hear(struct cap_sink *s);
/* Writes what is buffered: s->err. */
int cap_sink_flush(struct cap_sink *s);
void cap_sink_close(struct cap_sink *s);

#endif
