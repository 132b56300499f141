/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datagrams made here for a guest: IP header, fragments where the guest's
 * MTU asks for them, frames in batches through the lan.
 *
 * Used by icmp for all it sends and by udp for what could not be received
 * straight into a lent buffer.  One worker's thread.  A struct out belongs to
 * one part and lives as long; between out_dgram() and out_flush() it borrows
 * the payloads.
 */
#ifndef NAT_OUT_H
#define NAT_OUT_H

#include <stdint.h>

#include "nat/env.h"
#include "wire/eth.h"
#include "wire/ip.h"
#include "wire/udp.h"

enum {
	OUT_FRAMES = 16,  /* frames collected before they are sent */
	OUT_HEAD_MAX = 8, /* bytes of a UDP or ICMP header */
	/* The most of Ethernet and IP headers and a UDP header. */
	OUT_UDP_PAYLOAD_MAX = ETH_HDR_LEN + IP6_HDR_LEN + UDP_HDR_LEN,
};

/* The ways of one datagram. */
struct out_addr {
	mac to;
	addr src;
	addr dst;
	uint8_t proto;
	uint8_t ttl;
	uint8_t tos;
};

/* One datagram: transport header and payload, checksum in place unless the
 * exit is to make it. */
struct out_dgram {
	struct out_addr a;
	uint8_t head[OUT_HEAD_MAX]; /* the transport header */
	const uint8_t *payload;     /* borrowed until out_flush() */
	uint32_t len;               /* bytes of payload */
	bool is_partial;            /* UDP that is not fragmented: the header
				     * holds the pseudo-header sum only */
	uint16_t gso_size;          /* not 0: a run of UDP datagrams of as many
				     * bytes each, the last may be shorter;
				     * each fits the MTU, is_partial is set */
};

struct out {
	const struct nat_env *env; /* borrowed */
	uint32_t ip_id;            /* of the last fragmented datagram */
	const addr *hold;          /* not NULL: this guest's MAC is not known,
				    * env->hold() takes the frames */
	struct batch b;
	struct iovec iov[OUT_FRAMES];
	uint8_t hdr[OUT_FRAMES][FRAME_HDR_MAX];
};

void out_init(struct out *o, const struct nat_env *env);
/* Queues one datagram, sending what was queued when there is no room. */
void out_dgram(struct out *o, const struct out_dgram *d);
/* d->head becomes that of a UDP datagram, its checksum what d->is_partial
 * says; all else of d is there. */
void out_udp_head(struct out_dgram *d, uint16_t sport, uint16_t dport);
/* Sends what is queued; what finds no room is counted by the lan. */
void out_flush(struct out *o);

/* Where the transport header of a whole datagram to dst lies in its frame. */
static inline uint32_t out_l4(const addr *dst)
{
	return ETH_HDR_LEN + ip_hdr_len(dst);
}

/* Writes out_l4() bytes: the headers of a whole datagram whose transport
 * header and payload are l4_len bytes. */
void out_put_ip(uint8_t *p, const struct nat_env *env, const struct out_addr *a,
		uint32_t l4_len);

/* The MTU of the path to real, in packets of guest's family (RFC 7915 4.2,
 * 5.2). */
static inline uint32_t nat_mtu_seen(uint32_t mtu, const addr *real,
				    const addr *guest)
{
	uint32_t both = mtu + ip_hdr_len(guest), hdr = ip_hdr_len(real);

	return mtu && both > hdr ? both - hdr : mtu;
}

#endif
