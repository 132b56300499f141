/* SPDX-License-Identifier: BSD-3-Clause */
/* What this process may do to the host's network, asked without trying, so
 * that a mode is made of what will work.  Called by the commands. */
#ifndef OS_MAY_H
#define OS_MAY_H

#include <stdbool.h>

/* Taps, addresses: CAP_NET_ADMIN over the network namespace we are in. */
bool may_make_links(void);
/* Addresses of IPv6 on links that are made: the host has it, and for new ones
 * it is on. */
bool may_have_ipv6(void);
/* macvtaps: as root of the host, for their devices belong to no namespace. */
bool may_make_macvtaps(void);
/* True for a Wi-Fi interface, whose network takes one MAC from us. */
bool link_is_wireless(const char *ifname);

#endif
