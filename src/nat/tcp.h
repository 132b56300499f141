/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP through the NAT: each guest connection is one host socket.  No protocol
 * state is doubled: the host's kernel does congestion control outside, the
 * guest's does it inside; this room translates between segments and bytes
 * (RFC 9293, 7323 window scale and timestamps, 2018 SACK, 6675 recovery,
 * 6298 timer).  Called by the gateway; one worker's thread.
 */
#ifndef NAT_TCP_H
#define NAT_TCP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/flow_seen.h"
#include "nat/env.h"
#include "nat/icmp.h"

struct tcp;

/* What the TCPs of several workers have in common: together they have as many
 * flows and as much memory as one, and each may use all of it.  What a worker
 * has touched of that it keeps until it needs none. */
struct tcp_share;

struct tcp_config {
	unsigned max_flows;	/* 0 = NAT_FLOWS_MAX */
	uint64_t max_buffer;	/* bytes of all spill, reassembly and
				 * retransmit stores; 0 = 256 MiB, reserved
				 * address space, touched on use */
	bool deny_peek_off;	/* use the retransmit ring even where the
				 * kernel has SO_PEEK_OFF for TCP */
	uint64_t peek_after;	/* a flow's bytes to the guest from which on
				 * they wait in the socket, not in the ring;
				 * 0 = 256 KiB */
	uint64_t seed[2];	/* initial sequence numbers (RFC 6528) */
	/* of one of several workers, else NULL; borrowed.  The rest is alike
	 * for all of them. */
	struct tcp_share *share;
	struct bucket_holds *holds;
};

__attribute__((warn_unused_result)) int
tcp_share_new(const struct tcp_config *c, struct tcp_share **sp);
/* None of them is there any more. */
struct tcp_share *tcp_share_free(struct tcp_share *s);

__attribute__((warn_unused_result)) int tcp_new(const struct nat_env *env,
						const struct tcp_config *c,
						struct tcp **tcpp);
/* Resets every flow to both sides. */
struct tcp *tcp_free(struct tcp *t);

/* One TCP segment of a guest, whose headers pkt describes; f is borrowed.
 * The source address was found valid. */
void tcp_input(struct tcp *t, const struct packet *pkt,
	       const struct frame *f);
/* A guest has refused a segment by an ICMP error; if it is the first one of a
 * connection to it, that is refused as by a RST. */
void tcp_guest_refused(struct tcp *t, const struct icmp_refusal *r);
/* The end of a batch: ACKs that found no data to ride on go out now. */
void tcp_flush(struct tcp *t);
/* The lan can take frames again (the room hook of the gateway's port). */
void tcp_room(struct tcp *t);

/* A connection that came from the host side (hostfwd, an in-house service):
 * sock is adopted and connected; it is moved into the flow (sock->fd becomes
 * -1) in success and failure.  A guest that refuses gets the client a reset.
 * 0, -ENOBUFS (table full), -ENOMEM (no room for the head, which has
 * TCP_HEAD_MAX bytes at most), -EADDRINUSE (this pair is in use). */
enum { TCP_HEAD_MAX = 256 };
__attribute__((warn_unused_result)) int
tcp_connect_guest(struct tcp *t, struct host_sock *sock,
		  const struct nat_inward *in);

/* The answer to env's serve() of c: fd is a connected stream socket, -1 if
 * there is none (the guest is refused).  fd is t's on success; -ENOENT if
 * nobody waits for it any more, or what adopt() says (the guest is refused). */
__attribute__((warn_unused_result)) int
tcp_serve(struct tcp *t, const struct nat_call *c, int fd);
/* The same of a socket that is registered already, and that whoever waits
 * between these ends may have: it is moved away, unless nobody does. */
void tcp_serve_sock(struct tcp *t, const struct endpoint *guest,
		    const struct endpoint *dst, struct host_sock *sock);

/* The host has lost these n addresses: what is connected from there ends, by a
 * RST behind what has come for the guest; what is not connected yet begins
 * anew. */
void tcp_addrs_gone(struct tcp *t, const addr *gone, unsigned n);
/* The host has no way out any more in that family: what is not connected yet
 * begins anew, and is refused if there is none to its server either. */
void tcp_way_gone(struct tcp *t, bool is_v4);

/* True if there is a connection between these two, or what is left of one. */
bool tcp_has(struct tcp *t, const struct endpoint *guest,
	     const struct endpoint *peer);
/* True if tcp_connect_guest() would not find this pair in use. */
bool tcp_is_pair_free(struct tcp *t, const struct endpoint *guest,
		      const struct endpoint *peer);

/* What a guest's connection to dst would meet. */
enum tcp_way {
	TCP_WAY_NONE,	/* it is refused */
	TCP_WAY_SERVED, /* what env->serve() brings */
	TCP_WAY_HOST,	/* *to, as the host has it */
};
enum tcp_way tcp_way(const struct tcp *t, const struct endpoint *dst,
		     struct endpoint *to);

/* The ICMP error a failed connect should give the guest is sent by the icmp
 * part: set once by the gateway. */
struct tcp_report {
	/* err is the errno of connect() */
	void (*unreachable)(void *arg, const struct packet *pkt,
			    const struct frame *f, int err);
	/* icmp_relay() and icmp_probe(); may be NULL */
	bool (*relay)(void *arg, const struct icmp_relay *r);
	void (*probe)(void *arg, const struct packet *pkt,
		      const struct frame *f);
	void *arg;
};
void tcp_set_report(struct tcp *t, const struct tcp_report *r);

struct tcp_stats {
	unsigned n_flows;
	uint64_t n_opened, n_refused, n_reset, n_rto, n_fast_retransmit;
	uint64_t bytes_up, bytes_down;
	uint64_t buffer_used; /* bytes of the stores in use */
	uint64_t buffer_kept; /* ... that the stores keep, used or not */
};
void tcp_stats(const struct tcp *t, struct tcp_stats *sp);
/* As flow_walk(), of as many as r has room for. */
uint32_t tcp_show(const struct tcp *t, uint32_t from, struct flow_room *r);

#endif
