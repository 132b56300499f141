/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Multicast between the guests' lan and the host's network (multicast=on).
 *
 * What guests send to a group goes out as they sent it, hop limit included,
 * as if there were one wire; what the host's network says to a group that
 * guests have joined comes in.
 *
 *	guest, from the group's port    leaves by the socket of that group and
 *	(mDNS)                          port, from that port
 *	guest, from any other port      leaves by the guest's own mapping
 *	(SSDP's search)                 (udp.h), so that whoever is asked
 *	                                answers to the guest
 *	the host's network, the host    comes in by the socket of the group and
 *	included                        port, from who sent it, or the gateway
 *	                                for an address of that link alone
 *
 * A socket hears one port, and joining a group tells none.  There is one for
 * each of the services below whose group is of the link or joined by a guest,
 * and for each port that a guest has sent to in a group that one has joined.
 * Other groups of link-local scope belong to the wire they are on and do not
 * pass.
 *
 * The host gives back what left here: it is known by its contents and dropped
 * once.  What came by an uplink is on the host's network already and does not
 * leave a second time.  Each direction has a bound of datagrams per second.
 *
 * Made by the gateway; one worker's thread.
 */
#ifndef NAT_GROUP_H
#define NAT_GROUP_H

#include "nat/env.h"
#include "nat/udp.h"

enum {
	GROUP_SOCKS_MAX = 128,	/* pairs of a group and a port */
	GROUP_RATE = 2000,	/* datagrams a second, each way */
	GROUP_ECHO_MAX = 64,	/* datagrams that may come back .. */
	GROUP_ECHO_SECONDS = 2, /* .. within this time */
};

struct groups;

/* u is borrowed. 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int groups_new(const struct nat_env *env,
						   struct udp *u,
						   struct groups **gp);
struct groups *groups_free(struct groups *g);
/* Listeners came or went on the lan (port_ops.listeners): looked at later. */
void groups_listeners(struct groups *g);
/* The interfaces of the host that lead out in either family; 0: none. */
void groups_links(struct groups *g, uint32_t v4, uint32_t v6);
/* A datagram of a guest to a group; its source was found valid. */
void groups_input(struct groups *g, const struct packet *pkt,
		  const struct frame *f);

#endif
