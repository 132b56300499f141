/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The port kind `user`: a gateway with ARP, DHCP and DNS, and the NAT behind
 * it.  Made by the engine; reaches the kernel only through struct host.  Of
 * several workers everything here is the first's to call (gateway_legs.h).
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/dhcp_lease.h"
#include "base/dhcp_rule.h"
#include "base/flow_seen.h"
#include "base/forward_rules.h"
#include "base/host.h"
#include "base/log.h"
#include "base/serving.h"
#include "base/subnet.h"
#include "base/timer.h"
#include "base/why.h"
#include "lan/lan.h"
#include "service/zone.h"

enum {
	GATEWAY_NAME_LEN = 256,
	GATEWAY_SEARCH_MAX = 8, /* fits option 119 beside the others */
	GATEWAY_RESOLVERS_MAX = 8,
	GATEWAY_GUESTFWDS_MAX = 68, /* the grammar's, and SMB's */
};

/* All resolved and checked by the grammar (reference 2.1, 2.2). */
struct gateway_config {
	const char *name; /* copied */
	uint32_t id;
	struct subnet v4, v6; /* v4 is filled in though it be off: our MAC is
			       * made of it */
	/* the host has a way out: as gateway_ways() */
	bool has_way4, has_way6;
	bool follows_host; /* gateway_move6() will be called */
	bool nat64; /* IPv4 for guests without it, by NAT64 and DNS64 */
	addr dhcp_start4;
	addr router4; /* named by DHCP; unspecified: v4.gw, if that is one */
	addr router6; /* of the link, in whose name we advertise; unspecified:
		       * we are it */
	char hostname[GATEWAY_NAME_LEN];   /* DHCP option 12, "" = none */
	char domainname[GATEWAY_NAME_LEN]; /* option 15, "" = none */
	char zone[GATEWAY_NAME_LEN]; /* of the machines' names; "" = none */
	char dnssearch[GATEWAY_SEARCH_MAX][GATEWAY_NAME_LEN];
	unsigned n_dnssearch;
	unsigned n_kept; /* addresses of the pool, from its first on, that only
			  * gateway_lease_keep() gives out */
	uint32_t mtu; /* 0 = 1500 */
	struct endpoint resolvers[GATEWAY_RESOLVERS_MAX];
	unsigned n_resolvers; /* 0: the host has none */
	bool is_restricted;   /* no way out (reference 2.7) .. */
	bool keeps_services;  /* .. but to the name server, which without
			       * this answers its zone only */
	bool has_multicast;   /* groups pass, nat/group.h; not if restricted */
	struct serving serving;
	bool probes; /* DHCP asks whether an address is in use (probe.h) */
	bool deny_peek_off;   /* test switch, tcp.h */
};

struct icmp_refusal;
struct nat_call;
struct tftp_files;

/* A worker behind the first, on which the gateway has a leg (lan/lane.h). */
struct gateway_worker {
	struct host *host;
	struct timer_wheel *wheel;
	const uint64_t *now_ns;
	struct lan *lane;
	struct drops *drops;
	struct log *log;
};

struct gateway_env {
	struct host *host;
	struct timer_wheel *wheel;
	const uint64_t *now_ns;
	struct lan *lan;
	struct drops *drops;
	struct log *log;
	/* Worker i is workers[i - 1]. */
	const struct gateway_worker *workers;
	unsigned n_workers;
	/* In between, the others do nothing, and what is theirs may change.
	 * They nest. */
	void (*pause)(void *arg);
	void (*resume)(void *arg);
	/* As that of struct netdev_env, for the gateway's port p. */
	int (*leg)(void *arg, struct port *p, unsigned worker,
		   struct port *leg);
	/* On worker me: these frames, which came for the gateway's port p of
	 * the first worker or for its leg on me, go by mail to its leg on
	 * worker `to`, which gets them as its lan's: lan_ingress() there is
	 * what it is here.  Returns the bits of those that found room; the
	 * others are counted. */
	uint64_t (*mail)(void *mail_arg, const struct port *p, unsigned me,
			 unsigned to, const struct batch *b, uint64_t mask);
	void *mail_arg;
	/* A guest called a guestfwd without target: asks for somebody who
	 * serves it; gateway_guestfwd_answer() follows. -EAGAIN: not now, the
	 * guest calls again; else negative: nobody can be asked. NULL: the
	 * same. */
	int (*serve)(void *arg, uint32_t id, const struct nat_call *c);
	/* A guest refuses what client sent it, which came by the UDP socket
	 * fd, ours still; a copy of it may be sent away.  NULL: nobody can
	 * tell the client. */
	void (*refuse)(void *arg, uint32_t id, int fd,
		       const struct endpoint *client,
		       const struct icmp_refusal *r);
	/* Leases have changed: gateway_lease_news() has them; is_urgent: more
	 * than that one ends later.  NULL: nobody wants to know. */
	void (*leases)(void *arg, uint32_t id, bool is_urgent);
	/* Opens and reads the files of TFTP; borrowed. NULL: there are none. */
	const struct tftp_files *tftp_files;
	/* The machines of its network, see struct zone_source; NULL: none are
	 * known. */
	bool (*machines)(void *arg, uint32_t id, struct zone_walk *w,
			 struct zone_machine *m);
	void *arg;
};

struct gateway;
struct netboot;

__attribute__((warn_unused_result)) int
gateway_new(const struct gateway_env *env, const struct gateway_config *c,
	    struct gateway **gwp);
struct gateway *gateway_free(struct gateway *gw);
struct port *gateway_port(struct gateway *gw);

/* The host's resolvers changed; nothing to who asks another. */
void gateway_resolvers(struct gateway *gw, const struct endpoint *r,
		       unsigned n);

/* A resolver of the network's own for the names in domain, "": for all, and the
 * host's are asked nothing.  -EINVAL: no name of DNS; -ENOBUFS. */
__attribute__((warn_unused_result)) int
gateway_dns_server(struct gateway *gw, const char *domain,
		   const struct endpoint *ep);

/* The host's addresses or routes changed; it has lost these n addresses. */
void gateway_network(struct gateway *gw, const addr *gone, unsigned n);

/* The host has a way out, or none, by each family: routers' advertisements say
 * no more than is so. */
void gateway_ways(struct gateway *gw, bool has_v4, bool has_v6);

/* The IPv6 network is another now, of 64 bits as before: guests are told, and
 * have the addresses of before as long as they keep them.  -EINVAL: IPv6 is
 * off, or a prefix has another length. */
__attribute__((warn_unused_result)) int gateway_move6(struct gateway *gw,
						      const struct subnet *to);

/* The interfaces of the host that lead out in either family, 0: none. */
void gateway_links(struct gateway *gw, uint32_t v4, uint32_t v6);

/* A kept address of the pool is for the machine with MAC m, zero: for nobody.
 * Another than those is ignored. */
void gateway_lease_keep(struct gateway *gw, const addr *ip, mac m);

/* DHCP says this to clients, or keeps these addresses for one.  Before anybody
 * has a lease.  -EINVAL: it makes no sense in this network; -ENOMEM;
 * -ENOBUFS: there are too many. */
__attribute__((warn_unused_result)) int
gateway_dhcp_option(struct gateway *gw, const struct dhcp_option *o);
__attribute__((warn_unused_result)) int
gateway_dhcp_reserve(struct gateway *gw, const struct dhcp_reservation *v);

/* A lease that another engine gave, with its rest: DHCP_FOREVER, or seconds.
 * Behind the rules, before frames come.  One that makes no sense here, or that
 * a rule is against, is left out. */
void gateway_lease_restore(struct gateway *gw, const struct dhcp_lease *l,
			   uint32_t left_s);
/* Calls tell() for each lease that has changed, until it is negative: that one
 * and the rest stay to be told.  Returns what tell() said last, 0: all. */
typedef int (*gateway_lease_fn)(void *arg, const struct dhcp_lease *l,
				uint32_t left_s);
__attribute__((warn_unused_result)) int
gateway_lease_news(struct gateway *gw, gateway_lease_fn tell, void *arg);

/* hostfwd: fd is a listening TCP or a bound UDP socket; owned by the gateway
 * on success.  guest.ip unspecified = dhcp_start4 (QEMU's default guest); one
 * that no guest can have gives -EINVAL. */
struct gateway_forward {
	uint32_t id; /* for gateway_forward_del() */
	uint8_t proto; /* IPPROTO_TCP or IPPROTO_UDP */
	struct endpoint guest;
	struct forward_rules rules;
	int fd;
};
__attribute__((warn_unused_result)) int
gateway_forward_add(struct gateway *gw, const struct gateway_forward *f);
/* Closes the host port; what is connected stays so. -ENOENT: no such id. */
__attribute__((warn_unused_result)) int gateway_forward_del(struct gateway *gw,
							    uint32_t id);

/* guestfwd: connections of guests to server go to target, or, if that is
 * unspecified, to whom serve() brings.  -EINVAL: not an address of the
 * network's inside; -EEXIST; -ENOBUFS. */
struct gateway_guestfwd {
	struct endpoint server;
	struct endpoint target;
};
__attribute__((warn_unused_result)) int
gateway_guestfwd_add(struct gateway *gw, const struct gateway_guestfwd *g);
/* The answer to serve(), see tcp_serve(). */
__attribute__((warn_unused_result)) int
gateway_guestfwd_answer(struct gateway *gw, const struct nat_call *c, int fd);

/* From now on the gateway has HTTP, port 80 at the name server's address:
 * whoever calls it meets whom serve() brings, as with a guestfwd. */
void gateway_http(struct gateway *gw);

/* What machines boot, copied; the folder's contents may change, and it is
 * called again. 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int gateway_boot(struct gateway *gw,
						     const struct netboot *n);
/* As tftp_opened(). */
__attribute__((warn_unused_result)) int
gateway_tftp_opened(struct gateway *gw, uint64_t number, int fd, uint64_t size,
		    int err);

/* Where a packet would go that nobody sends (gateway_why.c): appends steps to
 * t, said by what decides about packets. */
struct gateway_why {
	struct endpoint from; /* the guest's */
	mac from_mac;
	struct endpoint to; /* ip unspecified: anybody in the world */
	uint8_t proto;	    /* IPPROTO_TCP, _UDP, or _ICMP of any family */
	const char *name;
	bool only_name;	    /* it is looked up, and no more */
	bool is_host;	    /* to is the host, at whatever address */
	bool is_inward;	    /* to is a guest, who is spoken to */
};
void gateway_why(struct gateway *gw, const struct gateway_why *q,
		 struct why_trail *t);

/* Counters for show and tests. */
struct gateway_stats {
	unsigned n_tcp, n_udp, n_icmp, n_leases;
	uint64_t tcp_rto, tcp_fast_retransmit, tcp_opened, tcp_refused;
	uint64_t tcp_reset;
	uint64_t tcp_up, tcp_down; /* bytes from and to guests .. */
	uint64_t udp_up, udp_down;
	uint64_t n_udp_up, n_udp_down; /* .. and datagrams */
	uint64_t dhcp, dhcp6; /* answers */
	uint64_t dns, dns_own, dns_known, dns_asked, dns_failed; /* dns.h */
	uint64_t buffer_used;
};
void gateway_stats(struct gateway *gw, struct gateway_stats *sp);

/* Which flows are shown next: all 0, the first. */
struct gateway_flows_at {
	uint32_t part, chain;
};
/* Workers that carry flows of the gateway. */
unsigned gateway_n_workers(const struct gateway *gw);
/* Shows some flows that this worker carries, on its own thread, and moves *at
 * behind them.  r has room for 64 at least; its now_ns is set.  False: there
 * are no more of them. */
bool gateway_show_flows(struct gateway *gw, unsigned worker,
			struct gateway_flows_at *at, struct flow_room *r);
/* Worker 0: by which names their guests looked the peers up. */
void gateway_name_flows(const struct gateway *gw, struct flow_room *r);

#endif
