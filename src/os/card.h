/* SPDX-License-Identifier: BSD-3-Clause */
/* Network cards of the host that machines share with it. */
#ifndef OS_CARD_H
#define OS_CARD_H

#include "base/error.h"
#include "os/rtnl.h"

/* An Ethernet interface that is up; else negative with *e filled. */
MUST_USE int card_find(const char *ifname, struct rtnl_link *l,
		       struct error *e);

#endif
