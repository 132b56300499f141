/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The inside of the name server: dns.c has the guests and what they ask,
 * dns_ask.c the way of a question to the resolvers and back.  One worker's
 * thread.
 *
 *	BEGIN --> in the cache ----------------------------> answered
 *	  |                                                   ^    |
 *	  +--> another asks the same --> FOLLOWS -------------+    | dns64:
 *	  |                                |  it has no answer     | another
 *	  +--> ASKED <----- next server ---+-> fails               | question
 *	         |  +--------------------------> fails             v
 *	         +------------------------------> answered ----> BEGIN
 */
#ifndef SERVICE_DNS_PRIV_H
#define SERVICE_DNS_PRIV_H

#include "base/hash.h"
#include "base/slab.h"
#include "service/dns.h"
#include "service/dns_cache.h"
#include "service/dns_names.h"
#include "service/dns_server.h"

enum { DNS_ANSWER_MAX = 65535 };

/* One question in flight. */
struct question {
	struct list link; /* in dns->busy */
	struct timer timer;
	struct dns *dns;
	struct endpoint guest;
	addr asked; /* the address of ours that the guest asked */
	mac guest_mac;
	uint32_t port;	  /* of the lan, that it came by; 0: none */
	uint16_t guest_id;
	uint64_t content; /* hash of what is asked, in any letters */
	struct dns64_step step;
	/* of this step */
	uint16_t id;	    /* ours, while it is asked */
	uint64_t same;	    /* those that can share an answer; 0: with none */
	struct question *leader;  /* whose answer it waits for; NULL: its own */
	struct list followers;	  /* of struct question.follow */
	struct list follow;
	uint8_t tries;	  /* sent, not refused so far */
	uint8_t server;	  /* index it was sent to last */
	uint8_t slot;	  /* socket it was sent by last */
	bool is_plain;	  /* sent in the letters that it came in */
	bool is_probe;	  /* for the server's sake: nobody waits */
	uint64_t tried;	  /* servers, since all were */
	uint64_t refused; /* servers that did */
	uint64_t sent_ns;
	uint64_t letters; /* what chose those it was sent in */
	uint16_t len;
	uint8_t text[DNS_QUESTION_MAX]; /* with the guest's id */
};

struct dns {
	const struct service_env *env; /* borrowed */
	struct dns_servers servers;
	/* What they are made of: the network's own come first, the host's
	 * behind, unless one of those is for all names. */
	struct dns_server_config own[DNS_OWN_MAX];
	unsigned n_own;
	struct endpoint host[DNS_UPSTREAMS_MAX];
	unsigned n_host;
	struct dns_cache *cache; /* owned */
	struct dns_names *names; /* owned */
	struct dns_stats stats;
	struct list busy;   /* of struct question */
	struct slab memory; /* of the questions */
	struct question *by_id[65536]; /* asked, by our id */
	struct dns64 dns64;
	struct zone zone;
	bool is_closed; /* the zone is all there is */
	uint64_t random;
	struct hash_key key;
	uint8_t run[DNS_ANSWER_MAX];    /* as received: one answer or more */
	uint8_t answer[DNS_ANSWER_MAX]; /* one of them */
	uint8_t shared[DNS_ANSWER_MAX]; /* the same, while others follow */
	uint8_t made[DNS_ANSWER_MAX];   /* a question or an answer of ours */
};

/* Its step begins: an answer is found, or it is asked, or it fails; q may be
 * gone after that, as after the others. */
void dns_question_begin(struct question *q);
/* It has no answer, nor have its followers. */
void dns_question_fail(struct question *q);
/* It is over; its followers, if any, are asked themselves. */
void dns_question_done(struct question *q);
/* The longest answer to the guest that takes it: what it says in its query, and
 * what its network carries. */
size_t dns_room(const struct dns *d, const struct rd *query, const addr *guest);
/* Sends it to the guest under the guest's id, which is written
 * to msg. */
void dns_question_reply(struct question *q, uint8_t *msg, size_t len);
/* Numbers nobody outside can guess. */
uint64_t dns_draw(struct dns *d);
/* Closes the sockets of a server. */
void dns_server_close(struct dns *d, struct dns_server *s);
/* Gives the servers their sockets, closed. */
void dns_servers_init(struct dns *d);
/* Asks all again that are asked, from the start; only_closed: of those
 * alone whose socket is closed. */
void dns_ask_again(struct dns *d, bool only_closed);

#endif
