/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Is an address somebody's already?  Asked on the wire, by ARP or neighbour
 * discovery, before it is offered to a client that did not have it: a machine
 * may have an address of its own choice (RFC 2131 4.4.1).  What the client said
 * is kept meanwhile, and said to the server again when that is known.  Used by
 * both DHCP servers; one worker's thread.
 *
 * Kept messages are bounded, and one port of the lan leaves a quarter of them
 * to the others; whoever finds no room is answered without a question.
 */
#ifndef SERVICE_PROBE_H
#define SERVICE_PROBE_H

#include "service/lease.h"
#include "service/service.h"
#include "wire/packet.h"

enum {
	PROBE_MS = 250,	    /* an answer comes within */
	PROBE_TRIES = 3,    /* addresses for one message */
	PROBES_MAX = 256,   /* messages that wait */
	PROBE_LEN_MAX = 2048, /* bytes of one */
};

/* A client's message, as its server's input() got it. */
struct probe_msg {
	struct packet pkt;
	uint32_t port;	/* of the lan, that it came by */
	unsigned tries; /* questions for it before this one */
	const uint8_t *payload;
	size_t len;
};

/* What comes of it, once: m is borrowed for the call.  user: who has the
 * address, and his port of the lan; NULL: nobody was heard. */
struct probe_user {
	mac mac;
	uint32_t port;
};
typedef void (*probe_fn)(void *arg, const struct probe_msg *m, const addr *ip,
			 const struct probe_user *user);

struct probes;

/* env is borrowed. NULL: no memory. */
struct probes *probes_new(const struct service_env *env);
/* What waits is forgotten. Accepts NULL; returns NULL. */
struct probes *probes_free(struct probes *p);

/* Asks for the address of l, which is offered to client, and keeps a copy of m;
 * a message of that client that is kept already is replaced by it.  False:
 * there is nothing to ask (the client had the address, or has it, or nobody
 * has), there is no room, it was asked often enough, or p is NULL; then fn is
 * not called. */
bool probe_start(struct probes *p, const struct lease *l, mac client,
		 const struct probe_msg *m, probe_fn fn, void *arg);
/* What a server makes of the answer: the address is free for whom it is
 * offered to, or rests, for user has it. */
void probe_settle(struct lease_table *t, const addr *ip,
		  const struct probe_user *user, const struct service_env *env);
/* ip has sent from m. */
void probe_heard(struct probes *p, const addr *ip, mac m);

#endif
