/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Between struct endpoint and the kernel's socket addresses.  Stateless.
 *
 * An address that is good on one link only (fe80::/10) comes with the number
 * of the interface it is behind (RFC 4007 6).  Bytes 4 to 7 of such an address
 * are zero on the wire (RFC 4291 2.5.6): there an addr that came from a socket
 * holds the number, so that two interfaces' fe80::1 differ and an answer finds
 * its way.
 */
#ifndef OS_SOCKADDR_H
#define OS_SOCKADDR_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/addr.h"

/* Fills *ss as AF_INET for an IPv4 address, else AF_INET6; its length. */
socklen_t sockaddr_from(const struct endpoint *ep, struct sockaddr_storage *ss);
/* a as it came by the interface of that number. */
addr sockaddr_scoped(addr a, uint32_t scope);
/* The number in *a, which is as on the wire then; 0: it needs none. */
uint32_t sockaddr_unscope(addr *a);
/* False (and *ep untouched) for families that are not Internet's. */
bool sockaddr_to(const struct sockaddr_storage *ss, struct endpoint *ep);

#endif
