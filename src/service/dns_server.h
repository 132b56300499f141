/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The resolvers that a name server asks: which domains each is for, how fast it
 * is, and whether it answers at all.  Of those whose domain is the longest that
 * the name is in the fastest is asked first; one that was silent or refused
 * comes last, and hears of a question now and then, beside the one that is
 * asked, until it answers again.  So does one that was not measured for long.
 *
 *	      silent while nobody got an answer, or refuses
 *	UP ---------------------------------------------> DOWN --+
 *	 ^                                                |  ^   | again: twice
 *	 +------------------------------------------------+  +---+ as long
 *	                    answers
 *
 * Numbers only: the sockets are the caller's (dns_ask.c).  One worker's thread;
 * the time is a parameter.
 */
#ifndef SERVICE_DNS_SERVER_H
#define SERVICE_DNS_SERVER_H

#include "base/addr.h"
#include "base/host.h"
#include "wire/dns.h"

enum {
	DNS_UPSTREAMS_MAX = 8,	/* the host's */
	DNS_OWN_MAX = 32,	/* the network's own */
	DNS_SERVERS_MAX = DNS_UPSTREAMS_MAX + DNS_OWN_MAX,
	DNS_SOCKETS = 4,	/* per server, each with its own port */
	DNS_REST_SECONDS = 5,	/* of one that is down, until it is probed */
	DNS_REST_DOUBLINGS = 6, /* of these, at most */
	DNS_MEASURE_EVERY = 64, /* questions, one is measured anew */
};

struct dns;

/* A socket connected to one server, opened at first use. */
struct dns_upsock {
	struct host_sock sock;
	struct dns *dns;
	uint8_t server; /* index */
	uint8_t slot;
	unsigned n_sent; /* since it was opened */
};

struct dns_server {
	struct endpoint ep;
	uint8_t domain[DNS_NAME_LEN]; /* on the wire; the root: of all names */
	size_t domain_len;
	struct dns_upsock s[DNS_SOCKETS]; /* dns_ask.c's */
	uint64_t rtt_ns;      /* smoothed; 0: not known */
	uint64_t answered_ns; /* last; 0: never */
	uint64_t failed_ns;   /* last */
	uint64_t rest_ns;     /* down until it was probed after this; 0: up */
	unsigned n_failed;    /* since it answered */
	unsigned n_since;     /* questions to others since it was measured */
	bool is_probed;	      /* now */
	bool folds_case;      /* answers in letters of its own (dns.h) */
};

struct dns_servers {
	struct dns_server s[DNS_SERVERS_MAX];
	unsigned n;
};

/* For sets of servers by index. */
_Static_assert(DNS_SERVERS_MAX <= 64, "a bit each");

/* Which is asked next for a name on the wire, of those that are not in tried;
 * -1: none is left. */
int dns_servers_pick(const struct dns_servers *t, const uint8_t *name,
		     size_t len, uint64_t tried);
/* One that is asked the same besides, for its own sake; -1: none. Called once
 * for each name that chosen is asked for. */
int dns_servers_probe(struct dns_servers *t, const uint8_t *name, size_t len,
		      unsigned chosen, uint64_t now_ns);
/* s answered what it was sent at sent_ns. */
void dns_server_answered(struct dns_server *s, uint64_t sent_ns,
			 uint64_t now_ns);
/* s refused; or, is_silent, it has not answered what it was sent then, which
 * says nothing if it has answered others since. */
void dns_server_failed(struct dns_server *s, bool is_silent, uint64_t sent_ns,
		       uint64_t now_ns);

#endif
