/* SPDX-License-Identifier: BSD-3-Clause */
/* VXLAN; see vxlan.h. */
#include "wire/vxlan.h"

#define VXLAN_F_VNI UINT32_C(0x08000000) /* "I": there is a VNI */

bool vxlan_parse(struct rd *r, uint32_t *vnip)
{
	uint32_t flags = rd_u32(r);
	uint32_t vni = rd_u32(r) >> 8;

	if (!rd_ok(r) || !(flags & VXLAN_F_VNI))
		return false;
	*vnip = vni;
	return true;
}

void vxlan_emit(struct wr *w, uint32_t vni)
{
	wr_u32(w, VXLAN_F_VNI);
	wr_u32(w, vni << 8);
}
