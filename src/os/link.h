/* SPDX-License-Identifier: BSD-3-Clause */
/* Network interfaces of the current namespace, by rtnetlink (libmnl). */
#ifndef OS_LINK_H
#define OS_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

struct link_change {
	const char *ifname;
	bool up;	 /* set IFF_UP */
	uint32_t txqlen; /* 0 = leave */
	uint32_t mtu;	 /* 0 = leave */
	mac mac;	 /* zero = leave */
};

/* 0 or a negative errno (-ENODEV: no such interface). */
__attribute__((warn_unused_result)) int
link_set(const struct link_change *c);

/* Frames that the interface's queue holds, or a negative errno (-ENODEV: no
 * such interface). */
__attribute__((warn_unused_result)) int link_txqlen(const char *ifname);
/* 0 with its hardware address in *mp, or a negative errno. */
__attribute__((warn_unused_result)) int link_mac(const char *ifname, mac *mp);

#endif
