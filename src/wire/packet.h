/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One look at a frame's headers: Ethernet, IPv4 or IPv6, and the ports of TCP
 * and UDP.  Called once per frame by the gateway; the result is handed to the
 * services and the NAT, which never look at those headers again.
 */
#ifndef WIRE_PACKET_H
#define WIRE_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

enum packet_result {
	PACKET_OK,
	PACKET_NOT_IP,	   /* only the Ethernet fields are set (ARP, others) */
	PACKET_ETH_SHORT,
	PACKET_IP4_SHORT,  /* also: bad version, lengths that lie */
	PACKET_IP4_CSUM,
	PACKET_IP4_OPTIONS,
	PACKET_IP6_SHORT,  /* also: extension headers that lie, IPv4's
			    * addresses (RFC 4291 2.5.5.2) */
	PACKET_L4_SHORT,   /* TCP, UDP or ICMP header cut short */
};

/* Offsets count from the frame's first byte. */
struct packet {
	mac eth_dst;
	mac eth_src;
	uint16_t ethertype;	/* after VLAN tags (none are accepted: 0x8100
				 * is reported as it is) */
	uint8_t ip_version;	/* 4, 6, or 0 */
	uint8_t proto;		/* IPPROTO_* of the transport */
	uint8_t ttl;		/* or hop limit */
	uint8_t tos;		/* or traffic class */
	bool is_fragment;	/* any fragment, the first included */
	bool df;		/* don't fragment; true for IPv6 unless there
				 * is a fragment header (RFC 7915 5.1) */
	uint16_t frag_off;	/* bytes */
	bool frag_more;
	uint32_t ip_id;
	struct endpoint src;	/* port 0 unless TCP or UDP (first fragment) */
	struct endpoint dst;
	uint16_t l3_off;
	uint16_t l4_off;	/* transport header; of an IPv6 fragment what
				 * follows the fragment header */
	uint16_t next_off;	/* IPv6: at what, from l3_off on, points who
				 * does not know proto */
	uint32_t l4_len;	/* bytes of transport header and payload as the
				 * IP header says: Ethernet padding is cut */
};

/* Parses the first hdr_len bytes of a frame of frame_len bytes into *pktp.
 * hdr_len >= min(frame_len, FRAME_HDR_MAX).  The IPv4 header checksum is
 * verified (RFC 791 3.1); transport checksums are not.  Transport headers must
 * lie inside hdr.
 *
 * IPv6's extension headers are passed over (RFC 8200 4), but not those that
 * only who is named there could carry out: a routing header that names more
 * nodes and hop-by-hop options in the wrong place are proto, and so unknown to
 * everybody. */
enum packet_result packet_parse(const uint8_t *hdr, size_t hdr_len,
				size_t frame_len, struct packet *pktp);

#endif
