/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The host beside the machines that share its network card.
 *
 * What a macvtap or a packet socket sends goes to the wire, and the host's own
 * stack never sees it.  So the host has one more interface, a tap, on the LAN
 * with the machines (port kind `hostif` with if=).  It has no address: the
 * host's are those of its card, and stay there.  Instead
 *
 *   - the machines are told here, by ARP and neighbour discovery, that the
 *     host's addresses have the tap's MAC; the kernel does neither on the tap;
 *   - which machine has which address is learned here from what they say, and
 *     told to the keeper, which gives the host a route for that one address.
 *
 * Nothing passes between the tap and the card, so nobody on the wire ever sees
 * the tap's MAC, and the host hears nothing twice.  From machines only what is
 * from an address of theirs for one of the host's passes, from the host only
 * what is from those: it is no router here.
 *
 *	         claim            told            silent, gone, or
 *	FREE ------------> NEW ---------> TOLD ------------------+
 *	  ^                 |               another's on the wire |
 *	  |                 +----------------------+              |
 *	  | told                                   v              v
 *	  +------------------------------------- BLOCKED <----- GOING
 *	           after BESIDE_BLOCK_NS; at once if nobody else has it
 *
 * An address that somebody on the wire has is not the machine's: the host's
 * connections are not taken away by what a machine says.  Who has an address
 * here keeps it while he answers: each is asked from time to time.
 *
 * Called by tap.c; one worker's thread.
 */
#ifndef NETDEV_BESIDE_H
#define NETDEV_BESIDE_H

#include <stdbool.h>

#include "netdev/hostif.h"
#include "netdev/netdev.h"

#define BESIDE_ASK_NS	UINT64_C(60000000000) /* silent so long: asked */
#define BESIDE_BLOCK_NS UINT64_C(60000000000)
#define BESIDE_TICK_NS	UINT64_C(1000000000)

enum {
	BESIDE_MAX = 128, /* addresses */
	BESIDE_ASKS = 3,  /* a tick apart, before one is gone */
	BESIDE_TELLS = 32, /* between two ticks */
};

struct beside;

/* host: the host's addresses, borrowed; they may change (beside_changed()).
 * own: the tap's MAC.  NULL: no memory. */
struct beside *beside_new(const struct netdev_env *env, struct port *port,
			  const struct hostif *host, mac own);
struct beside *beside_free(struct beside *b);
/* True if f, which the lan sends to the tap, is for the host. */
bool beside_takes(struct beside *b, const struct frame *f);
/* True if f, which the host sent, is for the lan. */
bool beside_gives(const struct beside *b, const struct frame *f);
/* The host has other addresses. */
void beside_changed(struct beside *b);

#endif
