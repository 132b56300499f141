/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What passes between a LAN and the interface that the host has on it, if the
 * host is to be no router there: what is from or to the host's own addresses
 * on that interface, groups, and what no router passes on.  So it does not
 * matter whether the host forwards, now or later.  Stateless; called by tap.c.
 */
#ifndef NETDEV_HOSTIF_H
#define NETDEV_HOSTIF_H

#include <stdbool.h>

#include "base/addr.h"
#include "lan/frame.h"

enum { HOSTIF_IP_MAX = 16 };

struct hostif {
	struct prefix ip[HOSTIF_IP_MAX]; /* of the host, with its network */
	unsigned n;
};

/* False if f is no IP, or ends before its addresses do. */
bool hostif_addresses(const struct frame *f, addr *from, addr *to);
/* One of the addresses in h. */
bool hostif_is_own(const struct hostif *h, const addr *a);
/* From a machine to the host. */
bool hostif_takes(const struct hostif *h, const struct frame *f);
/* From the host to the machines. */
bool hostif_gives(const struct hostif *h, const struct frame *f);

#endif
