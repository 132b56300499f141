/* SPDX-License-Identifier: BSD-3-Clause */
/* What is asked of the clients of a forwarded port, and said of them: what
 * grammar, keeper, engine and NAT tell each other of it. */
#ifndef BASE_FORWARD_RULES_H
#define BASE_FORWARD_RULES_H

#include <string.h>

#include "base/addr.h"

enum {
	FORWARD_SOURCES_MAX = 16,
	PROXY_NONE = 0,
	PROXY_V1 = 1, /* text */
	PROXY_V2 = 2, /* binary */
};

/* All zero: nothing. */
struct forward_rules {
	uint8_t proxy; /* PROXY_*: the header that the guest gets first */
	uint8_t n_from; /* 0: everybody may come */
	struct prefix from[FORWARD_SOURCES_MAX];
};

/* a as it is on the wire: without the interface's number, which stands inside
 * an address of the link (os/sockaddr.h). */
static inline addr addr_on_wire(const addr *a)
{
	addr plain = *a;

	if (addr_is_link_local6(a))
		memset(plain.b + 2, 0, 6); /* RFC 4291 2.5.6 */
	return plain;
}

/* True if the client with that address may come. */
static inline bool forward_rules_admit(const struct forward_rules *r,
				       const addr *client)
{
	const addr ip = addr_on_wire(client);
	bool found = r->n_from == 0;

	for (unsigned i = 0; i < r->n_from && !found; i++)
		found = addr_is_v4(&r->from[i].ip) == addr_is_v4(&ip) &&
			prefix_has(&r->from[i], &ip);
	return found;
}

#endif
