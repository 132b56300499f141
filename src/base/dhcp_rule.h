/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a DHCP server is told to do for some client or for all: the options
 * that it gets, the address that is its alone.  Said by the options of the
 * netdev user, carried to the engine as it is.  Plain values.
 */
#ifndef BASE_DHCP_RULE_H
#define BASE_DHCP_RULE_H

#include <stdint.h>

#include "base/addr.h"
#include "base/cursor.h"

enum {
	DHCP_NTP6_LEN = 20,   /* bytes of one that dhcp_ntp6_emit() writes */
	DHCP_WHO_LEN = 130,   /* a DUID's (RFC 8415 11.1) */
	DHCP_VALUE_MAX = 1024, /* bytes of an option */
	DHCP_NAME_LEN = 64,   /* of a machine, with NUL */
	DHCP_RULES_MAX = 4096, /* options of a network; and reservations */
	DHCP_POOL_MAX = 4096, /* addresses of a pool */
};

/* Seconds of a lease that does not end. */
#define DHCP_FOREVER UINT32_MAX

enum dhcp_who_kind {
	DHCP_WHO_ALL,
	DHCP_WHO_MAC,
	DHCP_WHO_ID,   /* the client identifier of DHCPv4, its type first */
	DHCP_WHO_DUID, /* in DHCPv6, and in such an identifier of DHCPv4 that
			* holds one (RFC 4361 6.1) */
	DHCP_WHO_NAME, /* the host name that it tells, in lower case */
};

struct dhcp_who {
	uint8_t kind; /* enum dhcp_who_kind */
	uint8_t len;
	uint8_t b[DHCP_WHO_LEN];
};

/* An option for him; the value is as on the wire. */
struct dhcp_option {
	struct dhcp_who who;
	uint8_t is_v6;
	uint16_t code;
	uint16_t len;
	uint8_t value[DHCP_VALUE_MAX];
};

/* Addresses that are leased to him and nobody else.  Where one is unspecified
 * it is that which has the number of the other. */
struct dhcp_reservation {
	struct dhcp_who who;
	addr ip4, ip6;
	char name[DHCP_NAME_LEN]; /* what he is told to be called; "": his
				   * own */
};

/* The value of DHCPv6's option 56 that names one server, by its address
 * (RFC 5908 4.1). */
static inline void dhcp_ntp6_emit(struct wr *w, const addr *ip)
{
	wr_u16(w, 1); /* NTP_SUBOPTION_SRV_ADDR */
	wr_u16(w, sizeof(ip->b));
	wr_bytes(w, ip->b, sizeof(ip->b));
}

#endif
