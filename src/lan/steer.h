/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A number for a flow, the same in both directions, by which a port of several
 * queues chooses the one for a frame.  Called by the port kinds and by who
 * lends (struct lend); stateless, any thread.
 *
 * It is no key of a table of flows: two flows may have one number, and who can
 * choose addresses or ports can make them.  That puts his flows on one queue of
 * the machine he speaks to, where they would be if it had but one.
 */
#ifndef LAN_STEER_H
#define LAN_STEER_H

#include <stdint.h>

#include "base/addr.h"
#include "lan/frame.h"

/* Of the flow between x and y, whichever is named first; ports count for TCP
 * and UDP only.  Never 0. */
uint32_t steer_flow(uint8_t proto, const struct endpoint *x,
		    const struct endpoint *y);
/* The same of a frame's headers.  A fragment's ports do not count, for only
 * the first has them.  0: it is not IP, or cut short. */
uint32_t steer_frame(const struct frame *f);

#endif
