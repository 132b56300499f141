/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the headers of a frame lie, for the check of offload requests and for
 * software segmentation.  Private to the lan; stateless; only the private
 * header copy is looked at.
 */
#ifndef LAN_OFFLOAD_H
#define LAN_OFFLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "lan/frame.h"

enum {
	OFFLOAD_PIECES_MAX = 2048, /* of one GSO frame: 64 KiB at Linux's
				    * smallest MSS of 48, rounded up */
};

/* Offsets count from the frame's first byte. */
struct offload_layout {
	uint8_t ip_version;   /* 4, 6, or 0: not IP, nothing below l3_off */
	uint8_t proto;	      /* transport, 0 for fragments */
	bool has_routing;     /* IPv6 routing header: the pseudo-header's
			       * destination is not the header's */
	uint16_t l3_off;
	uint16_t l4_off;      /* first byte after the IP headers */
	uint16_t payload_off; /* after TCP or UDP; l4_off for others */
};

/* Finds the headers within the first FRAME_HDR_MAX bytes of f->hdr.  False if
 * an IP, TCP or UDP header is cut short or lies about its length. */
bool offload_layout(const struct frame *f, struct offload_layout *lp);

/* The pseudo-header's sum of a TCP or UDP packet: addresses, protocol, length
 * (RFC 9293 3.1), for csum_add(). */
uint64_t offload_pseudo(const uint8_t *h, const struct offload_layout *l,
			uint32_t l4_len);

/* Frames on the wire that the GSO frame f becomes; f passed the check. */
static inline uint32_t offload_pieces(const struct frame *f,
				      uint32_t payload_off)
{
	uint32_t n = f->len - payload_off;

	return (n + f->off.gso_size - 1) / f->off.gso_size;
}

#endif
