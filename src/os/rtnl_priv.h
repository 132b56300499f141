/* SPDX-License-Identifier: BSD-3-Clause */
/* What rtnl.c and rtnl_route.c share. */
#ifndef OS_RTNL_PRIV_H
#define OS_RTNL_PRIV_H

#include <libmnl/libmnl.h>
#include <stdint.h>

#include "base/mem.h"

/* Asks for all of a type; cb gets each.  again() is called before the first
 * and whenever all was changed meanwhile and is told anew. */
MUST_USE int rtnl_dump(uint16_t type, mnl_cb_t cb, void *arg,
		       void (*again)(void *));

#endif
