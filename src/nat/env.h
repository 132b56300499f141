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
#include "base/timer.h"
#include "lan/drop.h"
#include "lan/lan.h"
#include "wire/packet.h"

enum {
	NAT_FLOWS_MAX = 262144, /* all protocols, all guests */
	NAT_MTU = 1500,         /* default guest-side MTU (QEMU's) */
};

struct icmp_refusal;

struct nat_env {
	struct host *host;
	struct timer_wheel *wheel;
	const uint64_t *now_ns;
	struct drops *drops;
	struct log *log;
	struct lan *lan;
	struct port *port;  /* the gateway's port: source of all we send */
	mac gw_mac;         /* source MAC of all we send */
	struct prefix net4; /* the lan's prefix */
	addr gw4;           /* our address; stands for the host's loopback */
	addr dns4;          /* the virtual resolver */
	uint32_t mtu;       /* guest-side IP MTU */
	/* The guests' router is another: who comes in by us is shown as the
	 * gateway, whoever it is, or the answers would go there. */
	bool has_other_router;

	/* The gateway's answers; arg is passed back. */
	void *arg;
	/* Where a connection of the guest to dst is to go on the host, beyond
	 * the rules of nat_map_out(): the resolver for dns4:53, a guestfwd
	 * target.  False: refused (RST or unreachable). *to starts as the
	 * ordinary mapping. */
	bool (*redirect)(void *arg, uint8_t proto, const struct endpoint *dst,
			 struct endpoint *to);
	/* True if what a guest's connection to dst meets is brought by the
	 * keeper; NULL: nothing is.  serve() asks for it: the answer comes by
	 * tcp_serve(), later; -EAGAIN: not now; else negative: it cannot be
	 * asked. */
	bool (*is_served)(void *arg, const struct endpoint *dst);
	int (*serve)(void *arg, const struct endpoint *guest,
		     const struct endpoint *dst);
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
	/* True if a guest that runs on the lan may use src (anti-spoofing:
	 * inside net4, not ours, not broadcast). */
	bool (*source_ok)(void *arg, const addr *src);
};

/* Guest's destination -> host's: gw4 becomes 127.0.0.1, the rest stays; then
 * env->redirect. False: not to be connected. */
bool nat_map_out(const struct nat_env *env, uint8_t proto,
		 const struct endpoint *dst, struct endpoint *to);
/* Host's source -> what the guest sees: loopback becomes gw4, and everybody
 * does where has_other_router. */
struct endpoint nat_map_in(const struct nat_env *env,
			   const struct endpoint *src);

#endif
