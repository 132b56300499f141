/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of the gateway: gateway.c makes it and answers the lan,
 * gateway_input.c judges each frame and hands it to its part.  One worker's
 * thread.
 */
#ifndef GATEWAY_GATEWAY_PRIV_H
#define GATEWAY_GATEWAY_PRIV_H

#include "gateway/gateway.h"
#include "gateway/held.h"
#include "gateway/neigh.h"
#include "nat/env.h"
#include "nat/forward.h"
#include "nat/icmp.h"
#include "nat/reasm.h"
#include "nat/tcp.h"
#include "nat/udp.h"
#include "service/dhcp.h"
#include "service/dns.h"

struct gateway {
	struct port port; /* first */
	struct nat_env nat;
	struct gateway_config config; /* name is not kept */
	mac dns_mac;                  /* what QEMU answers ARP for dns with */
	addr broadcast4;
	struct gateway_guestfwd guestfwd[GATEWAY_GUESTFWDS_MAX];
	unsigned n_guestfwds;
	int (*serve)(void *arg, uint32_t id, const struct endpoint *guest,
		     const struct endpoint *server);
	void (*refuse)(void *arg, uint32_t id, int fd,
		       const struct endpoint *client,
		       const struct icmp_refusal *r);
	void *env_arg; /* of the two above */
	struct neigh neigh;
	struct held held;
	bool is_busy;      /* inside send() */
	bool is_udp_turn;  /* UDP is told first of the next room */
	struct icmp *icmp; /* owned, as those below */
	struct reasm *reasm;
	struct udp *udp;
	struct tcp *tcp;
	struct forward *forward;
	struct service_env service;
	struct dhcp *dhcp;
	struct dns *dns;
	uint8_t payload[2048]; /* of the datagram a service looks at */
};

/* ip, found valid, has sent from m. */
void gateway_learn(struct gateway *gw, const addr *ip, mac m);
/* One frame that a guest sent; borrowed until the batch ends. */
void gateway_input(struct gateway *gw, const struct frame *f);
/* The rule for connections to server, or NULL. */
const struct gateway_guestfwd *
gateway_guestfwd_find(const struct gateway *gw, const struct endpoint *server);
/* True if a is the address of a rule. */
bool gateway_is_guestfwd(const struct gateway *gw, const addr *a);
/* The hooks of struct nat_env. */
bool gateway_is_served(void *arg, const struct endpoint *dst);
int gateway_serve(void *arg, const struct endpoint *guest,
		  const struct endpoint *dst);
/* True if a guest may send from src. */
bool gateway_source_ok(const struct gateway *gw, const addr *src);

#endif
