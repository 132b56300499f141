/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a gateway does otherwise than it would by itself: said by the options
 * of the netdev user, carried to the engine as it is.  Plain values; zero
 * changes nothing.
 */
#ifndef BASE_SERVING_H
#define BASE_SERVING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

/* What it leaves out. */
enum serving_lack {
	LACK_DHCP4 = 1 << 0,
	LACK_DHCP6 = 1 << 1,
	LACK_RA = 1 << 2, /* router advertisements */
	LACK_ND = 1 << 3, /* neighbour discovery, those included */
	LACK_TCP = 1 << 4,
	LACK_UDP = 1 << 5, /* the name server's too, but not DHCP */
	LACK_ICMP = 1 << 6,
};

struct serving {
	uint32_t lacks; /* set of enum serving_lack */
	mac mac;	/* of the gateway; zero: made of its address */
	/* Guests are told of another name server than the gateway's, and of
	 * none in the other family; unspecified: of none at all. */
	bool has_nameserver;
	addr nameserver;
	bool has_ntp; /* it tells the time */
	addr resolver; /* asked by ours; unspecified: those of the host */
	/* These stand for the host's loopback; unspecified: the gateway's
	 * address does. */
	bool hides_host; /* nothing does */
	addr host4, host6;
	/* Of DHCP: how long leases are, DHCP_FOREVER, 0: a day; the last
	 * address leased, unspecified: the network's; one before the first that
	 * is reserved for somebody, the lowest, unspecified: none is. */
	uint32_t lease_s;
	addr dhcp_last, dhcp_lowest;
};

/* The MAC of a service that has this IPv4 address, as QEMU's have it. */
static inline mac serving_mac_of(const addr *a)
{
	return (mac){{0x52, 0x55, a->b[12], a->b[13], a->b[14], a->b[15]}};
}

/* That of the gateway with this address. */
static inline mac serving_mac(const struct serving *s, const addr *gw4)
{
	return mac_is_zero(s->mac) ? serving_mac_of(gw4) : s->mac;
}

#endif
