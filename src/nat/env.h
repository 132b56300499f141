/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every part of the NAT uses, and the mapping between addresses as the
 * guest sees them and as the host does.  Made by the gateway; borrowed by
 * tcp, udp, icmp and forward; one worker's thread.
 */
#ifndef NAT_ENV_H
#define NAT_ENV_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/host.h"
#include "base/log.h"
#include "base/subnet.h"
#include "base/timer.h"
#include "lan/drop.h"
#include "lan/lan.h"
#include "wire/packet.h"

enum {
	NAT_FLOWS_MAX = 262144, /* all protocols, all guests */
	NAT_MTU = 1500,         /* default guest-side MTU (QEMU's) */
	NAT_WAS_MAX = 4,        /* networks of before */
};

struct icmp_refusal;

/* A guest's connection to what somebody else brings: its ends, and the guest's
 * first sequence number, by which it is told from one of the same ends that
 * somebody began in its place: the answer to the one is not for the other. */
struct nat_call {
	struct endpoint guest, server;
	mac guest_mac; /* zero in an answer, which is told by the others */
	uint32_t isn;
};

/* A connection from outside on its way to a guest. */
struct nat_inward {
	struct endpoint guest; /* where it goes */
	struct endpoint peer;  /* whom the guest sees as its source */
	const uint8_t *head; /* borrowed for the call: n_head bytes that the
			      * guest gets before the client's first */
	uint32_t n_head;
};

struct nat_env {
	struct host *host;
	struct timer_wheel *wheel;
	const uint64_t *now_ns;
	struct drops *drops;
	struct log *log;
	struct lan *lan;
	struct port *port;  /* the gateway's port: source of all we send */
	mac gw_mac;         /* source MAC of all we send */
	/* The lan's networks; gw stands for the host's loopback, .. */
	struct subnet v4, v6;
	/* .. unless nothing does, or one of these that is specified. */
	bool hides_host;
	addr host4, host6;
	/* v6 of before, the last one first: guests still have addresses there,
	 * and we are what we were. */
	struct subnet was6[NAT_WAS_MAX];
	unsigned n_was6;
	addr ll6; /* ours too where IPv6 is on, of the link (RFC 4291 2.5.6) */
	struct prefix nat64; /* IPv4 as guests without it see it; len 0: off */
	uint32_t mtu;       /* guest-side IP MTU */
	/* The guests' router is another: who comes in by us is shown as the
	 * gateway, whoever it is, or the answers would go there. */
	bool has_other_router;
	/* Guests have no router in that family, so they answer nobody beyond
	 * their own wire: new clients of forwards are shown as the gateway. */
	bool lacks_way4, lacks_way6;

	/* The gateway's answers; arg is passed back. */
	void *arg;
	/* Where a connection of the guest to dst is to go on the host, beyond
	 * the rules of nat_map_out(): a guestfwd target.  False: refused (RST
	 * or unreachable). *to starts as the ordinary mapping. */
	bool (*redirect)(void *arg, uint8_t proto, const struct endpoint *dst,
			 struct endpoint *to);
	/* True if what a guest's connection to dst meets is brought by
	 * somebody else, the keeper or the name server; NULL: nothing is.
	 * serve() asks for it: the answer comes by tcp_serve(), later;
	 * -EAGAIN: not now; else negative: it cannot be asked. */
	bool (*is_served)(void *arg, const struct endpoint *dst);
	int (*serve)(void *arg, const struct nat_call *c);
	/* MAC of a guest address. False: not known yet, a request is out and
	 * resolved() of the caller's part will not be called: the caller
	 * tries again (its SYN or datagram is retried or lost). */
	bool (*neigh)(void *arg, const addr *ip, mac *macp);
	/* Keeps a copy of f (its offload request too), whose destination MAC
	 * is not filled in yet,
	 * until ip's MAC is known; then it is sent, or lost by name.  NULL:
	 * such frames are lost. */
	void (*hold)(void *arg, const addr *ip, const struct frame *f);
	/* A guest has refused what client sent to it, which came by the UDP
	 * socket fd; it was share()d.  NULL: nobody can be told. */
	void (*refuse)(void *arg, int fd, const struct endpoint *client,
		       const struct icmp_refusal *r);
	/* Of several workers: as tcp_connect_guest(), by the worker whose the
	 * connection is.  -EAGAIN: its peer is in use there, or cannot be had
	 * now; sock is as it was.  NULL: one worker. */
	int (*connect)(void *arg, struct host_sock *sock,
		       const struct nat_inward *in);
	/* True if a guest that runs on the lan may use src (anti-spoofing:
	 * of its subnets, not ours, not broadcast). */
	bool (*source_ok)(void *arg, const addr *src);
};

/* The subnet of a's family; of several the one that has a. */
static inline const struct subnet *nat_subnet(const struct nat_env *env,
					      const addr *a)
{
	for (unsigned i = 0; i < env->n_was6; i++) {
		if (subnet_has(&env->was6[i], a))
			return &env->was6[i];
	}
	return addr_is_v4(a) ? &env->v4 : &env->v6;
}

/* The address of the network s that stands for the host's loopback. */
static inline const addr *nat_host(const struct nat_env *env,
				   const struct subnet *s)
{
	const addr *other = addr_is_v4(&s->gw) ? &env->host4 : &env->host6;

	return addr_is_unspecified(other) ? &s->gw : other;
}

/* True if a stands for the host's loopback. */
static inline bool nat_is_host(const struct nat_env *env, const addr *a)
{
	const struct subnet *s = nat_subnet(env, a);

	return !env->hides_host && s->is_on && addr_eq(a, nat_host(env, s));
}

/* True if a is the gateway's or the name server's, or the loopback's. */
static inline bool nat_is_ours(const struct nat_env *env, const addr *a)
{
	return subnet_is_ours(nat_subnet(env, a), a) || nat_is_host(env, a) ||
	       (env->v6.is_on && addr_eq(a, &env->ll6));
}

/* True if a is on the guests' own wire: of their network, the gateway or the
 * name server. */
static inline bool nat_is_inside(const struct nat_env *env, const addr *a)
{
	const struct subnet *s = nat_subnet(env, a);

	return subnet_has(s, a) || subnet_is_ours(s, a);
}

/* Guest's destination -> host's: an address in nat64 becomes the IPv4 address
 * in it, nat_host() the loopback, the rest stays; then env->redirect, which
 * knows nothing of nat64.  False: not to be connected. */
bool nat_map_out(const struct nat_env *env, uint8_t proto,
		 const struct endpoint *dst, struct endpoint *to);
/* Host's source -> what guest sees: nat64 shows IPv4 to IPv6, its loopback as
 * IPv4's nat_host(), if there is one; that stands for the loopback, and gw for
 * who has no address of guest's family, and for everybody where
 * has_other_router. */
struct endpoint nat_map_in(const struct nat_env *env,
			   const struct endpoint *src, const addr *guest);
/* The same of who comes unasked, and must be somebody whom guest can answer. */
struct endpoint nat_map_client(const struct nat_env *env,
			       const struct endpoint *src, const addr *guest);

#endif
