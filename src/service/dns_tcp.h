/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DNS over TCP (RFC 7766): what is too long for UDP has the zone and the
 * answers of dns64.h as well.
 *
 * A connection of a guest ends in a stream of the host, whose other end is
 * read here; questions are answered one after the other, each by one
 * connection to the resolver, which stays for the next:
 *
 *	   +-------------------------+
 *	   |  the answer is known    |  +--+ dns64: another question,
 *	   |                         v  v  | whose answer is known
 *	QUESTION -----> ASK ------> ANSWER ------> REPLY --> QUESTION
 *	   |            ^ ^ |        | |            ^ ^
 *	   |            | +-+--------+-|------------+ |
 *	   |            |  no answer: the next        |
 *	   |            |  resolver, or none is left  |
 *	   |            +--------------+              |
 *	   |  dns64: another question                 |
 *	   +------------------------------------------+
 *	      it is ours to answer
 *
 * It is over when the guest hangs up, says what is no question, or neither asks
 * nor takes its answer for DNS_TCP_SECONDS.
 *
 * Called by the gateway and the loop; one worker's thread.
 */
#ifndef SERVICE_DNS_TCP_H
#define SERVICE_DNS_TCP_H

#include "service/dns.h"

enum {
	DNS_TCP_MAX = 64,	/* connections of all guests */
	DNS_TCP_PER_GUEST = 16, /* one port's: service.h */
	DNS_TCP_SECONDS = 10, /* without progress .. */
	DNS_TCP_TRY_SECONDS = 3, /* .. of a resolver, if there are others */
};

/* The stream for the connection of guest to server is far, which whoever wants
 * it move()s away; it is closed if nobody did. */
typedef void (*dns_tcp_fn)(void *arg, const struct endpoint *guest,
			   const struct endpoint *server,
			   struct host_sock *far);

struct dns_tcp;

/* env and dns are borrowed. 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int
dns_tcp_new(const struct service_env *env, struct dns *dns, dns_tcp_fn serve,
	    void *arg, struct dns_tcp **tp);
struct dns_tcp *dns_tcp_free(struct dns_tcp *t);
/* A guest connects: serve() follows, not from inside this call.  -EAGAIN: it
 * or all have too many, or the host has no descriptor left. */
__attribute__((warn_unused_result)) int
dns_tcp_open(struct dns_tcp *t, const struct endpoint *guest, mac guest_mac,
	     const struct endpoint *server);

#endif
