/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbour discovery (RFC 4861): what those need who change a MAC in it. */
#ifndef WIRE_ND_H
#define WIRE_ND_H

enum {
	ICMP6_AT_CSUM = 2,
	/* message types, from the first to the last (4.1 - 4.5) */
	ND_SOLICIT_ROUTER = 133,
	ND_REDIRECT = 137,
	/* options that hold a MAC (4.6.1) */
	ND_O_SOURCE = 1,
	ND_O_TARGET = 2,
};

#endif
