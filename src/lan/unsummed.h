/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a kernel left for a card to do, seen from the frame alone.
 *
 * A tunnel's other end may be a kernel that shares a host with us, by a veth
 * pair or a bridge.  It leaves TCP's and UDP's checksums to the card, and many
 * TCP segments in one frame; there is no card on that way, and a socket does
 * not tell.  Who knew only the frame would take the one for broken, the other
 * for a frame of 64 KiB.
 *
 * Called by port kinds at recv; stateless.
 */
#ifndef LAN_UNSUMMED_H
#define LAN_UNSUMMED_H

#include <stdbool.h>
#include <stdint.h>

#include "lan/frame.h"

/* If the checksum of f is the sum of the pseudo-header, and nothing more, it
 * was left to be done, or is right by chance, and then it comes out the same:
 * f->off asks for it.  Such a one of TCP with an IP packet of more than whole
 * bytes, more than can have come in one, is to be cut into those.  False: one
 * of UDP, of which nobody knows where to cut; it is not to be carried. */
bool unsummed_mark(struct frame *f, uint32_t whole);

#endif
