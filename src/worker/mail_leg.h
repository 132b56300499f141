/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A mail leg: the leg of a port on a lane of a worker that has no queue of it.
 * What it sends goes by mail to a worker that has one, whose leg sends it
 * (LANES_SEND).  It is lossy: what the mail, or later that queue, has no room
 * for is lost and counted by name.  Frames from one worker for one port stay in
 * order.  Made and aimed by lanes.c, in pauses.
 */
#ifndef WORKER_MAIL_LEG_H
#define WORKER_MAIL_LEG_H

#include <stdint.h>

#include "lan/port.h"
#include "worker/mail.h"

/* For the network of that number (lanes.h); on no lane yet.  NULL: no memory.
 * Freed by ops->close(). */
struct port *mail_leg_new(uint32_t net);
/* By that mail from now on; borrowed. */
void mail_leg_aim(struct port *leg, struct mail *to);

#endif
