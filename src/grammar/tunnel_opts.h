/* SPDX-License-Identifier: BSD-3-Clause */
/* Bounds of the netdevs l2tpv3 and vxlan, which their openers rely on. */
#ifndef GRAMMAR_TUNNEL_OPTS_H
#define GRAMMAR_TUNNEL_OPTS_H

enum {
	TUNNEL_OFFSET_MAX = 256, /* bytes, as QEMU */
	TUNNEL_VNI_MAX = (1 << 24) - 1,
	TUNNEL_REMOTES_MAX = 256,
};

#endif
