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
	unsigned master; /* index of the bridge to join, 0 = leave */
	bool all_multi;  /* set IFF_ALLMULTI */
	bool no_arp;     /* set IFF_NOARP */
};

/* 0 or a negative errno (-ENODEV: no such interface). */
__attribute__((warn_unused_result)) int
link_set(const struct link_change *c);

enum { LINK_KIND_LEN = 16 };

struct link_info {
	unsigned index;
	unsigned master; /* 0 = none */
	unsigned flags;  /* IFF_* */
	unsigned type;   /* ARPHRD_* */
	uint32_t mtu;
	mac mac;                  /* zero: none of 6 bytes */
	char kind[LINK_KIND_LEN]; /* "bridge", "veth"; "" = hardware */
};

/* 0 or a negative errno (-ENODEV: no such interface). */
__attribute__((warn_unused_result)) int link_get(const char *ifname,
						 struct link_info *i);
/* Gives the interface one more address. */
__attribute__((warn_unused_result)) int link_addr_add(const char *ifname,
						      const struct prefix *p);

struct link_macvtap {
	const char *ifname;
	unsigned lower; /* index of the interface it shares */
	unsigned mode;  /* MACVLAN_MODE_* */
	uint32_t txqlen;
	mac mac; /* zero = the kernel's choice */
	int ns;  /* network namespace that gets it */
};

/* -EBUSY: the lower one belongs to a bridge or such; -EOPNOTSUPP: the kernel
 * has no macvtap. */
__attribute__((warn_unused_result)) int
link_macvtap_add(const struct link_macvtap *m);
__attribute__((warn_unused_result)) int link_del(const char *ifname);

/* Frames that the interface's queue holds, or a negative errno (-ENODEV: no
 * such interface). */
__attribute__((warn_unused_result)) int link_txqlen(const char *ifname);
/* 0 with its hardware address in *mp, or a negative errno. */
__attribute__((warn_unused_result)) int link_mac(const char *ifname, mac *mp);

#endif
