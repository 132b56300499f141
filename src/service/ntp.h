/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The time, by NTP (RFC 5905), as a server of versions 1 to 4 that has it of
 * the host's clock.  It keeps nothing of its clients: one message of a client
 * gives one answer, which is no longer.  Other modes (peers, broadcasts,
 * control) are dropped.
 *
 * Where the host's clock came from the kernel does not say, so the stratum is
 * 10, as of one that stands alone: a client that has a better source as well
 * prefers that.  How wrong the clock may be is told where the kernel knows it
 * (adjtimex), up to a second, beyond which clients would take the host's clock
 * for no clock at all; and so is a leap second.  Of a clock that nobody
 * disciplines nothing is known: it is the host's, and all that there is.
 *
 * Called by the gateway; one worker's thread.
 */
#ifndef SERVICE_NTP_H
#define SERVICE_NTP_H

#include "service/service.h"
#include "wire/packet.h"

enum {
	NTP_STRATUM = 10,
	NTP_RATE = 100, /* answers in a second to one port of the lan */
};

struct ntp;

/* env is borrowed.  -ENOMEM. */
__attribute__((warn_unused_result)) int ntp_new(const struct service_env *env,
						struct ntp **np);
/* Accepts NULL; returns NULL. */
struct ntp *ntp_free(struct ntp *n);
/* A datagram to port 123 of an address of ours, its payload whole; the answer
 * comes from that address. */
void ntp_input(struct ntp *n, const struct packet *pkt, const uint8_t *payload,
	       size_t len);

#endif
