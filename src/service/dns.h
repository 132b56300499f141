/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The DNS relay of the gateway: a guest's question over UDP goes to one of
 * the host's resolvers, the answer comes back.  Each question has an id of our
 * own and goes out by one of several sockets with random ports; an answer
 * counts only if it comes from where the question went, with its id and its
 * question (RFC 5452).  A resolver that refuses or is silent for 1.5 s makes
 * way for the next; after three silent ones, or when all refuse, the guest
 * gets SERVFAIL, so that it is never left waiting.  A guest that is a resolver
 * of this host could ask itself through us: one guest has no more than
 * DNS_SAME_MAX questions of the same content in flight.  One worker's thread.
 */
#ifndef SERVICE_DNS_H
#define SERVICE_DNS_H

#include "service/service.h"
#include "wire/packet.h"

enum {
	DNS_UPSTREAMS_MAX = 8,
	DNS_QUESTIONS = 512,   /* in flight */
	DNS_PER_GUEST = 128,   /* of them one guest's */
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
 * address now is asked again from there. */
void dns_network(struct dns *d);
/* payload: of a UDP datagram to the resolver's address, checksum verified. */
void dns_input(struct dns *d, const struct packet *pkt, const uint8_t *payload,
	       size_t len);
/* Where a TCP connection to the virtual resolver goes. */
struct endpoint dns_tcp_upstream(const struct dns *d);

#endif
