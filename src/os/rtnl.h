/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Links, addresses and routes of the current network namespace, by rtnetlink
 * (libmnl): read, made and removed.  Whoever changes the host for a network
 * does it by os/change.h, which writes it down first; this is what lies below.
 *
 * All functions return 0 (or a count) or a negative errno, the kernel's where
 * it refused: -ENODEV no such link, -EEXIST it is there already, -EADDRNOTAVAIL
 * and -ESRCH no such address and route, -EPERM no right to.
 */
#ifndef OS_RTNL_H
#define OS_RTNL_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/mem.h"

struct nlmsghdr;

enum {
	RTNL_KIND_LEN = 16,
	RTNL_ROUTE_MAX = 512, /* bytes of one that can be moved */
};

struct rtnl_link {
	int index;
	char name[IFNAMSIZ];
	char kind[RTNL_KIND_LEN]; /* "bridge", "veth"; "" = hardware */
	int master;               /* index; 0 = none */
	unsigned flags;           /* IFF_* */
	unsigned short type;      /* ARPHRD_* */
	uint32_t mtu;
	uint32_t txqlen; /* frames that its queue holds */
	mac mac;         /* zero: none of 6 bytes */
	uint8_t xdp;     /* XDP_ATTACHED_*: how a program of XDP is there */
};

struct rtnl_link_new {
	const char *name;
	int index; /* see rtnl_index_new(); 0 = the kernel's choice */
	const char *kind;
	mac mac;          /* zero = the kernel's choice */
	int lower;        /* of macvlan and macvtap; else 0 */
	uint32_t macvlan; /* MACVLAN_MODE_*, of those */
	uint32_t txqlen;  /* 0 = the kernel's choice */
	int netns;        /* descriptor of the namespace that gets it; 0 = the
			   * current one */
	const char *peer; /* of veth: the other end's name */
};

/* Of a link with this name: what is zero or false is left as it is. */
struct rtnl_link_change {
	const char *ifname;
	bool up;        /* set IFF_UP */
	bool all_multi; /* set IFF_ALLMULTI */
	bool no_arp;    /* set IFF_NOARP */
	uint32_t txqlen;
	uint32_t mtu;
	mac mac;
	int master; /* index of the bridge to join */
};

struct rtnl_addr {
	int index;
	uint8_t family; /* AF_INET, AF_INET6 */
	uint8_t prefix_len;
	uint8_t scope;  /* RT_SCOPE_* */
	uint32_t flags; /* IFA_F_* that can be asked for */
	addr local;
	addr peer;            /* the same, but of point-to-point links */
	addr broadcast;       /* unspecified = none */
	char label[IFNAMSIZ]; /* "" = none */
	uint32_t metric;      /* of its route, 0 = the kernel's */
	uint8_t proto;        /* IFAPROT_*: who made it, 0 = not said */
	uint32_t valid_s, preferred_s; /* RTNL_FOREVER: no end */
};

#define RTNL_FOREVER UINT32_MAX

/* A route as the kernel told it, less what cannot be asked for: struct rtmsg
 * and attributes.  So nothing of it is lost when it is put back. */
struct rtnl_route {
	uint16_t len;
	_Alignas(4) uint8_t raw[RTNL_ROUTE_MAX];
};

/* Sends one request and waits for the kernel's acknowledgement. */
MUST_USE int rtnl_talk(struct nlmsghdr *nlh);

/* By name, or by index where name is NULL. */
MUST_USE int rtnl_link_get(const char *name, int index, struct rtnl_link *l);
/* An index that no link has: far from those that the kernel gives, so that
 * it names this link and no other for as long as the namespace lives. */
int rtnl_index_new(void);
MUST_USE int rtnl_link_add(const struct rtnl_link_new *n);
MUST_USE int rtnl_link_del(int index);
/* master 0: none. */
MUST_USE int rtnl_link_set_master(int index, int master);
MUST_USE int rtnl_link_set_up(int index, bool up);
MUST_USE int rtnl_link_set(const struct rtnl_link_change *c);
/* The loopback link of a namespace that is new. */
MUST_USE int rtnl_lo_up(void);
/* Moves it to the network namespace of that process. */
MUST_USE int rtnl_link_set_netns(int index, pid_t pid);

/* Those of the link, in the kernel's order, malloc'd: their number, *vp the
 * caller's.  IPv6 link-local ones, which the kernel makes, are not told. */
MUST_USE int rtnl_addr_list(int index, struct rtnl_addr **vp);
/* replace: one that is there gets these flags and lifetimes. */
MUST_USE int rtnl_addr_add(const struct rtnl_addr *a, bool replace);
/* Address and network of p on the link of that index, without end. */
struct rtnl_addr rtnl_addr_of(int index, const struct prefix *p);
/* One more address for the link of that name, the host's at once. */
MUST_USE int rtnl_addr_put(const char *ifname, const struct prefix *p);
MUST_USE int rtnl_addr_del(const struct rtnl_addr *a);
/* "192.0.2.2/24".  buf takes RTNL_ADDR_STRLEN; returns buf. */
const char *rtnl_addr_format(const struct rtnl_addr *a, char *buf);
enum { RTNL_ADDR_STRLEN = ADDR_STRLEN + 4 };

/* Those that leave by the link, malloc'd, of all tables but the one of the
 * host's own addresses; those of IPv6 link-local and multicast, which the
 * kernel makes, are not told.  -E2BIG: one is longer than RTNL_ROUTE_MAX. */
MUST_USE int rtnl_route_list(int index, struct rtnl_route **vp);
/* Whether its attributes lie within it: nothing else may be given to the
 * functions below. */
bool rtnl_route_is_sound(const struct rtnl_route *t);
/* The link it leaves by; 0 if by several, or by none. */
int rtnl_route_index(const struct rtnl_route *t);
/* Beside others to the same destination, behind them. */
MUST_USE int rtnl_route_add(const struct rtnl_route *t);
MUST_USE int rtnl_route_del(const struct rtnl_route *t);
/* One to `to` by a router on the link; `to` of length 0 is the default route of
 * the router's family. */
struct rtnl_route rtnl_route_via(const struct prefix *to, const addr *router,
				 int index);
/* One to the address alone, without a router; the host speaks as `from`. */
struct rtnl_route rtnl_route_to(const addr *to, const addr *from, int index);
/* The one by which the host would speak to that address now; a negative errno
 * if it would not, -ENETUNREACH and others as the kernel says. */
MUST_USE int rtnl_route_find(const addr *to, struct rtnl_route *t);
/* Whether it leads there by that link itself: by no router, and to somebody
 * else than the host. */
bool rtnl_route_is_direct(const struct rtnl_route *t, int index);
/* Whether it leads to the host itself. */
bool rtnl_route_is_local(const struct rtnl_route *t);
/* Whether it goes by that router. */
bool rtnl_route_has_router(const struct rtnl_route *t, const addr *router);
/* The same route by link `to`, with no end of its life. */
struct rtnl_route rtnl_route_by(const struct rtnl_route *t, int from, int to);
/* Whether it goes by a router: such ones need the others first. */
bool rtnl_route_has_gateway(const struct rtnl_route *t);
/* Whether it is made of nexthop objects, which name their link themselves. */
bool rtnl_route_has_nexthop_id(const struct rtnl_route *t);
/* "default via 192.0.2.1 metric 100".  buf takes RTNL_ROUTE_STRLEN; returns
 * buf. */
const char *rtnl_route_format(const struct rtnl_route *t, char *buf);
enum { RTNL_ROUTE_STRLEN = 2 * ADDR_STRLEN + 64 };

/* That address has that MAC on the link, and the kernel is to believe it: one
 * that is there gets this MAC. */
MUST_USE int rtnl_neighbour_set(int index, const addr *ip, mac m);
MUST_USE int rtnl_neighbour_del(int index, const addr *ip);
/* Has the kernel ask whether he who had it last is still there. */
MUST_USE int rtnl_neighbour_ask(int index, const addr *ip);
/* The MAC that the kernel has heard it has, now or lately; -ENOENT: none. */
MUST_USE int rtnl_neighbour_find(int index, const addr *ip, mac *mp);

#endif
