/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who has which address: ARP and IPv6's neighbour discovery (RFC 826, 4861),
 * as far as both say the same.  Stateless; used by whoever asks, answers or
 * listens without being a router: the switch, the host beside machines, and
 * the gateway for its questions.
 */
#ifndef WIRE_NEIGHBOUR_H
#define WIRE_NEIGHBOUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cursor.h"

struct neighbour {
	addr from;  /* who says that this is his; unspecified: nobody does */
	mac mac;    /* the sender's */
	addr asked; /* whose MAC is asked for; unspecified: nobody's */
	addr reply; /* where the answer goes to; unspecified: to all */
};

enum { NEIGHBOUR_LEN = 86 }; /* longest frame that is made below */

/* A frame of len bytes, the first hdr_len of which are at hdr.  False: it is
 * neither, or malformed, or speaks for another MAC than its own.  A checksum
 * is not looked at: an offload may still have to write it. */
bool neighbour_parse(const uint8_t *hdr, size_t hdr_len, size_t len,
		     struct neighbour *np);
/* The frame by which own answers n, who asked for its address. */
void neighbour_answer(struct wr *w, const struct neighbour *n, mac own);
/* The frame by which own, whose address is from (unspecified: none yet), asks
 * for ip: the machine with MAC to, or all if that is the broadcast. */
void neighbour_ask(struct wr *w, mac own, const addr *from, mac to,
		   const addr *ip);

#endif
