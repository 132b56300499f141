/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every service of the gateway uses.  Made by the gateway; borrowed;
 * one worker's thread.
 */
#ifndef SERVICE_SERVICE_H
#define SERVICE_SERVICE_H

#include "base/addr.h"
#include "base/host.h"
#include "base/log.h"
#include "base/quota.h"
#include "base/subnet.h"
#include "base/timer.h"
#include "lan/drop.h"
#include "lan/lan.h"

struct netboot;

struct service_env {
	struct host *host;
	struct timer_wheel *wheel;
	const uint64_t *now_ns;
	struct drops *drops;
	struct log *log;
	struct port *port;  /* the gateway's: source of all that is sent */
	mac gw_mac;
	struct subnet v4, v6; /* gw: the services' address towards guests */
	addr ll6; /* link-local: what DHCPv6 answers from */
	struct prefix nat64; /* IPv4 as guests without it see it; len 0: off */
	uint32_t mtu;	    /* guest-side IP MTU */
	bool has_http;	    /* someone answers at the name server's port 80 */
	const struct netboot *netboot; /* what machines boot; NULL: nothing */
};

/* A UDP datagram for one guest; both ends are of one family. */
struct service_dgram {
	mac to;
	struct endpoint src;
	struct endpoint dst;
	const uint8_t *payload; /* borrowed for the call */
	size_t len;
};

/* True if a port of the lan (service_payer()), which holds n_port of the n
 * parts in use of n_max that all guests share, may not have another one. */
static inline bool service_port_is_full(uint32_t port, unsigned n_port,
					unsigned n, unsigned n_max)
{
	return port && !quota_port_has_room(n_port, n_max - n);
}

/* The port of the lan that pays for what is done now (lan_payer()). */
uint32_t service_payer(const struct service_env *env);

/* The payload that fits a datagram to a, in one piece. */
size_t service_room(const struct service_env *env, const addr *a);
/* Sends it; false if it does not fit the guest's MTU in one piece. What the
 * lan loses it counts. */
bool service_send(const struct service_env *env, const struct service_dgram *d);

#endif
