/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A tap that is a port of a bridge of the host: made here, which takes
 * CAP_NET_ADMIN, or by QEMU's bridge helper, which asks its ACL file
 * (reference 1.5).  The kernel removes the tap with its last descriptor, so
 * that nothing is left to be undone.  Called by the keeper.
 */
#ifndef OS_BRIDGE_H
#define OS_BRIDGE_H

#include "os/tap.h"

struct bridge_opts {
	const char *bridge;
	const char *helper; /* path, or a command line if it has a blank; NULL:
			     * nobody else is asked */
	bool asks_helper;   /* it was asked for: make no tap ourselves */
	unsigned patience_ms; /* with the helper; 0: as long as it takes */
	enum tap_vnet_hdr vnet_hdr;
};

/* Negative with *e filled. */
__attribute__((warn_unused_result)) int
bridge_tap_open(const struct bridge_opts *o, struct tap_result *t,
		struct error *e);

#endif
