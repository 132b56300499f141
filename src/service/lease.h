/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of DHCP leases: which client has which address of the pool.
 *
 * A client is its client identifier, or its MAC where it sends none (RFC 2131
 * 4.2); with DHCPv6 it is one IA of a DUID (RFC 8415 12).  Found by client and
 * by address in O(1).  An address is given out in this order: the client's own,
 * the one it asks for, its machine's, the lowest that was never used, one that
 * was only offered, the one whose lease ended first.  One sender
 * of requests (the frame's source MAC) holds at most LEASE_PER_SENDER, those it
 * declined included, so that it cannot take the pool; a machine that is another
 * client at each of its starts gives its oldest lease for a new one.  A port of
 * the lan, behind which one machine may have any number of MACs, leaves a
 * quarter of the places to others (service_port_is_full()).  Addresses that are
 * kept for a MAC go to whatever client has it, and to no other.  One
 * worker's thread; time is a parameter.
 *
 * A place can be reserved for whom a rule means (base/dhcp_rule.h): he gets no
 * other, and nobody else gets it, not even who had it before.  Places outside
 * of the pool are leased by such rules alone.
 *
 * What changes is news until somebody takes it (lease_news_take), so that it
 * can be written down and be restored by another engine.
 *
 * Two tables, twins, are the two families of one pool: what has a place in the
 * one (a number behind the prefix) has the same in the other.  A machine, known
 * by its MAC, is offered the place it has by the other family, and nobody gets
 * the twin of a place that another machine holds.  The rest (times, what was
 * declined) is each table's own.
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
#include "base/dhcp_rule.h"
#include "base/hash.h"
#include "base/list.h"

enum {
	LEASE_SECONDS = 86400, /* QEMU's */
	LEASE_OFFER_SECONDS = 60,
	LEASE_REST_SECONDS = 600,
	LEASE_MAX = DHCP_POOL_MAX,
	LEASE_PER_SENDER = 16,
	LEASE_ID_MAX = 134,	/* bytes of a client identifier that count: a
				 * DUID and an IAID (RFC 8415 11.1, 12) */
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
	size_t n_part; /* its last bytes tell which of the machine's several
			* clients this is (the IAID); 0: it has but one */
	mac mac;    /* chaddr */
	mac sender; /* source of the frame */
	uint32_t port; /* of the lan, that it came by; 0: it pays for nothing */
	uint16_t rule; /* number of its reservation; 0: it has none */
};

struct lease {
	struct list order;     /* in table->by_state, once used */
	struct list of_sender; /* in table->of_sender unless FREE */
	struct lease *chain;
	struct lease *twin; /* the same place in the other family, or NULL */
	addr ip;
	enum lease_state state;
	uint64_t end_ns;	/* when the state ends */
	struct lease_client client; /* kept after the end, for its return */
	char name[LEASE_NAME_LEN];  /* host name the client told; "" none */
	uint64_t named_ns;	    /* since when it has this one */
	uint16_t sender;	    /* index of the sender's count */
	bool was_used;
	bool was_bound; /* to this client */
	bool is_probed; /* for it: nobody else has the address */
	bool is_kept; /* for the client with MAC owner; zero: for nobody */
	mac owner;
	uint16_t rule; /* not 0: kept for the client of that rule instead */
	bool reserved;		    /* ours (gateway, resolver): never given */
	bool is_outside;	    /* of the pool: given by rule only */
	struct list news; /* in table->news, if it is any */
};

/* Where the pool lies; what is unspecified is the network's. */
struct lease_pool {
	addr first, last;
	addr lowest; /* a place before first that a rule may name; unspecified:
		      * there is none */
};

struct lease_table {
	struct lease *lease; /* owned: one per address of the pool, in order */
	unsigned n;	     /* addresses in it, with those outside the pool */
	unsigned pool;	     /* number of the pool's first */
	uint32_t first;	     /* address: its last 4 bytes, host order */
	struct lease_table *twin; /* the other family's, or NULL */
	bool is_led;	     /* made by lease_table_twin() */
	unsigned n_kept; /* of the pool's first are kept for their owners */
	unsigned n_shared;   /* in the pool, and kept for nobody */
	struct lease **by_rule; /* owned: its place, or NULL */
	unsigned n_rules;
	unsigned fresh;	     /* addresses below were used once */
	unsigned n_bound;
	unsigned n_held; /* not FREE, of those that are not kept */
	/* Used leases: FREE as they are to be used again, the others by
	 * end_ns. */
	struct list by_state[LEASE_STATES];
	struct lease *bucket[LEASE_BUCKETS];
	/* By hash of sender: leases that are not FREE, oldest first. */
	struct list of_sender[LEASE_BUCKETS];
	uint16_t n_sender[LEASE_BUCKETS];
	struct hash_key key;
	struct list news; /* leases that are others than was taken last */
	/* There is some; is_urgent: more than that a lease ends later.  Called
	 * at the end of what made it.  NULL: nobody wants to know. */
	void (*on_news)(void *arg, bool is_urgent);
	void *news_arg;
	bool is_news, is_urgent; /* to be called */
};

/* The pool lies in net, an IPv4 network, whose broadcast is none of it. 0 or
 * -ENOMEM. */
__attribute__((warn_unused_result)) int
lease_table_init(struct lease_table *t, const struct prefix *net,
		 const struct lease_pool *pool);
/* t becomes the twin of an existing table: its places, in net6.  What is
 * reserved and kept there is here.  Either may be deinit()ed first.  0 or
 * -ENOMEM. */
__attribute__((warn_unused_result)) int
lease_table_twin(struct lease_table *t, struct lease_table *of,
		 const struct prefix *net4, const struct prefix *net6);
/* t, a twin, has its places in net6 from now on, as long a prefix as before;
 * whose they are stays. */
void lease_table_move(struct lease_table *t, const struct prefix *net6);
void lease_table_deinit(struct lease_table *t);
/* An address, of either family, that must not be given out; with one of the
 * table that was made first its twin neither, for that leads. */
void lease_reserve(struct lease_table *t, const addr *ip);

/* The first n addresses of the pool are given to their owners only. */
void lease_keep_first(struct lease_table *t, unsigned n);
/* One of these, named by its address in either family, is m's from now on, or
 * nobody's if m is zero; its twin too. */
void lease_keep_for(struct lease_table *t, const addr *ip, mac m);
/* ip, named by its address in this table's family, is for the client of this
 * rule.  False: no client can have it here, or another rule has it; then, or
 * if ip is unspecified, the rule has no place. */
bool lease_set_rule(struct lease_table *t, unsigned rule, const addr *ip);

/* What has ended by now becomes FREE, in the twin as well.  Called before
 * the others, which take what is written in the table for true. */
void lease_expire(struct lease_table *t, uint64_t now_ns);
/* Places that are BOUND in one family or in both. */
unsigned lease_n_bound(const struct lease_table *t);
/* The client's lease, in any state, or NULL. */
struct lease *lease_find(struct lease_table *t, const struct lease_client *c);
/* The lease of an address of the pool, or NULL. */
struct lease *lease_at(struct lease_table *t, const addr *ip);
/* What a client should be offered that wants this address, if it has none: the
 * place its machine has by the other family, or else what it wants. */
addr lease_wish(struct lease_table *t, const struct lease_client *c,
		const addr *want);
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
/* When a lease of so many seconds, DHCP_FOREVER among them, ends. */
static inline uint64_t lease_end(uint64_t now_ns, uint32_t seconds)
{
	const uint64_t second_ns = UINT64_C(1000000000);

	return seconds == DHCP_FOREVER ? UINT64_MAX
				       : now_ns + seconds * second_ns;
}
/* What the client calls itself. */
void lease_name(struct lease *l, const char name[LEASE_NAME_LEN],
		uint64_t now_ns);
void lease_bind(struct lease_table *t, struct lease *l, uint64_t end_ns);
/* The client gives it back; the address stays its first choice. */
void lease_release(struct lease_table *t, struct lease *l);
/* Somebody else uses the address: nobody gets it until end_ns. */
void lease_rest(struct lease_table *t, struct lease *l, uint64_t end_ns);

/* The machine with this MAC, behind that port of the lan, was found to have the
 * address: nobody gets it until end_ns.  False, and nothing is changed: it has
 * so many already that it may not take any more from others. */
bool lease_used(struct lease_table *t, struct lease *l, mac user, uint32_t port,
		uint64_t end_ns);
/* The lease of ip as another engine had it: of that client until end_ns, or
 * FREE and to be its again.  False: it makes no sense here, or a rule says
 * otherwise, and nothing is changed.  No news. */
bool lease_restore(struct lease_table *t, const struct lease *was);
/* A lease that is news, which it is no more; NULL: there is none. */
struct lease *lease_news_take(struct lease_table *t);
/* It could not be told: it is news again, the first. */
void lease_news_return(struct lease_table *t, struct lease *l);

#endif
