/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a service has around it, for tests and fuzz targets of this room: a
 * lan with a virtual clock, a gateway's port that only sends, one guest's port
 * that sees everything, a host without a kernel.  The network is QEMU's.
 */
#ifndef SERVICE_FAKE_ROOM_H
#define SERVICE_FAKE_ROOM_H

#include "lan/fake_port.h"
#include "service/fake_upstream.h"
#include "service/service.h"
#include "wire/packet.h"

struct dns;

struct fake_room {
	struct fake_lan lan;
	struct fake_port *gw;
	struct fake_port *guest;
	struct fake_upstream *up;
	struct service_env env;
};

/* A datagram the guest got. */
struct fake_dgram {
	struct packet pkt;
	const uint8_t *data; /* borrowed until the room is cleared */
	size_t len;
};

void fake_room_init(struct fake_room *r);
/* Aborts if a timer or a socket was left behind. */
void fake_room_deinit(struct fake_room *r);
/* A name server in it with nat64, one resolver and a way out; aborts if it
 * cannot be made. */
struct dns *fake_room_dns64(struct fake_room *r);
/* fec0::n. */
addr fake_addr6(uint8_t n);
/* What the gateway would say of a datagram from ip:port and m to the name
 * server of its family. */
struct packet fake_room_packet(addr ip, uint16_t port, mac m);
/* The ith frame the guest got; false: there is none, or it is no sound UDP
 * datagram from the gateway. */
bool fake_room_got(const struct fake_room *r, unsigned i,
		   struct fake_dgram *gp);

#endif
