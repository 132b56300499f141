/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of the gateway: gateway.c makes it and answers the lan,
 * gateway_input.c judges each frame and hands it to its part.  One worker's
 * thread; of several the first's, but for what is said (gateway_legs.h): then
 * what the others read of it is written in pauses only.
 */
#ifndef GATEWAY_GATEWAY_PRIV_H
#define GATEWAY_GATEWAY_PRIV_H

#include "gateway/gateway.h"
#include "gateway/gateway_legs.h"
#include "gateway/gateway_nd.h"
#include "gateway/held.h"
#include "gateway/neigh.h"
#include "gateway/querier.h"
#include "nat/env.h"
#include "nat/forward.h"
#include "nat/group.h"
#include "nat/icmp.h"
#include "nat/reasm.h"
#include "nat/tcp.h"
#include "nat/udp.h"
#include "service/dhcp.h"
#include "service/dhcp6.h"
#include "service/dns_tcp.h"
#include "service/netboot.h"
#include "service/tftp.h"
#include "wire/tftp.h"
#include "service/ntp.h"

struct gateway {
	struct port port; /* first */
	struct nat_env nat;
	struct gateway_config config; /* name is not kept */
	mac dns_mac;                  /* what QEMU answers ARP for dns with */
	addr broadcast4;
	struct gateway_guestfwd guestfwd[GATEWAY_GUESTFWDS_MAX];
	unsigned n_guestfwds;
	int (*serve)(void *arg, uint32_t id, const struct nat_call *c);
	void (*refuse)(void *arg, uint32_t id, int fd,
		       const struct endpoint *client,
		       const struct icmp_refusal *r);
	void (*leases)(void *arg, uint32_t id, bool is_urgent);
	bool (*machines)(void *arg, uint32_t id, struct zone_walk *w,
			 struct zone_machine *m);
	void *env_arg; /* of the four above */
	struct neigh neigh;
	struct gateway_nd nd;
	struct held held;
	struct querier querier;
	bool is_busy;      /* inside send() */
	bool is_udp_turn;  /* UDP is told first of the next room */
	struct icmp *icmp; /* owned, as those below */
	struct reasm *reasm;
	struct udp *udp;
	struct tcp *tcp;
	struct tcp_config tcp_config; /* the legs' are alike */
	struct gateway_legs *legs; /* owned; NULL: one worker */
	struct groups *groups; /* NULL: none pass */
	struct forward *forward;
	struct service_env service;
	struct dhcp_rules *dhcp_rules; /* what both tell clients */
	struct probes *probes;	/* NULL: none */
	struct dhcp *dhcp;
	struct dhcp6 *dhcp6; /* NULL: IPv6 is off */
	struct dns *dns;
	struct dns_tcp *dns_tcp;
	const struct tftp_files *tftp_files; /* borrowed; NULL: none can be */
	struct tftp *tftp; /* NULL: no folder is served */
	struct netboot netboot;
	struct ntp *ntp; /* NULL: the time is not told */
	uint8_t payload[2048]; /* of the datagram a service looks at */
};

/* ip, found valid, has sent from m. */
void gateway_learn(struct gateway *gw, const addr *ip, mac m);
/* One frame that a guest sent; borrowed until the batch ends. */
void gateway_input(struct gateway *gw, const struct frame *f);
/* Inside send() of p, the gateway's port or a leg of it: frame i is lost if its
 * worker counts more now than before it was taken; who looks on (lan/tap.h) is
 * told. */
void gateway_tell_lost(struct port *p, const struct batch *b, unsigned i,
		       const struct drops *before, const struct drops *now);
/* The rule for connections to server, or NULL. */
const struct gateway_guestfwd *
gateway_guestfwd_find(const struct gateway *gw, const struct endpoint *server);
/* True if a is the address of a rule. */
bool gateway_is_guestfwd(const struct gateway *gw, const addr *a);
/* Has the engine told of leases that change, once there are servers. */
void gateway_lease_watch(struct gateway *gw);
/* Makes what tells the time. */
__attribute__((warn_unused_result)) int gateway_ntp_new(struct gateway *gw);
/* The hooks of struct nat_env. */
bool gateway_is_served(void *arg, const struct endpoint *dst);
int gateway_serve(void *arg, const struct nat_call *c);
/* The name server that guests are told of in a family; false: none, and *ap is
 * unspecified. */
bool gateway_nameserver(const struct gateway *gw, bool is_v4, addr *ap);
/* True if a is the name server's address, of either family. */
static inline bool gateway_is_dns(const struct gateway *gw, const addr *a)
{
	const struct subnet *s = nat_subnet(&gw->nat, a);

	return s->is_on && addr_eq(a, &s->dns);
}

/* True if it has a name server, for its zone at least. */
static inline bool gateway_has_dns(const struct gateway *gw)
{
	const struct gateway_config *c = &gw->config;

	return !c->is_restricted || c->keeps_services || c->zone[0];
}

/* Gives the name server its zone (gateway_names.c). */
void gateway_names(struct gateway *gw);
/* What one worker's parts count, to the sum; the workers' own, or in a
 * pause. */
void gateway_stats_add(struct gateway_stats *sp, const struct tcp *tcp,
		       const struct udp *udp);
/* t's errors are icmp's to send. */
void gateway_tcp_reports(struct tcp *t, struct icmp *icmp);
/* There is room again.  Both are told, now this one first, now that: who comes
 * first may fill the exit again, and the other would never have a turn. */
void gateway_room(struct tcp *t, struct udp *u, bool *is_udp_turnp);
/* The hook of struct nat_env, of any worker. */
bool gateway_redirect(const struct gateway *gw, uint8_t proto,
		      const struct endpoint *dst, struct endpoint *to);
/* True for a packet that whichever worker may carry who has its flow: sound,
 * whole, of TCP or UDP, to somebody beyond us.  The same for all packets of a
 * flow that worker 0 would not drop at once.  Any worker, with legs. */
bool gateway_is_shared(const struct gateway *gw, const struct packet *pkt);
/* Why a packet of a guest, sound and from an address that it may have, goes
 * no further; DROP_N: it does. */
enum drop_reason gateway_refuses(const struct gateway *gw,
				 const struct packet *pkt,
				 const struct frame *f);
/* Who takes a datagram that is not refused. */
enum gateway_taker {
	TAKER_NAT,
	TAKER_TFTP,
	TAKER_NTP,
	TAKER_DNS,
};
enum gateway_taker gateway_udp_taker(const struct gateway *gw,
				     const struct packet *pkt);
/* True if what guests send to a goes on to the host or the world, and to no
 * part of the gateway. */
bool gateway_is_far(const struct gateway *gw, const addr *a);
/* True if a is an address of ours, guestfwd's among them. */
bool gateway_is_ours(const struct gateway *gw, const addr *a);
/* True if a guest may send from src: of a subnet that is served. */
bool gateway_source_ok(const struct gateway *gw, const addr *src);
/* The same, or an address of the link (RFC 4291 2.5.6), which goes no further
 * than to us. */
bool gateway_neighbour_ok(const struct gateway *gw, const addr *a);

#endif
