/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The answers of a network's resolvers that may be given again (RFC 1035,
 * 2181, 2308): each to the question it was given to and to no other, so that
 * what a resolver adds of other names is believed by nobody.  Kept is what is
 * whole, has a lifetime, and is no longer than most are; "no" only with the SOA
 * record that says how long.  What is given has grown older.
 *
 * DNS_CACHE_MAX answers, no memory besides.  Where there is no room, or a port
 * of the lan has its share (base/quota.h), the one goes that was wanted least
 * lately, of that port if it had enough: so one guest's questions push out his
 * own answers.  One worker's thread; the time is a parameter.
 */
#ifndef SERVICE_DNS_CACHE_H
#define SERVICE_DNS_CACHE_H

#include "base/cursor.h"
#include "base/hash.h"
#include "wire/dns.h"

enum {
	DNS_CACHE_MAX = 1024,	      /* answers */
	DNS_CACHE_LEN = 1232,	      /* bytes of one */
	DNS_CACHE_SECONDS = 86400,    /* at most, whatever it says */
	DNS_CACHE_NO_SECONDS = 3600,  /* likewise of "no" */
	DNS_CACHE_KEY_LEN = DNS_NAME_LEN + 6,
};

/* All of a question that its answer depends on: name in small letters, type,
 * RD, AD, CD, and with EDNS DO. */
struct dns_cache_key {
	size_t len;
	uint8_t b[DNS_CACHE_KEY_LEN];
};

/* False: the answer to this question is for who asks alone. */
bool dns_cache_key(const struct rd *question, struct dns_cache_key *kp);

struct dns_cache;

/* 0 or -ENOMEM. */
__attribute__((warn_unused_result)) int dns_cache_new(struct dns_cache **cp);
struct dns_cache *dns_cache_free(struct dns_cache *c);
/* Forgets all. */
void dns_cache_clear(struct dns_cache *c);
/* The answer to question, as of now. False (and nothing written): it is not
 * known, or w has no room. */
bool dns_cache_get(struct dns_cache *c, const struct rd *question,
		   uint64_t now_ns, struct wr *w);
/* answer is the one to question, and came by a port of the lan; 0: by none that
 * pays.  Kept if it may be. */
void dns_cache_put(struct dns_cache *c, const struct rd *question,
		   const struct rd *answer, uint32_t port, uint64_t now_ns);
/* The same answer to another question of the same key: its id, and its name as
 * it has it.  False (and nothing written): w has no room. */
bool dns_cache_adopt(const struct rd *question, const struct rd *answer,
		     struct wr *w);

#endif
