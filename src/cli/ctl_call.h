/* SPDX-License-Identifier: BSD-3-Clause */
/* A request to a network's control socket that nobody waits for: for a command
 * that has other things to do until there is an answer. */
#ifndef CLI_CTL_CALL_H
#define CLI_CTL_CALL_H

#include <stdint.h>

#include "cli/ctl.h"

struct ctl_call {
	int fd;	    /* owned; -1: it is not under way */
	char *text; /* owned: the request */
	size_t len, sent;
	char *answer; /* owned */
	size_t n, room;
	int64_t since_ms; /* it was begun */
};

#define CTL_CALL_NULL ((struct ctl_call){.fd = -1})

/* Begins; body NULL = none.  0; -ENOENT if nobody serves the network, *e is not
 * filled; or negative with *e. */
MUST_USE int ctl_call_begin(struct ctl_call *c, const char *name,
			    const char *method, const char *path,
			    const char *body, struct error *e);
/* The events of poll(2) that it waits for. */
short ctl_call_events(const struct ctl_call *c);
/* Goes on: -EAGAIN, it is to be waited for; else it is no longer under way: 0,
 * *answerp is the caller's; or as ctl_ask(). */
MUST_USE int ctl_call_turn(struct ctl_call *c, const char *name,
			   json_t **answerp, struct error *e);
/* Lets go of it, wherever it is. */
void ctl_call_end(struct ctl_call *c);

#endif
