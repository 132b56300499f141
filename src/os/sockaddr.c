/* SPDX-License-Identifier: BSD-3-Clause */
/* Between struct endpoint and sockaddr; see sockaddr.h. */
#include "os/sockaddr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

enum { SCOPE_AT = 4 };

addr sockaddr_scoped(addr a, uint32_t scope)
{
	if (addr_is_link_local6(&a))
		memcpy(a.b + SCOPE_AT, &scope, sizeof(scope));
	return a;
}

uint32_t sockaddr_unscope(addr *a)
{
	uint32_t scope = 0;

	if (!addr_is_link_local6(a))
		return 0;
	memcpy(&scope, a->b + SCOPE_AT, sizeof(scope));
	memset(a->b + SCOPE_AT, 0, sizeof(scope));
	return scope;
}

socklen_t sockaddr_from(const struct endpoint *ep, struct sockaddr_storage *ss)
{
	if (addr_is_v4(&ep->ip)) {
		struct sockaddr_in sin = {.sin_family = AF_INET,
					  .sin_port = htons(ep->port)};

		memcpy(&sin.sin_addr, ep->ip.b + 12, 4);
		memcpy(ss, &sin, sizeof(sin));
		return sizeof(sin);
	}
	addr ip = ep->ip;
	struct sockaddr_in6 sin6 = {.sin6_family = AF_INET6,
				    .sin6_port = htons(ep->port),
				    .sin6_scope_id = sockaddr_unscope(&ip)};

	memcpy(&sin6.sin6_addr, ip.b, 16);
	memcpy(ss, &sin6, sizeof(sin6));
	return sizeof(sin6);
}

bool sockaddr_to(const struct sockaddr_storage *ss, struct endpoint *ep)
{
	if (ss->ss_family == AF_INET) {
		struct sockaddr_in sin;

		memcpy(&sin, ss, sizeof(sin));
		ep->ip = addr_v4_bytes((const uint8_t *)&sin.sin_addr);
		ep->port = ntohs(sin.sin_port);
		return true;
	}
	if (ss->ss_family == AF_INET6) {
		struct sockaddr_in6 sin6;

		memcpy(&sin6, ss, sizeof(sin6));
		memcpy(ep->ip.b, &sin6.sin6_addr, 16);
		ep->ip = sockaddr_scoped(ep->ip, sin6.sin6_scope_id);
		ep->port = ntohs(sin6.sin6_port);
		return true;
	}
	return false;
}
