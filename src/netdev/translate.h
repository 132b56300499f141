/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Many machines behind one MAC, for networks that accept no other (Wi-Fi,
 * clouds).
 *
 * What leaves carries the interface's MAC in Ethernet, ARP and neighbour
 * discovery; which machine an answer is for is told by its IP address.  The
 * table of addresses is learned from what machines send.  DHCP's chaddr and
 * client identifier stay the machine's own, so that each gets a lease of its
 * own; it is made to ask for an answer to all, which needs no address.
 *
 *   leaves:  machine's MAC -> host       comes:  host -> machine of the IP
 *
 * An address of the host's is nobody's behind us, whoever claims it: what is
 * for the host comes in by the same MAC.
 *
 * No system call, no clock; called by packet.c on the lan's worker.
 */
#ifndef NETDEV_TRANSLATE_H
#define NETDEV_TRANSLATE_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "netdev/fair.h"

enum {
	TRANSLATE_MAX = 128,     /* addresses */
	TRANSLATE_HOST_MAX = 16, /* of the host */
	TRANSLATE_CLIENTS = 16,  /* MACs that asked for a lease last */
	TRANSLATE_FILTER_MAX = 50 + TRANSLATE_MAX, /* instructions */
};

struct translate {
	mac host;
	struct translate_entry {
		addr ip;
		mac mac;
		struct fair_place place;
	} e[TRANSLATE_MAX];
	uint32_t from; /* port of the lan by which what leaves next came */
	unsigned n;
	addr host_ip[TRANSLATE_HOST_MAX];
	unsigned n_host; /* ever added: a ring */
	mac client[TRANSLATE_CLIENTS];
	unsigned n_client; /* ever added: a ring */
};

/* The n bytes at p begin a frame of len bytes that leaves: at least its first
 * FRAME_HDR_MAX, if it is that long.  They are changed in place.  is_summed:
 * its transport checksum is complete.  True if the filter is to be made
 * again. */
bool translate_out(struct translate *t, uint8_t *p, uint32_t n, uint32_t len,
		   bool is_summed, uint64_t now_ns);
/* The same for one of len bytes, all at p, that came.  False if it is for
 * nobody behind us. */
bool translate_in(struct translate *t, uint8_t *p, uint32_t len);
/* One of the host's own that passed: its addresses are the host's.  True if
 * the filter is to be made again. */
bool translate_host(struct translate *t, const uint8_t *p, uint32_t len);
/* ip is the host's; true as above. */
bool translate_host_ip(struct translate *t, const addr *ip);
/* Writes the filter of what can concern us; returns the instructions. */
unsigned translate_filter(const struct translate *t,
			  struct sock_filter f[static TRANSLATE_FILTER_MAX]);

#endif
