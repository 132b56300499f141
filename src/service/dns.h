/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The DNS relay of the gateway: a guest's question over UDP, in either family,
 * goes to one of the host's resolvers, of either family too, and the answer
 * comes back from the address that was asked.  Each question has an id of our
 * own and goes out by one of several sockets with random ports; an answer
 * counts only if it comes from where the question went, with its id and its
 * question (RFC 5452).  A resolver that refuses or is silent for 1.5 s makes
 * way for the next; after three silent ones, or when all refuse, the guest
 * gets SERVFAIL, so that it is never left waiting.  A guest that is a resolver
 * of this host could ask itself through us: one guest has no more than
 * DNS_SAME_MAX questions of the same content in flight.  Where IPv4 is shown to
 * guests in IPv6 (env->nat64), answers to who asks by IPv6 are made for it
 * (dns64.h).  One worker's thread.
 */
#ifndef SERVICE_DNS_H
#define SERVICE_DNS_H

#include "service/dns64.h"
#include "service/service.h"
#include "wire/packet.h"

enum {
	DNS_UPSTREAMS_MAX = 8,
	DNS_QUESTIONS = 512,   /* in flight */
	DNS_PER_GUEST = 128,   /* of them one guest's; one port's: service.h */
	DNS_QUESTION_MAX = 1024, /* bytes of a question we relay */
	DNS_SAME_MAX = 32,     /* of them the same question */
	DNS_TRIES = 3,	       /* questions sent for one */
	DNS_SOCKETS = 4,       /* per upstream, each with its own port */
	DNS_SOCKET_USES = 64,  /* then another port, once none is in flight */
};

struct dns;

/* env is borrowed. 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int dns_new(const struct service_env *env,
						struct dns **dp);
struct dns *dns_free(struct dns *d);
/* The host's resolvers; none: 127.0.0.1 is tried, as the C library does.
 * Questions in flight are asked again. */
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
/* What is made of answers; for DNS over TCP. */
const struct dns64 *dns_dns64(const struct dns *d);
/* Where a TCP connection to the virtual resolver goes. */
struct endpoint dns_tcp_upstream(const struct dns *d);

#endif
