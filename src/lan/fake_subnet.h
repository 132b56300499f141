/* SPDX-License-Identifier: BSD-3-Clause */
/* The networks of most tests, which are QEMU's: 10.0.2.0/24 and fec0::/64. */
#ifndef LAN_FAKE_SUBNET_H
#define LAN_FAKE_SUBNET_H

#include "base/subnet.h"

static inline struct subnet fake_subnet4(void)
{
	return (struct subnet){
		.net = {.ip = addr_v4(10, 0, 2, 0), .len = 120},
		.gw = addr_v4(10, 0, 2, 2),
		.dns = addr_v4(10, 0, 2, 3),
		.is_on = true,
	};
}

static inline struct subnet fake_subnet6(void)
{
	return (struct subnet){
		.net = {.ip = {{0xfe, 0xc0}}, .len = SLAAC_LEN},
		.gw = {{0xfe, 0xc0, [15] = 2}},
		.dns = {{0xfe, 0xc0, [15] = 3}},
		.is_on = true,
	};
}

#endif
