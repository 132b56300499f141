/* SPDX-License-Identifier: BSD-3-Clause */
/* A socket that a service manager listens at for us: the sd_listen_fds(3)
 * protocol. */
#ifndef OS_ACTIVATION_H
#define OS_ACTIVATION_H

#include "base/error.h"

/* Takes the descriptor that we were started with, which is called name, or
 * nothing at all, and must listen at the unix socket path; the environment says
 * no more of it then.  0, *fdp is the caller's, close-on-exec and non-blocking,
 * or -1: there is none.  Negative with one line in *e if it is another, or one
 * of several. */
__attribute__((warn_unused_result)) int
activation_take(const char *name, const char *path, int *fdp, struct error *e);

#endif
