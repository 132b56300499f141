/* SPDX-License-Identifier: BSD-3-Clause */
/* Captures that vmlan top started: each is a `vmlan cap` of a machine into a
 * file, and ends with top. */
#ifndef CLI_TOP_CAPTURE_H
#define CLI_TOP_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/list.h"
#include "base/mem.h"

enum { TOP_SAID_LEN = 512 };

/* Begins one of that machine, into a file of the working directory that was not
 * there, whose name is said in said.  0, or negative with *e. */
MUST_USE int top_capture_begin(struct list *captures, const char *network,
			       const char *machine, char said[TOP_SAID_LEN],
			       struct error *e);
/* Tells the one of that machine to end; false: there is none. */
bool top_capture_stop(struct list *captures, const char *machine);
bool top_capture_has(const struct list *captures, const char *machine);
/* After SIGCHLD: takes one that has ended away.  True: said is its last word,
 * and there may be another. */
bool top_capture_reap(struct list *captures, char said[TOP_SAID_LEN]);
/* Ends all, and says their last words on standard error. */
void top_capture_end(struct list *captures);

#endif
