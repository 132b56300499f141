/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two machines with one MAC: the later one goes by another.
 *
 * QEMU gives every machine that is not told otherwise the same MAC.  The port
 * where such a machine is seen second gets an alias for it, and at that port
 * the two addresses change places in all that passes, whichever way: the
 * others know the second machine by the alias, and the second machine knows
 * the first one by it.  So neither ever sees its own address as another's,
 * and their MAC table, their DHCP server (ours or any other) and their ARP
 * caches hold two addresses.  Besides Ethernet's two fields that is: ARP and
 * RARP, DHCP's chaddr and a client identifier of either family's DHCP that ends
 * in the MAC, and the link-layer addresses of IPv6 neighbour discovery.
 *
 * When is it a second machine, and when has the first one moved?
 *
 *      seen at B while A, which has it, is up       it is taken to be
 *      ---------------------------------------      ------------------
 *      a frame without a source address of its      a second machine that
 *      layer 3: DHCP, an ARP probe, IPv6's          starts: B gets an alias
 *      duplicate address detection                  before that frame goes on
 *      RARP: what QEMU sends after a migration      moved
 *      anything else                                moved, but see the next
 *      .. and soon after it, the first from B       a second one: B
 *      .. and soon after it, again one from A       a second one: B
 *
 * Ports that lead to more machines (uplinks) are left out.  The gateway never
 * gets an alias, and its address never moves: whoever else sends from it is a
 * second machine.  Nor does the address that B has an alias for move to B: such
 * a frame was sent from that alias.  An alias lasts while the link of its port
 * is up.
 *
 * Called by lan.c, lan_port.c and lend.c; the worker's thread.
 */
#ifndef LAN_ALIAS_H
#define LAN_ALIAS_H

#include <stdbool.h>
#include <stdint.h>

#include "lan/fdb.h"
#include "lan/frame.h"
#include "lan/port.h"

enum {
	ALIAS_PER_PORT = 8,
	/* The longest DHCP message whose options are looked at. */
	ALIAS_DHCP_MAX = 2048,
	ALIAS_STORE = 8192,
};

/* Bits of port.alias_use. */
enum alias_use {
	ALIAS_USE_SWAP = 1 << 0,  /* port.aliases is not empty */
	ALIAS_USE_WATCH = 1 << 1, /* port.watch is set: something moved here */
	ALIAS_USE_CABLE = 1 << 2, /* no alias: what comes goes through
				   * port_cable_in() first */
};

/* real is a MAC behind the port it is listed at; the lan knows it by alias. */
struct alias {
	struct list link; /* in port.aliases, or among the lan's free ones */
	mac real;
	mac alias;
};

/* A batch as it is on the other side of a port with aliases.  Frames that
 * nothing changes in are those of the batch itself. */
struct alias_view {
	struct batch b;
	uint32_t used; /* bytes of store */
	uint8_t hdr[FRAME_BATCH][FRAME_HDR_MAX];
	/* Pieces of frames that were cut behind their header, and whole DHCP
	 * messages. */
	_Alignas(struct iovec) uint8_t store[ALIAS_STORE];
};

/* Makes the view of the frames of mask, which may point into b and into v.
 * Returns those it holds, at least one: a prefix of mask, for the store is
 * bounded. */
uint64_t alias_view(struct alias_view *v, const struct port *p,
		    const struct batch *b, uint64_t mask);
/* The same for a frame that p has lent and is about to be given back. */
void alias_lent(const struct port *p, struct lend_frame *f);
/* True if the sender of f has no address of layer 3 yet: it starts. */
bool alias_is_start(const struct frame *f);
/* True for RARP (RFC 903): the announcement of a machine that has moved. */
bool alias_is_announcement(const struct frame *f);

/* The table has learned the source of f, which came by from, with the result
 * r (not FDB_SAME) and before as fdb_learn() says.  True if from has an alias
 * for it now: the frame is to be looked at once more, in a view. */
bool alias_learned(struct port *from, const struct frame *f,
		   enum fdb_result r, struct port *before);
/* Looks through what comes by a port with ALIAS_USE_WATCH. */
void alias_watch(struct port *from, const struct batch *b);
/* The link of p is down: who comes next may be another. */
void alias_forget(struct port *p);

#endif
