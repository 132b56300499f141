/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A port's cable while it is spoilt (lan_port_spoil()): stands between the lan
 * and the kind's hooks.
 *
 *	lan --send--> [to] --send--> kind       p->ops is ours: no lend, and no
 *	                                        offload that a wire has not
 *	kind --recv--> lan --> [from] --> lan   ALIAS_USE_CABLE leads here, and
 *	                                        lan_carry_cabled() back
 *
 * What the peer sends is cut and summed first.  Nothing of a port with a cable
 * is lent or held past it, and on lanes worker 0 has all of it
 * (lan_port_is_plain()).  Room is asked of the kind and told by it as ever: a
 * cable waits for it as a sender does, for a time.
 *
 * port.stats count what was given to the cable, and as drops what it lost; so
 * does who looks on (tap.h).
 *
 * Called by lan.c and lan_port.c; worker 0's thread.
 */
#ifndef LAN_PORT_CABLE_H
#define LAN_PORT_CABLE_H

#include "lan/lan.h"

/* Its frames are lost as LINK_DOWN, the kind's hooks are p's again.  Nothing
 * happens to a port without a cable. */
void port_cable_cut(struct port *p);
/* The link of p went down: what is under way is lost. */
void port_cable_down(struct port *p);
/* p's kind can do that from now on. */
void port_cable_caps(struct port *p, const struct port_caps *caps);
const struct port_caps *port_cable_own_caps(const struct port *p);
/* p has room again. */
void port_cable_room(struct port *p);
/* p's peer has sent these. */
void port_cable_in(struct port *p, const struct batch *b);

#endif
