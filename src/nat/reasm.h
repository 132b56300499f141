/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reassembly of the datagrams that guests sent in fragments (RFC 791 3.2,
 * 1122 3.3.2; RFC 8200 4.5).  Called by the gateway for each fragment; one
 * worker's thread.  What is put together has a plain header: of an IPv6
 * datagram the extension headers before the fragment's are left away.
 *
 * What a guest can make of it is bounded:
 *
 * - REASM_MAX datagrams are under way at a time.  The machines of one port of
 *   the lan (a machine has as many MACs as it likes, and one port) have no more
 *   of them than are still free, so none can take all; what is above that costs
 *   the oldest one of the same MAC, or else of the same port.
 * - A datagram that is not whole after REASM_SECONDS is given up, and the
 *   machine is told so (time exceeded, code 1).
 * - A fragment that overlaps another, or disagrees about where the datagram
 *   ends, ends it: nothing of it is believed, and what comes of it until its
 *   time is over is lost too (RFC 5722 asks this of IPv6; RFC 1858 tells of
 *   what overlaps are good for).  Only an exact repetition is let pass; the
 *   first one counts.  A fragment that cannot be one is answered in IPv6, as
 *   RFC 8200 4.5 asks (parameter problem).
 */
#ifndef NAT_REASM_H
#define NAT_REASM_H

#include "nat/env.h"
#include "nat/icmp.h"

enum {
	REASM_MAX = 64, /* datagrams under way; 68 KiB each once used */
	REASM_SECONDS = 60, /* RFC 1122 3.3.2, RFC 8200 4.5 */
};

struct reasm;

/* ic is borrowed. */
__attribute__((warn_unused_result)) int
reasm_new(const struct nat_env *env, struct icmp *ic, struct reasm **rp);
struct reasm *reasm_free(struct reasm *r);

/* One fragment, which came in by the port with this number (lan_ingress()).
 * If it was the last one missing: the datagram as an ordinary frame, which
 * stays, itself and its bytes, until reasm_flush(); else NULL.  Its transport
 * checksum is not verified.  It may be fragmented on its way, which an IPv6
 * header cannot say. */
const struct frame *reasm_input(struct reasm *r, uint32_t port,
				const struct packet *pkt,
				const struct frame *f);
/* The batch is over: nobody has a datagram any more. */
void reasm_flush(struct reasm *r);

/* Datagrams under way, those given up besides. */
unsigned reasm_n(const struct reasm *r);

#endif
