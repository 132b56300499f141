/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packet sockets (packet(7)): an interface of the host with all that passes
 * it.  Opened by the keeper, used by the engine; nothing of it stays when the
 * last descriptor is closed.
 */
#ifndef OS_PACKET_H
#define OS_PACKET_H

#include <stdbool.h>

#include "base/addr.h"
#include "base/error.h"

struct packet_result {
	int fd;  /* owned; hears nothing until it gets another filter */
	mac mac; /* of the interface */
};

/* Promiscuous (with all_macs, else for groups only), with offload header
 * (struct virtio_net_hdr, 10 bytes) and VLAN tags told.  Negative with *e
 * filled. */
__attribute__((warn_unused_result)) int packet_open(const char *ifname,
						    bool all_macs,
						    struct packet_result *p,
						    struct error *e);
/* A socket that hears no frame: as long as it is open the interface is
 * promiscuous, and when that goes down or away it has an error (ENETDOWN).
 * Negative errno. */
__attribute__((warn_unused_result)) int packet_watch(int ifindex, int *fdp);
/* Addresses of the interface, at most max; their number. */
unsigned packet_addresses(const char *ifname, addr *a, unsigned max);

#endif
