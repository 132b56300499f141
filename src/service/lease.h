/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of DHCP leases: which client has which address of the pool.
 *
 * A client is its client identifier, or its MAC where it sends none (RFC 2131
 * 4.2).  Found by client and by address in O(1).  An address is given out in
 * this order: the client's own, the one it asks for, the lowest that was never
 * used, one that was only offered, the one whose lease ended first.  One sender
 * of requests (the frame's source MAC) holds at most LEASE_PER_SENDER, those it
 * declined included, so that it cannot take the pool; a machine that is another
 * client at each of its starts gives its oldest lease for a new one.  Addresses
 * that are kept for a MAC go to whatever client has it, and to no other.  One
 * worker's thread; time is a parameter.
 *
 *        offer            confirm              expiry, release
 * FREE ----------> OFFERED ------> BOUND ----------------------> FREE
 *   ^                 |  60 s        |  decline
 *   +-----------------+              v
 *   +---------------------------- RESTED  (10 min: somebody else uses it)
 */
#ifndef SERVICE_LEASE_H
#define SERVICE_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/hash.h"
#include "base/list.h"

enum {
	LEASE_MAX = 4096,	/* addresses of a pool */
	LEASE_PER_SENDER = 16,
	LEASE_ID_MAX = 64,	/* bytes of a client identifier that count */
	LEASE_NAME_LEN = 64,
	LEASE_BUCKETS = 1024,
};

enum lease_state {
	LEASE_FREE,
	LEASE_OFFERED,
	LEASE_BOUND,
	LEASE_RESTED,
	LEASE_STATES
};

/* Who asks. */
struct lease_client {
	uint8_t id[LEASE_ID_MAX + 1]; /* type byte and identifier */
	size_t id_len;
	mac mac;    /* chaddr */
	mac sender; /* source of the frame */
};

struct lease {
	struct list order;     /* in table->by_state, once used */
	struct list of_sender; /* in table->of_sender unless FREE */
	struct lease *chain;
	addr ip;
	enum lease_state state;
	uint64_t end_ns;	/* when the state ends */
	struct lease_client client; /* kept after the end, for its return */
	char name[LEASE_NAME_LEN];  /* host name the client told; "" none */
	uint16_t sender;	    /* index of the sender's count */
	bool was_used;
	bool was_bound; /* to this client */
	bool is_kept; /* for the client with MAC owner; zero: for nobody */
	mac owner;
	bool reserved;		    /* ours (gateway, resolver): never given */
};

struct lease_table {
	struct lease *lease; /* owned: one per address of the pool, in order */
	unsigned n;	     /* addresses in the pool */
	uint32_t first;	     /* of the pool, host order */
	unsigned n_kept;     /* of the first are kept for their owners */
	unsigned fresh;	     /* addresses below were used once */
	unsigned n_bound;
	/* Used leases: FREE as they are to be used again, the others by
	 * end_ns. */
	struct list by_state[LEASE_STATES];
	struct lease *bucket[LEASE_BUCKETS];
	/* By hash of sender: leases that are not FREE, oldest first. */
	struct list of_sender[LEASE_BUCKETS];
	uint16_t n_sender[LEASE_BUCKETS];
	struct hash_key key;
};

/* The pool runs from first to the end of net without its broadcast. 0 or
 * -ENOMEM. */
__attribute__((warn_unused_result)) int
lease_table_init(struct lease_table *t, const struct prefix *net,
		 const addr *first);
void lease_table_deinit(struct lease_table *t);
/* An address that must not be given out. */
void lease_reserve(struct lease_table *t, const addr *ip);

/* The first n addresses of the pool are given to their owners only. */
void lease_keep_first(struct lease_table *t, unsigned n);
/* One of these is m's from now on, or nobody's if m is zero. */
void lease_keep_for(struct lease_table *t, const addr *ip, mac m);

/* What has ended by now becomes FREE.  Called before the others, which take
 * what is written in the table for true. */
void lease_expire(struct lease_table *t, uint64_t now_ns);
/* The client's lease, in any state, or NULL. */
struct lease *lease_find(struct lease_table *t, const struct lease_client *c);
/* The lease of an address of the pool, or NULL. */
struct lease *lease_at(struct lease_table *t, const addr *ip);
/* An address for the client, which becomes its own until end_ns (OFFERED, or
 * as it was if it is BOUND). want: an address it asks for, unspecified if
 * none. NULL: no address is free, or its sender has enough. */
struct lease *lease_offer(struct lease_table *t, const struct lease_client *c,
			  const addr *want, uint64_t end_ns);
/* True if the address is free for the client. */
bool lease_is_free_for(const struct lease *l, const struct lease_client *c);
/* True if the client may have this very address now: it is free for it, and
 * no other is kept for it. */
bool lease_may_have(const struct lease_table *t, const struct lease *l,
		    const struct lease_client *c);
void lease_bind(struct lease_table *t, struct lease *l, uint64_t end_ns);
/* The client gives it back; the address stays its first choice. */
void lease_release(struct lease_table *t, struct lease *l);
/* Somebody else uses the address: nobody gets it until end_ns. */
void lease_rest(struct lease_table *t, struct lease *l, uint64_t end_ns);

#endif
