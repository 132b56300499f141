/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Settings of an interface that is made for the host and machines.  They may
 * talk to the host there, and tell it nothing about the rest of its network:
 * by IPv6's router advertisements a machine would give it routes, addresses
 * and a default router, by redirects another way, by ARP in foreign names so
 * many neighbours that the kernel, which has one table for all interfaces, has
 * room for no others.
 *
 * All are the interface's own and go with it.  Called by the keeper.
 */
#ifndef OS_GUARD_H
#define OS_GUARD_H

#include <stdbool.h>

#include "base/mem.h"

/* Before it is set up.  is_router: machines may be behind other machines.
 * 0, or what the first setting failed with: the others were tried too. */
MUST_USE int guard_link(const char *ifname, bool is_router);

#endif
