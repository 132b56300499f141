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
#include "base/timer.h"
#include "lan/drop.h"
#include "lan/lan.h"

struct service_env {
	struct host *host;
	struct timer_wheel *wheel;
	const uint64_t *now_ns;
	struct drops *drops;
	struct log *log;
	struct port *port;  /* the gateway's: source of all that is sent */
	mac gw_mac;
	struct prefix net4; /* host bits clear */
	addr gw4;	    /* the services' address towards guests */
	addr dns4;
	uint32_t mtu;	    /* guest-side IP MTU */
};

/* A UDP datagram for one guest. */
struct service_dgram {
	mac to;
	struct endpoint src;
	struct endpoint dst;
	const uint8_t *payload; /* borrowed for the call */
	size_t len;
};

/* Sends it; false if it does not fit the guest's MTU in one piece. What the
 * lan loses it counts. */
bool service_send(const struct service_env *env, const struct service_dgram *d);

#endif
