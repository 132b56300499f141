/* SPDX-License-Identifier: BSD-3-Clause */
/* The network that a gateway serves in one of the two families: what grammar,
 * keeper, engine and NAT tell each other of it. */
#ifndef BASE_SUBNET_H
#define BASE_SUBNET_H

#include <string.h>

#include "base/addr.h"

struct subnet {
	struct prefix net; /* host bits clear */
	addr gw;	   /* the gateway's own address */
	addr dns;	   /* the name server's, which is the gateway as well */
	bool is_on;	   /* this family is served */
};

/* True if a is one of s's addresses; of none that is off. */
static inline bool subnet_has(const struct subnet *s, const addr *a)
{
	return s->is_on && prefix_has(&s->net, a);
}

/* True if a is the gateway's or the name server's. */
static inline bool subnet_is_ours(const struct subnet *s, const addr *a)
{
	return s->is_on && (addr_eq(a, &s->gw) || addr_eq(a, &s->dns));
}

/* The same network, both of 64 bits, by another prefix.  An address that is
 * outside of it stays. */
static inline struct subnet subnet_moved(const struct subnet *s,
					 const struct prefix *to)
{
	struct subnet m = *s;

	m.net = *to;
	if (prefix_has(&s->net, &s->gw))
		memcpy(m.gw.b, to->ip.b, 8);
	if (prefix_has(&s->net, &s->dns))
		memcpy(m.dns.b, to->ip.b, 8);
	return m;
}

#endif
