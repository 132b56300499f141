/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IPv4 addresses as a guest without IPv4 writes them: in the last four bytes
 * of a /96 (RFC 6052 2.2).  What NAT and name server must agree on; any
 * thread, no state.
 */
#ifndef BASE_NAT64_H
#define BASE_NAT64_H

#include "base/addr.h"

enum { NAT64_LEN = 96 }; /* of every prefix; one of length 0 is off */

/* 64:ff9b::/96, the well-known one. */
#define NAT64_PREFIX                                                           \
	((struct prefix){.ip = {{0, 0x64, 0xff, 0x9b}}, .len = NAT64_LEN})

/* True if a is an IPv4 address in p. */
static inline bool nat64_has(const struct prefix *p, const addr *a)
{
	return p->len == NAT64_LEN && !memcmp(a->b, p->ip.b, 12);
}

/* The IPv4 address in a, which p has. */
static inline addr nat64_v4(const addr *a)
{
	return addr_v4_bytes(a->b + 12);
}

/* An IPv4 address in p. */
static inline addr nat64_v6(const struct prefix *p, const addr *v4)
{
	addr a = p->ip;

	memcpy(a.b + 12, v4->b + 12, 4);
	return a;
}

#endif
