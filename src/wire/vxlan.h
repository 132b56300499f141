/* SPDX-License-Identifier: BSD-3-Clause */
/* The header in front of an Ethernet frame in VXLAN (RFC 7348 5). Stateless. */
#ifndef WIRE_VXLAN_H
#define WIRE_VXLAN_H

#include <stdbool.h>

#include "base/cursor.h"

enum {
	VXLAN_HDR_LEN = 8,
	VXLAN_VNI_MAX = (1 << 24) - 1,
};

/* Takes the header; the frame is what is left.  False (and *vnip untouched)
 * if it is cut short or names no network; reserved bits are not looked at. */
bool vxlan_parse(struct rd *r, uint32_t *vnip);
/* vni <= VXLAN_VNI_MAX. */
void vxlan_emit(struct wr *w, uint32_t vni);

#endif
