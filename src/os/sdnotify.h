/* SPDX-License-Identifier: BSD-3-Clause */
/* Readiness for a service manager: the sd_notify(3) protocol. */
#ifndef OS_SDNOTIFY_H
#define OS_SDNOTIFY_H

#include "base/error.h"

/* Sends state ("READY=1") to $NOTIFY_SOCKET, a path or "@abstract"; does
 * nothing (0) if that is not set. Negative with *e filled. */
__attribute__((warn_unused_result)) int sdnotify_send(const char *state,
						      struct error *e);

#endif
