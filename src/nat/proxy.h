/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The header of the PROXY protocol, by which a server behind a forwarded port
 * hears who its client is (haproxy's proxy-protocol.txt, 2.1 and 2.2).  Called
 * by forward.c; no state.
 */
#ifndef NAT_PROXY_H
#define NAT_PROXY_H

#include <stdint.h>

#include "base/addr.h"
#include "base/forward_rules.h"

enum { PROXY_HEAD_MAX = 108 }; /* version 1's longest line, with a NUL */

/* Writes the header of this version (PROXY_V1, PROXY_V2) for a connection of
 * src to dst; its length.  Of a client that has no address, which came by a
 * unix socket, it says that nothing is known. */
unsigned proxy_emit(uint8_t version, const struct endpoint *src,
		    const struct endpoint *dst,
		    uint8_t buf[static PROXY_HEAD_MAX]);

#endif
