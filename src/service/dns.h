/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The name server of a gateway.  What it knows itself (zone.h) it answers; what
 * else a guest asks over UDP, in either family, goes to a resolver, of either
 * family too, and the answer comes back from the address that was asked.
 *
 * Each question has an id of our own, goes out by one of several sockets with
 * random ports, and in letters of random case (RFC 5452, and DNS 0x20); an
 * answer counts only if it comes from where the question went, with its id and
 * its question letter by letter.  A resolver that answers in its own letters is
 * asked once more, and from then on without a choice of them.
 *
 * Which resolver is asked dns_server.h says: those of a domain for its names,
 * the fastest first.  One that refuses or is silent for 1.5 s, or says that it
 * cannot, makes way for the next; after three silent ones, or when all refuse,
 * the guest gets SERVFAIL, so that it is never left waiting.
 *
 * Answers are kept (dns_cache.h), and of several guests that ask the same at
 * once one is sent: many of the same would make an answer easy to guess, which
 * the others would then get.  A guest that is a resolver of this host could ask
 * itself through us: it waits for itself then, and one guest has no more than
 * DNS_SAME_MAX questions of the same content in flight.
 *
 * Where IPv4 is shown to guests in IPv6 (env->nat64), answers to who asks by
 * IPv6 are made for it (dns64.h).  One worker's thread.
 */
#ifndef SERVICE_DNS_H
#define SERVICE_DNS_H

#include "service/dns64.h"
#include "service/dns_server.h"
#include "service/service.h"
#include "service/zone.h"
#include "wire/packet.h"

enum {
	DNS_QUESTIONS = 512,   /* in flight */
	DNS_PER_GUEST = 128,   /* of them one guest's; one port's: service.h */
	DNS_QUESTION_MAX = 1024, /* bytes of a question we relay */
	DNS_SAME_MAX = 32,     /* of them the same question */
	DNS_TRIES = 3,	       /* questions sent for one */
	DNS_SOCKET_USES = 64,  /* then another port, once none is in flight */
};

struct dns;

/* env is borrowed. 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int dns_new(const struct service_env *env,
						struct dns **dp);
struct dns *dns_free(struct dns *d);
/* Names of the network's machines (zone.h): src and what it names are borrowed;
 * name "" is no zone.  is_closed: nothing else is answered, and no resolver
 * asked. */
void dns_set_zone(struct dns *d, const struct zone_source *src,
		  const char *name, bool is_closed);
/* A resolver of the network's own, for the names of a domain (on the wire; the
 * root: for all, and the host's are asked nothing any more).  What was said of
 * resolvers and what they said is forgotten; questions in flight are asked
 * again.  -ENOBUFS: there are DNS_OWN_MAX. */
struct dns_server_config {
	uint8_t domain[DNS_NAME_LEN];
	size_t domain_len;
	struct endpoint ep;
};
__attribute__((warn_unused_result)) int
dns_add_server(struct dns *d, const struct dns_server_config *c);
/* The host's resolvers, for all names that no other is for; none: 127.0.0.1 is
 * tried, as the C library does.  Likewise. */
void dns_set_upstreams(struct dns *d, const struct endpoint *ep, unsigned n);
/* The host's addresses or routes changed: what the host would send from another
 * address now is asked again from there, and what it has no way for any more is
 * asked of the other resolvers. */
void dns_network(struct dns *d);
/* Whether IPv6 leaves the host; where it does not, and nat64 is on, no name
 * leads to it. */
void dns_ways(struct dns *d, bool has_v6);
/* payload: of a UDP datagram to an address of the resolver's, checksum
 * verified. */
void dns_input(struct dns *d, const struct packet *pkt, const uint8_t *payload,
	       size_t len);
/* The answer to what no resolver is asked for: the zone, what DNS64 says
 * itself (to who asks by IPv6), and everything where nothing else is answered.
 * False (and nothing written): it is another question. */
bool dns_emit_own(const struct dns *d, const struct rd *msg, bool is_v6,
		  struct wr *w);
/* What is made of answers; for DNS over TCP. */
const struct dns64 *dns_dns64(const struct dns *d);
/* For DNS over TCP too: which resolver is asked next, of those that are not in
 * *triedp, where it enters this one; false: none is left. */
bool dns_pick(const struct dns *d, const struct rd *question,
	      uint64_t *triedp, struct endpoint *ep);
/* What is known of the answer to question, and what is to be known, as
 * dns_cache_get() and dns_cache_put(). */
bool dns_recall(struct dns *d, const struct rd *question, struct wr *w);
void dns_learn(struct dns *d, const struct rd *question,
	       const struct rd *answer, uint32_t port);
/* A guest gets this answer, by UDP or by TCP; as dns_names_learn(). */
void dns_told(struct dns *d, mac guest, uint32_t port, const struct rd *answer);

/* As dns_names_find(). */
const char *dns_looked_up(const struct dns *d, mac guest, const addr *ip);

/* Questions of guests over UDP, and what became of them. */
struct dns_stats {
	uint64_t n_questions;
	uint64_t n_own;	   /* answered by us: names of machines, refusals */
	uint64_t n_known;  /* the answer was remembered */
	uint64_t n_asked;  /* sent to resolvers, each time */
	uint64_t n_failed; /* no resolver had an answer */
};
void dns_stats(const struct dns *d, struct dns_stats *sp);

#endif
