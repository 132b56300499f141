/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A DHCP client (RFC 2131) that asks once: for a program that is a machine of
 * a network.  It speaks over a packet socket, or whatever gives and takes
 * whole Ethernet frames.  Who ends gives nothing back; renew.h keeps a lease
 * for longer.
 */
#ifndef CLI_LEASE_H
#define CLI_LEASE_H

#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/mem.h"

enum {
	LEASE_DNS_MAX = 3,	 /* as the C library takes */
	LEASE_TEXT_LEN = 1024,	 /* of a resolv.conf, about */
};

struct lease {
	struct prefix ip;
	addr router;	 /* unspecified = none */
	uint16_t mtu;	 /* 0 = not said */
	addr dns[LEASE_DNS_MAX];
	unsigned n_dns;
	char search[LEASE_TEXT_LEN]; /* joined by spaces, "" = none */
	addr server;	 /* who gave it; unspecified = not said */
	uint32_t lease_s; /* how long; UINT32_MAX: for ever, 0 = not said */
	uint32_t renew_s, rebind_s; /* T1, T2; 0 = not said */
};

struct lease_args {
	int fd; /* borrowed, may block: frames of our interface */
	mac mac;
	const char *hostname;
	unsigned first_ms; /* until the first question is sent again; each
			    * wait is twice that before, as far as tries */
	unsigned tries;
};

/* 0, or negative with *e filled: -ETIMEDOUT if nobody leases an address. */
MUST_USE int lease_ask(const struct lease_args *a, struct lease *lp,
		       struct error *e);
/* Tells the others whose address this is now (RFC 5227 2.3). */
void lease_announce(int fd, mac own, const addr *ip);
/* The lease as a resolv.conf(5), whose first line says of which network. */
void lease_resolv_conf(const struct lease *l, const char *network,
		       char buf[2 * LEASE_TEXT_LEN]);

#endif
