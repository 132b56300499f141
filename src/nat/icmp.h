/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP for the guest, of both families: errors about what it sent, echo of our
 * own addresses, and ping of the world by ping sockets.
 *
 * A ping is answered only by who was pinged: each (guest, identifier) has one
 * host ping socket; the kernel puts its own identifier on the wire and we put
 * the guest's back.  Errors that the host's kernel was told (its error queue)
 * reach the guest from who sent them.  Called by the gateway, udp and forward;
 * one worker's thread.
 */
#ifndef NAT_ICMP_H
#define NAT_ICMP_H

#include "base/flow_seen.h"
#include "nat/env.h"
#include "wire/icmp.h"

enum {
	ICMP_FLOWS_MAX = 8192,
	ICMP_IDLE_SECONDS = 30,
	ICMP_ERROR_BURST = 50,  /* errors to one guest at once, and then */
	ICMP_ERROR_RATE = 1000, /* a second (Linux's icmp_msgs_*) */
	ICMP_REFUSAL_MS = 50,	/* in this time all guests together .. */
	ICMP_REFUSALS = 50,	/* .. refuse so often, one half as often */
};

struct icmp;

/* A guest's word that what came to it finds nobody there. */
struct icmp_refusal {
	uint8_t proto;	       /* IPPROTO_UDP or _TCP */
	struct endpoint guest; /* whom it came to */
	struct endpoint peer;  /* who sent it, as the guest knows it */
	uint8_t code;	       /* ICMP_U_*, not FRAG_NEEDED */
	addr local;	       /* the host's address it was sent to, if
				* known */
	uint32_t seq;	       /* TCP: of the segment */
	uint16_t len;	       /* UDP: of the datagram's payload */
	uint8_t payload[64];   /* its first bytes */
	uint8_t n_payload;
};

/* max_flows 0 = ICMP_FLOWS_MAX. */
__attribute__((warn_unused_result)) int
icmp_new(const struct nat_env *env, unsigned max_flows, struct icmp **icp);
struct icmp *icmp_free(struct icmp *ic);

/* One ICMP message of a guest; the source address was found valid. */
void icmp_input(struct icmp *ic, const struct packet *pkt,
		const struct frame *f);

/* True if a message of a guest is whole in its frame and its checksum right;
 * counts the drop if not. */
bool icmp_check(struct icmp *ic, const struct packet *pkt,
		const struct frame *f);
/* True if a message of a guest refuses a UDP datagram or a TCP segment that
 * came to that very guest.  The checksum is icmp_check()'s to judge. */
bool icmp_is_refusal(const struct packet *pkt, const struct frame *f,
		     struct icmp_refusal *rp);

/* One more error to guest, or of it, is within the ration; else it is counted
 * (DROP_ICMP_RATE).  Machines are told apart by their MACs: under another's
 * address one could spend what is the other's. */
bool icmp_ration(struct icmp *ic, mac guest);
/* The same of a guest's refusal, inside send().  Those of all guests are
 * rationed together, for they go one way to the keeper, with other messages.
 * Of n ports that have much to refuse (by port: nothing says how many MACs a
 * machine has) each gets one part of n + 1, so that there is one for the next
 * that comes. */
bool icmp_ration_refusal(struct icmp *ic);

/* Tells the guest, from the gateway, that its frame f was not carried.  Says
 * nothing about what may not be answered (RFC 1122 3.2.2: errors, broadcasts,
 * later fragments; RFC 4443 2.4 (e)).  Type and code are those of ICMP; to a
 * guest of IPv6 goes what means the same.  arg is the MTU for
 * ICMP_U_FRAG_NEEDED, the pointer, into the packet as it is, for
 * ICMP_PARAMETER, else 0. */
void icmp_error(struct icmp *ic, uint8_t type, uint8_t code, uint16_t arg,
		const struct packet *pkt, const struct frame *f);
/* As icmp_error(), for the errno of a host socket; an err that is nobody's
 * refusal (EAGAIN, ENOBUFS) says nothing.  mtu is for EMSGSIZE. */
void icmp_errno(struct icmp *ic, int err, uint32_t mtu,
		const struct packet *pkt, const struct frame *f);

/* Remembers a packet that looks for a hop, so that icmp_relay() can quote it
 * as the guest sent it: some programs find their probes by identification,
 * length or checksum.  Of all other packets it quotes what flow and error
 * queue tell. */
void icmp_probe(struct icmp *ic, const struct packet *pkt,
		const struct frame *f);

/* Passes on an entry of a host socket's error queue. */
struct icmp_relay {
	const struct host_err *err;
	mac guest_mac;
	uint8_t proto;
	struct endpoint guest; /* who sent what the error is about, */
	struct endpoint dst;   /* and where to, both as the guest knows it */
	/* The start of what it sent: transport header and payload. */
	const uint8_t *quote;
	uint32_t quote_len;
};
/* False: it says nothing that the guest should hear. */
bool icmp_relay(struct icmp *ic, const struct icmp_relay *r);

unsigned icmp_n_flows(const struct icmp *ic);
/* As flow_walk(), of as many as r has room for. */
uint32_t icmp_show(const struct icmp *ic, uint32_t from, struct flow_room *r);

#endif
