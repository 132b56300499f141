/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What scripts written for gvproxy (containers/gvisor-tap-vsock) ask its
 * socket, answered in its shapes.  Called by requests.c.
 */
#ifndef KEEPER_GVPROXY_H
#define KEEPER_GVPROXY_H

#include <jansson.h>

#include "keeper/requests.h"

/* {address: mac}: the IPv4 addresses that are leased now, and the gateway's.
 * 0; *op NULL: no memory. */
int gvproxy_leases(struct keeper *k, const struct request *r, json_t **op,
		   struct error *e);

#endif
