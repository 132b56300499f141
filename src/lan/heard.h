/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which IP addresses a machine has, as it says itself to all others: by the
 * sender's address of its ARP, by its neighbour discovery and the link-local
 * source of its IPv6 multicasts; and by what our DHCP server has just leased it
 * and our neighbour discovery alone has heard (lan_heard).
 *
 * Nothing is carried by what is kept here, it is for people: who asks for a
 * machine by its name wants to know where it is.  An address is that port's
 * where it was heard last.  Each port keeps the HEARD_MAX that came last, so
 * a machine that claims many pushes out its own only.
 *
 * Called by lan.c for the frames that go to all ports, and lan_port.c; the
 * worker's thread.
 */
#ifndef LAN_HEARD_H
#define LAN_HEARD_H

#include "lan/frame.h"
#include "lan/port.h"

/* f came by from and goes to many. */
void heard_frame(struct port *from, const struct frame *f);
/* The machine behind p has ip. */
void heard_put(struct port *p, const addr *ip);
/* The link of p is down: who comes next may be another. */
void heard_forget(struct port *p);

#endif
