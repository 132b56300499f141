/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Headers of both families to be sent: IPv4 (RFC 791 3.1, without options) and
 * IPv6 (RFC 8200 3, at most a fragment header behind it).  packet.h reads
 * them.  Stateless.
 */
#ifndef WIRE_IP_H
#define WIRE_IP_H

#include "base/addr.h"
#include "base/cursor.h"
#include "wire/eth.h"
#include "wire/ip4.h"

enum {
	IP6_HDR_LEN = 40,
	IP6_FRAG_LEN = 8,
	IP6_OFF_MASK = 0xfff8, /* bytes */
	IP6_PROTO_AT = 6,      /* where the header names what follows it */
	IP6_MTU_MIN = 1280, /* RFC 8200 5: what every link carries */
	IP_HDR_MAX = IP6_HDR_LEN + IP6_FRAG_LEN,
	IP_HOP_LIMIT = IP4_TTL, /* hop limit of what we send */
};

/* A packet from src to dst, which are of one family. */
struct ip_hdr {
	addr src;
	addr dst;
	uint32_t l4_len; /* bytes behind all that ip_emit() writes */
	uint8_t proto;
	uint8_t ttl;
	uint8_t tos;
	bool is_fragment; /* else: don't fragment, id 0 (RFC 6864 4.1) */
	bool more;
	uint32_t off; /* bytes */
	uint32_t id;  /* its lower half for IPv4 */
};

/* Bytes of the header of a whole packet of a's family. */
static inline uint32_t ip_hdr_len(const addr *a)
{
	return addr_is_v4(a) ? IP4_HDR_LEN : IP6_HDR_LEN;
}

/* The same of a fragment. */
static inline uint32_t ip_frag_hdr_len(const addr *a)
{
	return addr_is_v4(a) ? IP4_HDR_LEN : IP6_HDR_LEN + IP6_FRAG_LEN;
}

static inline uint16_t ip_ethertype(const addr *a)
{
	return addr_is_v4(a) ? ETH_T_IP4 : ETH_T_IP6;
}

/* What a packet that came to us with ttl leaves the host with. */
static inline uint8_t ip_carried_ttl(uint8_t ttl)
{
	return ip4_carried_ttl(ttl);
}

/* ip_hdr_len() bytes, or ip_frag_hdr_len(); of IPv4 the checksum is in
 * place. */
void ip_emit(struct wr *w, const struct ip_hdr *h);
/* Ethernet and IP header. */
void ip_emit_frame(struct wr *w, mac to, mac from, const struct ip_hdr *h);
/* Makes the header at ip, of a whole packet of a's family, say l4_len.  False:
 * it said so already. */
bool ip_set_len(uint8_t *ip, const addr *a, uint32_t l4_len);

#endif
