/* SPDX-License-Identifier: BSD-3-Clause */
/* What the ways to ask a network share: ctl.c, and ctl_call.c, which does not
 * wait. */
#ifndef CLI_CTL_PRIV_H
#define CLI_CTL_PRIV_H

#include <sys/un.h>

#include "cli/ctl.h"

/* A request as it goes out. */
struct ctl_asked {
	char *text; /* owned */
	size_t len;
};

/* connection: what comes of it after the answer, as its header says.
 * -ENOMEM. */
MUST_USE int ctl_request(const char *method, const char *path,
			 const char *connection, const void *body, size_t n,
			 struct ctl_asked *q);
/* Where the network of that name has its socket: 0; -ENOENT, *e is not filled:
 * there is no network; or negative with *e. */
MUST_USE int ctl_address(const char *name, struct sockaddr_un *sa,
			 struct error *e);
/* Of a negative errno: nobody serves it, or no longer. */
bool ctl_is_gone(int err);

#endif
