/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP through the NAT.
 *
 * Each (address, port) of a guest is one unconnected host socket, so that the
 * mapping does not depend on the other end (RFC 4787 REQ-1) and anybody may
 * answer.  Upward, the datagrams of one batch that go to one socket leave in
 * one call, equal ones as a segmented run (UDP_SEGMENT).  Downward, payload is
 * received straight into buffers that the lan lends.  A forwarded port (udp
 * hostfwd) is one socket for all its clients; the guest's answers to a client
 * leave by it.  Called by the gateway and forward; one worker's thread.
 *
 * How long a silent mapping lives says its use: see the seconds below.  What
 * goes either way is use (RFC 4787 REQ-6); an ICMP error is not, and ends
 * nothing (REQ-12).
 */
#ifndef NAT_UDP_H
#define NAT_UDP_H

#include "base/flow_seen.h"
#include "base/forward_rules.h"
#include "nat/env.h"
#include "nat/icmp.h"

enum {
	UDP_FLOWS_MAX = 65536,
	UDP_CLIENTS_MAX = 16384, /* of all forwarded ports */
	UDP_IDLE_SECONDS = 300,	   /* both ends have spoken (RFC 4787 REQ-5) */
	UDP_NEW_IDLE_SECONDS = 120, /* one has: the least that REQ-5 allows */
	UDP_DNS_IDLE_SECONDS = 10, /* a few questions to port 53 */
	UDP_DNS_QUESTIONS = 8,	   /* more are no lookup of a program */
	UDP_FORWARDS_MAX = 4096,
};

struct udp;

struct udp_config {
	unsigned max_flows;   /* 0 = UDP_FLOWS_MAX */
	unsigned max_clients; /* 0 = UDP_CLIENTS_MAX */
	/* of one of several workers, else NULL; borrowed: they have as many
	 * flows together */
	struct flow_share *share;
	struct bucket_holds *holds;
};

/* ic is borrowed. */
__attribute__((warn_unused_result)) int udp_new(const struct nat_env *env,
						struct icmp *ic,
						const struct udp_config *c,
						struct udp **up);
struct udp *udp_free(struct udp *u);

/* One datagram of a guest.  The source address was found valid.  f is
 * borrowed until udp_flush(), which ends the batch. */
void udp_input(struct udp *u, const struct packet *pkt, const struct frame *f);
/* The same to a group, by the host's interface of that number, hop limit
 * included; what was queued before leaves now.  From which port of the host it
 * left; 0: it did not. */
uint16_t udp_input_group(struct udp *u, const struct packet *pkt,
			 const struct frame *f, uint32_t link);
void udp_flush(struct udp *u);
/* The lan can take frames again. */
void udp_room(struct udp *u);

/* A bound UDP socket whose datagrams go to guest, if the rules (copied) admit
 * who sent them; fd is owned by u on success.  0, -ENOBUFS (UDP_FORWARDS_MAX),
 * or what adopt() says. */
__attribute__((warn_unused_result)) int
udp_forward_add(struct udp *u, uint32_t id, int fd,
		const struct endpoint *guest,
		const struct forward_rules *rules);
/* Closes the first with this id and forgets its clients. 0 or -ENOENT. */
__attribute__((warn_unused_result)) int udp_forward_del(struct udp *u,
							uint32_t id);

/* Sets the bit of each port that is a guest's end of a forward, and clears the
 * others. */
void udp_forward_ports(const struct udp *u, uint8_t bits[UINT16_MAX / 8 + 1]);

/* A guest has refused what came to it: who sent it, by a forwarded port or to
 * a flow, is told by env->refuse(), once for each datagram at most; r->local is
 * filled in.  Inside send(). */
void udp_refused(struct udp *u, struct icmp_refusal *r);

/* True if there is a mapping of guest. */
bool udp_has(struct udp *u, const struct endpoint *guest);
/* True if the datagram answers a client of a forwarded port. */
bool udp_is_answer(struct udp *u, const struct packet *pkt);

/* True if the transport length and checksum of a datagram are good; counts
 * the drop if not.  *lenp is the payload's length. */
bool udp_check(const struct nat_env *env, const struct packet *pkt,
	       const struct frame *f, uint32_t *lenp);

unsigned udp_n_flows(const struct udp *u);
/* As flow_walk(), of as many as r has room for: flows, and clients of forwarded
 * ports. */
uint32_t udp_show(const struct udp *u, uint32_t from, struct flow_room *r);
uint32_t udp_show_clients(const struct udp *u, uint32_t from,
			  struct flow_room *r);

/* Datagrams and their payload, from guests and to them. */
struct udp_stats {
	uint64_t n_up, bytes_up, n_down, bytes_down;
};
void udp_stats(const struct udp *u, struct udp_stats *sp);

#endif
