/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DNS64 (RFC 6147): names of machines that have IPv4 only, for guests that
 * have IPv6 only.  A guest's question may take several to the resolver; this
 * says which, and makes the guest's answer of the last:
 *
 *	PLAIN: passed on, both ways
 *	AAAA --> no address that leads anywhere --> A --> AAAA in the prefix
 *	                                            |
 *	               nothing there either  <------+--> PLAIN, if there was
 *	PTR of an address in the prefix: that of the IPv4 address in it
 *
 * Who wants signatures and checks them itself (DO and CD) gets nothing made up.
 * Used by the relay and by DNS over TCP; no state of its own; any thread.
 */
#ifndef SERVICE_DNS64_H
#define SERVICE_DNS64_H

#include "base/addr.h"
#include "base/cursor.h"

enum {
	DNS64_TTL = 600,      /* seconds, if the resolver names none (5.1.7) */
	DNS64_TTL_OWN = 3600, /* of what we answer ourselves */
};

struct dns64 {
	struct prefix prefix; /* base/nat64.h; len 0: off */
	bool is_only_way;     /* other IPv6 does not leave the host: no AAAA
			       * but those in prefix leads anywhere */
};

enum dns64_stage {
	DNS64_PLAIN,
	DNS64_AAAA,
	DNS64_A,
	DNS64_PTR,
};

/* How far a question is. */
struct dns64_step {
	enum dns64_stage stage;
	bool had_aaaa; /* there was one that leads nowhere */
	uint32_t ttl;  /* seconds, no more than these */
};

/* True if an address of IPv6 leads somewhere (5.1.4): where one does not, one
 * is made of one of IPv4. */
bool dns64_is_useful(const struct dns64 *c, const addr *ip);
/* The first step of a question; msg is a message with one. */
struct dns64_step dns64_begin(const struct dns64 *c, const struct rd *msg);
/* The answer to what no resolver is asked for: ipv4only.arpa (RFC 7050, 8880).
 * False (and nothing written): it is another question. */
bool dns64_emit_own(const struct dns64 *c, const struct rd *msg, struct wr *w);
/* What is asked in this step of the guest's question msg. False: w has no
 * room. */
bool dns64_emit_question(const struct dns64_step *s, const struct rd *msg,
			 struct wr *w);
/* True if answer, to what was asked in this step, is the last; else *s is the
 * next. */
bool dns64_is_last(const struct dns64 *c, struct dns64_step *s,
		   const struct rd *answer);
/* The guest's answer, made of the last, where that is not just passed on
 * (PLAIN, AAAA).  False (and nothing written): answer is malformed or w has no
 * room. */
bool dns64_emit_answer(const struct dns64 *c, const struct dns64_step *s,
		       const struct rd *msg, const struct rd *answer,
		       struct wr *w);

#endif
