/* SPDX-License-Identifier: BSD-3-Clause */
/* What rtnl*.c, routes.c and netwatch.c share. */
#ifndef OS_RTNL_PRIV_H
#define OS_RTNL_PRIV_H

#include <libmnl/libmnl.h>
#include <stdint.h>

#include "base/mem.h"

/* Sends one request; answers go to cb (unless it is NULL) until the last, or
 * an acknowledgement. */
MUST_USE int rtnl_exchange(struct nlmsghdr *nlh, mnl_cb_t cb, void *arg);
/* Asks for all of a type; cb gets each.  again() is called before the first
 * and whenever all was changed meanwhile and is told anew. */
MUST_USE int rtnl_dump(uint16_t type, mnl_cb_t cb, void *arg,
		       void (*again)(void *));

#endif
