/* SPDX-License-Identifier: BSD-3-Clause */
/* Bytes to and fro between two descriptors and a connection. */
#ifndef CLI_PUMP_H
#define CLI_PUMP_H

#include "base/mem.h"

/* Carries what can be read from in to the connected stream socket, and what
 * comes from that to out, until both directions have ended; each ends by
 * itself, and its far end is told (out is closed, the socket shut down).  No
 * flag of in and out is changed, for others may have them too.  SIGPIPE must
 * be ignored.  0; -EPIPE: nobody reads out any more; else the socket's own
 * errno, negative. */
MUST_USE int pump(int in, int out, int sock);

#endif
