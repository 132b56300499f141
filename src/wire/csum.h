/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The Internet checksum (RFC 1071).
 *
 * A running sum is opaque: it is continued by csum_add() and ended by
 * csum_fold(), which gives the complement as a number in host order, ready
 * for wr_u16() (so the bytes 00 01 f2 03 .. of RFC 1071 give 0x220d).
 */
#ifndef WIRE_CSUM_H
#define WIRE_CSUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* Adds len bytes to sum.  All calls but the last of one sum take an even
 * number of bytes; an odd last byte is padded with zero. */
uint64_t csum_add(const void *p, size_t len, uint64_t sum);
/* The checksum to store, host order.  0 for bytes whose sum with their own
 * checksum in place is right. */
uint16_t csum_fold(uint64_t sum);
/* The same as it is stored at an offset into its header: 0 stays 0 but where a
 * UDP checksum is, in which it would say that there is none (RFC 768). */
uint16_t csum_stored(uint64_t sum, uint32_t offset);
/* The sum (not complemented) as a number in host order: what a partial
 * checksum field holds (FRAME_F_NEEDS_CSUM). */
uint16_t csum_partial(uint64_t sum);
/* Sum of the pseudo-header of TCP, UDP (RFC 793 3.1, RFC 768) or ICMPv6 and
 * IPv6 (RFC 8200 8.1); both addresses of one family. len: transport header
 * and payload. */
uint64_t csum_pseudo(const addr *src, const addr *dst, uint8_t proto,
		     uint32_t len);
/* The checksum after a 16-bit field changed from old to now, all in host
 * order (RFC 1624 eqn. 3). */
uint16_t csum_update(uint16_t csum, uint16_t old, uint16_t now);

#endif
