/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of the ICMP part, shared by icmp.c (errors, own echo) and ping.c
 * (flows to the world).  One worker's thread.
 */
#ifndef NAT_ICMP_PRIV_H
#define NAT_ICMP_PRIV_H

#include "base/slab.h"
#include "nat/flow.h"
#include "nat/icmp.h"
#include "nat/out.h"

enum {
	ICMP_SCRATCH = 65536, /* the longest message */
	ICMP_BUCKETS = 256,
	ICMP_REFUSERS = 256, /* ports that refusals are counted of */
	ICMP_PROBES = 128,   /* remembered, of all guests */
	ICMP_PROBE_LEN = 84, /* bytes of each */
};

/* Errors to one guest (two that fall together share). */
struct icmp_bucket {
	uint64_t refill_ns; /* when it was filled last */
	unsigned n_tokens;  /* errors that may be sent now */
};

/* Refusals in the current window of time, by the port that they came from
 * (two that fall together share). */
struct icmp_refusals {
	uint64_t window;   /* its number; 0: there was none yet */
	unsigned n;	   /* passed on in it */
	unsigned n_asking; /* ports that wanted to refuse in it .. */
	unsigned n_before; /* .. and in the one before */
	struct {
		uint64_t window; /* that its number counts in */
		unsigned n;
	} port[ICMP_REFUSERS];
};

/* The first bytes of a packet that looks for a hop, from its IP header on. */
struct icmp_probe {
	uint8_t b[ICMP_PROBE_LEN];
	uint8_t len; /* 0: none */
};

struct icmp {
	const struct nat_env *env; /* borrowed */
	struct out out;
	/* by the hash of the guest's MAC */
	struct icmp_bucket bucket[ICMP_BUCKETS];
	struct icmp_refusals refusals;
	struct flow_table flows;
	struct slab slab; /* of struct ping_flow */
	struct icmp_probe probe[ICMP_PROBES];
	unsigned next_probe; /* which is written next */
	bool told_denied; /* the one log line was written */
	uint8_t scratch[ICMP_SCRATCH];
};

/* Sends one message; rest is the second word of its header.  data is not
 * referenced after the return. */
void icmp_send(struct icmp *ic, const struct out_addr *a, uint8_t type,
	       uint8_t code, uint32_t rest, const uint8_t *data, uint32_t len);

/* Turns what icmp_relay() would quote, *lenp bytes from the IP header on, into
 * what the guest sent, if that is remembered.  Room: ICMP_QUOTE_MAX. */
void icmp_quote(const struct icmp *ic, uint8_t *quote, uint32_t *lenp);

__attribute__((warn_unused_result)) int ping_init(struct icmp *ic,
						  unsigned max_flows);
/* Accepts an icmp of which ping_init() failed. */
void ping_deinit(struct icmp *ic);
/* A verified echo request to somebody else. */
void ping_input(struct icmp *ic, const struct packet *pkt,
		const struct frame *f);

#endif
