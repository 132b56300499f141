/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest for tests: a fake port on the lan that makes packets of its
 * address's family and reads those it got.  Tests of nat and gateway only.
 */
#ifndef NAT_FAKE_GUEST_H
#define NAT_FAKE_GUEST_H

#include "base/addr.h"
#include "lan/fake_port.h"
#include "wire/packet.h"

struct fake_guest {
	struct fake_port *port;
	mac mac;
	mac gw_mac;
	addr ip;
	/* of the packets it makes; fake_guest_init() sets 64, 0, true */
	uint8_t ttl, tos;
	bool df;
	/* what is wrong with the next packet only */
	bool bad_ip_csum, bad_l4_csum, no_l4_csum;
	uint16_t frag;    /* IP4_F_MF | offset / 8, in either family */
	uint16_t udp_len; /* instead of the true one */
	unsigned pad;     /* bytes of rubbish behind the packet */
};

void fake_guest_init(struct fake_guest *g, struct fake_port *port, mac m,
		     mac gw_mac, addr ip);
/* Each queues one frame; fake_guest_kick() lets the lan read them as one
 * batch. */
void fake_guest_ip(struct fake_guest *g, addr dst, uint8_t proto,
		   const void *l4, uint32_t len);
void fake_guest_udp(struct fake_guest *g, uint16_t sport,
		    const struct endpoint *dst, const void *data, uint32_t len);
void fake_guest_echo(struct fake_guest *g, addr dst, uint16_t id, uint16_t seq,
		     const void *data, uint32_t len);
void fake_guest_arp(struct fake_guest *g, addr target);
void fake_guest_kick(struct fake_guest *g);

/* A packet the guest got. */
struct fake_got {
	struct packet pkt;
	const uint8_t *frame;
	uint32_t len;
	const uint8_t *l4;
	uint32_t l4_len;
	bool csum_ok; /* transport checksum right, or left to the guest by an
		       * offload request that is right */
};
/* The ith frame that the guest got, a packet of its family; false: there is
 * none or it is none. */
bool fake_guest_got(const struct fake_guest *g, unsigned i,
		    struct fake_got *gotp);

static inline struct endpoint fake_ep(uint8_t a, uint8_t b, uint8_t c,
				      uint8_t d, uint16_t port)
{
	return (struct endpoint){.ip = addr_v4(a, b, c, d), .port = port};
}

/* 2001:db8::host. */
static inline struct endpoint fake_ep6(uint8_t host, uint16_t port)
{
	return (struct endpoint){
		.ip = {{0x20, 0x01, 0x0d, 0xb8, [15] = host}}, .port = port};
}

#endif
